"""The law at fitted parameters and new inputs, for one theta or for every draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import jax
import numpy as np

from ..core.errors import DataError
from ..core.numeric.programs import compiled
from .objective.problem import predictions
from .request import Request

P = ParamSpec("P")
R = TypeVar("R")


def inputs_by_name(predict: Callable[P, R]) -> Callable[P, R]:
    """A method `predict` that takes its inputs by name, and says so when it is given them by place."""

    @wraps(predict)
    def wrapper(*args: P.args, **inputs: P.kwargs) -> R:
        if len(args) > 1:
            fit: Any = args[0]
            names = getattr(fit, "law", fit).inputs
            raise DataError(f"predict() takes its inputs by name; write predict({', '.join(f'{name}=...' for name in names)}).")
        return predict(*args, **inputs)

    return wrapper


class Points(NamedTuple):
    """New inputs: one flat array an input (points, ...), each point's group in every column, and the shape in which they were given."""

    inputs: tuple[np.ndarray, ...]
    group: np.ndarray
    shape: tuple[int, ...]


def arrange(request: Request, inputs: Mapping[str, Any]) -> Points:
    """New inputs, checked and broadcast against each other."""
    law = request.law
    inputs = dict(inputs)
    group = inputs.pop("group", None)
    for column in request.columns:
        if column in inputs and column not in law.inputs:
            raise DataError(f"predict() takes the groups of column {column!r} as group=..., such as group={request.levels[0][0]!r}.")
    law.check_inputs(inputs)
    arrays = {name: _number(name, inputs[name]) for name in law.inputs}
    vector = {name: 1 if law.domains[name].axis else 0 for name in law.inputs}
    named = group if isinstance(group, Mapping) else {} if group is None else {"": group}
    shapes = {n: a.shape[: a.ndim - vector[n]] for n, a in arrays.items()} | {
        f"group {n}".strip(): np.shape(names) for n, names in named.items()
    }
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError:
        raise DataError(f"predict() got inputs of different lengths {shapes}; give arrays of one length, or numbers.") from None
    for name, a in arrays.items():
        bad = ~law.domains[name].contains(a)
        if np.any(bad):
            raise DataError(
                f"predict() got {name} = {np.ravel(a)[np.argmax(np.ravel(bad))]:g}; {name} must be {law.domains[name].support}."
            )
    n = int(np.prod(shape))
    flat = tuple(
        np.broadcast_to(a, shape + a.shape[a.ndim - vector[m] :]).reshape(n, *a.shape[a.ndim - vector[m] :]) for m, a in arrays.items()
    )
    return Points(flat, _group_index(request, group, shape), shape)


def evaluate(request: Request, theta: np.ndarray, inputs: Mapping[str, Any] | Points) -> Any:
    """The law at theta (size, sets), or for every draw of theta (size, sets, draws), at new inputs."""
    flat, index, shape = inputs if isinstance(inputs, Points) else arrange(request, inputs)
    n = len(index)
    draws = theta.reshape(theta.shape[0], theta.shape[1], -1)
    if not request.apart:
        out = _predict_draws(request.spec, draws[:, 0], flat, index, request.held)
    else:
        all_sets = np.stack(
            [np.asarray(_predict_draws(request.spec, draws[:, s], flat, index * 0, request.held)) for s in range(draws.shape[1])]
        )
        out = np.moveaxis(all_sets[index[:, 0], :, np.arange(n)], 0, 1)  # from (sets, draws, n, ...)
    out = np.asarray(out, dtype=np.float64)
    out = out.reshape(out.shape[0], *shape, *out.shape[2:])
    if theta.ndim == 2:
        out = out[0]
        return float(out) if out.ndim == 0 else out
    return out


@compiled(0, once=True)
def _predict_draws(spec: Any, theta: Any, inputs: tuple[Any, ...], group: Any, fixed: dict[str, Any]) -> Any:
    return jax.vmap(lambda t: predictions(spec, t, inputs, group, fixed), in_axes=-1)(theta)


def _group_index(request: Request, group: Any, shape: tuple[int, ...]) -> np.ndarray:
    if not request.groups:
        if group is not None:
            raise DataError("group= was given, but the fit has no groups.")
        return np.zeros((int(np.prod(shape)), 1), int)
    if group is None and request.crossed:
        names = ", ".join(f"{column!r}: {levels[0]!r}" for column, levels in zip(request.columns, request.levels, strict=True))
        raise DataError(f"The fit has crossing groups; say which with group=..., such as group={{{names}}}.")
    if group is None:
        raise DataError(f"The fit has groups; say which with group=..., one of {', '.join(request.groups)}.")
    return request.grouping.places(group, shape)


def _number(name: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"predict() got {name}={value!r}, which is not a number.") from None
