"""The sections of the report below its verdict."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from ..comparison.forecast.result import Forecast
from ..core.checks import rows_text
from ..core.table import Cell, Table, number
from ..decisions.allocate import Allocation
from ..posteriors.checks.diagnostics import Chains
from ..posteriors.priors import describe
from . import plot
from .digits import estimate, plain
from .page import Block, Bullets, Code, Details, Heading, Numbers, Picture, Section, Text, Verdict
from .plots import marks, points, style
from .plots.curves import MOST
from .plots.style import GREEN, flops, listed, quantity
from .study import FACTORS, Study, compute_wasted, wrong_sizes

PICTURED = 12  # groups with pictures of their own; tables have all


def data(study: Study) -> Section:
    """What was fitted."""
    runs, used = study.fit.runs, study.fit.runs.used
    left_out = len(runs) - used
    text = f"{study.fit.diagnosis.counted} were fitted" + (
        f"; {left_out} more {'is' if left_out == 1 else 'are'} left out." if left_out else "."
    )
    relevant = [n for n in (*study.fit.law.inputs, study.fit.law.output, runs.weighted_by or "") if n in runs]
    names = [name for name in dict.fromkeys(relevant) if runs[name].dtype.kind == "f" and runs[name].ndim == 1]
    names += ["C"] if {"N", "D"} <= set(names) and "C" not in names else []
    constant = {name: float(points.column(study.fit, name)[0]) for name in names if np.ptp(points.column(study.fit, name)) == 0}
    if constant:
        text += f" In all of them {listed([f'{name} is {plain(value, 4)}' for name, value in constant.items()])}."
    names = [name for name in names if name not in constant]
    rows = []
    for name in names:
        values = points.column(study.fit, name)
        show = quantity if name in ("N", "D") else flops if name == "C" else partial(number, digits=4)
        rows.append([f"{name} = 6ND" if name == "C" and name not in runs else name, *map(show, np.quantile(values, [0, 0.5, 1]))])
    if study.fit.request.curves:
        values = study.fit.observed[study.fit._seen]
        rows.append([study.fit.law.output, *(number(v, 4) for v in np.quantile(values, [0, 0.5, 1]))])
    blocks: list[Block] = [Text([text]), Numbers(Table(["column", "smallest", "median", "largest"], rows))]
    if study.fit.groups:
        blocks.append(Numbers(study.fit.diagnosis.table()))
    suspicious = [f"{flag.message} ({flag.code})" for flag in runs.flags]
    suspicious += [f"{r.message[0].upper()}{r.message[1:]}" for r in study.fit.diagnosis.remarks if r.code in ("outliers", "leverage")]
    blocks.append(Bullets(suspicious) if suspicious else Text(["No run looks suspicious."]))
    return Section("Data", blocks)


def law(study: Study) -> Section:
    """The formula, its symbols and its paper."""
    fitted = study.fit.law
    paragraphs = inspect.cleandoc(fitted.__doc__ or "").split("\n\n")
    symbols = [" ".join(p.split()).replace("`", "") for p in paragraphs if p.startswith("Symbols:")]
    held = [f"Held fixed: {', '.join(f'{name} = {value:g}' for name, value in fitted.bound)}."] if fitted.bound else []
    reference = [f"Reference: {fitted.reference}."] if fitted.reference else []
    return Section("Law", [Text([f"{fitted.name}: {fitted.summary}"]), Code(fitted.formula), Text([*symbols, *held, *reference])])


def _joined(low: str, high: str) -> str:
    """An interval from the cells of its ends."""
    ends = [cell.value for cell in (low, high) if isinstance(cell, Cell) and isinstance(cell.value, float)]
    return Cell(f"{low} – {high}", (ends[0], ends[1])) if len(ends) == 2 else f"{low} – {high}"


def estimates(study: Study) -> Section:
    """Parameters with the intervals to rely on; those of other sources on demand."""
    fit, head = study.fit, ["parameter", "estimate", f"{study.percent} interval", "std. error", "remark"]
    recommended, center = study.sources[study.source], study.draws.center
    errors, rows = recommended.standard_errors, []
    labels = iter(fit.table(study.level).rows)
    for name in fit.law.shown:
        values = np.asarray(center[name])
        for index in np.ndindex(values.shape):
            label, *_, remark = next(labels)
            low, high = (float(np.asarray(end)[index]) for end in study.limits[name])
            value, first, last = estimate(float(values[index]), low, high)
            held = low == high
            error = "—" if held else plain(float(np.asarray(errors[name])[index]), 2)
            rows.append([label, value, "—" if held else f"{first} to {last}", error, remark])
    width = len(head) if any(row[-1] for row in rows) else len(head) - 1
    return Section(
        "Estimates",
        [
            Text([f"All intervals and bands of this report are those of the {study.source} draws ({study.why_recommended})."]),
            Numbers(Table(head[:width], [row[:width] for row in rows])),
            Details("Intervals from other sources, in full digits", _all_sources(study)),
        ],
    )


def _all_sources(study: Study) -> list[Block]:
    """One row for each parameter and source, and their picture."""
    tables = {name: source.table(study.level).rows for name, source in study.sources.items()}
    rows = []
    for i, (label, *_, remark) in enumerate(study.fit.table(study.level).rows):
        for name, table in tables.items():
            center, error, low, high = table[i][1:5]
            rows.append([label, name, center, _joined(low, high), error, remark])
    head = ["parameter", "source", "centre", f"{study.percent} interval", "std. error", "remark"]
    width = len(head) if any(row[-1] for row in rows) else len(head) - 1
    others = [name for name, source in study.sources.items() if source is not study.posterior]
    how = f"The centre of {listed(others)} draws is the fit's estimate" + ", that of the posterior its median" * (
        study.posterior is not None
    )
    notes = [f"{how}.", *(f"{name}: {len(draws):,} draws, {draws.kind}." for name, draws in study.sources.items())]
    caption = (
        f"{study.percent} intervals relative to the estimate; dots are the centres of the draws. Where the sources disagree, take the "
        "intervals as rough."
    )
    return [
        Numbers(Table(head[:width], [row[:width] for row in rows], notes=notes)),
        Picture(partial(plot.intervals, study.sources, level=study.level), caption),
    ]


def quality(study: Study) -> list[Section]:
    """Pictures of the fit; none for laws of several targets."""
    fit = study.fit
    if fit.request.curves:
        shown = f" The {MOST} worst fitted of {fit.runs.used:,} curves." if fit.runs.used > MOST else ""
        loss = f"Observed losses (dots) and the law (lines).{shown}"
        rest = "Residuals along the curves. Stretches on one side of zero are what the law misses: neighbouring steps err together."
        return [
            Section(
                "How well it fits", [Picture(partial(plot.curves, fit), loss), Picture(partial(plot.curves, fit, residuals=True), rest)]
            )
        ]
    if not study.one_output:
        return []
    pictures: list[Block] = [
        Picture(partial(plot.fit_against_observed, fit), "Observed against predicted; runs on the line are predicted exactly.")
    ]
    if points.default_scale(fit) is not None:
        caption = "Residuals by scale. A trend at the right end is a warning for every extrapolation."
        if len(fit.observed) >= marks.ENOUGH_FOR_A_TREND:
            caption += " The line is a smooth trend to both ends; the band is 1.48 median absolute deviations wide on each side."
        pictures.append(Picture(partial(plot.residuals, fit), caption))
    return [Section("How well it fits", pictures)]


def extrapolation(study: Study) -> list[Section]:
    """The fan beyond the runs; none for laws that have no single scale."""
    inputs, scalars = study.fit.law.inputs, points.scalar_inputs(study.fit)
    if not study.one_output or (set(inputs) != {"N", "D"} and [*inputs] != scalars[:1]):
        return []
    along = (
        "compute, with parameters and tokens split in the best way: runs above it were split otherwise" if len(inputs) == 2 else inputs[0]
    )
    caption = (
        f"The law along {along}. Blue: where its value lies, in 50, 80 and 95 % of the {study.source} draws. Orange, between the dashed "
        "lines: where a single new run would lie, scatter included, with 95 %. The shaded part is beyond the runs: the bands "
        "assume that the law still holds there."
    )
    blocks: list[Block] = []
    groups = points.chosen_groups(study.fit, None)
    if len(groups) > PICTURED:
        rest = f"Of {len(groups):,} groups the first {PICTURED} are drawn; sj.plot.fan(fit, draws, group=...) draws any of them."
        blocks.append(Text([rest]))
    for group in groups[:PICTURED]:
        draw = partial(plot.fan, study.fit, study.draws, group=group)
        if study.forecast is None or len(inputs) == 1:
            blocks.append(_of_group(group, [Picture(draw, caption)]))
        else:
            more = f" Green: what an average of laws forecasts for new runs at the planned sizes, with {study.percent}."
            blocks.append(Picture(partial(_with_forecast, draw, study), caption + more))
    return [Section("Beyond the runs", blocks)]


def _of_group(group: str | None, blocks: list[Block]) -> Block:
    """What is said of every group is seen on demand: groups are compared before."""
    return Details(group, blocks) if group else blocks[0]


def _with_forecast(draw: Callable[[], Any], study: Study) -> Any:
    """The fan with the forecast of the plan."""
    ax, found, plan = draw(), study.forecast, study.plans[None]
    assert found is not None
    low, high = found.interval(study.level)
    compute, middle = np.atleast_1d(plan.compute), found.prediction
    shown = (compute >= ax.get_xlim()[0]) & (compute <= ax.get_xlim()[1])
    ends = np.stack([middle - low, high - middle])[:, shown]
    ax.errorbar(compute[shown], middle[shown], ends, fmt="o", markersize=4, color=GREEN, capsize=3, label=f"forecast, {study.percent}")
    bottom, top = ax.get_ylim()
    ax.set_ylim(min(bottom, 0.99 * low[shown].min(initial=np.inf)), max(top, 1.01 * high[shown].max(initial=-np.inf)))
    style.legend(ax)
    return ax


def plane(study: Study) -> list[Section]:
    """Loss over N and D."""
    blocks: list[Block] = []
    for group in [group for group in study.plans if study.drawable(group)][:PICTURED]:
        draw = partial(plot.iso_loss, study.fit, study.draws, group=group, level=study.level)
        caption = (
            "Predicted loss over parameters and tokens. The runs wear the colour of their observed loss: one that stands out from its "
            f"background is predicted badly. Dotted: equal compute. Orange: the best split, with its {study.percent} band."
        )
        blocks.append(_of_group(group, [Picture(draw, caption)]))
    return [Section("Loss over size and data", blocks)] if blocks else []


def comparison(study: Study) -> list[Section]:
    """Which law to believe, if laws were compared."""
    found = study.comparison
    if found is None:
        return []
    ordered = sorted(found.weights.items(), key=lambda pair: -pair[1])
    weights = ", ".join(f"{name} {100 * weight:.2g} %" for name, weight in ordered)
    return [Section("Comparison of laws", [Verdict([found.verdict]), Text([f"Weights: {weights}."]), Numbers(found.table())])]


def advice(study: Study) -> list[Section]:
    """Optimal sizes and what a wrong choice costs."""
    blocks: list[Block] = []
    for i, (group, plan) in enumerate(study.plans.items()):
        blocks += [Heading(group)] if group else []
        blocks.append(Numbers(_plan_table(study, plan, study.forecast)))
        if group in study.without:
            without = rows_text(study.fit.diagnosis.outliers.rows)
            blocks += [Text([f"The same without {without}, far from the law:"]), Numbers(_plan_table(study, study.without[group]))]
        if i >= PICTURED:
            continue
        if np.size(plan.compute) > 1:
            caption = f"Compute-optimal parameters and tokens, with {study.percent} bands."
            blocks.append(Picture(partial(plot.optimal_sizes, plan, level=study.level), caption))
        if study.drawable(group):
            wrong = _wrong_choice(study, plan, group)
            blocks += [Details(f"What a wrong size costs, {group}", wrong[1:])] if group else wrong
    return [Section("What to train", blocks)] if blocks else []


def _plan_table(study: Study, plan: Allocation, forecast: Forecast | None = None) -> Table:
    limits, count = plan.interval(study.level) if plan.draws else {}, np.size(plan.compute)
    values = {"N": plan.N, "D": plan.D, "D/N": plan.tokens_per_parameter, "loss": plan.loss}
    rows = []
    for i, compute in enumerate(np.atleast_1d(plan.compute)):
        row = [study.budget(plan, float(compute))]
        for name, value in values.items():
            one = float(np.atleast_1d(value)[i])
            if not limits:
                row.append(quantity(one) if name in ("N", "D") else number(one, 4 if name == "loss" else 3))
                continue
            low, high = (float(np.atleast_1d(end)[i]) for end in limits[name])
            show = tuple(map(quantity, (one, low, high))) if name in ("N", "D") else estimate(one, low, high)
            show = (number(one, 3), *show[1:]) if name == "D/N" else show  # as many digits as its two parts
            row.append("{} ({}–{})".format(*show))
        if forecast is not None:
            low, high = (float(end[i]) for end in forecast.interval(study.level))
            row.append("{} ({}–{})".format(*estimate(float(forecast.prediction[i]), low, high)))
        rows.append([*row, _times(study.beyond(plan, i))])
    notes = [f"Budget counted by {plan.cost}" + (f"; in brackets {study.percent} intervals, {plan.kind}." if limits else ".")]
    output = study.fit.law.output
    head = ["budget", "parameters N", "tokens D", "tokens per parameter", output]
    if forecast is not None:
        head[-1] = f"{output}, this law"
        head.append(f"{output}, forecast")
        notes.append(f"The forecast is of a new run, by an average of {len(forecast.weights)} laws. {forecast.verdict}")
    if max(study.beyond(plan, i) for i in range(count)) <= 1:  # nothing lies beyond the runs
        return Table(head, [row[:-1] for row in rows], notes=notes)
    return Table([*head, "times the largest run"], rows, notes=notes)


def _times(factor: float) -> str:
    return plain(factor, 2) if factor > 1 else "within"


def _wrong_choice(study: Study, plan: Allocation, group: str | None) -> list[Block]:
    """Loss at other sizes for the same budget."""
    wrong, best = wrong_sizes(study, group), np.atleast_1d(plan.loss)
    rows = [
        [
            study.budget(plan, float(compute)),
            number(best[i], 4),
            *(f"{number(loss, 4)} (+{number(loss - best[i], 2)})" for loss in wrong[i]),
        ]
        for i, compute in enumerate(np.atleast_1d(plan.compute))
    ]
    shares = compute_wasted(study, group)
    wasted = ", ".join(f"{100 * share:.0f} % at {name}" for share, name in zip(shares, FACTORS, strict=True))
    return [
        Heading("What a wrong size costs"),
        Text(
            [
                "The loss if the model is smaller or larger than the best one and the tokens use up the same budget.",
                f"At {flops(np.max(plan.compute))} FLOP this is as bad as losing a part of the budget: {wasted}.",
            ]
        ),
        Numbers(Table(["budget", "best loss", *FACTORS], rows)),
    ]


def search(study: Study) -> Section:
    """How the optimum was found."""
    starts = study.fit.starts
    text = (
        f"{starts.screened:,} starts were evaluated and {starts.refined:,} of them refined, the best first. {starts.agreeing:,} of these "
        f"reached the same lowest objective, {number(study.fit.objective, 8)}. "
        + ("They found one optimum." if starts.optima == 1 else f"The converged ones lie in {starts.optima} distinct optima.")
    )
    rows = []
    for name, count in Counter(starts.status[starts.status != ""].tolist()).most_common():
        steps = starts.iterations[starts.status == name]
        rows.append([name, f"{count:,}", f"{np.median(steps):.0f}", str(int(steps.max()))])
    head = ["how a start ended", "starts", "median iterations", "most"]
    return Section("How the fit was found", [Text([text]), Numbers(Table(head, rows))])


def provenance(study: Study) -> Section:
    """All that is needed to repeat the fit."""
    fit, request = study.fit, study.fit.request
    entries = {
        "law": repr(fit.law),
        "recipe": fit.recipe,
        "loss": f"{request.loss!r}, on {request.on}",
        "fixed": _pairs(request.asked_fix),
        "tied": _pairs(request.tie),
        "bounds": _pairs(request.bounds),
        "groups": request.by if isinstance(request.by, str) else _pairs(request.by or {}),
        "shared": ", ".join(request.share),
        "weights": "given" if request.weights is not None else f"column {fit.runs.weighted_by}" if fit.runs.weighted_by else "",
        "solver": f"{fit.solver}, {fit.starts.screened:,} starts, seed {fit.seed}, {fit.seconds:.2f} s",
        "data digest": fit.runs.digest,
        **{f"draws, {name}": f"{len(draws):,}, {draws.kind}" for name, draws in study.sources.items()},
        **_of_posterior(study),
        "versions": _pairs(fit.versions),
    }
    rows = [[name, value] for name, value in entries.items() if value]
    return Section("To repeat this", [Numbers(Table(["what", "value"], rows), words=True)])


def _of_posterior(study: Study) -> dict[str, str]:
    posterior = study.posterior
    if posterior is None:
        return {}
    on = "" if posterior.model.likelihood.counts else f", on {posterior.request.on}"
    return {
        "likelihood": f"{posterior.model.likelihood!r}{on}",
        "chains": f"{posterior.sampler.count} of {len(posterior) // posterior.sampler.count:,} draws"
        if isinstance(posterior.sampler, Chains) else "",
        "pooled": ", ".join(posterior.model.pooled),
        "priors": "; ".join(f"{name} ~ {describe(prior)}" for name, prior in posterior.priors.items()),
        "sampler": f"NumPyro {version('numpyro')}",
    }  # fmt: skip


def _pairs(mapping) -> str:
    return ", ".join(f"{name} = {value}" if not isinstance(value, str) else f"{name} {value}" for name, value in mapping.items())
