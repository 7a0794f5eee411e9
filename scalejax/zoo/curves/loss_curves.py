"""Whole loss curves from the learning rates: the multi-power law, its simpler relatives, and the functional scaling law.

Inputs are those of `read_curves`: `eta` the rate of every step from step 0, `t` the observed steps, `W` the steps whose changes of the
rate do not count (0, or the warm-up). With eta of shape (T,) or (n, T) the laws give one loss for every entry of t; t beyond the schedule
counts as its last step. In all of them

    S(t) = sum_{i=0..t} eta_i,   S_k(t) = sum_{i=k..t} eta_i

in units of the learning rate times steps, and losses are in nats/token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ...core.laws.domains import Integer, Interval, Positive
from ...core.laws.law import law
from ...core.numeric.powers import power, power_from_zero
from .. import ranges
from .decrements import change_sum
from .recurrences import linear_recurrence

ETA = Positive(1e-6, 1e-2, unit="learning rate", zero=True, axis="step")
STEPS = Integer(0, 100_000, unit="steps", axis="step")
WARMUP = Integer(0, 10_000, unit="steps")
INPUTS: ranges.Shared = {"eta": ETA, "t": STEPS, "W": WARMUP}
A = Positive(0.05, 5.0, unit="nats/token")
ALPHA = Positive(0.1, 1.5)
B = Positive(10.0, 5e3, unit="1/learning rate", zero=True)
_C = Positive(0.05, 20.0)
_BETA = Positive(0.1, 2.0)
_GAMMA = Positive(0.1, 1.2, zero=True)
_RATE = Positive(1.0, 1e3, unit="1/learning rate")
_LUO = "Luo et al. 2025, arXiv:2503.12811"
LEAST = 1e-12  # rate, or sum of rates, below which a line takes the place of a power whose value or slope is infinite at 0


def along(one: Callable[..., Any], eta: Any, t: Any, *others: Any) -> Any:
    """`one(eta (T,), t (M,) whole numbers, *others)` for every run; t with one axis less than eta is one step a run."""
    eta, t = jnp.asarray(eta), jnp.asarray(t)
    t = jnp.clip(t, 0, eta.shape[-1] - 1).astype(jnp.int32)
    single = t.ndim < eta.ndim
    signature = f"(s),(m){',()' * len(others)}->(m)"
    out = jnp.vectorize(one, signature=signature)(eta, t[..., None] if single else t, *others)
    return out[..., 0] if single else out


def without_changes(S: Any, L0: Any, A: Any, alpha: Any) -> Any:
    """Loss from the sum of the rates alone."""
    return L0 + A * power_from_zero(S, -alpha, LEAST)


def _decremented(G: Callable[[Any, Any], Any], eta: Any, t: Any, W: Any, L0: Any, A: Any, alpha: Any, B: Any, steps: bool = False) -> Any:
    """L0 + A S^-alpha - B sum over changes of G(eta_k, S_k(t)); with `steps`, of G(eta_k, t - k + 1)."""

    def one(eta: Any, t: Any, W: Any) -> Any:
        S = jnp.cumsum(eta)
        clock = jnp.arange(1, len(eta) + 1, dtype=eta.dtype) if steps else S
        drop = change_sum(lambda rate, before, now: G(rate, now - before), eta, clock, t, W)
        return without_changes(S[t], L0, A, alpha) - B * drop

    return along(one, eta, t, W)


def _saturation(C: Any, beta: Any, x: Any) -> Any:
    """1 - (1 + C x)^-beta."""
    return -jnp.expm1(-beta * jnp.log1p(C * x))


@law(
    reference=f"{_LUO}, eq. 4",
    linear=("L0", "A", "B"),
    **INPUTS,
    L0=ranges.E,
    A=A,
    alpha=ALPHA,
    B=B,
    C=_C,
    beta=_BETA,
    gamma=_GAMMA,
    published="loss_curves.toml",
)
@jax.jit
def multi_power(eta, t, W, *, L0, A, alpha, B, C, beta, gamma):
    r"""Loss at every step of any schedule: each fall of the rate lowers the loss further, by a power law of the learning that follows.

        L(t) = L0 + A S(t)^-alpha - B sum_{k=W+1..t} (eta_{k-1} - eta_k) G(eta_k^-gamma S_k(t)),    G(x) = 1 - (1 + C x)^-beta

    Symbols: S(t), S_k(t) sums of the rates from step 0 and from step k to t; B in 1/(learning rate): B eta_peak nats is the most that
    a decay to zero can gain; C, beta how soon it is gained; gamma how much sooner (in sum) at small rates.

    Note: there are two conventions. In the repository's fits the rise of the warm-up counts as changes of the rate (W = 0); in the paper
    it does not (W = warm-up steps). L0 absorbs the difference of about B eta_peak, 0.11 to 0.16 nats: never use constants of one with
    the other. A rate of exactly 0 has G = 1 as soon as anything is learned after it.

    How to fit it: `sj.fit(None, curves, recipe="luo2025")`, with the warm-up as it was, to predict longer runs. From the paper's three
    curves of up to 24,000 steps the optimum of the Huber sum predicts the six others with a mean R^2 of 0.9977 (25M) and 0.9971 (100M),
    the recipe, which stops early, with 0.9990 and 0.9984. Most of the difference is a cosine of 72,000 steps, whose end the optimum puts
    0.018 nats too low at 25M; WSD curves of 24,000 steps are nearer to the optimum. The optimum is also flat: C, beta and gamma differ
    much between fits that are equally good.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.multi_power
        >>> eta = sj.schedules.with_warmup(sj.schedules.cosine(21840, 3e-4, 3e-5), 2160)
        >>> law(eta, [12000, 23999], 0, **law.published["luo2025_25M"]).round(4)
        array([3.4158, 3.3152])
    """

    def G(rate, gained):
        x = power(jnp.maximum(rate, LEAST), -gamma) * gained
        rest = power(1 + C * x, -beta) * jnp.minimum(rate / LEAST, 1.0)  # at small rates the chord from 0, where G is 1
        return jnp.where(rate < LEAST, jnp.where(gained > 0, 1 - rest, 0.0), _saturation(C, beta, x))

    return _decremented(G, eta, t, W, L0, A, alpha, B)


@law(reference=f"{_LUO}, table 3, OPL", linear=("L0", "A"), **INPUTS, L0=ranges.E, A=A, alpha=ALPHA)
@jax.jit
def multi_power_opl(eta, t, W, *, L0, A, alpha):
    r"""One power law: the loss from the sum of the learning rates alone, as if changes of the rate did nothing.

        L(t) = L0 + A S(t)^-alpha

    Symbols: as in `multi_power`; W is not used, and is an input so that one table serves all laws of loss curves.

    Example:
        >>> from scalejax import laws
        >>> laws.multi_power_opl([0.5, 0.25, 0.25], 2, 0, L0=2.0, A=1.0, alpha=0.5)
        3.0
    """
    return along(lambda eta, t, W: without_changes(jnp.cumsum(eta)[t], L0, A, alpha), eta, t, W)


@law(reference=f"{_LUO}, table 3, LLDL", linear=("L0", "A", "B"), **INPUTS, L0=ranges.E, A=A, alpha=ALPHA, B=_RATE)
@jax.jit
def multi_power_lldl(eta, t, W, *, L0, A, alpha, B):
    r"""Linear loss decrease: a fall of the rate lowers the loss at once and in proportion.

        L(t) = L0 + A S(t)^-alpha - B (eta_W - eta_t)        for t >= W

    Symbols: as in `multi_power`, with G = 1.

    Example:
        >>> from scalejax import laws
        >>> laws.multi_power_lldl([0.5, 0.25, 0.25], 2, 0, L0=2.0, A=1.0, alpha=0.5, B=2.0)
        2.5
    """

    def one(eta, t, W):
        first = eta[jnp.minimum(jnp.asarray(W).astype(jnp.int32), t)]
        return without_changes(jnp.cumsum(eta)[t], L0, A, alpha) - B * (first - eta[t])

    return along(one, eta, t, W)


@law(reference=f"{_LUO}, table 3, No-gamma", linear=("L0", "A", "B"), **INPUTS, L0=ranges.E, A=A, alpha=ALPHA, B=B, C=_RATE, beta=_BETA)
@jax.jit
def multi_power_no_gamma(eta, t, W, *, L0, A, alpha, B, C, beta):
    r"""The multi-power law in which the gain of a fall does not depend on the rate it falls to.

        L(t) = L0 + A S(t)^-alpha - B sum_{k=W+1..t} (eta_{k-1} - eta_k) [1 - (1 + C S_k(t))^-beta]

    Symbols: as in `multi_power`, with gamma = 0; C in 1/(learning rate).

    Example:
        >>> from scalejax import laws
        >>> round(laws.multi_power_no_gamma([0.5, 0.25, 0.25], 2, 0, L0=2.0, A=1.0, alpha=0.5, B=2.0, C=4.0, beta=1.0), 4)
        2.6667
    """
    return _decremented(lambda rate, gained: _saturation(C, beta, gained), eta, t, W, L0, A, alpha, B)


@law(
    reference=f"{_LUO}, table 3, SPL",
    linear=("L0", "A", "B"),
    **INPUTS,
    L0=ranges.E,
    A=A,
    alpha=ALPHA,
    B=B,
    C=Positive(1e-4, 1.0, unit="1/steps"),
    beta=_BETA,
)
@jax.jit
def multi_power_spl(eta, t, W, *, L0, A, alpha, B, C, beta):
    r"""Step power law: the gain of a fall grows with the steps since then, whatever their rates.

        L(t) = L0 + A S(t)^-alpha - B sum_{k=W+1..t} (eta_{k-1} - eta_k) [1 - (1 + C (t - k + 1))^-beta]

    Symbols: as in `multi_power`; C in 1/steps.

    Example:
        >>> from scalejax import laws
        >>> round(laws.multi_power_spl([0.5, 0.25, 0.25], 2, 0, L0=2.0, A=1.0, alpha=0.5, B=2.0, C=1.0, beta=1.0), 4)
        2.6667
    """
    return _decremented(lambda rate, gained: _saturation(C, beta, gained), eta, t, W, L0, A, alpha, B, steps=True)


@law(reference=f"{_LUO}, table 3, MEL", linear=("L0", "A", "B"), **INPUTS, L0=ranges.E, A=A, alpha=ALPHA, B=B, C=_RATE)
@jax.jit
def multi_power_mel(eta, t, W, *, L0, A, alpha, B, C):
    r"""Multi-exponential law: the gain of a fall saturates exponentially in the learning that follows.

        L(t) = L0 + A S(t)^-alpha - B sum_{k=W+1..t} (eta_{k-1} - eta_k) [1 - exp(-C S_k(t))]

    Symbols: as in `multi_power`; C in 1/(learning rate).

    Example:
        >>> from scalejax import laws
        >>> round(laws.multi_power_mel([0.5, 0.25, 0.25], 2, 0, L0=2.0, A=1.0, alpha=0.5, B=2.0, C=4.0), 4)
        2.5677
    """
    return _decremented(lambda rate, gained: -jnp.expm1(-C * gained), eta, t, W, L0, A, alpha, B)


@law(
    reference=f"{_LUO}, table 3, MTL",
    linear=("L0", "A", "B"),
    **INPUTS,
    L0=ranges.E,
    A=A,
    alpha=ALPHA,
    B=B,
    lam=Interval(0.9, 0.99999),
)
@jax.jit
def multi_power_mtl(eta, t, W, *, L0, A, alpha, B, lam):
    r"""Momentum law with a memory to be fitted: the gain of a fall saturates exponentially in the steps that follow.

        L(t) = L0 + A S(t)^-alpha - B sum_{k=W+1..t} (eta_{k-1} - eta_k) [1 - lam^(t - k + 1)]

    Symbols: as in `multi_power`; lam the memory of one step, 1 / (1 - lam) steps long. It is `lr_annealing` with C = (1 - lam) B; hold
    the memory with `multi_power_mtl.bind(lam=0.9995)`, or fit it.

    Example:
        >>> from scalejax import laws
        >>> round(laws.multi_power_mtl([0.5, 0.25, 0.25], 2, 0, L0=2.0, A=1.0, alpha=0.5, B=2.0, lam=0.95), 5)
        2.95125
    """
    return along(lambda eta, t, W: momentum(eta, t, W, L0, A, alpha, (1 - lam) * B, lam), eta, t, W)


def annealing(eta: Any, t: Any, W: Any, lam: Any) -> tuple[Any, Any]:
    """S1 and S2 of one run at its observed steps."""
    falls = jnp.where(jnp.arange(1, len(eta)) > W, -jnp.diff(eta), 0.0)
    S2 = jnp.cumsum(linear_recurrence(lam, jnp.concatenate([jnp.zeros_like(eta[:1]), falls])))
    return jnp.cumsum(eta)[t], S2[t]


def momentum(eta: Any, t: Any, W: Any, L0: Any, A: Any, alpha: Any, C: Any, lam: Any) -> Any:
    """L0 + A S1^-alpha - C S2 of one run."""
    S1, S2 = annealing(eta, t, W, lam)
    return without_changes(S1, L0, A, alpha) - C * S2


@law(
    reference="Li et al. 2025, arXiv:2509.19189",
    linear=("L0", "c1", "c2"),
    **INPUTS,
    L0=ranges.E,
    c1=A,
    s=ALPHA,
    c2=B,
    c3=Positive(1e-2, 10.0, zero=True),
    c4=Positive(1.0, 1e4, unit="1/learning rate"),
    gamma=_BETA,
)
@jax.jit
def functional_scaling(eta, t, W, *, L0, c1, s, c2, c3, c4, gamma):
    r"""Functional scaling law in its practical form: a fall of the rate gains more, the larger the loss still is at that time.

        L(t) = L0 + c1 S(t)^-s - c2 sum_{k=W+1..t} (eta_{k-1} - eta_k) (c3 + S(k)^-s) [1 - (1 + c4 (S(t) - S(k)))^-gamma]

    Symbols: S(t) sum of the rates up to step t, the intrinsic time of the theory; c1 and c3 in nats/token times S^s; c2, c4 in
    1/(learning rate); s exponent of the signal, gamma of forgetting the noise. `functional_scaling_theory` is what it approximates.

    Note: the sum excludes step k itself, unlike `multi_power`. At a warm-up from 0 the term S(k)^-s is singular: leave it out (W).

    Example:
        >>> from scalejax import laws
        >>> values = dict(L0=2.0, c1=1.0, s=0.5, c2=1.0, c3=1.0, c4=4.0, gamma=1.0)
        >>> round(laws.functional_scaling([0.5, 0.25, 0.25], 2, 0, **values), 4)
        2.7307
    """

    def one(eta, t, W):
        S = jnp.cumsum(eta)

        def gain(rate, before, now):
            then = jnp.minimum(before + rate, now)
            return (c3 + power_from_zero(then, -s, LEAST)) * _saturation(c4, gamma, now - then)

        return without_changes(S[t], L0, c1, s) - c2 * change_sum(gain, eta, S, t, W)

    return along(one, eta, t, W)
