"""Any function of a law's parameters, at the point estimate and for every draw: its value, interval and table."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from ..core.errors import DecisionError, ScalejaxError, suggest
from ..core.laws.law import Law
from ..core.numeric.precision import double
from ..fitting.result import Fit
from ..fitting.uncertainty.draws import Draws
from .derived import RESERVED, Derived
from .known import Known, Source, known
from .mapped import mapped
from .pairing import Pair, knowns

_KINDS = inspect.Parameter


class _Request(NamedTuple):
    """A function, ready to be mapped: what it takes from where.

    Attributes:
        rows: argument to what is mapped over, with a leading axis: the point estimate first, then the draws. An argument that stands for
            a source has a mapping.
        laws: argument to the law that it evaluates, or that its mapping carries.
        grouped: argument to the names of parameters with a leading axis of groups.
        kind: how the draws were made, or why there are none.
        known: argument to what is known of its source, and its group.
    """

    rows: dict[str, Any]
    laws: dict[str, Law]
    grouped: dict[str, tuple[str, ...]]
    kind: str
    known: dict[str, tuple[Known, Any]]


@double
def derive(
    source: Source | Mapping[str, Source],
    function: Callable[..., Any],
    /,
    *,
    group: Any = None,
    pair: Pair = None,
    kind: Literal["mean", "run"] = "mean",
    seed: int = 0,
    **given: Any,
) -> Derived:
    r"""Evaluate a function of a law's parameters at the point estimate and for every draw.

        value = f(theta, x),    interval = quantiles of f(theta_1, x), ..., f(theta_n, x)

    The function is plain JAX, written for one set of parameters; it is mapped over all draws and compiled once for given shapes, so that
    asking the same function again, with other numbers or another fit, compiles nothing. Define it once: a new lambda is a new function.

    Args:
        source: a fit (its usual 1,000 draws), draws, a posterior, or (law, parameters). Or several by name, {"a": fit, "b": other}; their
            draws are paired where they share units, as in `sj.compute_multiplier`, and independent otherwise.
        function: its arguments are looked up by name: first in `given`, then among the parameters of the source. An argument called
            `law` is the law at these parameters, to be called with its inputs. With several sources an argument called like a source is a
            mapping of its parameters, a["alpha"], and a.law(N=..., D=...) is its law. What is found nowhere keeps its default. It returns
            a number, an array, or a dictionary of these. A law is such a function, too.
        group: which group, for a fit with groups; with several sources one for all, or a mapping from source to group. With one source it
            may be a list of groups, such as `fit.groups`: parameters of a group's own then have a leading axis of groups, in this order,
            and so has what `law` returns.
        pair: with several sources, columns that name what their runs share; by default found where residuals correlate, False for none.
        kind: "mean" for laws' values; "run" for what new runs would show: every value of a law that the function calls by `law` or `a.law`
            has the noise of a new run in every draw, independent from call to call. Call laws plainly then, not inside `jax.grad` or
            `jax.vmap`.
        seed: of the noise.
        **given: what else the function takes, and parameters to be held: numbers or arrays; anything else (a name, an option, a function)
            is passed on as it is.

    Returns:
        Derived: every value by its name (`found.best`), or `.value` if the function returns one; `.interval(level)`, `.table()`, `.draws`.

    Raises:
        DecisionError: in one sentence, if an argument is found nowhere, a value belongs to no argument, the function cannot be traced or
            returns what is not a number, the value at the point is not a number, or a group is missing.

    Example:
        >>> import scalejax as sj
        >>> def tokens_per_parameter(A, alpha, B, beta, N):  # of the best run with N parameters
        ...     return (beta * B / (alpha * A)) ** (1 / beta) * N ** (alpha / beta - 1)
        >>> law = sj.laws.chinchilla
        >>> found = sj.derive((law, law.published["besiroglu2024"]), tokens_per_parameter, N=70e9)
        >>> f"{found.value:.3g}"
        '18.4'

    Note: XLA computes `x**p` number by number; for long arrays jnp.exp(p * jnp.log(x)) is about ten times faster.
    """
    if not callable(function):
        raise DecisionError(f"derive() takes a function of parameters, such as one of sj.formulas, got a {type(function).__name__}.")
    if kind not in ("mean", "run"):
        raise DecisionError(f"kind={kind!r} must be 'mean' or 'run'.")
    if isinstance(function, Law) and kind == "run":
        function = _prediction
    name, arguments = _name(function), _arguments(function)
    if isinstance(source, Mapping):
        asked = _several(source, name, arguments, group, pair, given)
    else:
        asked = _one(source, function, name, arguments, group, pair, given)
    every = any(a.kind is _KINDS.VAR_KEYWORD for a in arguments.values())
    for n in given:
        if n not in arguments and not every:
            raise DecisionError(f"derive() got {n}=, which {name}() does not take; {suggest(n, list(arguments))}")
    numbers, options = _split(given, name)
    found = _values(function, name, options, asked, numbers, _noise(asked, seed) if kind == "run" else None)
    of = {n: k.law.name for n, (k, _) in asked.known.items()} if isinstance(source, Mapping) else {}
    return _result(found, function, name, numbers, of, f"{asked.kind}, with the noise of new runs" if kind == "run" else asked.kind)


def _values(function: Any, name: str, options: Any, asked: _Request, numbers: Mapping[str, Any], noise: Any) -> dict[str, np.ndarray]:
    """Values for all rows by name; what JAX cannot do, and what the function refuses, in a sentence."""
    try:
        found, wrong = mapped(function, options, asked.laws, asked.grouped, asked.rows, numbers, noise)
    except jax.errors.JAXTypeError as error:
        raise DecisionError(
            f"{name}() cannot be traced by JAX; write it with jax.numpy in place of NumPy and math, and jnp.where in place of if. "
            f"{_first(error)}"
        ) from error
    except (TypeError, ValueError) as error:
        if isinstance(error, ScalejaxError):
            raise
        if re.search("shape|broadcast|dimension", str(error)):
            raise DecisionError(f"{name}() cannot combine arrays of different lengths{_shapes(numbers)}: {_first(error)}") from error
        if options and isinstance(error, TypeError):
            said = " and ".join(f"{n}={value!r}" for n, value in options)
            raise DecisionError(f"{name}() fails with {said}, which is passed on as it is and not a number: {_first(error)}") from error
        raise
    if wrong:
        raise DecisionError(wrong[0])
    return found


def _one(source: Any, function: Any, name: str, arguments: Mapping[str, Any], group: Any, pair: Pair, given: Mapping[str, Any]) -> _Request:
    """What the function takes from one source."""
    if isinstance(group, Sequence | np.ndarray) and not isinstance(group, str):
        knowledge, own = _grouped(source, list(group), pair)
    else:
        knowledge, own = known(source, group, "derive"), ()
    held = {**dict(knowledge.law.bound), **knowledge.point}
    taken: dict[str, Any] = {}
    laws: dict[str, Law] = {}
    grouped: dict[str, tuple[str, ...]] = {}
    for n, argument in arguments.items():
        if n in given or argument.kind is _KINDS.VAR_KEYWORD:
            continue
        if n in held:
            taken[n] = _rows(knowledge, n)
        elif n == "law":
            taken[n] = {p: _rows(knowledge, p) for p in knowledge.law.parameters}
            laws[n], grouped[n] = knowledge.law, own
        elif argument.default is argument.empty:
            law = knowledge.law
            if n in getattr(function, "inputs", ()):
                raise DecisionError(f"{name}() needs its input {n!r}; pass {n}=...")
            raise DecisionError(f"{name}() needs {n!r}, which is not a parameter of {law.name!r} ({', '.join(held)}); pass {n}=...")
    rows = taken or {"": np.zeros(1 + knowledge.count)}  # something to be mapped over, under a name that no argument has
    return _Request(rows, laws, grouped, knowledge.kind, {"law": (knowledge, group)})


def _several(
    sources: Mapping[str, Any], name: str, arguments: Mapping[str, Any], group: Any, pair: Pair, given: Mapping[str, Any]
) -> _Request:
    """What the function takes from several sources, whose draws belong together."""
    for n, inner in sources.items():
        if not isinstance(inner, Fit | Draws | tuple):
            raise DecisionError(f"derive() takes a fit, draws or (law, parameters), or several by name; {n!r} is a {type(inner).__name__}.")
    for n in sources:
        if n not in arguments or n in given:
            raise DecisionError(f"derive() got a source {n!r}, for which {name}() has no argument; {suggest(n, list(arguments))}")
    for n, argument in arguments.items():
        if n not in sources and n not in given and argument.default is argument.empty and argument.kind is not _KINDS.VAR_KEYWORD:
            raise DecisionError(f"{name}() needs {n!r}, which is not a source; pass {n}=...")
    grouped = {n: bool(getattr(getattr(s, "fit", s), "groups", ())) for n, s in sources.items()}
    if isinstance(group, Mapping):
        for n in group:
            if n not in sources:
                raise DecisionError(f"group= names {n!r}, which is not a source; {suggest(n, list(sources))}")
    groups = [group.get(n) if isinstance(group, Mapping) else group if grouped[n] else None for n in sources]
    if group is not None and not isinstance(group, Mapping) and not any(grouped.values()):
        raise DecisionError(f"group={group!r} was given, but no source has groups.")
    found = dict(zip(sources, knowns(list(sources.values()), groups, pair, "derive"), strict=True))
    rows = {n: {p: _rows(k, p) for p in (*dict(k.law.bound), *k.point)} for n, k in found.items()}
    kinds = dict.fromkeys(k.kind for k in found.values() if k.kind)
    known_by = {n: (k, g) for (n, k), g in zip(found.items(), groups, strict=True)}
    return _Request(rows, {n: k.law for n, k in found.items()}, {}, " and ".join(kinds), known_by)


def _grouped(source: Any, groups: list[Any], pair: Pair) -> tuple[Known, tuple[str, ...]]:
    """What is known of several groups of a fit together, and the names of parameters that each has for its own."""
    fit = getattr(source, "fit", source)
    if not getattr(fit, "groups", ()) or not groups:
        raise DecisionError("A list of groups needs a fit with groups, or draws of one, and at least one name.")
    found = knowns([source] * len(groups), groups, pair, "derive")
    own = tuple(n for n in found[0].point if fit.request.grouped(n))
    point = {n: np.stack([k.point[n] for k in found]) if n in own else v for n, v in found[0].point.items()}
    draws, drawn = None, [k.draws for k in found if k.draws]
    if len(drawn) == len(found):
        draws = {n: np.stack([each[n] for each in drawn], axis=1) if n in own else v for n, v in drawn[0].items()}
    return replace(found[0], point=point, draws=draws), own


def _rows(knowledge: Known, name: str) -> np.ndarray:
    """A parameter at the point and for every draw, (1 + draws, ...)."""
    point = np.asarray({**dict(knowledge.law.bound), **knowledge.point}[name], dtype=np.float64)[None]
    if not knowledge.draws:
        return point
    drawn = knowledge.draws.get(name)
    drawn = np.broadcast_to(point, (knowledge.count, *point.shape[1:])) if drawn is None else np.asarray(drawn, dtype=np.float64)
    return np.concatenate([point, drawn])


def _prediction(law: Any, **inputs: Any) -> Any:
    """A law's value."""
    return law(**inputs)


def _noise(asked: _Request, seed: int) -> Callable[[str, dict[str, np.ndarray], int], tuple[np.ndarray, np.ndarray]]:
    """Factor and term of new runs where a law is called; the point estimate, the first row, has none."""

    def of_call(argument: str, inputs: dict[str, np.ndarray], call: int) -> tuple[np.ndarray, np.ndarray]:
        k, group = asked.known[argument]
        if k.source is None or not k.draws:
            why = k.kind or f"{k.law.name!r} has bare parameters, so pass a fit or draws"
            raise DecisionError(f"kind='run' needs the noise of every law that is called; {why.rstrip('.')}.")
        scalars = [v for n, v in inputs.items() if k.law.domains[n].axis is None]
        shape = np.broadcast_shapes(*(v.shape for v in scalars))
        at: dict[str, Any] = {n: v if k.law.domains[n].axis else np.broadcast_to(v, shape) for n, v in inputs.items()}
        at |= {} if group is None else {"group": group}
        mean = np.asarray(k.source.predict(**at))[: k.count]
        run = np.asarray(k.source.predict(kind="run", seed=seed + call, **at))[: k.count]
        none = np.zeros((1, *mean.shape[1:]))
        if k.source.request.on == "log":
            return np.concatenate([none + 1, run / mean]), np.concatenate([none, np.zeros_like(mean)])
        return np.concatenate([none + 1, np.ones_like(mean)]), np.concatenate([none, run - mean])

    return of_call


def _name(function: Any) -> str:
    """What to call the function in errors and tables."""
    name = getattr(function, "__name__", None) or getattr(function, "name", None) or type(function).__name__
    return "the function" if name == "<lambda>" else name


def _arguments(function: Any) -> dict[str, inspect.Parameter]:
    """Arguments by name; a law has its free parameters only."""
    name = _name(function)
    try:
        found = dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        raise DecisionError(f"derive() looks up arguments by name, and {name}() does not tell its own; wrap it in one that does.") from None
    if isinstance(function, Law):
        return {n: found[n] for n in (*function.inputs, *function.parameters)}
    for argument in found.values():
        if argument.kind in (_KINDS.POSITIONAL_ONLY, _KINDS.VAR_POSITIONAL):
            raise DecisionError(f"derive() passes arguments by name, and {name}() takes {argument} without one; wrap it.")
    return found


def _split(given: Mapping[str, Any], name: str) -> tuple[dict[str, Any], tuple[tuple[str, Any], ...]]:
    """Given numbers, and everything else, which must be hashable."""
    numbers: dict[str, Any] = {}
    options = []
    for n, value in given.items():
        array = _numeric(value)
        if array is not None:
            if not np.isfinite(array).all():
                raise DecisionError(f"{n} must be finite for {name}(), got {value!r}.")
            numbers[n] = array
            continue
        try:
            hash(value)
        except TypeError:
            raise DecisionError(f"{n}={value!r} holds no numbers; give {name}() a number, an array of one shape, or a name.") from None
        options.append((n, value))
    return numbers, tuple(options)


def _numeric(value: Any) -> np.ndarray | None:
    """An array of doubles, None for what is none."""
    if isinstance(value, bool) or value is None:  # switches are options
        return None
    try:
        array = np.asarray(value)
        if array.ndim and array.dtype.kind == "U":  # names of groups that are numbers
            array = array.astype(np.float64)
    except ValueError:  # ragged, or words
        return None
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None


def _result(
    found: Mapping[str, Any], function: Any, name: str, numbers: Mapping[str, np.ndarray], of: Mapping[str, str], kind: str
) -> Derived:
    """The point and the draws apart, as a result."""
    arrays = {n: np.asarray(v, dtype=np.float64) for n, v in found.items()}
    for n, rows in arrays.items():
        if n in RESERVED or not n.isidentifier():
            raise DecisionError(f"{name}() returns {n!r}, by which the result cannot be asked for a value; choose another name.")
        if np.isnan(rows[0]).any():
            raise DecisionError(
                f"{name}() is not a number at the point estimate{'' if n == 'value' else f' ({n})'}; check {_spelled(numbers)}."
            )
    draws = {n: rows[1:] for n, rows in arrays.items() if len(rows) > 1}
    title = (inspect.getdoc(function) or name).splitlines()[0].rstrip(".") if name != "the function" else ""
    values = {n: rows[0] if rows[0].ndim else float(rows[0]) for n, rows in arrays.items()}
    return Derived(
        values=values, draws=draws, given={n: v if v.ndim else float(v) for n, v in numbers.items()}, title=title, laws=of, kind=kind
    )


def _spelled(numbers: Mapping[str, np.ndarray]) -> str:
    return f"the parameters and {', '.join(numbers)}" if numbers else "the parameters"


def _shapes(numbers: Mapping[str, np.ndarray]) -> str:
    said = [f"{n} of shape {v.shape}" for n, v in numbers.items() if v.ndim]
    return f", {' and '.join(said)}" if said else ""


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") + "."
