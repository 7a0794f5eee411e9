"""Who decides the posterior, the prior or the data? Sensitivity to raising either to a power near one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...core.errors import FitError
from .psis import pareto_smooth

THRESHOLD = 0.05  # a normal posterior whose centre shifts by about a quarter of its sd for each doubling of the power


def power_scaling(
    quantities: Mapping[str, np.ndarray], log_prior: np.ndarray, log_likelihood: np.ndarray, delta: float = 0.01
) -> dict[str, tuple[float, float]]:
    r"""How fast the posterior of each quantity moves when the prior, or the likelihood, is raised to the power alpha.

    The draws are weighted with w proportional to prior^(alpha - 1) (or likelihood^(alpha - 1)), Pareto-smoothed, for
    log2 alpha = -delta and +delta. The sensitivity is the mean over both of distance(P, Q)/delta, where P and Q are the
    distribution functions of the quantity without and with the weights, and

        distance^2 = integral [P log2(P/M) + Q log2(Q/M)] dx / integral [P + Q] dx,    M = (P + Q)/2,

    the cumulative Jensen-Shannon divergence over its upper bound; the larger value of the quantity and of its negative counts.

    Args:
        quantities: draws of each, of shape (draws,).
        log_prior: log density of the prior at each draw, all parameters together, of shape (draws,), up to a constant.
        log_likelihood: log likelihood at each draw, all observations together, of shape (draws,), up to a constant.
        delta: step in log2 alpha.

    Returns:
        name -> (sensitivity to the prior, sensitivity to the likelihood): about 0 where nothing moves (a constant quantity gives
        0); above 0.05 counts as sensitive, see `diagnose`.

    Raises:
        FitError: if shapes differ, values are not finite or delta is not positive.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mean = 0.5 + np.sqrt(0.5) * rng.standard_normal(4000)  # posterior of a mean: prior N(0, 1), one observation 1 with sd 1
        >>> prior, likelihood = power_scaling({"mean": mean}, -0.5 * mean**2, -0.5 * (1.0 - mean) ** 2)["mean"]
        >>> prior > 0.05, likelihood > 0.05
        (True, True)

    References: Kallioinen, Paananen, Bürkner and Vehtari, "Detecting and diagnosing prior and likelihood sensitivity with power-scaling",
    Statistics and Computing 2024. There alpha is 1/(1 + delta) and 1 + delta; the derivative estimated is the same.
    """
    if not delta > 0:
        raise FitError(f"delta={delta:g} must be positive: it is the step in log2 of the power.")
    log_prior = _checked(log_prior, "log_prior")
    components = [log_prior, _checked(log_likelihood, "log_likelihood", len(log_prior))]
    weights = [[np.exp(pareto_smooth((2.0**step - 1.0) * c)[0]) for step in (-delta, delta)] for c in components]
    sensitivities = {}
    for name, draws in quantities.items():
        draws = _checked(draws, f"quantities[{name!r}]", len(log_prior))
        order = np.argsort(draws)
        widths = np.diff(draws[order])
        prior, likelihood = (np.mean([_distance(widths, w[order]) for w in pair]) / delta for pair in weights)
        sensitivities[name] = (float(prior), float(likelihood))
    return sensitivities


def diagnose(prior: float, likelihood: float) -> str:
    """What two sensitivities say together.

    Args:
        prior: sensitivity to the prior.
        likelihood: sensitivity to the likelihood.

    Returns:
        "prior and data disagree" if both are above 0.05: each pulls the posterior its way (or the prior is meant to inform);
        "the prior decides" if only that of the prior is; else "", the data decide or neither matters.

    Example:
        >>> diagnose(0.2, 0.3), diagnose(0.2, 0.01), diagnose(0.01, 0.3)
        ('prior and data disagree', 'the prior decides', '')

    References: Kallioinen et al. 2024.
    """
    if not prior > THRESHOLD:
        return ""
    return "prior and data disagree" if likelihood > THRESHOLD else "the prior decides"


def _checked(draws: np.ndarray, name: str, count: int | None = None) -> np.ndarray:
    draws = np.asarray(draws, dtype=np.float64)
    if draws.ndim != 1 or len(draws) != (count or len(draws)):
        raise FitError(f"{name} has shape {draws.shape}; give one value for each draw of the posterior.")
    if not np.isfinite(draws).all():
        raise FitError(f"{name} is not finite in {np.count_nonzero(~np.isfinite(draws))} draws; leave these draws out everywhere.")
    return draws


def _distance(widths: np.ndarray, weights: np.ndarray) -> float:
    """Cumulative Jensen-Shannon distance between sorted draws, `widths` apart, with equal weights and with `weights`."""
    P = np.arange(1, len(weights)) / len(weights)
    Q = np.minimum(np.cumsum(weights)[:-1], 1.0)
    return max(_cumulative_jensen_shannon(widths, P, Q), _cumulative_jensen_shannon(widths, 1.0 - P, 1.0 - Q))


def _cumulative_jensen_shannon(widths: np.ndarray, P: np.ndarray, Q: np.ndarray) -> float:
    # With P = M (1 - d) and Q = M (1 + d) the integrand is M times a function of d that keeps its digits for small d.
    bound = widths @ (P + Q)
    if bound == 0:
        return 0.0
    d = np.clip((Q - P) / (P + Q), -1.0 + 1e-15, 1.0 - 1e-15)
    divergence = 0.5 * (P + Q) * (np.log1p(-d * d) + d * (np.log1p(d) - np.log1p(-d))) / np.log(2.0)
    return float(np.sqrt(widths @ divergence / bound))
