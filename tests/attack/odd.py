"""Odd values, and odd changes of good ones."""

from __future__ import annotations

import datetime
import decimal
import fractions
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np


class Odd(NamedTuple):
    """A value that replaces a good one.

    Attributes:
        name: for reports. value: the value.
        senseless: nobody can mean this, whatever the argument: a result without a word about it is wrong.
    """

    name: str
    value: Any
    senseless: bool = False


class Strange:
    """An object that even refuses to be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def _failing(*args: Any, **kwargs: Any) -> Any:
    raise ZeroDivisionError("of the caller's own")


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


TEXTS = [
    Odd("empty text", ""),
    Odd("blank", " \n\t"),
    Odd("text", "x"),
    Odd("number as text", "1e21"),
    Odd("70B", "70B"),
    Odd("script", "<script>alert(1)</script>"),
    Odd("TeX", r"$\input{x}$ | a & b_c ^ ~ {"),
    Odd("lines", "a\nb\r\x1b[31mc\u2028d"),
    Odd("long text", "long " * 500),
    Odd("not ASCII", "größe–∞🎲"),
]
NUMBERS = [
    Odd("NaN", float("nan"), senseless=True),
    Odd("NaN of NumPy", np.float32("nan"), senseless=True),
    Odd("inf", float("inf")),
    Odd("-inf", float("-inf")),
    Odd("0", 0),
    Odd("-0.0", -0.0),
    Odd("-1", -1),
    Odd("2.0", 2.0),
    Odd("2.5", 2.5),
    Odd("1e308", 1e308),
    Odd("1e-308", 1e-308),
    Odd("400 digits", 10**400),
    Odd("True", True),
    Odd("decimal", decimal.Decimal("1.5")),
    Odd("fraction", fractions.Fraction(1, 3)),
    Odd("int8", np.int8(-128)),
    Odd("0-d array", np.array(3.0)),
]
ARRAYS = [
    Odd("empty list", []),
    Odd("empty array", np.zeros(0)),
    Odd("list with NaN", [1.0, float("nan")], senseless=True),
    Odd("list with None", [1.0, None]),
    Odd("list of text", ["a", "b"]),
    Odd("ragged", [[1.0], [1.0, 2.0]]),
    Odd("5 axes", np.ones((1, 2, 1, 2, 1))),
    Odd("negative", np.array([-1.0, -2.0])),
    Odd("zeros", np.zeros(3)),
    Odd("objects", np.array([1, "a", None], dtype=object)),
    Odd("complex", np.array([1 + 1j, 2]), senseless=True),
    Odd("masked", np.ma.array([1.0, 1e6, 2.0], mask=[0, 1, 0]), senseless=True),
    Odd("dates", np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]"), senseless=True),
    Odd("records", np.zeros(2, dtype=[("a", float), ("b", int)])),
    Odd("deep list", _nested(500)),
]
THINGS = [
    Odd("None", None),
    Odd("object", object(), senseless=True),
    Odd("strange", Strange(), senseless=True),
    Odd("bytes", b"ab\xff", senseless=True),
    Odd("complex number", 1 + 2j, senseless=True),
    Odd("date", datetime.date(2024, 1, 1), senseless=True),
    Odd("datetime64", np.datetime64("2024-01-01"), senseless=True),
    Odd("set", {1, 2}),
    Odd("empty mapping", {}),
    Odd("mapping of numbers", {1: 2}),
    Odd("mapping of text", {"a": "b"}),
    Odd("mapping with NaN", {"N": float("nan")}),
    Odd("class", dict),
    Odd("module", np),
    Odd("failing function", _failing),
    Odd("function of nothing", lambda: 1.0),
    Odd("generator", (i for i in range(3)), senseless=True),
    Odd("range", range(3)),
    Odd("ellipsis", ...),
    Odd("exception", ValueError("x"), senseless=True),
]
VALUES = [*TEXTS, *NUMBERS, *ARRAYS, *THINGS]


def changes(value: Any, rng: np.random.Generator) -> Iterator[Odd]:
    """A good value with one thing about it made odd."""
    if isinstance(value, bool | str) or value is None:
        return
    if isinstance(value, int | float | np.number):
        yield Odd("negated", -value)
        yield Odd("a millionth", value * 1e-6)
        yield Odd("a million times", value * 1e6)
        yield Odd("as text", str(value))
        yield Odd("in a list", [value])
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
        yield from _of_array(value, rng)
    elif isinstance(value, list) and value:
        i = int(rng.integers(len(value)))
        yield Odd("first gone", value[1:])
        yield Odd("one twice", [*value, value[i]])
        for odd in rng.choice(np.arange(len(VALUES)), 3, replace=False):
            yield Odd(f"[{i}] {VALUES[odd].name}", [*value[:i], VALUES[odd].value, *value[i + 1 :]])
    elif isinstance(value, tuple) and value and not hasattr(value, "_fields"):
        i = int(rng.integers(len(value)))
        yield Odd("first gone", value[1:])
        yield Odd("turned round", value[::-1])
        for odd in rng.choice(np.arange(len(VALUES)), 3, replace=False):
            yield Odd(f"[{i}] {VALUES[odd].name}", (*value[:i], VALUES[odd].value, *value[i + 1 :]))
    elif isinstance(value, Mapping) and value and all(isinstance(k, str) for k in value):
        yield from _of_mapping(dict(value), rng)


def _of_array(value: np.ndarray, rng: np.random.Generator) -> Iterator[Odd]:
    place = tuple(int(rng.integers(n)) for n in value.shape)
    for name, item, senseless in (("NaN", np.nan, True), ("inf", np.inf, False), ("-1", -1.0, False), ("0", 0.0, False)):
        other = value.copy()
        other[place] = item
        yield Odd(f"one entry {name}", other, senseless)
    hidden = np.zeros(value.shape, bool)
    hidden[place] = True
    yield Odd("one entry masked", np.ma.array(value, mask=hidden), senseless=True)
    yield Odd("all equal", np.full_like(value, value.flat[0]))
    yield Odd("as text", value.astype(str))
    yield Odd("as objects", value.astype(object))
    yield Odd("as complex", value + 1j, senseless=True)
    yield Odd("one short", value[:-1])
    yield Odd("negated", -value)
    with np.errstate(over="ignore"):
        yield Odd("huge", value * 1e300)
    yield Odd("an axis more", value[..., None])
    yield Odd("big endian", value.astype(">f8"))


def _of_mapping(value: dict[str, Any], rng: np.random.Generator) -> Iterator[Odd]:
    key = str(rng.choice(list(value)))
    yield Odd(f"without {key}", {k: v for k, v in value.items() if k != key})
    yield Odd("one key more", {**value, "nobody": 1.0})
    yield Odd("a number as key", {**value, 3: 1.0})
    for odd in rng.choice(np.arange(len(VALUES)), 6, replace=False):
        yield Odd(f"{key}: {VALUES[odd].name}", {**value, key: VALUES[odd].value}, VALUES[odd].name in ("NaN", "complex number", "masked"))
    for inner in changes(value[key], rng):
        yield Odd(f"{key}: {inner.name}", {**value, key: inner.value}, inner.senseless)
