"""Routed language models (mixtures of experts): loss from the size that a token sees and the number of experts."""

from __future__ import annotations

from math import log

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from .. import ranges

_CLARK = "Clark et al. 2022, arXiv:2202.01169"


def saturated_experts(E, E_start, E_max):
    """Effective number of experts: E_start for E = 1, close to E between, E_max for ever more.

    1 / Ê = 1 / (E - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max; E_start = 1 and E_max without end give E itself.

    >>> round(float(saturated_experts(1.0, 1.847, 314.478)), 3), round(float(saturated_experts(64.0, 1.0, 1e18)), 6)
    (1.847, 64.0)
    """
    gap = jnp.maximum(1 / E_start - 1 / E_max, 0.0)
    return 1 / (gap / (1 + gap * (E - 1)) + 1 / E_max)


def _bilinear(x, y, a, b, c, d):
    """10^(a log10 x + b log10 y + c log10 x log10 y + d)."""
    x, y = jnp.log10(x), jnp.log10(y)
    return jnp.exp(log(10.0) * (a * x + b * y + c * x * y + d))


@law(
    reference=_CLARK,
    N=ranges.N,
    E=Positive(1.0, 512.0, unit="experts"),
    a=Real(-0.2, 0.0),
    b=Real(-0.3, 0.0),
    c=Real(0.0, 0.03),
    d=Real(0.5, 2.0),
    E_start=Positive(1.0, 10.0, unit="experts"),
    E_max=Positive(50.0, 2000.0, unit="experts"),
    published="routing.toml",
)
def routed_lm(N, E, *, a, b, c, d, E_start, E_max):
    r"""Loss of dense and routed models at a fixed number of tokens, from the size a token sees and the number of experts.

        log10 L(N, E) = a log10 N + b log10 Ê + c log10 N log10 Ê + d
        1 / Ê = 1 / (E - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max

    Symbols: N parameters that one token sees; E experts a routed layer (1: dense); Ê experts after saturation, E_start at E = 1 and
    E_max in the limit; L nats/token. a, b < 0 and c > 0: routing gains less the larger the model, and nothing beyond N = 10^(-b/c).
    `formulas.effective_parameters` gives the dense model of equal loss, and that cut-off.
    Variants are limits: `fix={"c": 0}` is the paper's separable law, `fix={"E_start": 1, "E_max": 1e18}` the one without saturation.
    Note: b and c printed with 3 digits leave the cut-off open by a factor of 3; take it from a fit of your own.

    Example:
        >>> from scalejax import laws
        >>> round(laws.routed_lm(368123904, 1, **laws.routed_lm.published["s_base"]), 3)
        2.474
    """
    return _bilinear(N, saturated_experts(E, E_start, E_max), a, b, c, d)


@law(
    reference=_CLARK,
    F=Positive(1e-3, 1e3, unit="TFLOPs"),
    B=Positive(1.0, 500.0, unit="parameters per FLOP, of those of a dense model"),
    a=Real(-0.2, 0.0),
    b=Real(-0.3, 0.0),
    c=Real(0.0, 0.03),
    d=Real(0.0, 1.0),
    B_start=Positive(1.0, 10.0),
    B_max=Positive(50.0, 2000.0),
)
def routed_lm_utilisation(F, B, *, a, b, c, d, B_start, B_max):
    r"""Loss of routed models whatever their number of experts a token and of routed layers: from compute and use of parameters.

        log10 L(F, B) = a log10 F + b log10 B̂ + c log10 F log10 B̂ + d
        1 / B̂ = 1 / (B - 1 + 1 / (1 / B_start - 1 / B_max)) + 1 / B_max

    Symbols: F TFLOPs of a forward pass; B total parameters per FLOP, relative to a dense model, so that B = 1 is dense as E = 1 is in
    `routed_lm`, whose form this is; L nats/token.
    Note: the paper's unit of B = parameters / F is not stated with its constants, and none are given here; another unit of F moves
    only b and d.

    Example:
        >>> from scalejax import laws
        >>> round(laws.routed_lm_utilisation(1.0, 1.0, a=-0.1, b=-0.1, c=0.01, d=0.4, B_start=1.0, B_max=400.0), 4)
        2.5119
    """
    return _bilinear(F, saturated_experts(B, B_start, B_max), a, b, c, d)


@formula
def effective_parameters(N, E, a, b, c, E_start, E_max):
    r"""Dense size of equal loss of a routed model; routing pays up to N = cutoff.

        N_eff(N, E) = N^(alpha(Ê) / alpha(E_start)) (Ê / E_start)^(b / alpha(E_start)),    alpha(x) = a + c log10 x
        N_cutoff = 10^(-b / c)

    Args:
        N: parameters that one token sees, a number or an array.
        E: experts, a number or an array of the same length.
        a, b, c, E_start, E_max: parameters of `laws.routed_lm`.

    Returns:
        "value", parameters of the dense model with the same loss; "ratio", value / N; "cutoff", infinite where c <= 0. The cut-off lies
        far beyond most runs and hangs on the third digit of b and c: look at its interval. `equivalent` serves any law.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.routed_lm
        >>> worth = sj.derive((law, law.published["s_base"]), sj.formulas.effective_parameters, N=5e6, E=128)
        >>> f"{worth.value:.2g} {worth.cutoff:.1g}"
        '5.2e+07 1e+12'

    References: Clark et al. 2022, arXiv:2202.01169, section 5.
    """
    require(N > 0, "N must be a positive number of parameters, or an array of them.")
    require(E > 0, "E must be a positive number of experts, or an array of them.")
    gain = jnp.log10(saturated_experts(E, E_start, E_max) / E_start)
    slope = a + c * jnp.log10(E_start)
    value = 10.0 ** (jnp.log10(N) + gain * (c * jnp.log10(N) + b) / slope)
    cutoff = jnp.where(c > 0, 10.0 ** (-b / jnp.where(c > 0, c, 1.0)), jnp.inf)
    return {"value": value, "ratio": value / N, "cutoff": cutoff}
