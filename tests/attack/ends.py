"""How an attacked call ended."""

from __future__ import annotations

import dataclasses
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import scalejax as sj
from scalejax.core.errors import LONGEST, UnforeseenError

ENDS = ("right", "sentence", "poor", "raw", "silent", "hanging")
BAD = ("raw", "silent", "hanging")


class End(NamedTuple):
    """What came of a call: one of `ENDS`, what was said, and the value where there is one."""

    kind: str
    said: str = ""
    value: Any = None


class Hanging(BaseException):
    """The time of an input is spent."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """At most so many seconds of processor time, which other work on the machine does not eat."""

    def over(*_: Any) -> None:
        raise Hanging

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def end_of(call: Callable[[], Any], what: str, *, senseless: bool, seconds: float, good: Any = None) -> End:
    """Run a call. A senseless argument that is taken without a word, and a NaN that the good call did not have, are silent wrong ends."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            with limited(seconds):
                value = call()
        except Hanging:
            return End("hanging", f"more than {seconds:g} s")
        except sj.ScalejaxError as error:
            return End("sentence" if readable(error) else "poor", str(error))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            return End("raw", f"{type(error).__name__}: {error} at {_place(error)}")
    if any(issubclass(warning.category, UserWarning) for warning in heard):
        return End("right", "warned", value)
    if has_nan(value) and "NaN" in what:  # NaN in, NaN out
        return End("right", "", value)
    if senseless:
        return End("silent", f"took it and returned {_short(value)}", value)
    if has_nan(value) and not has_nan(good):
        return End("silent", f"returned NaN: {_short(value)}", value)
    return End("right", "", value)


def readable(error: sj.ScalejaxError) -> bool:
    """Foreseen, one line, short, whole, and free of what only programmers read."""
    text = str(error)
    ends = bool(text) and (text[-1] in ".?!)]'" or text[-1].isalnum() or type(error).__name__ == "Spoken")  # argparse has no full stop
    return (
        not isinstance(error, UnforeseenError)
        and len(text) <= LONGEST + len("scalejax: ")
        and text.isprintable()
        and ends
        and " object at 0x" not in text
    )


def has_nan(value: Any, deep: int = 3) -> bool:
    """Is a number in there NaN?"""
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    if getattr(getattr(value, "dtype", None), "kind", "") == "f":
        return bool(np.isnan(np.asarray(value)).any())
    if deep and isinstance(value, Mapping):
        return any(has_nan(item, deep - 1) for item in value.values())
    if deep and isinstance(value, list | tuple):
        return any(has_nan(item, deep - 1) for item in value[:50])
    if deep and dataclasses.is_dataclass(value) and not isinstance(value, type | sj.Law | sj.Runs):
        return any(has_nan(getattr(value, field.name, None), deep - 1) for field in dataclasses.fields(value))
    return False


def _short(value: Any) -> str:
    try:
        return " ".join(repr(value).split())[:80]
    except Exception as error:
        return f"a {type(value).__name__} whose repr fails: {error}"


def _place(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"
