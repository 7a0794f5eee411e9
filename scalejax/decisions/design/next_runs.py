"""`next_runs`: which runs to train next, so that a chosen target becomes known best for the money."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ...core.answer import without
from ...core.errors import DecisionError, ScalejaxError, suggest
from ...core.numeric.precision import double
from ...core.table import Shown, Table, formatted, percent, span
from ...fitting.predict import evaluate
from ...fitting.result import Fit
from ...fitting.uncertainty.draws import Draws
from ...fitting.uncertainty.intervals import quantile_of
from ..known import why_no_interval
from .candidates import Candidates, Price, from_space, from_table
from .information import Knowledge, Misfit, from_draws, from_fit, noise_of
from .selection import MOVED, Limits, Pool, Posterior, drawn, greedy, ordered, plan, refined

_SHOWN = 20  # runs of a long plan that a table shows
_SAYS = {
    "target": "the variance of the target",
    "D": "the information on all parameters (D-optimal)",
    "random": "chance",
    "cheapest": "cost, cheapest first",
}
CRITERIA = ("target", "D", "random", "cheapest")
Target = Mapping[str, Any] | Callable[[Draws], Any]
_COSINES = (100, 16)  # of the misfit, of one set and of each of several
_MOST = 8  # runs that a budget is spent on, unless the caller says how many
_NEGLIGIBLE = 0.02  # of the target's variance that is left: one per cent of its standard deviation
_ROUND = 64  # points of a space are looked at in multiples of so many, which share a program


@dataclass(frozen=True, eq=False, repr=False)
class NextRuns(Shown):
    """Runs to train next, in the order in which they pay most.

    Attributes:
        runs: the chosen inputs by name, one entry a run.
        index: (runs,) their rows in the candidates; -1 for points of a continuous space.
        cost: (runs,) cost of each.
        target: the target at the fit, a number or (k,).
        deviation: (runs + 1,) or (runs + 1, k) standard deviation of the target now, and as expected after each run.
        log: is it the deviation of the target's logarithm (a relative error)?
        noise: standard deviation of one run's residual that was reckoned with.
        criterion, method: how they were chosen, and from which knowledge.
        budget: what could be spent; infinite without a budget.
        considered: number of candidates.
        ratio: ends of D / N that the runs were kept to, if any.
        why_no_interval: why no interval can be had, or "": then the noise is a guess, and the deviations say only which share is left.
    """

    runs: Mapping[str, np.ndarray]
    index: np.ndarray
    cost: np.ndarray
    target: Any
    deviation: np.ndarray
    log: bool
    noise: float
    criterion: str
    method: str
    budget: float
    considered: int
    why_no_interval: str = ""
    ratio: tuple[float, float] | None = None

    @property
    def total(self) -> float:
        """Cost of all chosen runs."""
        return float(self.cost.sum())

    def __len__(self) -> int:
        return len(self.cost)

    def interval(self, level: float = 0.9) -> dict[str, tuple[Any, Any]]:
        """(low, high) of the target at this confidence `level`: "before" the runs and, as expected, "after" all of them.

        Both are centred on today's estimate: what the runs will show is not known, how sure they will make us is.

        Raises:
            DecisionError: if the runs of the fit tell nothing of their noise, and no noise= was given.
        """
        if self.why_no_interval:
            raise DecisionError(without("plan", self.why_no_interval))
        z = quantile_of(level)
        return {name: self._ends(z * self.deviation[i]) for name, i in (("before", 0), ("after", -1))}

    def _ends(self, half: Any) -> tuple[Any, Any]:
        ends = (self.target * np.exp(-half), self.target * np.exp(half)) if self.log else (self.target - half, self.target + half)
        low, high = (float(end) if np.ndim(end) == 0 else end for end in ends)
        return low, high

    def table(self, level: float = 0.9) -> Table:
        """A row for every run, in order: inputs, cost, cost so far, and how sure the target will be (for several, the mean share).

        Of plans of more than 24 runs the first 20 and the last 2 are printed.
        """
        z, several = quantile_of(level), np.ndim(self.target) > 0 or bool(self.why_no_interval)
        head = ["run", *self.runs, "cost", "spent", "deviation left" if several else f"target {100 * level:g} %"]
        spent, rows = np.concatenate([[0.0], np.cumsum(self.cost)]), []
        for i, deviation in enumerate(self.deviation):
            left = np.sqrt(np.mean(_share(deviation, self.deviation[0]) ** 2))
            sure = percent(left) if several else span(*self._ends(z * deviation))
            inputs = [_cell(column[i - 1]) for column in self.runs.values()] if i else [""] * len(self.runs)
            rows.append(
                [
                    str(i) if i else "now",
                    *inputs,
                    formatted(self.cost[i - 1], ".3g") if i else "",
                    formatted(spent[i], ".3g") if i else "",
                    sure,
                ]
            )
        return Table(head, rows, notes=self._notes(), ends=(_SHOWN + 1, 2))

    def _notes(self) -> list[str]:
        before, after = (np.sqrt(np.mean(self.deviation[i] ** 2)) for i in (0, -1))
        what = "relative standard deviation" if self.log else "standard deviation"
        left = f"{what} of the target {before:.3g} now, {after:.3g} expected after them, if the law is right"
        if self.why_no_interval:
            left = (
                f"{100 * after / before:.3g} % of the {what} of the target is left after them, if the law is right; {self.why_no_interval}"
            )
        budget = f" of a budget of {self.budget:.3g}" if np.isfinite(self.budget) else ""
        kept = "" if self.ratio is None else f"; D / N kept from {self.ratio[0]:.3g} to {self.ratio[1]:.3g} (ratio=)"
        return [
            f"{len(self)} runs for {self.total:.3g}{budget}, from {self.considered:,} candidates by {_SAYS[self.criterion]}{kept}",
            f"{left} ({self.method}; noise of a run {self.noise:.3g})",
        ]


def _share(deviation: np.ndarray, first: np.ndarray) -> np.ndarray:
    return deviation[first > 0] / first[first > 0]


def _cell(value: Any) -> str:
    if isinstance(value, str | np.str_):
        return str(value)
    return f"{value:.4g}" if np.ndim(value) == 0 else " ".join(f"{v:.3g}" for v in value)


@double
def next_runs(
    source: Fit | Draws,
    candidates: Any = None,
    *,
    target: Target,
    space: Mapping[str, Any] | None = None,
    cost: Callable[..., Any] | str | Any = None,
    overhead: float = 0.0,
    ratio: tuple[float, float] | None = None,
    budget: float | None = None,
    runs: int | None = None,
    criterion: Literal["target", "D", "random", "cheapest"] = "target",
    repeats: bool = False,
    noise: float | None = None,
    prior: float | None = 1.0,
    misfit: float = 1.0,
    seed: int = 0,
) -> NextRuns:
    r"""The runs that, within a budget, make a target known best.

    With parameters theta ~ N(estimate, Sigma) every target t and every run y is linear in them, to first order. Runs c then leave

        Var(t | c) = Var(t) - Cov(t, c) (Cov(c, c) + s^2)^-1 Cov(c, t),        Sigma = (J'WJ / s^2 + P)^-1

    of the target's variance: s^2 is the noise of a run, J the derivatives of the runs of the fit, P the precision of a wide prior. Runs are
    chosen greedily by gain per cost^p for p = 1, 1/2 and 0, and by gain alone among those that take no more than an equal part of the
    budget; the best of these plans is improved by exchanging single runs and moving points of a continuous space (up to 40 runs). Several
    targets count by the share of their variance that is left.

    No law is true. So that runs are not heaped where the law alone would have them, they are chosen as if the truth deviated smoothly from
    the law, by `misfit` times the noise (a Gaussian process over the logarithms of the inputs): what lies near the target then counts for
    more, and a second run beside the first for less. The intervals that are reported take the law as right. A fit that few runs determine
    badly misleads, too: derivatives are taken at the parameters that fit and prior agree on.

    One after the other: plan with what is left of the budget, train the first run or runs of the plan, fit again, plan again. All at once:
    train the whole plan. The former is better where the first fit has few runs.

    Args:
        source: a fit; or draws (bootstrap, Laplace, NUTS; hundreds of them), whose covariances are then used, without prior.
        candidates: runs that could be trained: a table with the law's inputs, and "group" (or the fit's column) for a fit with groups.
            Leave out what has been trained, unless training it again with another seed is meant.
        target: inputs at which the law's prediction is wanted, {"N": 70e9, "D": 1.4e12}, or arrays of them for a region; or a function of
            draws that returns (draws,) or (draws, k), such as `lambda d: np.log(sj.allocate(d, compute=1e24).draws["N"])`.
        space: instead of candidates: {"N": (1e7, 1e9), "D": (1e8, 1e11), "U": 1e12}, ends or a value for every input.
        cost: a function of columns by name, the name of a column, or one number a candidate; default 6 N D.
        overhead: what every run costs besides, in the same unit: setting it up, evaluating it, looking at it.
        ratio: (low, high) tokens per parameter, D / N, that runs must keep to. By default points of a space keep within ten times what
            the runs of the fit have, where any does; a table is taken as it is.
        budget: what all runs may cost together, in the unit of the cost.
        runs: how many runs at most, whatever the last of them brings. By default a budget is spent on eight at most, and none is added
            that would take less than 1 % off the target's standard deviation; without a budget it is one run.
        criterion: "target", or to compare with: "D" (information on all parameters, without misfit), "random" or "cheapest".
        repeats: may a candidate be chosen more than once?
        noise: standard deviation of a run's residual (of the logarithm for on="log"); default from the fit, with half a per cent mixed in
            that counts as one residual.
        prior: standard deviation of the prior in half plausible ranges of the law's domains, on the unconstrained scale; None for none:
            then every parameter must be determined by the runs.
        misfit: as above; 0 to take the law as right.
        seed: of the misfit's frequencies and of random choices.

    Returns:
        NextRuns: `.runs`, `.index`, `.cost`, `.deviation` after each run, `.interval(level)` before and after, `.table()`.

    Raises:
        DecisionError: in a sentence, what is wrong with candidates, target, cost or budget.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> rng, law = np.random.default_rng(0), sj.laws.chinchilla
        >>> N, D = 10 ** rng.uniform(7, 8, 30), 10 ** rng.uniform(8.5, 9.5, 30)
        >>> fit = sj.fit(law, sj.simulate(law, law.published["besiroglu2024"], N=N, D=D, noise=0.005))
        >>> plan = sj.next_runs(fit, space={"N": (1e7, 1e9), "D": (1e9, 2e10)}, target={"N": 7e9, "D": 1.4e11}, budget=1e20)
        >>> bool(plan.total <= 1e20), bool(plan.deviation[-1] < plan.deviation[0] / 2)
        (True, True)

    References:
        Li et al. 2026, arXiv:2604.22753 (active choice of runs for scaling laws); Chaloner and Verdinelli 1995, Statistical Science 10(3)
        (Bayesian design); Khuller, Moss and Naor 1999, Information Processing Letters 70(1) (greedy under a budget).
    """
    fit = source.fit if isinstance(source, Draws) else source
    if not isinstance(fit, Fit):
        raise DecisionError(f"next_runs() takes a fit or draws, got a {type(source).__name__}.")
    if (candidates is None) == (space is None):
        raise DecisionError("next_runs() needs either candidates (a table of runs) or space= (ranges of the inputs).")
    _check(criterion, prior, misfit)
    limits = _limits(budget, runs, repeats)
    choices = (from_table(fit, candidates) if space is None else from_space(fit, space)).bounded(fit, ratio)
    price = Price(cost, choices, overhead)
    costs = _costs(price, choices, limits)
    if runs is None and budget is not None:
        limits = replace(limits, count=_MOST, worth=_NEGLIGIBLE)
    variance = noise_of(fit, noise, prior)

    def known(size: float) -> Knowledge:
        bend = _deviation(fit, choices, target, size, variance, seed)
        return from_draws(source, variance, *bend) if isinstance(source, Draws) else from_fit(fit, variance, prior, *bend)

    plain = known(0.0)
    plain_pool = _pool(plain, target, choices, costs, fit)
    if criterion in ("random", "cheapest"):
        chosen = drawn(plain_pool, limits, criterion, seed)
        columns = {name: column[chosen] for name, column in choices.columns.items()}
    else:
        cautious = known(misfit) if misfit > 0 and criterion == "target" else plain
        pool = plain_pool if cautious is plain else _pool(cautious, target, choices, costs, fit)
        plain_pool, chosen, columns = _choose(plain, plain_pool, cautious, pool, choices, price, limits, criterion)
    deviations = _path(plain_pool, chosen)
    point, single, log = _point(fit, target)
    index = np.asarray([i if not choices.box else -1 for i in chosen], int)
    method = source.kind if isinstance(source, Draws) else "Fisher information" + ("" if prior is None else f", prior {prior:g}")
    shown = {name: columns[name] for name in (*fit.law.inputs, *(["group"] if fit.groups else []))}
    deviations = deviations[:, 0] if single else deviations
    cost_of, noise_used = plain_pool.cost[chosen], float(np.sqrt(variance))
    considered, unsure = int(choices.usable.sum()), why_no_interval(fit) if noise is None else ""
    return NextRuns(
        runs=shown, index=index, cost=cost_of, target=point, deviation=deviations, log=log, noise=noise_used, criterion=criterion,
        method=method, budget=limits.budget, considered=considered, why_no_interval=unsure, ratio=choices.ratio,
    )  # fmt: skip


def _check(criterion: str, prior: float | None, misfit: float) -> None:
    """Refuse an unknown criterion, and numbers out of range."""
    if criterion not in CRITERIA:
        raise DecisionError(f"criterion={criterion!r} is unknown; {suggest(str(criterion), CRITERIA)}")
    for name, value, least in (("prior", prior, 1e-6), ("misfit", misfit, 0.0)):
        if (value is not None or name == "misfit") and not (value is not None and np.ndim(value) == 0 and least <= value < np.inf):
            raise DecisionError(f"{name}={value!r} must be a number of {least:g} or more.")


def _limits(budget: float | None, runs: int | None, repeats: bool) -> Limits:
    if budget is not None and not (np.ndim(budget) == 0 and np.isfinite(budget) and budget > 0):
        raise DecisionError(f"budget={budget!r} must be a positive number, in the unit of the cost.")
    if runs is not None and (int(runs) != runs or runs < 1):
        raise DecisionError(f"runs={runs!r} must be a whole number of 1 or more.")
    return Limits(np.inf if budget is None else float(budget), 1 if runs is None else int(runs), repeats)


def _costs(price: Price, choices: Candidates, limits: Limits) -> np.ndarray:
    """(n,) cost of the candidates, infinite for those that are not usable."""
    costs = price(choices.columns)
    bad = np.flatnonzero(~(np.isfinite(costs) & (costs > 0)) & choices.usable)
    if len(bad):
        raise DecisionError(f"The cost of candidate {bad[0]} is {costs[bad[0]]:g}; costs must be positive numbers.")
    costs = np.where(choices.usable, costs, np.inf)
    if costs.min() > limits.budget:
        raise DecisionError(f"No candidate fits into the budget of {limits.budget:.3g}: the cheapest costs {costs.min():.3g}.")
    return costs


def _deviation(fit: Fit, choices: Candidates, target: Target, size: float, variance: float, seed: int) -> tuple[Misfit | None, float]:
    """The misfit that the choice reckons with, and its standard deviation."""
    if size == 0:
        return None, 0.0
    tables = [fit.runs.where(~fit.runs.excluded).columns, choices.inputs, *([target] if isinstance(target, Mapping) else [])]
    return Misfit(fit.law, tables, _COSINES[fit.theta.shape[1] > 1], seed), size * float(np.sqrt(variance))


def _pool(known: Knowledge, target: Target, choices: Candidates, costs: np.ndarray, fit: Fit) -> Pool:
    """What the knowledge says of target and candidates."""
    runs = known.predictions(choices.inputs, "The candidates do not suit the law")
    response = _response(known, target)
    if not np.sum(response**2) > 0:
        raise DecisionError("The target does not depend on the parameters of the fit, so no run can make it known better.")
    return Pool(response, runs.reshape(*runs.shape[:2], -1), costs, np.full(len(costs), known.noise))


def _response(known: Knowledge, target: Target) -> np.ndarray:
    """(axes, k) derivative of the targets."""
    if isinstance(target, Mapping):
        value = known.predictions(target, "The target does not suit the law")
        return value.reshape(len(value), -1)
    value = _called(target, known.draws)
    value = known.response(value)
    return value.reshape(len(value), -1)


def _called(target: Callable[[Draws], Any], draws: Draws) -> np.ndarray:
    if not callable(target):
        raise DecisionError(f"target={target!r} must be a mapping of inputs or a function of draws.")
    try:
        value = np.asarray(target(draws), dtype=np.float64)
    except (TypeError, ValueError) as error:
        if isinstance(error, ScalejaxError):
            raise DecisionError(f"The target function fails: {error}") from error
        raise
    if value.ndim not in (1, 2) or len(value) != len(draws):
        raise DecisionError(f"The target function returned shape {value.shape} for {len(draws)} draws; return (draws,) or (draws, k).")
    if not np.isfinite(value).all():
        raise DecisionError("The target function returned values that are not finite for parameters near the fit; take another target.")
    return value


def _point(fit: Fit, target: Target) -> tuple[Any, bool, bool]:
    """The target at the fit, whether it is one number, and whether its deviation is one of the logarithm."""
    if isinstance(target, Mapping):
        value, log = np.asarray(evaluate(fit.request, fit.theta, target), dtype=np.float64), fit.request.on == "log"
    else:
        value, log = _called(target, Draws(fit, np.repeat(fit.theta[:, :, None], 2, axis=2), "fit"))[0], False
    single = value.ndim == 0
    return (float(value) if single else value.ravel()), single, log


def _choose(
    plain: Knowledge, plain_pool: Pool, cautious: Knowledge, pool: Pool, choices: Candidates, price: Price, limits: Limits, criterion: str
) -> tuple[Pool, list[int], dict[str, np.ndarray]]:
    """The pool of the law taken as right, with the chosen rows in it and their columns."""
    pool = Pool(_scaled(pool.target), pool.runs, pool.cost, pool.noise)
    chosen = plan(pool, limits, criterion)
    if not choices.box:
        return plain_pool, chosen, {name: column[chosen] for name, column in choices.columns.items()}

    def look(unit: np.ndarray, known: Knowledge = cautious) -> tuple[np.ndarray, np.ndarray]:
        columns = choices.at(np.resize(unit, (-(-len(unit) // _ROUND) * _ROUND, unit.shape[1])))  # filled with copies
        runs = known.predictions({name: columns[name] for name in choices.inputs}, "The candidates do not suit the law")
        costs = np.where(choices.within(columns), price(columns), np.inf)
        return runs[:, : len(unit)].reshape(len(runs), len(unit), -1), costs[: len(unit)]

    units = np.stack([choices.unit(i) for i in chosen])
    if len(chosen) <= MOVED:
        units = refined(pool.target, cautious.noise, limits, criterion, units, look)
        runs, costs = look(units)
        both = np.concatenate([pool.runs, runs], axis=1)
        joined = Pool(pool.target, both, np.append(pool.cost, costs), np.append(pool.noise, pool.noise[: len(units)]))
        place = len(pool) + np.arange(len(units))
        more = list(greedy(joined, limits, criterion, 1.0, place.tolist()))  # with what moving has left of the budget
        units = np.concatenate([units, *(choices.unit(i)[None] if i < len(pool) else units[[i - len(pool)]] for i in more)])
    runs, costs = look(units, plain)
    shown = Pool(plain_pool.target, runs, costs, np.full(len(costs), plain.noise))
    order = ordered(Pool(pool.target, *look(units), shown.noise), criterion, range(len(units)))
    return shown, order, choices.at(units[order])


def _scaled(response: np.ndarray) -> np.ndarray:
    """Targets of variance 1; those that nothing depends on stay 0."""
    norm = np.linalg.norm(response, axis=0)
    return response / np.where(norm > 0, norm, 1.0)


def _path(pool: Pool, chosen: list[int]) -> np.ndarray:
    """(runs + 1, k) standard deviations of the targets, before and after every run."""
    state = Posterior(pool)
    path = [np.sqrt(state.variance)]
    for run in chosen:
        state.add([run])
        path.append(np.sqrt(state.variance))
    return np.stack(path)
