"""MiniCPM: the batch that suits a loss."""

from __future__ import annotations

from ...core.domains import Positive
from ...core.law import Published, law
from ...core.numerics import power


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
