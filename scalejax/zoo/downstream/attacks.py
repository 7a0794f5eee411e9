"""Attacks on activations: how much of a model's output they control."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive
from ...core.laws.formula import formula, require
from ...core.laws.law import law

_FORT = "Fort 2023, arXiv:2312.02780"


@law(
    output="t_max", reference=_FORT, linear=("kappa",), a=Positive(1.0, 1e3, unit="attacked tokens"),
    kappa=Positive(1.0, 1e3, unit="tokens/attacked token"),
)  # fmt: skip
def controlled_tokens(a, *, kappa):
    r"""Tokens of output that an attacker of some activations can dictate.

        t_max = kappa a

    Symbols: a tokens whose activations are attacked; t_max longest continuation that half of the attacks force on the model; kappa the
    multiplier of attacks. `formulas.attack_resistance` makes one number of it that is nearly the same for all models.

    Example:
        >>> from scalejax import laws
        >>> laws.controlled_tokens(4.0, kappa=100.0)
        400.0
    """
    return kappa * a


@formula
def attack_resistance(kappa, d, V, p=16.0):
    r"""Bits of input that an attacker must control for one bit of output.

        chi = a d p / (t_max log2 V) = d p / (kappa log2 V)

    Args:
        kappa: parameter of `laws.controlled_tokens`.
        d: width of the attacked activations, a number or an array.
        V: words of the vocabulary.
        p: bits of an activation.

    Returns:
        "value", chi: 16 to 25 in the paper. The kappa that a chi implies is d p / (chi log2 V).

    Example:
        >>> import scalejax as sj
        >>> sj.derive((sj.laws.controlled_tokens, {"kappa": 64.0}), sj.formulas.attack_resistance, d=1024, V=65536).value
        16.0

    References: Fort 2023, arXiv:2312.02780.
    """
    require((d > 0) & (V > 1) & (p > 0), "d and p must be positive, and V more than one word.")
    return {"value": d * p / (kappa * jnp.log2(V))}
