"""`report`: one file that a person reads."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..core.edge.accepted import said
from ..core.errors import DataError, FitError
from ..core.files import write_bytes, write_text
from ..core.laws.chain import Chain
from ..core.numeric.precision import double
from ..decisions.allocate import Allocation
from ..fitting.result import Fit
from ..fitting.uncertainty.draws import Draws
from ..posteriors.posterior import Posterior
from . import sections, uncertainty
from .group_comparison import group_comparison
from .page import Section, to_html, to_markdown
from .planner.block import planner
from .question import question
from .study import Study, make_study
from .verdict import verdict


@double
def report(
    fit: Fit | Posterior,
    path: str | os.PathLike[str],
    *,
    posterior: Posterior | None = None,
    draws: Draws | None = None,
    comparison: Any = None,
    allocation: Allocation | None = None,
    compute: Any = None,
    forecast: bool = True,
    title: str | None = None,
    level: float = 0.9,
) -> Path:
    """Write a report of a fit: the verdict in plain words, then question, data, law, groups compared, estimates, pictures, what to train.

    At its end stand what is needed to repeat it, and a planner with sliders for laws of N and D.

    Args:
        fit: a fit, or a posterior, which brings its own.
        path: a name ending in .html gives one self-contained file, whose only script is the planner; one in .md gives Markdown with its
            pictures in the folder `<stem>_files` beside it.
        posterior: from `sample` with the same law and runs. Given, all intervals and bands are the posterior's.
        draws: for all intervals and bands if there is no posterior, else only shown beside it; default 1,000 bootstrap replicates. Laplace
            intervals are shown too.
        comparison: of laws: anything with `verdict` (a sentence), `weights` (name to weight) and `table()`.
        allocation: from `allocate`; default for laws of N and D alone at the budgets `compute`.
        compute: budgets; default powers of ten from the median run's compute to a hundred times the largest.
        forecast: ask an average of laws, too, what the planned runs will show (`sj.forecast`), whose band knows how wrong laws are beyond
            the runs; for laws of N and D without groups.
        title: heading of the report.
        level: of all intervals.

    Returns:
        The path of the file, which replaces an older one only when it is complete.

    Raises:
        DataError: if the path ends in neither .html nor .md or cannot be written, or the posterior is of another law or other runs.
        FitError: if the fit is of a chain.

    Example: `sj.report(sj.fit("chinchilla", runs), "report.html")`, `sj.report(sj.sample("chinchilla", runs), "report.html")`.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm", ".md"):
        raise DataError(f"report() writes .html or .md files, not {said(path.name)}; rename it.")
    if isinstance(getattr(fit, "law", None), Chain):
        raise FitError("A report is of one law, and this fit is of a chain; fit a stage by itself, sj.fit(law, runs), and report that.")
    if isinstance(fit, Posterior):
        posterior = fit
        fit = posterior.fit
    content = outline(make_study(fit, draws, allocation, compute, level, posterior, comparison, forecast))
    title = title or f"Scaling law report: {fit.law.name}"
    if path.suffix.lower() != ".md":
        return write_text(path, to_html(title, content))
    return _write_markdown(path, *to_markdown(title, content, f"{path.stem}_files"))


def outline(study: Study) -> list[Section]:
    """The sections in the order in which they are read; those that do not apply are left out."""
    return [
        verdict(study),
        question(study),
        sections.data(study),
        sections.law(study),
        *sections.comparison(study),
        *group_comparison(study),
        sections.estimates(study),
        *uncertainty.prior_and_posterior(study),
        uncertainty.identifiability(study),
        *sections.quality(study),
        *sections.extrapolation(study),
        *sections.plane(study),
        *sections.advice(study),
        *uncertainty.diagnostics(study),
        sections.search(study),
        sections.provenance(study),
        *planner(study),
    ]


def _write_markdown(path: Path, text: str, pictures: Mapping[str, bytes]) -> Path:
    """Write pictures, then text. An older report stays whole until then: pictures of other content have other names."""
    targets = {path.parent / name: picture for name, picture in pictures.items()}
    new = [target for target in targets if not target.exists()]
    outdated = _pictures_of(path) - targets.keys()
    try:
        for target in new:
            write_bytes(target, targets[target])
        write_text(path, text)
    except BaseException:
        for target in new:
            target.unlink(missing_ok=True)
        raise
    for target in outdated:
        target.unlink(missing_ok=True)
    return path


def _pictures_of(path: Path) -> set[Path]:
    """Pictures that the report at this path, if there is one, had written for itself."""
    if not path.is_file():
        return set()
    folder = f"{path.stem}_files"
    links = re.findall(rf"\]\({re.escape(quote(folder))}/([\w-]+-[0-9a-f]{{8}}\.png)\)", path.read_text(encoding="utf-8", errors="replace"))
    return {path.parent / folder / link for link in links}
