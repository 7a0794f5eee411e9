"""Many answers to one question: how many problems any of them solves, and what a verifier that errs makes of it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from ...core.laws.domains import Interval, Positive, Real, Simplex, Unit
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.laws.published import Published
from ...core.numeric.powers import power, power_from_zero, softplus

_BROWN = "Brown et al. 2024, arXiv:2407.21787"
_SCHAEFFER = "Schaeffer et al. 2025, arXiv:2502.17578"
_STROEBL = "Stroebl et al. 2024, arXiv:2411.17501"
_REFIT = "points of the paper's figures in austine4/Inference-Compute-Scaling-Laws, fitted again by least squares"
_K = Positive(1.0, 1e4, unit="samples")
_U, _V = Positive(0.05, 5.0), Positive(0.1, 100.0)
_NEAR = 1e-4  # chance of an end over all tries below which a series has more digits than the closed form
_REACH = 36.0  # exp(-36) of the density is left out at both ends
_NODES = 1024


@law(
    output="coverage",
    reference=_BROWN,
    k=_K,
    a=Positive(0.05, 20.0),
    b=Positive(0.05, 1.5),
    published={
        "llama3_8b_math": Published({"a": 1.34745, "b": 0.43512}, "Llama 3 8B Instruct on MATH, 1 to 10,000 samples", _REFIT, "verified"),
        "llama3_70b_math": Published({"a": 0.76716, "b": 0.46097}, "Llama 3 70B Instruct on MATH, 1 to 10,000 samples", _REFIT, "verified"),
        "gemma_2b_math": Published({"a": 2.67905, "b": 0.41652}, "Gemma 2B on MATH, 1 to 10,000 samples", _REFIT, "verified"),
        "pythia_2b8_math": Published({"a": 4.30184, "b": 0.34563}, "Pythia 2.8B on MATH, 1 to 10,000 samples", _REFIT, "verified"),
    },
)
def coverage_power(k, *, a, b):
    r"""Share of problems that at least one of k samples solves: an exponentiated power law.

        coverage(k) = exp(-a k^-b)

    Symbols: k samples of every problem; a = -ln of the share that one sample solves; b how fast -ln coverage falls. The paper writes
    exp(a k^b) with both negative. Observed coverage is estimated from counts by `papers.pass_at_k`, from whose number of samples on it
    is not to be trusted. Samples that a coverage takes: `sj.equivalent(source, "k", like=0.9)`.

    Where it comes from: every problem for itself is exponential in k, and only difficulties whose density is a power near 0 make a power
    law of all together, see `coverage_beta`. -ln coverage is itself a power law, of which `sj.power_product` takes the model and the
    length of answers along, for `allocate`.

    Example:
        >>> from scalejax import laws
        >>> round(laws.coverage_power(100, **laws.coverage_power.published["llama3_8b_math"]), 3)
        0.834
    """
    return jnp.exp(-a * power(k, -b))


@law(output="coverage", reference=_SCHAEFFER, k=_K, u=_U, v=_V)
def coverage_beta(k, *, u, v):
    r"""Expected share of problems that at least one of k samples solves, where the chance of one sample varies as a beta distribution.

        coverage(k) = 1 - B(u, v + k) / B(u, v),    p ~ Beta(u, v)

    Symbols: k samples of every problem; p the chance that one of them solves it; u the power of the left tail, density p^(u - 1) near 0;
    v that of the right one; B the beta function. For many samples -ln coverage tends to Gamma(u + v) / Gamma(v) k^-u: the exponent of
    `coverage_power` is that of the hardest problems, which a few samples of many problems tell.

    Fit u and v to counts, not to a curve, whose points are all from the same samples: `success_after` and `papers.attempts`. Problems
    that no number of samples solves make a coverage below 1: multiply by their share.

    Example:
        >>> from scalejax import laws
        >>> round(laws.coverage_beta(3, u=1.0, v=1.0), 6)  # uniform: k / (k + 1)
        0.75
    """
    return -jnp.expm1(gammaln(v + k) - gammaln(u + v + k) + gammaln(u + v) - gammaln(v))


@law(
    output="success",
    reference=f"{_SCHAEFFER}; the chain rule for the beta-binomial likelihood of its counts",
    c=Positive(1.0, 1e4, zero=True, unit="successes"),
    n=Positive(1.0, 1e4, zero=True, unit="samples"),
    u=_U,
    v=_V,
)
def success_after(c, n, *, u, v):
    r"""Chance that the next sample solves a problem, after c of n did.

        success(c, n) = (u + c) / (u + v + n)

    Symbols: c successes among n samples of the problem; u, v the beta distribution of the chances of all problems, as in `coverage_beta`.

    The likelihood of counts with varying difficulty, the beta-binomial one, is the product of these chances along the samples, in any
    order. Hence `sj.sample(laws.success_after, papers.attempts(N, C), likelihood="binomial", level_prior=False, method="laplace")` is the
    posterior of u and v, and `sj.derive(it, laws.coverage_beta, k=1e4)` the coverage with its interval.

    Example:
        >>> from scalejax import laws
        >>> laws.success_after(0, 8, u=0.5, v=1.5)
        0.05
    """
    return (u + c) / (u + v + n)


@law(
    output="accuracy",
    reference=_STROEBL,
    K=Positive(1.0, 1e4, unit="samples"),
    p=Simplex(axis="type"),
    r=Interval(0.0, 1.0, axis="type"),
    c=Unit(),
    s=Unit(),
    published={
        "stroebl2024_illustration": Published(
            {"p": [0.58, 0.42], "r": [0.87, 0.13], "c": 1.0, "s": 0.75},
            "an illustration: easy and hard problems, a verifier that passes every right answer and a quarter of the wrong ones",
            "authors' notebook limits_to_inference_scaling_model",
            "verified",
        ),
    },
)
def resampling(K, *, p, r, c, s):
    r"""Share of problems that end with a right answer, when samples are drawn until a verifier that errs accepts one, K at most.

        accuracy(K) = sum_t p_t c r_t (1 - beta_t^K) / (1 - beta_t),    1 - beta_t = c r_t + (1 - s)(1 - r_t)

    Symbols: t type of problem, with the share p_t, of which one sample is right with chance r_t; c completeness, the chance that a right
    answer is accepted; s soundness, the chance that a wrong one is rejected; beta_t the chance that a sample is rejected.
    The others end with a wrong answer or none. Its limit is sum_t p_t c r_t / (1 - beta_t), however many samples: with c = s = 1 it is
    coverage, which has none. `formulas.best_attempts` says how many samples are best when wrong answers cost something.

    Note: accuracies do not tell r, c and s apart: measure c and s with answers that are known to be right or wrong, and bind them.

    Example:
        >>> from scalejax import laws
        >>> illustration = laws.resampling.published["stroebl2024_illustration"]
        >>> laws.resampling([1, 3, 1e4], **illustration).round(3).tolist()
        [0.559, 0.672, 0.716]
    """
    return jnp.sum(p * c * r * _tries(jnp.asarray(K)[..., None], c * r + (1 - s) * (1 - r)), axis=-1)


def _tries(K, end):
    """Expected number of tries up to K, each of which is the last with the chance `end`: (1 - (1 - end)^K) / end."""
    near = K * end < _NEAR
    series = K * (1 - (K - 1) / 2 * end * (1 - (K - 2) / 3 * end))
    safe = jnp.where(near, 1.0, end)
    return jnp.where(near, series, (1 - power_from_zero(1 - safe, K)) / safe)


@formula
def best_attempts(p, r, c, s, V_f=-1.0, cost=0.0, K=None):
    r"""How many samples to draw at most until an imperfect verifier accepts one, when wrong answers and samples cost.

        V(K) = sum_t p_t [c r_t + V_f (1 - s)(1 - r_t) - cost] (1 - beta_t^K) / (1 - beta_t),    K* = argmax V(K)

    Args:
        p, r, c, s: parameters of `laws.resampling`.
        V_f: what a wrong answer is worth if a right one is worth 1 and none 0; negative where it harms.
        cost: of a sample, in the same unit.
        K: numbers of samples to choose from, an array that rises; default 1 to 100.

    Returns:
        "K" the best of them; "reward", V there; "correct" and "wrong", shares of problems that end so; "drawn", samples of a problem on
        average; "limit", the share that ends right with endless samples; "precision", (types,) share of the accepted that are right.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.resampling
        >>> found = sj.derive((law, law.published["stroebl2024_illustration"]), sj.formulas.best_attempts, V_f=-0.7)
        >>> found.K, round(found.reward, 4)
        (3.0, 0.5246)

    References: Stroebl et al. 2024, arXiv:2411.17501. Their notebook weights the types twice: its optimum is the same, its rewards are not.
    """
    require((p >= 0) & (r >= 0) & (r <= 1), "p must be shares and r chances, from 0 to 1, of the types of problems.")
    require((c > 0) & (c <= 1) & (s >= 0) & (s <= 1), "c and s must be chances from 0 to 1, and c above 0.")
    tried = jnp.arange(1.0, 101.0) if K is None else jnp.atleast_1d(jnp.asarray(K))
    require(tried >= 1, "K must be numbers of samples from 1 on.")
    right, wrong = c * r, (1 - s) * (1 - r)
    end = right + wrong
    drawn = _tries(tried[:, None], end)
    reward = jnp.sum(p * (right + V_f * wrong - cost) * drawn, axis=-1)
    best = jnp.argmax(reward)
    accepted = jnp.where(end > 0, end, 1.0)
    return {
        "K": tried[best],
        "reward": reward[best],
        "correct": jnp.sum(p * right * drawn[best]),
        "wrong": jnp.sum(p * wrong * drawn[best]),
        "drawn": jnp.sum(p * drawn[best]),
        "limit": jnp.sum(p * right / accepted),
        "precision": right / accepted,
    }


@formula
def best_attempts_beta(u, v, c, s, V_f=-1.0, cost=0.0, K=None):
    r"""How many samples to draw at most, as `best_attempts` says it, for problems whose chances vary as a beta distribution.

        V(K) = E[ (c r + V_f (1 - s)(1 - r) - cost) (1 - beta(r)^K) / (1 - beta(r)) ],    r ~ Beta(u, v)

    Args:
        u, v: parameters of `laws.success_after`, fitted to counts of a few samples, from which the interval comes.
        c, s: completeness and soundness of the verifier, as in `laws.resampling`.
        V_f, cost, K: as in `best_attempts`.

    Returns:
        As `best_attempts`, without "precision".

    Example:
        >>> import scalejax as sj
        >>> difficulty = (sj.laws.success_after, {"u": 1.0, "v": 1.0})
        >>> found = sj.derive(difficulty, sj.formulas.best_attempts_beta, c=1.0, s=0.9, V_f=-1.0)
        >>> found.K, round(found.correct, 3), round(found.limit, 3)
        (9.0, 0.811, 0.827)

    References: Stroebl et al. 2024, arXiv:2411.17501; Schaeffer et al. 2025, arXiv:2502.17578.
    """
    require((u > 0) & (v > 0), "u and v of a beta distribution must be positive.")
    p, r = _beta_types(u, v)
    found = best_attempts(p, r, c, s, V_f, cost, K)
    return {name: value for name, value in found.items() if name != "precision"}


def _beta_types(u, v):
    """Weights and values whose sums are means over Beta(u, v): the trapezoidal rule in the logit, where the density is analytic."""
    low, high = (sign * (_REACH / x + jnp.log(_REACH / x)) for sign, x in ((-1, u), (1, v)))
    x = low + (high - low) * jnp.linspace(0.0, 1.0, _NODES)
    return jax.nn.softmax(-u * softplus(-x) - v * softplus(x)), jax.nn.sigmoid(x)


@formula
def coverage_loss(p, N):
    r"""What training for coverage with N samples asks of a problem: its loss, and its gradient as a share of that of cross-entropy.

        loss = -ln(1 - (1 - p)^N),    factor = (d loss / d p) / (d (-ln p) / d p) = N p (1 - p)^(N - 1) / (1 - (1 - p)^N)

    Args:
        p: chance that one sample solves the problem, above 0; a number or an array.
        N: samples that will be drawn, from 1 on; a number or an array of the same length.

    Returns:
        "coverage", 1 - (1 - p)^N; "loss"; "factor": 1 for N = 1, and near 0 where N p is large: training leaves alone what N samples solve
        anyway, and confidence stays limited.

    Example:
        >>> found = coverage_loss([0.001, 0.5], 256)
        >>> found["factor"].round(3)
        array([0.878, 0.   ])

    References: Chen et al. 2025, arXiv:2502.07154.
    """
    require((p > 0) & (p <= 1) & (N >= 1), "p must lie above 0 and up to 1, and N be 1 or more.")
    missed = jnp.where(p < 1, N * jnp.log1p(-jnp.where(p < 1, p, 0.5)), -jnp.inf)
    coverage = -jnp.expm1(missed)
    others = jnp.where(N > 1, jnp.exp((N - 1) * jnp.log1p(-jnp.where(p < 1, p, 0.5))) * (p < 1), 1.0)
    return {"coverage": coverage, "loss": -jnp.log(coverage), "factor": N * p * others / coverage}


@law(
    output="error",
    reference="Yue et al. 2024, arXiv:2410.04343",
    k=Positive(1.0, 1e3, zero=True, unit="documents"),
    m=Positive(1.0, 256.0, zero=True, unit="demonstrations"),
    n=Positive(1.0, 5.0, unit="steps"),
    i_doc=Real(0.0, 0.5),
    i_shot=Real(0.0, 0.5),
    a_k=Real(-0.5, 0.5),
    a_m=Real(-0.5, 0.5),
    a_n=Real(-0.5, 0.5),
    b_k=Real(-2.0, 2.0),
    b_m=Real(-2.0, 2.0),
    c=Real(-3.0, 3.0),
)
def rag_error(k, m, n, i_doc, i_shot, *, a_k, a_m, a_n, b_k, b_m, c):
    r"""Error of answers with retrieved documents, from documents, demonstrations and steps of retrieval.

        1 - error = sigm( (a_k + b_k i_doc) ln(1 + k) + (a_m + b_m i_shot) ln(1 + m) + a_n ln n + c )

    Symbols: k documents of a query, m demonstrations in the prompt, n steps of generation (1: retrieval once); i_doc and i_shot what a task
    gains by one document, and by one demonstration, over none, measured beforehand in its metric; error 1 - accuracy, the latter after the
    paper's normalisation. Holds up to the length of context that the model uses well, about 1e6 tokens in the paper.

    Note: the paper has logarithms of k and m, which have none at 0; 1 + k and 1 + m here, a choice of ours, take "no documents" along. It
    prints no constants. It predicts the metric; here it is the error, so that `allocate` finds the best k, m and n under a number of
    tokens: `cost=lambda k, m, n: n * (1000 * k + 250 * m + 500), choices={"n": [1, 2, 3, 4, 5]}`.

    Example:
        >>> from scalejax import laws
        >>> numbers = dict(a_k=0.2, a_m=0.1, a_n=0.3, b_k=1.0, b_m=0.5, c=-1.0)
        >>> round(laws.rag_error(50, 8, 1, 0.1, 0.1, **numbers), 4)
        0.3754
    """
    documents, demonstrations = (a_k + b_k * i_doc) * jnp.log1p(k), (a_m + b_m * i_shot) * jnp.log1p(m)
    return jax.nn.sigmoid(-(documents + demonstrations + a_n * jnp.log(n) + c))
