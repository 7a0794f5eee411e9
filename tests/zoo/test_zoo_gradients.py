"""Gradients of every law, for every input and parameter, against finite differences: inside the domains and at their edges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawing import arguments, edges, random_of, value_and_gradient

import scalejax as sj
from scalejax.core.laws.domains import Domain, Integer, Interval, Ordered, Positive, Real, Simplex
from scalejax.core.numeric.powers import LEAST
from scalejax.zoo.scale.repetition import geometric_sum

POINTS = 256  # as in test_zoo.py, so that the compiled programs are the same
ROUND_OFF = 1e-14  # of a law's value, relative: fifty units in the last place

# One law in eight in the quick suite, as in test_zoo.py, and those whose slope at a share of 0 is infinite.
# Arguments along which a law jumps at its edge, as its docstring says: an empty union of buckets is not a limit of small ones, and as alpha
# falls to 0 M4 approaches min(M2, y_0) but is M2 at 0. Sizes are so far beyond the optimal one that no step is short enough for r_N.
EXEMPT = {"filtering_pool": "s", "filtering_pool_code": "s", "m4": "alpha", "data_constrained_geometric": "r_N"}

QUICK = ("bimix", "bimix_domains", "d_cpt", "effective_share", "multilingual", "multilingual_pairs", "mixture_fixed")
some_laws = pytest.mark.parametrize(
    "law", [pytest.param(w, id=w.name, marks=[] if i % 8 == 0 or w.name in QUICK else pytest.mark.slow) for i, w in enumerate(sj.laws)]
)


def at(law: sj.Law, rows: Mapping[str, np.ndarray], name: str = "", direction: Any = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Values of the law at all rows, and the derivatives that JAX gives along `direction` of one argument."""
    with jax.enable_x64(True):
        value, gradient = value_and_gradient(law)({k: jnp.asarray(v) for k, v in rows.items()})
    slope = np.asarray(gradient[name]) * direction if name else np.zeros(POINTS)
    return np.asarray(value), slope.reshape(POINTS, -1).sum(axis=1)


def room(domain: Domain, x: np.ndarray) -> np.ndarray:
    """How far values may move to either side."""
    if isinstance(domain, Positive | Simplex | Ordered):
        return np.abs(x)
    if isinstance(domain, Interval):
        return np.minimum(x - domain.low, domain.high - x)
    return np.full(x.shape, domain.scale)


@some_laws
def test_gradients_are_finite_differences(law):
    """Central differences with Richardson's step: their error falls with the fourth power of the step, and round-off with its inverse."""
    rows, rng = arguments(law, POINTS, "differences"), random_of(law, "directions")
    # What parameters of either sign contribute may cancel in the value, but not in its rounding.
    parts = [np.abs(at(law, rows, name, rows[name])[1]) for name in law.parameters if type(law.domains[name]) is Real]
    for name, x in rows.items():
        if isinstance(law.domains[name], Integer):
            continue
        unit = rng.choice([-1.0, 1.0], x.shape) * room(law.domains[name], x)
        value, slope = at(law, rows, name, unit)
        size = np.max([np.abs(value), np.full_like(value, 1e-3 * np.abs(value).max()), *parts], axis=0)
        right = np.zeros(POINTS, bool)
        for step in (1e-3, 1e-4, 1e-2, 1e-5):  # sharp bends and kinks want short steps, flat places long ones
            coarse, fine = (
                (at(law, {**rows, name: x + h * unit})[0] - at(law, {**rows, name: x - h * unit})[0]) / (2 * h) for h in (step, step / 2)
            )
            right |= np.abs((4 * fine - coarse) / 3 - slope) <= 1e-6 * np.abs(slope) + ROUND_OFF * size / step
            if right.all():
                break
        assert right.all(), (law.name, name, {k: v[np.argmin(right)].tolist() for k, v in rows.items()})


def ways_in(domain: Domain, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Values of an argument at each edge of its support, and directions that lead inside, a unit of the argument long."""
    for edge in edges(domain):
        x = np.array(rows)
        x[:] = edge
        if isinstance(domain, Simplex):
            for i in np.flatnonzero(np.asarray(edge) == 0):
                yield x, np.broadcast_to(np.eye(len(edge))[i], x.shape)
        elif isinstance(domain, Interval):
            yield x, np.full(x.shape, 1.0 if edge == domain.low else -1.0)
        else:
            yield x, np.full(x.shape, domain.low)


@some_laws
def test_gradients_at_the_edges_are_one_sided_differences(law):
    """At a share, a rate or a parameter of 0 and the like: the slope of the formula or, where that is infinite, of its chord to LEAST."""
    rows = arguments(law, POINTS, "edges", 0.25, 0.75)
    for name in rows.keys() - {EXEMPT.get(law.name)}:
        for x, unit in ways_in(law.domains[name], rows[name]):
            value, slope = at(law, {**rows, name: x}, name, unit)

            def secant(step: float, name: str = name, x: Any = x, unit: Any = unit, value: Any = value) -> np.ndarray:
                return (at(law, {**rows, name: x + step * unit})[0] - value) / step

            def close(*steps: float, slope: Any = slope, value: Any = value, secant: Any = secant) -> np.ndarray:
                errors = [np.abs(secant(step) - slope) - ROUND_OFF * np.abs(value) / step for step in steps]
                return np.min(errors, axis=0) <= 1e-3 * np.abs(slope)

            right = close(1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
            if not right.all():
                # On the line the slope is that of the function as it is, and beyond LEAST the secants bend away from it as a power's do:
                # those to 2 and 4 times LEAST differ the same way, by a share of 2^(p - 1).
                near, far = secant(2 * LEAST), secant(4 * LEAST)
                bends = (slope - near) * np.sign(near - far) >= 0.1 * np.abs(near - far) - ROUND_OFF * np.abs(value) / LEAST
                right |= close(*(LEAST * 10.0**-k for k in (0, 2, 4, 6, 8))) & bends
            assert right.all(), (law.name, name, {k: v[np.argmin(right)].tolist() for k, v in {**rows, name: x}.items()})


# The slopes at a share of 0 in closed form: those of the formula at LEAST, or of the chord from 0 to there.


def test_the_slope_of_bimix_at_a_share_of_zero():
    values = {"B": 100.0, "beta": 0.5, "C": 1.0, "alpha": 0.1}
    steep = -0.1 * LEAST**-1.1 * (100.0 * 1e4**-0.5 + 1.0)
    with jax.enable_x64(True):
        slope = jax.jit(jax.grad(lambda r: sj.laws.bimix(r, 1e4, **values)))
        np.testing.assert_allclose([slope(r) for r in (0.0, LEAST / 10, LEAST)], steep, rtol=1e-12)
        assert slope(10 * LEAST) == pytest.approx(steep * 10**-1.1, rel=1e-12)


def test_the_slope_of_d_cpt_at_a_share_of_zero():
    values = {"E": 1.0, "A": 0.5, "alpha": 0.5, "B": 0.5, "beta": 0.5, "eta": 0.5, "C": 0.1, "gamma": 1.0, "eps": 0.25}
    with jax.enable_x64(True):
        slope = jax.grad(lambda r: sj.laws.d_cpt(4.0, 40.0, r, **values))(0.0)
    assert slope == pytest.approx(0.5 * 40**-0.5 * LEAST**-0.5 - 0.1 / 0.25**2, rel=1e-12)


def test_the_slope_of_multilingual_at_a_weight_of_zero():
    values = {"beta_1": 100.0, "alpha": 0.25, "L_inf": 1.0, "c1": 0.5, "c2": 0.5, "c3": 1.0}
    f, rise = LEAST + 0.5 * LEAST**0.5 * (1 - LEAST), 1 + 0.25 * LEAST**-0.5 - 0.75 * LEAST**0.5
    with jax.enable_x64(True):
        slope = jax.grad(lambda p: sj.laws.multilingual(1e8, p, **values))(0.0)
    assert slope == pytest.approx(-25.0 * (f * 1e8) ** -0.25 / f * rise, rel=1e-12)


def test_the_slope_of_m4_at_alpha_zero_where_it_does_not_jump():
    values = {"y_inf": 0.2, "y_0": 1.0, "beta": 100.0, "c": 0.5}  # f = 0.1: y = y_inf + f (y_0 - y)^alpha
    with jax.enable_x64(True):
        slope = jax.grad(lambda alpha: sj.laws.m4(1e6, **values, alpha=alpha))(0.0)
    assert slope == pytest.approx(0.1 * np.log(0.7), rel=1e-12)


def test_the_slopes_of_a_geometric_sum_at_both_ends():
    """(1 - (1 - r)^k) / r falls from k with the slope -k (k - 1) / 2, and reaches 1 with the slope -1 for k > 1, 0 for k = 1."""
    with jax.enable_x64(True):
        slope = jax.grad(geometric_sum, argnums=1)
        np.testing.assert_allclose([slope(k, 0.0) for k in (1.0, 1.5, 4.0)], [0.0, -0.375, -6.0], atol=1e-12)
        np.testing.assert_allclose([slope(k, 1.0) for k in (1.0, 2.0, 4.0)], [0.0, -1.0, -1.0], atol=1e-8)


def test_an_optimal_mixture_has_a_small_share_where_a_domain_hardly_counts():
    """h_i = (w_i alpha_i F_i / lambda)^(1 / (1 + alpha_i)): for equal domains the shares go as the weights to the power 1 / (1 + alpha)."""
    weights = np.array([0.5, 0.4999999, 1e-7])
    values = {"B": np.full(3, 100.0), "beta": np.full(3, 0.5), "C": np.ones(3), "alpha": np.full(3, 0.1)}
    best = sj.optimal_mixture((sj.laws.bimix_domains, values), weights=weights, s=1e4)
    right = weights ** (1 / 1.1)
    np.testing.assert_allclose(best.h, right / right.sum(), rtol=1e-3)
    assert best.h[2] == pytest.approx(4.06e-7, rel=2e-3)
