"""Transfer: what pre-training on one distribution is worth in data of another."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.laws.published import Published
from ...core.numeric.powers import product
from .. import ranges
from ..scale.kaplan import kaplan

_HERNANDEZ = "Hernandez et al. 2021, arXiv:2102.01293"
_D_F = Positive(1e4, 1e11, unit="characters")


@law(
    output="D_T",
    reference=_HERNANDEZ,
    linear=("k",),
    D_F=_D_F,
    N=ranges.N,
    k=Positive(1.0, 1e8),
    alpha=Positive(0.02, 1.0),
    beta=Positive(0.05, 1.5),
    published={
        "hernandez2021_text": Published(
            {"k": 1.9e4, "alpha": 0.18, "beta": 0.38}, "English text to Python code; characters, parameters without embeddings",
            _HERNANDEZ, "recalled",
        ),
    },
)  # fmt: skip
def data_transferred(D_F, N, *, k, alpha, beta):
    r"""Data of a fine-tuning task that pre-training on something else is worth.

        D_T(D_F, N) = k D_F^alpha N^beta

    Symbols: D_F data of fine-tuning; N parameters without embeddings; D_T how much more of them a model of the same size would have
    needed without pre-training to reach the same loss, in the unit of D_F, characters in the paper; alpha how near the two distributions
    are (the less, the nearer); beta how well larger models transfer. Measured, D_T is the horizontal distance of two learning curves:
    `sj.equivalent` of the law without pre-training at the loss with it, less D_F.
    Holds where data are few: D_F at most a tenth of what would give 99 % of the performance of endless data. Beyond, pre-training can
    harm, and D_T is negative, which no power law is. `formulas.transfer_multiplier` has what follows.

    Example:
        >>> from scalejax import laws
        >>> f"{laws.data_transferred(3e5, 4e7, **laws.data_transferred.published['hernandez2021_text']):.2g}"
        '1.4e+08'
    """
    return product(k, (D_F, alpha), (N, beta))


@law(
    reference=f"{_HERNANDEZ}, section 6.1, with D_F beside D_T as in its definition",
    N=ranges.N,
    D_F=_D_F,
    D_T=Positive(1e4, 1e12, unit="characters", zero=True),
    N_c=Positive(1e10, 1e18, unit="parameters"),
    alpha_N=Positive(0.02, 0.5),
    D_c=Positive(1e10, 1e18, unit="characters"),
    alpha_D=Positive(0.02, 0.5),
)
def fine_tuned(N, D_F, D_T, *, N_c, alpha_N, D_c, alpha_D):
    r"""Loss of a fine-tuned model: Kaplan's law with the data that pre-training is worth counted in.

        L = ( (N_c / N)^(alpha_N / alpha_D) + D_c / (D_F + D_T) )^alpha_D

    Symbols: as in `kaplan`, whose constants are those of training on the task alone; D_F data of fine-tuning and D_T what pre-training
    adds, 0 without, in the unit of D_c; L nats/token. `sj.chain(D_T=laws.data_transferred, loss=laws.fine_tuned)` is the loss from
    N and D_F, to be fitted at once or with the constants of training alone held by `bind`. The paper leaves out D_F, which is far less
    than D_T where the law of D_T holds.

    Example:
        >>> from scalejax import laws
        >>> round(laws.fine_tuned(1e8, 5e7, 5e7, N_c=1e8, alpha_N=0.5, D_c=3e8, alpha_D=0.5), 6)
        2.0
    """
    return kaplan(N, D_F + D_T, N_c=N_c, alpha_N=alpha_N, D_c=D_c, alpha_D=alpha_D)


@formula
def transfer_multiplier(D_F, N, k, alpha, beta):
    r"""By how much pre-training multiplies the data of fine-tuning, and what a larger model is worth in such data.

        value = 1 + D_T / D_F,    data_for_size = 10^(beta / alpha) if alpha > 0

    Args:
        D_F: data of fine-tuning, in the unit of k, a number or an array.
        N: parameters without embeddings, a number or an array of the same length.
        k, alpha, beta: parameters of `laws.data_transferred`.

    Returns:
        "value", effective data over D_F; "transferred", D_T; "even", the D_F at which both are equal, value = 2, for this N;
        "data_for_size", the factor of D_F that transfers as much as ten times the parameters.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.data_transferred
        >>> found = sj.derive((law, law.published["hernandez2021_text"]), sj.formulas.transfer_multiplier, D_F=3e5, N=4e7)
        >>> f"{found.value:.0f} {found.even:.1g} {found.data_for_size:.0f}"
        '476 6e+08 129'

    References: Hernandez et al. 2021, arXiv:2102.01293, section 1.1.
    """
    require(D_F > 0, "D_F must be a positive amount of data, or an array of them.")
    require(N > 0, "N must be a positive number of parameters, or an array of them.")
    transferred = product(k, (D_F, alpha), (N, beta))
    even = jnp.exp((jnp.log(k) + beta * jnp.log(N)) / (1.0 - alpha))
    return {"value": 1.0 + transferred / D_F, "transferred": transferred, "even": even, "data_for_size": 10.0 ** (beta / alpha)}
