"""Two laws in a row: a first predicts what a second needs, such as compute -> loss -> accuracy, with the uncertainty of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np

from ..core.answer import drawn_by, without
from ..core.errors import DecisionError
from ..core.law import Law
from ..core.precision import double
from ..core.statistics import ends
from ..core.table import Shown, Table, number
from ..decisions.known import Known
from ..decisions.pairing import Pair, knowns
from ..decisions.recipes.side import own_values
from ..fitting.predict import inputs_by_name


@dataclass(frozen=True, eq=False, repr=False)
class TwoStage(Shown):
    """y = g(f(x)): the second law's input is what the first predicts. Made by `two_stage`.

    Attributes:
        first, second: what is known of the two laws, with draws of one length.
        through: the input of the second law that the first predicts.
        given: values of inputs of the first and of the second law that hold for this one alone.
        groups: the group of each, for fits with groups.
    """

    first: Known
    second: Known
    through: str
    given: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
    groups: tuple[str | None, str | None] = (None, None)

    @property
    def names(self) -> tuple[str, str]:
        """What the two laws predict: their outputs, such as ("loss", "accuracy"); the first is called after `through` if they are alike."""
        middle, last = (k.law.output for k in (self.first, self.second))
        middle = self.through if middle == last else middle
        return (f"first {middle}" if middle == last else middle), last

    @property
    def inputs(self) -> tuple[str, ...]:
        """Inputs that a prediction needs: all of the first law, and those of the second but `through`, where no value is given."""
        first = [n for n in self.first.law.inputs if n not in self.given[0]]
        return tuple(dict.fromkeys(first + [n for n in self.second.law.inputs if n != self.through and n not in self.given[1]]))

    @inputs_by_name
    @double
    def predict(self, **inputs: Any) -> Any:
        """The second law at the first one's prediction, both at their point estimates.

        Args:
            **inputs: a number or an array for every input of the first law, and for every other one of the second. An input that both laws
                have has one value for both.
        """
        out = self._values(self.first.leading(), self.second.leading(), self._checked(inputs))[1][0]
        return out if np.ndim(out) else float(out)

    @double
    def draws(self, *, kind: Literal["mean", "run"] = "mean", seed: int = 0, **inputs: Any) -> dict[str, np.ndarray]:
        """Predictions of both laws for every draw, by the names of their outputs, with a leading draw axis.

        Draw i of the first law goes through draw i of the second; a law with bare parameters is taken as exact.

        Args:
            kind: "mean" for the laws' values; "run" for what a new run would show: its noise about the first law goes through the second
                one, and the noise about the second is added. The two are taken as independent.
            seed: of the noise.
            **inputs: as in `predict`.

        Raises:
            DecisionError: if neither law has draws, or kind="run" is asked of a law with bare parameters.
        """
        if kind not in ("mean", "run"):
            raise DecisionError(f"kind={kind!r} must be 'mean' or 'run'.")
        if not self.first.draws:
            raise DecisionError(without("chain", self.first.kind))
        x = self._checked(inputs)
        if kind == "mean":
            found = self._values(self.first.draws, self.second.draws, x)
        else:
            middle, last = self._values(self.first.leading(), self.second.leading(), x)
            size = np.shape(last)[1:]
            noise = self._noise(0, x[0], size, seed), self._noise(1, {**x[1], self.through: middle[0]}, size, seed + 1)
            found = self._values(self.first.draws, self.second.draws, x, noise)
        return dict(zip(self.names, found, strict=True))

    def interval(self, level: float = 0.9, *, kind: Literal["mean", "run"] = "mean", **inputs: Any) -> dict[str, tuple[Any, Any]]:
        """(low, high) of both laws' predictions at this confidence `level`, by the names of their outputs; see `draws`."""
        found = self.draws(kind=kind, **inputs)
        return {name: tuple(v if np.ndim(v) else float(v) for v in ends(d, level)) for name, d in found.items()}

    def table(self, level: float = 0.9, **inputs: Any) -> Table:
        """The two stages; with inputs, what they predict there, a row for every point."""
        note = [drawn_by(self.first.count, self._kinds)] if self.first.draws else [self._kinds] if self._kinds else []
        if not inputs:
            rows = [[where, k.law.name, name, ", ".join(k.law.inputs)] for where, k, name in
                    zip(("first", "second"), (self.first, self.second), self.names, strict=True)]  # fmt: skip
            asked = ", ".join(f"{name}=..." for name in self.inputs)
            return Table(["stage", "law", "predicts", "from"], rows, notes=[f"predict({asked}), interval(0.9, {asked})", *note])
        middle, last = (v[0] for v in self._point(inputs))
        shape = np.shape(last)
        columns = {n: np.broadcast_to(v, shape).ravel() for n, v in {**inputs, self.names[0]: middle, self.names[1]: last}.items()}
        limits = self.interval(level, **inputs) if self.first.draws else {}
        head = [cell for n in columns for cell in ([n, f"{100 * level:g} %"] if n in limits else [n])]
        rows = []
        for i in range(int(np.prod(shape))):
            row = []
            for n, values in columns.items():
                row.append(number(values[i], 5 if n in self.names else 4))
                row += [" – ".join(number(np.broadcast_to(end, shape).ravel()[i], 5) for end in limits[n])] if n in limits else []
            rows.append(row)
        return Table(head, rows, notes=note)

    @property
    def _kinds(self) -> str:
        return " and ".join(dict.fromkeys(k.kind for k in (self.first, self.second) if k.kind))

    @double
    def _point(self, inputs: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        return self._values(self.first.leading(), self.second.leading(), self._checked(inputs))

    def _checked(self, inputs: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Values of the inputs of each law, but for `through`."""
        if set(self.inputs) != set(inputs):
            needed, got = (", ".join(sorted(names)) or "none" for names in (self.inputs, inputs))
            raise DecisionError(f"These stages take the inputs {needed}; got {got}.")
        first, second = ({**inputs, **own} for own in self.given)
        of_second = [n for n in self.second.law.inputs if n != self.through]
        return tuple(
            {n: np.asarray(values[n], dtype=np.float64) for n in names}
            for values, names in ((first, self.first.law.inputs), (second, of_second))
        )

    def _values(self, first: Any, second: Any, x: Any, noise: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Both laws for sets of parameters with a leading axis; noise is (factors, terms) of each law with the same axis."""
        count = len(next(iter(first.values())))
        noise = ((np.ones(count), np.zeros(count)),) * 2 if noise is None else noise

        def one(p: Any, q: Any, shaken: Any) -> tuple[Any, Any]:
            (times, plus), (times_too, plus_too) = shaken
            middle = self.first.law(**x[0], **p) * times + plus
            return middle, self.second.law(**x[1], **{self.through: middle}, **q) * times_too + plus_too

        middle, last = jax.vmap(one)(first, second, noise)
        return np.asarray(middle), np.asarray(last)

    def _noise(self, stage: int, x: Mapping[str, Any], shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
        """(factors, terms), each (draws, *shape): what a new run adds to the law at these inputs, as the stage's own draws say."""
        k = (self.first, self.second)[stage]
        if k.source is None:
            raise DecisionError(f"kind='run' needs the noise of both stages; {k.law.name!r} has bare parameters, so pass a fit or draws.")
        at = {n: np.broadcast_to(v, np.broadcast_shapes(np.shape(v), shape)) for n, v in x.items()}
        at |= {} if self.groups[stage] is None else {"group": self.groups[stage]}
        mean, run = (np.asarray(k.source.predict(**at, **how))[: k.count] for how in ({}, {"kind": "run", "seed": seed}))
        if k.source.request.on == "log":
            return run / mean, np.zeros_like(mean)
        return np.ones_like(mean), run - mean


def two_stage(
    first: Any,
    second: Any,
    *,
    through: str | None = None,
    groups: tuple[str | None, str | None] = (None, None),
    pair: Pair = None,
) -> TwoStage:
    r"""Predict through an intermediate quantity, and carry the uncertainty of both stages.

        y = g(f(x; theta_1); theta_2),    theta_1, theta_2 drawn from the uncertainty of each fit

    Llama 3 predicts benchmarks so (compute -> normalised loss of the correct answer -> accuracy), Gadre et al. the mean error of tasks
    (N, D -> loss -> error). The second law may be fitted to runs that the first never saw, such as older, larger models.

    Args:
        first: a fit, draws (`sj.bootstrap(fit)`) or (law, parameters); its output is what it predicts. Or (source, {input: value}) with
            values that hold for this law alone.
        second: the same, of a law that takes this output as an input.
        through: the input of the second law; default the first law's output, or the only input.
        groups: which group of each, for fits with groups.
        pair: columns that name what the runs of both stages share, as in `sj.compute_multiplier`. By default fits of the same runs whose
            residuals correlate are resampled together, and the others are independent.

    Returns:
        TwoStage with `.predict(**inputs)`, `.draws(**inputs)`, `.interval(level, **inputs)` and `.table(level, **inputs)`; results go by
        the laws' outputs, and kind="run" adds the noise of a new run.

    Raises:
        DecisionError: if a stage is none of these, or the second law does not take what the first predicts.

    Example:
        >>> from scalejax import laws
        >>> import scalejax as sj
        >>> loss = (laws.llama3_nll, {"s": -0.2, "t": 5.5})
        >>> accuracy = (laws.llama3_accuracy, {"L_0": 0.25, "r": 0.8, "k": 10.0, "x_0": 0.7})
        >>> chain = sj.procedures.two_stage(loss, accuracy)
        >>> round(chain.predict(C=1e24), 4)
        0.55

    References: Grattafiori et al. 2024, arXiv:2407.21783, section 3.2.1; Gadre et al. 2024, arXiv:2403.08540.
    """
    parts = [own_values(source, "two_stage") for source in (first, second)]
    of = [own.pop("group", group) for (_, own), group in zip(parts, groups, strict=True)]
    stages = knowns([source for source, _ in parts], of, pair, "two_stage")
    name = through or _link(stages[0].law, stages[1].law)
    if name not in stages[1].law.inputs:
        raise DecisionError(f"Law {stages[1].law.name!r} has no input {name!r}; it takes {', '.join(stages[1].law.inputs)}.")
    for k, (_, own) in zip(stages, parts, strict=True):
        for n in own:
            if n not in k.law.inputs or (k is stages[1] and n == name):
                raise DecisionError(f"two_stage() got a value of {n!r} for {k.law.name!r}, which takes {', '.join(k.law.inputs)}.")
    return TwoStage(stages[0], stages[1], name, tuple(own for _, own in parts), tuple(of))


def _link(first: Law, second: Law) -> str:
    """The input of the second law that the first predicts."""
    if first.output in second.inputs:
        return first.output
    if len(second.inputs) == 1:
        return second.inputs[0]
    raise DecisionError(
        f"Law {first.name!r} predicts {first.output!r}, and {second.name!r} takes {', '.join(second.inputs)}; say which with through=..."
    )
