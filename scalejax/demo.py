"""The main job on embedded real runs: read, fit, hold out the largest, plan, report."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .core.files import write_bytes, write_text
from .core.runs import Runs
from .core.table import Table, number
from .datasets import load
from .decisions.allocate import allocate
from .fitting.bootstrap import bootstrap
from .fitting.fit import fit
from .reporting import plot
from .reporting.report import report
from .zoo import laws

HELD_OUT = 6  # runs with the largest compute, predicted from the others


def run_demo(folder: Path, say: Callable[[str], Any] = print) -> None:
    """Fit the embedded suite, predict its largest runs from the others, plan larger ones; write tables, plots and report to `folder`."""
    runs = load("pylib")
    say(f"Our own suite of small language models, {len(runs)} runs:\n{runs!r}\n")

    held = holdout(runs)
    _save_table(folder, "holdout", held)
    say(held.text() + "\n")

    fitted = fit(laws.chinchilla, runs)
    fitted.save(folder / "fit.json")
    draws = bootstrap(fitted, 2000, progress=False)
    _save_table(folder, "estimates", draws.summary())
    say(f"{fitted!r}\n\n{draws!r}\n")

    budgets = np.logspace(13, 17, 9)
    plan = allocate(draws, compute=budgets)
    _save_table(folder, "allocation", plan.table())
    say(f"{plan!r}\n")

    pictures = {
        "observed_and_predicted": lambda ax: plot.fit_against_observed(fitted, ax=ax),
        "residuals": lambda ax: plot.residuals(fitted, ax=ax),
        "iso_loss": lambda ax: plot.iso_loss(fitted, draws=draws, ax=ax),
        "optimal_sizes": lambda ax: plot.optimal_sizes(plan, ax=ax),
        "loss_against_compute": lambda ax: plot.loss_against_compute(fitted, draws=draws, ax=ax),
    }
    for name, draw in pictures.items():
        save_picture(folder / f"{name}.png", draw)
    path = report(fitted, folder / "report.html", draws=draws, allocation=plan, title="Scaling of byte-level models on Python sources")
    say(f"Wrote {len(pictures)} plots, 3 tables, fit.json and {path}")


def holdout(runs: Runs, count: int = HELD_OUT, level: float = 0.9) -> Table:
    """Fit on all but the `count` runs with the largest compute, and predict those, with intervals for a new run."""
    compute = 6 * runs["N"] * runs["D"]
    largest = np.argsort(compute)[-count:]
    train = runs.take(np.setdiff1d(np.arange(len(runs)), largest))
    fitted = fit(laws.chinchilla, train)
    draws = bootstrap(fitted, 2000, progress=False)
    rows, inside, errors = [], 0, []
    for i in largest:
        where = {"N": runs["N"][i], "D": runs["D"][i]}
        predicted, observed = fitted.predict(**where), runs["loss"][i]
        low, high = draws.predict_interval(level, kind="run", **where)
        inside += low <= observed <= high
        errors.append(abs(predicted / observed - 1))
        rows.append(
            [f"{compute[i]:.2e}", number(where["N"], 4), number(where["D"], 4), number(observed), number(predicted),
             f"{100 * (predicted / observed - 1):+.2f} %", f"{number(low)} – {number(high)}"]
        )  # fmt: skip
    percent = f"{100 * level:g} %"
    notes = [
        f"mean error {100 * np.mean(errors):.2f} %, {inside} of {count} inside the {percent} interval; fitted on the other {len(train)} runs, "
        f"whose largest has {1 / (np.sort(compute)[-count - 1] / compute.max()):.1f} times less compute than the largest held out"
    ]
    return Table(["compute", "N", "D", "observed", "predicted", "error", f"new run, {percent}"], rows, "Largest runs, held out", notes)


def save_picture(path: Path, draw: Callable[[Any], Any]) -> Path:
    """Write what `draw(ax)` draws as a PNG, atomically and without touching pyplot's state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.subplots())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return write_bytes(path, buffer.getvalue())


def _save_table(folder: Path, name: str, table: Table) -> None:
    write_text(folder / f"{name}.md", table.markdown() + "\n")
    write_text(folder / f"{name}.tex", table.latex() + "\n")
