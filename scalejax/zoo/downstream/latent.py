"""Abilities behind scores: benchmarks from principal components or skills of a model, and successes from the length of a task."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.laws.domains import Interval, Positive, Real, Unit
from ...core.laws.formula import formula, require
from ...core.laws.law import law

_LOGIT = Real(-5.0, 5.0)
_LN_2 = 0.6931471805599453


@law(
    output="score",
    reference="Ruan, Maddison and Hashimoto 2024, arXiv:2405.10938",
    S=Real(-1.0, 1.0, axis="component"),
    beta=Real(-8.0, 8.0, axis="component"),
    alpha=_LOGIT,
    h=Unit(),
    b=Unit(),
)
def observational(S, *, beta, alpha, h, b):
    r"""Score of a model on a complex task from its capabilities on simple ones: the observational scaling law.

        E = b + h sigma(beta^T S + alpha)

    Symbols: S capabilities of a model, the first principal components of its scores (`studies.capabilities`); sigma the logistic function;
    E score from 0 to 1; b that of random guesses, h what lies above: `fix={"b": 0, "h": 1}` as in most fits of the paper. Within a family
    of models S is a straight line in the logarithm of compute: `fit("logarithmic", runs, by="family")`. The whole way from a table of
    scores to models that were held out is `studies.observational_forecast`.

    Example:
        >>> from scalejax import laws
        >>> round(laws.observational([0.5, 0.1], beta=[2.0, 0.0], alpha=-1.0, h=0.5, b=0.25), 6)
        0.5
    """
    return b + h * jax.nn.sigmoid(jnp.sum(beta * S, axis=-1) + alpha)


@law(
    output="score",
    reference="Maia Polo et al. 2024, arXiv:2412.06540",
    s=Positive(0.05, 200.0, unit="1e9 parameters"),
    t=Positive(0.05, 20.0, unit="1e12 tokens"),
    alpha=Real(-2.0, 2.0, axis="skill"),
    beta_s=Real(-1.0, 1.0, axis="skill"),
    beta_t=Real(-1.0, 1.0, axis="skill"),
    beta_st=Real(-0.2, 0.2, axis="skill"),
    loading=Real(-2.0, 2.0, axis="skill"),
    b=Real(-3.0, 3.0),
    gamma=Interval(0.0, 1.0),
)
def sloth(s, t, *, alpha, beta_s, beta_t, beta_st, loading, b, gamma):
    r"""Score on a benchmark from a few skills that grow with size and tokens, each family from a level of its own.

        mu = gamma + (1 - gamma) sigma( sum_k Lambda_k theta_k + b )
        theta_k = alpha_k + beta_s,k ln s + beta_t,k ln t + beta_st,k ln s ln t

    Symbols: s parameters in billions; t training tokens in trillions; theta_k skills; alpha_k levels of a family; beta_k the same for all
    families; Lambda_k (`loading`) how much of skill k a benchmark asks for; b how easy it is; gamma the score of random guesses, one over
    the number of choices; sigma the logistic function. All scores of all models in one fit: `fit(law, runs, by={"alpha": "family",
    "loading": "benchmark", "b": "benchmark", "gamma": "benchmark"}, sizes={"skill": 1}, fix={...})`. Skills are known up to an invertible
    map of theta: fix the loadings of as many benchmarks as there are skills to unit vectors, their b to 0, and gamma to what is known.

    Note: the paper also learns a monotone function for each benchmark in place of sigma.

    Example:
        >>> from scalejax import laws
        >>> one = dict(alpha=[0.5], beta_s=[0.2], beta_t=[0.1], beta_st=[0.0], loading=[1.0], b=-0.5)
        >>> round(laws.sloth(1.0, 1.0, **one, gamma=0.25), 6)
        0.625
    """
    x, y = jnp.log(s)[..., None], jnp.log(t)[..., None]
    theta = alpha + beta_s * x + beta_t * y + beta_st * x * y
    return gamma + (1.0 - gamma) * jax.nn.sigmoid(jnp.sum(loading * theta, axis=-1) + b)


@law(
    output="score",
    reference="Kwa et al. 2025, arXiv:2503.14499",
    t=Positive(0.05, 5e3, unit="minutes"),
    h=Positive(0.1, 1e3, unit="minutes"),
    beta=Positive(0.2, 3.0),
)
def task_success(t, *, h, beta):
    r"""Chance that a model solves a task which takes people a time t: its time horizon is where the chance is one half.

        p = sigma( beta (log2 h - log2 t) )

    Symbols: t time that people take; h the time horizon, in the unit of t; beta logits for every halving of t; sigma the logistic function.
    By model: `fit(law, runs, by="model", loss=sj.binomial(...))`; horizons against release dates: `exponential_progress`. With e^grade for
    t it is the model of Bradley and Terry in which difficulties are straight lines in a grade, and ability_i = beta log2 h_i.

    Example:
        >>> from scalejax import laws
        >>> round(laws.task_success(30.0, h=60.0, beta=0.6), 4)
        0.6457
    """
    return jax.nn.sigmoid(beta * (jnp.log(h) - jnp.log(t)) / _LN_2)


@formula
def horizon(h, beta, p=0.8):
    r"""The time horizon at another chance of success than one half.

        h_p = h 2^(-logit(p) / beta)

    Args:
        h, beta: parameters of `laws.task_success`.
        p: chance of success between 0 and 1, a number or an array.

    Returns:
        "value", h_p in the unit of h.

    Example:
        >>> import scalejax as sj
        >>> round(sj.derive((sj.laws.task_success, {"h": 60.0, "beta": 1.0}), sj.formulas.horizon, p=0.8).value, 4)
        22.9528

    References: Kwa et al. 2025, arXiv:2503.14499.
    """
    require((p > 0) & (p < 1), "p must be a chance between 0 and 1, or an array of them.")
    return {"value": h * 2.0 ** (-(jnp.log(p) - jnp.log1p(-p)) / beta)}
