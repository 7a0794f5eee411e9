"""A law of one's own: size and data have one power in common."""

import scalejax as sj


@sj.law(E=sj.Positive(0.5, 3), A=sj.Positive(1, 1e5), a=sj.Positive(0.1, 1), B=sj.Positive(1, 1e5))
def one_power(N, D, *, E, A, a, B):
    """Chinchilla's loss with one exponent for size and data."""
    return E + A * N**-a + B * D**-a
