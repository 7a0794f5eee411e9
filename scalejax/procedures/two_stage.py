"""Two laws in a row: a first predicts what a second needs, such as compute -> loss -> accuracy, with the uncertainty of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ..core.errors import DecisionError
from ..core.law import Law
from ..core.precision import double
from ..decisions.sources import Known, Source, known
from ..fitting.draws import ends

_SHUFFLE = 20240229


@dataclass(frozen=True, eq=False)
class TwoStage:
    """y = g(f(x)): the second law's input is what the first predicts. Made by `two_stage`.

    Attributes:
        first, second: what is known of the two laws.
        through: the input of the second law that the first predicts.
    """

    first: Known
    second: Known
    through: str

    @double
    def predict(self, **inputs: Any) -> Any:
        """The second law at the first one's prediction, both at their point estimates.

        Args:
            **inputs: a number or an array for every input of the first law, and for every other one of the second.
        """
        out = self._values(self.first.leading(), self.second.leading(), inputs)[1][0]
        return out if np.ndim(out) else float(out)

    @double
    def draws(self, **inputs: Any) -> dict[str, np.ndarray]:
        """Predictions of the "first" and the "second" law for every draw, with a leading draw axis.

        Draw i of the first law goes through draw i of the second; a law without draws is taken as exact.

        Raises:
            DecisionError: if neither law has draws.
        """
        if not (self.first.draws or self.second.draws):
            raise DecisionError("Neither stage has draws; make two_stage() of fits, or of their bootstraps.")
        count = min(k.count for k in (self.first, self.second) if k.draws)
        middle, last = self._values(_some(self.first, count), _some(self.second, count), inputs)
        return {"first": middle, "second": last}

    def interval(self, level: float = 0.9, **inputs: Any) -> dict[str, tuple[Any, Any]]:
        """(low, high) of "first" and "second" at this confidence `level`: of the laws' values, not of a new run."""
        return {name: tuple(v if np.ndim(v) else float(v) for v in ends(d, level)) for name, d in self.draws(**inputs).items()}

    def _values(self, first: Any, second: Any, inputs: Any) -> tuple[np.ndarray, np.ndarray]:
        """Both laws for sets of parameters with a leading axis."""
        laws = (self.first.law, self.second.law)
        needed = {*laws[0].inputs, *laws[1].inputs} - {self.through}
        for name in {*needed, *inputs}:
            if name not in needed or name not in inputs:
                raise DecisionError(f"These stages take the inputs {', '.join(sorted(needed))}; got {', '.join(sorted(inputs)) or 'none'}.")
        x = {name: np.asarray(value, dtype=np.float64) for name, value in inputs.items()}

        def one(p: Any, q: Any) -> tuple[Any, Any]:
            middle = laws[0](**{n: x[n] for n in laws[0].inputs}, **p)
            return middle, laws[1](**{n: middle if n == self.through else x[n] for n in laws[1].inputs}, **q)

        middle, last = jax.vmap(one)(first, second)
        return np.asarray(middle), np.asarray(last)


def two_stage(
    first: Source, second: Source, *, through: str | None = None, groups: tuple[str | None, str | None] = (None, None)
) -> TwoStage:
    r"""Predict through an intermediate quantity, and carry the uncertainty of both stages.

        y = g(f(x; theta_1); theta_2),    theta_1, theta_2 drawn from the uncertainty of each fit

    Llama 3 predicts benchmarks so (compute -> normalised loss of the correct answer -> accuracy), Gadre et al. the mean error of tasks
    (N, D -> loss -> error). The second law may be fitted to runs that the first never saw, such as older, larger models.

    Args:
        first: a fit, draws (`sj.bootstrap(fit)`) or (law, parameters); its output is what it predicts. A fit brings Laplace draws.
        second: the same, of a law that takes this output as an input.
        through: the input of the second law; default the first law's output, or the only input.
        groups: which group of each, for fits with groups.

    Returns:
        TwoStage with `.predict(**inputs)`, `.draws(**inputs)` and `.interval(level, **inputs)`.

    Raises:
        DecisionError: if a stage is none of these, or the second law does not take what the first predicts.

    Note: the two fits are taken as independent, and their draws are paired at random. Where one set of runs made both, what
    their errors have in common is not accounted for.

    Example:
        >>> from scalejax import laws
        >>> import scalejax as sj
        >>> loss = (laws.llama3_nll, {"s": -0.2, "t": 5.5})
        >>> accuracy = (laws.llama3_accuracy, {"L_0": 0.25, "K": 0.7, "k": 10.0, "x_0": 0.7})
        >>> chain = sj.procedures.two_stage(loss, accuracy)
        >>> round(chain.predict(C=1e24), 4)
        0.6

    References: Grattafiori et al. 2024, arXiv:2407.21783, section 3.2.1; Gadre et al. 2024, arXiv:2403.08540.
    """
    stages = [known(source, group, "two_stage") for source, group in zip((first, second), groups, strict=True)]
    name = through or _link(stages[0].law, stages[1].law)
    if name not in stages[1].law.inputs:
        raise DecisionError(f"Law {stages[1].law.name!r} has no input {name!r}; it takes {', '.join(stages[1].law.inputs)}.")
    if stages[1].draws:  # two Laplace approximations come from the same random numbers
        order = np.random.default_rng(_SHUFFLE).permutation(stages[1].count)
        stages[1] = stages[1]._replace(draws={n: v[order] for n, v in stages[1].draws.items()})
    return TwoStage(stages[0], stages[1], name)


def _link(first: Law, second: Law) -> str:
    """The input of the second law that the first predicts."""
    if first.output in second.inputs:
        return first.output
    if len(second.inputs) == 1:
        return second.inputs[0]
    raise DecisionError(
        f"Law {first.name!r} predicts {first.output!r}, and {second.name!r} takes {', '.join(second.inputs)}; say which with through=..."
    )


def _some(stage: Known, count: int) -> dict[str, np.ndarray]:
    """`count` draws of a stage; of one without draws, copies of the point."""
    if stage.draws:
        return {name: v[:count] for name, v in stage.draws.items()}
    return {name: np.repeat(v, count, axis=0) for name, v in stage.leading().items()}
