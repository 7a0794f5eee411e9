"""The dense model that a routed one equals, and the size beyond which routing does not pay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core.answer import Answer, shaped
from ..core.errors import DecisionError
from ..core.precision import double
from ..core.table import Table
from ..decisions.known import Source, known
from ..decisions.question import numbers
from ..zoo.architecture.routing import routed_lm, saturated_experts


@dataclass(frozen=True, eq=False, repr=False)
class EffectiveParameters(Answer):
    """Dense sizes of equal loss. Made by `effective_parameters`.

    Attributes:
        N, E: the routed models: size that a token sees, and experts.
        value: parameters of the dense model with the same loss.
        ratio: value / N, what routing multiplies the size by.
        cutoff: N at which routing stops paying; infinite where c <= 0.
        draws: "value", "ratio" and "cutoff" with a leading draw axis; empty without uncertainty.
    """

    N: Any
    E: Any
    value: Any
    ratio: Any
    cutoff: float
    draws: Mapping[str, np.ndarray]
    _name: ClassVar[str] = "effective size"

    def table(self, level: float = 0.9) -> Table:
        """A row for every model."""
        head, rows = self._rows({"N": (self.N, 4), "E": (self.E, 4), "value": (self.value, 4), "ratio": (self.ratio, 4)}, level)
        note = f"routing pays up to N = {self.cutoff:.3g}"
        if self.draws:
            low, high = self.interval(level)["cutoff"]
            note += f" ({100 * level:g} %: {low:.3g} – {high:.3g})"
        return Table(head, rows, title="Dense size of equal loss", notes=[note, *self._drawn])


@double
def effective_parameters(source: Source, *, N: Any, E: Any, group: str | None = None) -> EffectiveParameters:
    r"""The dense size that a routed model is worth, and the size beyond which routing does not pay.

        N_eff(N, E) = N^(alpha(Ê) / alpha(E_start)) (Ê / E_start)^(b / alpha(E_start)),    alpha(x) = a + c log10 x
        N_cutoff = 10^(-b / c)

    Args:
        source: a fit, draws or (law, parameters) of `laws.routed_lm`.
        N: parameters that one token sees, a number or an array.
        E: experts, a number or an array of the same length.
        group: which group, for a fit with groups (such as routers).

    Returns:
        EffectiveParameters with `.value`, `.ratio`, `.cutoff`, `.interval(level)` and `.table()`. The cut-off lies far beyond most runs
        and hangs on the third digit of b and c: look at its interval.

    Raises:
        DecisionError: if the law is another, or N or E is not a positive number.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.routed_lm
        >>> worth = sj.procedures.effective_parameters((law, law.published["s_base"]), N=5e6, E=128)
        >>> f"{worth.value:.2g} {worth.cutoff:.1g}"
        '5.2e+07 1e+12'

    References: Clark et al. 2022, arXiv:2202.01169, section 5.
    """
    knowledge = known(source, group, "effective_parameters")
    if knowledge.law.function is not routed_lm.function:
        raise DecisionError(f"effective_parameters() is for laws.routed_lm, got {knowledge.law.name!r}; equivalent() serves any law.")
    N, E = numbers("N", N), numbers("E", E)
    for name, value in (("N", N), ("E", E)):
        if value.ndim > 1 or not (np.isfinite(value).all() and (value > 0).all()):
            raise DecisionError(f"{name} must be a positive number, or a list of them.")
    try:
        shape = np.broadcast_shapes(N.shape, E.shape)
    except ValueError:
        raise DecisionError(f"N and E have different lengths, {N.size} and {E.size}; give one length, or numbers.") from None
    N, E = (np.broadcast_to(v, shape).reshape(-1) for v in (N, E))
    bound = {name: np.asarray([value]) for name, value in knowledge.law.bound}
    value, cutoff = _worth({**bound, **knowledge.leading()}, N, E)
    draws = {}
    if knowledge.draws:
        drawn, cutoffs = _worth({**bound, **knowledge.draws}, N, E)
        draws = {"value": shaped(drawn, shape), "ratio": shaped(drawn / N, shape), "cutoff": cutoffs}
    one = [shaped(v, shape) for v in (N, E, value[0], value[0] / N)]
    return EffectiveParameters(*one, float(cutoff[0]), draws, kind=knowledge.kind)


def _worth(params: Mapping[str, np.ndarray], N: np.ndarray, E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Dense sizes (draws, models) and cut-offs (draws,)."""
    a, b, c, E_start, E_max = (params[name][:, None] for name in ("a", "b", "c", "E_start", "E_max"))
    gain = np.log10(np.asarray(saturated_experts(E, E_start, E_max)) / E_start)
    slope = a + c * np.log10(E_start)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        value = 10 ** (np.log10(N) + gain * (c * np.log10(N) + b) / slope)
        cutoff = np.where(params["c"] > 0, 10 ** (-params["b"] / params["c"]), np.inf)
    return value, cutoff
