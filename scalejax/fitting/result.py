"""`Fit`: the optimum, how it was found, and how sure it is."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..core.errors import FitError
from ..core.frozen import Frozen, read_only
from ..core.laws.law import Law
from ..core.lazy import late
from ..core.numeric.precision import double
from ..core.runs import Runs
from ..core.table import Note, Shown, Table, number
from .diagnosis import Diagnosis, Verdict
from .predict import Points, evaluate, inputs_by_name
from .request import Request
from .runaways import doubts
from .solvers.search import StartTable
from .status import Status
from .summary import as_dict, by_group, notes_of
from .uncertainty.covariance import Curvature
from .uncertainty.intervals import interval_end, quantile_of, standard_errors
from .uncertainty.noise import new_noise
from .uncertainty.profiles.bent import reaches
from .uncertainty.spread import Covariance, Spread, spread

if TYPE_CHECKING:
    from .uncertainty.units import Units

_GROUPS = 12  # that a printed fit shows one by one


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Shown):
    """A fitted law. Print it for the report; every array is NumPy float64, and read-only.

    Attributes:
        objective: weighted sum of losses at the optimum, over all groups.
        statuses: how every set ended, one unless groups were fitted apart; `status` is the worst of them.
        theta: (size, sets) unconstrained parameters; one set unless groups were fitted apart.
        starts: what became of the starts.
        curvature: covariance and its diagnosis, one for every set.
        request: what was asked for, data included.
        solver, recipe, seed, seconds, versions: provenance.
    """

    objective: float
    statuses: tuple[Status, ...]
    theta: np.ndarray
    starts: StartTable
    curvature: tuple[Curvature, ...]
    request: Request
    solver: str
    recipe: str | None
    seed: int
    seconds: float
    versions: Mapping[str, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "theta", read_only(np.asarray(self.theta, dtype=np.float64)))

    @cached_property
    @double
    def params(self) -> Frozen[Any]:
        """Parameter name to float, or to an array with one value a group (or a vector): what theta says, which nothing can change."""
        return Frozen(self.request.params(self.theta))

    @property
    def status(self) -> Status:
        """How the worst set ended."""
        return max(self.statuses, key=list(Status).index)

    @cached_property
    def doubts(self) -> tuple[tuple[str, ...], ...]:
        """What speaks against the optimum of every set: few starts that found it, parameters far from plausible."""
        columns = zip(self.starts.objective, self.theta.T, self.curvature, strict=True)
        return tuple(doubts(self.request, *column) for column in columns)

    @property
    def unit_columns(self) -> tuple[str, ...]:
        """Columns that name what a bootstrap resamples whatever the residuals look like; none of a single law."""
        return ()

    @property
    def usual_trials(self) -> float | None:
        """Median number of trials of the runs, where the outcome is counted."""
        return None

    def strata(self, rows: np.ndarray, units: Units) -> np.ndarray | None:
        """(rows,) which units a bootstrap draws among themselves, None for all of them."""
        return None

    @property
    def law(self) -> Law:
        """The fitted law."""
        return self.request.law

    @property
    def runs(self) -> Runs:
        """The runs it was fitted to."""
        return self.request.runs

    @property
    def groups(self) -> list[str]:
        """Names of the groups, in the order of the group axis of `params`; of their combinations with runs where columns cross."""
        return self.request.groups

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of theta: (size, size), or (sets, size, size) when groups were fitted apart."""
        stacked = np.stack([c.covariance for c in self.curvature])
        return stacked[0] if len(stacked) == 1 else stacked

    @cached_property
    def observed(self) -> np.ndarray:
        """Observed outputs at the used rows, set by set: (rows,), or (rows, T) for curves and several targets."""
        return np.concatenate([table[self.request.law.output][~table.excluded] for table in self.request.tables])

    @cached_property
    @double
    def fitted(self) -> np.ndarray:
        """Predicted outputs at the used rows, in the order of `observed`."""
        return np.concatenate(self.request.predict_rows(self.theta))

    @property
    def residuals(self) -> np.ndarray:
        """Observed minus predicted, of logarithms if the fit is on logs."""
        if self.request.on == "log":
            return np.log(self.observed) - np.log(self.fitted)
        return self.observed - self.fitted

    @property
    def misses(self) -> np.ndarray:
        """How far off the law every observation is, of logarithms if the fit is on logs."""
        return np.concatenate([np.abs(rows.residual[rows.weight > 0]) for rows in self.diagnosis.rows])

    @property
    def asked_again(self) -> dict[str, Any]:
        """Arguments of `fit` that ask other runs the same, but for weights."""
        request = self.request
        alike = {name: getattr(request, name) for name in ("loss", "on", "tie", "bounds", "sizes")}
        return alike | {"fix": request.asked_fix} | ({"by": request.by, "share": request.share} if request.by else {})

    @property
    def minimised(self) -> str:
        """What the parameters make smallest, in words."""
        logs = f"logarithms of {self.law.output}" if self.request.on == "log" else self.law.output
        return f"the sum of {self.request.loss!r} of the residuals of {logs}"

    @property
    def r_squared(self) -> float:
        """Share of the variance of the output that the law explains; NaN where there is none."""
        fitted, observed = self.fitted[self._seen], self.observed[self._seen]
        variation = np.sum((observed - observed.mean()) ** 2)
        return float(1 - np.sum((fitted - observed) ** 2) / variation) if variation > 0 else float("nan")

    @cached_property
    def _seen(self) -> np.ndarray:
        """Which of `observed` counts: data that have a weight, not the padding of a curve."""
        name, found = self.request.law.output, []
        for table, weight in zip(self.request.tables, self.request.row_weights, strict=True):
            there = table.masks.get(name, np.ones(table[name].shape, bool))
            found.append((there & (weight.reshape(-1, *(1,) * (there.ndim - 1)) > 0))[~table.excluded])
        return np.concatenate(found)

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What speaks against the fit: outliers, leverage, residuals that cluster, the baseline; computed when asked for."""
        return Diagnosis(self)

    @property
    def verdict(self) -> Verdict:
        """Whether to believe the fit, in a word, and why: `verdict.level`, `verdict.reasons`."""
        return self.diagnosis.verdict

    @inputs_by_name
    @double
    def predict(self, **inputs: Any) -> Any:
        """The law at the fitted parameters.

        Args:
            **inputs: a number or an array for every input; with groups also `group=`, a name or one a row, or a mapping from columns to
                such where they cross: group={"corpus": "web", "arch": "moe"}.

        Returns:
            float, or a NumPy array of the inputs' broadcast length.
        """
        return evaluate(self.request, self.theta, inputs)

    def predict_interval(self, level: float = 0.9, *, kind: Literal["mean", "run"] = "mean", **inputs: Any) -> tuple[Any, Any]:
        """(low, high) of `predict(**inputs)` at this confidence `level`, from a thousand draws that decisions from this fit use as well.

        Args:
            kind, **inputs: as in `Draws.predict`; "run" has the noise of a new run.

        Example: `fit.predict_interval(0.9, kind="run", N=7e9, D=1e12)`.
        """
        return self._draws.predict_interval(level, kind=kind, **inputs)

    @cached_property
    def _draws(self) -> Any:
        return late("posteriors.default_draws", "default_draws")(self)

    def view(self, inputs: Mapping[str, Any]) -> tuple[Request, dict[str, Any]]:
        """The request whose law predicts what is asked for, and the inputs without what says so; fits of chains have several."""
        return self.request, dict(inputs)

    def with_noise(
        self, view: Request, value: np.ndarray, points: Points, rng: np.random.Generator, weight: Any, trials: Any
    ) -> np.ndarray:  # fmt: skip
        """What new runs would show: predictions (draws, ...) with noise of their groups; see `Draws.predict`."""
        if trials is not None:
            raise FitError(f"trials= is for counted outcomes, and {self.law.output!r} is none; leave it out.")
        flat = value.reshape(len(value), len(points.group), *value.shape[1 + len(points.shape) :])
        noise = new_noise(self, rng, flat, points.group, weight).reshape(value.shape)
        return value * np.exp(noise) if self.request.on == "log" else value + noise

    @cached_property
    @double
    def standard_errors(self) -> dict[str, Any]:
        """Standard error of every natural parameter: `errors()`."""
        return self.errors()

    @double
    def errors(self, covariance: Covariance | None = None, groups: str | Sequence[str] | None = None) -> dict[str, Any]:
        """Standard error of every natural parameter by the delta method, shaped like `params`; infinite where it is not determined.

        Args:
            covariance: what is assumed of the residuals.
                "sandwich": they are independent; their spread may change from run to run.
                "model": they are independent draws from one distribution. For least squares the root of the diagonal of s^2 (J'J)^-1 with
                s^2 = RSS / (n - p), as regression programs print it; for other losses see `rows.model_covariance`.
                "clustered": those of one unit go together: rows with the same entry in the column `groups` (checkpoints of a run, runs of
                a size or a seed), or neighbours on a loss curve or along the law's only input.
                "wider": for every parameter the one of the first two that gives the wider interval.
                Default: "clustered" for loss curves and where `diagnosis` finds that the residuals cluster strongly or follow each other,
                else "wider"; with a misfit "model".
            groups: the column that names the units, or several that do together, for "clustered" (which it implies).
        """
        return _stack(self, standard_errors(self.request, self.theta, spread(self, covariance, groups).matrix))

    @double
    def interval(
        self, level: float = 0.9, covariance: Covariance | None = None, groups: str | Sequence[str] | None = None
    ) -> dict[str, tuple[Any, Any]]:
        """(low, high) of every parameter at this confidence `level`: Student's t on the unconstrained scale, or the profile's ends.

        Where the law bends within the interval, its ends are those of the profile of the objective (see `bent.reaches`). Every parameter
        has the degrees of freedom that its variance is known from. Where there are none, because there are as many parameters as
        observations or the runs do not determine it, the interval is infinite (or the whole support).

        Args:
            level: such as 0.9.
            covariance, groups: see `errors`.

        Example: `fit.interval(0.9)["alpha"]`.
        """
        found = self._spread if covariance is None and groups is None else spread(self, covariance, groups)
        asked = (level, covariance, groups if isinstance(groups, str | None) else tuple(groups))
        if asked not in self._reached:
            self._reached[asked] = reaches(self, found.matrix, quantile_of(level, found.freedom))
        ends = self._reached[asked]
        with np.errstate(over="ignore"):
            low, high = (_stack(self, interval_end(self.request, self.theta, found.matrix, end)) for end in ends)
        return {name: (low[name], high[name]) for name in self.law.parameters}

    @cached_property
    def _reached(self) -> dict[Any, np.ndarray]:
        """What `reaches` said, by level, covariance and groups."""
        return {}

    @cached_property
    @double
    def _spread(self) -> Spread:
        """The covariance by default."""
        return spread(self)

    def table(self, level: float = 0.9, rows: Literal["parameter", "group"] = "parameter") -> Table:
        """A row for every parameter, or one for every group: `fit.table(rows="group")`.

        Args:
            level: of the intervals.
            rows: "parameter" for estimates with standard errors and intervals, "group" for runs, status, R², objective and all parameters
                with intervals of every group.
        """
        if rows not in ("parameter", "group"):
            raise FitError(f"rows={rows!r} must be 'parameter' or 'group'.")
        return by_group(self, level) if rows == "group" else self._parameters(level)

    def _parameters(self, level: float) -> Table:
        interval, errors = self.interval(level), self.standard_errors
        rows = []
        for name in self.law.shown:
            values, errs = np.atleast_1d(self.params[name]), np.atleast_1d(errors[name])
            lows, highs = (np.atleast_1d(v) for v in interval[name])
            for index in np.ndindex(values.shape):
                mark = self._mark(name, index)
                label = name + self._index_text(name, index)
                cells = (number(values[index]), number(errs[index], 3), number(lows[index]), number(highs[index]))
                rows.append([label, *cells, mark])
        percent = f"{100 * level:g} %"
        return Table(["parameter", "estimate", "std. error", f"low {percent}", f"high {percent}", ""], rows, notes=self._notes())

    def _index_text(self, name: str, index: tuple[int, ...]) -> str:
        if np.ndim(self.params[name]) == 0:
            return ""
        parts = [self.request.which(name, index[0]), *map(str, index[1:])] if self.request.grouped(name) else list(map(str, index))
        return f"[{', '.join(parts)}]"

    def _mark(self, name: str, index: tuple[int, ...]) -> str:
        request = self.request
        if name in request.fix:
            return "fixed"
        if name in request.tie:
            return f"= {request.tie[name]}"
        if index and index[0] in request.anchored.get(name, ()):
            return "fixed"
        shape = self.curvature[index[0] if request.apart else 0]
        inner = index[1:] if request.apart else index
        label = f"{name}[{inner[0]}]" if inner and f"{name}[{inner[0]}]" in request.layout.labels else name
        return "at boundary" if label in shape.boundary else "not determined" if label in shape.flat else ""

    def _notes(self) -> list[str]:
        return notes_of(self)

    @property
    def remarks(self) -> tuple[Note, ...]:
        """What speaks against the data or the fit: sentences with a `code` and a `severity`, "info", "warning" or "error"."""
        flags = [Note(flag.message, flag.code) for flag in self.runs.flags]
        return (*flags, *(Note(r.message, r.code, "error" if r.grave else "warning") for r in self.diagnosis.remarks))

    def to_dict(self) -> dict[str, Any]:
        """What can be written as JSON: parameters with errors and intervals, status, verdict, groups, remarks; data are left to `save`."""
        return as_dict(self)

    def __repr__(self) -> str:
        parts = [f"{self.law.name}: {self._head}", self.table().text(), *(table.text() for table in self._groups_table)]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        tables = "".join(table.html() for table in (self.table(), *self._groups_table))
        return f"<p><b>{self.law.name}</b>: {html.escape(self._head)}</p>{tables}"

    @property
    def _groups_table(self) -> list[Table]:
        """How well the law describes every group, the worst of many."""
        return [self.diagnosis.table(_GROUPS)] if self.groups else []

    @property
    def _head(self) -> str:
        """How the fit ended, and whether to believe it."""
        doubt = "" if self.verdict.good else f", {self.verdict}"
        return f"{self.status.value}{doubt}. {self.status.sentence}"

    def save(self, path: Any) -> None:
        """Write the fit with its data as JSON, atomically; `load_fit` reads it back."""
        from .storage import save_fit

        save_fit(self, path)


def _stack(fitted: Fit, values: dict[str, np.ndarray]) -> dict[str, Any]:
    """Values with a leading axis of sets in the shape of `params`."""
    out = {}
    for name in fitted.law.parameters:
        value = np.asarray(values[name], dtype=np.float64)
        value = value if fitted.request.apart else value[0]
        out[name] = float(value) if np.ndim(value) == 0 else value
    return out
