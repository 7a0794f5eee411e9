"""When two modalities stop hurting each other: the competition barrier, its cheapest point, and the fit in two stages behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..core.answer import Answer
from ..core.errors import DecisionError, FitError
from ..core.precision import double
from ..core.table import Table
from ..decisions.costs import six_nd
from ..decisions.known import Source, known
from ..fitting.fit import fit
from ..fitting.result import Fit
from ..zoo.fields.mixed_modal import bimodal, modal_competition
from ..zoo.scale.chinchilla import chinchilla


@dataclass(frozen=True, eq=False, repr=False)
class CompetitionBarrier(Answer):
    """Sizes at which a model of two modalities is as good as two models of their own; see `competition_barrier`.

    Attributes:
        N, D: parameters and tokens (of both modalities together) of the cheapest point of the barrier; infinite if there is none.
        compute: 6 N D there, FLOPs.
        params: the five parameters of the pair.
        draws: "N", "D" and "compute" with a leading draw axis; empty without uncertainty.
    """

    N: float
    D: float
    compute: float
    params: Mapping[str, float]
    draws: Mapping[str, np.ndarray]
    _name: ClassVar[str] = "competition barrier"

    def tokens(self, N: Any) -> Any:
        """Tokens at which a model of N parameters crosses the barrier: (B_ij / (C_ij - A_ij N^-alpha_ij))^(1 / beta_ij).

        Infinite where no number of tokens suffices. A number or an array like N.
        """
        p = self.params
        return _other(N, p["C_ij"], p["A_ij"], p["alpha_ij"], p["B_ij"], p["beta_ij"])

    def parameters(self, D: Any) -> Any:
        """Parameters at which a model trained on D tokens crosses the barrier; infinite where no size suffices."""
        p = self.params
        return _other(D, p["C_ij"], p["B_ij"], p["beta_ij"], p["A_ij"], p["alpha_ij"])

    def table(self, level: float = 0.9) -> Table:
        """The cheapest point."""
        head, rows = self._rows({"N": (self.N, 4), "D": (self.D, 4), "compute": (self.compute, 4)}, level)
        notes = [] if np.isfinite(self.compute) else ["C_ij is 0: the modalities compete at every scale"]
        return Table(head, rows, title="Cheapest point of the competition barrier", notes=[*notes, *self._drawn])


@double
def competition_barrier(source: Source, *, group: str | None = None) -> CompetitionBarrier:
    r"""The scale beyond which two modalities help each other, and its cheapest point.

        min_{N, D} 6 N D   subject to   A_ij N^-alpha_ij + B_ij D^-beta_ij = C_ij
        N = ( A_ij (alpha_ij + beta_ij) / (beta_ij C_ij) )^(1/alpha_ij),   D = ( B_ij (alpha_ij + beta_ij) / (alpha_ij C_ij) )^(1/beta_ij)

    At the cheapest point the two terms stand as beta_ij to alpha_ij. The paper gives the condition alone; the closed form follows.

    Args:
        source: a fit of `laws.bimodal` or `laws.modal_competition` (intervals from 1,000 Laplace draws), draws, or (law, parameters).
        group: which group, for a fit with groups.

    Returns:
        CompetitionBarrier with `.N`, `.D`, `.compute`, `.tokens(N)`, `.parameters(D)`, `.interval(level)`, `.table()`. D counts the tokens
        of both modalities.

    Raises:
        DecisionError: if the source has no such parameters.

    Example:
        >>> from scalejax import laws
        >>> from scalejax.procedures import competition_barrier
        >>> pair = {"C_ij": 0.2, "A_ij": 1e4, "alpha_ij": 0.5, "B_ij": 1e4, "beta_ij": 0.5}
        >>> barrier = competition_barrier((laws.modal_competition, pair))
        >>> f"{barrier.N:.4g} {barrier.D:.4g} {barrier.compute:.4g} {barrier.tokens(4e10):.4g}"
        '1e+10 1e+10 6e+20 4.444e+09'

    References: Aghajanyan et al. 2023, arXiv:2301.03728, section 4.
    """
    found = known(source, group, "competition_barrier")
    names = modal_competition.parameters
    held = {**found.point, **dict(found.law.bound)}
    missing = [n for n in names if n not in held]
    if missing:
        raise DecisionError(f"Law {found.law.name!r} has no {missing[0]}; competition_barrier() takes `bimodal` or `modal_competition`.")
    params = {n: float(held[n]) for n in names}
    N, D = (float(v) for v in _cheapest(**params))
    draws: dict[str, np.ndarray] = {}
    if found.draws is not None:
        drawn = dict(zip("ND", _cheapest(**{n: np.asarray(found.draws.get(n, held[n])) for n in names}), strict=True))
        draws = {**drawn, "compute": six_nd(**drawn)}
    return CompetitionBarrier(N, D, six_nd(N, D), params, draws, kind=found.kind)


def _cheapest(C_ij: Any, A_ij: Any, alpha_ij: Any, B_ij: Any, beta_ij: Any) -> tuple[Any, Any]:
    """Parameters and tokens of the cheapest point."""
    total = alpha_ij + beta_ij
    with np.errstate(divide="ignore"):
        N = np.divide(A_ij * total / beta_ij, C_ij) ** (1 / alpha_ij)
        return N, np.divide(B_ij * total / alpha_ij, C_ij) ** (1 / beta_ij)


def _other(x: Any, C: float, A: float, a: float, B: float, b: float) -> Any:
    """y with A x^-a + B y^-b = C."""
    x = np.asarray(x, dtype=np.float64)
    if not np.all(x > 0):
        raise DecisionError(f"The barrier was asked for at {x}; give positive numbers.")
    room = C - A * x**-a
    y = np.where(room > 0, (B / np.where(room > 0, room, 1.0)) ** (1 / b), np.inf)
    return float(y) if y.ndim == 0 else y


def fit_interaction(runs: Any, i: Fit | Mapping[str, float], j: Fit | Mapping[str, float], **options: Any) -> Fit:
    r"""Fit what two modalities do to each other, with the laws of each alone held: the second stage of the paper's procedure.

    Stage 1 fits `laws.chinchilla` to the runs on each modality alone; stage 2, this function, fits the five parameters of the pair in
    `laws.bimodal` (C_ij, A_ij, alpha_ij, B_ij, beta_ij) to the runs on both.

    Args:
        runs: runs on both modalities, with the columns N, D_i, D_j and loss (the mean over both modalities).
        i, j: stage 1: a fit of `chinchilla`, or its five parameters by name.
        **options: as in `fit`.

    Returns:
        Fit of `bimodal`. Its intervals take stage 1 as known; to carry its uncertainty, repeat both stages on resampled runs.

    Raises:
        FitError: if i or j are not laws of one modality.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> from scalejax.procedures import fit_interaction
        >>> alone = {"E": 1.5, "A": 400.0, "alpha": 0.35, "B": 1000.0, "beta": 0.35}
        >>> both = {f"{name}_{m}": value for m in "ij" for name, value in alone.items()}
        >>> pair = {"C_ij": 0.2, "A_ij": 1e3, "alpha_ij": 0.4, "B_ij": 5e3, "beta_ij": 0.45}
        >>> N, D = (a.ravel() for a in np.meshgrid(np.logspace(7, 10, 5), np.logspace(9.5, 11, 4)))
        >>> runs = sj.simulate(sj.laws.bimodal, both | pair, N=N, D_i=D, D_j=D)
        >>> fitted = fit_interaction(runs, alone, alone)
        >>> round(fitted.params["C_ij"], 4), round(fitted.params["alpha_ij"], 4)
        (0.2, 0.4)

    References: Aghajanyan et al. 2023, arXiv:2301.03728, section 4.
    """
    held = {f"{name}_{m}": value for m, source in (("i", i), ("j", j)) for name, value in _alone(source, m).items()}
    return fit(bimodal, runs, fix={**held, **options.pop("fix", {})}, **options)


def _alone(source: Fit | Mapping[str, float], which: str) -> dict[str, float]:
    """Parameters of one modality's law."""
    params = source.params if isinstance(source, Fit) else source
    if not isinstance(params, Mapping) or set(params) != set(chinchilla.parameters) or any(np.ndim(v) for v in params.values()):
        raise FitError(
            f"Modality {which} needs a law of its own: a fit of `chinchilla` without groups, or numbers {', '.join(chinchilla.parameters)}."
        )
    return dict(params)
