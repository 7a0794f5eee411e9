"""Fits of chains as JSON: the stacked regression as any fit, and beside it the stages, their measures and the rows they came from."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any

import numpy as np

from ...core.errors import DataError
from ...core.files import write_bytes
from ...core.laws.chain import Chain, chain
from ...core.laws.law import Law
from ...core.saved import signed
from ..storage import fit_document, fit_from_document, known_law, loss_from_json, loss_to_json
from .joint import ChainRequest
from .measure import Measure
from .result import ChainFit
from .stacking import TARGET, UNIT, Stacked, stacked_law

_ARRAYS = ("stage", "row", "value", "target", "weight")


def save_chain(fit: ChainFit, path: str | os.PathLike[str]) -> None:
    """Write a fit of a chain as JSON; `load_fit` reads it."""
    asked, stacked = fit.asked, fit.stacked
    document = fit_document(fit.regression)
    document["chain"] = {
        "single": asked.single is not None,
        "output": asked.output,
        "last": fit.chain.output,
        "stages": [
            {"name": s.name, "law": s.law.name, "bound": dict(s.law.bound), "renamed": dict(s.renamed)} for s in fit.chain.stages
        ],
        "measures": {
            name: {"on": m.on, "loss": loss_to_json(m.loss), "floor": m.floor, "ceiling": m.ceiling} for name, m in asked.each.items()
        },
        "known": dict(asked.noise),
        "noise": dict(fit.noise),
        "staged": fit.staged,
        "observing": stacked.staged,
        "rows": {name: getattr(stacked, name) for name in _ARRAYS},
    }  # fmt: skip
    write_bytes(path, signed(document))


def chain_from_document(document: dict[str, Any], law: Law | None) -> ChainFit:
    """The fit that `save_chain` turned into a document; `law` is needed if a law of the chain is not registered."""
    saved = document["chain"]
    joined = _chain(saved, law)
    each = {
        name: Measure(m["on"], loss_from_json(m["loss"]), m["floor"], m["ceiling"]) for name, m in saved["measures"].items()
    }  # fmt: skip
    whole = stacked_law(joined, tuple(each[name].scale for name in joined.outputs), saved["observing"])
    fitted = fit_from_document(document, whole)
    request = fitted.request
    columns = {name: column for name, column in request.runs.columns.items() if name not in (TARGET, UNIT)}
    rows = saved["rows"]
    stacked = Stacked(
        joined, each, saved["observing"], columns, stage=np.asarray(rows["stage"], int), row=np.asarray(rows["row"], int),
        value=np.asarray(rows["value"], float), target=np.asarray(rows["target"], float), weight=np.asarray(rows["weight"], float),
    )  # fmt: skip
    single = joined.stages[0].law if saved["single"] else None
    asked = ChainRequest(
        joined=joined, single=single, output=saved["output"], each=each, noise=saved["known"], fix=request.fix, tie=request.tie,
        bounds=request.bounds, by=request.by, share=request.share, weights=None, sizes=request.sizes, anchors=request.anchors,
    )  # fmt: skip
    plain = {f.name: getattr(fitted, f.name) for f in fields(type(fitted))}
    return ChainFit(**plain, asked=asked, stacked=stacked, noise=saved["noise"], staged=saved["staged"])


def _chain(saved: dict[str, Any], law: Law | None) -> Chain:
    """The chain of a document: `law`, or its registered laws."""
    names = [stage["name"] for stage in saved["stages"]]
    if isinstance(law, Chain):
        if set(law.outputs) != set(names):
            raise DataError(
                f"The file holds a chain of {', '.join(names)}, not of {', '.join(law.outputs)}; pass the chain it was made with."
            )
        return law
    if law is not None and not saved["single"]:
        raise DataError(f"The file holds a chain of {', '.join(names)}, not the law {law.name!r}; pass law=sj.chain(...) or leave it out.")
    stages = {}
    for stage in saved["stages"]:
        one = law if law is not None else known_law(stage["law"])
        held = {name: value for name, value in stage["bound"].items() if name in one.parameters}
        stages[stage["name"]] = (one.bind(**held) if held else one, stage["renamed"])
    last = stages.pop(saved["last"])
    return chain(**stages, **{saved["last"]: last})
