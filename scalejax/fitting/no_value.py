"""Laws and numbers that leave what double precision can hold: where, and what to write instead."""

from __future__ import annotations

import numpy as np

from ..core.errors import DataError, FitError
from ..core.runs import Runs
from .request import Request

_LARGEST, _SMALLEST = 1e100, 1e-100  # whose squares, and products of squares with derivatives, can be held
_SHOWN = 4  # ranges of parameters in a sentence


def check_size(runs: Runs, output: str, on: str) -> None:
    """Refuse outputs whose squares overflow or vanish, where residuals are differences of them.

    Raises:
        DataError: naming the column and a factor.
    """
    if on != "linear" or output not in runs or runs[output].dtype.kind != "f":
        return
    values = np.abs(runs[output] * runs.masks.get(output, 1.0))[~runs.excluded]  # without the padding of curves
    largest = float(values.max(initial=0.0))
    if largest > _LARGEST or 0 < largest < _SMALLEST:
        raise DataError(
            f"Column {output!r} goes up to {largest:.3g}, and squares of such numbers cannot be held; read it with "
            f"scale={{{output!r}: {10.0 ** -np.round(np.log10(largest)):.0e}}}, or fit with on='log'."
        )


def without_value(request: Request, theta: np.ndarray) -> FitError:
    """The error of a law that has no finite value, at least in one of the runs, wherever the search began."""
    law, (values, rows) = request.law, (request.predict_rows(theta)[0], request.used[0])
    bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    names = [name for name in law.parameters if name not in request.fix and name not in request.tie]
    ranges = ", ".join(f"{name} in {law.domains[name].low:g} to {law.domains[name].high:g}" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    where = ""
    if len(bad):
        at = ", ".join(f"{n} = {request.runs[n][rows[bad[0]]]:.3g}" for n in law.inputs if request.runs[n].ndim == 1)
        where = f", as in row {rows[bad[0]]}" + (f" ({at})" if at else "")
    return FitError(
        f"Law {law.name!r} has no finite value{where} with {ranges}{more}. Narrow these ranges in @sj.law or with bounds=, or keep what is "
        "inside jnp.exp small and what is inside jnp.log, roots and powers positive, with jnp.where inside and around it."
    )


def overflowing(request: Request, theta: np.ndarray) -> FitError:
    """The error of a law whose derivatives cannot be held at the optimum."""
    names = list(request.law.parameters)[:_SHOWN]
    values = request.params(theta)
    at = ", ".join(f"{name} = {np.ravel(values[name])[0]:.3g}" for name in names)
    return FitError(
        f"The derivatives of law {request.law.name!r} cannot be held in double precision where its fit ends, at {at}. Give its parameters "
        "narrower ranges in @sj.law or bounds=, and inputs and outputs of ordinary size with scale= of read_runs."
    )
