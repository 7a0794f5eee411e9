"""The question that a report answers, in words."""

from __future__ import annotations

import numpy as np

from .page import Section, Text
from .plots import points
from .plots.style import flops, listed, quantity, unit_of
from .study import Study

_LIKELIHOODS = {"StudentT": "Student-t", "Normal": "normal", "Huber": "Huber", "Binomial": "binomial"}


def question(study: Study) -> Section:
    """Law, data, loss and likelihood, groups, budgets, and where the intervals come from: one paragraph."""
    return Section("What was asked", [Text([" ".join([_question(study), _fitted(study), *_groups(study), _uncertainty(study)])])])


def _question(study: Study) -> str:
    law = study.fit.law
    inputs = listed([unit_of(name)[0] for name in law.inputs])
    budgets = [np.atleast_1d(plan.compute) for plan in study.plans.values()]
    if not budgets:
        return f"How does {law.output} depend on {inputs}?"
    low, high = (flops(end(np.concatenate(budgets))) for end in (np.min, np.max))
    return f"How does {law.output} depend on {inputs}, and what should be trained for {low if low == high else f'{low} to {high}'} FLOP?"


def _fitted(study: Study) -> str:
    fit = study.fit
    spans = []
    for name in [*points.scalar_inputs(fit), *(["C"] if points.has_sizes(fit) else [])]:
        values = points.column(fit, name)
        show = quantity if name in ("N", "D") else flops
        label = "6ND" if name == "C" and "C" not in fit.runs else name
        spans.append(f"{label} from {show(values.min())} to {show(values.max())}" + (" FLOP" if name == "C" else ""))
    free = list(dict.fromkeys(slot.name for slot in fit.request.layout.slots))
    reference = f" ({fit.law.reference})" if fit.law.reference else ""
    return (
        f"To answer, the law {fit.law.name}{reference} with the free parameter{'s' if len(free) > 1 else ''} {listed(free)} was fitted to "
        f"{fit.diagnosis.counted}{' with ' * bool(spans)}{listed(spans)}; the fit minimises {fit.minimised}."
    )


def _groups(study: Study) -> list[str]:
    fit = study.fit
    if not fit.groups:
        return []
    request = fit.request
    if request.crossed:
        own = [f"{listed([n for n in fit.law.parameters if request.axis(n) == i])} by {c}" for i, c in enumerate(request.columns)]
        return [f"Groups cross: parameters vary along columns of their own, {listed(own)}; all others are common."]
    how = f"they have {listed(request.share)} in common" if request.share else "each has parameters of its own"
    pooled = study.posterior.model.pooled if study.posterior else ()
    more = f"; in the posterior their values of {listed(pooled)} come from one population each" if pooled else ""
    return [f"The {len(fit.groups)} groups ({request.by}) are {listed(fit.groups)}: {how}{more}."]


def _uncertainty(study: Study) -> str:
    beside = [name for name in study.sources if name != study.source]
    text = f"All intervals and bands are those of {len(study.draws):,} {study.source} draws"
    if study.posterior is not None:
        likelihood = study.posterior.model.likelihood
        kind = type(likelihood).__name__
        name = "beta-binomial" if getattr(likelihood, "overdispersed", False) else _LIKELIHOODS.get(kind, kind)
        text += f", from the priors listed below and a {name} likelihood"
    return text + (f"; {listed(beside)} intervals stand beside them in the table of estimates." if beside else ".")
