"""Pictures of loss curves: what was logged, and what the law says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import FitError
from ...fitting.result import Fit
from ...fitting.uncertainty.residuals import Rows
from . import marks, style
from .interactive import engines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 7  # curves of one picture


@engines
def curves(
    fit: Fit, *, residuals: bool = False, schedule: bool = True, ax: Axes | None = None, **line: Any
) -> Axes:  # fmt: skip
    """Observed loss curves as dots with the fitted law as lines over them, the worst fitted curves first, and their schedules below.

    Args:
        fit: a fit of a law of curves.
        residuals: draw observed - predicted over the step instead, in percent if the fit is on logs.
        schedule: draw the learning rate of every curve in axes below, where the law knows it.
        ax: where to draw.
        **line: for `Axes.plot` of the law (of the residuals).

    Returns:
        The axes.

    Raises:
        FitError: if the law predicts no curves.

    Example: `sj.plot.curves(sj.fit("multi_power", sj.read_curves("logs.csv", run="run", lr="lr")))`.
    """
    if not fit.request.curves:
        raise FitError(f"curves() needs a fit of loss curves; {fit.law.name!r} predicts {fit.law.output} of single runs.")
    ax, log = style.canvas(ax), fit.request.on == "log"
    rates = style.below(ax, 0.26) if schedule and not residuals and "eta" in fit.law.inputs and fit.runs["eta"].ndim == 2 else None
    found = [(rows, int(i)) for rows in fit.diagnosis.rows for i in np.flatnonzero(rows.counted)]
    found.sort(key=lambda pair: -float(np.sqrt(np.mean(pair[0].residual[pair[1]][pair[0].weight[pair[1]] > 0] ** 2))))
    for k, (rows, i) in enumerate(found[:MOST]):
        seen, colour = rows.weight[i] > 0, style.PALETTE[k % len(style.PALETTE)]
        x, r = _steps(fit, rows, i)[seen], rows.residual[i][seen]
        look = {"color": colour, "label": style.inert(marks.run_name(fit, int(rows.row[i])))}
        if residuals:
            ax.plot(x, 100 * np.expm1(r) if log else r, **{**look, "linewidth": 1, **line})
            continue
        observed = fit.runs[fit.law.output][rows.row[i]][seen]
        predicted = observed * np.exp(-r) if log else observed - r
        ax.plot(x, observed, "o", color=colour, markersize=4.5, alpha=0.3, markeredgewidth=0)
        ax.plot(x, predicted, **{**look, "linewidth": 1.2, **line})
        if rates is not None:
            eta = fit.runs["eta"][rows.row[i]][: int(x.max()) + 1]
            rates.plot(np.arange(len(eta)), eta, color=colour, linewidth=1.2)
    if residuals:
        ax.axhline(0, color=style.GREY, linewidth=1)
    unit, output = " (%)" if log else "", style.inert(fit.law.output)
    ax.set_ylabel(f"residual, observed − predicted{unit}" if residuals else output)
    style.legend(ax)
    if rates is None:
        ax.set_xlabel("step")
        return style.finish(ax)
    rates.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    rates.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    style.finish(rates)
    return style.finish(ax)


def _steps(fit: Fit, rows: Rows, i: int) -> np.ndarray:
    """Steps of a curve, or places on it for laws that have none."""
    places = np.arange(rows.weight.shape[1])
    column = fit.runs["t"][rows.row[i]] if "t" in fit.law.inputs else places
    return column if column.shape == places.shape else places
