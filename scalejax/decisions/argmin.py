"""`argmin`: the minimiser of any function of named inputs under conditions, as a JAX function of everything else."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..core.errors import DecisionError
from ..core.laws.domains import Domain
from ..core.laws.law import Law
from ..core.numeric.precision import double, plain
from ..optimum.implicit import attached
from ..optimum.interior import solve
from ..optimum.many import starts
from ..optimum.program import Program
from .question import box, variable

Bounds = Mapping[str, tuple[Any, Any]]


def argmin(
    objective: Callable[..., Any],
    over: Mapping[str, Domain],
    *,
    equal: Mapping[str, Callable[..., Any]] | None = None,
    below: Mapping[str, Callable[..., Any]] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Callable[..., dict[str, Any]]:
    r"""The minimiser of a function under conditions, as a function of all that is not chosen.

        x*(v) = argmin_x f(x, v)   subject to   g(x, v) = 0,   c(x, v) <= 0,   bounds

    What comes back is a JAX function: `jax.grad`, `jax.jacfwd`, `vmap` and `jit` work, to any order, by the implicit function theorem.
    Called with plain numbers it computes in double precision and returns floats and NumPy arrays; with JAX arrays, in the precision of JAX.

    Args:
        objective: function of inputs and values by name, or a law.
        over: name of every chosen input to its domain: `Positive`, `Interval`, `Unit`, `Real` or `Simplex`.
        equal: name to function that must be 0. Scale it to be of order one, such as `cost(N, D) / C - 1`.
        below: name to function that must not be above 0.
        bounds: (low, high) of an input; default far beyond its domain's plausible range.
        sizes: length of every vector input.

    Returns:
        A function of keyword arguments, all names that are not chosen, that returns name to minimiser. With plain numbers it raises
        DecisionError if there is no minimiser; inside a JAX transformation it returns NaN.

    Raises:
        DecisionError: if a condition does not depend on a chosen input, or a name is unknown.

    Example:
        >>> import jax, scalejax as sj
        >>> best = sj.argmin(sj.laws.chinchilla, {"N": sj.Positive(1e6, 1e12), "D": sj.Positive(1e8, 1e14)},
        ...                  equal={"budget": lambda N, D, C: sj.costs.six_nd(N, D) / C - 1})
        >>> hoffmann = sj.laws.chinchilla.published["hoffmann2022"]
        >>> f"{best(C=1e21, **hoffmann)['N']:.4g}"
        '2.217e+09'
        >>> with jax.enable_x64():
        ...     slope = jax.grad(lambda C: best(C=C, **hoffmann)["N"])(1e21)
        >>> f"{float(slope) * 1e21 / 2.217e9:.4f}"  # elasticity beta / (alpha + beta)
        '0.4565'

    References: the implicit function theorem; Blondel et al. 2022, arXiv:2105.15183.
    """
    functions = {"objective": objective, **(equal or {}), **(below or {})}
    arguments = {name: _arguments(function) for name, function in functions.items()}
    known = dict.fromkeys(a for names in arguments.values() for a in names)
    for name in [*over, *(bounds or {}), *(sizes or {})]:
        if name not in known or name not in over:
            raise DecisionError(f"argmin() got {name!r}, which is not a chosen input of the objective or a condition; name it in over=.")

    def by_name(label: str) -> Callable[[Mapping[str, Any], Any], Any]:
        function, names = functions[label], arguments[label]
        function = function.function if isinstance(function, Law) else function
        held = dict(objective.bound) if isinstance(objective, Law) and label == "objective" else {}
        return lambda inputs, v: function(**{n: inputs[n] if n in inputs else v[n] for n in names}, **held)

    chosen = {name: variable(name, domain, (sizes or {}).get(name, 0)) for name, domain in over.items()}
    program = Program(
        tuple(chosen.values()),
        by_name("objective"),
        tuple((name, by_name(name)) for name in equal or {}),
        tuple((name, by_name(name)) for name in below or {}),
    )
    limits = box(program, over, bounds or {})
    values = [name for name in known if name not in over]

    def minimiser(**given: Any) -> dict[str, Any]:
        missing, surplus = [n for n in values if n not in given], [n for n in given if n not in values]
        if missing or surplus:
            raise DecisionError(f"The minimiser takes {', '.join(values) or 'no arguments'}; got {', '.join(given) or 'none'}.")
        if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(given)):
            return _traced(program, limits, given)
        found = _concrete(program, limits, given)
        if not all(np.all(np.isfinite(value)) for value in found.values()):
            raise DecisionError(
                f"No {' and '.join(over)} within the bounds meet {' and '.join([*(equal or {}), *(below or {})]) or 'the optimum'}; "
                "widen bounds=, or check units."
            )
        return found

    minimiser.__doc__ = f"{', '.join(over)} that minimise the objective, from {', '.join(values)}."
    return minimiser


def _arguments(function: Callable[..., Any]) -> list[str]:
    return [*function.inputs, *function.parameters] if isinstance(function, Law) else list(inspect.signature(function).parameters)


@double
def _concrete(program: Program, limits: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    return plain(_traced(program, limits, {name: jnp.asarray(value, dtype=float) for name, value in given.items()}))


def _traced(program: Program, limits: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    dtype = jnp.result_type(float)  # that of the JAX mode the caller is in
    v = {name: jnp.asarray(value, dtype) for name, value in given.items()}
    fixed = jax.lax.stop_gradient(v)
    begin = starts(limits, program)
    low, high = (np.broadcast_to(a, begin.shape).astype(dtype) for a in (limits.low, limits.high))
    tried = jax.tree.map(lambda a: jnp.repeat(a[..., None], begin.shape[1], axis=-1), fixed)
    found = solve(program, begin.astype(dtype), low, high, tried, {}, False)
    best = jnp.argmin(jnp.where(found.ok, found.f, jnp.inf))
    x = jnp.concatenate([found.x, found.slack])[:, best]
    slacks = x.shape[0] - program.width
    lower = jnp.concatenate([low[:, 0], jnp.zeros(slacks, dtype)])
    upper = jnp.concatenate([high[:, 0], jnp.full(slacks, jnp.inf, dtype)])
    x = jnp.where(found.ok[best], x, jnp.nan)
    x, _ = attached(program, *jax.lax.stop_gradient((x, found.lam[:, best])), lower, upper, v)
    return program.unpack(x[: program.width])
