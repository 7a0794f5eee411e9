"""The nested pipeline of Ye et al.: steps, then sizes, then mixtures, with the uncertainty of all three."""

import numpy as np
import pytest

import scalejax as sj
from scalejax import studies

LAWS = sj.laws


def test_a_pipeline_says_which_run_is_missing():
    ask = {"weights": np.array([[0.5, 0.5], [0.5, 0.5], [0.2, 0.8]]), "losses": ["y"], "S": "S", "N": "N", "steps": 10.0, "size": 4e8}
    rows = {"S": [1.0, 2.0, 4.0], "N": [1e8, 1e8, 2e8], "y": [3.0, 2.5, 2.4]}
    with pytest.raises(sj.DataError, match="checkpoints"):
        studies.mixing_pipeline(rows, **ask)
    with pytest.raises(sj.DataError, match="sizes"):
        studies.mixing_pipeline({**rows, "N": [1e8, 2e8, 1e8], "S": [10.0, 10.0, 10.0]}, **ask)


PIPELINE = {"weights": ["a", "b", "c"], "losses": ["web", "code"], "S": "S", "N": "N", "steps": 1e5, "size": 4e9}
TARGETS = {"web": {"c": 2.0, "t": [-2.0, 0.0, 0.3]}, "code": {"c": 1.0, "t": [0.3, -1.5, 0.2]}}
BEYOND = (1e7 / 4e9) ** 0.5 + (100 / 1e5) ** 0.5  # what is left of the terms in N and S at the target


def checkpoints(seed, noise, mixtures=16):
    """Runs of every mixture at four sizes with five checkpoints; the noise of a run is common to its checkpoints, but for an eighth."""
    rng = np.random.default_rng(seed)
    h = rng.dirichlet(np.ones(3), mixtures)
    i, n, s = np.indices((mixtures, 4, 5)).reshape(3, -1)
    N, S = np.array([1e8, 2e8, 4e8, 8e8])[n], np.array([1.0e4, 1.5e4, 2.3e4, 3.5e4, 5.0e4])[s]
    error = noise * (rng.standard_normal((mixtures, 4))[i, n] + rng.standard_normal(len(i)) / 8)
    rows = {"a": h[i, 0], "b": h[i, 1], "c": h[i, 2], "N": N, "S": S}
    return rows | {k: LAWS.data_mixing_m4(h[i], **p) + (1e7 / N) ** 0.5 + (100 / S) ** 0.5 + error for k, p in TARGETS.items()}


@pytest.mark.slow
def test_a_pipeline_without_noise_has_draws_at_the_truth():
    found = studies.mixing_pipeline(checkpoints(0, 0.0), **PIPELINE, draws=10, starts=32)
    assert found.draws.failed == 0 and len(found.draws) == 10
    for i, name in enumerate(TARGETS):
        low, high = found.interval(0.9)[name]
        true = LAWS.data_mixing_m4(found.h, **TARGETS[name]) + BEYOND
        np.testing.assert_allclose([low, high, found.losses[:, i]], [true] * 3, atol=2e-3)
    assert "web, 80 %" in found.table(0.8).header


@pytest.mark.filterwarnings("ignore:Column 'N' is 1e\\+08 in every run")
def test_a_pipeline_without_draws_knows_no_uncertainty():
    rows = {k: v[checkpoints(0, 0.0)["N"] == 1e8] for k, v in checkpoints(0, 0.0).items()}
    found = studies.mixing_pipeline(rows, **PIPELINE, draws=0, starts=8)
    assert found.draws is None and "%" not in repr(found)
    with pytest.raises(sj.DecisionError, match="draws"):
        found.interval()


@pytest.mark.parametrize(("change", "words"), [({"steps": -1.0}, "steps"), ({"size": np.nan}, "size"), ({"draws": 1}, "draws")])
def test_a_pipeline_refuses_settings_that_mean_nothing(change, words):
    with pytest.raises(sj.DecisionError, match=words):
        studies.mixing_pipeline(checkpoints(0, 0.0), **PIPELINE | change)


@pytest.mark.slow
def test_intervals_of_the_pipeline_hold_the_truth():
    """The weights and predicted losses of 60 simulated tables: 90 % intervals, within three standard errors of a share (12 points)."""
    true = sj.optimal_mixture([(LAWS.data_mixing_m4, p) for p in TARGETS.values()])
    loss = LAWS.data_mixing_m4(true.h, **TARGETS["web"]) + BEYOND
    held = []
    for seed in range(60):
        found = studies.mixing_pipeline(checkpoints(seed, 0.004), **PIPELINE, draws=100, seed=seed)
        weights = sj.optimal_mixture(found.draws).interval(0.9).values()
        low, high = found.draws.predict_interval(0.9, h=true.h, group="web")
        held.append([*(a <= w <= b for (a, b), w in list(zip(weights, true.h, strict=True))[:2]), low <= loss <= high])
    share = np.mean(held, axis=0)
    assert (share > 0.9 - 0.12).all() and share.mean() < 0.99, share
