"""`search`: which sum of powers of a table's columns forecasts its larger runs best."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from ...core.errors import FitError
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.progress import Progress, reporter
from ...core.table import Shown, Table, percent
from ...fitting.objective.losses import huber
from ...zoo.scale.terms import TermLibrary
from ..structures import fit_terms
from .averaging import forecast, on_scale, rises
from .columns import SIZES, Columns, beyond, make_columns, table_of, words
from .ensemble import past_errors, relative_errors
from .members import Candidates, in_units, middles, outcome, scaled_library, unit_of
from .origins import make_origins, weightings
from .refits import refit
from .result import Forecast

_SHORTLIST = 30  # structures that are tried from all origins, those of lowest BIC
_KEPT = 7  # laws that are returned: the average of the best five to seven beats the single best
_TERMS = 4  # of a sum, at most
_INPUTS = 4
_PAIRED, _SHIFTED = 3, 2  # inputs up to which all pairs, and shifts, are tried
_BOWLS = 2
_PRICE = 0.1  # relative error that a parameter must save


@dataclass(frozen=True, eq=False, repr=False)
class Search(Shown):
    """Laws found for a table, best first, see `search`; printing it gives the table.

    Attributes:
        laws: in the table's units; `law.published["fitted"]` holds the parameters, of the first group where there are several.
        errors: (laws,) geometric mean over origins of the root mean square errors, relative (of targets without a sign: in their
            standard deviation).
        parameters: (laws,) how many each has.
        tried: structures that were fitted. axis: what is large. seconds: that it took.
        columns: what the laws were found for.
    """

    laws: tuple[Law, ...]
    errors: np.ndarray
    parameters: np.ndarray
    tried: int
    axis: str
    seconds: float
    columns: Columns
    source: Any

    @property
    def best(self) -> Law:
        """The first."""
        return self.laws[0]

    def forecast(self, at: Any, **options: Any) -> Forecast:
        """The average of these laws at other points; `options` as in `forecast`."""
        return forecast(self.source, at, target=self.columns.target, laws=self.laws, by=self.columns.by, **options)

    def table(self) -> Table:
        """A row for every law: formula, free parameters, error of its forecasts from earlier origins."""
        rows = [
            [law.formula.removeprefix("L = "), str(count), percent(error)]
            for law, count, error in zip(self.laws, self.parameters, self.errors, strict=True)
        ]
        where = f"forecasts along {self.axis}" if self.axis else "runs left out at random"
        note = f"{self.tried:,} structures fitted in {self.seconds:.1f} s; errors of {where}, which choose the laws: not an honest test."
        return Table(["law", "parameters", "error"], rows, f"Laws of {self.columns.target}", [note])


@double
def search(
    runs: Any,
    *,
    target: str = "loss",
    inputs: Sequence[str] | str | None = None,
    by: str | None = None,
    scale: str | Callable[..., Any] | None = None,
    at: Any = None,
    keep: int = _KEPT,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Search:
    r"""Search sums of powers of the columns for laws that forecast the larger runs from the smaller ones.

        L = E + (sum_k A_k prod_j (x_j + s_kj)^-alpha_kj)^q

    with any of the terms, floor, shifts and outer exponent missing; of three inputs no shifts, of four one product only. The power of a
    single input may break, (1 + x/d)^-c; of inputs such as learning rates, which are no sizes, there may be a best, a factor
    1 + w (cosh(k ln(x/best)) - 1), instead of terms. All structures are fitted to all runs by one program; those of lowest BIC are fitted
    again from earlier origins, and ranked by their errors there and a price of 10 % of the error a parameter.

    Args:
        runs, target, inputs, by, scale: as in `forecast`. Falling outcomes only: give losses or errors.
        at: points that the laws are wanted for, where these tell along which column to look ahead; default larger compute, or input.
        keep: how many laws are returned.
        seed, progress: as in `fit`.

    Returns:
        Search: `.laws`, ready for `fit`, `forecast(laws=...)` and decisions; `.forecast(at)`; `.table()`.

    Raises:
        DataError, FitError: one sentence: what, where, what to do.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=np.geomspace(1e3, 1e8, 24), noise=0.002)
        >>> found = sj.search(runs)
        >>> found.best.inputs
        ('x',)
    """
    begun = time.perf_counter()
    if not isinstance(keep, int) or keep < 1:
        raise FitError(f"keep={keep!r} must be a whole number of at least 1.")
    columns = make_columns(runs, beyond(table_of(runs)[0]) if at is None else at, target, inputs, by)
    rolling = make_origins(columns, scale, seed)
    link, values = outcome(columns.y, rises(columns, rolling), columns.target)
    scalars = columns.scalars
    if link not in ("log", "linear") or not scalars or len(scalars) > _INPUTS:
        raise FitError(
            f"search() takes a falling target and one to {_INPUTS} inputs of positive numbers; here the target "
            f"{'rises' if link not in ('log', 'linear') else 'falls'} and such inputs are {', '.join(scalars) or 'missing'}. Give the "
            "error in place of a score, or inputs=[...]."
        )
    called = words(scalars)
    terms, options = _terms(tuple(called))
    library = scaled_library(tuple(called), [names for names in terms.values() if len(names) > 1], link, **options)
    masks = np.stack(list(_masks(library, terms, link, **options)))
    one = Candidates(library.masked, (), called, middles(columns, link, values), masks=masks, library=library)
    on = "log" if link == "log" else "linear"
    chosen = _shortlist(columns, one, values, on, seed, progress)
    weights, origin, emphasis = weightings(columns, rolling)
    group = {"group": np.asarray(columns.of_run).astype(str)} if columns.by else {}
    refits = refit(
        library.masked, one.runs(columns.runs, values, group), weights, origin[None, :] <= origin[:, None], masks=masks[chosen],
        by="group" if group else None, on=on, loss=huber(1e-3), seed=seed, progress=reporter("search", progress),
    )  # fmt: skip
    unit = unit_of(link, values)
    said = on_scale(refits.at(one.runs(columns.runs), columns.of_run, np.arange(len(origin))), link, one.middle[""], unit)
    observed = on_scale(values, link, 1.0, unit)
    groups = max(len(columns.groups), 1)
    score, error = np.full((2, len(chosen)), np.inf)
    for e in np.unique(emphasis):
        errors = past_errors(said[:, :, emphasis == e][:, :, :-1], observed, rolling.seen[:, :-1], columns.of_run, groups)
        geometric = np.exp(np.nanmean(np.log(np.maximum(errors, 1e-12)), axis=(1, 2))) if rolling.count else np.ones(len(chosen))
        error = np.minimum(error, geometric)
        score = np.minimum(score, relative_errors(errors).mean(axis=1) if rolling.count else 0.0)
    order = np.argsort(score + _PRICE * masks[chosen].sum(axis=1), kind="stable")[:keep]
    last = np.flatnonzero(origin == rolling.count)[0]
    laws = tuple(in_units(one, masks[chosen[i]], refits.params(int(i), 0, int(last)), link) for i in order)
    return Search(
        laws, error[order], masks[chosen[order]].sum(axis=1), len(masks), rolling.axis, time.perf_counter() - begun, columns, runs
    )


def _terms(inputs: tuple[str, ...]) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Terms by label, and which inputs may be shifted, break or have a best: fewer of more, as there are more ways to put them together."""
    pairs = list(combinations(inputs, 2)) if len(inputs) <= _PAIRED else [inputs[:2]]
    options = {
        "shifted": inputs if len(inputs) <= _SHIFTED else (),
        "breaks": inputs if len(inputs) == 1 else (),
        "bowls": tuple(x for x in inputs if x not in SIZES)[:_BOWLS] if len(inputs) > 1 else (),
    }
    return {x: (x,) for x in inputs} | {"_".join(pair): pair for pair in pairs}, options


def _masks(
    library: TermLibrary,
    terms: Mapping[str, tuple[str, ...]],
    link: str,
    shifted: tuple[str, ...],
    breaks: tuple[str, ...],
    bowls: tuple[str, ...],
) -> Iterator[np.ndarray]:
    """All sums of up to four terms, with and without floor, with one shift, break or outer exponent or none, times up to two bowls."""
    for curved in (some for count in range(len(bowls) + 1) for some in combinations(bowls, count)):
        outside = [name for z in curved for name in (f"w_{z}", f"k_{z}", f"best_{z}")]
        left = [label for label, names in terms.items() if not set(names) & set(curved)]
        for some in (some for count in range(1, min(_TERMS, len(left)) + 1) for some in combinations(left, count)):
            names = [*outside]
            for label in some:
                inside = terms[label]
                names += [f"A_{label}", *([f"alpha_{label}"] if len(inside) == 1 else [f"alpha_{label}_{x}" for x in inside])]
            floors = [["E"]] if link == "linear" else [["E"], []]
            bent = [[], *([f"s_{label}"] for label in some if label in shifted), *([["q"]] if len(some) > 1 else [])]
            bent += [[f"d_{label}", f"c_{label}"] for label in some if label in breaks]
            for floor, bend in product(floors, bent):
                yield library.mask(*floor, *names, *bend)


def _shortlist(columns: Columns, one: Candidates, values: np.ndarray, on: Any, seed: int, progress: Any) -> np.ndarray:
    """Indices of the structures of lowest BIC, summed over groups."""
    assert one.masks is not None and one.library is not None
    total = np.zeros(len(one.masks))
    for g in range(max(len(columns.groups), 1)):
        rows = np.flatnonzero(columns.of_run == g)
        table = one.runs({name: column[rows] for name, column in columns.runs.items()}, values[rows])
        total += fit_terms(table, one.library, one.masks, on=on, loss=huber(1e-3), seed=seed, progress=progress).bic
    return np.argsort(total, kind="stable")[:_SHORTLIST]
