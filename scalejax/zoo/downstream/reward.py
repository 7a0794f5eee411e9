"""Optimising against a reward model: the true reward rises, and falls again, with the distance from the policy that one starts from."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.formula import formula, require
from ...core.laws.law import law
from ...core.numeric.powers import LEAST
from ...core.numeric.roots import root

_GAO = "Gao, Schulman and Hilton 2022, arXiv:2210.10760"
_D = Positive(1.0, 10.0, zero=True, unit="sqrt(nats)")
_N = Positive(1e6, 1e10, unit="parameters of the reward model")
_P, _Q = Real(-3.0, 3.0), Real(-0.3, 0.3)


@law(output="reward", reference=_GAO, linear=("alpha", "beta"), d=_D, alpha=Positive(0.05, 5.0), beta=Positive(5e-3, 2.0))
def reward_bon(d, *, alpha, beta):
    r"""True reward of the best of n samples by a reward model, at a distance d from the policy that makes them.

        R(d) = d (alpha - beta d),    d = sqrt( KL(pi || pi_init) )

    Symbols: d root of the Kullback-Leibler divergence in nats, `papers.best_of_n_kl` of n samples; R true reward less that of the first
    policy, where d = 0; alpha what a step gains at first; beta by how much the reward model misleads. `formulas.bon_peak` has the n at
    which to stop. The paper prints its coefficients in figures alone: about straight lines in log N, as `reward_bon_size` has them.

    Example:
        >>> from scalejax import laws
        >>> round(laws.reward_bon(2.0, alpha=1.0, beta=0.2), 6)
        1.2
    """
    return d * (alpha - beta * d)


@law(output="reward", reference=_GAO, linear=("alpha", "beta"), d=_D, alpha=Positive(0.05, 5.0), beta=Positive(5e-3, 2.0))
def reward_rl(d, *, alpha, beta):
    r"""True reward of a policy trained by reinforcement learning against a reward model.

        R(d) = d (alpha - beta ln d),    d = sqrt( KL(pi || pi_init) )

    Symbols: as in `reward_bon`; here the slope at d = 0 has no limit, so that the form says nothing of the first steps. Reward models of
    all sizes share alpha: `fit(law, runs, by="N", share="alpha")`. k rounds with a new reward model each have alpha + beta ln k for alpha.
    Direct alignment (Rafailov et al. 2024, arXiv:2406.02900) has the same form for the win rate less that of the start.

    Note: secondary sources print the form with KL in place of one of the roots, which is wrong.

    Example:
        >>> import math
        >>> from scalejax import laws
        >>> round(laws.reward_rl(math.e, alpha=1.0, beta=0.2), 6)
        2.174625
    """
    return d * (alpha - beta * jnp.log(jnp.maximum(d, LEAST)))


@law(
    output="reward", reference=_GAO, linear=("p_alpha", "q_alpha", "p_beta", "q_beta"), d=_D, N=_N,
    p_alpha=_P, q_alpha=_Q, p_beta=_P, q_beta=_Q,
)  # fmt: skip
def reward_bon_size(d, N, *, p_alpha, q_alpha, p_beta, q_beta):
    r"""`reward_bon` for reward models of many sizes, whose coefficients are straight lines in log N.

        R(d, N) = d ( p_alpha + q_alpha ln N - (p_beta + q_beta ln N) d )

    Symbols: as in `reward_bon`; N parameters of the reward model.

    Example:
        >>> from scalejax import laws
        >>> round(laws.reward_bon_size(2.0, 1.0, p_alpha=1.0, q_alpha=0.1, p_beta=0.2, q_beta=-0.01), 6)
        1.2
    """
    return reward_bon(d, alpha=p_alpha + q_alpha * jnp.log(N), beta=p_beta + q_beta * jnp.log(N))


@law(output="reward", reference=_GAO, linear=("alpha", "p_beta", "q_beta"), d=_D, N=_N, alpha=Positive(0.05, 5.0), p_beta=_P, q_beta=_Q)
def reward_rl_size(d, N, *, alpha, p_beta, q_beta):
    r"""`reward_rl` for reward models of many sizes: alpha is the same, beta a straight line in log N.

        R(d, N) = d ( alpha - (p_beta + q_beta ln N) ln d )

    Symbols: as in `reward_rl`; N parameters of the reward model.

    Example:
        >>> import math
        >>> from scalejax import laws
        >>> round(laws.reward_rl_size(math.e, 1.0, alpha=1.0, p_beta=0.2, q_beta=-0.01), 6)
        2.174625
    """
    return reward_rl(d, alpha=alpha, beta=p_beta + q_beta * jnp.log(N))


@formula
def bon_peak(alpha, beta):
    r"""How many samples to take the best of: beyond, the true reward falls.

        d* = alpha / (2 beta),    R* = alpha^2 / (4 beta),    ln n* - (n* - 1) / n* = d*^2

    Args:
        alpha, beta: parameters of `laws.reward_bon`.

    Returns:
        "value", the distance d*; "kl", its square in nats; "n", samples; "reward", R*.

    Example:
        >>> import scalejax as sj
        >>> found = sj.derive((sj.laws.reward_bon, {"alpha": 1.0, "beta": 0.2}), sj.formulas.bon_peak)
        >>> round(found.value, 6), round(found.reward, 6), round(found.n)
        (2.5, 1.25, 1407)

    References: Gao, Schulman and Hilton 2022, arXiv:2210.10760, section 3.
    """
    d = alpha / (2.0 * beta)
    log_n = root(lambda u, kl: u - 1.0 + jnp.exp(-u) - kl, 0.0, d**2 + 1.0, d**2)
    return {"value": d, "kl": d**2, "n": jnp.exp(log_n), "reward": alpha * d / 2.0}


@formula
def rl_peak(alpha, beta, k=1.0):
    r"""The distance at which to stop reinforcement learning against a reward model, or k rounds with new ones.

        d* = k exp(alpha / beta - 1),    R* = beta d*

    Args:
        alpha, beta: parameters of `laws.reward_rl`.
        k: rounds of equal length, each with a reward model trained anew; a number or an array.

    Returns:
        "value", the distance d*; "kl", its square in nats; "reward", R*.

    Example:
        >>> import scalejax as sj
        >>> found = sj.derive((sj.laws.reward_rl, {"alpha": 1.0, "beta": 0.5}), sj.formulas.rl_peak)
        >>> round(found.value, 4), round(found.reward, 4)
        (2.7183, 1.3591)

    References: Gao, Schulman and Hilton 2022, arXiv:2210.10760, sections 3 and 4.
    """
    require(k >= 1, "k must be a number of rounds, at least 1.")
    d = k * jnp.exp(alpha / beta - 1.0)
    return {"value": d, "kl": d**2, "reward": beta * d}
