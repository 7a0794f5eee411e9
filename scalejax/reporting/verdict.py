"""The top of the report: what the fit says, and what to be careful with, in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.checks import rows_text
from ..core.laws.law import Law
from ..core.table import number
from ..fitting.identify import inseparable_inputs
from ..fitting.status import Status
from .page import Block, Bullets, Facts, Heading, Section, Verdict
from .plots import points
from .plots.style import flops, listed, quantity
from .study import Study

FLOOR = ("E", "L_inf")  # what laws call the irreducible loss
HOPELESS = 100.0  # fold, of the interval of tokens per parameter above which no size is named
FEW = 4  # groups that the verdict can speak of one by one


def verdict(study: Study) -> Section:
    """Whether to believe the fit and why not, goodness of fit, key numbers, cautions."""
    against = speaks_against(study)
    summary = [_opening(study, against), *_goodness(study), *_ahead(study), *_advice(study), *_without(study)]
    blocks: list[Block] = [Verdict(summary, care=bool(against))]
    if against:
        blocks += [Heading("What speaks against it"), Bullets(against)]
    facts = _facts(study)
    if facts:
        blocks.append(Facts(facts))
    warnings = cautions(study)
    if warnings:
        blocks += [Heading("Read with care"), Bullets(warnings)]
    return Section("In short", blocks)


def speaks_against(study: Study) -> list[str]:
    """The reasons of the fit's verdict, and the hold-out's."""
    reasons = [sentence[0].upper() + sentence[1:] for sentence in study.fit.verdict.reasons]
    largest = study.beyond_runs
    if largest is not None and largest.failed:
        reasons.append(
            f"The {study.percent} band for new runs held only {largest.inside} of the {largest.count} largest runs when they were "
            "left out: beyond the runs the intervals of this report are too narrow."
        )
    return reasons


def cautions(study: Study) -> list[str]:
    """What else should lower a reader's trust, a sentence or two each."""
    posterior = study.posterior.complaints if study.posterior is not None else []
    return [
        *_about_parameters(study), *posterior, *_about_laws(study), *_about_search(study), *_about_data(study), *_about_reach(study),
    ]  # fmt: skip


def _opening(study: Study, against: Sequence[str]) -> str:
    status, level = study.fit.status, study.fit.verdict.level
    ended = "The fit converged." if status is Status.CONVERGED else f"The fit ended with: {status.value}."
    if not status.usable:
        return f"The fit failed ({status.value}); do not use its numbers. {status.sentence}"
    if level == "poor":
        return f"{ended} It is of no use as it stands, for the reasons below."
    if against:
        return f"{ended} Believe it with care: {'one thing speaks' if len(against) == 1 else f'{len(against)} things speak'} against it."
    return f"{ended} Nothing was found that speaks against it."


def _goodness(study: Study) -> list[str]:
    fit = study.fit
    errors = np.concatenate([np.abs(rows.residual[rows.weight > 0]) for rows in fit.diagnosis.rows])
    worst = min(fit.diagnosis.groups, key=lambda g: g.r_squared)
    over = f"R² {worst.r_squared:.3f} against a constant" + (f" in the worst group, {worst.name}" if len(fit.diagnosis.groups) > 1 else "")
    half, most = (_size(study, float(np.quantile(errors, q))) for q in (0.5, 0.9))
    return [f"Half of the {study.fit.diagnosis.counted} lie within {half} of the law {fit.law.name}, nine in ten within {most} ({over})."]


def _size(study: Study, residual: float) -> str:
    return _percent(np.expm1(residual)) if study.fit.request.on == "log" else number(residual, 2)


def _ahead(study: Study) -> list[str]:
    return [] if study.beyond_runs is None else [study.beyond_runs.sentence]


def _without(study: Study) -> list[str]:
    """The plan of the fit without the outliers, beside the one above."""
    sentences = []
    for group, plan in study.without.items() if len(study.without) <= FEW else ():
        compute, N, D, ratio = (np.atleast_1d(v)[-1] for v in (plan.compute, plan.N, plan.D, plan.tokens_per_parameter))
        before = np.atleast_1d(study.plans[group].tokens_per_parameter)[-1]
        found = study.fit.diagnosis.outliers.rows
        where = f" for {group}" if group else ""
        sentences.append(
            f"Without {rows_text(found)}, which {'lies' if len(found) == 1 else 'lie'} far from the law, the best model{where} at "
            f"{flops(compute)} FLOP has {quantity(N)} parameters and sees {quantity(D)} tokens: {number(ratio, 3)} tokens per parameter "
            f"instead of {number(before, 3)}."
        )
    return sentences


def _advice(study: Study) -> list[str]:
    if len(study.plans) > FEW:
        return ["The best sizes differ between the groups; they are listed below."]
    sentences = []
    for group, plan in study.plans.items():
        compute, N, D, loss = (np.atleast_1d(v)[-1] for v in (plan.compute, plan.N, plan.D, plan.loss))
        where = f"For {group}, at" if group else "At"
        low, high = _ratio(study, group)
        if high > HOPELESS * low:
            sentences.append(
                f"{where} {flops(compute)} FLOP these runs do not determine the best size: {number(low, 2)} to {number(high, 2)} "
                "tokens per parameter are possible."
            )
            continue
        ends = plan.interval(study.level) if plan.draws else {}

        def with_ends(name: str, value: float, show: Callable[[float], str], ends: Mapping[str, Any] = ends) -> str:
            return f"{show(value)}" + (f" ({' to '.join(show(np.atleast_1d(end)[-1]) for end in ends[name])})" if ends else "")

        sentences.append(
            f"{where} {flops(compute)} FLOP the best model has {with_ends('N', N, quantity)} parameters and sees "
            f"{with_ends('D', D, quantity)} tokens. {_expected(study) or 'Its'} predicted loss is "
            f"{with_ends('loss', loss, lambda v: number(v, 4))}."
        )
    return sentences


def _expected(study: Study) -> str:
    """The forecast of the largest budget, before what the law alone says."""
    found = study.forecast
    if found is None:
        return ""
    low, high = (end[-1] for end in found.interval(study.level))
    beyond = f", {number(10 ** found.reach[-1], 2)} times beyond the runs in {found.axis}" if found.reach[-1] > 0 else ""
    return (
        f"An average of {len(found.weights)} laws, whose band knows how wrong such forecasts were, expects a new run there to show a "
        f"loss of {number(found.prediction[-1], 4)} ({number(low, 4)} to {number(high, 4)}){beyond}. This law's own"
    )


def _ratio(study: Study, group: str | None) -> tuple[float, float]:
    """Interval of the tokens per parameter at the largest budget; (1, 1) without draws."""
    plan = study.plans[group]
    if not plan.draws:
        return 1.0, 1.0
    low, high = plan.interval(study.level)["D/N"]
    return float(np.atleast_1d(low)[-1]), float(np.atleast_1d(high)[-1])


def _facts(study: Study) -> list[tuple[str, str, str]]:
    fit, facts = study.fit, []
    half = float(np.median(np.concatenate([np.abs(rows.residual[rows.weight > 0]) for rows in fit.diagnosis.rows])))
    facts.append(("Median error", _size(study, half), f"over {study.fit.diagnosis.counted}"))
    for name in FLOOR:
        if name in fit.params and np.ndim(fit.params[name]) == 0 and name not in fit.curvature[0].boundary:
            low, high = study.limits[name]
            facts.append((f"Irreducible loss {name}", number(study.draws.center[name], 4), _between(study, low, high, 4)))
    for group, plan in study.plans.items() if len(study.plans) <= FEW else ():
        label = f"Tokens per parameter at {flops(np.atleast_1d(plan.compute)[-1])} FLOP" + (f", {group}" if group else "")
        value = np.atleast_1d(plan.tokens_per_parameter)[-1]
        remark = ""
        if plan.draws:
            low, high = _ratio(study, group)
            if high > HOPELESS * low:  # the sentence above says so
                continue
            remark = _between(study, low, high, 3)
        facts.append((label, number(value, 3), remark))
    return facts


def _about_parameters(study: Study) -> list[str]:
    shapes, line = study.fit.curvature, inseparable_inputs(study.fit.request)
    where = "" if study.posterior is None else "In the point fit "
    sentences = [line] if line else []
    sentences += [
        f"{where}{', '.join(names)} {'lies' if len(names) == 1 else 'lie'} at the edge of the possible range: the runs show no effect."
        for names in [list(dict.fromkeys(label for shape in shapes for label in shape.boundary))] if names
    ] + [
        f"The runs do not determine {', '.join(names)}: other values fit as well, and the intervals are infinite."
        for names in [list(dict.fromkeys(label for shape in shapes for label in shape.flat))] if names
    ]  # fmt: skip
    apart = {name: _disagreeing(study, name) for name in study.sources}
    if any(apart.values()):
        whose = listed([f"{name} ({listed(names)})" for name, names in apart.items() if names])
        sentences.append(
            f"The intervals from {study.source} draws differ by more than half in width from those from {whose}. Take their ends as rough."
        )
    return sentences


def _disagreeing(study: Study, other: str) -> list[str]:
    """Parameters whose intervals from another source differ much in width from those to rely on."""
    limits, names = study.sources[other].interval(study.level), []
    for name, (low, high) in study.limits.items():
        if name in study.fit.curvature[0].boundary:  # Laplace's draws hold it
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (np.asarray(high) - low) / np.subtract(*limits[name][::-1])
        if np.any((ratio > 1.5) | (ratio < 1 / 1.5)):
            names.append(name)
    return names


def _about_laws(study: Study) -> list[str]:
    """Whether the comparison prefers another law."""
    if study.comparison is None:
        return []
    law, weights, known = study.fit.law, study.comparison.weights, getattr(study.comparison, "posteriors", {})
    own = next((name for name in weights if name == law.name or (name in known and known[name].law == law)), None)
    best = max(weights, key=weights.get)
    if best == own:
        return []
    standing = (
        f"the law of this report, which has {_percent(weights[own])}"
        if own
        else f"others; {law.name}, the law of this report, is not in it"
    )
    return [f"The comparison of laws prefers {best} (weight {_percent(weights[best])}) to {standing}."]


def _about_search(study: Study) -> list[str]:
    starts, sentences = study.fit.starts, []
    if starts.refined > 1 and starts.agreeing < 0.25 * starts.refined and "starts" not in study.fit.verdict.codes:
        sentences.append(
            f"Only {starts.agreeing} of {starts.refined} refined starts reached the best optimum; fit again with more starts to be sure."
        )
    for name, draws in study.sources.items():
        if draws.failed > 0.02 * len(draws):
            sentences.append(f"{draws.failed} of {len(draws):,} {name} draws did not converge, so these intervals are not to be trusted.")
    return sentences


def _about_data(study: Study) -> list[str]:
    fit, sentences = study.fit, []
    runs, free = int((~fit.runs.excluded).sum()), fit.request.layout.size * fit.theta.shape[1]
    if study.one_output and runs < 5 * free:
        sentences.append(f"There are only {runs} runs for {free} free parameters; intervals from so few are optimistic.")
    for name in points.scalar_inputs(fit):
        values = points.column(fit, name)
        if _has_exponent(fit.law, name) and values.min() > 0 and values.max() < 10 * values.min():
            sentences.append(
                f"{name} varies only {values.max() / values.min():.2g}-fold over the runs, too little to trust its exponent far."
            )
    scale = points.default_scale(fit)
    if study.one_output and scale is not None and runs >= 50:
        largest = np.argsort(points.column(fit, scale))[-(runs // 10) :]
        errors = points.relative_errors(fit)[largest]
        middle = np.median(errors)
        doubt = 1.4826 * np.median(np.abs(errors - middle)) * 1.2533 / np.sqrt(len(errors))  # standard error of a median
        if abs(middle) > 2.5 * doubt:
            sentences.append(
                f"For the largest tenth of the runs the law is typically {_percent(abs(middle))} too {'low' if middle > 0 else 'high'}; "
                "what it says of larger runs may be wrong in the same direction."
            )
    return sentences + [f"{flag.message} ({flag.code})" for flag in fit.runs.flags]


def _has_exponent(law: Law, name: str) -> bool:
    """Does a power of this input stand in the law's formula?"""
    return re.search(rf"\b{re.escape(name)}'?\s*[)\]]?\s*\^", law.formula) is not None


def _about_reach(study: Study) -> list[str]:
    sentences, plans = [f"Nothing is said of what to train. {study.no_plan}"] if study.no_plan else [], list(study.plans.values())
    if plans and {"N", "D"} <= set(study.fit.runs.names):
        largest = points.column(study.fit, "C").max()
        factor = max(float(np.max(plan.compute)) for plan in plans) / largest
        if factor > 1:
            sentences.append(
                f"The largest budget is {factor:.2g} times the compute of the largest run. The intervals tell how well the runs determine "
                "the law, not whether the law still holds there."
            )
    for group in study.plans:
        low, high = _ratio(study, group)
        if high > 10 * low:
            where = f"For {group} the" if group else "The"
            sentences.append(
                f"{where} runs hardly determine the best split of the largest budget: the interval of its tokens per parameter is "
                f"{high / low:.2g}-fold wide. Runs with other ratios of tokens to parameters would narrow it."
            )
    if any(np.any(plan.edge) for plan in plans):
        sentences.append("Some budgets have no inner optimum: the best N or D lies at the bound that was set.")
    return sentences


def _between(study: Study, low: float, high: float, digits: int) -> str:
    return f"{study.percent} interval {number(low, digits)} to {number(high, digits)}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
