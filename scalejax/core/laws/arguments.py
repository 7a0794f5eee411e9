"""What a law is called with: every name known and given, every number within its support, and shapes that fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, LawError, suggest

if TYPE_CHECKING:
    from .law import Law


def named(law: Law, inputs: Sequence[Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of a call by name, the inputs first.

    Raises:
        LawError: unless every input and parameter is given once, and nothing else.
    """
    if len(inputs) > len(law.inputs):
        raise LawError(
            f"Law {law.name!r} takes {len(law.inputs)} inputs ({', '.join(law.inputs)}), got {len(inputs)}; parameters go by name, "
            f"as in {law.parameters[0] if law.parameters else 'E'}=..."
        )
    given = dict(zip(law.inputs, inputs, strict=False))
    for name in arguments:
        if name in given:
            raise LawError(f"Law {law.name!r} got the input {name!r} twice, by its place and by its name; leave one out.")
        if name not in law.inputs and name not in law.parameters:
            known = (*law.parameters, *law.inputs)
            raise LawError(f"Law {law.name!r} has no parameter or input {name!r}; {suggest(name, known)}")
    values = {**given, **arguments}
    for name in (*law.inputs, *law.parameters):
        if name not in values:
            kind = "input" if name in law.inputs else "parameter"
            raise LawError(f"Law {law.name!r} needs the {kind} {name!r}; pass {name}=...")
    return values


def checked(law: Law, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arguments as float64 arrays.

    Raises:
        DataError: if an input is not a number or lies outside its support. LawError: the same of a parameter, but for coefficients of 0.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, value in values.items():
        kind, error = ("input", DataError) if name in law.inputs else ("parameter", LawError)
        domain = law.domains[name]
        try:
            array = arrays[name] = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise error(
                f"The {kind} {name} of law {law.name!r} is {value!r}, which is not a number; it must be {domain.support}."
            ) from None
        try:
            inside = domain.contains(array)
        except (ValueError, IndexError):  # one number where a vector is asked for
            inside = np.asarray(False)
        if name in law.linear:  # a coefficient of 0 leaves its term out, though a fit of a positive one never gets there
            inside = inside | (array == 0)
        if not np.all(inside):
            shown = _first_outside(array, inside)
            raise error(f"The {kind} {name} of law {law.name!r} is {shown}; it must be {domain.support}.")
    return arrays


def _first_outside(array: np.ndarray, inside: Any) -> str:
    """The first value, or the first vector, that is not inside, with its place among several."""
    if np.ndim(inside) == 0:
        return np.array2string(array, precision=6, threshold=6)
    place = tuple(int(i) for i in np.argwhere(~np.asarray(inside))[0])
    return f"{np.array2string(array[place], precision=6, threshold=6)} at index {place[0] if len(place) == 1 else place}"


def misshapen(law: Law, values: Mapping[str, Any]) -> LawError:
    """The error of a call whose shapes do not fit together."""
    shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in values.items() if np.ndim(value))
    axes = sorted({d.axis for name, d in law.domains.items() if d.axis and name in values})
    last = f", with {' or '.join(map(repr, axes))} as the last axis where there is one" if axes else ""
    return LawError(
        f"The shapes of what law {law.name!r} was given do not fit together: {shapes}. Give one value a run, shape (n,){last}, or numbers; "
        "where every run of a curve has parameters of its own, call the law run by run."
    )
