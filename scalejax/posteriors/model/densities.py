"""Densities that NumPyro lacks: Huber's, normalised, and normal runs that share the misfit of their configuration."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp


def huber_density(loc: Any, scale: Any, delta: float) -> Any:
    """Distribution with density exp(-rho_delta(x - loc) / scale^2) / Z, see `likelihoods.huber`."""
    return _huber()(loc, scale, delta)


def replicated_normal(loc: Any, scale: Any, tau: Any, configuration: Any, weight: Any = 1.0) -> Any:
    r"""Distribution of x_j = loc_j + b_i + e_j with b_i ~ Normal(0, tau^2) for every configuration i and e_j ~ Normal(0, scale_j^2).

    With r = x - loc, precisions p_j = weight_j / scale_j^2, P = sum p_j and m = sum p_j r_j / P over the runs of a configuration, the
    joint density with b integrated out and every run's e to the power of its weight is

        log p = sum_j weight_j log Normal(r_j; m, scale_j^2)  -  1/2 [ m^2 / (tau^2 + 1/P) + log(1 + tau^2 P) ]

    so that a run of weight 2 counts as two equal ones, and runs of weight 0 (as padding is) do not inform. Deviations from the mean keep
    their digits however small the scale is.

    Args:
        loc: (rows,) or (rows, T); every column then has b_i of its own.
        scale: shaped to broadcast with it. tau: a number.
        configuration: (rows,) whole numbers below rows.
        weight: shaped to broadcast with loc.

    Returns:
        NumPyro distribution: `log_prob` has a term a run, its part of the bracket included; times the weights they add up to the joint.
        `log_prob_left_out` is each run's log density given all others of its configuration, over its weight.
    """
    return _replicated()(loc, scale, tau, configuration, weight)


@cache
def _huber() -> type:
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


@cache
def _replicated() -> type:
    import numpyro.distributions as dist
    from numpyro.distributions import constraints

    class ReplicatedNormal(dist.Distribution):
        arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "tau": constraints.nonnegative}  # noqa: RUF012
        support = constraints.real
        pytree_data_fields = ("loc", "scale", "tau", "configuration", "weight")

        def __init__(self, loc: Any, scale: Any, tau: Any, configuration: Any, weight: Any) -> None:
            self.loc, self.scale, self.tau, self.configuration, self.weight = loc, scale, tau, configuration, weight
            super().__init__(jnp.broadcast_shapes(jnp.shape(loc), jnp.shape(scale)), (), validate_args=False)

        def _parts(self, value: Any) -> tuple[Any, Any, Any, Any]:
            """Residual, variance and weight of every run, and what sums values over the runs of its configuration."""
            weight = jnp.broadcast_to(self.weight, self.batch_shape)
            r = jnp.where(weight > 0, value - self.loc, 0.0)  # a run that does not count may have any value, but not spoil the sums

            def total(x: Any) -> Any:
                return jax.ops.segment_sum(x, self.configuration, len(self.configuration))[self.configuration]

            return r, jnp.broadcast_to(self.scale**2, self.batch_shape), weight, total

        def log_prob(self, value: Any) -> Any:
            r, v, weight, total = self._parts(value)
            counts = total(weight) > 0
            runs, precision = (jnp.where(counts, total(x), 1.0) for x in (weight, weight / v))
            mean = total(weight * r / v) / precision
            common = mean**2 / (self.tau**2 + 1 / precision) + jnp.log1p(self.tau**2 * precision)
            return -0.5 * ((r - mean) ** 2 / v + jnp.log(2 * jnp.pi * v) + common / runs)

        def log_prob_left_out(self, value: Any) -> Any:
            r, v, weight, total = self._parts(value)
            others, pull = (total(x) - x for x in (weight / v, weight * r / v))
            known = self.tau**2 / (1 + self.tau**2 * others)  # variance of b given the other runs
            power = jnp.where(weight > 0, weight, 1.0)
            spread = known + v / power
            fit = jnp.log(v / power / spread) - (r - known * pull) ** 2 / spread
            return 0.5 * (fit / power - jnp.log(2 * jnp.pi * v))

        def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
            shape = self.shape(sample_shape)
            shared, own = jax.random.split(key)
            b = jnp.take(jax.random.normal(shared, shape), self.configuration, axis=len(sample_shape))
            return self.loc + self.tau * b + self.scale * jax.random.normal(own, shape)

    return ReplicatedNormal
