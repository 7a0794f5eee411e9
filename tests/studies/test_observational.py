"""Components of tables of scores with gaps, families of models, and forecasts from both."""

from __future__ import annotations

import numpy as np
import pytest

import scalejax as sj
from scalejax import studies


def scores(n=60, noise=0.0, seed=0):
    """(models, benchmarks) linear in two abilities, and these."""
    rng = np.random.default_rng(seed)
    ability = rng.uniform(-1, 1, (n, 2)) * [1.0, 0.4]
    loadings = np.array([[0.20, 0.25, 0.15, 0.30, 0.22], [0.25, -0.20, 0.10, -0.10, 0.05]])
    return 0.5 + ability @ loadings + noise * rng.standard_normal((n, 5)), ability


def test_components_are_those_of_the_covariance():
    table, _ = scores(noise=0.02)
    found = studies.capabilities(table, components=2)
    values, vectors = np.linalg.eigh(np.cov(table.T))
    np.testing.assert_allclose(found.share, values[::-1][:2] / values.sum(), rtol=1e-10)
    np.testing.assert_allclose(np.abs(found.loadings @ vectors[:, ::-1][:, :2]), np.eye(2), atol=1e-8)
    assert (found.loadings.sum(axis=1) > 0).all()


def test_gaps_of_a_table_of_that_rank_are_filled_exactly():
    table, _ = scores()
    rng = np.random.default_rng(1)
    holes = table.copy()
    holes[rng.choice(60, 15, replace=False), rng.integers(0, 5, 15)] = np.nan
    found = studies.capabilities(holes, components=2, factors=2)
    np.testing.assert_allclose(found.filled, table, atol=1e-6)


def test_only_training_models_decide():
    table, _ = scores(noise=0.02)
    train = np.arange(60) < 40
    other = table.copy()
    other[~train] = 0.5
    one, two = (studies.capabilities(t, train=train) for t in (table, other))
    np.testing.assert_array_equal(one.loadings, two.loadings)
    np.testing.assert_array_equal(one.S[train], two.S[train])


def test_models_without_scores_have_no_capabilities():
    table, _ = scores()
    table[3] = np.nan
    found = studies.capabilities(table)
    assert np.isnan(found.S[3]).all() and np.isnan(found.filled[3]).all() and np.isfinite(np.delete(found.S, 3, axis=0)).all()


def test_the_best_families_are_those_of_a_search_by_hand():
    _, ability = scores(20, seed=4)
    family = np.repeat(list("abcdefg"), [4, 3, 3, 3, 3, 2, 2])
    found = studies.representative_families(ability, family, 5)
    whole, best = ability.T @ ability, np.inf
    for first in "abcdefg":
        for second in "abcdefg":
            rows = (family == first) | (family == second)
            if rows.sum() <= 5:
                best = min(best, np.trace(whole @ np.linalg.inv(ability[rows].T @ ability[rows])) / 2)
    assert found.value == pytest.approx(best) and len(found.models) <= 5


def test_a_family_without_scores_is_forecast_from_its_compute():
    """Larger models of a family have no scores at all: the line of the smaller ones gives their capability."""
    compute = np.tile(np.geomspace(1, 1000, 8), 6)
    family = np.repeat(list("abcdef"), 8)
    ability = np.repeat(np.linspace(-0.6, -0.2, 6), 8) + 0.3 * np.log10(compute)
    rng = np.random.default_rng(5)
    table = 0.5 + np.outer(ability, [0.3, 0.2, 0.25]) + 0.003 * rng.standard_normal((48, 3))
    outcome = 1 / (1 + np.exp(-4 * ability + 1)) + 0.003 * rng.standard_normal(48)
    large = compute > 300
    table[large] = np.nan
    found = studies.observational_forecast(
        table, np.where(large, np.nan, outcome), train=~large, compute=compute, family=family, components=1, replicates=200
    )
    assert found.error(outcome) < 0.03
    low, high = found.interval(0.9)["score"]
    assert (low < high).all() and low[large].min() > 0.3
    assert found.lines.slope[:, 0] == pytest.approx(0.3 * np.linalg.norm([0.3, 0.2, 0.25]), rel=0.05)
    assert found.lines.equivalent(found.lines.predict("b", 50.0)[0], "b") == pytest.approx(50.0)
    assert len(found.table().rows) == large.sum() and "forecast" not in found.kind


def emergent(top, noise, seed=0):
    """Scores and outcomes of 40 models on a task that rises from chance, 0.25, and which of them do not come further than `top` in it."""
    rng = np.random.default_rng(seed)
    ability = np.sort(rng.uniform(-1, 1, 40))
    table = 0.5 + np.outer(ability, [0.3, 0.2, 0.25]) + 0.002 * rng.standard_normal((40, 3))
    true = 0.25 + 0.75 / (1 + np.exp(-10 * (ability - 0.5)))
    return table, np.clip(true + noise * rng.standard_normal(40), 0, 1), true <= top


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_training_models_at_chance_forecast_nothing(noise):
    table, outcome, train = emergent(0.2502, noise)
    outcome = np.where(train, np.round(outcome, 2), outcome)
    found = studies.observational_forecast(table, outcome, train=train, components=1, replicates=50, floor=0.25, height=0.75)
    low, high = found.interval()["score"]
    assert np.isnan(found.score).all() and np.isnan(found.error(outcome)) and found.fit is None
    assert np.isinf(low).all() and np.isinf(high).all()
    note = next(n for n in found.table().to_dict()["notes"] if isinstance(n, dict))
    assert note["code"] == "no-prediction" and "nothing tells where" in note["message"] and found.reason in repr(found)


def test_the_foot_of_a_sigmoid_leaves_its_steepness_open():
    """The training models come to 0.3 of a task that goes to 1: how soon it does so is hardly known; half of the way up it is."""
    widths = {}
    for top in (0.3, 0.8):
        table, outcome, train = emergent(top, 0.005)
        found = studies.observational_forecast(table, outcome, train=train, components=1, replicates=100, floor=0.25, height=0.75)
        low, high = found.interval(0.9)["score"]
        assert ((low <= outcome) & (outcome <= high))[~train].mean() >= 0.75
        widths[top] = (high - low)[~train].max()
    assert widths[0.3] > 0.25 and widths[0.8] < 0.15


@pytest.mark.slow
def test_skills_of_families_and_loadings_of_benchmarks_come_back():
    """One skill, four families, three benchmarks: a single crossed fit with the first benchmark as the unit of the skill."""
    size, family, benchmark = (v.ravel() for v in np.meshgrid(np.geomspace(0.1, 70, 9), list("abcd"), ["x", "y", "z"], indexing="ij"))
    size = size.astype(float)
    tokens = np.repeat(np.random.default_rng(6).uniform(0.2, 8.0, 36), 3)  # of every model
    level = dict(zip("abcd", [-0.5, 0.0, 0.4, 0.8], strict=True))
    law, shared = sj.laws.sloth, {"beta_s": [0.35], "beta_t": [0.3], "beta_st": [0.02]}
    own = {"x": (1.0, 0.0, 0.25), "y": (1.5, -0.5, 0.0), "z": (0.6, 0.4, 0.5)}
    score = [
        law(s, t, alpha=[level[f]], loading=[own[b][0]], b=own[b][1], gamma=own[b][2], **shared)
        for s, t, f, b in zip(size, tokens, family, benchmark, strict=True)
    ]
    fit = sj.fit(
        law,
        {"s": size, "t": tokens, "score": np.array(score), "family": family, "benchmark": benchmark},
        by={"alpha": "family", "loading": "benchmark", "b": "benchmark", "gamma": "benchmark"},
        fix={"loading": {"x": [1.0]}, "b": {"x": 0.0}, "gamma": {name: values[2] for name, values in list(own.items())[:2]}},
        sizes={"skill": 1}, on="linear", loss=sj.squared(), starts=256,
    )  # fmt: skip
    families, benchmarks = fit.request.levels
    np.testing.assert_allclose(fit.params["alpha"][:, 0], [level[f] for f in families], atol=1e-4)
    np.testing.assert_allclose(fit.params["loading"][:, 0], [own[b][0] for b in benchmarks], atol=1e-4)
    np.testing.assert_allclose(fit.params["beta_s"], shared["beta_s"], atol=1e-4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: studies.capabilities(100 * t), "between 0 and 1"),
        (lambda t: studies.capabilities(t, components=9), "at least 9 benchmarks"),
        (lambda t: studies.capabilities(t, train=np.arange(60) < 2), "more than 3 of the 60"),
        (lambda t: studies.capabilities(np.where(np.arange(5) == 1, 0.3, t)), "the same score"),
        (lambda t: studies.family_lines(t, np.ones(60), ["a"] * 60), "No family has 3 models"),
        (lambda t: studies.family_lines(t, -np.ones(60), ["a"] * 60), "must be positive"),
        (lambda t: studies.representative_families(t, ["a"] * 60, 10), "No set of families"),
        (lambda t: studies.observational_forecast(t, np.full(60, np.nan), train=np.ones(60, bool)), "must be known"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(call, words):
    with pytest.raises(sj.ScalejaxError, match=words):
        call(scores()[0])
