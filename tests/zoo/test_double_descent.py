"""Sketched least squares: the laws against drawn regressions, the optimal sketch against a search."""

import numpy as np
import pytest

import scalejax as sj
from scalejax import laws


def drawn(n: int, m: int, p: int, orthogonal: bool, runs: int = 40) -> tuple[float, float]:
    """Mean and standard error of the risk of least squares of least norm with alpha^2 = 2 and sigma^2 = 0.5."""
    rng, found = np.random.default_rng(0), []
    for _ in range(runs):
        X, beta = rng.standard_normal((n, p)), rng.standard_normal(p) * np.sqrt(2.0 / p)
        y = X @ beta + np.sqrt(0.5) * rng.standard_normal(n)
        S = rng.standard_normal((m, n))
        S = np.linalg.qr(S.T)[0].T if orthogonal else S
        found.append(((np.linalg.lstsq(S @ X, S @ y, rcond=None)[0] - beta) ** 2).sum())
    return float(np.mean(found)), float(np.std(found) / np.sqrt(runs))


@pytest.mark.parametrize(("m", "p"), [(200, 100), (100, 200), (300, 80), (60, 240)])
def test_drawn_regressions_have_the_risk_of_the_laws(m, p):
    values = {"alpha2": 2.0, "sigma2": 0.5}
    orthogonal = laws.sketched_ridgeless(float(m), float(p), **values)
    independent = laws.sketched_ridgeless_iid(float(m), float(p), 400.0, **values)
    for risk, (mean, error) in ((orthogonal, drawn(400, m, p, True)), (independent, drawn(400, m, p, False))):
        assert abs(mean - risk) < 3.5 * error + 0.01 * risk  # sizes are finite


def test_the_risk_is_infinite_at_the_peak():
    assert np.isinf(laws.sketched_ridgeless(100.0, 100.0, alpha2=1.0, sigma2=0.1))


@pytest.mark.parametrize("sigma2", [0.1, 1.0, 3.0])
def test_the_optimal_sketch_is_that_of_a_search_and_has_no_peak(sigma2):
    p = np.linspace(20, 4000, 200)
    found = sj.formulas.optimal_sketch(1000.0, p=p, alpha2=2.0, sigma2=sigma2)
    m = np.arange(1e-3, 1000.5, 0.5)
    searched = laws.sketched_ridgeless(m[:, None], p, alpha2=2.0, sigma2=sigma2).min(axis=0)
    np.testing.assert_allclose(found["risk"], searched, rtol=2e-3)
    assert (np.diff(found["risk"]) > -1e-9).all()
    noise = np.sqrt(sigma2 / 2.0)
    if noise < 1:  # thresholds as the theorem states them
        between = (p / 1000 > 1 - noise / 2) & (p / 1000 < 1 / (1 - noise))
        np.testing.assert_allclose(found["m"], np.where(between, p * (1 - noise), 1000.0), rtol=1e-12)
