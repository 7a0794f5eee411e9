"""A law with a smooth misfit: what it leaves over the logarithms of its inputs, held small by a prior."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..core.errors import FitError, LawError
from ..core.laws.domains import Data, Positive, Real
from ..core.laws.law import Law
from ..core.numeric.kept import remembered
from ..core.numeric.precision import double, namespace
from ..core.runs import Runs
from .objective.penalty import CENTRAL, MISFIT
from .request import Request

KNOTS = "knots"  # parameter and axis
SIZE = 0.01  # relative
_MOST = 10  # knots
_RUNS_PER_KNOT = 3
_JITTER = 1e-8


def with_misfit(law: Law, size: float = SIZE, on: str = "log") -> Law:
    r"""The law times a smooth function of its inputs (plus one, on="linear"), for what the formula does not say:

        log y = log f(x) + g(u),    g ~ Gaussian process (0, size^2 exp(-|u - u'|^2 / 2)),    u = 2 (log x - middle) / range

    with middle and range of the logarithms of the runs' inputs. It is written with up to ten knots among the runs, g = sum_j misfit_j
    phi_j(u) and misfit_j ~ Normal(0, size^2), so that the law with its misfit is a law like any other. Beyond the runs g fades (a range
    away 0.14 of it are left), and the law speaks alone: a decision far away does not follow a wiggle. How wrong laws are there is what
    `forecast` knows.

    Args:
        law: with positive inputs.
        size: plausible relative misfit; with on="linear" in standard deviations of the output.
        on: as in `fit`.

    Returns:
        Law with the vector parameter "misfit" beside its own; the knots are the fixed parameter "knots", made from the runs by
        `fit(..., misfit=True)` and `sample(..., misfit=True)`.

    Raises:
        LawError: if the law has inputs that are not positive numbers, or such a parameter already.
        FitError: if `size` is not a positive number.

    References: Kennedy and O'Hagan 2001, Journal of the Royal Statistical Society B 63, 425; Quinonero-Candela and Rasmussen 2005, JMLR 6,
    1939 (processes with knots).
    """
    if MISFIT in law.parameters:
        raise LawError(f"Law {law.name!r} has a misfit already; leave misfit= out.")
    if wrong := [x for x in law.inputs if not isinstance(law.domains[x], Positive) or law.domains[x].axis]:
        raise LawError(f"misfit= is a function of logarithms of numbers, and {wrong[0]!r} of law {law.name!r} is not one; leave it out.")
    if isinstance(size, bool) or not isinstance(size, int | float) or not 0 < size < np.inf:
        raise FitError(f"misfit={size!r} must be True or a positive number, the relative misfit that is plausible, such as {SIZE}.")
    half = 0.5 * CENTRAL * float(size)
    return replace(
        law, function=_with_knots(law.function, law.inputs, on), parameters=(*law.parameters, MISFIT, KNOTS), published={}, linear=(),
        domains={**law.domains, MISFIT: Real(-half, half, axis=MISFIT), KNOTS: Data(axis=KNOTS)}, name=f"{law.name}_{MISFIT}",
    )  # fmt: skip


def misfit_of(law: Law) -> float | None:
    """The plausible size of the law's misfit, None if it has none."""
    return law.domains[MISFIT].high / (0.5 * CENTRAL) if MISFIT in law.parameters else None


def informed(request: Request, misfit: bool | float) -> Request:
    """The request for the law with a misfit, with knots among its runs.

    Raises:
        LawError, FitError: see `with_misfit`; also if there are too few different runs.
    """
    law = with_misfit(request.law, SIZE if misfit is True else misfit, request.on)
    values, size = _knots(request.law, request.runs, request.on)
    return replace(request, law=law, fix={**request.fix, KNOTS: values}, sizes={**request.sizes, MISFIT: size, KNOTS: len(values)})


def can_have_misfit(inputs: Iterable[np.ndarray]) -> bool:
    """Are there enough different runs for a misfit of these inputs?"""
    points = np.unique(np.stack([np.log(x) for x in inputs], axis=1).round(9), axis=0)
    return bool((np.ptp(points, axis=0) > 0).all()) and len(points) >= _RUNS_PER_KNOT * (points.shape[1] + 1)


@double
def _knots(law: Law, runs: Runs, on: str) -> tuple[np.ndarray, int]:
    """Middle and reach of the runs, knots, and coefficients of the kernels there, one behind the other; and how many knots there are."""
    rows = ~runs.excluded
    if zeros := [x for x in law.inputs if (runs[x][rows] == 0).any()]:
        raise FitError(f"A misfit is a function of logarithms, and {zeros[0]!r} is 0 in some runs; leave misfit= or these runs out.")
    logs = np.log(np.stack([runs[x][rows] for x in law.inputs], axis=1))
    points = np.unique(logs.round(9), axis=0)
    low, high = points.min(axis=0), points.max(axis=0)
    if (low == high).any():
        x = law.inputs[int(np.argmax(low == high))]
        raise FitError(f"All runs have one value of {x!r}, so that a misfit along it cannot be told; leave misfit= out.")
    count = min(len(points) // _RUNS_PER_KNOT, _MOST)
    if count < len(law.inputs) + 1:
        raise FitError(
            f"A misfit of {len(law.inputs)} inputs takes {_RUNS_PER_KNOT * (len(law.inputs) + 1)} different runs or more, and there are "
            f"{len(points)}; leave misfit= out."
        )
    middle, reach = 0.5 * (low + high), 0.5 * (high - low)
    level = float(np.std(runs[law.output][rows])) if on == "linear" else 1.0
    places = _far_apart((points - middle) / reach, count)
    root = np.linalg.cholesky(_kernel(places, places) + _JITTER * np.eye(count))
    return np.concatenate([middle, reach, places.ravel(), level * np.linalg.inv(root).T.ravel()]), count


@remembered
def _with_knots(function: Callable[..., Any], names: tuple[str, ...], on: str) -> Callable[..., Any]:
    """One function for all runs, so that fits of a law with a misfit share their programs."""

    def formula(*given: Any, misfit: Any, knots: Any, **others: Any) -> Any:
        inputs = [*given, *(others.pop(name) for name in names[len(given) :])]
        d, k = len(inputs), misfit.shape[-1]
        middle, reach, places, coefficients = jnp.split(knots, [d, 2 * d, 2 * d + k * d])
        u = (jnp.stack([jnp.log(x) for x in jnp.broadcast_arrays(*inputs)], axis=-1) - middle) / reach
        more = _kernel(u, places.reshape(k, d)) @ (coefficients.reshape(k, k) @ misfit)
        value = function(*inputs, **others)
        return value + more if on == "linear" else value * jnp.exp(more)

    formula.__doc__, formula.__name__ = function.__doc__, function.__name__
    return formula


def _kernel(u: Any, places: Any) -> Any:
    """Correlations of the misfit at u (..., inputs) and at the knots, (..., knots)."""
    return namespace(u).exp(-0.5 * ((u[..., None, :] - places) ** 2).sum(axis=-1))


def _far_apart(u: np.ndarray, count: int) -> np.ndarray:
    """So many of the rows (n, inputs), each the farthest from those before; the first is the most central."""
    chosen = [int(np.argmin(np.sum((u - np.median(u, axis=0)) ** 2, axis=1)))]
    while len(chosen) < count:
        chosen.append(int(np.argmax(np.min(np.sum((u[:, None] - u[chosen]) ** 2, axis=2), axis=1))))
    return u[chosen]
