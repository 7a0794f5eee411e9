"""Loss curves from the area under the learning rate and the momentum of its falls; inputs as in `loss_curves`."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.laws.domains import Fixed, Positive
from ...core.laws.law import Published, law
from ...core.numeric.powers import power, power_from_zero
from .. import ranges
from .loss_curves import ALPHA, ETA, INPUTS, LEAST, STEPS, A, along, annealing, momentum, without_changes
from .recurrences import linear_recurrence

_TISSUE = "Tissue et al. 2024, arXiv:2408.11029"
_LAM = Fixed(value=0.999)
_C = Positive(0.02, 5.0, unit="nats/token per learning rate", zero=True)
_MILLIONS = Positive(10.0, 1e5, unit="million parameters")
_AT_PEAK = "warm-up at the peak rate (read_curves(convention='at_peak')), lam 0.999"


def _set(values: tuple[float, ...], context: str, source: str, status: str) -> Published:
    return Published(dict(zip(("L0", "A", "alpha", "C"), values, strict=True)), f"{context}; {_AT_PEAK}", source, status)


@law(
    reference=_TISSUE,
    linear=("L0", "A", "C"),
    **INPUTS,
    L0=ranges.E,
    A=A,
    alpha=ALPHA,
    C=_C,
    lam=_LAM,
    published={
        "tissue2024": _set(
            (2.628, 0.429, 0.550, 0.411), "cosine and constant, 20,000 steps, peak 2e-4, warm-up 500", "figure 2", "printed"
        ),
        "tissue2024_B": _set((2.761, 0.517, 0.491, 0.458), "293M parameters, batches of 2M tokens, peak 2e-4", "figure 21", "printed"),
        "tissue2024_moe": _set((2.801, 0.424, 0.619, 0.347), "mixture of experts, 8 x 106M, two of them active", "appendix", "printed"),
        "tissue2024_E": _set((2.788, 0.906, 0.416, 0.254), "1.7B parameters, 30,000 steps, peak 6e-4", "figure 25", "printed"),
        "olmo_1b": _set((2.152, 1.067, 0.556, 0.205), "OLMo-1B, 2T tokens", "figure 27", "printed"),
        "bloom_176b": _set((1.918, 0.688, 0.523, 1.832), "BLOOM-176B", "figure 27", "printed"),
    },
)
@jax.jit
def lr_annealing(eta, t, W, *, L0, A, alpha, C, lam):
    r"""Loss at every step of any schedule from the area under the learning rate and the annealing area.

        L(t) = L0 + A S1(t)^-alpha - C S2(t)
        S1(t) = sum_{i=0..t} eta_i,   S2(t) = sum_{i=1..t} m_i,   m_i = lam m_{i-1} + eta_{i-1} - eta_i   (i > W; 0 before)

    Symbols: S1, S2 learning rate times steps; lam = 0.999 the memory, a constant of the law (`multi_power_mtl` fits it); L0, A nats/token,
    C nats/token per unit of S2.

    Note: the authors give every warm-up step the peak rate, so that the warm-up is no negative annealing; `read_curves` does that with
    convention="at_peak". With the rates as they were the law fits as well, with other constants. Over all rates from 0 to a peak the law's
    best schedule is the peak and then 0 (`studies.annealing_switch`): trust it for shapes like those it was fitted to.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.lr_annealing
        >>> eta = sj.schedules.join(np.full(501, 2e-4), sj.schedules.cosine(19500, 2e-4))
        >>> round(law(eta, 20000, 0, **law.published["tissue2024"]), 4)
        2.8359
    """
    return along(lambda eta, t, W: momentum(eta, t, W, L0, A, alpha, C, lam), eta, t, W)


@law(
    reference=f"{_TISSUE}, eq. 7",
    linear=("L0", "A", "B", "C"),
    **INPUTS,
    N=_MILLIONS,
    L0=ranges.E,
    A=A,
    alpha=ALPHA,
    B=Positive(0.1, 20.0),
    beta=Positive(0.05, 0.6),
    C=_C,
    gamma=Positive(0.01, 0.5, zero=True),
    lam=_LAM,
    published="annealing.toml",
)
@jax.jit
def lr_annealing_size(eta, t, W, N, *, L0, A, alpha, B, beta, C, gamma, lam):
    r"""The annealing law across model sizes: larger models gain more from annealing.

        L(t, N) = L0 + A S1(t)^-alpha + B N^-beta - C N^gamma S2(t)

    Symbols: as in `lr_annealing`; N millions of parameters.

    Note: that N is in millions is not said in the paper; only so do its constants give the losses of its other figures.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.lr_annealing_size
        >>> eta = sj.schedules.cosine(60000, 2e-4)
        >>> round(law(eta, 59999, 0, 594.6, **law.published["tissue2024"]), 3)
        2.711
    """

    def one(eta, t, W, N):
        return momentum(eta, t, W, L0 + B * power(N, -beta), A, alpha, C * power(N, gamma), lam)

    return along(one, eta, t, W, N)


@law(
    reference=_TISSUE,
    linear=("L0", "A", "C"),
    **INPUTS,
    L0=ranges.E,
    A=A,
    alpha=ALPHA,
    C=_C,
    zeta=Positive(0.5, 2.0),
    lam=_LAM,
)
@jax.jit
def lr_annealing_power(eta, t, W, *, L0, A, alpha, C, zeta, lam):
    r"""The annealing law with a power of the annealing area, which its authors tried and found not worth a parameter.

        L(t) = L0 + A S1(t)^-alpha - C S2(t)^zeta

    Symbols: as in `lr_annealing`; zeta exponent, 1.125 where it was fitted.

    Note: a negative S2 (after a rise of the rate) has no power and counts as 0: do not use it with warm restarts. For zeta < 1 the slope at
    S2 = 0 is infinite: below 1e-12 the chord from 0 takes the place of the power.

    Example:
        >>> from scalejax import laws
        >>> round(laws.lr_annealing_power([0.5, 0.25, 0.25], 2, 0, L0=2.0, A=1.0, alpha=0.5, C=1.0, zeta=2.0), 4)
        2.7502
    """

    def one(eta, t, W):
        S1, S2 = annealing(eta, t, W, lam)
        return without_changes(S1, L0, A, alpha) - C * jnp.where(S2 >= 0, power_from_zero(S2, zeta, LEAST), 0.0)

    return along(one, eta, t, W)


@law(
    reference="Wang et al. 2025, arXiv:2512.13705",
    linear=("L0", "lam_S", "lam_M"),
    eta=ETA,
    step=STEPS,
    N=ranges.N,
    L0=ranges.E,
    lam_S=Positive(1e-2, 10.0),
    alpha_S=ALPHA,
    lam_N=Positive(1e-2, 1e3, zero=True),
    alpha_N=ranges.EXPONENT,
    lam_M=Positive(1e-5, 1e-1, zero=True),
)
@jax.jit
def forward_momentum(eta, step, N, *, L0, lam_S, alpha_S, lam_N, alpha_N, lam_M):
    r"""Loss at logged steps from the area under the rate and a momentum of its falls that is normalised as Adam's.

        L_i = L0 + lam_S S_i^-alpha_S + lam_N N^-alpha_N - lam_M M_i
        S_i = S_{i-1} + eta_i (s_i - s_{i-1}),   S_0 = eta_0 s_0,   d_i = (eta_{i-1} - eta_i) (s_i - s_{i-1}),   d_0 = 0
        m_i = 0.9 m_{i-1} + 0.1 d_i,   v_i = 0.999 v_{i-1} + 0.001 d_i^2
        M_i = sum_{j<=i} m_j / (1 - 0.9^(j+1)) / [sqrt(1e5 v_j / (1 - 0.999^(j+1)) + 1e-8) + 1e-8]

    Symbols: eta_i rate at the logged step s_i (arrays of shape (T,) or (n, T); steps rise); N parameters; L_i nats/token at every logged
    step; M a pure number, in which the size of a fall matters less than that the rate falls.

    Note: S and M depend on how often was logged; keep the spacing of the fitted runs. From `read_curves`, take every so many-th rate.

    Example:
        >>> from scalejax import laws
        >>> values = dict(L0=2.0, lam_S=1.0, alpha_S=0.5, lam_N=10.0, alpha_N=0.2, lam_M=0.001)
        >>> laws.forward_momentum([0.02, 0.02, 0.01], [100, 200, 300], 1e8, **values).round(4)
        array([2.9583, 2.7512, 2.6984])
    """
    size = lam_N * power(N, -alpha_N)

    def one(eta, step, size):
        before = jnp.concatenate([jnp.zeros_like(step[:1]), step[:-1]])
        S = jnp.cumsum(eta * jnp.maximum(step - before, 0.0))
        falls = jnp.concatenate([jnp.zeros_like(eta[:1]), -jnp.diff(eta) * jnp.maximum(jnp.diff(step), 0.0)])
        counted = jnp.arange(1, len(eta) + 1, dtype=eta.dtype)
        m = linear_recurrence(0.9, 0.1 * falls) / (1 - 0.9**counted)
        v = 1e5 * linear_recurrence(0.999, 0.001 * falls**2) / (1 - 0.999**counted)
        return without_changes(S, L0 + size, lam_S, alpha_S) - lam_M * jnp.cumsum(m / (jnp.sqrt(v + 1e-8) + 1e-8))

    eta = jnp.asarray(eta)
    return jnp.vectorize(one, signature="(s),(s),()->(s)")(eta, jnp.asarray(step, eta.dtype), size)
