"""Data pruning in the teacher-student perceptron: the exact error of the widest margin on examples that a probe has chosen."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jax.scipy.stats import norm

from ...core.errors import DecisionError
from ...core.laws.formula import formula, require
from ...core.numeric.precision import double
from ...core.table import Computed

_NODES = 48
_START = 0.01  # examples per weight at which Newton's method finds the solution from the expansion for few examples
_STEPS = 48  # geometric steps from there on
_FURTHEST = -8.0  # standard deviations at which a normal variable is cut off


@formula
def pruned_perceptron_error(alpha: Any, f: Any = 1.0, *, theta: Any = 0.0, keep: str = "hard") -> Any:
    r"""Test error of the perceptron of widest margin on the hardest (or easiest) examples, in the limit of many dimensions.

        eps = arccos(R) / pi,    kappa = max over J of the kappa for which
        1 - a^2 - b^2 = alpha E[ (kappa - y (a z + b u + sqrt(1 - a^2 - b^2) t))_+^2 ]

    with z the field of the probe, of which the share f with least |z| (or largest) is kept, u and t standard normal, a and b the overlaps
    of the student J with the probe and with the direction towards the teacher, y = sign(z cos(theta) + u sin(theta)) the teacher's label,
    and R = a cos(theta) + b sin(theta).

    Args:
        alpha: examples kept per weight, f alpha_tot; a number or an array.
        f: share of all examples that is kept, above 0 and up to 1 (all of them).
        theta: angle between probe and teacher, 0 to pi / 2: 0 ranks by the true margin, pi / 2 at random.
        keep: "hard", small margins, or "easy", large ones.

    Returns:
        The error in the common shape of alpha, f and theta, with derivatives in all three.

    Raises:
        DecisionError: if a value is out of range.

    Example:
        >>> pruned_perceptron_error([2.0, 8.0], 1.0).round(4)
        array([0.1885, 0.0609])
        >>> pruned_perceptron_error([2.0, 8.0], 0.2).round(4)  # a fifth is kept, of five times as many examples
        array([0.0971, 0.0125])

    Digits: relative errors are below 1e-4 up to alpha of 1000.

    References: Sorscher et al. 2022, arXiv:2206.14486 (setting); Gardner 1988, doi:10.1088/0305-4470/21/1/030 (margins); the largest margin
    is written as a maximum over two overlaps, of which the paper's saddle-point equations are the conditions.
    """
    if keep not in ("hard", "easy"):
        raise DecisionError(f"keep={keep!r} must be 'hard' or 'easy'.")
    require((jnp.asarray(alpha) >= _START) & jnp.isfinite(alpha), f"alpha must be finite and at least {_START}.")
    require((jnp.asarray(f) > 0) & (jnp.asarray(f) <= 1), "f must be above 0 and up to 1.")
    require((jnp.asarray(theta) >= 0) & (jnp.asarray(theta) <= jnp.pi / 2), "theta must lie between 0 and pi / 2.")
    alpha, f, theta = jnp.broadcast_arrays(*(jnp.asarray(v, jnp.result_type(float, alpha, f, theta)) for v in (alpha, f, theta)))
    found = _errors(alpha.ravel(), f.ravel(), theta.ravel(), keep == "hard")
    return found.reshape(alpha.shape)


@partial(jax.jit, static_argnames="hard")
def _errors(alpha: Any, f: Any, theta: Any, hard: bool) -> Any:
    return jax.vmap(partial(_error, hard=hard))(alpha, f, theta)


def _error(alpha: Any, f: Any, theta: Any, hard: bool) -> Any:
    """The conditions are followed from few examples to alpha; two more Newton steps carry the derivatives."""
    examples = _kept(f, theta, hard)
    along, _, weights = examples
    grid = _START * (alpha / _START) ** (jnp.arange(1, _STEPS + 1) / _STEPS)
    path = jnp.concatenate([jnp.full(12, _START, alpha.dtype), jnp.repeat(grid, 3), jnp.full(24, alpha)])
    few = [jnp.log(_START * (weights @ along)), 0.0, 0.5 * jnp.log(_START), 0.0]
    x, _ = jax.lax.scan(lambda x, at: (_newton(x, at, examples), None), jnp.asarray(few, alpha.dtype), path)
    x = jax.lax.stop_gradient(x)
    for _ in range(2):
        x = _newton(x, alpha, examples)
    return jnp.arctan(jnp.exp(x[2] - x[0]) * jnp.sqrt(1 + x[1] ** 2)) / jnp.pi


def _kept(f: Any, theta: Any, hard: bool) -> tuple[Any, Any, Any]:
    """Nodes of the examples kept: y times their coordinates along the teacher and across it, in the plane of the probe; and weights."""
    x, plain = np.polynomial.legendre.leggauss(_NODES)
    t = (x + 1) / 2
    near, w = t**3, jnp.asarray(1.5 * t**2 * plain)  # denser at the decision boundary, which matters with many examples
    z = ndtri(0.5 * (1 + (0.0 if hard else 1 - f) + f * near))[:, None]
    # The teacher disagrees with the probe for u below this; theta = 0 would divide by 0.
    limit = jnp.maximum(-z * jnp.cos(theta) / jnp.maximum(jnp.sin(theta), 1e-12), _FURTHEST)
    wrong = norm.cdf(limit)
    u = jnp.concatenate([ndtri(wrong * (1 - near)), -ndtri((1 - wrong) * (1 - near))], axis=1)
    y = jnp.concatenate([-jnp.ones(_NODES), jnp.ones(_NODES)])
    along, across = y * (z * jnp.cos(theta) + u * jnp.sin(theta)), y * (u * jnp.cos(theta) - z * jnp.sin(theta))
    weights = w[:, None] * jnp.concatenate([wrong * w, (1 - wrong) * w], axis=1)
    return along.ravel(), across.ravel(), weights.ravel()


def _missing(v: Any, examples: tuple[Any, Any, Any]) -> Any:
    """E[(1 - y field)_+^2] for weights of margin 1 with parts v along the teacher, across and outside of the plane.

    Its second-order expansion about v, from one evaluation of the normal distribution, which is all that Newton's method looks at.
    """
    along, across, weights = examples
    at = jax.lax.stop_gradient(v)
    c, s = 1 - at[0] * along - at[1] * across, at[2]
    below, density = weights * norm.cdf(c / s), weights * norm.pdf(c / s)
    D = -jnp.stack([along, across])
    value = jnp.sum((c**2 + s**2) * below + c * s * density)
    slope = 2 * jnp.concatenate([D @ (c * below + s * density), (s * jnp.sum(below))[None]])
    mixed = (D @ density)[:, None]
    corner = jnp.sum(below - c / s * density)[None, None]
    curvature = 2 * jnp.block([[(D * below) @ D.T, mixed], [mixed.T, corner]])
    step = v - at
    return value + slope @ step + 0.5 * step @ curvature @ step


def _conditions(x: Any, alpha: Any, examples: tuple[Any, Any, Any]) -> Any:
    """Least norm, in logs, such that the examples are learned: the Lagrangian is stationary and the constraint holds.

    x: log of the part along the teacher, ratio of the part across to the part outside, log of the latter, log of the multiplier.
    """

    def gap(y: Any) -> Any:
        rest = jnp.exp(y[2])
        return 0.5 * jnp.log(alpha * _missing(jnp.stack([jnp.exp(y[0]), y[1] * rest, rest]), examples)) - y[2]

    def lagrangian(y: Any) -> Any:
        return 0.5 * jnp.log(jnp.exp(2 * y[0]) + jnp.exp(2 * y[2]) * (1 + y[1] ** 2)) + jnp.exp(x[3]) * gap(y)

    return jnp.concatenate([jax.grad(lagrangian)(x[:3]), gap(x[:3])[None]])


def _newton(x: Any, *args: Any) -> Any:
    move = jnp.linalg.solve(jax.jacfwd(_conditions)(x, *args), _conditions(x, *args))
    return x - move / jnp.maximum(1.0, jnp.max(jnp.abs(move)))


@double
def simulate_pruned_perceptron(
    alpha: float, f: float = 1.0, *, theta: float = 0.0, keep: str = "hard", N: int = 200, seeds: int = 8, steps: int = 3000, seed: int = 0
) -> Computed:
    r"""Errors of perceptrons of widest margin that are trained on pruned examples: what `pruned_perceptron_error` is the limit of.

    The dual problem, max sum_i l_i - |sum_i l_i y_i x_i|^2 / 2 over l >= 0, is solved by accelerated projected gradient steps.

    Args:
        alpha, f, theta, keep: see `pruned_perceptron_error`.
        N: weights. seeds: perceptrons. steps: of the solver. seed: of the random numbers.

    Returns:
        `error`, (seeds,) angle between student and teacher over pi; `margin`, (seeds,) the least y J x / |J| of the examples, positive if
        all of them are learned.

    Raises:
        DecisionError: if a value is out of range.

    Example:
        >>> found = simulate_pruned_perceptron(3.0, 0.5, N=60, seeds=2, steps=500)
        >>> bool((found.margin > 0).all())
        True

    References: Sorscher et al. 2022, arXiv:2206.14486.
    """
    if keep not in ("hard", "easy") or not (0 < f <= 1 and 0 <= theta <= np.pi / 2) or min(N - 1, seeds, steps, alpha * N) < 1:
        raise DecisionError("simulate_pruned_perceptron() needs 0 < f <= 1, 0 <= theta <= pi / 2, keep of 'hard' or 'easy', and N above 1.")
    keys = jax.random.split(jax.random.key(seed), seeds)
    kept = round(alpha * N)
    error, margin = _trained(keys, theta, N, kept, round(kept / f), keep == "hard", steps)
    return Computed(
        {"error": np.asarray(error), "margin": np.asarray(margin)}, f"{seeds} perceptrons on {kept} of {round(kept / f)} examples"
    )


@partial(jax.jit, static_argnums=(2, 3, 4, 5, 6))
def _trained(keys: Any, theta: Any, N: int, kept: int, total: int, hard: bool, steps: int) -> Any:
    def one(key: Any) -> Any:
        x = jax.random.normal(key, (total, N))  # the probe is the first axis, the teacher lies in the plane of the first two
        order = jnp.argsort(jnp.abs(x[:, 0]) * (1 if hard else -1))[:kept]
        x = x[order]
        teacher = jnp.zeros(N).at[0].set(jnp.cos(theta)).at[1].set(jnp.sin(theta))
        x = x * jnp.sign(x @ teacher)[:, None]
        rate = 1 / _largest(x)

        def ascend(state: Any, _: Any) -> Any:
            dual, ahead, t = state
            new = jnp.maximum(ahead + rate * (1 - x @ (x.T @ ahead)), 0.0)
            again = jnp.sum((ahead - new) * (new - dual)) > 0  # momentum that leads astray is dropped
            following = jnp.where(again, 1.0, 0.5 * (1 + jnp.sqrt(1 + 4 * t**2)))
            return (new, new + jnp.where(again, 0.0, (t - 1) / following) * (new - dual), following), None

        (dual, _, _), _ = jax.lax.scan(ascend, (jnp.zeros(kept), jnp.zeros(kept), 1.0), None, length=steps)
        student = x.T @ dual
        student = student / jnp.linalg.norm(student)
        return jnp.arccos(student @ teacher) / jnp.pi, jnp.min(x @ student)

    return jax.lax.map(one, keys)


def _largest(x: Any) -> Any:
    """Largest eigenvalue of x x'."""
    return jnp.linalg.norm(x, 2) ** 2
