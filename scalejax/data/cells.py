"""Cells as people write them: 1.3B, 300k, 1,011,781,632, 57 %, 1.3 x 10^9, N/A; and what loss and counts are measured in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.errors import DataError, suggest
from ..core.runs import Flag
from .importers.content import shown

MISSING = frozenset({
    "", "-", "--", "---", "–", "—", "n/a", "na", "#n/a", "nan", "null", "none", "missing", "<na>", "nat", "n.a.", "?", "…", "...",
})  # fmt: skip
PREFIXES = {"k": 1e3, "m": 1e6, "mn": 1e6, "b": 1e9, "bn": 1e9, "g": 1e9, "t": 1e12, "tn": 1e12}
_FLOPS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18, "z": 1e21, "y": 1e24}
_SPACES = re.compile(r"(?<=\d)[ \u00a0\u2009\u202f'’_](?=\d{3}(?!\d))")
_GROUPED = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_POWER = re.compile(r"(?:(?P<mantissa>[-+]?\d+\.?\d*)\s*(?:x|×|\*|·|\\times|\\cdot)\s*)?10\s*(?:\^|\*\*)\s*\{?(?P<power>[-+]?\d+)\}?")
_UNIT = re.compile(r"(?P<number>.*?[\d.])\s*(?P<unit>%|[a-z/-]+)", re.IGNORECASE)
_NOUN = re.compile(r"[\s-]*(params?|parameters?|tokens?|toks?|steps?|examples?|samples?|sequences?|chars?|characters?)$", re.IGNORECASE)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SMALL = 1e5  # a bare number below this beside "1.3B" may be in millions, billions, or plain

_PLURAL = {"k": "thousands", "M": "millions", "B": "billions", "T": "trillions"}
_WORDS = {"thousand": "k", "million": "M", "billion": "B", "trillion": "T", "mn": "M", "bn": "B", "tn": "T", "g": "B"}
# A unit at the end of a column's name, in brackets ("params (M)") or after a separator ("params_m"), or as a word ("in millions").
_NAMED = re.compile(
    r"(?P<stem>.+?)(?:\s*[(\[]\s*(?:in\s+)?(?P<sure>k|m|mn|b|bn|g|t|tn)\s*[)\]]|[\s_.(\[-]+(?:in[\s_]+)?(?P<word>thousand|million|billion|trillion)"
    r"s?[)\]\s]*|[\s_.-](?P<last>k|m|mn|b|bn|t|tn))",
    re.IGNORECASE,
)
_MOST = 1e15  # parameters or tokens that nobody has

# What turns a column into nats, a count or a share; a loss in bits per byte needs the bytes of a token to become one per token.
UNITS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "nats": lambda x: x,
    "bits": lambda x: x * math.log(2),
    "bits_per_byte": lambda x: x * math.log(2),
    "perplexity": lambda x: np.log(np.where(x > 0, x, np.nan)),
    "percent": lambda x: x / 100,
    "pfs_days": lambda x: x * 8.64e19,
}


class Cell:
    """A number that was written in some way: its value, the kind of its unit, and whether its comma may mean either."""

    __slots__ = ("doubtful", "kind", "value")

    def __init__(self, value: float, kind: str, doubtful: bool = False) -> None:
        self.value, self.kind, self.doubtful = value, kind, doubtful


def read_cell(text: str) -> Cell | None:
    """The number of a cell that `float` does not take, None if it is none.

    >>> [read_cell(text).value for text in ("1.3B", "26 B", "300k", "1,011,781,632", "1.3 x 10^9", "6e21 FLOPs")]
    [1300000000.0, 26000000000.0, 300000.0, 1011781632.0, 1300000000.0, 6e+21]
    >>> read_cell("57 %").value, read_cell("high")
    (0.57, None)
    """
    if len(text) > 80:
        return None
    text = text.replace("−", "-").replace("$", "").strip()
    if any(sign in text for sign in "⁰¹²³⁴⁵⁶⁷⁸⁹"):
        text = re.sub(r"10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+)", lambda found: "10^" + found[1].translate(_RAISED), text)
    text = _NOUN.sub("", text)
    number = _number(text)
    if number is not None:
        return number
    unit = _UNIT.fullmatch(text)
    number = _number(unit["number"].strip()) if unit else None
    if unit is None or number is None:
        return None
    name = unit["unit"].lower()
    if name == "%":
        return Cell(number.value / 100, "percent", number.doubtful)
    if name in PREFIXES:
        return Cell(number.value * PREFIXES[name], "prefix", False)
    flops = re.fullmatch(r"([kmgtpezy]?)flops?", name)
    if flops:
        return Cell(number.value * _FLOPS[flops[1]], "prefix" if flops[1] else "", number.doubtful)
    return None


def _number(text: str) -> Cell | None:
    text = _SPACES.sub("", text)
    if _PLAIN.fullmatch(text):
        return Cell(float(text), "")
    if _GROUPED.fullmatch(text):
        return Cell(float(text.replace(",", "")), "", doubtful=text.count(",") == 1 and "." not in text)
    if _DECIMAL_COMMA.fullmatch(text):
        return Cell(float(text.replace(",", ".")), "comma")
    power = _POWER.fullmatch(text)
    if power and abs(int(power["power"][:5])) <= 300:
        return Cell(float(power["mantissa"] or 1) * 10.0 ** int(power["power"]), "")
    return None


def numbers_of(column: Sequence[Any], unit: str | None = None, count: bool = False) -> tuple[np.ndarray, list[tuple[int, Any]], str]:
    """float64 of cells, NaN where they are missing.

    Args:
        column: cells of any type.
        unit: prefix that cells without one are counted in, such as "M".
        count: is a comma before three digits sure to group thousands?

    Returns:
        The numbers; row and cell of what is none; and what is unclear of the rest in a clause, "" if nothing is.
    """
    values = np.full(len(column), np.nan)
    wrong: list[tuple[int, Any]] = []
    written: dict[int, Cell] = {}
    known: dict[str, Cell | None] = {}
    plain: list[int] = []
    for i, cell in enumerate(column):
        if cell is None:
            continue
        try:
            values[i] = float(cell)
            plain.append(i)
            continue
        except (TypeError, ValueError, OverflowError):
            if isinstance(cell, bytes):
                cell = cell.decode("utf-8", errors="replace")
        if not isinstance(cell, str):
            if type(cell).__name__ not in ("NAType", "NaTType"):
                wrong.append((i, cell))
            continue
        text = cell.strip()
        if text.lower() in MISSING:
            continue
        found = known[text] if text in known else known.setdefault(text, read_cell(text))
        if found is None:
            wrong.append((i, cell))
        else:
            values[i], written[i] = found.value, found
    if not written:
        if unit:
            values *= PREFIXES[unit.lower()]
        return values, wrong, ""
    return _settled(column, values, wrong, written, plain, unit, count)


def _settled(
    column: Sequence[Any], values: np.ndarray, wrong: list[tuple[int, Any]], written: dict[int, Cell], plain: list[int],
    unit: str | None, count: bool,
) -> tuple[np.ndarray, list[tuple[int, Any]], str]:  # fmt: skip
    """What cells mean in the light of the others."""
    kinds: dict[str, list[int]] = {"": list(plain)}
    for i, cell in written.items():
        kinds.setdefault(cell.kind, []).append(i)
    doubtful = [i for i, cell in written.items() if cell.doubtful]
    pointed = any(isinstance(column[i], str) and "." in column[i] for i in plain)
    sure = count or pointed or any(not c.doubtful and not c.kind and "," in str(column[i]) for i, c in written.items())
    if doubtful and not sure:
        i = doubtful[0]
        return values, wrong, f"row {i}: {shown(column[i])} may be {values[i]:g} or {values[i] / 1000:g}; write it without the comma"
    if "comma" in kinds and pointed:
        i = kinds["comma"][0]
        return values, wrong, f"row {i}: {shown(column[i])} has a decimal comma and others a point; write points"
    bare = [i for i in kinds[""] + kinds.get("comma", []) if np.isfinite(values[i])]
    if unit:
        values[bare] *= PREFIXES[unit.lower()]
    elif "prefix" in kinds:
        small = [i for i in bare if 0 < abs(values[i]) < _SMALL]
        if small:
            i, j = kinds["prefix"][0], small[0]
            return (
                values,
                wrong,
                f"row {i}: {shown(column[i])} has a unit and row {j}: {shown(column[j])} none; say it with unit={{...: 'B'}}",
            )
    if "percent" in kinds and (bare or "prefix" in kinds):
        i, j = kinds["percent"][0], (bare or kinds["prefix"])[0]
        return values, wrong, f"row {i}: {shown(column[i])} is a percentage and row {j}: {shown(column[j])} is none; write all alike"
    return values, wrong, ""


def unit_in_name(name: str) -> tuple[str, str, bool]:
    """A column's name without the unit of counts that it carries, the unit, "" without one, and whether it can mean nothing else.

    >>> unit_in_name("params (M)"), unit_in_name("tokens_b"), unit_in_name("params")
    (('params', 'M', True), ('tokens', 'B', False), ('params', '', False))
    """
    found = _NAMED.fullmatch(name)
    if found is None:
        return name, "", False
    letters = (found["sure"] or found["word"] or found["last"]).lower()
    return found["stem"], _WORDS.get(letters, letters if letters == "k" else letters.upper()), not found["last"]


def trusted_unit(role: str, name: str, values: np.ndarray) -> tuple[str, Flag | None]:
    """The unit of the column's name where its values, counted in it, are no more than anybody has; and what to say of it."""
    _, word, sure = unit_in_name(name)
    most, factor = float(np.max(values[np.isfinite(values)], initial=0.0)), PREFIXES[word.lower()]
    plural, as_count = _PLURAL[word], f"scale={{{role!r}: 1}} if it is a plain count"
    if most <= _MOST and (sure or most < _SMALL * factor):
        said = f"Column {shown(name)} for {role} is read in {plural}, as its name says; pass {as_count}."
        return word, Flag("unit-of-name", role, (), said)
    if most > _MOST and not sure:  # letters that mean something else
        return "", None
    said = f"Column {shown(name)} for {role} goes to {most / factor:.3g} and names {plural}; it is read as plain counts"
    return "", Flag("unit", role, (), f"{said}: pass unit={{{role!r}: {word!r}}} if it is in {plural}, or {as_count}.")


def check_unit(name: str, unit: Any) -> tuple[str, float]:
    """A unit and the bytes of a token, 1 if they are not given.

    Raises:
        DataError: if it is unknown.
    """
    parts = unit if isinstance(unit, tuple | list) else (unit, 1.0)
    if len(parts) != 2 or not isinstance(parts[0], str) or not isinstance(parts[1], int | float) or not parts[1] > 0:
        raise DataError(f"unit={{{name!r}: {unit!r}}} must be a name, or ('bits_per_byte', bytes a token).")
    word = parts[0].lower().replace(" ", "_").replace("-", "_")
    word = {"bpb": "bits_per_byte", "ppl": "perplexity", "nat": "nats", "bit": "bits", "%": "percent"}.get(word, word)
    if word not in UNITS and word not in PREFIXES:
        raise DataError(f"unit={{{name!r}: {parts[0]!r}}} is unknown; {suggest(parts[0], [*UNITS, 'k', 'M', 'B', 'T'])}")
    if parts[1] != 1 and word != "bits_per_byte":
        raise DataError(f"unit={{{name!r}: {unit!r}}}: only bits_per_byte takes the bytes a token.")
    return word, float(parts[1])
