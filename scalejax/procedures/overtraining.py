"""Over-training: the best number of tokens per parameter, and what another one costs in compute and saves in size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core.answer import Answer
from ..core.errors import DecisionError
from ..core.precision import double
from ..core.table import Table
from ..decisions.known import Source, known
from ..decisions.question import numbers


@dataclass(frozen=True, eq=False, repr=False)
class Multiplier(Answer):
    """Tokens per parameter, compared with the best number. Made by `optimal_multiplier`.

    Attributes:
        best: M*, the same for every compute.
        M: the multipliers that were asked about, a number or an array.
        compute: factor of training compute that M needs for the loss of M*.
        size: factor of the model's size at that loss.
        draws: "best", "compute" and "size" with a leading draw axis; empty without uncertainty.
    """

    best: float
    M: Any
    compute: Any
    size: Any
    draws: Mapping[str, np.ndarray]
    _name: ClassVar[str] = "multiplier"

    def table(self, level: float = 0.9) -> Table:
        """A row for every multiplier."""
        head, rows = self._rows({"M": (self.M, 4), "compute": (self.compute, 4), "size": (self.size, 4)}, level)
        note = f"best: {self.best:.4g} tokens per parameter"
        if self.draws:
            low, high = self.interval(level)["best"]
            note += f" ({100 * level:g} %: {low:.4g} – {high:.4g})"
        return Table(head, rows, title="Compute and size at equal loss, of those at the best multiplier", notes=[note, *self._drawn])


@double
def optimal_multiplier(source: Source, *, M: Any = 20.0, group: str | None = None) -> Multiplier:
    r"""The tokens per parameter with the least loss for any compute, and what over-training costs and saves.

        M* = (b / a)^(1 / (2 eta))
        C(M) / C(M*) = [ (a M^eta + b M^-eta) / (2 sqrt(a b)) ]^(1 / eta)       at equal loss
        N(M) / N(M*) = [ C(M) / C(M*) / (M / M*) ]^(1/2)

    Args:
        source: a fit, draws or (law, parameters) of `laws.overtraining`, or of `laws.chinchilla` with alpha = beta (`recipe="gadre2024"`).
        M: tokens per parameter to compare with M*, a number or a list.
        group: which group, for a fit with groups.

    Returns:
        Multiplier with `.best`, `.compute`, `.size`, `.interval(level)` and `.table()`.

    Raises:
        DecisionError: if the law is another, its exponents differ (then the best M depends on compute: use `allocate`), or M is not
            positive.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.overtraining
        >>> plan = sj.procedures.optimal_multiplier((law, law.published["gadre2024_redpajama"]), M=640)
        >>> f"{plan.best:.2f} {plan.compute:.2f} {plan.size:.3f}"
        '7.42 3.59 0.204'

    References: Gadre et al. 2024, arXiv:2403.08540.
    """
    knowledge = known(source, group, "optimal_multiplier")
    M = numbers("M", M)
    if M.ndim > 1 or not (np.isfinite(M).all() and (M > 0).all()):
        raise DecisionError("M must be a positive number of tokens per parameter, or a list of them.")
    best, compute, size = (v[0] for v in _compare(knowledge.leading(), M))
    draws = {}
    if knowledge.draws:
        draws = dict(zip(("best", "compute", "size"), _compare(knowledge.draws, M), strict=True))
    return Multiplier(float(best), *(v if M.ndim else float(v) for v in (M, compute, size)), draws, kind=knowledge.kind)


def overtraining_from_chinchilla(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of `laws.overtraining` from those of `laws.chinchilla` with alpha = beta: eta = alpha / 2, a = A 6^eta, b = B 6^eta.

    Raises:
        DecisionError: if parameters are missing or alpha and beta differ.

    >>> overtraining_from_chinchilla({"E": 1.8, "A": 100.0, "alpha": 0.0, "B": 200.0, "beta": 0.0})
    {'E': 1.8, 'a': 100.0, 'b': 200.0, 'eta': 0.0}
    """
    _check_chinchilla(params)
    eta = params["alpha"] / 2
    return {"E": params["E"], "a": params["A"] * 6**eta, "b": params["B"] * 6**eta, "eta": eta}


def chinchilla_from_overtraining(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of `laws.chinchilla` from those of `laws.overtraining`, for decisions over N and D such as `allocate`.

    >>> chinchilla_from_overtraining({"E": 1.8, "a": 100.0, "b": 200.0, "eta": 0.0})
    {'E': 1.8, 'A': 100.0, 'alpha': 0.0, 'B': 200.0, 'beta': 0.0}
    """
    eta = params["eta"]
    return {"E": params["E"], "A": params["a"] * 6**-eta, "alpha": 2 * eta, "B": params["b"] * 6**-eta, "beta": 2 * eta}


def _compare(params: Mapping[str, np.ndarray], M: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """M*, factors of compute and of size, for parameters with a leading axis; in logs, since draws from few runs lie far apart."""
    if "eta" not in params:
        _check_chinchilla(params)
        params = {"a": params["A"], "b": params["B"], "eta": params["alpha"] / 2}  # both times 6^eta, which cancels
    a, b, eta = (params[name].reshape(-1, *(1,) * M.ndim) for name in ("a", "b", "eta"))
    best = (np.log(b) - np.log(a)) / (2 * eta)
    x = np.abs(eta * (np.log(M) - best))
    compute = (x + np.log1p(np.exp(-2 * x)) - np.log(2)) / eta  # log cosh x: the mean of the two terms in units of their value at M*
    size = (compute + best - np.log(M)) / 2
    with np.errstate(over="ignore"):
        return np.exp(best).reshape(-1), np.exp(compute), np.exp(size)


def _check_chinchilla(params: Mapping[str, Any]) -> None:
    if set(params) != {"E", "A", "alpha", "B", "beta"}:
        raise DecisionError(
            f"This is for laws.overtraining, or for laws.chinchilla (E, A, alpha, B, beta); got {', '.join(sorted(params))}."
        )
    if not np.allclose(params["alpha"], params["beta"], rtol=1e-9, atol=0):
        raise DecisionError(
            "The best number of tokens per parameter depends on compute where alpha and beta differ: use allocate(), or fit with "
            "tie={'beta': 'alpha'}."
        )
