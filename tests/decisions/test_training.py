"""Plans become configurations: shapes of released models, published rules, files that training reads."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import scalejax as sj
from scalejax.decisions.configured.shape_rules import shape_families

# Printed by others: parameters of released models, from their weights.
RELEASED = {
    ("llama3", (32, 4096, 32, 14336)): 8_030_261_248,
    ("llama3", (80, 8192, 64, 28672)): 70_553_706_496,
    ("llama3", (126, 16384, 128, 53248)): 405_853_388_800,
    ("llama", (32, 4096, 32, 11008)): 6_738_415_616,
    ("llama", (40, 5120, 40, 13824)): 13_015_864_320,
    ("llama", (80, 8192, 64, 22016)): 65_285_660_672,
    ("gpt3", (12, 768, 12, 3072)): 125_226_240,
    ("qwen3", (36, 4096, 32, 12288)): 8_190_735_360,
    ("qwen3", (40, 5120, 40, 17408)): 14_768_307_200,
    ("pythia", (6, 512, 8, 2048)): 70_426_624,
    ("pythia", (12, 768, 12, 3072)): 162_322_944,
}


@pytest.mark.parametrize("name", shape_families())
def test_a_family_gives_its_members_at_their_sizes(name):
    family = shape_families()[name]
    for member in family.members:
        size = float(family.sizes(*member, "total"))
        config = family.closest(size, "total")
        keys = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")
        assert tuple(config[key] for key in keys) == member
        assert size == RELEASED.get((name, member), size)


@pytest.mark.parametrize("name", shape_families())
def test_sizes_in_between_are_met_by_whole_models(name):
    family = shape_families()[name]
    for size in np.geomspace(3e8, 3e11, 13):
        config = family.closest(size, "nonembedding")
        assert family.size(config, "nonembedding") == pytest.approx(size, rel=0.06)
        assert config["hidden_size"] % config["num_attention_heads"] == 0
        assert config["num_attention_heads"] % config["num_key_value_heads"] == 0
        assert 15 < config["hidden_size"] / config["num_hidden_layers"] < 300
        assert sj.costs.from_config(config).params() == family.size(config, "total")


def test_rules_are_the_published_laws():
    """Li et al. 2025 print rate and batch for 1B parameters and 100B tokens; DeepSeek's 7B was trained at 4.2e-4 with 2,304 sequences."""
    step = sj.configure({"N": 1e9, "D": 1e11}, count="nonembedding", sequence=2048, multiple=1)
    inside = step.N[0]
    assert step.lr[0] == pytest.approx(1.79 * inside**-0.713 * 1e11**0.307, rel=1e-6)
    assert step.batch[0] * 2048 == pytest.approx(0.58 * 1e11**0.571, rel=0.01)
    deep = sj.configure({"N": 6.9e9, "D": 2e12}, shapes="llama", hyperparameters="deepseek")
    assert deep.lr[0] == pytest.approx(4.2e-4, rel=0.1) and deep.batch[0] == pytest.approx(2304, rel=0.15)
    assert step.steps[0] * step.batch[0] * 2048 == step.D[0] == pytest.approx(1e11, rel=1e-3)


def test_files_say_the_same(tmp_path):
    yaml = pytest.importorskip("yaml")
    plan = sj.configure({"N": [4e8, 7e9], "D": [1e10, 1e12]}, shapes="pythia")
    for name in ("plan.json", "plan.yaml", "plan.csv"):
        plan.save(tmp_path / name)
    document = json.loads((tmp_path / "plan.json").read_text())
    assert document == yaml.safe_load((tmp_path / "plan.yaml").read_text()) and document["runs"] == plan.runs()
    rows = list(csv.DictReader((tmp_path / "plan.csv").read_text().splitlines()))
    assert [float(row["N"]) for row in rows] == plan.N.tolist() and [int(float(row["steps"])) for row in rows] == plan.steps.tolist()


@pytest.mark.parametrize(
    ("plan", "arguments", "words"),
    [
        ({"N": 1e9}, {}, "sizes N and tokens D"),
        ({"N": 1e7, "D": 1e9}, {}, "the nearest has 1.65e"),
        ({"N": 1e9, "D": 1e10}, {"shapes": "lama"}, "did you mean 'llama'"),
        ({"N": 1e9, "D": 1e10}, {"hyperparameters": "step"}, "step_law"),
        ({"N": 1e9, "D": -1e10}, {}, "positive"),
        ({"N": [1e9, 2e9, 3e9], "D": [1e10, 2e10]}, {}, "one length"),
        ({"N": 1e9, "D": 1e10}, {"sequence": 0}, "sequence=0"),
        ({"N": 1e9, "D": 1e10}, {"count": "active"}, "nonembedding"),
    ],
)
def test_what_cannot_be_planned_is_one_sentence(plan, arguments, words):
    with pytest.raises(sj.DecisionError, match=words):
        sj.configure(plan, **arguments)


def test_mixtures_and_schedules_are_written(tmp_path):
    law = sj.laws.data_mixing_m4
    targets = [(law, dict(c=1.0, t=np.array(t))) for t in ([-2.0, 0.0], [0.0, -2.0])]
    mixture = sj.optimal_mixture(targets, domains=["web", "code"])
    mixture.save(tmp_path / "mixture.json")
    assert json.loads((tmp_path / "mixture.json").read_text()) == pytest.approx({"web": 0.5, "code": 0.5}, abs=1e-6)
    curve = sj.laws.multi_power
    best = sj.optimal_schedule((curve, curve.published["luo2025_25M"]), steps=2000, peak=3e-4, warmup=100, shape="wsd")
    best.save(tmp_path / "schedule.csv")
    rows = list(csv.reader((tmp_path / "schedule.csv").read_text().splitlines()))
    assert rows[0] == ["step", "lr"] and [float(lr) for _, lr in rows[1:]] == best.eta.tolist()
    rate = best.to_optax()
    assert float(rate(1500)) == pytest.approx(best.eta[1500], rel=1e-6) and float(rate(10**6)) == pytest.approx(best.eta[-1], rel=1e-6)
