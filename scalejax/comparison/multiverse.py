"""Every defensible way to fit the same runs, and which of the choices moves the compute-optimal size most."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import FitError, ScalejaxError
from ..core.laws.law import Law
from ..core.numeric.precision import double
from ..core.runs import Runs
from ..core.table import Shown, Table, number
from ..data.readers import read_runs
from ..decisions.allocate import allocate
from ..decisions.costs import six_nd
from ..fitting.fit import find_law
from ..fitting.status import Status
from .fit_each import Fitted, fit_each

AXES = ("law", "data", "loss", "solver", "starts")
_DEFAULT: Mapping[str, Any] = {"default": None}
_LINES = ("—", "—", "—")  # loss, solver and starts of a procedure that has none


class Variant(NamedTuple):
    """One way to fit.

    Attributes:
        law, data, loss, solver, starts: names of the choices; "—" where the choice does not exist.
        params: fitted parameters, or None. objective: at the optimum, comparable only between variants of the same data and loss.
        status: how the fit ended, or why there is no answer.
        N, D: (budgets,) compute-optimal parameters and tokens; NaN without an answer.
    """

    law: str
    data: str
    loss: str
    solver: str
    starts: str
    params: Mapping[str, Any] | None
    objective: float
    status: str
    N: np.ndarray
    D: np.ndarray

    @property
    def usable(self) -> bool:
        """Did the fit end at an optimum that determines N and D?"""
        return bool(np.isfinite(self.N).all()) and (self.status in list(Status) and Status(self.status).usable)


@dataclass(frozen=True, eq=False, repr=False)
class Multiverse(Shown):
    """Answers of all combinations of choices, see `multiverse`; printing it gives the table.

    Attributes:
        compute: (budgets,) in FLOPs.
        variants: one for every combination.
    """

    compute: np.ndarray
    variants: tuple[Variant, ...]

    def _answers(self, usable_only: bool) -> list[Variant]:
        kept = [v for v in self.variants if (v.usable if usable_only else np.isfinite(v.N).all())]
        if not kept:
            raise FitError("No variant has an answer; the table says why.")
        return kept

    def spread(self, usable_only: bool = False) -> np.ndarray:
        """(budgets,) largest over smallest compute-optimal N, over all variants or those whose fit ended at an optimum."""
        N = np.stack([v.N for v in self._answers(usable_only)])
        return N.max(axis=0) / N.min(axis=0)

    def influence(self, usable_only: bool = False) -> dict[str, float]:
        r"""By what factor each choice alone moves N at the largest budget, most influential first.

            exp( mean over the other choices of ( max - min of log N over this choice ) )

        1 means that the choice does not matter. Choices of one option are left out.
        """
        answers = self._answers(usable_only)
        factors = {}
        for axis in AXES:
            if len({getattr(v, axis) for v in self.variants} - {"—"}) < 2:
                continue
            ranges = []
            for _, same in _grouped(answers, axis).items():
                logs = [np.log(v.N[-1]) for v in same]
                if len(logs) > 1:
                    ranges.append(max(logs) - min(logs))
            if ranges:
                factors[axis] = float(np.exp(np.mean(ranges)))
        return dict(sorted(factors.items(), key=lambda pair: -pair[1]))

    @property
    def decisive(self) -> str:
        """The choice that moves the answer most: "law", "data", "loss", "solver" or "starts"."""
        found = self.influence()
        if not found:
            raise FitError("No choice has two options; give two laws, losses, filters, solvers or starts.")
        return next(iter(found))

    def table(self) -> Table:
        """A row for every variant: its choices, objective, N and D at every budget, and how the fit ended."""
        shown = [axis for axis in AXES if len({getattr(v, axis) for v in self.variants} - {"—"}) > 1] or ["law"]
        rows = []
        for v in self.variants:
            sizes = [cell for n, d in zip(v.N, v.D, strict=True) for cell in (number(n, 4), number(d, 4))]
            rows.append([*(getattr(v, axis) for axis in shown), number(v.objective, 5), *sizes, v.status])
        heads = [cell for C in self.compute for cell in (f"N at {C:.3g}", "D")]
        factor = ", ".join(f"{f:.3g} at {C:.3g}" for f, C in zip(self.spread(), self.compute, strict=True))
        notes = [f"largest over smallest N: {factor}; {sum(v.usable for v in self.variants)} of {len(self.variants)} variants are optima"]
        moved = ", ".join(f"{axis} {factor:.3g}" for axis, factor in self.influence().items())
        notes += [f"each choice alone moves N by a factor of: {moved}"] if moved else []
        return Table([*shown, "objective", *heads, "status"], rows, notes=notes)


@double
def multiverse(
    runs: Runs | Any,
    laws: Mapping[str, Any],
    *,
    compute: Any,
    data: Mapping[str, Any] = _DEFAULT,
    losses: Mapping[str, Any] = _DEFAULT,
    solvers: Mapping[str, Any] = _DEFAULT,
    starts: Mapping[str, Any] = _DEFAULT,
    cost: Callable[..., Any] = six_nd,
    **options: Any,
) -> Multiverse:
    r"""Fit every combination of law, data filter, loss, solver and starts, and allocate budgets by each.

    Forms that fit the same points about equally well can differ by an order of magnitude in what they recommend beyond them; the table
    shows by how much, and `decisive` names the choice behind it. Filters of one law, loss, solver and starts are one batch of fits.

    Args:
        runs: as in `fit`.
        laws: name to a law (or its name), to arguments of `fit` with the law among them ({"law": "chinchilla", "tie": {"beta": "alpha"}}),
            or to a function of runs whose result allocates, such as `isoflop`; the last has no loss, solver or starts.
        compute: budgets in the unit of the cost.
        data: name to a condition as in `Runs.where`, or None for all runs.
        losses: name to a loss, or to a pair (loss, "log" or "linear").
        solvers, starts: name to what `fit` takes.
        cost: as in `allocate`.
        options: further arguments of all fits.

    Returns:
        Multiverse: `table()`, `spread()`, `influence()`, `decisive`. A variant that cannot be fitted or allocated stays in it with the
        reason.

    Raises:
        FitError: if an axis is empty or no mapping.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
        >>> law = sj.laws.chinchilla
        >>> runs = sj.simulate(law, law.published["hoffmann2022"], N=N, D=D, noise=0.005)
        >>> found = multiverse(
        ...     runs, {"chinchilla": law}, compute=[1e21, 1e24], data={"all": None, "small": lambda r: r["N"] < 5e8}, starts={"few": 64}
        ... )
        >>> len(found.variants), found.decisive
        (2, 'data')

    References: Li, Kudugunta and Zettlemoyer 2025, arXiv:2502.18969.
    """
    runs = runs if isinstance(runs, Runs) else read_runs(runs)
    for name, axis in (("laws", laws), ("data", data), ("losses", losses), ("solvers", solvers), ("starts", starts)):
        if not isinstance(axis, Mapping) or not axis:
            raise FitError(f"{name}={axis!r} must be a mapping of names to options, with at least one.")
    budgets = np.atleast_1d(np.asarray(compute, dtype=np.float64))
    rows = {str(name): _rows(runs, condition) for name, condition in data.items()}
    variants = []
    for law_name, form in laws.items():
        if not isinstance(form, Law | str | Mapping):
            variants += [_line_variant(law_name, name, form, runs.take(some), budgets) for name, some in rows.items()]
            continue
        arguments = {**options, **(form if isinstance(form, Mapping) else {"law": form})}
        law = find_law(arguments.pop("law", None))
        for (loss_name, loss), (solver_name, solver), (starts_name, start) in itertools.product(
            losses.items(), solvers.items(), starts.items()
        ):  # fmt: skip
            settings = {**arguments, **_loss(loss), "solver": solver, "starts": start}
            for name, fitted in fit_each(law, runs, rows, **{k: v for k, v in settings.items() if v is not None}).items():
                N, D, status = _allocated(law, fitted, budgets, cost)
                choices = (str(law_name), name, str(loss_name), str(solver_name), str(starts_name))
                variants.append(Variant(*choices, fitted.params, fitted.objective, status, N, D))
    return Multiverse(budgets, tuple(variants))


def _grouped(variants: list[Variant], axis: str) -> dict[tuple[str, ...], list[Variant]]:
    """Variants that differ in this choice only; procedures without loss, solver and starts stand beside the laws of every such choice."""
    others = [a for a in AXES if a != axis]
    groups: dict[tuple[str, ...], list[Variant]] = {}
    for v in variants:
        if "—" not in v[:5]:
            groups.setdefault(tuple(getattr(v, a) for a in others), []).append(v)
    for v in variants:
        if "—" in v[:5]:
            matching = [key for key in groups if axis == "law" and key[0] == v.data] or [tuple(getattr(v, a) for a in others)]
            for key in matching:
                groups.setdefault(key, []).append(v)
    return groups


def _rows(runs: Runs, condition: Any) -> np.ndarray:
    """Rows of the runs for which the condition holds."""
    numbered = runs.with_columns(_row=np.arange(len(runs), dtype=float))
    return (numbered if condition is None else numbered.where(condition))["_row"].astype(int)


def _loss(loss: Any) -> dict[str, Any]:
    return dict(zip(("loss", "on"), loss, strict=True)) if isinstance(loss, tuple) else {"loss": loss}


def _allocated(law: Law, fitted: Fitted, budgets: np.ndarray, cost: Callable[..., Any]) -> tuple[np.ndarray, np.ndarray, str]:
    nothing = np.full(len(budgets), np.nan)
    if fitted.params is None:
        return nothing, nothing, fitted.status
    try:
        found = allocate((law, fitted.params), compute=budgets, cost=cost)
        return found.N, found.D, fitted.status
    except ScalejaxError as error:
        return nothing, nothing, str(error)


def _line_variant(law: str, data: str, procedure: Callable[[Runs], Any], runs: Runs, budgets: np.ndarray) -> Variant:
    """The answer of a procedure such as `isoflop`."""
    nothing = np.full(len(budgets), np.nan)
    try:
        N, D = (np.asarray(a) for a in procedure(runs).allocate(budgets))
        return Variant(str(law), data, *_LINES, None, float("nan"), Status.CONVERGED.value, N, D)
    except ScalejaxError as error:
        return Variant(str(law), data, *_LINES, None, float("nan"), str(error), nothing, nothing)
