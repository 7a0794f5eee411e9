"""Papers on tasks, against closed forms, exact sums and simulations with known truth."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

import scalejax as sj
from scalejax import laws, papers


@pytest.mark.parametrize(("p", "r"), [(0.3, 2), (0.05, 3)])
def test_sampling_until_some_pass_is_unbiased(p, r):
    """Sum over all numbers of draws, with their negative binomial chances."""
    K = np.arange(r, 2000)
    chance = np.array([float(comb(int(k) - 1, r - 1)) if k < 900 else 0.0 for k in K]) * p**r * (1 - p) ** (K - r)
    found = papers.pass_until(K, r, wanted=r)
    assert chance.sum() == pytest.approx(1.0, abs=1e-9)
    assert np.sum(chance * found.value) == pytest.approx(p, rel=1e-9)
    assert np.sum(chance * found.likelihood) > 1.1 * p


def test_what_reached_the_limit_is_a_plain_share():
    found = papers.pass_until([1000, 1000], [1, 0], wanted=2)
    np.testing.assert_allclose(found.value, [1e-3, 0.0])


def test_a_standard_task_is_straight_and_its_exponent_found():
    N = np.geomspace(3e7, 2.4e9, 6)
    found = papers.emergence(N, laws.pass_rate(N, c=2e3, alpha=0.35))
    assert found.kind == "standard" and found.alpha == pytest.approx(0.35)
    assert found.bend == pytest.approx(0.0, abs=1e-9)


def test_noise_hides_a_small_bend():
    N = np.geomspace(3e7, 2.4e9, 5)
    steps = laws.pass_rate(N, c=30.0, alpha=0.15) * laws.pass_rate(N, c=1e3, alpha=0.4)
    assert papers.emergence(N, steps).kind == "decelerated"
    assert papers.emergence(N, steps, error=0.5 * steps).kind == "standard"
    with pytest.raises(sj.DataError, match="three sizes"):
        papers.emergence([1e8, 1e9], [0.1, 0.2])


def test_choices_by_hand():
    found = papers.choice_metrics(np.log([[[0.02, 0.03, 0.05]], [[0.4, 0.4, 0.2]]]), [2])
    np.testing.assert_allclose(found.p_choices[:, 0], [0.5, 0.2])
    np.testing.assert_allclose(found.brier[:, 0], [0.2**2 + 0.3**2 + 0.5**2, 0.4**2 + 0.4**2 + 0.8**2])
    np.testing.assert_allclose(found.accuracy[:, 0], [1.0, 0.0])
    np.testing.assert_allclose(papers.choice_metrics(np.zeros((1, 4)), [0]).accuracy, 0.25)  # all equal: a guess
    with pytest.raises(sj.DataError, match="name an option"):
        papers.choice_metrics(np.zeros((2, 4)), [0, 4])


@pytest.mark.parametrize("method", ["spearman", "pearson", "kendall"])
def test_correlations_of_every_item_are_those_of_scipy(method):
    from scipy import stats

    rng = np.random.default_rng(0)
    compute = np.geomspace(1e18, 1e22, 8)
    scores = np.round(np.log(compute)[:, None] * rng.uniform(-1, 1, 5) + 2 * rng.standard_normal((8, 5)))
    scores[:, 4] = 1.0
    found = papers.score_correlations(scores, compute, method=method)
    of = {"spearman": stats.spearmanr, "pearson": stats.pearsonr, "kendall": stats.kendalltau}[method]
    expected = [of(np.log(compute), scores[:, i])[0] for i in range(4)]
    np.testing.assert_allclose(found.values["values"][:4], expected, atol=1e-12)
    assert np.isnan(found["values"][4])
    assert found.distance == pytest.approx(1 - abs(np.mean(expected)))


def test_shapes_of_scores_by_hand():
    line, jump, falling, flat = np.linspace(0, 1, 5), [0, 0, 0, 0, 1.0], [3.0, 2.0, 1.0, 0.5, 0.0], np.ones(5)
    found = papers.score_shape([line, jump, falling, flat])
    np.testing.assert_allclose(found.linearity, [4 / 5, 1 / (5 * 0.5), -3 / (5 * np.sqrt(2.5 / 4)), 0.0])
    np.testing.assert_allclose(found.breakthroughness, [4.0, 100.0, -3 / np.sqrt(np.median([1, 1, 0.25, 0.25])), 0.0])
    noisy = papers.score_shape([line, jump], noise=0.01, replicates=400)
    assert noisy.p[0] > 0.2 and noisy.p[1] < 0.01


def test_noise_of_a_benchmark_is_found_again():
    rng = np.random.default_rng(1)
    truth = np.linspace(0.3, 0.6, 40)
    found = papers.benchmark_noise(truth + 0.01 * rng.standard_normal((10, 40)), items=2500)
    assert found.seed_sd == pytest.approx(0.01, rel=0.1)
    assert found.detectable == pytest.approx(1.959964 * np.sqrt(2) * found.seed_sd, rel=1e-6)
    assert found.interval == pytest.approx(1.96 * np.sqrt(0.6 * 0.4 / 2500), rel=0.01)
    assert 0.8 < found.monotonicity < 1
    assert found.weight == pytest.approx(1 / (found.seed_sd**2 + found.item_sd**2))


def test_calibration_is_mended():
    rng = np.random.default_rng(2)
    z = 2 * rng.standard_normal((4000, 3))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    label = (rng.random(4000)[:, None] > np.cumsum(p, axis=1)).sum(axis=1)
    assert papers.temperature(3 * z, label) == pytest.approx(3 * papers.temperature(z, label))
    assert papers.temperature(z, label) == pytest.approx(1.0, abs=0.05)
    right = (p.argmax(axis=1) == label).astype(float)
    sure = p.max(axis=1)
    assert papers.calibration_error(sure, right).value < 0.03
    logit = np.log(sure) - np.log1p(-sure)
    over = 1 / (1 + np.exp(-(2 * logit + 0.5)))
    a, b = papers.platt(2 * logit + 0.5, right)
    mended = 1 / (1 + np.exp(-(a * (2 * logit + 0.5) + b)))
    assert papers.calibration_error(over, right).value > 0.08 > 0.03 > papers.calibration_error(mended, right).value
    with pytest.raises(sj.DataError, match="separate"):
        papers.platt([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1])


def test_conformal_intervals_hold_as_often_as_they_say():
    """With n = 19 exchangeable residuals the 90 % interval holds 18 of 20 on average, whatever their distribution."""
    rng = np.random.default_rng(3)
    held = [abs(x[-1]) <= papers.conformal_width(x[:-1], 0.9) for x in rng.standard_cauchy((4000, 20))]
    assert np.mean(held) == pytest.approx(0.9, abs=0.015)


def test_recalibrated_quantiles_have_the_shape_of_the_errors():
    z = np.random.default_rng(4).exponential(size=2000)
    low, high = papers.recalibrated_quantiles([5.0, 7.0], [1.0, 3.0], z, [0.05, 0.95])
    np.testing.assert_allclose(low, [5 - np.log(0.95), 7 - 3 * np.log(0.95)], atol=0.05)
    np.testing.assert_allclose(high, [5 - np.log(0.05), 7 - 3 * np.log(0.05)], rtol=0.1)


def test_combined_quantiles_do_not_cross():
    both = papers.combined_quantiles([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]], [[1.0, 0.0, 0.9], [0.0, 1.0, 0.1]])
    np.testing.assert_allclose(both, [1.0, 2.0, 2.9])
    assert (np.diff(papers.combined_quantiles([[0.0, 5.0, 6.0], [4.0, 4.5, 5.0]], [[0, 1.0, 0], [1, 0, 1.0]])) >= 0).all()
