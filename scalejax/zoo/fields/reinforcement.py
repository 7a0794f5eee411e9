"""Value-based reinforcement learning: data and compute until a level of performance, from updates per environment step."""

from __future__ import annotations

from ...core.laws.domains import Interval, Positive
from ...core.laws.law import Published, law
from ...core.numeric.powers import power
from ..scale.power import henighan

_PAPER = "Rybkin et al. 2025, arXiv:2502.04327"
_SIGMA = Positive(0.1, 64.0, unit="updates per environment step")
_D_MIN = Positive(0.05, 5.0, zero=True, unit="environment steps over their median")
_BETA_J = Positive(0.01, 10.0, unit="updates per environment step")
_ALPHA_J = Positive(0.1, 3.0)
_A_B = Positive(16.0, 4096.0, unit="transitions")
_ALPHA_B = Interval(0.0, 1.0)
_GYM = "gym, Ant-v4; the slope is shared by four environments"
_TABLE = "authors' table of proposed settings: the slopes and levels that reproduce its digits"


@law(output="data", reference=_PAPER, linear=("D_min",), sigma=_SIGMA, D_min=_D_MIN, beta_J=_BETA_J, alpha_J=_ALPHA_J)
def value_based_rl(sigma, *, D_min, beta_J, alpha_J):
    r"""Data that value-based reinforcement learning needs to reach a return J, from the updates-to-data ratio.

        D_J(sigma) = D_min + (beta_J / sigma)^alpha_J

    Symbols: sigma gradient updates per environment step; D_J environment steps until the return J is reached, divided by their median as in
    `papers.normalised_data`; D_min what endless updates need. Each J has parameters of its own. Batch size and learning rate follow
    sigma as in `rl_batch_size` and `rl_learning_rate`.

    Note: in raw steps beta_J is huge, for (beta_J / sigma)^alpha_J is counted in steps.

    Example:
        >>> from scalejax import laws
        >>> round(laws.value_based_rl(2.0, D_min=0.5, beta_J=0.5, alpha_J=0.5), 6)
        1.0
    """
    return henighan(sigma, L_inf=D_min, x_0=beta_J, alpha_x=alpha_J)


@law(
    output="compute",
    reference=_PAPER,
    sigma=_SIGMA,
    N=Positive(1e4, 1e9, unit="parameters"),
    D_min=_D_MIN,
    beta_J=_BETA_J,
    alpha_J=_ALPHA_J,
    a_B=_A_B,
    alpha_B=_ALPHA_B,
)
def rl_compute(sigma, N, *, D_min, beta_J, alpha_J, a_B, alpha_B):
    r"""Compute that value-based reinforcement learning needs to reach a return J, from the updates-to-data ratio.

        C_J(sigma) = 10 N B*(sigma) sigma D_J(sigma),    B*(sigma) = a_B sigma^-alpha_B

    Symbols: as `value_based_rl` and `rl_batch_size`; N parameters of the critic; C_J FLOPs, over the median of the environment steps if D_J
    is. An update of the critic costs 10 N FLOPs a transition: 6 N, and 4 N for the target network and the policy.

    Example:
        >>> from scalejax import laws
        >>> round(laws.rl_compute(2.0, 1e6, D_min=0.5, beta_J=0.5, alpha_J=0.5, a_B=256.0, alpha_B=0.0) / 1e9, 6)
        5.12
    """
    return (
        10 * N * rl_batch_size(sigma, a_B=a_B, alpha_B=alpha_B) * sigma * value_based_rl(sigma, D_min=D_min, beta_J=beta_J, alpha_J=alpha_J)
    )


@law(
    output="batch",
    reference=_PAPER,
    linear=("a_B",),
    sigma=_SIGMA,
    a_B=_A_B,
    alpha_B=_ALPHA_B,
    published={"gym_ant": Published({"a_B": 415.545, "alpha_B": 0.3096}, f"{_GYM}; transitions", _TABLE, "verified")},
)
def rl_batch_size(sigma, *, a_B, alpha_B):
    r"""Best batch size of value-based reinforcement learning from the updates-to-data ratio.

        B*(sigma) = a_B sigma^-alpha_B

    Symbols: sigma gradient updates per environment step; B* transitions; a_B that at sigma = 1. Environments share the slope and have
    intercepts of their own: `fit(law, runs, by="environment", share="alpha_B")`.

    Example:
        >>> from scalejax import laws
        >>> round(laws.rl_batch_size(16.0, **laws.rl_batch_size.published["gym_ant"]))
        176
    """
    return a_B * power(sigma, -alpha_B)


@law(
    output="lr",
    reference=_PAPER,
    linear=("a_eta",),
    sigma=_SIGMA,
    a_eta=Positive(1e-6, 1e-1, unit="learning rate"),
    alpha_eta=_ALPHA_B,
    published={"gym_ant": Published({"a_eta": 1.5027e-4, "alpha_eta": 0.2849}, _GYM, _TABLE, "verified")},
)
def rl_learning_rate(sigma, *, a_eta, alpha_eta):
    r"""Best learning rate of value-based reinforcement learning from the updates-to-data ratio.

        eta*(sigma) = a_eta sigma^-alpha_eta

    Symbols: sigma gradient updates per environment step; eta* learning rate (of Adam); a_eta that at sigma = 1. As for `rl_batch_size`,
    environments share the slope.

    Example:
        >>> from scalejax import laws
        >>> round(laws.rl_learning_rate(16.0, **laws.rl_learning_rate.published["gym_ant"]), 7)
        6.82e-05
    """
    return a_eta * power(sigma, -alpha_eta)
