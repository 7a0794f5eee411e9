"""The top of the report: what the fit says, and what to be careful with, in plain words."""

from __future__ import annotations

import re

import numpy as np

from ..core.checks import rows_text
from ..core.laws.law import Law
from ..core.table import number
from ..fitting.identify import inseparable_inputs
from . import headline
from .digits import plain
from .page import Block, Bullets, Facts, Heading, Section, Text, Verdict
from .plots import points
from .plots.style import listed, quantity
from .study import Study


def verdict(study: Study) -> Section:
    """Three sentences first: what was found, how sure it is, what speaks against it. Then key numbers, and what to be careful with."""
    against = speaks_against(study)
    blocks: list[Block] = [Verdict([headline.found(study), headline.sure(study), headline.opening(study, against)], care=bool(against))]
    if against:
        blocks += [Heading("What speaks against it"), Bullets([*against, *_without(study)])]
    numbers = headline.facts(study)
    if numbers:
        blocks.append(Facts(numbers))
    more = [*_goodness(study), *([study.beyond_runs.sentence] if study.beyond_runs else []), *headline.advice(study)]
    if more:
        blocks += [Heading("In more detail"), Text(more)]
    warnings = cautions(study)
    if warnings:
        blocks += [Heading("Read with care"), Bullets(warnings)]
    return Section("In short", blocks)


def speaks_against(study: Study) -> list[str]:
    """The reasons of the fit's verdict, the hold-out's, and the posterior's: nothing is said to hold that was not asked."""
    reasons = [sentence[0].upper() + sentence[1:] for sentence in study.fit.verdict.reasons]
    largest = study.beyond_runs
    if largest is not None and largest.failed:
        reasons.append(
            f"The {study.percent} band for new runs held only {largest.inside} of the {largest.count} largest runs when they were "
            "left out: beyond the runs the intervals of this report are too narrow."
        )
    if largest is None:
        reasons.append(
            "The law was not asked to look ahead: these runs leave no hold-out of the largest of them, so that nothing tells how far to "
            "trust it beyond the runs."
        )
    if study.posterior is not None and study.posterior.complaints:
        reasons.append("The draws of the posterior are in doubt, see below.")
    return reasons


def cautions(study: Study) -> list[str]:
    """What else should lower a reader's trust, a sentence or two each."""
    posterior = study.posterior.complaints if study.posterior is not None else []
    return [
        *_about_parameters(study), *posterior, *_about_laws(study), *_about_search(study), *_about_data(study), *_about_reach(study),
    ]  # fmt: skip


def _goodness(study: Study) -> list[str]:
    fit = study.fit
    worst = min(fit.diagnosis.groups, key=lambda g: g.r_squared)
    over = f"R² {worst.r_squared:.3f} against a constant" + (f" in the worst group, {worst.name}" if len(fit.diagnosis.groups) > 1 else "")
    half, most = (headline.size(study, float(np.quantile(fit.misses, q))) for q in (0.5, 0.9))
    return [f"Half of the {study.fit.diagnosis.counted} lie within {half} of the law {fit.law.name}, nine in ten within {most} ({over})."]


def _without(study: Study) -> list[str]:
    """The plan of the fit without the outliers, beside the one above."""
    sentences = []
    for group, plan in study.without.items() if len(study.without) <= headline.FEW else ():
        compute, N, D, ratio = (np.atleast_1d(v)[-1] for v in (plan.compute, plan.N, plan.D, plan.tokens_per_parameter))
        before = np.atleast_1d(study.plans[group].tokens_per_parameter)[-1]
        found = study.fit.diagnosis.outliers.rows
        where = f" for {group}" if group else ""
        sentences.append(
            f"Without {rows_text(found)}, which {'lies' if len(found) == 1 else 'lie'} far from the law, the best model{where} at "
            f"{study.budget(plan, float(compute))} has {quantity(N)} parameters and sees {quantity(D)} tokens: {number(ratio, 3)} "
            f"tokens per parameter instead of {number(before, 3)}."
        )
    return sentences


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
        f"the law of this report, which has {headline.percent(weights[own])}"
        if own
        else f"others; {law.name}, the law of this report, is not in it"
    )
    return [f"The comparison of laws prefers {best} (weight {headline.percent(weights[best])}) to {standing}."]


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
                f"For the largest tenth of the runs the law is typically {headline.percent(abs(middle))} too "
                f"{'low' if middle > 0 else 'high'}; what it says of larger runs may be wrong in the same direction."
            )
    return sentences + [f"{flag.message} ({flag.code})" for flag in fit.runs.flags]


def _has_exponent(law: Law, name: str) -> bool:
    """Does a power of this input stand in the law's formula?"""
    return re.search(rf"\b{re.escape(name)}'?\s*[)\]]?\s*\^", law.formula) is not None


def _about_reach(study: Study) -> list[str]:
    sentences, plans = [f"Nothing is said of what to train. {study.no_plan}"] if study.no_plan else [], list(study.plans.values())
    if plans and {"N", "D"} <= set(study.fit.runs.names):
        factor = max(study.beyond(plan, i) for plan in plans for i in range(np.size(plan.compute)))
        if factor > 1:
            sentences.append(
                f"The largest budget is {plain(factor, 2)} times the compute of the largest run. The intervals tell how well the runs "
                "determine the law, not whether the law still holds there."
            )
    for group in study.plans:
        low, high = headline.ratio(study, group)
        if high > 10 * low:
            where = f"For {group} the" if group else "The"
            sentences.append(
                f"{where} runs hardly determine the best split of the largest budget: the interval of its tokens per parameter is "
                f"{high / low:.2g}-fold wide. Runs with other ratios of tokens to parameters would narrow it."
            )
    if any(np.any(plan.edge) for plan in plans):
        sentences.append("Some budgets have no inner optimum: the best N or D lies at the bound that was set.")
    return sentences
