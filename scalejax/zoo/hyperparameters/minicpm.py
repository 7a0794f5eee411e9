"""MiniCPM: the batch that suits a loss."""

from __future__ import annotations

from ...core.laws.domains import Positive
from ...core.laws.formula import formula, require
from ...core.laws.law import Published, law
from ...core.numeric.powers import power


@law(
    output="B",
    reference="Hu et al. 2024, arXiv:2404.06395, section 3.2",
    L=Positive(1.5, 6.0, unit="nats/token"),
    b0=Positive(1e7, 1e11, unit="tokens"),
    p=Positive(2.0, 12.0),
    published={
        "hu2024": Published(
            {"b0": 1.21e9, "p": 6.24}, "models of 9M, 30M and 170M parameters, C4, learning rate 0.01 under tensor programs", "section 3.2",
            "verified",
        ),
    },
)  # fmt: skip
def batch_from_loss(L, *, b0, p):
    r"""Best batch for the loss that a run is to reach.

        B(L) = b0 / L^p

    Symbols: L nats/token on C4; B tokens; b0 tokens at 1 nat/token. `critical_batch` with p = 1 / alpha_B, but of the minimum of parabolas
    through runs of equal loss. With a predicted final loss it gives the batch of a run before the run.

    Example:
        >>> from scalejax import laws
        >>> f"{laws.batch_from_loss(3.0, **laws.batch_from_loss.published['hu2024']):.4g}"
        '1.275e+06'
    """
    return b0 * power(L, -p)


@formula
def tokens_per_parameter(C, K2=0.01, slope=-0.1, unit=1e9):
    r"""Compute-optimal tokens per parameter from constants of the form that MiniCPM prints.

        D / N = K^-2 (C / 6)^-slope,    K = (alpha C_N / (beta C_D))^(1 / (alpha + beta)),    slope = (beta - alpha) / (alpha + beta)

    It is the optimum of `laws.chinchilla` with A = C_N, B = C_D under C = 6 N D, as `sj.allocate` finds it.

    Args:
        C: training compute in FLOPs, one number or an array.
        K2, slope: K^2, which is N / D at C / 6 = N D = 1, and the exponent of C / 6; by default MiniCPM's averages over evaluation sets.
        unit: parameters and tokens per unit of N and D in the fit; only billions give the printed 192 tokens a parameter.

    Returns:
        Tokens per parameter, as C.

    Example:
        >>> import scalejax as sj
        >>> round(sj.formulas.tokens_per_parameter(4.08e21))
        192

    References: Hu et al. 2024, arXiv:2404.06395, section 4.5.
    """
    require(C > 0, "Compute must be positive FLOPs.")
    return power(C / 6 / unit**2, -slope) / K2
