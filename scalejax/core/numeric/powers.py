"""Small numerical pieces that laws share."""

from __future__ import annotations

import jax.numpy as jnp

LEAST = 1e-9  # a share below which a power whose value or slope is infinite at 0 is replaced by a straight line


def power(x, p):
    """`x**p` for positive x as exp(p log x): the same digits at half the cost, since log x does not depend on the parameters."""
    return jnp.exp(p * jnp.log(x))


def power_from_zero(x, p, least=LEAST):
    """`x**p` for x >= 0 with finite values and slopes at 0: a straight line below `least`.

    For p > 0 the line is the chord from 0, so that nothing is worth nothing; for p < 0, where the power is infinite at 0, it is the
    tangent at `least`. The slope at 0 is therefore steep and has the right sign, which optimisers and their certificates rely on.

    >>> [round(float(power_from_zero(jnp.asarray(x), 0.5)), 6) for x in (0.0, 0.25)]
    [0.0, 0.5]
    >>> round(float(power_from_zero(jnp.asarray(0.0), -0.5) / LEAST**-0.5), 3)
    1.5
    """
    small = x < least
    y = power(jnp.where(small, least, x), p)
    line = jnp.where(p > 0, x / least, 1 + p * (x / least - 1))
    return jnp.where(small, line * y, y)


def softplus(z):
    """log(1 + e^z), at half the cost of JAX's, whose derivatives take two more exponentials.

    >>> [round(float(softplus(jnp.asarray(z))), 6) for z in (-1e3, 0.0, 1e3)]
    [0.0, 0.693147, 1000.0]
    """
    return jnp.maximum(z, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(z)))


def power_sum(E, *terms):
    """E + sum_j A_j x_j^-alpha_j for terms (A_j, x_j, alpha_j), in logs: degenerate fits have A_j as large as x_j^-alpha_j is small."""
    return E + sum(jnp.exp(jnp.log(A) - alpha * jnp.log(x)) for A, x, alpha in terms)


def product(c, *terms):
    """c prod_i x_i^p_i for terms (x_i, p_i), the powers summed in logarithms."""
    return c * jnp.exp(sum(p * jnp.log(x) for x, p in terms))


def rising_factor(gamma, x, kappa):
    """1 + gamma x^kappa, which makes a loss worse by a share that grows with x."""
    return 1.0 + gamma * power(x, kappa)
