"""The head of a report: the answer, how sure it is, and the numbers that carry it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from ..comparison.forecast.result import Forecast
from ..core.table import number
from ..decisions.allocate import Allocation
from ..fitting.status import Status
from .digits import estimate, plain
from .plots import points
from .plots.style import quantity
from .study import Study

FLOOR = ("E", "L_inf")  # what laws call the irreducible loss
HOPELESS = 100.0  # fold, of the interval of tokens per parameter above which no size is named
FEW = 4  # groups that the head can speak of one by one


def found(study: Study) -> str:
    """The answer in a sentence: what to train, or what the law is."""
    if not study.plans:
        return _of_law(study)
    if len(study.plans) == 1:
        ((group, plan),) = study.plans.items()
        budget, (low, high) = study.budget(plan, float(np.atleast_1d(plan.compute)[-1])), ratio(study, group)
        if high > HOPELESS * low:
            ends = f"{plain(low, 2)} to {plain(high, 2)}"
            return f"At {budget} these runs do not determine the best size: {ends} tokens per parameter are possible."
        N, D, loss = (_with_ends(study, plan, name) for name in ("N", "D", "loss"))
        of, output = f" of {group}" if group else "", study.fit.law.output
        what = (
            f"a predicted {output} of {loss}"
            if study.forecast is None
            else f"an expected {output} of {_forecast_text(study.forecast, study.level)}"
        )
        return f"At {budget} the best model{of} has {N} parameters and sees {D} tokens, for {what}."
    best = groups_by_loss(study)
    if not best:
        return f"The best sizes of the {len(study.plans)} groups differ; they are listed below."
    plan = study.plans[best[0].group]
    budget = study.budget(plan, float(np.atleast_1d(plan.compute)[-1]))
    first, second = best[:2]
    among = "both" if len(best) == 2 else f"all {len(best)}"
    chance = f", the lowest of {among} in {share(first.best)} of the draws" if first.best is not None else ""
    return (
        f"At {budget} {first.group} reaches the lowest {study.fit.law.output}, {number(first.loss, 4)} against {number(second.loss, 4)} of "
        f"{second.group}{chance}."
    )


def _of_law(study: Study) -> str:
    fit = study.fit
    name = next((n for n in FLOOR if n in fit.params and np.ndim(fit.params[n]) == 0 and n not in fit.curvature[0].boundary), None)
    scale = points.default_scale(fit) if study.one_output else None
    over = ""
    if scale is not None:
        values = points.column(fit, scale)
        show = quantity if values.max() >= 1e4 else partial(plain, digits=3)
        over = f" for {scale} from {show(values.min())} to {show(values.max())}"
    floor = ""
    if name is not None:
        value, low, high = estimate(float(study.draws.center[name]), *map(float, study.limits[name]))
        floor = f", with an irreducible loss {name} of {value} ({low} to {high})"
    return f"{fit.law.output[0].upper()}{fit.law.output[1:]} follows the law {fit.law.name}{over}{floor}."


def sure(study: Study) -> str:
    """How well the law holds at the runs, what it did when asked to look ahead, and how far the answer lies beyond the runs."""
    parts = [
        f"nine in ten of the {study.fit.diagnosis.counted} lie within {size(study, float(np.quantile(study.fit.misses, 0.9)))} of the law"
    ]
    largest = study.beyond_runs
    if largest is not None:
        parts.append(
            f"asked to look {largest.factor:.2g} times ahead in {largest.scale}, it missed by {100 * largest.error:.2g} % and its "
            f"{100 * largest.level:g} % band held {largest.inside} of {largest.count} runs"
        )
    factors = [study.beyond(plan) for plan in study.plans.values()]
    if factors and max(factors) > 1:
        parts.append(f"the largest budget is {plain(max(factors), 2)} times the compute of the largest run")
    return f"How sure: {'; '.join(parts)}."


def opening(study: Study, against: Sequence[str]) -> str:
    """How the fit ended, and how many things speak against it."""
    status, level = study.fit.status, study.fit.verdict.level
    if not status.usable:
        return f"The fit failed ({status.value}); do not use its numbers: {status.sentence[0].lower()}{status.sentence[1:]}"
    ended = "The fit converged" if status is Status.CONVERGED else f"The fit ended with: {status.value}"
    if level == "poor":
        return f"{ended}, but it is of no use as it stands, for the reasons below."
    if against:
        count = "one thing speaks" if len(against) == 1 else f"{len(against)} things speak"
        return f"{ended}, but believe it with care: {count} against it ({_words(study)}), see below."
    return f"{ended}, and nothing was found that speaks against it: no outliers, no clusters of residuals, and a hold-out that held."


def _words(study: Study) -> str:
    """What speaks against the fit, in a word each."""
    words, ahead = [code.replace("-", " ") for code in study.fit.verdict.codes], study.beyond_runs
    words += ["no hold-out"] if ahead is None else ["hold-out"] if ahead.failed else []
    return ", ".join([*words, *(["draws"] if study.posterior is not None and study.posterior.complaints else [])])


def share(value: float) -> str:
    """A share of draws, which are too few to tell a certainty."""
    return "> 99 %" if value > 0.99 else "< 1 %" if value < 0.01 else f"{100 * value:.0f} %"


class Standing(NamedTuple):
    """A group at the largest budget: its loss, and the share of the draws in which no other reaches a lower one."""

    group: str
    loss: float
    best: float | None


def groups_by_loss(study: Study, index: int = -1) -> list[Standing]:
    """Groups from the lowest loss at a budget; none without several."""
    plans = {group: plan for group, plan in study.plans.items() if group is not None}
    if len(plans) < 2:
        return []
    losses = [float(np.atleast_1d(plan.loss)[index]) for plan in plans.values()]
    shares: list[float | None] = [None] * len(plans)
    if all(plan.draws for plan in plans.values()):
        drawn = np.stack([plan.draws["loss"].reshape(len(plan.draws["loss"]), -1)[:, index] for plan in plans.values()])
        shares = [float(np.mean(np.argmin(drawn, axis=0) == g)) for g in range(len(plans))]
    return sorted(map(Standing, plans, losses, shares), key=lambda one: one.loss)


def size(study: Study, residual: float) -> str:
    """A residual in words: a share of the outcome for fits on logarithms, else in its unit."""
    return percent(np.expm1(residual)) if study.fit.request.on == "log" else number(residual, 2)


def advice(study: Study) -> list[str]:
    """Plans of several groups, and what an average of laws expects."""
    if len(study.plans) == 1:
        ((group, _),) = study.plans.items()
        low, high = ratio(study, group)
        expected = _expected(study) if high <= HOPELESS * low else ""
        return [expected] if expected else []
    sentences = []
    for group, plan in study.plans.items() if len(study.plans) <= FEW else ():
        low, high = ratio(study, group)
        budget = study.budget(plan, float(np.atleast_1d(plan.compute)[-1]))
        if high > HOPELESS * low:
            sentences.append(
                f"For {group}, at {budget} these runs do not determine the best size: {plain(low, 2)} to {plain(high, 2)} tokens per "
                "parameter are possible."
            )
            continue
        N, D, loss = (_with_ends(study, plan, name) for name in ("N", "D", "loss"))
        sentences.append(f"For {group}, at {budget} the best model has {N} parameters and sees {D} tokens, for a predicted loss of {loss}.")
    return sentences


def _with_ends(study: Study, plan: Allocation, name: str, index: int = -1) -> str:
    """A number of the plan with its interval."""
    value = float(np.atleast_1d(getattr(plan, name))[index])
    if not plan.draws:
        return quantity(value) if name in ("N", "D") else number(value, 4)
    low, high = (float(np.atleast_1d(end)[index]) for end in plan.interval(study.level)[name])
    if name in ("N", "D"):
        return f"{quantity(value)} ({quantity(low)} to {quantity(high)})"
    shown = estimate(value, low, high)
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def _expected(study: Study) -> str:
    """The forecast of the largest budget by an average of laws."""
    average = study.forecast
    if average is None:
        return ""
    beyond = f", {plain(10 ** average.reach[-1], 2)} times beyond the runs in {average.axis}" if average.reach[-1] > 0 else ""
    return (
        f"An average of {len(average.weights)} laws, whose band knows how wrong such forecasts were, expects a new run at the largest "
        f"budget to show a {study.fit.law.output} of {_forecast_text(average, study.level)}{beyond}; this law alone "
        f"says {_with_ends(study, study.plans[None], 'loss')}, and its interval does not know how wrong the law may be."
    )


def _forecast_text(average: Forecast, level: float) -> str:
    """The expected value at the largest budget with its interval."""
    ends = (float(end[-1]) for end in average.interval(level))
    middle, low, high = estimate(float(average.prediction[-1]), *ends)
    return f"{middle} ({low} to {high})"


def ratio(study: Study, group: str | None) -> tuple[float, float]:
    """Interval of the tokens per parameter at the largest budget; (1, 1) without draws."""
    plan = study.plans[group]
    if not plan.draws:
        return 1.0, 1.0
    low, high = plan.interval(study.level)["D/N"]
    return float(np.atleast_1d(low)[-1]), float(np.atleast_1d(high)[-1])


def facts(study: Study) -> list[tuple[str, str, str]]:
    """Headline numbers, each with its interval and how far beyond the runs it lies."""
    fit, listed = study.fit, []
    for group, plan in study.plans.items() if len(study.plans) <= FEW else ():
        where = f"at {study.budget(plan, float(np.atleast_1d(plan.compute)[-1]))}" + (f", {group}" if group else "")
        low, high = ratio(study, group)
        if high > HOPELESS * low:  # the first sentence says so
            continue
        names = ("N", "D", "loss") if len(study.plans) == 1 else ("loss",)
        for name in names:
            label = {"N": "Parameters N", "D": "Tokens D", "loss": f"Predicted {fit.law.output}"}[name]
            text = _with_ends(study, plan, name)
            if name == "loss" and group is None and study.forecast is not None:  # knows how wrong laws are beyond the runs
                label, text = f"Expected {fit.law.output}", _forecast_text(study.forecast, study.level)
            value, _, ends = text.partition(" (")
            listed.append((f"{label} {where}", value, _remark(study, ends.rstrip(")"), _factor(study, plan, name))))
        per = float(np.atleast_1d(plan.tokens_per_parameter)[-1])
        first, second = estimate(per, low, high)[1:] if plan.draws else ("", "")
        shown = number(per, 3)
        listed.append((f"Tokens per parameter {where}", shown, _remark(study, f"{first} to {second}" if plan.draws else "", 0.0)))
    listed.append(("Median error", size(study, float(np.median(fit.misses))), f"over {study.fit.diagnosis.counted}"))
    for name in FLOOR:
        if name in fit.params and np.ndim(fit.params[name]) == 0 and name not in fit.curvature[0].boundary:
            floor, first, second = estimate(float(study.draws.center[name]), *map(float, study.limits[name]))
            listed.append((f"Irreducible loss {name}", floor, _remark(study, f"{first} to {second}", 0.0)))
    return listed


def _factor(study: Study, plan: Allocation, name: str) -> float:
    """How far beyond the runs: in the input itself, or of a loss in compute."""
    if name == "loss":
        return study.beyond(plan)
    return float(np.atleast_1d(getattr(plan, name))[-1]) / plan.observed.get(name, np.inf)


def _remark(study: Study, ends: str, factor: float) -> str:
    parts = [f"{study.percent} interval {ends}"] if ends else []
    return "; ".join([*parts, f"{plain(factor, 2)} times beyond the runs"] if factor > 1 else parts)


def percent(share: float) -> str:
    """A share as per cent, with two digits."""
    return f"{100 * share:.2g} %"
