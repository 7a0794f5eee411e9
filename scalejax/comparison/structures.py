"""`fit_terms`: thousands of structures of a term library, fitted side by side by one compiled program."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ..core.errors import FitError
from ..core.laws.law import Law
from ..core.numeric.precision import double
from ..core.progress import Progress, reporter
from ..core.runs import Runs
from ..core.table import Shown, Table, number
from ..fitting import criteria
from ..fitting.fit import fit, make_request
from ..fitting.objective.data import Batch
from ..fitting.objective.losses import Loss
from ..fitting.objective.problem import Data, Spec
from ..fitting.request import Request
from ..fitting.result import Fit
from ..fitting.solvers.lm import LM
from ..fitting.solvers.search import Found, agreement, default_count, first_wave, minimise, ranked, refining_order, screen
from ..fitting.solvers.starts import make_starts
from ..fitting.status import CODES, Status
from ..zoo.scale.terms import MASK, PLACES, TermLibrary

_SHOWN = 10
_SOLVER = LM(max_iterations=500)
_BRIEF = 40  # iterations of every start, before the best go on
_BEGUN = (6, 64)  # starts a structure that are refined briefly: the first number for many structures, the second at most for few;
_ENDED = (2, 12)  # of them those that are refined to the end
_STEP = 4  # of the number of unknowns
_DONORS = 64  # structures whose optima are offered to the others
_LENT = 2  # of them the best by value are refined for every structure


@dataclass(frozen=True)
class _Structures(Batch):
    """One data set that members see through masks of their own."""

    masks: np.ndarray = field(kw_only=True)  # (structures, parameters)

    blocks = None  # rows stay in one column: what differs are the members

    def gather(self, sets: np.ndarray, weight: np.ndarray | None = None) -> Data:
        """Data of members that have these structures."""
        return super().gather(np.zeros(len(sets), int), weight)._replace(own={PLACES: self._places[:, sets]})

    @property
    def unknowns(self) -> int:
        """As many as the largest structure has parameters, rounded up so that few programs serve all calls."""
        return min(-(-int(self.masks.sum(axis=1).max()) // _STEP) * _STEP, self.masks.shape[1])

    @cached_property
    def _places(self) -> np.ndarray:
        """(parameters, structures) where the value of every parameter lies among the unknowns, -1 for what is not present."""
        return np.where(self.masks, np.cumsum(self.masks, axis=1) - 1, -1).T.astype(float)

    @cached_property
    def _present(self) -> np.ndarray:
        """(unknowns, structures, 1) which parameter every unknown is, the one behind the last where a structure has fewer."""
        order = np.argsort(~self.masks, axis=1, kind="stable")[:, : self.unknowns]
        return np.where(np.take_along_axis(self.masks, order, axis=1), order, self.masks.shape[1]).T[..., None]

    def packed(self, theta: np.ndarray) -> np.ndarray:
        """The unknowns (unknowns, structures, starts) of theta (parameters, structures, starts)."""
        return np.take_along_axis(np.concatenate([theta, np.zeros_like(theta[:1])]), self._present, axis=0)

    def unpacked(self, unknowns: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """theta with the values of these unknowns."""
        whole = np.concatenate([theta, np.zeros_like(theta[:1])])
        np.put_along_axis(whole, self._present, unknowns, axis=0)
        return whole[:-1]


@dataclass(frozen=True, eq=False, repr=False)
class TermFits(Shown):
    """Fits of many structures of a library to one table; arrays are in the order of the masks, (structures,). Print it for the best.

    Attributes:
        library: where the structures come from.
        masks: (structures, parameters) what is present.
        objective: weighted sum of losses at the optimum; infinite where there was none.
        values: parameter name to its values, NaN where it is not present.
        statuses: how every structure ended, see `Status`.
        agreeing, refined: how many of the refined starts reached the optimum.
        n: observations.
        request: of the law of all structures: runs, loss and scale.
        seconds: that it took.
    """

    library: TermLibrary
    masks: np.ndarray
    objective: np.ndarray
    values: dict[str, np.ndarray]
    statuses: tuple[Status, ...]
    agreeing: np.ndarray
    refined: np.ndarray
    n: int
    request: Request
    seconds: float

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def free(self) -> np.ndarray:
        """Free parameters: those present."""
        return self.masks.sum(axis=1)

    @property
    def freedom(self) -> np.ndarray:
        """Degrees of freedom: observations less free parameters."""
        return self.n - self.free

    @property
    @double
    def bic(self) -> np.ndarray:
        """Schwarz's criterion, see `criteria`; lower is better."""
        return criteria.bic(self.request.loss, self.objective, self.n, self.free)

    @property
    @double
    def aicc(self) -> np.ndarray:
        """Akaike's corrected criterion, see `criteria`; lower is better."""
        return criteria.aicc(self.request.loss, self.objective, self.n, self.free)

    @property
    def order(self) -> np.ndarray:
        """Indices of the structures, lowest BIC first."""
        return np.argsort(self.bic, kind="stable")

    def labels(self, i: int) -> tuple[str, ...]:
        """Names of the parameters that structure i has."""
        return tuple(name for name, present in zip(self.library.parameters, self.masks[self._index(i)], strict=True) if present)

    def params(self, i: int) -> dict[str, float]:
        """The fitted parameters of structure i."""
        return {name: float(self.values[name][i]) for name in self.labels(i)}

    def law(self, i: int) -> Law:
        """The plain law of structure i; its parameters are `law.published["fitted"]`."""
        return self.library.law(self.masks[self._index(i)], self.params(i))

    def fit(self, i: int, **options: Any) -> Fit:
        """Structure i as a fit with covariance and diagnosis, from its optimum; `options` as in `sj.fit`."""
        asked = self.request
        given = {"loss": asked.loss, "on": asked.on, "weights": asked.weights, "starts": [self.params(i)], **options}
        return fit(self.law(i), asked.runs, **given)

    def table(self, top: int = _SHOWN) -> Table:
        """The structures of lowest BIC: formula, free parameters, objective, BIC and AICc above the best, status."""
        bic, aicc = self.bic, self.aicc
        rows = []
        for i in self.order[:top]:
            formula = self.law(i).formula.removeprefix("L = ")
            low = [number(float(c[i] - np.min(c)), 3) if np.isfinite(c[i]) else "inf" for c in (bic, aicc)]
            rows.append([str(i), formula, str(self.free[i]), number(float(self.objective[i]), 5), *low, self.statuses[i].value])
        notes = [f"{len(self):,} structures fitted to {self.n} observations in {self.seconds:.1f} s; BIC and AICc above the lowest."]
        return Table(["structure", "law", "parameters", "objective", "BIC", "AICc", "status"], rows, "Structures", notes)

    def _index(self, i: int) -> int:
        if not -len(self) <= i < len(self):
            raise FitError(f"There is no structure {i}; they are numbered 0 to {len(self) - 1}.")
        return int(i)


@double
def fit_terms(
    runs: Runs | Any,
    library: TermLibrary,
    masks: Any,
    *,
    loss: Loss | Callable[..., Any] | None = None,
    on: Literal["log", "linear"] = "log",
    starts: int | None = None,
    solver: LM | None = None,
    weights: Any = None,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> TermFits:
    r"""Fit many structures of a term library to one table of runs, in one compiled program: masks are data.

    Every structure minimises sum_i w_i rho(r_i) over the parameters that it has, from several starts over the plausible ranges, as `fit`
    does; what it does not have has no derivative and stays where it is. Structures also try the best optima of others.

    Args:
        runs: as in `fit`.
        library: from `term_library`.
        masks: (structures, parameters) of 0 and 1, columns as `library.parameters`; one row is made by `library.mask("E", "A_N", ...)`.
        loss, on, weights, seed, progress: as in `fit`.
        starts: how many points are evaluated for every structure; default 2,048 for one, 64 for many.
        solver: `LM(...)` with settings.

    Returns:
        TermFits: objective, parameters, status, number of free parameters, BIC and AICc of every structure; `.law(i)` is a plain law and
        `.fit(i)` a fit of it.

    Raises:
        FitError, LawError, DataError: one sentence: what, where, what to do.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> library = sj.term_library("N", "D")
        >>> rng = np.random.default_rng(0)
        >>> N, D = 10 ** rng.uniform(7, 10, 60), 10 ** rng.uniform(9, 11, 60)
        >>> truth = dict(E=1.7, A_N=400.0, alpha_N=0.34, A_D=410.0, alpha_D=0.28)
        >>> runs = sj.simulate(sj.additive("N", "D"), truth, N=N, D=D, noise=0.003)
        >>> names = [("E", "A_N", "alpha_N"), ("E", "A_N", "alpha_N", "A_D", "alpha_D"), ("E", "A_N_D", "alpha_N_D_N", "alpha_N_D_D")]
        >>> found = sj.fit_terms(runs, library, [library.mask(*row) for row in names])
        >>> found.law(found.order[0])
        terms_N_D(N, D; E, A_N, alpha_N, A_D, alpha_D)

    References: Brunton, Proctor and Kutz 2016, arXiv:1509.03580 (libraries of terms); the loss as a likelihood: see `criteria`.
    """
    begun = time.perf_counter()
    if not isinstance(library, TermLibrary):
        raise FitError(f"{library!r} is no term library; make one with sj.term_library('N', 'D').")
    present = library.check(masks)
    if solver is not None and type(solver) is not LM:
        raise FitError(f"solver={solver!r} cannot fit structures side by side; pass sj.LM(...) or leave it out.")
    request = make_request(
        library.masked, runs, loss=loss, on=on, fix={MASK: np.ones(present.shape[1])}, tie=None, bounds=None, by=None, share=(),
        weights=weights, sizes=None,
    )  # fmt: skip
    whole, count = request.batch, len(present)
    shared = {f.name: getattr(whole, f.name) for f in fields(Batch)}
    batch = _Structures(**{**shared, "fixed": {}}, masks=present)
    n = int((whole.weight[:, 0] > 0).sum())
    points = make_starts(request.layout, default_count(batch, count) if starts is None else starts, seed)
    packed = replace(request, law=library.packed, fix={PLACES: -np.ones(present.shape[1])}, sizes={"unknowns": batch.unknowns})
    found = _search(packed.spec, batch, points, solver or _SOLVER, seed, reporter("fit_terms", progress))
    ends = [CODES[code] or Status.NOT_FINITE for code in found.status[:, 0]]
    few = present.sum(axis=1) > n
    statuses = tuple(Status.TOO_FEW if short else end for short, end in zip(few, ends, strict=True))
    objective = np.where(few, np.inf, found.objective[:, 0])
    return TermFits(
        library=library, masks=present, objective=objective, values=_values(request, found.best, present), statuses=statuses,
        agreeing=agreement(found.objective).sum(axis=1), refined=np.isfinite(found.objective).sum(axis=1), n=n, request=request,
        seconds=time.perf_counter() - begun,
    )  # fmt: skip


def _search(
    spec: Spec, batch: _Structures, points: np.ndarray, solver: LM, seed: int, progress: Callable[[int, int], None] | None
) -> Found:
    """Ends of the refined starts of every structure, best first; `spec` is that of the packed law.

    Screened starts are refined for a few iterations, then optima of other structures are tried in the same way, and the best of all go on
    to the end: laws with many parameters take hundreds of iterations, which pays for few starts only.
    """
    count, screened = len(batch.masks), points.shape[1]
    every, room = np.arange(count), first_wave(batch.work, spec.layout.size)
    begun, ended = (int(np.clip(room // count, low, high)) for low, high in (_BEGUN, _ENDED))
    brief = replace(solver, max_iterations=min(_BRIEF, solver.max_iterations))

    def refined(theta: np.ndarray, how: LM, rivals: bool = False) -> Found:
        """From theta (size, structures, starts)."""
        per = theta.shape[2]
        start = batch.packed(theta)
        ends = minimise(spec, batch, start.reshape(len(start), -1), np.repeat(every, per), how, progress=progress, rivals=rivals)
        objective = np.nan_to_num(ends.objective.reshape(count, per), nan=np.inf)
        status, iterations = (a.reshape(count, per) for a in (ends.status, ends.iterations))
        return ranked(batch.unpacked(ends.theta.reshape(start.shape), theta), objective, status, iterations, screened)

    def screening(theta: np.ndarray) -> np.ndarray:
        """Objective (structures, starts) of the same points for all."""
        start = batch.packed(np.broadcast_to(theta[:, None], (len(theta), count, theta.shape[1])))
        return screen(spec, batch, start.reshape(len(start), -1), np.repeat(every, theta.shape[1])).reshape(count, -1)

    order = np.stack([refining_order(row, min(begun, screened), seed) for row in screening(points)])
    found = refined(points[:, order], brief)
    best, objective = found.theta, found.objective
    if count > 1:
        donors = np.random.default_rng(seed).permutation(count)[:_DONORS]
        lent = donors[np.argsort(screening(found.best[:, donors]), axis=1, kind="stable")[:, :_LENT]]
        more = refined(found.best[:, lent], brief)
        best, objective = np.concatenate([best, more.theta], axis=2), np.concatenate([objective, more.objective], axis=1)
    first = np.argsort(objective, axis=1, kind="stable")[:, :ended]
    return refined(np.take_along_axis(best, first[None], axis=2), solver, rivals=True)


def _values(request: Request, theta: np.ndarray, present: np.ndarray) -> dict[str, np.ndarray]:
    """Natural values (structures,) of every parameter, NaN where it is not present."""
    natural = {slot.name: np.asarray(slot.domain.forward(theta[slot.start])) for slot in request.layout.slots}
    return {name: np.where(here, natural[name], np.nan) for name, here in zip(natural, present.T, strict=True)}
