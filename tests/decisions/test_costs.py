"""Costs give the numbers of the papers, agree with one another where they must, and work wherever JAX does."""

import copy
import inspect
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax import costs
from scalejax.core.numeric.batching import trace_counts

CHINCHILLA = sj.laws.chinchilla
A100 = {"peak": 312e12, "mfu": 0.5}

# Sizes of Brown et al. 2020 (arXiv:2005.14165): layers, width (table 2.1); parameters in millions, FLOPs and PF-days for 300B tokens (D.1).
# The 13B model is printed with width 5140, which its 40 heads of 128 contradict.
GPT3 = [
    (12, 768, 125, 2.25e20, 2.60),
    (24, 1024, 356, 6.41e20, 7.42),
    (24, 1536, 760, 1.37e21, 15.8),
    (24, 2048, 1320, 2.38e21, 27.5),
    (32, 2560, 2650, 4.77e21, 55.2),
    (32, 4096, 6660, 1.20e22, 139),
    (40, 5120, 12850, 2.31e22, 268),
    (96, 12288, 174600, 3.14e23, 3640),
]


# Parameters


@pytest.mark.parametrize("n_layer, d_model, millions, flops, pf_days", GPT3)
def test_sizes_of_gpt3(n_layer, d_model, millions, flops, pf_days):
    N = costs.transformer_params(n_layer, d_model) + costs.embedding_params(d_model, 50257, 2048)
    assert N / 1e6 == pytest.approx(millions, rel=6e-3)
    assert costs.six_nd(N, 300e9) == pytest.approx(flops, rel=6e-3)
    assert costs.six_nd(N, 300e9) / costs.PF_DAY == pytest.approx(pf_days, rel=6e-3)
    assert costs.seconds(costs.six_nd, peak=1e15, mfu=1)(N, 300e9) / 86400 == pytest.approx(pf_days, rel=6e-3)


def test_range_of_kaplan():
    """Kaplan et al. 2020 train 768 to 1.5e9 parameters without embeddings; 12 n_layer d_model^2 is the general count for usual widths."""
    assert costs.transformer_params(1, 8) == 768
    assert costs.transformer_params(48, 1600) == pytest.approx(1.5e9, rel=0.02)
    assert costs.transformer_params(6, 512, d_attn=256, d_ff=1024) == 2 * 512 * 6 * (2 * 256 + 1024)


def test_nonembedding_is_the_inverse_of_total():
    """The scripts of Pearce and Song 2024: 32,000 tokens at aspect 39.2 are near the factor that they fitted, 47,491."""
    assert costs.embedding_factor(32000, 39.2) == pytest.approx(47491, rel=3e-4)
    N = np.logspace(1, 14, 40)
    for omega in (0.0, 1.0, 47491.0, 1e6):
        np.testing.assert_allclose(costs.nonembedding_params(costs.total_params(N, omega), omega), N, rtol=1e-13)
    # 12 n d^2 + V d with d = 39.2 n is the same count by shape
    d = np.array([512.0, 4096.0])
    N = costs.transformer_params(d / 39.2, d)
    total = N + costs.embedding_params(d, 32000)
    np.testing.assert_allclose(costs.total_params(N, costs.embedding_factor(32000, 39.2)), total, rtol=1e-14)
    assert jax.grad(costs.nonembedding_params)(1e3) == pytest.approx(3 * (1e3 / 47491) ** 2 / 47491, rel=1e-3)  # N_noemb -> (N / omega)^3


def test_mixture_of_experts():
    """Ludziejewski et al. 2025: active parameters from 79M to 2.7B with width 64 n_layer; experts add 9 n_layer d_model^2 each."""
    assert costs.moe_active_params(8, 512) == pytest.approx(79e6, rel=5e-3)
    assert costs.moe_active_params(36, 2304) == pytest.approx(2.7e9, rel=6e-3)
    assert costs.moe_active_params(26, 1664) == pytest.approx(1.1e9, rel=3e-3)
    for d in (512, 1664, 2304):
        active, one = costs.moe_active_params(d // 64, d), costs.moe_params(d // 64, d, 1)
        assert active == one == costs.moe_total(active, 1)
        for n_expert in (2, 32):
            total = costs.moe_params(d // 64, d, n_expert)
            assert total - active == 9 * (n_expert - 1) * (d // 64) * d**2
            assert costs.moe_total(active, n_expert) == pytest.approx(total, rel=1e-12)
    two = costs.moe_active_params(8, 512, n_active=2)
    assert costs.moe_total(two, 16, n_active=2) == pytest.approx(costs.moe_params(8, 512, 16), rel=1e-12)


# FLOPs per token


@pytest.mark.parametrize(
    "n_layer, d_model, first, second",
    [
        (8, 512, 0.43, 1.32),
        (12, 768, 0.53, 1.02),
        (24, 1024, 0.60, 0.81),
        (24, 2048, 0.75, 0.88),
        (40, 5120, 0.88, 0.92),
        (80, 8192, 0.92, 0.94),
    ],
)
def test_ratios_of_deepseek(n_layer, d_model, first, second):
    """Table 3 of Bi et al. 2024: 6 N1 / M and 6 N2 / M. Sequences of 4096 and 102,400 tokens of vocabulary give every printed digit."""
    M = costs.deepseek_flops(n_layer, d_model, 4096)
    assert round(costs.deepseek_flops(n_layer, d_model, 0) / M, 2) == first
    assert round(costs.deepseek_flops(n_layer, d_model, 0, n_vocab=102400) / M, 2) == second
    assert costs.deepseek_flops(n_layer, d_model, 0) == 6 * costs.transformer_params(n_layer, d_model)


def test_kaplan_counts_half_of_the_attention():
    """Attention costs as much as the parameters at d_model = n_ctx / 12 (Kaplan et al. 2020, section 2.1); a causal mask halves it."""
    assert costs.kaplan_flops(10, 100, 1200) == 2 * 6 * costs.transformer_params(10, 100)
    assert costs.kaplan_flops(24, 2048, 4096) == costs.deepseek_flops(24, 2048, 2048)
    assert costs.kaplan_flops(24, 2048, 0) == 6 * costs.transformer_params(24, 2048)
    assert costs.kaplan_flops(2, 64, 10, d_attn=32, d_ff=64) == 3 * (2 * 2 * 64 * 2 * (64 + 64) + 2 * 2 * 10 * 32)


@pytest.mark.parametrize(
    "n_layer, d_model, n_head, d_head, ratio",
    [
        (10, 640, 10, 64, 1.03),
        (20, 1024, 16, 64, 1.10),
        (24, 1280, 10, 128, 1.08),
        (26, 1792, 14, 128, 1.04),
        (28, 2048, 16, 128, 1.03),
        (40, 3584, 28, 128, 0.99),
    ],
)
def test_ratios_of_hoffmann(n_layer, d_model, n_head, d_head, ratio):
    """Table A4 of Hoffmann et al. 2022: FLOPs against 6 N D. Their N has weights for relative positions, d_model^2 a layer."""
    N = costs.transformer_params(n_layer, d_model) + n_layer * d_model**2 + costs.embedding_params(d_model, 32000)
    assert round(costs.hoffmann_flops(n_layer, d_model, 4 * d_model, n_head, d_head) / (6 * N), 2) == ratio


def test_hoffmann_is_deepseek_and_softmax():
    shape = {"n_layer": 80, "d_model": 8192}
    whole = costs.hoffmann_flops(**shape, d_ff=32768, n_head=64, d_head=128, n_ctx=2048, n_vocab=32000)
    assert whole == costs.deepseek_flops(**shape, n_ctx=2048, n_vocab=2 * 32000) + 3 * 80 * 3 * 64 * 2048
    assert whole * 1.4e12 == pytest.approx(5.76e23, rel=0.015)  # Chinchilla


def test_utilisation_of_palm():
    """Chowdhery et al. 2022: 238.3K tokens a second on 6144 devices of 275 TFLOP/s are an MFU of 45.7 %, and 46.2 % with attention."""
    N, devices, peak, rate = 540.35e9, 6144, 275e12, 238.3e3
    assert costs.seconds(costs.six_nd, devices=devices, peak=peak, mfu=0.457)(N, rate) == pytest.approx(1, abs=2e-3)

    def with_attention(N, D):
        return (6 * N + costs.attention_flops(118, 48 * 256, 2048)) * D

    assert costs.seconds(with_attention, devices=devices, peak=peak, mfu=0.462)(N, rate) == pytest.approx(1, abs=2e-3)


def test_attention_of_a_shape_given_by_its_size():
    n_layer, d_model = 80, 8192
    N = costs.transformer_params(n_layer, d_model)
    cost = costs.six_nd_attention(N, 1e12, 4096, aspect=d_model / n_layer)
    assert cost == pytest.approx(1e12 * costs.deepseek_flops(n_layer, d_model, 4096), rel=1e-14)
    assert costs.six_nd_attention(N, 1e12, 0) == costs.six_nd(N, 1e12)
    added = costs.six_nd_attention(N, 1, 4096, aspect=d_model / n_layer) - 6 * N
    assert added == pytest.approx(costs.attention_flops(n_layer, d_model, 4096), rel=1e-12)


# Runs


def test_exchange_of_training_for_inference():
    """Snell et al. 2024 (arXiv:2408.03314): a model 14 times larger costs as much as k times the inference, k = 257.75 and 15.8."""
    for R, k in ((0.16, 257.75), (22, 15.8)):
        D_inf = R * 1e12
        large, small = costs.six_nd_inference(14e9, 1e12, D_inf), costs.six_nd_inference(1e9, 1e12, k * D_inf)
        assert large == pytest.approx(small, rel=2e-3)
    assert costs.six_nd_inference(1e9, 2e10, 0) == costs.six_nd(1e9, 2e10)


def test_plan_for_inference():
    """Sardana et al. 2023: the quality of a compute-optimal 7B and 1e11 tokens of inference want 6B and 1.18 times the tokens."""
    law = _Sardana()
    D = law.optimal_tokens(7e9)
    N_best, D_best, saved = law.cheapest(7e9, lambda N, D: costs.six_nd_inference(N, D, 1e11))
    assert D == pytest.approx(2.764e11, rel=5e-4) and N_best == pytest.approx(5.997e9, rel=5e-4)
    assert D_best / D == pytest.approx(1.1758, abs=5e-4) and 1 - saved == pytest.approx(0.99154, abs=2e-5)


def test_dollars_of_inference():
    """Sardana et al. 2023, section 6 and appendix B.2, for requests of 70 tokens read and 215 written.

    The printed prices, 1.50 and 1.10 dollars an hour with twice the peak in inference, are a ratio of 0.37 a FLOP and give 15.7B and
    19 %; with 0.33 all of the published numbers come out.
    """
    law, C_tr = _Sardana(), costs.dollars_per_flop(1.5, 312e12)

    def cheapest(N, requests):
        return law.cheapest(N, lambda N, D: costs.dollars_inference(N, D, 70 * requests, 215 * requests, C_tr, 0.33 * C_tr))

    N, D, saved = cheapest(30e9, 1.5e9)
    assert N == pytest.approx(16e9, rel=0.01) and D == pytest.approx(3.35e12, rel=5e-3) and saved == pytest.approx(0.17, abs=5e-3)
    N, D, saved = cheapest(70e9, 35.1e9)
    assert N == pytest.approx(21.5e9, rel=2e-3) and D == pytest.approx(27e12, rel=0.02) and saved == pytest.approx(0.54, abs=5e-3)
    _, _, saved = cheapest(70e9, 7.02e9)
    assert 1 / (1 - saved) == pytest.approx(1.36, abs=5e-3)


class _Sardana:
    """The law of Sardana et al. 2023, and the cheapest way to the loss of a compute-optimal model."""

    p = CHINCHILLA.published["sardana2023"]

    def loss(self, N, D):
        p = self.p
        return p["E"] + p["A"] * N ** -p["alpha"] + p["B"] * D ** -p["beta"]

    def optimal_tokens(self, N):
        p = self.p
        return (p["beta"] * p["B"] * N ** p["alpha"] / (p["alpha"] * p["A"])) ** (1 / p["beta"])

    def cheapest(self, N, cost):
        p, D = self.p, self.optimal_tokens(N)
        size = N * np.linspace(0.1, 1, 400_001)
        left = self.loss(N, D) - p["E"] - p["A"] * size ** -p["alpha"]
        tokens = np.where(left > 0, (np.where(left > 0, left, 1) / p["B"]) ** (-1 / p["beta"]), np.inf)
        paid = cost(size, tokens)
        best = np.argmin(paid)
        return size[best], tokens[best], 1 - paid[best] / cost(N, D)


def test_dollars_agree_with_dollars_of_inference():
    price, N, D = 2.0, 1e9, 2e10
    C = costs.dollars_per_flop(price, A100["peak"])
    mfu = {"MFU_tr": 0.5, "MFU_inp": 0.5, "MFU_out": 0.5}
    both = costs.dollars(costs.six_nd_inference, price=price, **A100)(N, D, D_inf=3e10)
    assert both == pytest.approx(costs.dollars_inference(N, D, 1e10, 2e10, C, C, **mfu), rel=1e-14)
    assert costs.dollars_inference(N, D, 0, 0, C, C) == pytest.approx(costs.dollars(price=price, **A100)(N, D), rel=1e-14)


def test_kaplan_seen_through_chinchilla():
    """Pearce and Song 2024: without embeddings the best size grows as C^0.78 over Kaplan's budgets, or C^0.74 with Hoffmann's constants."""

    def growth(name, C):
        plan = sj.allocate((CHINCHILLA, CHINCHILLA.published[name]), compute=C, cost=costs.six_nd_nonembedding)
        return np.polyfit(np.log(C), np.log(costs.nonembedding_params(plan.N)), 1)[0]

    kaplan = np.logspace(12.95, 20.7, 100)  # the budgets of their script
    assert round(growth("besiroglu2024", kaplan), 2) == 0.78 and round(growth("hoffmann2022", kaplan), 2) == 0.74
    near = np.linspace(0.99, 1.01, 100)
    for C, local in ((1e15, 0.844), (1e17, 0.856), (1e18, 0.657), (1e19, 0.573), (1e20, 0.539), (1e23, 0.515)):
        assert growth("besiroglu2024", C * near) == pytest.approx(local, abs=1e-3)


def test_scenarios_of_distillation():
    """The four scenarios of Busbridge et al. 2025, by hand; learning from a teacher of one's own size costs a third more."""
    N, D, N_T, D_T = 1e9, 1e10, 3e9, 6e10
    expected = {(0, 0): 6e19, (1, 0): 1.2e20, (0, 1): 1.14e21, (1, 1): 1.2e21}
    for (logits, pretraining), flops in expected.items():
        assert costs.distillation(N, D, N_T, D_T, logits, pretraining) == pytest.approx(flops, rel=1e-15)
    assert costs.distillation(N, D, N) == pytest.approx(4 / 3 * costs.six_nd(N, D), rel=1e-15)


def test_plan_for_a_student():
    """eps_N / eps_D = 6 N / (6 N + 2 N_T) at the optimum: the teacher makes tokens dear and so the student large."""
    p = CHINCHILLA.published["besiroglu2024"]
    for logits in (1.0, 0.0):
        plan = sj.allocate((CHINCHILLA, p), compute=1e21, cost=costs.distillation, N_T=3e9, logits=logits)
        ratio = p["alpha"] * p["A"] * plan.N ** -p["alpha"] / (p["beta"] * p["B"] * plan.D ** -p["beta"])
        assert ratio == pytest.approx(3 * plan.N / (3 * plan.N + 3e9 * logits), rel=1e-8)


# Memory and data


def test_memory():
    """Rajbhandari et al. 2019 (ZeRO), figure 1: 7.5B parameters on 64 devices. Kwon et al. 2023, section 3: OPT 13B."""
    assert costs.training_bytes(7.5e9) / 1e9 == 120
    assert costs.training_bytes(7.5e9, optimizer=12 / 64) / 1e9 == pytest.approx(31.4, abs=0.05)
    assert costs.training_bytes(7.5e9, 2, 2 / 64, 12 / 64) / 1e9 == pytest.approx(16.6, abs=0.05)
    assert costs.training_bytes(7.5e9, 2 / 64, 2 / 64, 12 / 64) / 1e9 == pytest.approx(1.9, abs=0.05)
    assert costs.training_bytes(1.5e9) == 24e9 and costs.weight_bytes(175e9) == 350e9  # GPT-2 and, in 16 bits, GPT-3
    assert costs.kv_cache_bytes(40, 5120, 1) == 800 * 1024
    assert costs.kv_cache_bytes(40, 5120, 2048) / 1e9 == pytest.approx(1.6, rel=0.05)
    # 80 layers with 8 heads of 128 for keys and values, 64 for queries: 2 x 80 x 8 x 128 x 2 bytes a token
    assert costs.kv_cache_bytes(80, 8192, 4096, batch=3, group=8) == 3 * 4096 * 327680


def test_memory_caps_experts():
    """Experts leave compute as it is and fill memory: at most 9 fit into 12.7 GB beside 1.1e9 active parameters."""
    N = costs.moe_active_params(26, 1664)
    held = costs.weight_bytes(costs.moe_total(N, np.arange(1, 17)))
    assert (np.diff(held) > 0).all() and np.sum(held <= 12.7e9) == 9


def test_data():
    """Muennighoff et al. 2023: 2.37225e11 tokens of 25e9 unique ones are 9.489 epochs; shares of a mixture add up to it."""
    assert costs.epochs(2.37225e11, 25e9) == pytest.approx(9.489, abs=5e-4)
    h, U = np.array([0.5, 0.3, 0.2]), np.array([1e9, 6e8, 1e8])
    np.testing.assert_allclose(costs.domain_tokens(h, 1e10), [5e9, 3e9, 2e9])
    np.testing.assert_allclose(costs.epochs(1e10, U, h), [5, 5, 20])
    assert costs.domain_tokens(np.stack([h, h]), np.array([[1e9], [1e10]])).sum(axis=1) == pytest.approx([1e9, 1e10])


# Time and money


def test_price_of_gpt3():
    """A known estimate of 2020: 355 years of one V100 at 28 TFLOP/s, 4.6 million dollars at 1.5 an hour."""
    N = 174.6e9
    assert costs.seconds(peak=28e12, mfu=1)(N, 300e9) / (365 * 86400) == pytest.approx(355, rel=5e-3)
    assert costs.dollars(price=1.5, peak=28e12, mfu=1)(N, 300e9) == pytest.approx(4.6e6, rel=0.02)


def test_days_with_recomputation():
    """Narayanan et al. 2021 (arXiv:2104.04473): 8 T P / (n X) makes 34 days of 1024 devices at 140 TFLOP/s, 84 of 3072 at 163."""

    def eight_nd(N, D):
        return 8.0 * N * D

    assert costs.seconds(eight_nd, devices=1024, peak=140e12, mfu=1)(175e9, 300e9) / 86400 == pytest.approx(34, abs=0.5)
    assert costs.seconds(eight_nd, devices=3072, peak=163e12, mfu=1)(1e12, 450e9) / 86400 == pytest.approx(84, abs=1)


def test_converted_costs_are_equal_for_equal_arguments():
    one, two = (costs.dollars(costs.six_nd, price=2, peak=312e12, mfu=0.5) for _ in range(2))
    assert one == two and hash(one) == hash(two) and one is not two
    assert one == costs.dollars(costs.six_nd, mfu=np.float32(0.5), peak=312 * 10**12, price=2.0)
    assert one != costs.dollars(costs.six_nd, price=3, **A100) and one != costs.seconds(costs.six_nd, **A100)
    assert one == pickle.loads(pickle.dumps(one)) == copy.deepcopy(one)
    assert one.__name__ == "dollars(six_nd)" and repr(one) == "dollars(six_nd, price=2, peak=3.12e+14, mfu=0.5)"


def test_converted_costs_show_the_arguments_that_they_take():
    def arguments(cost):
        return {name: p.default for name, p in inspect.signature(cost).parameters.items()}

    empty = inspect.Parameter.empty
    assert arguments(costs.dollars(costs.six_nd_inference, peak=1e15)) == {
        "N": empty, "D": empty, "D_inf": empty, "price": empty, "peak": 1e15, "mfu": empty,
    }  # fmt: skip
    assert arguments(costs.seconds(costs.six_nd_attention)) == {
        "N": empty, "D": empty, "n_ctx": empty, "aspect": 128.0, "devices": 1.0, "peak": empty, "mfu": empty,
    }  # fmt: skip

    def open_ended(N, *, D, **more):
        return 6.0 * N * D

    assert list(arguments(costs.seconds(open_ended))) == ["N", "D", "devices", "peak", "mfu", "more"]
    assert costs.seconds(open_ended, **A100)(1e9, D=1e10, colour=3) == costs.seconds(**A100)(1e9, 1e10)
    left_out = costs.seconds(costs.six_nd, **A100)
    assert left_out(1e9, 1e10, devices=8) == left_out(1e9, D=1e10) / 8 and left_out(D=1e10, N=1e9, mfu=0.25) == 2 * left_out(1e9, 1e10)
    with pytest.raises(TypeError, match="price"):
        costs.dollars(**A100)(1e9, 1e10)


def test_plans_in_dollars():
    """The same budget in dollars buys the same plan. A price given at the call changes without compiling anew, and equal costs are one."""
    source, price = (CHINCHILLA, CHINCHILLA.published["besiroglu2024"]), 2.0
    budget = 1e21 / (A100["peak"] * A100["mfu"]) / 3600 * price
    plan = sj.allocate(source, compute=1e21)
    paid = sj.allocate(source, compute=budget, cost=costs.dollars(**A100), price=price)
    assert paid.N == pytest.approx(plan.N, rel=1e-11) and paid.loss == pytest.approx(plan.loss, rel=1e-13)
    assert paid.cost == "dollars(six_nd)" and "dollars(six_nd)" in repr(paid)
    before = trace_counts()
    dear = sj.allocate(source, compute=budget, cost=costs.dollars(**A100), price=2 * price)
    assert trace_counts() == before and dear.N < plan.N and dear.loss > plan.loss


CONVERSIONS = {
    "mfu above one": (["mfu=1.5", "at most 1"], lambda: costs.seconds(peak=1e15, mfu=1.5)),
    "mfu in percent": (["mfu=40"], lambda: costs.dollars(price=1, peak=1e15, mfu=40)),
    "no mfu": (["mfu=0", "positive"], lambda: costs.seconds(peak=1e15, mfu=0)),
    "negative price": (["price=-2", "positive"], lambda: costs.dollars(price=-2, peak=1e15, mfu=0.4)),
    "price not finite": (["price=inf"], lambda: costs.dollars(price=np.inf)),
    "peak not a number": (["peak=nan"], lambda: costs.seconds(peak=np.nan)),
    "peak as text": (["peak='H100'", "number"], lambda: costs.seconds(peak="H100")),
    "no devices": (["devices=0"], lambda: costs.seconds(devices=0)),
    "several prices": (["price=", "when the cost is called"], lambda: costs.dollars(price=np.ones(3))),
    "a budget": (["a function of inputs", "1e+21"], lambda: costs.dollars(1e21)),
    "dollars in seconds": (["dollars(six_nd)", "'peak'", "FLOPs"], lambda: costs.seconds(costs.dollars(price=1))),
}  # fmt: skip


@pytest.mark.parametrize("case", CONVERSIONS)
def test_bad_conversions(case):
    words, call = CONVERSIONS[case]
    with pytest.raises(sj.DecisionError) as caught:
        call()
    text = str(caught.value)
    assert all(word in text for word in words) and "\n" not in text and text.endswith("."), text


def test_traced_prices_are_for_the_call():
    with pytest.raises(sj.DecisionError, match="when the cost is called"):
        jax.grad(lambda price: costs.dollars(price=price, **A100)(1e9, 1e10))(2.0)
    cost = costs.dollars(**A100)
    assert jax.grad(lambda price: cost(1e9, 1e10, price=price))(2.0) == pytest.approx(cost(1e9, 1e10, price=1.0), rel=1e-6)


# All of them

# Whole numbers: products of these overflow 64-bit integers, and 32-bit ones where JAX has no others.
N, D, BIG = 70_000_000_000, 15_000_000_000_000, 1_000_000_000_000
CASES = {
    "six_nd": (N, D),
    "six_nd_inference": (N, D, D),
    "six_nd_nonembedding": (N, D),
    "six_nd_attention": (N, D, 4096),
    "distillation": (N, D, BIG, D),
    "dollars_inference": (N, D, D, D, 1.3e-18, 4e-19),
    "dollars_per_flop": (2, 312 * 10**12),
    "domain_tokens": (0.25, D),
    "epochs": (D, BIG, 0.25),
    "transformer_params": (80, 8192),
    "embedding_params": (2**33, 2**33, 2048),
    "embedding_factor": (32000, 128),
    "total_params": (N,),
    "nonembedding_params": (N,),
    "moe_params": (2**22, 2**24, 64),
    "moe_active_params": (2**22, 2**24),
    "moe_total": (N, 64),
    "attention_flops": (2**22, 2**24, 2**24),
    "kaplan_flops": (2**22, 2**24, 2**24),
    "deepseek_flops": (2**22, 2**24, 2**24, 2**17),
    "hoffmann_flops": (2**22, 2**24, 2**26, 2**8, 2**16, 2**24, 2**17),
    "weight_bytes": (N,),
    "training_bytes": (N,),
    "kv_cache_bytes": (80, 2**24, 2**24, 2**20, 8),
    "gated_params": (80, 2**22, 2**24, 2**8, 2**16, 2**17),
    "sequence_flops": (80, 2**22, 2**24, 2**8, 2**16, 2**13, 2**17),
    "gemstones_params": (2**22 + 100, 80),  # between two steps of the number of heads
    "gemstones_flops": (2**22, 2**20),
    "fine_grained_flops": (N, D, 16),
    "gpu_hours": (2, 2**40, 2**20),
}
FUNCTIONS = {name: (getattr(costs, name), arguments) for name, arguments in CASES.items()}
FUNCTIONS["seconds"] = (costs.seconds(costs.six_nd_nonembedding, **A100), (N, D))
FUNCTIONS["dollars"] = (costs.dollars(costs.six_nd_attention, price=2, **A100), (N, D, 4096))


def test_every_cost_is_tested_and_explained():
    assert set(costs.__all__) == set(FUNCTIONS) | {"PF_DAY", "from_config"}  # of which tests are in test_configured
    for name in FUNCTIONS:
        doc = getattr(costs, name).__doc__
        assert ">>>" in doc, name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_whole_numbers_do_not_overflow(name):
    function, arguments = FUNCTIONS[name]
    floats = tuple(float(a) for a in arguments)
    expected = function(*floats)
    assert isinstance(expected, float) and expected > 0
    assert function(*arguments) == pytest.approx(expected, rel=1e-15)
    assert function(*(np.asarray(a) for a in arguments)) == pytest.approx(expected, rel=1e-15)
    named = dict(zip(inspect.signature(function).parameters, arguments, strict=False))
    assert function(**named) == function(*arguments)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_inside_jax_in_single_precision(name):
    function, arguments = FUNCTIONS[name]
    floats = tuple(float(a) for a in arguments)
    expected = function(*floats)
    single = tuple(jnp.float32(a) for a in floats)
    compiled = jax.jit(function)(*single)
    assert compiled.dtype == jnp.float32 and compiled == pytest.approx(expected, rel=1e-5)
    rows = jax.vmap(function)(*(jnp.full(3, a) for a in single))
    assert rows.shape == (3,) and rows[2] == pytest.approx(expected, rel=1e-5)
    slopes = jax.grad(function, tuple(range(len(single))))(*single)
    assert np.isfinite(slopes).all()
    step = floats[0] * 1e-6
    numeric = (function(floats[0] + step, *floats[1:]) - function(floats[0] - step, *floats[1:])) / (2 * step)
    assert slopes[0] == pytest.approx(numeric, rel=1e-3)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_double_precision_stays(name):
    function, arguments = FUNCTIONS[name]
    floats = tuple(float(a) for a in arguments)
    with jax.enable_x64():
        value = jax.jit(function)(*(jnp.float64(a) for a in floats))
        assert value.dtype == jnp.float64 and value == pytest.approx(function(*floats), rel=1e-13)


def test_budgets_are_spent_exactly():
    source, served = (CHINCHILLA, CHINCHILLA.published["besiroglu2024"]), {"D_inp": 1e10, "D_out": 3e10, "C_tr": 1.3e-18, "C_inf": 4e-19}
    plan = sj.allocate(source, compute=1e6, cost=costs.dollars_inference, **served)
    assert costs.dollars_inference(plan.N, plan.D, **served) == pytest.approx(1e6, rel=1e-10)
    hour = costs.seconds(costs.six_nd_attention, devices=512, **A100)
    plan = sj.allocate(source, compute=3600, cost=hour, n_ctx=8192)
    assert hour(plan.N, plan.D, 8192) == pytest.approx(3600, rel=1e-10)
