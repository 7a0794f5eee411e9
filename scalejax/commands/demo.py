"""The main job on embedded real runs: read, hold out the largest, fit, sample, plan, report."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..core.files import write_bytes, write_text
from ..core.laws.law import Law
from ..core.runs import Runs
from ..core.table import Table, number
from ..data.datasets import load
from ..decisions.allocate import allocate
from ..fitting.fit import fit
from ..fitting.uncertainty.bootstrap import bootstrap
from ..posteriors.sample import sample
from ..reporting import plot
from ..reporting.report import report
from ..zoo import laws

HELD_OUT = 6  # runs with the largest compute, predicted from the others
SAMPLER: dict[str, Any] = {}  # the defaults of `sample`; tests are in more of a hurry
CANDIDATES = (laws.chinchilla, laws.chinchilla_outer)


def run_demo(folder: Path, say: Callable[[str], Any] = print) -> None:
    """Fit the embedded suite, predict its largest runs from the others, sample the posterior, plan larger runs.

    Tables, plots, fit, posterior and report are written to `folder`.
    """
    runs = load("pylib")
    say(f"Our own suite of small language models, {len(runs)} runs:\n{runs!r}\n")

    train, held = split(runs)
    law = choose(train)
    table = holdout(law, train, held)
    _save_table(folder, "holdout", table)
    say(table.text() + "\n")

    fitted = fit(law, runs)
    fitted.save(folder / "fit.json")
    draws = bootstrap(fitted, 2000, progress=False)
    _save_table(folder, "estimates", draws.table())
    say(f"{fitted!r}\n\n{draws!r}\n")

    posterior = sample(law, runs, progress=False, **SAMPLER)
    posterior.save(folder / "posterior.npz")
    _save_table(folder, "posterior", posterior.table())
    say(f"{posterior!r}\n")

    plan = allocate(posterior, compute=np.logspace(11, 16, 11))
    _save_table(folder, "allocation", plan.table())
    say(f"{plan!r}\n")

    pictures = {
        "observed_and_predicted": lambda ax: plot.fit_against_observed(fitted, ax=ax),
        "residuals": lambda ax: plot.residuals(fitted, ax=ax),
        "iso_loss": lambda ax: plot.iso_loss(fitted, draws=posterior, ax=ax),
        "optimal_sizes": lambda ax: plot.optimal_sizes(plan, ax=ax),
        "loss_against_compute": lambda ax: plot.loss_against_compute(fitted, draws=posterior, ax=ax),
        "beyond_the_runs": lambda ax: plot.fan(fitted, posterior, ax=ax),
    }
    for name, draw in pictures.items():
        save_picture(folder / f"{name}.png", draw)
    title = "Scaling of byte-level models on Python sources"
    path = report(fitted, folder / "report.html", posterior=posterior, draws=draws, allocation=plan, title=title)
    say(f"Wrote {len(pictures)} plots, 4 tables, fit.json, posterior.npz and {path}")


def split(runs: Runs, count: int = HELD_OUT) -> tuple[Runs, Runs]:
    """All but the `count` runs with the largest compute, and those."""
    order = np.argsort(6 * runs["N"] * runs["D"], kind="stable")
    return runs.take(np.sort(order[:-count])), runs.take(order[-count:])


def choose(train: Runs) -> Law:
    """The candidate law that, fitted to the smaller training runs, best predicts the larger ones; the held-out runs are not looked at."""
    smaller, larger = split(train)

    def error(law: Law) -> float:
        predicted = fit(law, smaller).predict(N=larger["N"], D=larger["D"])
        return float(np.mean(np.abs(np.log(predicted / larger["loss"]))))

    return min(CANDIDATES, key=error)


def holdout(law: Law, train: Runs, held: Runs, level: float = 0.9) -> Table:
    """Fit `law` to `train` and predict `held`, with intervals for a new run."""
    fitted = fit(law, train)
    inputs = {"N": held["N"], "D": held["D"]}
    predicted, observed = fitted.predict(**inputs), held["loss"]
    low, high = bootstrap(fitted, 2000, progress=False).predict_interval(level, kind="run", **inputs)
    error = predicted / observed - 1
    inside = int(((low <= observed) & (observed <= high)).sum())
    rows = [
        [f"{6 * n * d:.2e}", number(n, 4), number(d, 4), number(o), number(p), f"{100 * e:+.2f} %", f"{number(a)} – {number(b)}"]
        for n, d, o, p, e, a, b in zip(held["N"], held["D"], observed, predicted, error, low, high, strict=True)
    ]
    reach = float((held["N"] * held["D"]).max() / (train["N"] * train["D"]).max())
    note = (
        f"{law.name} fitted on the other {len(train)} runs, {reach:.1f} times less compute than the largest here: mean error "
        f"{100 * np.mean(np.abs(error)):.2f} %, {inside} of {len(held)} inside the {100 * level:g} % interval of a new run"
    )
    return Table(
        ["compute", "N", "D", "observed", "predicted", "error", f"new run, {100 * level:g} %"], rows, "Largest runs, held out", [note]
    )


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
