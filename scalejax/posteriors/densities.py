"""The normalised Huber density, which NumPyro lacks."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp


def huber_density(loc: Any, scale: Any, delta: float) -> Any:
    """Distribution with density exp(-rho_delta(x - loc) / scale^2) / Z, see `likelihoods.huber`."""
    return _class()(loc, scale, delta)


@cache
def _class() -> type:
    # NumPyro is imported only when a posterior is asked for, so its subclass is made here.
    import numpyro.distributions as dist
    from numpyro.distributions import constraints

    class HuberDensity(dist.Distribution):
        arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012 - as NumPyro has it
        support = constraints.real
        pytree_data_fields = ("loc", "scale")
        pytree_aux_fields = ("delta",)

        def __init__(self, loc: Any, scale: Any, delta: float) -> None:
            self.loc, self.scale, self.delta = loc, scale, delta
            super().__init__(jnp.broadcast_shapes(jnp.shape(loc), jnp.shape(scale)), (), validate_args=False)

        def _masses(self) -> tuple[Any, Any]:
            """Unnormalised mass of the middle and of both tails."""
            edge = self.delta / self.scale
            middle = self.scale * jnp.sqrt(2 * jnp.pi) * jax.scipy.special.erf(edge / jnp.sqrt(2.0))
            return middle, 2 * self.scale**2 / self.delta * jnp.exp(-0.5 * edge**2)

        def log_prob(self, value: Any) -> Any:
            a = jnp.abs(value - self.loc)
            rho = jnp.where(a <= self.delta, 0.5 * a * a, self.delta * (a - 0.5 * self.delta))
            middle, tails = self._masses()
            return -rho / self.scale**2 - jnp.log(middle + tails)

        def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
            shape = self.shape(sample_shape)
            which, inner, outer, sign = jax.random.split(key, 4)
            middle, tails = self._masses()
            edge = self.delta / self.scale
            near = self.scale * jax.random.truncated_normal(inner, -edge, edge, shape)
            far = self.delta + self.scale**2 / self.delta * jax.random.exponential(outer, shape)
            far = far * jax.random.rademacher(sign, shape)
            return self.loc + jnp.where(jax.random.uniform(which, shape) * (middle + tails) < middle, near, far)

    return HuberDensity
