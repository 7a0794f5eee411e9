"""Laws that are linear in all their free parameters: against NumPy's and SciPy's least squares, robust regression and non-negative ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize, nnls

import scalejax as sj
from scalejax.studies import regmix

K = 5
I, J = np.triu_indices(K, 1)


@sj.law(linear=("a", "b"), a=sj.Positive(0.1, 10), b=sj.Positive(0.1, 10))
def line(x, *, a, b):
    """A line."""
    return a + b * x


def columns(h: np.ndarray) -> np.ndarray:
    i, j = np.triu_indices(h.shape[1], 1)
    return np.concatenate([h, h[:, i] * h[:, j]], axis=1)


@pytest.fixture(scope="module")
def swarm() -> tuple[np.ndarray, np.ndarray]:
    """Sixty mixtures of five domains and their losses, with outliers."""
    rng = np.random.default_rng(0)
    h = rng.dirichlet(np.ones(K), 60)
    c = np.concatenate([rng.uniform(2, 4, K), rng.normal(0, 1, len(I))])
    return h, columns(h) @ c + 0.01 * rng.standard_t(2, 60)


def quadratic(swarm: tuple[np.ndarray, np.ndarray], **options) -> sj.Fit:
    h, y = swarm
    return sj.fit("mixture_quadratic", {"h": h, "loss": y}, on="linear", sizes={"pair": len(I)}, **options)


def coefficients(params: dict) -> np.ndarray:
    return np.concatenate([params["w"], params["q"]], axis=-1)


def test_least_squares_are_those_of_numpy(swarm):
    h, y = swarm
    fit = quadratic(swarm, loss=sj.squared())
    assert (fit.solver, fit.status.value, fit.starts.refined) == ("closed form", "converged", 1)
    np.testing.assert_allclose(coefficients(fit.params), np.linalg.lstsq(columns(h), y, rcond=None)[0], rtol=1e-9)


@pytest.mark.parametrize("delta", [1e-3, 1e-2])
def test_robust_losses_have_no_lower_objective(swarm, delta):
    h, y = swarm
    fit, phi = quadratic(swarm, loss=sj.huber(delta)), columns(h)

    def huber(c):
        r = np.abs(y - phi @ c)
        return np.sum(np.where(r <= delta, 0.5 * r**2, delta * (r - 0.5 * delta)))

    def slope(c):
        return -phi.T @ np.clip(y - phi @ c, -delta, delta)

    begin = np.linalg.lstsq(phi, y, rcond=None)[0]
    found = minimize(huber, begin, jac=slope, method="BFGS", options={"gtol": 1e-12, "maxiter": 5000})
    assert fit.objective == pytest.approx(found.fun, rel=1e-12)
    np.testing.assert_allclose(coefficients(fit.params), found.x, atol=1e-6)


def test_replicates_are_weighted_least_squares(swarm):
    h, y = swarm
    draws = sj.bootstrap(quadratic(swarm, loss=sj.squared()), 20, kind="bayesian", seed=3)
    phi, weights = columns(h), np.random.default_rng(3).standard_exponential((60, 20))
    for k in range(20):
        root = np.sqrt(weights[:, k])
        best = np.linalg.lstsq(phi * root[:, None], y * root, rcond=None)[0]
        np.testing.assert_allclose(coefficients(draws.params)[k], best, rtol=1e-7)


def test_a_weak_prior_adds_rows(swarm):
    h, y = swarm
    fit, held = quadratic(swarm, loss=sj.squared()), quadratic(swarm, loss=sj.squared(), prior="weak")
    tau, phi = np.sum(fit.residuals**2) / (60 - K - len(I)), columns(h)
    domains = [sj.laws.mixture_quadratic.domains[name] for name in "w" * K + "q" * len(I)]
    low, high = np.array([(d.low, d.high) for d in domains]).T
    rows = np.sqrt(tau) * 3.92 / (high - low)
    best = np.linalg.lstsq(np.concatenate([phi, np.diag(rows)]), np.concatenate([y, rows * (low + high) / 2]), rcond=None)[0]
    np.testing.assert_allclose(coefficients(held.params), best, rtol=1e-8)


def test_groups_share_one_solution_each(swarm):
    h, y = swarm
    table = {"h": np.concatenate([h, h[:40]]), "loss": np.concatenate([y, 2 * y[:40]]), "of": np.repeat(["all", "some"], [60, 40])}
    fit = sj.fit("mixture_linear", table, loss=sj.squared(), on="linear", by="of")
    for i, (rows, factor) in enumerate(((60, 1.0), (40, 2.0))):
        np.testing.assert_allclose(fit.params["w"][i], np.linalg.lstsq(h[:rows], factor * y[:rows], rcond=None)[0], rtol=1e-9)
    joint = sj.fit("mixture_linear", table, loss=sj.squared(), on="linear", by="of", share="w")
    np.testing.assert_allclose(joint.params["w"], np.linalg.lstsq(table["h"], table["loss"], rcond=None)[0], rtol=1e-9)


@pytest.mark.parametrize("slope", [0.5, -0.5])
def test_positive_parameters_stay_positive(slope):
    x = np.linspace(0.1, 3, 30)
    y = 2 + slope * x + 0.05 * np.cos(9 * x)
    phi = np.stack([np.ones(30), x], axis=1)
    fit = sj.fit(line, {"x": x, "loss": y}, loss=sj.squared(), on="linear", starts=64)
    assert fit.solver == ("closed form" if slope > 0 else "lm")
    np.testing.assert_allclose([fit.params["a"], fit.params["b"]], nnls(phi, y)[0], atol=1e-6)


def test_regmix_fits_a_quadratic_of_seventeen_domains():
    """153 unknowns a target, which the search did not finish."""
    rng = np.random.default_rng(1)
    h, c = rng.dirichlet(np.full(17, 0.5), 256), rng.normal(size=(153, 2))
    y = 5 + columns(h) @ c + 0.01 * rng.normal(size=(256, 2))
    found = regmix(h[:200], y[:200], model="quadratic")
    best = np.linalg.lstsq(columns(h[:200]), y[:200], rcond=None)[0]
    np.testing.assert_allclose(found.predict(h[200:]), columns(h[200:]) @ best, rtol=1e-8)
