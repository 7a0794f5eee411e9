"""Machine translation: the best split between encoder and decoder, and what share of a multilingual model serves a language pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..core.answer import Answer
from ..core.errors import DecisionError, suggest
from ..core.runs import Runs
from ..core.table import Table
from ..decisions.known import known
from ..fitting.result import Fit
from ..fitting.uncertainty.draws import Draws


class EncoderDecoderSplit(NamedTuple):
    """The best split of a translation model.

    Attributes:
        N_e, N_d: parameters of encoder and decoder.
        loss: the loss there, alpha_star budget^-(p_e + p_d) + L_inf.
        alpha_star: factor of that law.
    """

    N_e: Any
    N_d: Any
    loss: Any
    alpha_star: float


def encoder_decoder_split(
    budget: Any, *, alpha: float, p_e: float, p_d: float, L_inf: float, Nbar_e: float, Nbar_d: float
) -> EncoderDecoderSplit:
    r"""Sizes of encoder and decoder that make the loss `encoder_decoder` least for a total size.

        N_e = p_e / (p_e + p_d) B,   N_d = p_d / (p_e + p_d) B,   L = alpha* B^-(p_e + p_d) + L_inf
        alpha* = alpha (Nbar_e (p_e + p_d) / p_e)^p_e (Nbar_d (p_e + p_d) / p_d)^p_d

    Args:
        budget: B = N_e + N_d, a number or an array, non-embedding parameters.
        alpha, p_e, p_d, L_inf: parameters of `laws.encoder_decoder`.
        Nbar_e, Nbar_d: sizes of its baseline model.

    Returns:
        EncoderDecoderSplit, numbers or arrays like the budget. For other costs, and for intervals from a fit, use `allocate` with
        cost=lambda N_e, N_d: ...; under N_e + N_d it gives the same.

    Raises:
        DecisionError: if a number is not positive (L_inf may be 0).

    Example:
        >>> from scalejax.procedures import encoder_decoder_split
        >>> best = encoder_decoder_split(5e8, alpha=0.8, p_e=0.2, p_d=0.3, L_inf=1.0, Nbar_e=1e8, Nbar_d=1e8)
        >>> f"{best.N_e:.3g} {best.N_d:.3g} {best.loss:.4f}"
        '2e+08 3e+08 1.5009'

    References: Ghorbani et al. 2021, arXiv:2109.07740.
    """
    B = np.asarray(budget, dtype=np.float64)
    named = {"budget": B, "alpha": alpha, "p_e": p_e, "p_d": p_d, "Nbar_e": Nbar_e, "Nbar_d": Nbar_d}
    for name, value in named.items():
        if not np.all(np.asarray(value) > 0) or not np.all(np.isfinite(value)):
            raise DecisionError(f"encoder_decoder_split() got {name}={value!r}; it must be positive.")
    if not 0 <= L_inf < np.inf:
        raise DecisionError(f"encoder_decoder_split() got L_inf={L_inf!r}; it must be 0 or more.")
    p = p_e + p_d
    alpha_star = float(alpha * (Nbar_e * p / p_e) ** p_e * (Nbar_d * p / p_d) ** p_d)
    found = (p_e / p * B, p_d / p * B, alpha_star * B**-p + L_inf)
    return EncoderDecoderSplit(*(float(v) if B.ndim == 0 else v for v in found), alpha_star)


@dataclass(frozen=True, eq=False, repr=False)
class EffectiveShares(Answer):
    """Shares of a multilingual model that work for a language pair, one for every sampling weight; see `effective_shares`.

    Attributes:
        p: (weightings,) sampling weights, rising.
        share: (weightings,) f(p): N parameters at weight p are worth share x N at weight `whole`.
        whole: the weight at which the share is 1.
        draws: "share" with a leading draw axis.
    """

    p: np.ndarray
    share: np.ndarray
    whole: float
    draws: Mapping[str, np.ndarray]
    _name: ClassVar[str] = "effective share"

    @property
    def runs(self) -> Runs:
        """The shares as a table to which `laws.effective_share` is fitted; weight 0 has no logarithm and is left out."""
        kept = self.p > 0
        return Runs({"p": self.p[kept], "share": self.share[kept]})

    def table(self, level: float = 0.9) -> Table:
        """A row for every weight."""
        head, rows = self._rows({"p": (self.p, 4), "share": (self.share, 4)}, level)
        return Table(head, rows, title="Effective share of the parameters", notes=self._drawn)


def effective_shares(source: Fit | Draws, *, whole: float = 1.0, factor: str = "A", exponent: str = "alpha") -> EffectiveShares:
    r"""Effective share of the parameters for every sampling weight of one language pair, from a joint fit over weightings.

        L(N; p) = beta_p N^-alpha + L_inf,    f(p) = (beta_1 / beta_p)^(1 / alpha)

    The exponent and the constant are shared over weightings, which is what makes f independent of N.

    Args:
        source: a joint fit such as `fit("power_law", runs, by="p", share=("alpha", "E"))`, whose groups are the weights, or its draws; a
            fit brings 1,000 Laplace draws.
        whole: the weight that counts as a model of the pair's own.
        factor, exponent: names of beta and alpha in the fitted law.

    Returns:
        EffectiveShares with `.share`, `.interval(level)`, `.table()`, and `.runs` for fit("effective_share", ...).

    Raises:
        DecisionError: if the fit has no numeric groups, shares the factor or not the exponent, or has no runs at the weight `whole`.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> from scalejax.procedures import effective_shares
        >>> true = {"beta_1": 100.0, "alpha": 0.25, "L_inf": 1.0, "c1": 0.5, "c2": 1.0, "c3": 1.0}
        >>> N, p = (a.ravel() for a in np.meshgrid(np.logspace(7, 9, 6), [0.25, 0.5, 1.0]))
        >>> runs = sj.simulate(sj.laws.multilingual, true, N=N, p=p)
        >>> table = {"x": N, "loss": runs["loss"], "p": p}
        >>> shares = effective_shares(sj.fit("power_law", table, by="p", share=("alpha", "E")))
        >>> shares.share.round(3).tolist()
        [0.344, 0.625, 1.0]

    References: Fernandes et al. 2023, arXiv:2302.09650.
    """
    fitted = source.fit if isinstance(source, Draws) else source
    if not isinstance(fitted, Fit):
        raise DecisionError(f"effective_shares() takes a fit by weighting or its draws, got a {type(source).__name__}.")
    request = fitted.request
    for name in (factor, exponent):
        if name not in fitted.law.parameters:
            raise DecisionError(f"Law {fitted.law.name!r} has no parameter {name!r}; {suggest(name, fitted.law.parameters)}")
    if not request.grouped(factor) or request.grouped(exponent):
        raise DecisionError(
            f"effective_shares() needs one {factor} a weighting and one {exponent} for all: fit(..., by='p', share=({exponent!r}, ...))."
        )
    p = _weights(fitted.groups)
    at = np.flatnonzero(np.isclose(p, whole, rtol=1e-9))
    if not len(at):
        raise DecisionError(f"No runs have the weight {whole:g}; give whole= one of {', '.join(fitted.groups)}.")
    knowledge = known(source, fitted.groups[0], "effective_shares")
    share, order = _share(fitted.params[factor], fitted.params[exponent], at[0]), np.argsort(p)
    draws = {}
    if knowledge.source is not None:
        drawn = knowledge.source.params
        draws = {"share": _share(drawn[factor], drawn[exponent][:, None], at[0])[:, order]}
    return EffectiveShares(p[order], share[order], float(whole), draws, kind=knowledge.kind)


def _weights(groups: list[str]) -> np.ndarray:
    """Names of groups as sampling weights."""
    try:
        return np.asarray([float(g) for g in groups])
    except ValueError:
        raise DecisionError(f"The groups {', '.join(groups)} are no sampling weights; fit with by= the column of weights.") from None


def _share(factor: Any, exponent: Any, whole: int) -> np.ndarray:
    """(beta_whole / beta)^(1 / alpha) along the last axis."""
    logs = np.log(np.asarray(factor))
    return np.exp((logs[..., [whole]] - logs) / exponent)
