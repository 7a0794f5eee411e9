"""Data sets by name: where they come from, what their columns mean, how they become runs.

Embedded sets are ours, or public files whose licence allows a copy (`embedded/<name>/<file>`, the licence beside it). Other public ones
stay where their authors put them: `public.json` holds address, checksum, licence and columns of each file. `SCALEJAX_DATA` names a folder
with local copies (`<folder>/<name>/<file>`); else files are downloaded once into a cache with pooch. Downloads must match their checksum;
a local copy that differs (a part of the file, say) is used with a warning.
"""

from __future__ import annotations

import builtins
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..core.checks import rows_text
from ..core.edge.public import publish
from ..core.errors import DataError, DataWarning, suggest, warn
from ..core.runs import Flag, Runs
from .readers import Role, read_runs

__all__ = ["info", "list", "load", "path"]

_EMBEDDED = {"pylib": "pylib.csv"}

# The table that `load(name)` reads, and what its columns are called here. Other sets give their first file as it is.
_ROLES: dict[str, tuple[str, dict[str, Role]]] = {
    "chinchilla_epoch": (
        "svg_extracted_data.csv",
        {"N": "Model Size", "D": lambda t: t["Training FLOP"] / (6 * t["Model Size"]), "C": "Training FLOP", "loss": "loss"},
    ),
    "kyo_llm_example": ("df.csv", {"N": "N", "D": "D", "C": "C", "loss": "loss"}),
    "isoflops_openathena": (
        "isoflops_clean.csv",
        {"N": "params", "D": "tokens", "C": "budget", "loss": "loss", "experiment": "experiment", "outlier": "outlier"},
    ),
    "gadre_overtraining": (
        "gadre_runs.csv",
        {"N": "N", "D": "D", "loss": "loss_c4_val", "train_set": "train_set", "multiplier": "chinchilla_multiplier", "model": "model"},
    ),
    "unidentifiable_d20n": ("runs.csv", {"N": "N", "D": "D", "loss": "final_val_loss"}),
}

# Rows that the paper of a set leaves out of its fits, and why.
_LEFT_OUT: dict[str, tuple[Callable[[Runs], np.ndarray], str]] = {
    "chinchilla_epoch": (lambda runs: np.argsort(runs["loss"])[-5:], "the five highest losses, as in Besiroglu et al. 2024"),
}


@cache
def _public() -> Mapping[str, Any]:
    return json.loads(files(__package__).joinpath("public.json").read_text(encoding="utf-8"))


def list() -> builtins.list[str]:
    """Names of all data sets: our own first.

    >>> "pylib" in list()
    True
    """
    return [*_EMBEDDED, *_public()]


def info(name: str) -> dict[str, Any]:
    """Origin, licence, columns and files of a data set.

    >>> info("pylib")["licence"]
    'Apache-2.0'
    """
    if name in _EMBEDDED:
        return json.loads(files(__package__).joinpath("embedded", f"{name}.json").read_text(encoding="utf-8"))
    return dict(_entry(name))


def load(name: str, file: str | None = None, *, everything: bool = False, **options: Any) -> Runs:
    """Runs of a data set. Rows that its paper leaves out are in the table, but flagged and excluded from fits.

    Args:
        name: one of `list()`.
        file: which of its tables; the first is the default.
        everything: use the rows, too, that the paper of the set leaves out: 245 runs of "chinchilla_epoch" instead of 240.
        **options: passed to `read_runs`, such as on_bad="flag" or roles of your own.

    Returns:
        Runs, with the columns named as laws call them where the set is a plain table of N, D and loss.

    Raises:
        DataError: if the name is unknown, or the file is neither at hand nor to be had, or not what its checksum says.

    Example:
        >>> len(load("pylib")) >= 36
        True
    """
    if name in _EMBEDDED:
        return read_runs(Path(str(files(__package__).joinpath("embedded", file or _EMBEDDED[name]))), **options)
    default, roles = _ROLES.get(name, (_entry(name)["files"][0]["file"], {}))
    named = any(key not in ("on_bad", "scale") for key in options)
    plain = file in (None, default) and not named
    runs = read_runs(path(name, file or default), **{**(roles if plain else {}), **options})
    return _without(name, runs) if plain and name in _LEFT_OUT and not everything else runs


def _without(name: str, runs: Runs) -> Runs:
    """The runs with what the paper leaves out excluded."""
    which, why = _LEFT_OUT[name]
    rows = np.sort(which(runs))
    excluded = runs.excluded.copy()
    excluded[rows] = True
    message = f"{rows_text(rows).capitalize()} are left out: {why}. datasets.load({name!r}, everything=True) uses them."
    return replace(runs, excluded=excluded, flags=(*runs.flags, Flag("left-out", "", tuple(map(int, rows)), message, excluded=True)))


def path(name: str, file: str) -> Path:
    """Local path of one file of a public data set, fetched and checked if need be."""
    entries = {entry["file"]: entry for entry in _entry(name)["files"]}
    if file not in entries:
        raise DataError(f"Data set {name!r} has no file {file!r}; {suggest(file, entries)}")
    entry = entries[file]
    local = os.environ.get("SCALEJAX_DATA")
    if local and (here := Path(local) / name / file).is_file():
        if hashlib.sha256(here.read_bytes()).hexdigest() != entry["sha256"]:
            warn(
                f"{name}/{file} in $SCALEJAX_DATA differs from the published file (SHA-256): it may be a part of it, or another version.",
                DataWarning,
            )
        return here
    if (shipped := Path(str(files(__package__).joinpath("embedded", name, file)))).is_file():
        return shipped
    if "url" not in entry:
        raise DataError(
            f"{name}/{file} was derived from {entry['derived_from']} of {_entry(name)['repository']} and has no public address; "
            "put a copy in $SCALEJAX_DATA."
        )
    return _fetch(name, entry)


def _entry(name: str) -> Mapping[str, Any]:
    if name not in _public():
        raise DataError(f"There is no data set {name!r}; {suggest(name, list())}")
    return _public()[name]


def _fetch(name: str, entry: Mapping[str, str]) -> Path:
    try:
        import pooch
    except ImportError as error:
        raise DataError("Downloading public data needs pooch: install scalejax[data], or set SCALEJAX_DATA to a local copy.") from error
    folder = Path(pooch.os_cache("scalejax")) / name
    try:
        return Path(pooch.retrieve(entry["url"], f"sha256:{entry['sha256']}", fname=entry["file"], path=folder))
    except Exception as error:  # pooch passes on whatever its transport raised, whose innermost error says it shortest
        reason: BaseException = error
        while reason.__context__ is not None:
            reason = reason.__context__
        raise DataError(
            f"Cannot fetch {name}/{entry['file']} from {entry['url']}: {reason}. "
            "Check the connection, or set SCALEJAX_DATA to a local copy."
        ) from error


publish(globals())
