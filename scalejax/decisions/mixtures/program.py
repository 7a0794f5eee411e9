"""A mixture problem as a program: target losses as functions of the weights, their sum or worst, and the divergence from a prior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import DecisionError
from ...core.laws.domains import Simplex
from ...core.laws.law import Law
from ...core.numeric.kept import remembered
from ...core.numeric.programs import compiled
from ...fitting.result import Fit
from ...fitting.uncertainty.draws import Draws
from ...optimum.program import Condition, Program, Variable
from ..known import Known, Source
from ..pairing import knowns
from ..unvaried import run_mixtures, trained_mixtures


class MixtureProblem(NamedTuple):
    """A mixture problem with all its numbers.

    Attributes:
        targets: whose losses count. program: what is minimised.
        low, high: floors and caps, (domains, path).
        path: given inputs with a leading path axis. values: weights, reference, kl_weight and prior, which all mixtures of the path share.
        kept: domain to the share that all runs have, where it stays.
    """

    targets: Targets
    program: Program
    low: np.ndarray
    high: np.ndarray
    path: dict[str, Any]
    values: dict[str, Any]
    kept: dict[int, float]

    @property
    def worst(self) -> bool:
        """Is the worst target minimised?"""
        return len(self.program.variables) > 1


class Targets(NamedTuple):
    """Losses to be made small together.

    Attributes:
        names: of the targets, one for every loss.
        laws: distinct laws, each predicting one or more targets; targets are ordered by law.
        weights: name of the simplex input of every law.
        size: number of domains.
        point: for every law its parameters with axes (1, targets of the law, ...). draws: the same with a leading draw axis, or None.
        kind: how the draws were made.
        trained: mixtures that the laws were fitted to, (mixtures, domains) each, where that decides what the laws know.
        runs: mixtures of the runs, (mixtures, domains) each, where there are runs, whatever else is known.
    """

    names: tuple[str, ...]
    laws: tuple[Law, ...]
    weights: tuple[str, ...]
    size: int
    point: list[dict[str, np.ndarray]]
    draws: list[dict[str, np.ndarray]] | None
    kind: str
    trained: tuple[np.ndarray, ...] = ()
    runs: tuple[np.ndarray, ...] = ()

    @property
    def outputs(self) -> int:
        """How many losses."""
        return len(self.names)

    def inputs(self) -> tuple[str, ...]:
        """Inputs of the laws other than the weights."""
        return tuple(dict.fromkeys(n for law, h in zip(self.laws, self.weights, strict=True) for n in law.inputs if n != h))


def collect(source: Source | Mapping[str, Source] | Sequence[Source], size: int | None, group: str | None) -> Targets:
    """Targets of a source, or of several: the groups of a fit by target are targets, too.

    Raises:
        DecisionError: if a law has no weights on a simplex, or the laws disagree in the number of domains.
    """
    parts: list[tuple[str, Any, Any]] = []
    for name, part in _named(source):
        fit = part if isinstance(part, Fit) else part.fit if isinstance(part, Draws) else None
        groups = fit.groups if fit is not None and fit.groups and group is None else [group]
        for label in groups:
            shown = str(name) if label is None or len(groups) == 1 else f"{name}{' ' if name else ''}{label}"
            parts.append((shown, part, label))
    if not parts:
        raise DecisionError("optimal_mixture() got no targets; give a fit, draws, (law, parameters), or several of them by name.")
    found = knowns([part for _, part, _ in parts], [label for *_, label in parts], False, "optimal_mixture")
    named = [(shown, k) for (shown, *_), k in zip(parts, found, strict=True)]
    laws = tuple(dict.fromkeys(k.law for _, k in named))
    weights = tuple(_weights(law) for law in laws)
    sizes = {_size(k, h) for law, h in zip(laws, weights, strict=True) for _, k in named if k.law == law} | {size}
    known = {many for many in sizes if many is not None}
    if len(known) != 1:
        raise DecisionError(
            f"The targets have mixtures of {', '.join(map(str, sorted(known)))} domains; they must agree."
            if known
            else "The number of domains cannot be told from the parameters; name them with domains=[...]."
        )
    ordered = [(name, k) for law in laws for name, k in named if k.law == law]
    counts = [k.count for _, k in ordered if k.draws is not None]
    draws = [_stack(law, ordered, min(counts)) for law in laws] if counts else None
    kinds = ", ".join(dict.fromkeys(k.kind for _, k in ordered if k.kind))
    many = known.pop()
    names = tuple(label for name, k in ordered for label in _outputs(name, k, many))
    trained, runs = (
        tuple(m for law, h in zip(laws, weights, strict=True) for _, k in ordered if k.law == law and (m := of(k, h)) is not None)
        for of in (trained_mixtures, run_mixtures)
    )
    return Targets(
        names=names, laws=laws, weights=weights, size=many, point=[_stack(law, ordered, 0) for law in laws], draws=draws, kind=kinds,
        trained=trained, runs=runs,
    )  # fmt: skip


def _named(source: Source | Mapping[str, Source] | Sequence[Source]) -> list[tuple[Any, Any]]:
    """Sources with their names, or with their places; one alone has no name."""
    if isinstance(source, Mapping):
        return list(source.items())
    if isinstance(source, Fit | Draws) or (isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], Law)):
        return [("", source)]
    return list(enumerate(source))


def _outputs(name: str, k: Known, size: int) -> list[str]:
    """Names of the losses that one source predicts."""
    count = _predicts(k.law, size, tuple((n, np.shape(p)) for n, p in k.point.items()))
    shown = name or k.law.output
    return [shown] if count == 1 else [f"{shown}[{i}]" for i in range(count)]


@remembered
def _predicts(law: Law, size: int, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> int:
    """How many losses a law predicts."""
    inputs = {n: jnp.ones(size) if law.domains[n].axis else 1.0 for n in law.inputs}
    params = {n: jnp.ones(shape) for n, shape in shapes}
    return int(np.prod(jax.eval_shape(lambda: law.function(**inputs, **params, **dict(law.bound))).shape))


def _weights(law: Law) -> str:
    found = [n for n in law.inputs if isinstance(law.domains[n], Simplex)]
    if len(found) != 1:
        raise DecisionError(
            f"optimal_mixture() needs laws with one input on a simplex; law {law.name!r} has {', '.join(law.inputs)}: declare h=Simplex()."
        )
    return found[0]


def _size(k: Known, h: str) -> int | None:
    """Number of domains: the runs' columns of weights, else the length of parameters along the same axis."""
    if k.runs is not None:
        return k.runs[h].shape[1]
    return k.length(h) or None


def _stack(law: Law, ordered: Sequence[tuple[str, Known]], count: int) -> dict[str, np.ndarray]:
    """Parameters (draws or 1, targets, ...) of a law; targets without draws repeat their point."""

    def values(k: Known, name: str) -> np.ndarray:
        point = np.asarray(k.point[name], dtype=np.float64)
        if not count:
            return point[None]
        return np.asarray(k.draws[name][:count]) if k.draws is not None else np.broadcast_to(point, (count, *point.shape))

    return {name: np.stack([values(k, name) for _, k in ordered if k.law == law], axis=1) for name in law.parameters}


@remembered
def losses(laws: tuple[Law, ...], weights: tuple[str, ...]) -> Condition:
    """Losses of all targets, (T,), at the weights inputs["h"]."""

    def predicted(inputs: Mapping[str, Any], v: Mapping[str, Any]) -> Any:
        parts = []
        for law, h, params in zip(laws, weights, v["params"], strict=True):
            others = {n: v["given"][n] for n in law.inputs if n != h}

            def one(p: Any, law: Law = law, h: str = h, others: dict[str, Any] = others) -> Any:
                return law.function(**{h: inputs["h"]}, **others, **p, **dict(law.bound))

            parts.append(jnp.ravel(jax.vmap(one)(params)))
        return jnp.concatenate(parts)

    return predicted


@compiled(0, 1, once=True)
def evaluated(
    laws: tuple[Law, ...], weights: tuple[str, ...], h: Any, slope_of: Any, params: Any, path: Any, values: Any
) -> tuple[Any, ...]:
    """At h (draws, path, domains): losses (draws, path, targets), the divergence, and the slope of slope_of @ losses + divergence."""

    def one(h: Any, factors: Any, p: Any, own: Any) -> tuple[Any, Any, Any]:
        v = {"params": p, **own, **values}
        predicted = losses(laws, weights)
        slope = jax.grad(lambda h: factors @ predicted({"h": h}, v) + divergence(h, v))(h)
        return predicted({"h": h}, v), divergence(h, v), slope

    over_path = jax.vmap(one, in_axes=(0, 0, None, 0))
    return jax.vmap(over_path, in_axes=(0, 0, 0, None))(h, slope_of, params, path)


def divergence(h: Any, v: Mapping[str, Any]) -> Any:
    """kl_weight x KL(h || prior)."""
    return v["kl_weight"] * jnp.sum(h * (jnp.log(jnp.maximum(h, 1e-100)) - jnp.log(v["prior"])))  # 1e-100: its inverse square is a number


@remembered
def mixture_program(laws: tuple[Law, ...], weights: tuple[str, ...], size: int, worst: bool, divergent: bool) -> Program:
    """The weighted sum of the losses (or the worst of them) plus the divergence, if it counts, over the simplex."""
    predicted = losses(laws, weights)
    h = Variable("h", size, log=False, simplex=True)

    def excess(inputs: Mapping[str, Any], v: Mapping[str, Any]) -> Any:
        return v["weights"] * (predicted(inputs, v) - v["reference"])

    def distance(inputs: Mapping[str, Any], v: Mapping[str, Any]) -> Any:
        return divergence(inputs["h"], v) if divergent else 0.0

    if not worst:
        return Program((h,), lambda inputs, v: jnp.sum(excess(inputs, v)) + distance(inputs, v))
    top = Variable("worst", log=False)
    return Program(
        (h, top),
        lambda inputs, v: inputs["worst"] + distance(inputs, v),
        below=(("worst", lambda inputs, v: excess(inputs, v) - inputs["worst"]),),
    )
