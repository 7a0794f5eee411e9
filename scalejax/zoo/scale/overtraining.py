"""Over-training: loss from compute and tokens per parameter, and the error of tasks from the loss."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Unit
from ...core.laws.formula import formula, require
from ...core.laws.law import Published, law
from ...core.numeric.powers import power
from .. import ranges

_GADRE = "Gadre et al. 2024, arXiv:2403.08540"
_FIVE = "loss on C4 (OpenLM) in nats/token; recomputed with all digits from the five public runs of the paper's recipe, trained on"
_SIX = "six public runs of the paper's recipe, 17 tasks; recomputed from the loss on C4, trained on"
_SOURCE = "least squares on the authors' runs, github.com/mlfoundations/scaling"


@law(
    reference=_GADRE,
    linear=("E", "a", "b"),
    C=ranges.C,
    M=Positive(1.0, 2000.0, unit="tokens per parameter"),
    E=ranges.E,
    a=Positive(10.0, 5000.0),
    b=Positive(10.0, 5000.0),
    eta=Positive(0.05, 0.3),
    published={
        "gadre2024_redpajama": Published(
            {"E": 1.836648378, "a": 212.2361102, "b": 366.6871738, "eta": 0.1364253513}, f"{_FIVE} RedPajama", _SOURCE, "verified"
        ),
        "gadre2024_c4": Published(
            {"E": 1.508260542, "a": 141.2772548, "b": 189.5155204, "eta": 0.1212361195}, f"{_FIVE} C4", _SOURCE, "verified"
        ),
        "gadre2024_refinedweb": Published(
            {"E": 1.73446209, "a": 157.1162841, "b": 246.2066865, "eta": 0.1271974223}, f"{_FIVE} RefinedWeb", _SOURCE, "verified"
        ),
    },
)
def overtraining(C, M, *, E, a, b, eta):
    r"""Loss from compute and tokens per parameter: over-training shifts a power law of compute and leaves its slope.

        L(C, M) = E + (a M^eta + b M^-eta) C^-eta

    Symbols: C = 6 N D training FLOPs; M = D / N tokens per parameter; L nats/token. It is `chinchilla` with alpha = beta = 2 eta,
    A = a 6^-eta and B = b 6^-eta. The optimum M* = (b / a)^(1 / (2 eta)) is the same for every C.
    Note: the authors' code writes it in N and M, p N^(-2 eta) + q 6^-eta (M N)^(-2 eta): a = p 6^eta and b = q.

    Example:
        >>> from scalejax import laws
        >>> known = laws.overtraining.published["gadre2024_redpajama"]
        >>> round(laws.overtraining(6 * 6889410560**2 * 20, 20.0, **known), 3)
        2.443
    """
    return E + a * power(M / C, eta) + b * power(M * C, -eta)


@law(
    output="error",
    reference=_GADRE,
    linear=("epsilon", "k"),
    loss=Positive(1.5, 6.0, unit="nats/token"),
    epsilon=Unit(),
    k=Positive(0.1, 50.0),
    gamma=Positive(0.1, 3.0),
    published={
        "gadre2024_redpajama": Published(
            {"epsilon": 0.8569919067, "k": 2.206490639, "gamma": 0.7145906625}, f"{_SIX} RedPajama", _SOURCE, "verified"
        ),
        "gadre2024_c4": Published({"epsilon": 0.849742292, "k": 2.078899168, "gamma": 0.7561191396}, f"{_SIX} C4", _SOURCE, "verified"),
        "gadre2024_refinedweb": Published(
            {"epsilon": 0.8652794955, "k": 2.21481585, "gamma": 0.7070487055}, f"{_SIX} RefinedWeb", _SOURCE, "verified"
        ),
    },
)
def downstream_error(loss, *, epsilon, k, gamma):
    r"""Mean error over many tasks from the validation loss: a power law in perplexity.

        Err(L) = epsilon - k exp(-gamma L)

    Symbols: L (`loss`) validation loss in nats/token; Err mean top-1 error over tasks, from 0 to 1; epsilon the error of a model that
    has learned nothing. exp(-gamma L) is perplexity^-gamma. With `overtraining` or `chinchilla` before it, `formulas.two_stage` predicts
    the error of a run from its size.
    Note: for a low loss the error would fall below 0; the law holds within and near the range of the runs.

    Example:
        >>> from scalejax import laws
        >>> round(laws.downstream_error(2.42499, **laws.downstream_error.published["gadre2024_redpajama"]), 2)
        0.47
    """
    return epsilon - k * jnp.exp(-gamma * loss)


@formula
def optimal_multiplier(a, b, eta, M=20.0):
    r"""Tokens per parameter with the least loss for any compute, and the compute and size of another number at equal loss.

        M* = (b / a)^(1 / (2 eta))
        C(M) / C(M*) = [ (a M^eta + b M^-eta) / (2 sqrt(a b)) ]^(1 / eta)       at equal loss
        N(M) / N(M*) = [ C(M) / C(M*) / (M / M*) ]^(1/2)

    Args:
        a, b, eta: parameters of `laws.overtraining`; for `laws.chinchilla` with alpha = beta see `tied_multiplier`.
        M: tokens per parameter to compare with M*, a number or a list.

    Returns:
        "best", M*; "compute", the factor of training compute that M needs for the loss of M*; "size", that of the model's size.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.overtraining
        >>> plan = sj.derive((law, law.published["gadre2024_redpajama"]), sj.formulas.optimal_multiplier, M=640)
        >>> f"{plan.best:.2f} {plan.compute:.2f} {plan.size:.3f}"
        '7.42 3.59 0.204'

    References: Gadre et al. 2024, arXiv:2403.08540.
    """
    positive = jnp.ndim(M) < 2 and (M > 0)
    require(positive, "M must be a positive number of tokens per parameter, or a list of them.")
    best = (jnp.log(b) - jnp.log(a)) / (2 * eta)  # in logs, since draws from few runs lie far apart
    x = jnp.abs(eta * (jnp.log(M) - best))
    compute = (x + jnp.log1p(jnp.exp(-2 * x)) - jnp.log(2.0)) / eta  # log cosh x: the mean of the two terms, in units of that at M*
    size = (compute + best - jnp.log(M)) / 2
    return {"best": jnp.exp(best), "compute": jnp.exp(compute), "size": jnp.exp(size)}


@formula
def tied_multiplier(A, alpha, B, beta, M=20.0):
    r"""Tokens per parameter with the least loss for any compute, of a law with one exponent; see `optimal_multiplier`.

        M* = (B / A)^(1 / alpha),    alpha = beta

    Args:
        A, alpha, B, beta: parameters of `laws.chinchilla` with alpha = beta, such as from `recipe="gadre2024"`.
        M: tokens per parameter to compare with M*, a number or a list.

    Returns:
        "best", "compute" and "size" as `optimal_multiplier`. Where alpha and beta differ the best M depends on compute: use `allocate`.

    Example:
        >>> import scalejax as sj
        >>> params = {"E": 1.8, "A": 400.0, "alpha": 0.3, "B": 800.0, "beta": 0.3}
        >>> round(sj.derive((sj.laws.chinchilla, params), sj.formulas.tied_multiplier).best, 3)
        10.079

    References: Gadre et al. 2024, arXiv:2403.08540.
    """
    _one_exponent(alpha, beta)
    return optimal_multiplier(jnp.asarray(A), jnp.asarray(B), jnp.asarray(alpha) / 2, M)  # a and b are 6^eta times these


@formula
def overtraining_from_chinchilla(E, A, alpha, B, beta):
    r"""Parameters of `laws.overtraining` from those of `laws.chinchilla` with alpha = beta.

        eta = alpha / 2,    a = A 6^eta,    b = B 6^eta

    Args:
        E, A, alpha, B, beta: parameters of `laws.chinchilla`; alpha and beta must be one.

    Returns:
        "E", "a", "b", "eta".

    Example:
        >>> import scalejax as sj
        >>> sj.formulas.overtraining_from_chinchilla(E=1.8, A=100.0, alpha=0.0, B=200.0, beta=0.0)
        {'E': 1.8, 'a': 100.0, 'b': 200.0, 'eta': 0.0}

    References: Gadre et al. 2024, arXiv:2403.08540.
    """
    _one_exponent(alpha, beta)
    eta = alpha / 2
    return {"E": E, "a": A * 6**eta, "b": B * 6**eta, "eta": eta}


@formula
def chinchilla_from_overtraining(E, a, b, eta):
    r"""Parameters of `laws.chinchilla` from those of `laws.overtraining`, for decisions over N and D such as `allocate`.

        alpha = beta = 2 eta,    A = a 6^-eta,    B = b 6^-eta

    Args:
        E, a, b, eta: parameters of `laws.overtraining`.

    Returns:
        "E", "A", "alpha", "B", "beta".

    Example:
        >>> import scalejax as sj
        >>> sj.formulas.chinchilla_from_overtraining(E=1.8, a=100.0, b=200.0, eta=0.0)
        {'E': 1.8, 'A': 100.0, 'alpha': 0.0, 'B': 200.0, 'beta': 0.0}

    References: Gadre et al. 2024, arXiv:2403.08540.
    """
    return {"E": E, "A": a * 6**-eta, "alpha": 2 * eta, "B": b * 6**-eta, "beta": 2 * eta}


def _one_exponent(alpha, beta):
    require(
        jnp.isclose(alpha, beta, rtol=1e-9, atol=0),
        "The best number of tokens per parameter depends on compute where alpha and beta differ: use allocate(), or fit with "
        "tie={'beta': 'alpha'}.",
    )
