"""A constrained problem in standard form: what is minimised, over which inputs, subject to what.

    minimise f(x; v)   subject to   g(x; v) = 0,   c(x; v) <= 0,   low <= x <= high

The inputs are packed into one vector: positive ones as logarithms, in which power laws and budgets are convex or straight; weights on a
simplex as they are, so that a weight can be exactly 0; anything else as it is. An inequality becomes c + s = 0 with a slack s >= 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Condition = Callable[[Mapping[str, Any], Any], Any]


class Variable(NamedTuple):
    """One input that is chosen: its name, how many numbers it has (0: a scalar), and in which coordinates."""

    name: str
    size: int = 0
    log: bool = True
    simplex: bool = False

    @property
    def width(self) -> int:
        """Places in the packed vector."""
        return max(self.size, 1)


class Program(NamedTuple):
    """Static description of a problem: hashable, so that compiled programs are found again.

    Attributes:
        variables: the inputs that are chosen.
        objective: f(inputs by name, values), a number; values are whatever arrays the functions need.
        equal: name and g for every condition g = 0; arrays are many conditions.
        below: name and c for every condition c <= 0.
    """

    variables: tuple[Variable, ...]
    objective: Condition
    equal: tuple[tuple[str, Condition], ...] = ()
    below: tuple[tuple[str, Condition], ...] = ()

    @property
    def width(self) -> int:
        """Length of the packed vector, slacks not counted."""
        return sum(v.width for v in self.variables)

    @property
    def places(self) -> tuple[tuple[Variable, slice], ...]:
        """Every variable with its part of the packed vector."""
        ends = np.cumsum([v.width for v in self.variables])
        return tuple((v, slice(int(end) - v.width, int(end))) for v, end in zip(self.variables, ends, strict=True))

    def named(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Inputs by name from packed NumPy vectors with trailing axes: vectors keep their axis in front."""
        parts = {v.name: (np.exp(x[at]) if v.log else x[at], v.size) for v, at in self.places}
        return {name: part if size else part[0] for name, (part, size) in parts.items()}

    def unpack(self, x: Any) -> dict[str, Any]:
        """Inputs by name from the packed vector."""
        inputs = {}
        for v, at in self.places:
            part = jnp.exp(x[at]) if v.log else x[at]
            inputs[v.name] = part if v.size else part[0]
        return inputs

    def conditions(self, x: Any, v: Any) -> tuple[Any, Any]:
        """Values of g (those of simplexes first) and of c at the packed vector."""
        inputs = self.unpack(x)
        g = [jnp.sum(inputs[variable.name])[None] - 1.0 for variable in self.variables if variable.simplex]
        g += [jnp.ravel(function(inputs, v)) for _, function in self.equal]
        c = [jnp.ravel(function(inputs, v)) for _, function in self.below]
        empty = jnp.zeros(0, x.dtype)
        return jnp.concatenate([empty, *g]), jnp.concatenate([empty, *c])

    def counts(self, x: Any, v: Any) -> tuple[int, int]:
        """How many numbers g and c have."""
        g, c = jax.eval_shape(self.conditions, x, v)
        return g.shape[0], c.shape[0]

    def labels(self, x: Any, v: Any) -> tuple[str, ...]:
        """A name for every condition, in order: g, then c."""
        inputs = self.unpack(jnp.asarray(x))
        names = [f"the weights {variable.name} sum to one" for variable in self.variables if variable.simplex]
        for name, function in (*self.equal, *self.below):
            size = int(np.prod(jax.eval_shape(function, inputs, v).shape))
            names += [name] if size == 1 else [f"{name}[{i}]" for i in range(size)]
        return tuple(names)


class Values(NamedTuple):
    """A problem at a point: objective, conditions, their first derivatives, and the Hessian of the Lagrangian, slacks included."""

    f: Any
    g: Any
    df: Any
    dg: Any
    hessian: Any


def first_order(program: Program, y: Any, v: Any) -> tuple[Any, Any]:
    """Objective and conditions at the packed inputs of one member (1 + conditions,), and their slopes (1 + conditions, width)."""

    def both(y: Any) -> Any:
        return jnp.concatenate([program.objective(program.unpack(y), v)[None], *program.conditions(y, v)])

    out = both(y)
    return out, (jax.jacfwd if program.width <= out.shape[0] else jax.jacrev)(both)(y)


def evaluate(program: Program, x: Any, multipliers: Any, v: Any) -> Values:
    """`Values` at x (width + slacks,) for one member."""
    width, slacks = program.width, x.shape[0] - program.width
    y, rows = x[:width], multipliers.shape[0]

    def lagrangian(y: Any) -> Any:
        g, c = program.conditions(y, v)
        return program.objective(program.unpack(y), v) + multipliers @ jnp.concatenate([g, c])

    out, slopes = first_order(program, y, v)
    hessian = jnp.pad(jax.jacfwd(jax.grad(lagrangian))(y), ((0, slacks), (0, slacks)))
    own = jnp.concatenate([jnp.zeros((rows - slacks, slacks), x.dtype), jnp.eye(slacks, dtype=x.dtype)])
    g = out[1:].at[rows - slacks :].add(x[width:])
    return Values(out[0], g, jnp.pad(slopes[0], (0, slacks)), jnp.concatenate([slopes[1:], own], axis=1), hessian)
