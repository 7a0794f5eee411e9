"""A function of parameters as one compiled program over all rows of parameters: the engine of `derive`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..core.errors import DecisionError
from ..core.laws.formula import collect_conditions, filled_in
from ..core.laws.law import Law
from ..core.numeric.batching import traced
from ..core.numeric.programs import compiled


class LawAt:
    """A law at given parameters: call it with the law's inputs. Parameters of several groups bring a leading axis of groups.

    Attributes:
        law: the law.
        params: its parameters, as JAX arrays.
        own: names of parameters that have a leading axis of groups.
        calls: keeps what the law is called with, and adds the noise of new runs; None for the law's value.
        source: the argument that it belongs to.
    """

    def __init__(
        self, law: Law, params: Mapping[str, Any], own: tuple[str, ...] = (), calls: _Calls | None = None, source: str = "law"
    ) -> None:
        self.law, self.params, self.own, self.calls, self.source = law, dict(params), own, calls, source

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the law's inputs."""
        return self.law.inputs

    @property
    def name(self) -> str:
        """The law's name."""
        return self.law.name

    @property
    def output(self) -> str:
        """What the law predicts."""
        return self.law.output

    def check_inputs(self, given: Any) -> None:
        """Raise DataError unless `given` names all inputs and nothing else."""
        self.law.check_inputs(given)

    def __call__(self, *values: Any, **inputs: Any) -> Any:
        """The law's value at these inputs."""
        if not self.own:
            value = self.law(*values, **inputs, **self.params)
            return (
                value
                if self.calls is None
                else self.calls.noisy(self.source, {**dict(zip(self.inputs, values, strict=False)), **inputs}, value)
            )
        if self.calls is not None:
            raise DecisionError("kind='run' adds the noise of one group; name one, not a list.")
        common = {n: v for n, v in self.params.items() if n not in self.own}
        return jax.vmap(lambda own: self.law(*values, **inputs, **common, **own))({n: self.params[n] for n in self.own})


class _Calls:
    """Calls of laws while a function is traced: (source, inputs) of each, and the noise of new runs that each is given.

    Attributes:
        noise: (factor, term) for every call; None where it is not known yet.
    """

    def __init__(self, noise: Any) -> None:
        self.noise = noise
        self.made: list[tuple[str, dict[str, Any]]] = []

    def noisy(self, source: str, inputs: Mapping[str, Any], value: Any) -> Any:
        """A law's value with the noise of a new run."""
        self.made.append((source, {n: jnp.asarray(v, dtype=float) for n, v in inputs.items()}))
        if self.noise is None:
            return value
        factor, term = self.noise[len(self.made) - 1]
        return value * factor + term


class Parameters(dict):
    """Parameters of a source by name, with `law` to evaluate its law at them."""

    law: LawAt


def mapped(
    function: Callable[..., Any],
    options: tuple[tuple[str, Any], ...],
    laws: Mapping[str, Law],
    grouped: Mapping[str, tuple[str, ...]],
    rows: Mapping[str, Any],
    numbers: Mapping[str, Any],
    noise: Callable[[str, dict[str, np.ndarray], int], tuple[np.ndarray, np.ndarray]] | None = None,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Values of a function for all rows of parameters, by name, with a leading axis; and sentences of what it requires and has not.

    Conditions are looked at in the first row, the point estimate.

    Args:
        function: of named arguments. options: those that are no numbers.
        laws: argument to its law. grouped: argument to parameters with an axis of groups.
        rows: argument to an array, or a mapping of arrays, with a leading axis of rows.
        numbers: arguments that are the same for all rows.
        noise: factor and term (rows, ...) of new runs, for the argument whose law is called, the inputs it is called with at the point
            estimate, and the number of the call.
    """
    static = (function, options, tuple(laws.items()), tuple(grouped.items()), noise is not None)
    values, holds, said, inputs = _program(*static, dict(rows), dict(numbers), None)
    if noise is not None:
        at = [{n: np.asarray(v[0]) for n, v in call.items()} for call in inputs]
        noises = [noise(source, call, i) for i, (source, call) in enumerate(zip(said.calls, at, strict=True))]
        if not noises:
            raise DecisionError("kind='run' adds noise to the laws that a function calls, and this one calls none.")
        values, holds, said, _ = _program(*static, dict(rows), dict(numbers), noises)
    return dict(zip(said.names, values, strict=True)), [
        filled_in(sentence, {n: v[0] for n, v in values.items() if n})
        for sentence, values in zip(said.sentences, holds, strict=True)
        if not values[""][0]
    ]


@jax.tree_util.register_static
@dataclass(frozen=True)
class _Said:
    """What goes out of a compiled program beside its arrays.

    Attributes:
        names: of the values, in the function's order. sentences: of its conditions. calls: arguments whose laws it calls, in order.
    """

    names: tuple[str, ...]
    sentences: tuple[str, ...]
    calls: tuple[str, ...]


@compiled(0, 1, 2, 3, 4, once=True)
def _program(
    function: Any, options: Any, laws: Any, grouped: Any, run: bool, rows: Any, numbers: Any, noise: Any
) -> tuple[Any, Any, _Said, Any]:
    traced("derive")
    said: list[_Said] = []

    def one(row: Mapping[str, Any], noise: Any) -> tuple[Any, Any, Any]:
        calls = _Calls(noise) if run else None
        taken = {n: _argument(n, value, dict(laws), dict(grouped), calls) for n, value in row.items() if n}
        with collect_conditions() as conditions:
            found = _named(function(**taken, **numbers, **dict(options)))
        made = calls.made if calls else []
        said.append(_Said(tuple(found), tuple(sentence for sentence, _ in conditions), tuple(source for source, _ in made)))
        return list(found.values()), [holds for _, holds in conditions], [inputs for _, inputs in made]

    values, holds, inputs = jax.vmap(one)(rows, noise)
    return values, holds, said[0], inputs


def _argument(name: str, value: Any, laws: Mapping[str, Law], grouped: Mapping[str, tuple[str, ...]], calls: _Calls | None) -> Any:
    """A parameter, the law at the parameters, or the parameters of a source with its law."""
    if name not in laws:
        return value
    law = laws[name]
    at = LawAt(law, {p: value[p] for p in law.parameters}, grouped.get(name, ()), calls, name)
    if name == "law":
        return at
    found = Parameters(value)
    found.law = at
    return found


def _named(found: Any) -> dict[str, Any]:
    """What a function returns as arrays by name."""
    if isinstance(found, Mapping):
        if not found or not all(isinstance(n, str) for n in found):
            raise DecisionError("The function returns a dictionary whose keys are not names of values; return {'name': value}.")
        return {n: _array(v, f" under {n!r}") for n, v in found.items()}
    return {"value": _array(found, "")}


def _array(value: Any, where: str) -> jax.Array:
    if not isinstance(value, str | bytes | Mapping | type(None)):
        try:
            array = jnp.asarray(value)
        except (TypeError, ValueError):
            array = None
        if array is not None and array.dtype.kind in "biuf":
            return array.astype(float)
    raise DecisionError(
        f"The function returns a {type(value).__name__}{where} that is not a number or an array of one shape; return a number, an array, "
        "or a dictionary of these."
    )
