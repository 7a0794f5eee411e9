"""Scores of tasks without the loss in between: log accuracy as a sum of power laws, pass rates, and the log law of translation."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real, Unit
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.numeric.powers import power, power_from_zero, softplus
from .. import ranges
from ..scale.chinchilla import chinchilla
from ..scale.power import power_law

_KRAJEWSKI = "Krajewski et al. 2025, arXiv:2512.08894"
_SURPRISE = Positive(1e-2, 2.0, zero=True)


def above_chance(surprise, Q_rand):
    """Q_rand + (1 - Q_rand) exp(-surprise): the score whose share above chance has this negative logarithm."""
    return Q_rand + (1 - Q_rand) * jnp.exp(-surprise)


@law(
    output="accuracy",
    reference=f"{_KRAJEWSKI}, eq. 4 with the ceiling of appendix L",
    N=ranges.N,
    D=ranges.D,
    A=Positive(1.0, 1e6),
    alpha=ranges.EXPONENT,
    B=Positive(1.0, 1e6),
    beta=ranges.EXPONENT,
    E=_SURPRISE,
    Q_rand=Unit(),
)
def direct_accuracy(N, D, *, A, alpha, B, beta, E, Q_rand):
    r"""Accuracy on a task directly from parameters and tokens: minus its logarithm is a sum of power laws.

        Q(N, D) = Q_rand + (1 - Q_rand) Q',    -log Q' = E + A N^-alpha + B D^-beta

    Symbols: N parameters; D training tokens; Q accuracy; Q_rand that of guesses, which is known: `fix={"Q_rand": 0.25}` for four options;
    Q' the share of what is above chance, natural logarithm; E what scale leaves of -log Q', so that accuracy ends at
    Q_rand + (1 - Q_rand) exp(-E). The paper's form has E = 0: accuracy 1 at endless scale, `fix={"E": 0.0}`.

    Note: the paper fits log(-log Q') with Huber's loss, to runs at least 5 points above chance. For that, fit `chinchilla` with E = 0 to
    the column -log Q' with the default residuals of logarithms; with counted answers fit this law with `loss=sj.binomial(...)`, which
    takes runs at chance for what they are.

    Example:
        >>> from scalejax import laws
        >>> round(laws.direct_accuracy(1e8, 1e10, A=1e4, alpha=0.5, B=2e5, beta=0.5, E=0.0, Q_rand=0.25), 6)  # exp(-3)
        0.28734
    """
    return above_chance(chinchilla(N, D, E=E, A=A, alpha=alpha, B=B, beta=beta), Q_rand)


@law(
    output="accuracy",
    reference=f"{_KRAJEWSKI}, eq. 2 with the ceiling of appendix L",
    C=ranges.C,
    A=Positive(1e1, 1e8),
    alpha=Positive(0.05, 1.0),
    E=_SURPRISE,
    Q_rand=Unit(),
)
def direct_accuracy_compute(C, *, A, alpha, E, Q_rand):
    r"""Accuracy on a task directly from compute, at a fixed ratio of tokens to parameters.

        Q(C) = Q_rand + (1 - Q_rand) exp(-(E + A C^-alpha))

    Symbols: C training FLOPs; Q, Q_rand and E as in `direct_accuracy`; the paper has E = 0. Then log(-log Q') is a straight line in log C
    of slope -alpha, which the paper fits by least squares, and C = (A / -log Q')^(1/alpha) reaches Q'.

    Example:
        >>> from scalejax import laws
        >>> round(laws.direct_accuracy_compute(1e20, A=1e5, alpha=0.25, E=0.0, Q_rand=0.0), 6)  # exp(-1)
        0.367879
    """
    return above_chance(power_law(C, E=E, A=A, alpha=alpha), Q_rand)


@law(
    output="pass_rate",
    reference=f"{_KRAJEWSKI}, eq. 5",
    C=ranges.C,
    k=Positive(1.0, 1e4, unit="samples"),
    a=Real(0.0, 20.0),
    alpha=Real(-0.4, 0.0),
    beta=Real(-1.0, 0.5),
    delta=Real(-0.02, 0.02),
)
def direct_pass_at_k(C, k, *, a, alpha, beta, delta):
    r"""Pass rate with repeated sampling from compute and the number of samples.

        log(-log Q(C, k)) = a + alpha log C + beta log k + delta log C log k

    Symbols: C training FLOPs; k samples, of which one must pass; Q the share of problems that pass; natural logarithms. alpha and beta are
    negative where compute and samples help; delta is how the one changes what the other is worth. Along equal Q without delta, k times
    as many samples stand for k^(beta/alpha) times the compute. On log(-log Q) it is linear in its parameters; the paper fits it so.

    Example:
        >>> from scalejax import laws
        >>> round(laws.direct_pass_at_k(1e20, 100.0, a=12.0, alpha=-0.25, beta=-0.25, delta=0.0), 6)
        0.597694
    """
    log_C, log_k = jnp.log(C), jnp.log(k)
    return jnp.exp(-jnp.exp(a + alpha * log_C + beta * log_k + delta * log_C * log_k))


@law(
    output="pass_rate",
    reference="Hu et al. 2023, arXiv:2310.03262",
    N=ranges.N,
    c=Positive(1.0, 1e6),
    alpha=Positive(0.05, 1.0),
)
def pass_rate(N, *, c, alpha):
    r"""Chance that one answer of a model passes, which repeated sampling measures however small it is.

        PU(N) = exp(-c N^-alpha),    F(N) = log(-log PU) = log c - alpha log N

    Symbols: N parameters; PU the chance that a sampled answer passes; F its coordinate, a straight line in log N. A task that needs k
    tokens right at once has PU^k: c becomes k c, the exponent stays, and what looks like an ability that emerges is the same straight
    line. `papers.pass_until` estimates PU from the samples drawn, `papers.emergence` looks at how F bends. N for PU is
    (c / -log PU)^(1/alpha). Shares of successes of n samples are fitted with `loss=sj.binomial(...)`.

    Example:
        >>> from scalejax import laws
        >>> one, ten = (laws.pass_rate(1e8, c=tokens * 1e4, alpha=0.5) for tokens in (1, 10))  # tokens that must be right
        >>> round(one, 4), round(ten, 6)
        (0.3679, 4.5e-05)
    """
    return jnp.exp(-c * power(N, -alpha))


@law(
    output="accuracy",
    reference="Bhagia et al. 2024, arXiv:2412.04403, variant with the cross-entropy over options",
    x=Positive(0.05, 5.0, unit="nats"),
    a=Positive(1e-2, 1.0),
    x_0=Positive(0.05, 3.0),
    k=Positive(0.5, 50.0),
)
def log_sigmoid_accuracy(x, *, a, x_0, k):
    r"""Accuracy of a choice between options from the cross-entropy over the options.

        accuracy(x) = 1 + a log(1 - 1 / (1 + exp(-k (x - x_0)))) = 1 - a log(1 + exp(k (x - x_0)))

    Symbols: x mean cross-entropy of the right option among the options, nats; accuracy is near 1 for x far below x_0 and falls by a k per
    nat above it; a here is minus the paper's. For losses of the answer alone, without the other options, see `llama3_accuracy`.

    Example:
        >>> from scalejax import laws
        >>> round(laws.log_sigmoid_accuracy(1.0, a=0.5, x_0=1.0, k=4.0), 6)  # 1 - log(2) / 2
        0.653426
    """
    return 1 - a * softplus(k * (x - x_0))


@law(
    output="score",
    reference="Isik et al. 2024, arXiv:2402.04177",
    D_p=Positive(1e6, 1e12, unit="tokens"),
    A=Positive(1e-3, 1e3),
    alpha=Positive(0.05, 2.0),
    beta=Positive(0.2, 3.0),
)
def translation_log_law(D_p, *, A, alpha, beta):
    r"""Score of a translation (BLEU, COMET, ROUGE) after fine-tuning, from the tokens of pre-training.

        f(D_p) = (log(A D_p^alpha))^beta,    0 where A D_p^alpha < 1

    Symbols: D_p tokens of pre-training, each seen once; f the score in its own unit, such as BLEU points; natural logarithm; one set for
    every size of the fine-tuning data. The cross-entropy of the same models follows E + A D_p^-alpha (`power_law`). Where
    pre-training does not suit the task the cross-entropy still does and the score does not: a log law that misses is the sign of it.

    Example:
        >>> from scalejax import laws
        >>> round(laws.translation_log_law(1e9, A=1e-3, alpha=1.0, beta=1.0), 4)  # 6 log 10
        13.8155
    """
    return power_from_zero(jnp.maximum(jnp.log(A) + alpha * jnp.log(D_p), 0.0), beta)


@formula
def pretraining_gain(D_p, A, alpha, beta):
    r"""What more pre-training adds to the score of a translation.

        value = df / dlog D_p = alpha beta (log(A D_p^alpha))^(beta - 1),    doubled = f(2 D_p) - f(D_p)

    Args:
        D_p: tokens of pre-training, a number or an array, with A D_p^alpha > 1.
        A, alpha, beta: parameters of `laws.translation_log_law`.

    Returns:
        "value", points an e-fold of tokens; "doubled", points for twice the tokens; "score", f.

    Example:
        >>> import scalejax as sj
        >>> found = sj.formulas.pretraining_gain(1e9, A=1e-3, alpha=1.0, beta=1.0)
        >>> round(found["value"], 6), round(found["doubled"], 6)
        (1.0, 0.693147)

    References: Isik et al. 2024, arXiv:2402.04177.
    """
    inner = jnp.log(A) + alpha * jnp.log(D_p)
    require(inner > 0, "The log law holds where A D_p^alpha is above 1; give more tokens of pre-training.")
    more = inner + alpha * jnp.log(2.0)
    return {
        "value": alpha * beta * power(inner, beta - 1),
        "doubled": power(more, beta) - power(inner, beta),
        "score": power(inner, beta),
    }
