"""Fits as JSON: written atomically, read back without running code, data and provenance included."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np

from ..core.errors import DataError, FitError, LawError, ScalejaxError, suggest
from ..core.files import write_bytes
from ..core.laws.law import Law
from ..core.numeric.precision import double
from ..core.runs import Flag, Runs
from ..core.saved import signed, signed_document
from ..zoo import laws
from .consistency import check_consistent
from .fit import checked_bounds
from .misfit import misfit_of, with_misfit
from .objective import losses
from .objective.counts import Binomial
from .objective.penalty import MISFIT
from .request import Request
from .result import Fit
from .solvers.search import StartTable
from .status import Status
from .uncertainty.covariance import Curvature

FORMAT = 2
_REASON = 200  # letters of what Python says of a file
_LOSSES: dict[str, Callable[..., losses.Loss]] = {
    c.__name__: c for c in (losses.Huber, losses.LogCosh, losses.Squared, losses.Absolute, losses.StudentT, losses.Asymmetric, Binomial)
}


def save_fit(fit: Fit, path: str | os.PathLike[str]) -> None:
    """Write a fit as JSON. Raises FitError if its loss is a user's function, which JSON cannot hold."""
    write_bytes(path, signed(fit_document(fit)))


def fit_document(fit: Fit) -> dict[str, Any]:
    """The fit with its data and provenance as what `core.saved` writes; see `fit_from_document`."""
    request = fit.request
    runs = request.runs
    return {
        "format": FORMAT,
        "law": {"name": fit.law.name, "bound": dict(fit.law.bound), "misfit": misfit_of(fit.law)},
        "params": fit.params,  # for people to read: a fit that is loaded has them from theta
        "objective": fit.objective,
        "statuses": [status.value for status in fit.statuses],
        "theta": fit.theta,
        "starts": {f.name: getattr(fit.starts, f.name) for f in fields(StartTable)},
        "curvature": [asdict(c) for c in fit.curvature],
        "request": {
            "loss": loss_to_json(request.loss),
            **{
                k: getattr(request, k)
                for k in ("on", "fix", "tie", "bounds", "by", "share", "weights", "sizes", "penalty_weight", "anchors")
            },
        },
        "runs": {
            "columns": runs.columns,
            "masks": runs.masks,
            "excluded": runs.excluded,
            "flags": [asdict(f) for f in runs.flags],
            "weighted_by": runs.weighted_by,
        },
        "digest": runs.digest,
        **{k: getattr(fit, k) for k in ("solver", "recipe", "seed", "seconds", "versions")},
    }


@double
def load_fit(path: str | os.PathLike[str], law: Law | None = None) -> Fit:
    """Read a fit that `Fit.save` wrote.

    Args:
        path: the JSON file.
        law: needed only for a law of your own that is not registered; of a chain, the chain.

    Raises:
        DataError: if the file is missing, incomplete, changed after it was saved, or no fit.
    """
    with reading(path, "fit"):
        document = signed_document(Path(path).read_bytes(), partial(check_format, path, known=FORMAT))
        if "chain" in document:
            from .chained.storage import chain_from_document

            return chain_from_document(document, law)
        return fit_from_document(document, law)


@contextmanager
def reading(path: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Whatever is wrong with the file of a `what` ("fit"), in one sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path}; save one with {what}.save(path).") from error
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}; give the path of a saved {what}.") from error
    except ScalejaxError:
        raise
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory; load it where there is more.") from error
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError, EOFError, BadZipFile, OverflowError, ZlibError) as error:
        reason = " ".join(str(error).split())[:_REASON] or type(error).__name__
        raise DataError(f"{path} is not a complete saved {what} ({reason}); save it again with {what}.save(path).") from error


def check_format(path: str | os.PathLike[str], document: dict[str, Any], known: int) -> None:
    """Refuse a file that another version of scalejax wrote in a form of its own."""
    if document["format"] != known:
        raise DataError(f"{path} has format {document['format']}; this version reads format {known}.")


def fit_from_document(document: dict[str, Any], law: Law | None) -> Fit:
    """The fit that `fit_document` turned into a document; `law` is needed only for one that is not registered."""
    misfit = document["law"].get("misfit")
    law = law or known_law(document["law"]["name"].removesuffix(f"_{MISFIT}" if misfit else ""))
    law = with_misfit(law, misfit, document["request"]["on"]) if misfit and MISFIT not in law.parameters else law
    if law.name != document["law"]["name"]:
        raise DataError(f"The file holds the law {document['law']['name']!r}, not {law.name!r}; pass the law that it was made with.")
    missing = {k: v for k, v in document["law"]["bound"].items() if k in law.parameters}
    law = law.bind(**missing) if missing else law
    if set(law.parameters) != set(document["params"]):
        raise DataError(
            f"The file holds values of {', '.join(document['params'])}, the law {law.name!r} has the parameters "
            f"{', '.join(law.parameters)}; pass the law that it was made with."
        )
    raw = document["runs"]
    flags = tuple(Flag(**{**f, "rows": tuple(f["rows"])}) for f in raw["flags"])
    runs = Runs(
        {k: _array(v) for k, v in raw["columns"].items()},
        {k: np.asarray(v, bool) for k, v in raw["masks"].items()},
        np.asarray(raw["excluded"], bool),
        flags,
        raw.get("weighted_by", ""),
    )
    if runs.digest != document["digest"]:
        raise DataError("The data in the file do not match its digest: it was edited after it was saved; fit the edited data instead.")
    asked = document["request"]
    request = Request(
        law=law, runs=runs, loss=loss_from_json(asked["loss"]), on=asked["on"], fix=asked["fix"], tie=asked["tie"],
        bounds=checked_bounds(asked["bounds"]), by=asked["by"], share=tuple(asked["share"]),
        weights=None if asked["weights"] is None else np.asarray(asked["weights"]), sizes=asked["sizes"],
        penalty_weight=None if asked["penalty_weight"] is None else np.asarray(asked["penalty_weight"], float),
        anchors=asked.get("anchors", {}),
    )  # fmt: skip
    starts = document["starts"]
    table = StartTable(
        np.asarray(starts["objective"], float), np.asarray(starts["status"], object), np.asarray(starts["iterations"]),
        np.asarray(starts["theta"], float), starts["screened"],
    )  # fmt: skip
    shapes = tuple(
        Curvature(
            covariance=np.asarray(c["covariance"], float),
            model_covariance=np.asarray(c["model_covariance"], float),
            freedom=np.asarray(c["freedom"], float),
            condition=float(c["condition"]),
            boundary=tuple(c["boundary"]),
            flat=tuple(c["flat"]),
        )
        for c in document["curvature"]
    )
    fit = Fit(
        objective=float(document["objective"]), statuses=tuple(map(Status, document["statuses"])),
        theta=np.asarray(document["theta"], float), starts=table, curvature=shapes, request=request, solver=document["solver"],
        recipe=document["recipe"], seed=document["seed"], seconds=float(document["seconds"]), versions=document["versions"],
    )  # fmt: skip
    check_consistent(fit)
    for name, value in document["params"].items():
        if not np.allclose(fit.params[name], value, rtol=1e-9, atol=0, equal_nan=True):
            raise DataError(f"The file's value of {name} is not that of its theta: it was edited after it was saved; fit the runs again.")
    return fit


def known_law(name: str) -> Law:
    """A law of the registry, for a file that names it."""
    if name not in laws:
        hint = suggest(name, laws.names)
        raise LawError(
            f"The file holds a fit of {name!r}, a law of your own that is not registered; pass it, load_fit(path, law={name}), or register "
            f"it first, sj.laws.register({name})" + (f"; or {hint}" if hint.endswith("?") else ".")
        )
    return laws[name]


def _array(values: Any) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return values
    first = np.ravel(np.asarray(values[0], dtype=object))[0]
    return np.asarray(values) if isinstance(first, str) else np.asarray(values, dtype=np.float64)


def loss_to_json(loss: losses.Loss) -> dict[str, Any]:
    """A loss as what JSON can hold."""
    kind = type(loss).__name__
    if kind not in _LOSSES:
        raise FitError("A fit with a loss function of your own cannot be saved; use one of sj.huber, sj.squared, sj.student_t, ...")
    values = {f.name: getattr(loss, f.name) for f in fields(loss)}
    return {"kind": kind, **{k: loss_to_json(v) if isinstance(v, losses.Loss) else v for k, v in values.items()}}


def loss_from_json(document: dict[str, Any]) -> losses.Loss:
    """The loss that `loss_to_json` turned into a document."""
    values = {k: loss_from_json(v) if isinstance(v, dict) else v for k, v in document.items() if k != "kind"}
    return _LOSSES[document["kind"]](**values)
