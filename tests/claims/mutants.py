"""Claims under mutation: what is computed is made wrong by a few per cent, and a claim that still holds checks nothing of it.

Mutants are a published constant or a table of them that is off, a law whose value and first input are off, and a public function whose
result is off. The files of claims are imported anew under every mutant: a stated figure that is itself taken from the library moves with
it and is found out.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import wraps
from importlib import import_module
from types import FunctionType, MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import scalejax as sj
from scalejax.core.laws.law import Law, Published

from .claim import UNCOUNTED, Claim

OFF, FAR_OFF = 1.03, 1.3
FOLDERS = {"sj": sj, "studies": sj.studies, "papers": sj.papers, "formulas": sj.formulas, "costs": sj.costs, "schedules": sj.schedules}
Place = tuple[str, int]  # a claim's file and its position there
Mutant = tuple[str, ...]  # ("constant", law, set, parameter), ("table", folder, name), ("law", name) or ("function", folder, name)


def off(value: Any, factor: float = OFF, power: float = OFF) -> Any:
    """The same with every number times the factor and to the power, so that ratios move too; names, counts and truths stay."""

    def again(inner: Any) -> Any:
        return off(inner, factor, power)

    if isinstance(value, bool | np.bool_ | int | str | Law) or value is None:
        return value
    if isinstance(value, float | np.floating) or getattr(getattr(value, "dtype", None), "kind", "") == "f":
        size, where = abs(value), jnp.where if isinstance(value, jax.Array) else np.where
        return value * factor * where(size > 1e-9, size, 1.0) ** (power - 1) + (factor - 1) * (size <= 1e-9)
    if isinstance(value, Published):
        return replace(value, params=again(dict(value)))
    if isinstance(value, Mapping):
        return {name: again(v) for name, v in value.items()}
    if isinstance(value, sj.Runs):
        return value.with_columns(**{n: again(value[n]) for n in value if n in _RESULTS})
    if is_dataclass(value) and not isinstance(value, type):
        moved = copy.copy(value)
        for one in fields(value) if not isinstance(value, sj.Fit) else ():
            object.__setattr__(moved, one.name, again(getattr(value, one.name)))
        if isinstance(value, sj.Fit):
            object.__setattr__(moved, "params", again(value.params))
            object.__setattr__(moved, "theta", again(value.theta))
        return moved
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(again, value))
    if isinstance(value, list | tuple):
        return type(value)(map(again, value))
    return value


class Watch:
    """What claims touch while it is on, and which mutant is wrong meanwhile, by what factor."""

    def __init__(self) -> None:
        self.touched: set[Mutant] = set()
        self.wrong: Mutant | None = None
        self.factor = OFF

    def passed(self, mutant: Mutant, value: Any) -> Any:
        """The value as it passes by: off if this is the mutant."""
        self.touched.add(mutant)
        if self.wrong != mutant:
            return value
        return off(value, self.factor, 1.0 if mutant[0] in ("constant", "table") else self.factor)


@contextmanager
def watching() -> Iterator[Watch]:
    """Public functions, tables of constants, laws and published sets report to the watch."""
    watch = Watch()
    with ExitStack() as stack:
        for folder, module in FOLDERS.items():
            for name, value in [(name, getattr(module, name)) for name in dir(module)]:
                if isinstance(value, FunctionType) and not name.startswith("_"):
                    setattr(module, name, _function(watch, ("function", folder, name), value))
                elif isinstance(value, MappingProxyType):
                    setattr(module, name, _Reporting(watch, ("table", folder, name), value))
                else:
                    continue
                stack.callback(setattr, module, name, value)
        call = Law.__call__
        Law.__call__ = _law_call(watch, call)
        stack.callback(setattr, Law, "__call__", call)
        for law in sj.laws:
            for key, held in law.published.items():
                true = held.params
                object.__setattr__(held, "params", _Reporting(watch, ("constant", law.name, key), true))
                stack.callback(object.__setattr__, held, "params", true)
        yield watch


def _function(watch: Watch, mutant: Mutant, function: Callable[..., Any]) -> Callable[..., Any]:
    return wraps(function)(lambda *args, **kwargs: watch.passed(mutant, function(*args, **kwargs)))


def _law_call(watch: Watch, call: Callable[..., Any]) -> Callable[..., Any]:
    def reporting(law: Law, *inputs: Any, **arguments: Any) -> Any:
        watch.touched.add(("law", law.name))
        return call(law, *inputs, **arguments)

    return reporting


class _Reporting(Mapping[str, Any]):
    """A table of constants, which reports that they were read; of a law's published set every one is a mutant of its own."""

    def __init__(self, watch: Watch, name: Mutant, values: Mapping[str, Any]) -> None:
        self._watch, self._name, self._values = watch, name, values

    def __getitem__(self, key: str) -> Any:
        mutant = (*self._name, key) if self._name[0] == "constant" else self._name
        return self._watch.passed(mutant, self._values[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@contextmanager
def wrong_law(name: str, factor: float) -> Iterator[None]:
    """The law with its first input to a power and its value times a factor, wherever it is called, compiled programs included."""
    law = sj.laws[name]
    true = law.function

    @wraps(true)
    def function(*inputs: Any, **parameters: Any) -> Any:
        named = dict(zip(law.inputs, inputs, strict=False)) | {k: v for k, v in parameters.items() if k in law.inputs}
        named[law.inputs[0]] = named[law.inputs[0]] ** factor
        return factor * true(**named, **{k: v for k, v in parameters.items() if k not in law.inputs})

    object.__setattr__(law, "function", function)
    try:
        yield
    finally:
        object.__setattr__(law, "function", true)


def fresh(place: Place) -> Claim:
    """The claim at this place, its file and all that it imports from its folder read anew."""
    for name in [name for name in sys.modules if name.startswith(f"{__package__}.") and name not in _KEPT]:
        del sys.modules[name]
    return import_module(f".{place[0]}", __package__).CLAIMS[place[1]]


_RESULTS = ("lr", "loss", "batch")  # columns of a result's runs that claims look at
_KEPT = (__name__, f"{__package__}.claim")


def holds(place: Place) -> bool:
    """Does the claim, read anew, hold?"""
    claim = fresh(place)
    try:
        ours, stated = np.asarray(claim.ours(), dtype=float), np.asarray(claim.stated, dtype=float)
    except Exception:  # what a wrong constant makes impossible has been noticed
        return False
    return ours.shape == stated.shape and bool((np.abs(ours - stated) <= claim.tolerance).all())


@dataclass(frozen=True)
class Survey:
    """What mutants find.

    Attributes:
        claims: that count and are quick, with what each touches while it is computed.
        survivors: claims that hold under every mutant of what they touch.
        unnoticed: constants that claims read, but whose claims all hold when it is off.
    """

    claims: dict[Place, set[Mutant]]
    survivors: list[str]
    unnoticed: list[tuple[str, ...]]


def survey(places: list[Place], provided: Mapping[str, list[str]]) -> Survey:
    """Quick claims under mutants: every constant that they read, and for claims that none of these fells all else that they touch.

    Args:
        places: of the claims.
        provided: entry of the catalogue to the names of its laws.
    """
    touched: dict[Place, set[Mutant]] = {}
    fallen: set[Place] = set()
    noticed: set[Mutant] = set()
    with watching() as watch:

        def try_on(place: Place, mutant: Mutant, factor: float) -> None:
            watch.wrong, watch.factor = mutant, factor
            with wrong_law(mutant[1], factor) if mutant[0] == "law" else nullcontext():
                fails = not holds(place)
            watch.wrong = None
            if fails:
                fallen.add(place)
                noticed.add(mutant)

        read: dict[Place, set[Mutant]] = {}  # constants that the files take in when they are imported
        for place in places:
            watch.touched = set()
            claim = fresh(place)
            read[place], watch.touched = watch.touched, set()
            claim.ours()
            touched[place] = watch.touched | {("law", name) for name in provided.get(claim.id, ())}
        for place, mutants in touched.items():
            for mutant in sorted(m for m in mutants if m[0] == "constant" and m not in noticed):
                try_on(place, mutant, OFF)
        for place, mutants in touched.items():
            for factor in (OFF, FAR_OFF):
                for mutant in [*sorted(mutants), *sorted(read[place] - mutants)]:
                    if place not in fallen:
                        try_on(place, mutant, factor)
        survivors = [f"{fresh(place).id}: {fresh(place).what}" for place in touched if place not in fallen]
    constants = {m for mutants in touched.values() for m in mutants if m[0] == "constant"}
    return Survey(touched, survivors, sorted(m[1:] for m in constants - noticed))


def quick(files: Iterable[str]) -> list[Place]:
    """Claims of these files that count, and do not take long."""
    found = []
    for file in files:
        claims = import_module(f".{file}", __package__).CLAIMS
        found += [(file, i) for i, c in enumerate(claims) if isinstance(c, Claim) and c.kind not in UNCOUNTED and not c.slow]
    return found
