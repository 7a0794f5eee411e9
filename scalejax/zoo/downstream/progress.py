"""Laws of time: what doubles regularly, what algorithms are worth in compute, and how the use of a model spreads."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.formula import formula
from ...core.laws.law import law
from ...core.laws.published import Published
from .. import ranges

_KWA = "Kwa et al. 2025, arXiv:2503.14499"
_XIAO = "Xiao et al. 2024, arXiv:2412.04315"
_HO = "Ho et al. 2024, arXiv:2403.05812"
_BHANDARI = "Bhandari et al. 2025, arXiv:2502.15987; Wang, Song and Barabasi 2013, doi:10.1126/science.1237825"
_LN_2 = 0.6931471805599453
_RATE = Real(-0.05, 0.15, unit="1/year")
_LEVEL = Real(-1.0, 2.0, unit="log(nats/word)")


@law(
    output="y",
    reference=f"{_KWA}; {_XIAO}",
    linear=("y_0",),
    t=Real(0.0, 2000.0, unit="days"),
    y_0=Positive(1e-3, 1e3),
    T=Positive(30.0, 1000.0, unit="days"),
    published={
        "kwa2025_horizon": Published(
            {"y_0": 1.0, "T": 212.0}, "time horizon of the best agents, 2019 to 2025, relative to that at t = 0; days",
            f"{_KWA}, section on the trend",
        ),
        "xiao2024_density": Published(
            {"y_0": 1.0, "T": 99.021025794}, "greatest capability density of open base models since 2023, relative to that at t = 0; days, "
            "T = ln 2 / 0.007", f"{_XIAO}, figure 1",
        ),
    },
)  # fmt: skip
def exponential_progress(t, *, y_0, T):
    r"""What doubles again and again in the same time: time horizons, capability densities, effective compute.

        y(t) = y_0 2^(t / T),    that is   ln y = A t + B   with   A = ln 2 / T,  B = ln y_0

    Symbols: t days (or years, with T), from any date; y_0 the level at t = 0; T the time of doubling. Kwa et al. fit y in minutes, the time
    horizons of agents that were the best when they came out (`task_success`), T = 212 days with a 95 % interval of 171 to 249. Xiao et al.
    fit the density of open models, parameters that a reference needs for the same score over those that a model has. `sj.equivalent(source,
    "t", like=level)` has when a level is reached.

    Example:
        >>> from scalejax import laws
        >>> round(laws.exponential_progress(365.25, **laws.exponential_progress.published["kwa2025_horizon"]), 2)
        3.3
    """
    return y_0 * jnp.exp(_LN_2 * t / T)


@law(
    reference=_HO,
    N=Positive(1.0, 1e6, unit="parameters over N_0"),
    D=Positive(1.0, 1e6, unit="tokens over D_0"),
    Y=Real(0.0, 12.0, unit="years"),
    a=_LEVEL,
    alpha_year=_RATE,
    alpha_param=ranges.EXPONENT,
    b=_LEVEL,
    beta_year=_RATE,
    beta_data=ranges.EXPONENT,
    published={
        "ho2024_wt103": Published(
            dict(a=0.912701, alpha_year=0.003938, alpha_param=0.067982, b=0.771409, beta_year=0.035620, beta_data=0.039587),
            "WikiText-103, nats/word; N, D and Y from the smallest and the first of 231 evaluations, 2012 to 2023",
            f"{_HO}, table 2, model 7, with the digits of the authors' notebook",
        ),
    },
)  # fmt: skip
def algorithmic_progress(N, D, Y, *, a, alpha_year, alpha_param, b, beta_year, beta_data):
    r"""Loss of a language model that came out in a given year: parameters and tokens are worth more every year.

        L = exp( a - alpha_year Y - alpha_param ln N ) + exp( b - beta_year Y - beta_data ln D )

    Symbols: N parameters and D training tokens, each over some N_0 and D_0; Y years since some date; a and b levels for these; alpha_year /
    alpha_param the yearly growth of what a parameter is worth, in logarithms, beta_year / beta_data that of a token; L nats/word.
    `formulas.effective_compute` has how often all of it doubles. Benchmarks have levels of their own: `fit(law, runs, by={"a": "benchmark",
    "b": "benchmark"})`.

    Example:
        >>> from scalejax import laws
        >>> round(laws.algorithmic_progress(1.0, 1.0, 0.0, **laws.algorithmic_progress.published["ho2024_wt103"]), 3)
        4.654
    """
    return jnp.exp(a - alpha_year * Y - alpha_param * jnp.log(N)) + jnp.exp(b - beta_year * Y - beta_data * jnp.log(D))


@formula
def effective_compute(alpha_year, alpha_param, beta_year, beta_data):
    r"""How long better algorithms take to double what a FLOP is worth.

        T_N = ln 2 alpha_param / alpha_year,    T_D = ln 2 beta_data / beta_year,    1 / T_C = 1 / T_N + 1 / T_D

    Args:
        alpha_year, alpha_param, beta_year, beta_data: parameters of `laws.algorithmic_progress`.

    Returns:
        "value", T_C in years; "growth", the factor a year.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.algorithmic_progress
        >>> found = sj.derive((law, law.published["ho2024_wt103"]), sj.formulas.effective_compute)
        >>> round(12 * found.value, 1), round(found.growth, 2)
        (8.7, 2.61)

    References: Ho et al. 2024, arXiv:2403.05812, section 3. Its 8.4 months are the median of bootstrap replicates.
    """
    rate = alpha_year / alpha_param + beta_year / beta_data
    return {"value": _LN_2 / rate, "growth": jnp.exp(rate)}


@law(
    output="models",
    reference=_BHANDARI,
    linear=("m",),
    t=Positive(0.1, 1e3, unit="days or months since release"),
    m=Positive(1.0, 100.0, unit="fine-tuned models"),
    lam=Positive(0.1, 10.0),
    mu=Real(-1.0, 6.0),
    sigma=Positive(0.2, 5.0),
)
def adoption(t, *, m, lam, mu, sigma):
    r"""Fine-tuned models that descend from an open model, as citations of a paper grow.

        c(t) = m [ exp( lambda Phi( (ln t - mu) / sigma ) ) - 1 ]

    Symbols: t time since release; c models so far; lambda (`lam`) fitness; mu how soon and sigma how long it is taken up, in logarithms of
    t; m the same for all models, 30 in the work on citations; Phi the normal distribution function. `formulas.adoption_reach` has the end
    of it.

    Note: while growth goes on, lambda, mu and sigma cannot be told apart: the paper's own fits have mu at its bound of 0, lambda of 15 to
    25 and, of some, above 1e5. Fit models together, `by="model", share="m"`, or draw with the default priors, and look at `sj.profile`.

    Example:
        >>> from scalejax import laws
        >>> round(laws.adoption(20.0, m=30.0, lam=2.0, mu=3.0, sigma=1.0), 2)
        51.27
    """
    return m * jnp.expm1(lam * jax.scipy.special.ndtr((jnp.log(t) - mu) / sigma))


@formula
def adoption_reach(m, lam, mu, sigma):
    r"""How many models will descend from one in the end, and when half of them have.

        value = m (e^lambda - 1),    c(half) = value / 2

    Args:
        m, lam, mu, sigma: parameters of `laws.adoption`.

    Returns:
        "value", models in the end; "half", the time at which c is half of that, in the unit of t.

    Example:
        >>> import scalejax as sj
        >>> found = sj.derive((sj.laws.adoption, {"m": 30.0, "lam": 2.0, "mu": 3.0, "sigma": 1.0}), sj.formulas.adoption_reach)
        >>> round(found.value, 2), round(found.half, 2)
        (191.67, 35.65)

    References: Wang, Song and Barabasi 2013, doi:10.1126/science.1237825.
    """
    end = jnp.expm1(lam)
    return {"value": m * end, "half": jnp.exp(mu + sigma * jax.scipy.special.ndtri(jnp.log1p(end / 2) / lam))}
