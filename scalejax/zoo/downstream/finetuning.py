"""Fine-tuning: loss from examples, with the flat stretch before the power law, and curves between two levels."""

from __future__ import annotations

from ...core.laws.domains import Positive
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.laws.published import Published
from ...core.numeric.powers import power_from_zero

_LIN = "Lin et al. 2024, arXiv:2402.02314"
_EXAMPLES = Positive(1e2, 1e7, zero=True, unit="fine-tuning examples")


@law(
    reference=_LIN,
    linear=("B", "E"),
    D=_EXAMPLES,
    B=Positive(1.0, 1e6),
    D_l=Positive(1.0, 1e5, unit="examples^beta"),
    beta=Positive(0.1, 1.5),
    E=Positive(0.1, 5.0, zero=True, unit="nats/token"),
    published={
        "gpt2_flan": Published(
            {"B": 856.3656, "D_l": 260.7140, "beta": 0.5004721, "E": 1.2422594}, "GPT-2 (124M) on FLAN, examples, loss in nats/token",
            "least squares of log losses, the 14 sizes from 200 on of the authors' table", "verified",
        ),
    },
)  # fmt: skip
def rectified(D, *, B, D_l, beta, E):
    r"""Loss after fine-tuning on D examples, with what pre-training has learnt already: the rectified scaling law.

        L(D) = B / (D_l + D^beta) + E

    Symbols: D fine-tuning examples, 0 of a model as it was pre-trained; L test loss; D_l what pre-training is worth, in the unit of D^beta:
    the curve is flat until D^beta reaches it and a power law beyond; E the loss of endless examples. It is `hill` with y_0 = E + B / D_l,
    y_inf = E, x_0 = D_l^(1 / beta) and n = beta, and `power_law` where D_l = 0. `formulas.finetuning_phases` has where the phases meet.
    Which of several pre-trained models will be the best after D examples: `sj.choose` of their fits with the examples as the cost, or
    `papers.accept_then_stop`, which draws a line through what follows the flat stretch.

    Example:
        >>> from scalejax import laws
        >>> round(laws.rectified(819200, **laws.rectified.published["gpt2_flan"]), 2)
        1.97
    """
    return B / (D_l + power_from_zero(D, beta)) + E


@law(
    reference=f"Hill 1910, J. Physiol. 40; {_LIN}; Khatri et al. 2025, arXiv:2510.13786",
    linear=("y_0", "y_inf"),
    x=Positive(1e2, 1e7, zero=True),
    y_0=Positive(0.05, 20.0, zero=True),
    y_inf=Positive(0.05, 5.0, zero=True),
    x_0=Positive(1e2, 1e7),
    n=Positive(0.2, 4.0),
)
def hill(x, *, y_0, y_inf, x_0, n):
    r"""A curve from one level to another, of any outcome that falls or rises: Hill's form.

        y(x) = y_0 + (y_inf - y_0) / (1 + (x_0 / x)^n)

    Symbols: x examples, compute or any amount that is spent, 0 included; y_0 the level without any; y_inf that of endless x; x_0 where half
    the way is gone; n how steeply. Reinforcement learning of language models (Khatri et al. 2025): x GPU-hours C, y pass rate R_C, y_0 =
    R_0, y_inf = A the ceiling, x_0 = C_mid, n = B the efficiency; recipes that differ in A stay apart, those that differ in B and C_mid
    alone end at one level. Fine-tuning: see `rectified`. Errors under perturbations of size x, K x^q where they are small: y_0 = 0,
    y_inf = 1, n = q, K = x_0^-q.

    Note: the paper on reinforcement learning fits what follows the first 1,500 GPU-hours, and knows R_0: `fix={"y_0": R_0}`.

    Example:
        >>> from scalejax import laws
        >>> round(laws.hill(3e4, y_0=0.2, y_inf=0.6, x_0=1e4, n=1.0), 6)
        0.5
    """
    reached = power_from_zero(x / x_0, n)
    return y_0 + (y_inf - y_0) * (reached / (1.0 + reached))


@formula
def finetuning_phases(D, B, D_l, beta, E):
    r"""Where the flat stretch of fine-tuning ends, the loss before any, and the slope at D.

        transition = D_l^(1 / beta),    start = E + B / D_l,    slope = -dlog L / dlog D = beta D^beta / (D_l + D^beta) (L - E) / L

    Args:
        D: fine-tuning examples, a number or an array.
        B, D_l, beta, E: parameters of `laws.rectified`.

    Returns:
        "transition", examples at which half of what fine-tuning can gain is gained; "start", the loss at D = 0; "slope" at D.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.rectified
        >>> found = sj.derive((law, law.published["gpt2_flan"]), sj.formulas.finetuning_phases, D=1e6)
        >>> f"{found.transition:.3g} {found.start:.2f} {found.slope:.3f}"
        '6.73e+04 4.53 0.140'

    References: Lin et al. 2024, arXiv:2402.02314, section 4.
    """
    require(D > 0, "D must be a positive number of examples, or an array of them.")
    grown = power_from_zero(D, beta)
    excess = B / (D_l + grown)
    slope = beta * grown / (D_l + grown) * excess / (excess + E)
    return {"transition": power_from_zero(D_l, 1.0 / beta), "start": E + B / D_l, "slope": slope}
