"""Besiroglu et al. 2024: approach 3 again on digitised runs."""

from __future__ import annotations

from functools import cache
from math import exp, log, log10, pi, sqrt
from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np

import scalejax as sj

from .chinchilla import BUDGETS, HOFFMANN, LAW, OPTIMUM, SETS, line, plan, size_exponent
from .claim import Claim, Unchecked

# What the library has of each paper.
PROVIDES = {
    "chinchilla_replication": ("recipes", "equality_test"),
}

BESIROGLU = SETS["besiroglu2024"]


@cache
def digitised(everything: bool = False):
    runs = sj.datasets.load("chinchilla_epoch", everything=everything)
    return runs.where(~runs.excluded)


@cache
def refit(loss: str = "huber", everything: bool = False):
    return sj.fit(LAW, digitised(everything), loss={"huber": sj.huber(1e-3), "absolute": sj.absolute()}[loss])


@cache
def replicates():
    return sj.bootstrap(refit(), 4000, kind="cases", progress=False)


def values(fit):
    return [fit.params[name] for name in ("E", "A", "alpha", "B", "beta")]


def huber_sum(params) -> float:
    runs = digitised()
    r = np.log(LAW(runs["N"], runs["D"], **params)) - np.log(runs["loss"])
    with jax.enable_x64(True):
        return float(sj.huber(1e-3).rho(jnp.asarray(r)).sum())


def scaled_likelihood(params, sigma: float, delta: float = 1e-3) -> float:
    """Negative log-likelihood of Huber's density with scale exp(sigma)."""
    runs, z = digitised(), NormalDist().cdf(-delta)
    r = (np.log(LAW(runs["N"], runs["D"], **params)) - np.log(runs["loss"])) / exp(sigma)
    Z = sqrt(2 * pi) * (1 - 2 * z) + 2 * exp(-(delta**2) / 2) / delta
    with jax.enable_x64(True):
        return float(np.sum(sj.huber(delta).rho(jnp.asarray(r)))) + len(r) * (log(Z) + sigma)


@cache
def _wald():
    return sj.equality_test(replicates(), HOFFMANN, logs=["E", "A", "B"])


def _reproduced(what, stated, ours, tolerance, **rest):
    return Claim("chinchilla_replication", what, stated, ours, tolerance, "repro", data="chinchilla_epoch", **rest)


# The authors resample runs, as if each were independent of the others.
_MONTE_CARLO = "two bootstraps of 4000 with different seeds: the tolerance is three Monte Carlo standard errors of their difference"

CLAIMS = [
    Claim("chinchilla_replication", "headline constants: best N at 1e21, 5.76e23, 3.8e25 FLOPs", [2.778e9, 7.225e10, 6.187e11],
          lambda: plan(BESIROGLU, "N"), [5e5, 5e6, 5e7]),
    Claim("chinchilla_replication", "headline constants: best D there", [5.999e10, 1.329e12, 1.024e13], lambda: plan(BESIROGLU, "D"),
          [5e6, 5e8, 5e9]),
    Claim("chinchilla_replication", "headline constants: tokens per parameter there", [21.59, 18.39, 16.55],
          lambda: plan(BESIROGLU, "D") / plan(BESIROGLU, "N"), 5e-3),
    Claim("chinchilla_replication", "headline constants: best loss there", [2.30553, 1.97444, 1.89171], lambda: plan(BESIROGLU, "loss"),
          5.1e-6),
    Claim("chinchilla_replication", "headline constants: loss at the printed N there", [2.30553, 1.97444, 1.89171],
          lambda: [LAW(N, C / (6 * N), **BESIROGLU) for N, C in zip((2.778e9, 7.225e10, 6.187e11), BUDGETS, strict=True)], 5.1e-6,
          note=OPTIMUM),
    Claim("chinchilla_replication", "headline constants: a, G", [0.5126, 0.11963], lambda: line(BESIROGLU)[:2], [5e-5, 5e-6]),
    _reproduced("Huber sum at the optimum, 240 runs", 0.0010182740178, lambda: refit().objective, 5e-14),
    _reproduced("optimum: E, A, alpha, B, beta", [1.8172181, 477.82587, 0.3473105, 2143.41736, 0.36717243], lambda: values(refit()),
          [5e-8, 5e-6, 5e-8, 5e-5, 5e-9]),
    _reproduced("published set of the optimum: the same Huber sum", 0.0010182740178, lambda: huber_sum(SETS["besiroglu2024_optimum"]),
          5e-14),
    _reproduced("Huber sum of the headline constants", 0.0010228427735, lambda: huber_sum(BESIROGLU), 5e-14),
    Claim("chinchilla_replication", "least absolute deviations: sum", 1.129494653622, lambda: refit("absolute").objective, 2e-9,
          "corrected", data="chinchilla_epoch", slow=True,
          note="a third party states 1.1294948981, which its solver did not bring to the end; stated here: the optimum by linear programs "
               "one after the other, where five runs are met exactly, below which ours cannot fall"),
    _reproduced("least absolute deviations: E, A, alpha, B, beta (printed headline)", [1.8172, 482.01, 0.3478, 2085.43, 0.3658],
          lambda: values(refit("absolute")), [4e-4, 0.01, 5e-5, 0.01, 1e-4], slow=True),
    _reproduced("likelihood with a free scale: its negative logarithm at the authors' optimum", -879.7731390602,
          lambda: scaled_likelihood(SETS["besiroglu2024_unrounded"], -12.26662388), 2e-5,
          note="the optimum is printed with eight decimals; at a scale of 5e-6 the ninth moves the last digits of the likelihood"),
    _reproduced("the same likelihood of least absolute deviations: no worse", -879.7731390602,
          lambda: scaled_likelihood(refit("absolute").params, -12.26662388), 2e-5, slow=True),
    _reproduced("all 245 runs, least absolute deviations: E, A, alpha, B, beta", [1.89, 463.3, 0.345, 12530, 0.452],
          lambda: values(refit("absolute", True)), [5e-3, 0.05, 5e-4, 5, 5e-4], slow=True),
    Claim("chinchilla_replication", "all 245 runs: a", 0.567, lambda: line(SETS["besiroglu2024_all"])[0], 5e-4, "corrected",
          note="stated as 0.512, which belongs to the 240 runs: beta / (alpha + beta) = 0.452 / 0.797"),
    _reproduced("bootstrap standard errors of E, A, alpha, beta", [0.02566, 124.52, 0.0154, 0.0206],
          lambda: [replicates().standard_errors[n] for n in ("E", "A", "alpha", "beta")], [0.0012, 7.5, 0.00073, 0.00098], slow=True,
          note=_MONTE_CARLO),
    _reproduced("bootstrap standard error of B", 1293.28, lambda: replicates().standard_errors["B"], 116.0, slow=True,
          note=f"{_MONTE_CARLO}; B is nearly lognormal"),
    _reproduced("bootstrap standard error of a", 0.018, lambda: np.std(size_exponent(replicates().params)), 1.4e-3, slow=True,
          note=_MONTE_CARLO),
    _reproduced("95 % bootstrap intervals of E, A, alpha", [[1.769, 1.871], [285.214, 743.626], [0.317, 0.373]],
          lambda: [replicates().interval(0.95)[n] for n in ("E", "A", "alpha")], [[0.0046] * 2, [22.0] * 2, [0.0028] * 2], slow=True,
          note=_MONTE_CARLO),
    _reproduced("upper ends of the 95 % intervals of B and beta", [5810.344, 0.415],
          lambda: [replicates().interval(0.95)[n][1] for n in ("B", "beta")], [230.0, 0.0037], slow=True, note=_MONTE_CARLO),
    _reproduced("Wald's chi2 against Hoffmann's constants (log E, log A, log B, alpha, beta)", 238.4, lambda: _wald().chi2, 22.0,
          slow=True, note=f"{_MONTE_CARLO}, about 3 % each in a quadratic form"),
    _reproduced("p of A, B, alpha alone", [0.54, 0.2, 0.58], lambda: [_wald().p_each[n] for n in ("A", "B", "alpha")], 0.03, slow=True,
          note=_MONTE_CARLO),
    _reproduced("log10 p of E and beta alone", [log10(2.7e-6), log10(1.1e-4)], lambda: [log10(_wald().p_each[n]) for n in ("E", "beta")],
          0.5, slow=True, note=f"{_MONTE_CARLO}; z^2 is 16 to 23, so that 4.7 % of a standard error moves log10 p by 0.3 to 0.5"),
    Unchecked("chinchilla_replication", "lower ends of the 95 % intervals, B 1042 and beta 0.331",
          "ours are 1139 and 0.336, 0.2 standard errors higher: the authors' refits free the scale and start far away"),
    Unchecked("chinchilla_replication", "80 % interval of tokens per parameter above 1e26 FLOPs, 4 to 40",
          "read off a figure; ours is 6.6 to 32 at 1e26 and 5.4 to 33 at 1e27"),
]  # fmt: skip
