"""The inputs: from a good call, a seeded choice of calls with one odd thing."""

from __future__ import annotations

import inspect
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .calls import Call
from .ends import BAD, ENDS, End, end_of
from .odd import VALUES, changes

# What sensible arguments leave unknown, so that NaN is honest: the error of a mean of one problem, the correlation with a constant.
UNKNOWN = {"papers.pass_at_k", "papers.selection_quality"}
SECONDS = 20.0  # of processor time an input may take


class Input(NamedTuple):
    """One odd call.

    Attributes:
        name: of the function. what: is odd. call: it. senseless: can nobody mean it?
    """

    name: str
    what: str
    call: Callable[[], Any]
    senseless: bool


# Where a value that nobody means does no harm: what is shown as it is, and what is left out by design.
LABELS = {("law", "reference"), ("statistics.lower_hull", "y"), ("Runs.with_columns", "*")}


def inputs(call: Call, seed: int, count: int) -> list[Input]:
    """Odd calls of one function: arguments replaced, changed inside, left out, unknown, misspelt; as many as `count`, chosen by `seed`."""
    rng = np.random.default_rng([seed, zlib.crc32(call.name.encode())])
    every = list(_inputs(call, rng))
    chosen = rng.choice(len(every), min(count, len(every)), replace=False)
    return [every[i] for i in sorted(chosen)]


def _inputs(call: Call, rng: np.random.Generator) -> Iterator[Input]:
    signature = inspect.signature(call.function)
    bound = signature.bind(*call.args, **call.kwargs)
    for name, parameter in signature.parameters.items():
        if name == "self":
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            for key, value in bound.arguments.get(name, {}).items():
                yield from _replaced(call, bound, key, value, rng, within=name)
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            for value in VALUES:
                yield Input(call.name, f"*{name}: {value.name}", _with(call, bound, name, (value.value,)), value.senseless)
            continue
        yield from _replaced(call, bound, name, bound.arguments.get(name, parameter.default), rng)
        if name in bound.arguments and parameter.default is parameter.empty:
            yield Input(call.name, f"without {name}", _without(call, bound, name), False)
    yield Input(call.name, "an argument more", lambda: call.function(*call.args, **call.kwargs, nobody_has_this=1), False)
    yield Input(call.name, "a value more", lambda: call.function(*call.args, *[1.0] * 40), False)
    yield Input(call.name, "nothing", lambda: call.function(), False)


def _replaced(call: Call, bound: Any, name: str, value: Any, rng: np.random.Generator, within: str = "") -> Iterator[Input]:
    for odd in (*VALUES, *changes(value, rng)):
        new = {**bound.arguments.get(within, {}), name: odd.value} if within else odd.value
        senseless = odd.senseless and not {(call.name, name), (call.name, "*")} & LABELS
        yield Input(call.name, f"{name}: {odd.name}", _with(call, bound, within or name, new), senseless)


def _with(call: Call, bound: Any, name: str, value: Any) -> Callable[[], Any]:
    changed = inspect.BoundArguments(bound.signature, bound.arguments.copy())
    changed.arguments = _in_order(bound.signature, {**bound.arguments, name: value})
    return lambda: call.function(*changed.args, **changed.kwargs)


def _in_order(signature: inspect.Signature, arguments: dict[str, Any]) -> dict[str, Any]:
    """As `BoundArguments` needs them; a gap before a value that is passed by its place is filled with the default."""
    return {
        name: arguments.get(name, parameter.default)
        for name, parameter in signature.parameters.items()
        if name in arguments or parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }


def _without(call: Call, bound: Any, name: str) -> Callable[[], Any]:
    kwargs = {k: v for k, v in call.arguments.items() if k != name}
    own = kwargs.pop("self", None)
    return lambda: call.function(*([] if own is None else [own]), **kwargs)


@dataclass
class Score:
    """Ends by function, and what was bad in words."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    bad: list[str] = field(default_factory=list)
    poor: list[str] = field(default_factory=list)

    def add(self, name: str, what: str, end: End) -> None:
        """Count one end."""
        self.counts[name][end.kind] += 1
        said = f"{end.kind}: {name}({what}): {end.said[:300]}"
        if end.kind in BAD:
            self.bad.append(said)
        elif end.kind == "poor":
            self.poor.append(said)

    @property
    def total(self) -> Counter[str]:
        """Of all functions."""
        return sum(self.counts.values(), Counter())

    def table(self) -> str:
        """A row for every function."""
        wide = max(map(len, [*self.counts, "all"]))
        rows = [*sorted(self.counts.items()), ("all", self.total)]
        head = " ".join([" " * wide, *(f"{end:>9}" for end in ENDS), "   inputs"])
        return "\n".join([head, *(" ".join([f"{n:<{wide}}", *(f"{c[end]:>9}" for end in ENDS), f"{c.total():>9}"]) for n, c in rows)])


def run(call: Call, score: Score, seed: int, count: int, seconds: float = SECONDS, share: float = 10.0) -> None:
    """Attack one function with `count` odd calls, fewer where they take more than `share` seconds of processor time together."""
    found = call.function(*call.args, **call.kwargs)
    good = np.nan if call.name in UNKNOWN else found
    begun = time.process_time()
    for one in inputs(call, seed, count):
        score.add(one.name, one.what, end_of(one.call, one.what, senseless=one.senseless, seconds=seconds, good=good))
        if time.process_time() - begun > share:
            break
