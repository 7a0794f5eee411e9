"""Broken power laws: curves that are straight in logs but for some smooth breaks."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from ...core.laws.domains import Ordered, Positive, Real
from ...core.laws.law import law
from ...core.numeric.powers import softplus
from ...core.numeric.precision import namespace

_APART = 1e-3  # least distance of starts, in logarithms


@dataclass(frozen=True)
class OrderedPositive(Ordered):
    """Positive numbers that rise along `axis`; the first one's logarithm and the logarithms of log-ratios are unconstrained."""

    low: float = 1.0
    high: float = 1e3

    support = "rising positive numbers"

    def forward(self, u):
        xp = namespace(u)
        with np.errstate(over="ignore"):
            return xp.exp(xp.cumsum(xp.concatenate([u[:1], xp.exp(u[1:])]), axis=0))

    def inverse(self, x):
        xp = namespace(x)
        with np.errstate(all="ignore"):  # of numbers that do not rise
            logs = xp.log(xp.asarray(x))
            return xp.concatenate([logs[:1], xp.log(xp.diff(logs, axis=0))])

    def slopes(self, u: np.ndarray) -> np.ndarray:
        values = np.moveaxis(self.forward(np.moveaxis(u, -1, 0)), 0, -1)
        with np.errstate(over="ignore"):
            steps = np.concatenate([np.ones_like(u[..., :1]), np.exp(u[..., 1:])], axis=-1)
        return np.tril(values[..., :, None] * steps[..., None, :])

    def contains(self, x) -> np.ndarray:
        return super().contains(x) & (np.asarray(x, dtype=float) > 0).all(-1)

    def sample(self, uniform: np.ndarray) -> np.ndarray:
        logs = np.sort(np.log(self.low) + np.log(self.high / self.low) * uniform, axis=0)
        return np.concatenate([logs[:1], np.log(np.maximum(np.diff(logs, axis=0), _APART))])


@law(
    reference="Caballero et al. 2022, arXiv:2210.14891",
    linear=("a", "b"),
    x=Positive(1.0, 1e12),
    a=Positive(1e-3, 3.0, zero=True),
    b=Positive(1e-2, 1e6),
    c0=Real(-0.5, 1.0),
    c=Real(-2.0, 6.0, axis="break"),
    d=OrderedPositive(1.0, 1e12),
    f=Positive(0.02, 2.0, axis="break"),
    published="broken.toml",
)
def bnsl(x, *, a, b, c0, c, d, f):
    r"""Broken neural scaling law: a power law with a limit and any number of smooth breaks.

        y = a + b x^-c0 prod_i (1 + (x / d_i)^(1/f_i))^(-c_i f_i)

    Symbols: x any quantity that is scaled; y any metric; a its limit; c0 the first slope (of -log(y - a) in log x); d_i where break i lies,
    rising; c_i by how much the slope changes there; f_i how wide break i is in log x (smaller is sharper). c, d, f have one entry a break:
    pass `sizes={"break": n}` to `fit`. Without breaks it is `power_law`. The local slope is c0 + sum_i c_i / (1 + (d_i / x)^(1/f_i)).

    Note: a >= 0 and b > 0 here: curves that rise to a maximum have negative slopes before the break and none after.

    Example:
        >>> from scalejax import laws
        >>> round(laws.bnsl(928.0, **laws.bnsl.published["addition"]), 5)
        0.5626
    """
    log_x = jnp.log(x)[..., None]
    c, d, f = map(jnp.asarray, (c, d, f))
    bends = jnp.sum(c * f * softplus((log_x - jnp.log(d)) / f), axis=-1)
    return a + jnp.exp(jnp.log(b) - c0 * jnp.log(x) - bends)
