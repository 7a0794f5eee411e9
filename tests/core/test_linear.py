"""Batched linear systems: accuracy, and that no compiled call which may run in a thread waits for LAPACK."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import scalejax as sj
from scalejax.core.numeric.linear import cholesky, solve_damped
from scalejax.fitting.objective import problem
from scalejax.fitting.solvers import gradient as solvers
from scalejax.fitting.solvers import lm, search
from scalejax.optimum.interior import solve as solve_interior


def systems(size: int, members: int, span: float, seed: int = 0) -> np.ndarray:
    """Positive matrices (size, size, members) whose rows are up to 10^span apart in scale."""
    jac = np.random.default_rng(seed).normal(size=(members, 3 * size, size)) * np.logspace(0, span, size)
    return np.moveaxis(np.swapaxes(jac, 1, 2) @ jac, 0, -1)


@pytest.mark.parametrize("size", [1, 5, 12, 13, 17, 40, 70])
@pytest.mark.parametrize("span", [0.0, 3.0])
def test_solutions_of_damped_systems(size, span):
    with jax.enable_x64(True):
        matrix, members = systems(size, 6, span), 6
        damping = np.logspace(-9, 3, members)
        right = np.random.default_rng(1).normal(size=(size, 3, members))
        x = np.asarray(solve_damped(matrix, damping, right))
        alone = np.asarray(solve_damped(matrix, damping, right[:, 0]))
    np.testing.assert_allclose(alone, x[:, 0], rtol=1e-12)
    whole = matrix + damping * np.eye(size)[:, :, None]
    left = np.einsum("ijb,jkb->ikb", whole, x) - right
    # Backward stable: the residual is small beside |A| |x|, whatever the condition.
    bound = np.linalg.norm(whole, axis=(0, 1)) * np.linalg.norm(x, axis=(0, 1))
    assert (np.linalg.norm(left, axis=(0, 1)) < 1e-14 * size * bound).all()


@pytest.mark.parametrize("size", [4, 20])
def test_a_pivot_below_zero_is_the_damping(size):
    """An indefinite matrix, which rounding makes of a singular one, still has a finite factor; a sound neighbour is untouched."""
    matrix = systems(size, 2, 0.0)
    matrix[-1, -1, 0] -= 10 * matrix[-1, -1, 0]
    damping, right = np.array([1e-2, 1e-2]), np.ones((size, 2))
    with jax.enable_x64(True):
        lower, x = np.asarray(cholesky(matrix, damping)), np.asarray(solve_damped(matrix, damping, right))
    assert lower[-1, -1, 0] == pytest.approx(np.sqrt(1e-3 * 1e-2))
    assert np.isfinite(x).all()
    np.testing.assert_allclose(x[:, 1], np.linalg.solve(matrix[..., 1] + 1e-2 * np.eye(size), right[:, 1]), rtol=1e-10)


def mixtures(runs: int, domains: int = 16, noise: float = 0.01) -> sj.Runs:
    """Losses of mixtures of many domains: a law of 17 parameters."""
    rng = np.random.default_rng(0)
    h = rng.dirichlet(np.ones(domains), runs)
    t = rng.normal(-2.0, 1.0, domains)
    return sj.simulate(sj.laws.data_mixing_m4, {"c": 1.5, "t": t}, noise=noise, seed=1, h=h)


def no_custom_calls(lowered) -> None:
    text = lowered.as_text()
    assert "lapack" not in text.lower() and "custom_call" not in text and "cusolver" not in text


@pytest.fixture(scope="module")
def request_of_many():
    """The request of a fit with more parameters than are written out."""
    from scalejax.fitting.fit import make_request

    runs = mixtures(80)
    request = make_request(
        "data_mixing_m4", runs, loss=sj.huber(1e-3), on="log", fix=None, tie=None, bounds=None, by=None, share=(), weights=None, sizes=None
    )  # fmt: skip
    assert request.layout.size > problem.UNROLLED
    return request


def test_programs_of_a_fit_call_no_lapack(request_of_many):
    spec, batch = request_of_many.spec, request_of_many.batch
    with jax.enable_x64(True):
        theta, data = np.zeros((spec.layout.size, 8)), problem.arguments(spec, batch.gather(np.zeros(8, int)))
        state, settings = lm.fresh(spec.layout, theta), (10.0, 1e-15, 1e-6, 1e-2)
        no_custom_calls(lm.advance.lower(spec, batch.batched, None, state, data, settings, 0.0))
        no_custom_calls(search._screen.lower(spec, batch.batched, theta, data))
        for name in ("adam", "lbfgs"):
            no_custom_calls(solvers._descend.lower(spec, batch.batched, solvers.as_solver(name), theta, data))
        inner = solvers.as_solver("varpro").inner(spec)
        no_custom_calls(lm.advance.lower(spec, batch.batched, inner, state, data, settings, 0.0))


def test_the_program_of_an_optimum_calls_no_lapack(monkeypatch):
    """Sixteen shares under a condition: the Newton steps of decisions."""
    from scalejax.optimum import many as optima

    seen = []

    def solve(program, x, low, high, each, common, near):
        seen.append(solve_interior.lower(program, x, low, high, each, common, near))
        return solve_interior(program, x, low, high, each, common, near)

    monkeypatch.setattr(optima, "solve", solve)
    law = sj.laws.data_mixing_m4
    best = sj.optimal_mixture((law, {"c": 1.5, "t": np.linspace(-3, -1, 16)}))
    assert seen and best.h.sum() == pytest.approx(1.0)
    for lowered in seen:
        no_custom_calls(lowered)


@pytest.mark.slow
def test_bootstraps_of_many_parameters_end():
    """Fifty times the refits of seventeen parameters on every core; the LAPACK kernels hung here on jaxlib 0.10 and 0.11."""
    fit = sj.fit("data_mixing_m4", mixtures(80), loss=sj.squared())
    for seed in range(50):
        draws = sj.bootstrap(fit, 256, kind="cases", seed=seed)
        assert np.isfinite(draws.params["c"]).all()
