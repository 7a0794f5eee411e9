"""The edge of the public functions: what comes in is looked at once, and whatever goes wrong inside ends in one sentence.

Every function of a public namespace and every method of a result passes through `edge`. Before the call: unknown and missing arguments,
and values that arithmetic would take for something else (masked, complex, dates); a table becomes the `Runs` that the function
works on. What the annotations rule out is refused unless the
function refuses it in words of its own. After a call that failed in a way nobody foresaw: the argument that is to blame, as far as it can
be told, from the annotations and from what is odd about it.
"""

from __future__ import annotations

import datetime
import functools
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

from ..errors import CallError, DataError, DecisionError, FitError, LawError, ScalejaxError, UnforeseenError, suggest
from ..lazy import late
from ..progress import watched
from .accepted import ANYTHING, Accepted, accepted, is_array, is_number, is_table, is_traced, is_whole, kind_of, said

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

_PACKAGE = Path(__file__).parents[2]
_INSIDE: ContextVar[bool] = ContextVar("inside", default=False)
_STDLIB = Path(os.__file__).parent
_LIBRARIES = {"site-packages", "dist-packages"}
_MOST = 10**8  # of whatever is counted: more would be killed for its memory rather than finish
_EXTREME = 5  # how odd an argument is that holds infinity, nothing, or numbers beyond all measure
_FEW = 64  # entries of a container that are looked into
_DATES = ("M", "m")
_TABLES = ("table", "runs")  # arguments whose columns are looked at by those who read tables: gaps are theirs to name
_TRACED = {"TracerArrayConversionError", "TracerBoolConversionError", "TracerIntegerConversionError", "ConcretizationTypeError"}
_EDGED: dict[Any, Any] = {}
# Where a function lives to the error of its arguments; DataError elsewhere.
_ERRORS: dict[str, type[ScalejaxError]] = {
    "core.laws.simulation": DataError, "core.laws": LawError, "zoo": DecisionError, "decisions": DecisionError,
    "fitting": FitError, "posteriors": FitError, "comparison": FitError,
}  # fmt: skip


def edge(function: F) -> F:
    """The function as users call it; inside of another public function it is the bare one."""
    if function in _EDGED:
        return _EDGED[function]

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if _INSIDE.get():
            return function(*args, **kwargs)
        token, refusal = _INSIDE.set(True), None
        try:
            args, kwargs = _as_wanted(function, args, kwargs)
            refusal = _let_in(function, args, kwargs)
            with watched(function.__name__, kwargs.get("progress")):
                found = function(*args, **kwargs)
            if refusal:
                raise refusal
            _let_out(function, args, kwargs, found)
            return found
        except CallError as error:
            _own_words(function, args, kwargs)
            raise error
        except (ScalejaxError, Warning):
            raise
        except Exception as error:
            if refusal:
                raise refusal from error
            given = _each(function, _signature(function).bind(*args, **kwargs))
            raise explained(function.__name__, given, error, _error(function)) from error
        finally:
            _INSIDE.reset(token)

    _EDGED[function] = _EDGED[wrapper] = wrapper
    return wrapper  # type: ignore[return-value]


def _own_words(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Let a function that does not suit its arguments say so itself, if it has words for it."""
    with suppress(TypeError):
        function(*args, **kwargs)


@contextmanager
def foreseen(name: str) -> Iterator[None]:
    """A block in which whatever no check foresaw is told as `edge` tells it; for what is called with words, not with arguments."""
    try:
        yield
    except (ScalejaxError, Warning, BrokenPipeError):
        raise
    except Exception as error:
        raise explained(name, [], error, ScalejaxError) from error


def edged(cls: C) -> C:
    """A class whose public methods are called through `edge`."""
    for name, value in list(vars(cls).items()):
        if inspect.isfunction(value) and (name[0] != "_" or name == "__call__"):
            setattr(cls, name, edge(value))
    return cls


def edge_all(space: dict[str, Any], names: Iterable[str]) -> None:
    """Put the functions of these names in a module, and where they were defined, behind `edge`; one and the same object in both."""
    for name in names:
        value = space.get(name)
        if isinstance(value, FunctionType):
            home, own = vars(sys.modules[value.__module__]), value.__name__
            space[name] = edge(value)
            if home.get(own) is value:  # so that it can be pickled
                home[own] = space[name]


def publish(space: dict[str, Any]) -> None:
    """Put the functions that a module lists in `__all__` behind `edge`, and let `dir` show the listed names alone."""
    edge_all(space, space["__all__"])
    space["__dir__"] = lambda: sorted(space["__all__"])


def _error(function: Callable[..., Any]) -> type[ScalejaxError]:
    """The error of arguments of a function, by where it lives."""
    home = function.__module__.removeprefix("scalejax.")
    return next((error for place, error in _ERRORS.items() if home.startswith(place)), DataError)


@functools.lru_cache(maxsize=4096)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def _as_wanted(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with `Runs` in the place of a table and a law in that of its name, where these alone are worked on."""
    kinds = {name: kind for name, kind in accepted(function).items() if (kind.runs or kind.law) and name != "return"}
    if not kinds:
        return args, kwargs
    bound = _bound(function, args, kwargs)
    for name, kind in kinds.items():
        value = bound.arguments.get(name)
        if kind.runs and is_table(value) and not kind.holds(value):
            bound.arguments[name] = late("data.readers", "read_runs")(value)
        elif kind.law and isinstance(value, str) and not kind.holds(value):
            bound.arguments[name] = late("fitting.fit", "find_law")(value)
    return bound.args, bound.kwargs


def _let_in(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ScalejaxError | None:
    """What the annotations have against the arguments. Functions say it better where they look themselves, so that theirs goes first.

    Raises:
        ScalejaxError: if the arguments do not suit the signature, would be taken for something else, or never come to an end; and what the
            annotations say at once where files would be written.
    """
    given, error = _each(function, _bound(function, args, kwargs)), _error(function)
    refusal = None
    for name, value, kind in given:
        if name not in _TABLES and (trouble := foreign(value)):
            raise error(f"{name}={said(value)} {trouble}")
        if kind.as_int and is_whole(value) and not is_traced(value) and (trouble := _too_many(name, int(value))):
            raise error(f"{name}={said(value)} {trouble}")
        if refusal is None and not kind.surely(value):
            refusal = error(kind.refusal(name, value))
    if refusal and "path" in _signature(function).parameters:
        raise refusal
    return refusal


def _too_many(name: str, value: int) -> str:
    """What speaks against a whole number: seeds have a range, and nothing is counted in hundreds of millions."""
    if name == "seed":
        return "" if 0 <= value < 2**63 else "must be a whole number from 0 to 2^63 - 1."
    return f"is more than is computed at once; at most {_MOST:,}." if value > _MOST else ""


def _let_out(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], found: Any) -> None:
    """Refuse to hand out NaN, or a root of a negative number, as what was asked for, unless NaN came in."""
    numbers = found.values if type(found).__name__ == "Computed" else found
    if function.__module__.startswith("scalejax.zoo.") and not nan_in(numbers):
        for name, value, _ in _each(function, _signature(function).bind(*args, **kwargs)):
            if nan_in(value, 0):  # it was lost in a comparison
                raise _error(function)(f"{name}={said(value)} is no number, and {function.__name__}() needs one.")
    if not isinstance(numbers, complex | float | np.ndarray | np.floating | Mapping) or not (kind_of(numbers) == "c" or nan_in(numbers)):
        return
    given = _each(function, _signature(function).bind(*args, **kwargs))
    if any(nan_in(value) for _, value, _ in given):
        return
    method = "self" in _signature(function).parameters and function.__name__ != "__call__"
    honest = method or function.__module__.startswith("scalejax.papers")  # what these compute may well be unknown
    needed = 1
    if honest:  # a part may be unknown, unless what came in is no number that anything could be said of
        needed = _EXTREME if kind_of(numbers) != "c" and not all_nan(numbers) else 2
        required = {n for n, p in _signature(function).parameters.items() if p.default is p.empty}
        given = [one for one in given if one[0] != "seed" and (_numeric(one[1]) or (one[1] is None and one[0] in required))]
    (weight, why), name, value = _oddest(given) or ((0, ""), "", None)
    why = why if weight >= needed else ""
    if not why and (honest or numbers is not found):
        return
    blame = f"{name}={said(value)} {why}" if why else "the arguments do not go together"
    raise _error(function)(f"{function.__name__}() has no value here, since {blame}.")


def _numeric(value: Any) -> bool:
    """A number, an array, or a list."""
    return is_number(value) or is_array(value) or isinstance(value, list | tuple)


def nan_in(value: Any, deep: int = 2) -> bool:
    """Is there NaN among numbers? Traced values are not looked at."""
    if isinstance(value, float | np.floating | complex):
        return isinstance(value, complex) or bool(value != value)
    if is_array(value) and not is_traced(value):
        return value.dtype.kind == "f" and bool(np.isnan(np.asarray(value)).any())
    if isinstance(value, Mapping | list | tuple) and deep:
        return any(nan_in(item, deep - 1) for item in (value.values() if isinstance(value, Mapping) else value))
    return any(nan_in(column) for column in getattr(value, "columns", {}).values()) if type(value).__name__ == "Runs" else False


def all_nan(value: Any) -> bool:
    """Is all that came out NaN?"""
    if isinstance(value, Mapping):
        return bool(value) and all(all_nan(item) for item in value.values())
    numbers = isinstance(value, float | np.floating) or is_array(value)
    return bool(np.isnan(np.asarray(value, dtype=np.float64)).all()) if numbers else False


def _oddest(given: Sequence[tuple[str, Any, Accepted]]) -> tuple[tuple[float, str], str, Any] | None:
    """What is oddest about the arguments, and of which."""
    found = max(((odd(value), name, value) for name, value, _ in given), key=lambda found: found[0][0], default=None)
    return found if found and found[0][0] else None


def _bound(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
    signature = _signature(function)
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        raise CallError(_call_trouble(function.__name__, signature, args, kwargs, error)) from None


def _call_trouble(name: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any], error: TypeError) -> str:
    """Why arguments do not suit a signature."""
    named = [p.name for p in signature.parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self"]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    for key in kwargs:
        if key not in named and not open_ended:
            return f"{name}() has no argument {key!r}; {suggest(key, named)}"
    text = str(error)
    if text.startswith("missing"):
        return f"{name}() is {text}; pass {text.split(chr(39))[1]}=..." if chr(39) in text else f"{name}() is {text}."
    return f"{name}() cannot be called so: {text}; its arguments are {', '.join(named[:12]) or 'none'}."


def _each(function: Callable[..., Any], bound: inspect.BoundArguments) -> list[tuple[str, Any, Accepted]]:
    """(name, value, what is accepted) of every argument that was given, those of **given under their own names."""
    kinds, out = accepted(function), []
    for name, value in bound.arguments.items():
        parameter, kind = bound.signature.parameters[name], kinds.get(name, ANYTHING)
        if parameter.kind is parameter.VAR_KEYWORD:
            out += [(key, item, kind) for key, item in value.items()]
        elif parameter.kind is parameter.VAR_POSITIONAL:
            out += [(f"{name}[{i}]", item, kind) for i, item in enumerate(value)]
        elif name != "self":
            out.append((name, value, kind))
    return out


def explained(name: str, given: Sequence[tuple[str, Any, Accepted]], error: Exception, kind: type[ScalejaxError]) -> ScalejaxError:
    """The sentence on a failure that no check foresaw: whose function raised it, or which argument is to blame."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if type(error).__name__ in _TRACED:
        return LawError(
            f"{name}() was given a function that JAX cannot trace ({_theirs(error) or type(error).__name__}): write it with jax.numpy in "
            "place of numpy and math, and jnp.where in place of if."
        )
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in what:
        largest = ", ".join(f"{argument}={said(value)}" for argument, value, _ in given if is_number(value))
        return kind(f"{name}() would need more memory than there is ({largest or what}); ask for less at once.")
    if isinstance(error, OSError) and error.filename:
        return kind(f"{name}() cannot use the file {said(error.filename)}: {error.strerror}.")
    if raised := _theirs(error):
        return kind(f"{name}() was given a function that failed: {raised} {what}")
    for argument, value, accepts in given:
        if not accepts.holds(value):
            return kind(f"{accepts.refusal(argument, value)} {name}() failed with {what}")
    if oddest := _oddest(given):
        (_, why), argument, value = oddest
        return kind(f"{name}() cannot use {argument}={said(value)}, which {why} ({what}).")
    place = traceback.extract_tb(error.__traceback__)[-1]
    return UnforeseenError(
        f"{name}() failed on these arguments in a way that no check foresaw ({what}, {Path(place.filename).name}:{place.lineno}); if they "
        "are as they should be, please report it."
    )


def _theirs(error: Exception) -> str:
    """Where a function of the user's own failed, "" if the failure is ours."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if not (file.is_relative_to(_PACKAGE) or _LIBRARIES & set(file.parts) or frame.filename[:1] == "<" or file.is_relative_to(_STDLIB)):
            return f"{frame.name}, {file.name}:{frame.lineno}:"
    return ""


def foreign(value: Any, deep: int = 2) -> str:
    """What arithmetic would silently take for something else: end of a sentence, "" if nothing is."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        return "has masked entries, which would be used as if they were not; drop them (.compressed()) or give np.nan for what is missing."
    kind = kind_of(value)
    if isinstance(value, complex) or kind == "c":
        return "is complex; give real numbers."
    if isinstance(value, datetime.date | datetime.timedelta) or kind in _DATES:
        return "is a date or a time; give a plain number."
    if isinstance(value, Mapping) and deep and len(value) <= _FEW:
        inside = [item for item in value.values() if not _is_date(item)]  # a table may well have a column of dates
    elif isinstance(value, list | tuple) and deep and len(value) <= _FEW:
        inside = list(value)
    else:
        return ""
    return next((trouble for item in inside if (trouble := foreign(item, deep - 1))), "")


def _is_date(value: Any) -> bool:
    return kind_of(value) in _DATES


def odd(value: Any, deep: int = 3) -> tuple[float, str]:
    """How odd an argument looks, 0 for not at all, and what is odd about it."""
    if value is None:
        return _EXTREME, "is no value"
    if isinstance(value, str):
        return (4, "is text") if value.strip() else (6, "is empty")
    if isinstance(value, bool):
        return 1, "is a truth value"
    if isinstance(value, int | float | np.generic):
        return _odd_numbers(np.asarray(value, dtype=object))
    if is_array(value):
        return (0, "") if is_traced(value) else _odd_numbers(np.asarray(value))
    if isinstance(value, Mapping | list | tuple):
        return _odd_inside(value, deep)
    if callable(value):
        return 2, "is a class" if isinstance(value, type) else "is a function"
    if type(value).__module__.partition(".")[0] in ("scalejax", "pandas", "polars", "pyarrow", "pathlib", "numpyro"):
        return 1, f"is {_article(type(value).__name__)}"
    return 8, f"is {_article(type(value).__name__)}"


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _odd_inside(value: Any, deep: int) -> tuple[float, str]:
    if not len(value):
        return 6, "is empty"
    if not deep:
        return 7, "is nested deeply"
    inside = [*(value.values() if isinstance(value, Mapping) else value)][:_FEW]
    weight, why = max((odd(item, deep - 1) for item in inside), key=lambda found: found[0])
    if weight < 6 and isinstance(value, list | tuple) and len({len(item) for item in inside if isinstance(item, list | tuple)}) > 1:
        return 6, "has entries of different lengths"
    return (weight, f"has an entry that {why}") if weight > 1 else (1, "is a mapping" if isinstance(value, Mapping) else "is a list")


def _odd_numbers(array: np.ndarray) -> tuple[float, str]:
    if not array.size:
        return 7, "is empty"
    if array.dtype.kind not in "iufbO":
        return 4, f"is of type {array.dtype}"
    try:
        values = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return 7, "holds what is no number, or is too large for one"
    if np.isnan(values).any():
        return 6, "is NaN" if array.ndim == 0 else "holds NaN"
    sizes = np.abs(values)
    if np.isinf(values).any() or sizes.max() > 1e100:
        return _EXTREME, "is infinite or huge"
    if ((sizes > 0) & (sizes < 1e-100)).any():
        return _EXTREME, "is next to nothing"
    if (values < 0).any():
        return 2, "is negative"
    if (values == 0).any():
        return 1, "is zero"
    return (0.5, "is an array") if array.ndim else (0, "")
