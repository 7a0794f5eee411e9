"""Costs from configurations give the counts that are published for known models, and `allocate` chooses shapes with them."""

import json

import jax
import numpy as np
import pytest

import scalejax as sj
from scalejax import costs

LLAMA = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "intermediate_size": 11008, "num_attention_heads": 32,
    "vocab_size": 32000,
}  # fmt: skip
GROUPED = {**LLAMA, "intermediate_size": 14336, "num_key_value_heads": 8}
MIXTRAL = {**GROUPED, "model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2}
GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}


def qwen(kind, d, layers, heads, kv, ff, vocab=151936, **more):
    names = ("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size")
    return {**dict(zip(names, (kind, d, layers, heads, kv, ff), strict=True)), "vocab_size": vocab, **more}


# Weights in the published files, counted one by one.
PUBLISHED = {
    "Llama 2 7B": (LLAMA, 6738415616),
    "Llama 2 13B": (
        {**LLAMA, "hidden_size": 5120, "num_hidden_layers": 40, "intermediate_size": 13824, "num_attention_heads": 40}, 13015864320,
    ),
    "Llama 2 70B": (
        {**GROUPED, "hidden_size": 8192, "num_hidden_layers": 80, "intermediate_size": 28672, "num_attention_heads": 64}, 68976648192,
    ),
    "Llama 3 8B": ({**GROUPED, "vocab_size": 128256}, 8030261248),
    "Mistral 7B": ({**GROUPED, "model_type": "mistral"}, 7241732096),
    "Mixtral 8x7B": (MIXTRAL, 46702792704),
    "GPT-2": (GPT2, 124439808),
    "GPT-2 XL": ({**GPT2, "n_embd": 1600, "n_layer": 48, "n_head": 25}, 1557611200),
    "Pythia 6.9B": ({**LLAMA, "model_type": "gpt_neox", "intermediate_size": 16384, "vocab_size": 50432}, 6857302016),
    "Qwen2.5 0.5B": (qwen("qwen2", 896, 24, 14, 2, 4864, tie_word_embeddings=True), 494032768),
    "Qwen2.5 7B": (qwen("qwen2", 3584, 28, 28, 4, 18944, 152064), 7615616512),
    "Qwen3 0.6B": (qwen("qwen3", 1024, 28, 16, 8, 3072, head_dim=128, tie_word_embeddings=True), 596049920),
    "Qwen3 8B": (qwen("qwen3", 4096, 36, 32, 8, 12288, head_dim=128), 8190735360),
    "Qwen3 30B A3B": (
        qwen("qwen3_moe", 2048, 48, 32, 4, 6144, head_dim=128, num_experts=128, num_experts_per_tok=8, moe_intermediate_size=768),
        30532122624,
    ),
    "Qwen1.5 MoE A2.7B": (
        qwen(
            "qwen2_moe", 2048, 24, 16, 16, 5632, num_experts=60, num_experts_per_tok=4, moe_intermediate_size=1408,
            shared_expert_intermediate_size=5632,
        ),
        14315784192,
    ),
    "Gemma 2B": (qwen("gemma", 2048, 18, 8, 1, 16384, 256000, head_dim=256), 2506172416),
    "Gemma 2 9B": (qwen("gemma2", 3584, 42, 16, 8, 14336, 256000, head_dim=256), 9241705984),
    "DeepSeekMoE 16B": (
        qwen(
            "deepseek", 2048, 28, 16, 16, 10944, 102400, n_routed_experts=64, n_shared_experts=2, num_experts_per_tok=6,
            moe_intermediate_size=1408, first_k_dense_replace=1,
        ),
        16375728128,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_published_weights(name):
    config, published = PUBLISHED[name]
    assert costs.from_config(config).params() == published


@pytest.mark.parametrize(
    ("name", "billions"), [("Mixtral 8x7B", 12.9), ("Qwen3 30B A3B", 3.3), ("Qwen1.5 MoE A2.7B", 2.7), ("DeepSeekMoE 16B", 2.8)]
)
def test_active_parameters_are_those_of_the_reports(name, billions):
    active = costs.from_config(PUBLISHED[name][0]).active_params()
    assert abs(active / 1e9 - billions) < 0.06  # reports round, and some cut off


def test_dense_models_use_all_their_parameters():
    for config in (LLAMA, GPT2):
        model = costs.from_config(config)
        assert model.active_params() == model.params()


def test_a_file_and_a_mapping_are_the_same(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**LLAMA, "rope_theta": 1e4, "sliding_window": None}))
    assert costs.from_config(file).params() == costs.from_config(LLAMA).params()


def test_flops_of_llama_2():
    """A profiler's count of a forward pass over 128 tokens: 1700.06 GFLOPs (calflops, with every operation of norms and activations)."""
    model = costs.from_config(LLAMA)
    assert 128 * model.forward_flops(128) / 1e9 == pytest.approx(1700.06, abs=0.02)
    N = costs.transformer_params(32, 4096, d_ff=1.5 * 11008) + 4096 * 32000 + 65 * 4096  # three matrices, the output layer, norms
    assert model.training_flops(D=1e12, n_ctx=4096) == pytest.approx((6 * N + costs.attention_flops(32, 4096, 4096)) * 1e12, rel=1e-14)


def test_memory_agrees_with_the_counts_of_shapes():
    model = costs.from_config(GROUPED)
    assert model.cache_memory(4096, batch=3) == costs.kv_cache_bytes(32, 4096, 4096, batch=3, group=4)
    assert model.training_memory() == costs.training_bytes(model.params())
    assert model.serving_memory(4096, bytes_per_param=1.0) == model.params() + model.cache_memory(4096)
    # Kwon et al. 2023, arXiv:2309.06180, section 3: 800 KB a token in OPT 13B, whose attention has the shape of Llama 2 13B
    assert costs.from_config(PUBLISHED["Llama 2 13B"][0]).cache_memory(1) == 800 * 1024


def test_the_roofline_of_decoding():
    """The table of gpt-fast: Llama 2 7B at 104.9 tokens a second moves 1397.31 GB/s on an A100, some 200 positions kept."""
    model = costs.from_config(LLAMA)
    seconds = model.decode_seconds(peak=312e12, bandwidth=1397.31e9, context=200)
    assert 1 / seconds == pytest.approx(104.9, abs=0.05)
    # From some hundred sequences on, the matrices compute for longer than they are read; attention never does.
    many = model.decode_seconds(peak=312e12, bandwidth=2.039e12, context=0, batch=1024)
    assert many == pytest.approx(1024 * model.forward_flops() / 312e12, rel=1e-12)
    prompt = model.prefill_seconds(peak=312e12, bandwidth=2.039e12, context=4096)
    assert prompt == pytest.approx(4096 * model.forward_flops(2048) / 312e12, rel=1e-12)
    assert model.decode_seconds(peak=312e12, bandwidth=1e12, context=0, overhead=1e-4) == pytest.approx(0.0132147 + 32e-4, rel=1e-5)


def test_experts_are_read_as_sequences_meet_them():
    model = costs.from_config(MIXTRAL)
    read = {b: 1e12 * model.decode_seconds(peak=1e18, bandwidth=1e12, context=0, batch=b, bytes_per_param=1.0) for b in (1, 4, 256)}
    embedding = 32000 * 4096
    assert read[1] == pytest.approx(model.active_params() - embedding)
    assert read[256] == pytest.approx(model.params() - embedding)
    expert = (model.params() - model.active_params()) / 6
    rng = np.random.default_rng(0)
    met = np.mean([len({e for _ in range(4) for e in rng.choice(8, 2, replace=False)}) for _ in range(4000)])
    assert (read[4] - read[1]) / expert + 2 == pytest.approx(met, rel=0.01)


def test_numbers_of_the_configuration_are_arguments():
    model = costs.from_config(LLAMA, num_attention_heads=lambda hidden_size: hidden_size / 128)
    assert model.params(num_hidden_layers=40) - model.params() == 8 * (4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096)
    slope = jax.grad(lambda d: model.params(hidden_size=d))(4096.0)
    assert slope == pytest.approx(32 * (8 * 4096 + 3 * 11008 + 2) + 2 * 32000 + 1, rel=1e-6)
    days = costs.seconds(model.training_flops, devices=1024, peak=312e12, mfu=0.4)(D=2e12, n_ctx=4096) / 86400
    assert days == pytest.approx(model.training_flops(2e12, 4096) / (1024 * 312e12 * 0.4 * 86400))


SHAPE = sj.laws.inference_shape_tied
TIED = costs.from_config(
    LLAMA, intermediate_size=lambda hidden_size: 2.6875 * hidden_size, num_attention_heads=lambda hidden_size: hidden_size / 128
)


@sj.law(
    hidden_size=sj.Positive(512, 16384), num_hidden_layers=sj.Positive(8, 128), D=SHAPE.domains["D"],
    **{name: SHAPE.domains[name] for name in SHAPE.parameters},
)  # fmt: skip
def shaped(hidden_size, num_hidden_layers, D, *, E, A, B, alpha, gamma):
    """Loss of a Llama of any width and depth.

    L = (E + A N^-alpha + B D^-alpha) (1 + gamma (hidden_size / num_hidden_layers)^alpha)
    """
    N = TIED.params(hidden_size=hidden_size, num_hidden_layers=num_hidden_layers)
    return SHAPE(N, D, hidden_size / num_hidden_layers, E=E, A=A, B=B, alpha=alpha, gamma=gamma)


def test_a_shape_is_one_allocation():
    """The best width, depth and tokens for a budget, where a token takes at most 12 ms: what holds, and that a grid has nothing better."""
    budget, source = 1e23, (shaped, SHAPE.published["bian2025"])
    hardware = {"peak": 312e12, "bandwidth": 2.039e12, "overhead": 5e-5, "context": 4096}
    plan = sj.allocate(
        source, compute=budget, cost=TIED.training_flops, caps={TIED.serving_memory: 16e9, TIED.decode_seconds: 12e-3}, n_ctx=4096,
        **hardware,
    )  # fmt: skip
    shape = {name: plan.inputs[name] for name in ("hidden_size", "num_hidden_layers")}
    assert plan.active == (("the cap on decode_seconds",),)
    assert TIED.decode_seconds(**hardware, **shape) == pytest.approx(12e-3, rel=1e-6)
    assert TIED.training_flops(plan.D, n_ctx=4096, **shape) == pytest.approx(budget, rel=1e-6)
    assert TIED.serving_memory(4096, **shape) < 16e9
    d, n = np.meshgrid(np.linspace(0.5, 1.5, 81) * shape["hidden_size"], np.linspace(0.5, 1.5, 81) * shape["num_hidden_layers"])
    D = budget / TIED.training_flops(1.0, n_ctx=4096, hidden_size=d, num_hidden_layers=n)
    allowed = TIED.decode_seconds(**hardware, hidden_size=d, num_hidden_layers=n) <= 12e-3
    loss = shaped(d, n, D, **source[1])
    assert plan.loss <= loss[allowed].min() + 1e-9
    assert loss.min() < plan.loss  # the cap costs something


def refused(config, **changes):
    with pytest.raises(sj.DecisionError) as error:
        costs.from_config(config, **changes)
    return str(error.value)


def test_configurations_that_cannot_be_counted_are_refused():
    assert "model_type='mamba'" in refused({**LLAMA, "model_type": "mamba"})
    assert "vocab_size" in refused({k: v for k, v in LLAMA.items() if k != "vocab_size"})
    assert "kv_lora_rank" in refused({**LLAMA, "model_type": "deepseek", "kv_lora_rank": 512})
    assert "num_experts_per_tok" in refused({**GROUPED, "model_type": "mixtral", "num_local_experts": 8})
    assert "has fewer" in refused({**PUBLISHED["Qwen1.5 MoE A2.7B"][0], "decoder_sparse_step": 2})
    assert "did you mean 'hidden_size'" in refused(LLAMA, hiden_size=1024)
    round_in_circles = costs.from_config(
        LLAMA, hidden_size=lambda intermediate_size: intermediate_size, intermediate_size=lambda hidden_size: hidden_size
    )
    with pytest.raises(sj.DecisionError, match="by each other"):
        round_in_circles.params()
    with pytest.raises(TypeError, match="context"):
        costs.from_config(LLAMA).serving_memory()
