"""Spectral algorithms on the circle: against regression on drawn grids, rates, saturation, the best filter."""

import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import scalejax as sj
from scalejax import papers

POINTS = np.array([256, 512, 1024, 2048])


def rates(**errors: list[float]) -> dict[str, float]:
    """Exponent of every curve over POINTS, from one fit."""
    runs = sj.read_runs(
        {
            "x": np.tile(POINTS.astype(float), len(errors)),
            "loss": np.concatenate(list(errors.values())),
            "curve": np.repeat(list(errors), len(POINTS)),
        }
    )
    fit = sj.fit(sj.laws.power_law, runs, by="curve", fix={"E": 0.0})
    return dict(zip(fit.groups, fit.params["alpha"], strict=True))


def tuned(make, N: int, **model: float) -> float:
    """Error at the best parameter of a filter."""
    found = minimize_scalar(lambda s: np.log(papers.spectral_error(make(np.exp(s)), int(N), **model)), bounds=(-25, 25), method="bounded")
    return float(np.exp(found.fun))


def test_the_error_is_that_of_regression_on_grids():
    """Kernel ridge regression with Fourier series cut at 400, averaged over shifts of the grid and noise."""
    rng, N, nu, kappa, eta, sigma2 = np.random.default_rng(0), 9, 1.5, 1.0, 0.05, 0.2
    m = np.arange(-400, 401)
    size = np.maximum(np.abs(m), 1.0)
    values, c = size**-nu, size ** (-(kappa + 1) / 2)
    errors = []
    for shift in rng.uniform(0, 2 * np.pi / N, 400):
        waves = np.exp(1j * np.outer(shift + 2 * np.pi * np.arange(N) / N, m))
        y = waves @ c + np.sqrt(sigma2) * rng.standard_normal(N)
        weights = np.linalg.solve((waves * values) @ waves.conj().T / N + eta * np.eye(N), y) / N
        errors.append((np.abs(values * (waves.conj().T @ weights) - c) ** 2).sum())
    expected = papers.spectral_error(papers.ridge_filter(eta), N, nu=nu, kappa=kappa, sigma2=sigma2)
    missing = 2 / 400  # of the target beyond the cut
    assert abs(np.mean(errors) + missing - expected) < 4 * np.std(errors) / 20 + 0.002


def test_noisy_rates_and_the_saturation_of_ridge():
    easy, smooth = {"nu": 1.5, "kappa": 1.0, "sigma2": 1.0}, {"nu": 1.2, "kappa": 6.0, "sigma2": 1.0}
    flow, ridge = papers.flow_filter, papers.ridge_filter
    found = rates(
        best=[papers.spectral_error(None, int(N), **easy) for N in POINTS],
        ridge=[tuned(ridge, N, **easy) for N in POINTS],
        flow=[tuned(flow, N, **easy) for N in POINTS],
        smooth_best=[papers.spectral_error(None, int(N), **smooth) for N in POINTS],
        smooth_ridge=[tuned(ridge, N, **smooth) for N in POINTS],
        smooth_flow=[tuned(flow, N, **smooth) for N in POINTS],
    )
    expected = {"best": 1 / 2, "ridge": 1 / 2, "flow": 1 / 2, "smooth_best": 6 / 7, "smooth_ridge": 2.4 / 3.4, "smooth_flow": 6 / 7}
    for name, rate in expected.items():
        np.testing.assert_allclose(found[name], rate, rtol=0.05, err_msg=name)


@pytest.mark.parametrize(("nu", "kappa"), [(1.5, 1.0), (1.5, 2.0), (1.2, 4.0)])
def test_rates_without_noise(nu, kappa):
    errors = [papers.spectral_error(papers.ridge_filter(0.0), int(N), nu=nu, kappa=kappa) for N in POINTS]
    np.testing.assert_allclose(rates(ridge=errors)["ridge"], min(kappa, 2 * nu), rtol=0.02)


def test_no_filter_is_better_than_the_best():
    model = {"nu": 1.5, "kappa": 1.7, "sigma2": 0.3}
    best = papers.spectral_error(None, 64, **model)
    assert all(best < tuned(make, 64, **model) < 1.2 * best for make in (papers.ridge_filter, papers.flow_filter))


def test_gradients_are_differences():
    def error(p):
        return papers.spectral_error(papers.flow_filter(p[2]), 64, nu=p[0], kappa=p[1], sigma2=0.1)

    with jax.enable_x64(True):
        at, h = jax.numpy.asarray([1.5, 1.2, 20.0]), 1e-5
        differences = [(error(at.at[i].add(h)) - error(at.at[i].add(-h))) / (2 * h) for i in range(3)]
        np.testing.assert_allclose(jax.grad(error)(at), differences, rtol=1e-6)


def test_exponents_out_of_range_get_a_sentence():
    with pytest.raises(sj.DecisionError, match="nu > 1"):
        papers.spectral_error(None, 64, nu=1.0, kappa=1.0)
