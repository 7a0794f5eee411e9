"""Losses from losses: a shifted power law between data sets, the law of parameters and tokens behind it, and errors from losses."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.law import Published, law
from ...core.numeric.powers import power_from_zero
from .. import ranges
from ..scale.chinchilla import chinchilla, chinchilla_outer

_PAPER = "Brandfonbrener et al. 2024, arXiv:2411.12925"
_TABLE = "authors' repository loss-to-loss-notebooks, loss_relationships.ipynb"
_LOSS = Positive(2.2, 10.0, unit="nats/token")
_FLOOR = Positive(0.05, 2.1, unit="nats/token", zero=True)
_OTHER_FLOOR = Positive(0.05, 4.0, unit="nats/token", zero=True)  # of the loss that is predicted, which may lie above the other
_K = Positive(0.3, 5.0)
_KAPPA = Positive(0.3, 2.0)
_FINEWEB_EDU = 1.966905134  # E of the reference corpus
_SHARPNESS = 10.0  # of the smooth minimum in `loss_to_error`


def shifted_power(L, K, kappa, E, shift):
    """K (L - E)^kappa + shift, and `shift` for losses at or below E, which no model reaches."""
    return jnp.where(L >= E, K * power_from_zero(L - E, kappa), 0.0) + shift


def _link(K: float, kappa: float, E_0: float, E_1: float, context: str) -> Published:
    return Published({"K": K, "kappa": kappa, "E_0": E_0, "E_1": E_1}, context, _TABLE)


@law(
    reference=_PAPER,
    linear=("K", "E_1"),
    L_0=_LOSS,
    K=_K,
    kappa=_KAPPA,
    E_0=_FLOOR,
    E_1=_OTHER_FLOOR,
    published={
        **{
            f"train_{name}": _link(K, kappa, _FINEWEB_EDU, E_1, f"training loss on {name} from training loss on FineWeb-Edu, nats/token")
            for name, kappa, K, E_1 in (
                ("fineweb", 1.000469, 1.014431, 2.170014),
                ("proof_pile_2", 1.066258, 0.604887, 1.319106),
                ("slimpajama", 0.969777, 1.054002, 1.967237),
                ("smollm", 1.006216, 1.070232, 1.53402),
                ("starcoder", 1.100237, 0.633102, 0.845247),
            )
        },
        **{
            f"test_{name}": _link(K, kappa, 1.97, E_1, f"loss on {name} from training loss on FineWeb-Edu, same model")
            for name, kappa, K, E_1 in (
                ("hellaswag", 1.08, 0.93, 2.12),
                ("arc_easy", 0.36, 4.68, 0.07),
                ("mmlu_humanities", 0.96, 1.14, 2.79),
                ("mmlu_stem", 0.53, 2.35, 1.41),
            )
        },
        **{
            f"hellaswag_{name}": _link(K, kappa, 2.12, E_1, f"loss on Hellaswag of models of {name} from that of models of FineWeb-Edu")
            for name, kappa, K, E_1 in (
                ("fineweb", 1.05, 0.98, 2.08),
                ("proof_pile_2", 0.74, 1.6, 2.39),
                ("starcoder", 0.74, 1.64, 2.48),
            )
        },
    },
)
def loss_to_loss(L_0, *, K, kappa, E_0, E_1):
    r"""Loss on one data set from the loss on another: a shifted power law.

        L_1 = K (L_0 - E_0)^kappa + E_1

    Symbols: L_0, L_1 losses of two models of equal size and tokens, trained on different corpora (train to train, test to test), or of one
    model on its own corpus and on another (train to test), nats/token; E_0, E_1 what is left of each for endless size and data; K and
    kappa translate the reducible losses. Equal corpora have K = kappa = 1. For L_0 up to E_0, L_1 = E_1.

    Note: E_0 and E_1 come from a law fitted to each corpus (`kaplan_irreducible`, or `chinchilla`), since three of the four parameters
    with L_0 far above E_0 trade off; `studies.fit_link` does what the authors do, `studies.translate` gives the law of a new corpus.

    Example:
        >>> from scalejax import laws
        >>> round(laws.loss_to_loss(2.5, **laws.loss_to_loss.published["train_starcoder"]), 4)
        1.1621
    """
    return shifted_power(L_0, K, kappa, E_0, E_1)


@law(
    reference=_PAPER,
    linear=("E",),
    N=ranges.N,
    D=ranges.D,
    E=ranges.E,
    A=Positive(1e6, 1e14, unit="parameters"),
    alpha=ranges.EXPONENT,
    B=Positive(1e6, 1e14, unit="tokens"),
    beta=ranges.EXPONENT,
    published="loss_to_loss.toml",
)
def kaplan_irreducible(N, D, *, E, A, alpha, B, beta):
    r"""Kaplan's law of parameters and tokens with an irreducible loss; `chinchilla_outer` in Kaplan's symbols.

        L(N, D) = E + [ (A / N)^(alpha/beta) + B / D ]^beta

    Symbols: N parameters; D tokens; A, B the sizes at which each term alone would be 1 nat/token; E nats/token. `kaplan` has E = 0.
    A shifted power law of the loss (`loss_to_loss`) gives a law of the same form, see `studies.translate`.

    Example:
        >>> from scalejax import laws
        >>> round(laws.kaplan_irreducible(1e9, 2e10, **laws.kaplan_irreducible.published["fineweb_edu"]), 4)
        2.3625
    """
    ratio = alpha / beta
    return chinchilla_outer(N / A, D / B, E=E, A=1.0, alpha=ratio, B=1.0, beta=1.0, q=beta)


@law(
    output="error",
    reference=_PAPER,
    L=_LOSS,
    K=Positive(0.05, 2.0),
    kappa=_KAPPA,
    E=_FLOOR,
    d=Positive(0.01, 0.8, zero=True),
    e=Positive(0.3, 1.0, unit="error of random guesses"),
)
def loss_to_error(L, *, K, kappa, E, d, e):
    r"""Error on a task from the loss: a shifted power law below the error of random guesses.

        err = softmin( e, K (L - E)^kappa + d ),    softmin(x, y) = -log( exp(-10 x) + exp(-10 y) ) / 10

    Symbols: L loss, nats/token; err 1 - accuracy; e error of random guesses; d error for endless size and data; E loss there. The smooth
    minimum lies below both arguments, by log(2) / 10 where they are equal.

    Example:
        >>> from scalejax import laws
        >>> round(laws.loss_to_error(2.4, K=0.5, kappa=1.0, E=2.0, d=0.1, e=0.75), 4)
        0.2989
    """
    reach = shifted_power(L, K, kappa, E, d)
    return -jnp.logaddexp(-_SHARPNESS * e, -_SHARPNESS * reach) / _SHARPNESS


@law(
    output="accuracy",
    reference="Magnusson et al. 2025, arXiv:2504.11393",
    linear=("p", "q"),
    N=ranges.N,
    D=ranges.D,
    A=Positive(1.0, 1e6),
    alpha=ranges.EXPONENT,
    B=Positive(1.0, 1e6),
    beta=ranges.EXPONENT,
    E=Real(-3.0, 3.0),
    p=Real(-2.0, 0.0),
    q=Real(0.2, 2.0),
)
def single_step_accuracy(N, D, *, A, alpha, B, beta, E, p, q):
    r"""Accuracy on a task from parameters and tokens in a single step, without the loss in between.

        acc = p / (1 + exp(-x)) + q,    x = A N^-alpha + B D^-beta + E

    Symbols: N parameters; D tokens; acc accuracy; p < 0, since x falls with size and data; q level for x = -infinity. In two steps:
    `power_law` or `chinchilla` for the loss, then `llama3_accuracy`, chained by `formulas.two_stage`.

    Example:
        >>> from scalejax import laws
        >>> round(laws.single_step_accuracy(1e8, 1e10, A=1e4, alpha=0.5, B=1e5, beta=0.5, E=-2.0, p=-0.5, q=0.75), 4)
        0.5
    """
    return p * jax.nn.sigmoid(chinchilla(N, D, E=E, A=A, alpha=alpha, B=B, beta=beta)) + q
