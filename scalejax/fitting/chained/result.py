"""`ChainFit`: the fit of a chain, or of one law whose outcome is counted or bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...core.errors import FitError, suggest
from ...core.laws.chain import Chain
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.table import number
from ..diagnosis import Diagnosis
from ..diagnosis.groups import Counts
from ..predict import Points, evaluate, inputs_by_name
from ..request import Request
from ..result import Fit
from ..uncertainty.covariance import Curvature
from ..uncertainty.intervals import no_freedom
from ..uncertainty.noise import ENOUGH, Noise, weight_of_new
from ..uncertainty.units import Units, unit_names
from .stacking import RUN, SHARE, TRIALS, UNIT, Stacked, observed

if TYPE_CHECKING:
    from .joint import ChainRequest


_SCALES = {"log": "logarithms of ", "linear": "", "logit": "logits of "}


class StageRows(NamedTuple):
    """What a stage was fitted to: observed and fitted outputs, residuals on the stage's scale, and rows of the user's table."""

    observed: np.ndarray
    fitted: np.ndarray
    residuals: np.ndarray
    row: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class ChainFit(Fit):
    """A fitted chain; all that a `Fit` has, of a law that predicts the last stage's output from the first stages' inputs.

    `request` is one regression: `runs` has a row for every observed output, and residuals are in units of each stage's noise, so that
    `objective`, `residuals` and the diagnosis speak of these. `rows(output)` gives a stage in its own units.

    Attributes:
        asked: what was asked for. stacked: the table behind `runs`.
        noise: of every stage, the standard deviation of its residuals on its own scale; of counts the overdispersion (0 of a binomial).
        staged: None for a joint fit; "observed" or "predicted" inputs of the later stages for one stage by stage.
    """

    asked: ChainRequest
    stacked: Stacked
    noise: Mapping[str, float]
    staged: str | None = None

    @staticmethod
    def made(
        fitted: Fit, asked: ChainRequest, stacked: Stacked, noise: Mapping[str, float], curvature: tuple[Curvature, ...] | None,
        staged: str | None = None,
    ) -> ChainFit:  # fmt: skip
        """The fit of the stacked regression as that of the chain."""
        plain = {f.name: getattr(fitted, f.name) for f in fields(Fit)}
        plain |= {} if curvature is None else {"curvature": curvature}
        return ChainFit(**plain, asked=asked, stacked=stacked, noise=dict(noise), staged=staged)

    @property
    def law(self) -> Law:
        """The law of the last stage's output, or of that which `of` was told."""
        return self._law_of(None)

    def of(self, output: str, below: float | None = None) -> ChainFit:
        """The same fit with a stage's output as what it predicts and decisions are about.

        Decisions look for the lowest value: `sj.allocate(fit.of("accuracy", below=1.0), compute=1e23)` is about 1 - accuracy, and
        `sj.allocate(fit.of("loss"), compute=1e23)` about the loss.

        Args:
            output: the stage.
            below: predict how far the output stays below this, for outputs that are to be high.
        """
        return replace(self, asked=replace(self.asked, output=self.chain.stage(output).name, below=below))

    @property
    def chain(self) -> Chain:
        """The chain."""
        return self.asked.joined

    @property
    def unit_columns(self) -> tuple[str, ...]:
        """What a bootstrap resamples if nothing else is said: runs, whose outputs stay together."""
        return (RUN,) if len(self.chain.stages) > 1 else ()

    @property
    def usual_trials(self) -> float | None:
        """See `Fit`: of the stage that is predicted."""
        here = self.stacked.stage == self.chain.outputs.index(self.asked.output)
        return float(np.median(self.stacked.columns[TRIALS][here])) if self.asked.each[self.asked.output].counts else None

    def strata(self, rows: np.ndarray, units: Units) -> np.ndarray | None:
        """See `Fit`: runs are drawn among those that show the same outputs, so that every replicate has as many of each stage."""
        if len(self.chain.stages) == 1:
            return None
        _, index = np.unique(unit_names(self.request.runs, np.arange(len(self.runs)), units.columns), return_inverse=True)
        shows = np.zeros((index.max() + 1, len(self.chain.stages)), int)
        shows[index, self.stacked.stage] = 1
        pattern = np.unique(shows, axis=0, return_inverse=True)[1].reshape(-1)[index]
        return pattern[self.request.places[0][rows]] if len(self.request.places) == 1 else None

    @cached_property
    def regression(self) -> Fit:
        """The stacked regression as a plain fit."""
        return Fit(**{f.name: getattr(self, f.name) for f in fields(Fit)})

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What speaks against the fit, of the stacked regression; rows are those of `runs`."""
        expected = self._expected
        return Diagnosis(self.regression, expected, None if expected is None else self._counts(expected), self)

    @property
    def _expected(self) -> Request | None:
        """The regression if all counts were as the law predicts; None without counts."""
        from .joint import fitted_values

        counted = [(k, name) for k, name in enumerate(self.chain.outputs) if self.asked.each[name].counts]
        share = self.stacked.columns[SHARE].copy()
        for k, name in counted:
            here = self.stacked.stage == k
            share[here] = fitted_values(self._joint, self.request, self.theta, name)[here]
        return replace(self.request, runs=self.request.runs.with_columns(**{SHARE: share})) if counted else None

    def _counts(self, expected: Request) -> Counts:
        """The rows of counts, with the probabilities that are expected."""
        columns, counted = self.stacked.columns, np.asarray([self.asked.each[name].counts for name in self.chain.outputs])
        stage = self.stacked.stage
        outcome = np.where(counted[stage], stage, -1)
        return Counts(outcome, columns[SHARE], columns[TRIALS], expected.runs[SHARE], expected.runs[UNIT])

    @cached_property
    @double
    def observed(self) -> np.ndarray:
        """See `Fit`: outputs of the one law, or those of all stages on the scales of their residuals."""
        return self._in_order(self.rows(self.asked.output).observed) if self.asked.single is not None else self.regression.observed

    @cached_property
    @double
    def fitted(self) -> np.ndarray:
        """See `Fit` and `observed`."""
        return self._in_order(self.rows(self.asked.output).fitted) if self.asked.single is not None else self.regression.fitted

    def _in_order(self, values: np.ndarray) -> np.ndarray:
        """Values of the rows, set by set."""
        return np.concatenate([values[place[used]] for place, used in zip(self.request.places, self.request.used, strict=True)])

    @property
    def residuals(self) -> np.ndarray:
        """Observed minus predicted on the scales of residuals, in units of noise."""
        return self.regression.residuals

    @property
    def misses(self) -> np.ndarray:
        """See `Fit`: on the scale of the output itself."""
        return np.abs(self.observed - self.fitted)

    @property
    def asked_again(self) -> dict[str, Any]:
        """See `Fit`."""
        plain = {name: value for name, value in super().asked_again.items() if name not in ("loss", "on")}
        each, alone = self.asked.each, self.asked.single is not None
        bounded = {n: m for n, m in each.items() if m.on == "logit"}
        stages: dict[str, dict[str, Any]] = {
            "loss": {n: m.loss for n, m in each.items()},
            "on": {n: m.on for n, m in each.items() if not m.counts},
            "floor": {n: m.floor for n, m in bounded.items()},
            "ceiling": {n: m.ceiling for n, m in bounded.items()},
            "noise": {} if alone else {n: v for n, v in self.asked.noise.items() if not each[n].counts},
        }
        return plain | {name: value[self.asked.output] if alone else value for name, value in stages.items() if value}

    @property
    def minimised(self) -> str:
        """See `Fit`."""
        measure = self.asked.each[self.asked.output]
        if measure.counts:
            how = "divided by their overdispersion (quasi-likelihood)" if measure.overdispersed else "(maximum likelihood)"
            return f"the deviance of the counts behind {self.asked.output} {how}"
        return f"the sum of {measure.loss!r} of the residuals of {_SCALES[measure.on]}{self.asked.output}"

    @property
    def r_squared(self) -> float:
        """Share of the variance of the last stage's output that the law explains."""
        rows = self.rows(self.asked.output)
        return float(1 - np.sum((rows.observed - rows.fitted) ** 2) / np.sum((rows.observed - rows.observed.mean()) ** 2))

    def view(self, inputs: Mapping[str, Any]) -> tuple[Request, dict[str, Any]]:
        """The request as one for the law of `output=`, default the last stage, and the other inputs."""
        inputs = dict(inputs)
        return replace(self.request, law=self._law_of(inputs.pop("output", None))), inputs

    def _law_of(self, output: str | None) -> Law:
        if output is not None and output not in self.chain.outputs:
            raise FitError(f"output={output!r} is not a stage; {suggest(str(output), self.chain.outputs)}")
        below = self.asked.below if output is None else None
        if self.asked.single is not None and below is None:
            return self.asked.single
        return self.chain.of(output or self.asked.output, below)

    @inputs_by_name
    @double
    def predict(self, *, output: str | None = None, **inputs: Any) -> Any:
        """The output of a stage at the fitted parameters.

        Args:
            output: the stage, default the last.
            **inputs: a number or an array for every input that this output depends on; with groups also `group=`.

        Returns:
            float, or a NumPy array of the inputs' broadcast length.
        """
        view, rest = self.view({"output": output, **inputs})
        return evaluate(view, self.theta, rest)

    @double
    def rows(self, output: str) -> StageRows:
        """Observed and fitted outputs of a stage, and its residuals (observed - predicted) on the stage's scale."""
        if output not in self.chain.outputs:
            raise FitError(f"{output!r} is not a stage; {suggest(str(output), self.chain.outputs)}")
        from .joint import fitted_values

        here = self.stacked.stage == self.chain.outputs.index(output)
        if self.staged == "observed" and self.chain.stage(output).takes:
            fitted = self._fitted_observed(output, here)
        else:
            fitted = fitted_values(self._joint, self.request, self.theta, output)[here]
        return StageRows(self.stacked.value[here], fitted, self._raw[here], self.stacked.row[here])

    def _fitted_observed(self, output: str, here: np.ndarray) -> np.ndarray:
        stage, columns = self.chain.stage(output), self.stacked.columns
        values = {n: columns[observed(n) if n in stage.takes else n][here] for n in stage.inputs}
        own = {name: self.params[called] for name, called in stage.parameters}
        return np.asarray(stage.law(*values.values(), **own))

    @property
    def _joint(self) -> Any:
        from .joint import Joint

        return Joint(self.asked, self.stacked)

    @cached_property
    @double
    def _raw(self) -> np.ndarray:
        """(rows,) residuals on the scales of their stages."""
        return self._joint.residuals(self.request, self.theta) / self.request.runs[UNIT]

    def with_noise(
        self, view: Request, value: np.ndarray, points: Points, rng: np.random.Generator, weight: Any, trials: Any
    ) -> np.ndarray:  # fmt: skip
        """What new runs would show: predictions (draws, ...) with the noise of the stage that `view` predicts."""
        output = self.asked.output if self.asked.single is not None else view.law.output
        measure = self.asked.each[output]
        if self.asked.below is not None and view.law == self.law:
            return self.asked.below - self.of(output).with_noise(view, self.asked.below - value, points, rng, weight, trials)
        if measure.counts:
            return self._counted(output, value, points, rng, trials)
        if trials is not None:
            raise FitError(f"trials= is for counted outcomes, and {output!r} is none; leave it out.")
        here = (self.stacked.stage == self.chain.outputs.index(output)) & (self.stacked.weight > 0)
        left = int(here.sum()) * (1 - self.request.layout.size / max(int((self.stacked.weight > 0).sum()), 1))
        if left <= 0:
            raise FitError(no_freedom(self.request))
        kept = here.copy()
        kept[self.diagnosis.outliers.rows] = False
        kept = kept if kept.sum() >= ENOUGH else here
        unit = self._raw[kept] * np.sqrt(self.stacked.weight[kept])
        flat = value.reshape(len(value), -1)
        drawn = Noise(unit, left * kept.sum() / here.sum()).draw(rng, flat.shape)
        weights = weight_of_new(replace_weights(self, here), weight, flat.shape[1])
        return measure.back(value, (drawn / np.sqrt(weights)).reshape(value.shape))

    def _counted(self, output: str, value: np.ndarray, points: Points, rng: np.random.Generator, trials: Any) -> np.ndarray:
        if trials is None:
            raise FitError(f"The noise of {output!r} depends on the number of trials of the new run; pass trials=... (kind='run').")
        try:
            n = np.broadcast_to(np.asarray(trials, dtype=float), points.shape)
        except (TypeError, ValueError):
            raise FitError(f"trials={trials!r} must be a number, or one for each of the points.") from None
        if not ((n >= 1) & (n == np.round(n))).all():
            raise FitError(f"trials={trials!r} must be whole numbers, 1 or more.")
        p, phi = np.clip(value, 0.0, 1.0), float(self.noise[output])
        if phi > 0:
            k = 1 / phi - 1
            p = rng.beta(np.maximum(p * k, 1e-9), np.maximum((1 - p) * k, 1e-9))
        return rng.binomial(n.astype(int), p) / n

    def _notes(self) -> list[str]:
        words = []
        for name in self.chain.outputs:
            measure, count = self.asked.each[name], int((self.stacked.stage == self.chain.outputs.index(name)).sum())
            if measure.counts:
                size = f", overdispersion {number(self.noise[name], 3)}" if measure.overdispersed else ""
                words.append(f"{name}: {count} rows of counts{size}")
            else:
                known = f", noise {number(self.noise[name], 3)}" if len(self.chain.outputs) > 1 or name not in self.asked.noise else ""
                words.append(f"{name}: {count} rows, {type(measure.loss).__name__.lower()} on {measure.on}{known}")
        how = f"stage by stage, from {self.staged} inputs" if self.staged else "all stages at once, residuals in units of their noise"
        return ["; ".join(words), *([how] if len(self.chain.outputs) > 1 else []), *super()._notes()]

    def save(self, path: Any) -> None:
        """Write the fit with its data as JSON, atomically; `load_fit` reads it back."""
        from .storage import save_chain

        save_chain(self, path)


class _Weighted(NamedTuple):
    """As much of a fit as `weight_of_new` looks at."""

    request: Any


class _Rows(NamedTuple):
    row_weights: list[np.ndarray]
    tables: list[Any]


class _Table(NamedTuple):
    excluded: np.ndarray


def replace_weights(fit: ChainFit, here: np.ndarray) -> Any:
    """The user's weights of one stage's rows, as `weight_of_new` reads them."""
    weight = fit.stacked.weight[here]
    return _Weighted(_Rows([weight], [_Table(np.zeros(len(weight), bool))]))
