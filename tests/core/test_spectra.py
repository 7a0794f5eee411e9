"""Sums over power-law spectra, effective ridges on and off the axis, and inverse transforms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalejax import DecisionError
from scalejax.core.numeric.spectra import effective_ridge, from_laplace, modes


@pytest.mark.parametrize("count", [10, 64, 1000, 100_000])
@pytest.mark.parametrize("power", [0.4, 1.0, 2.5])
def test_sums_over_modes_are_sums(count, power):
    with jax.enable_x64(True):
        j, weight = modes(count)
        np.testing.assert_allclose((weight * j**-power).sum(), (np.arange(1.0, count + 1) ** -power).sum(), rtol=2e-6)


@pytest.mark.parametrize(("d", "also"), [(20.0, np.inf), (20.0, 50.0), (np.inf, 30.0)])
@pytest.mark.parametrize("ridge", [1e-6, 0.01, 3.0])
def test_the_effective_ridge_solves_its_equation(d, also, ridge):
    with jax.enable_x64(True):
        spectrum = jnp.arange(1.0, 1001.0) ** -1.5
        path = ridge * jnp.exp(1j * jnp.linspace(0.0, 2.5, 20))
        kappa = effective_ridge(path, d, spectrum, 1.0, also)[:, None]
        total = (spectrum / (spectrum + kappa)).sum(axis=1)
        np.testing.assert_allclose(kappa[:, 0] * (1 - total / d) * (1 - total / also), path, rtol=1e-9)
        alone = effective_ridge(ridge, d, spectrum, 1.0, also)
        np.testing.assert_allclose(kappa[0, 0], alone, rtol=1e-9)
        assert (spectrum / (spectrum + alone)).sum() < min(d, also)


def test_without_a_penalty_as_many_modes_are_seen_as_there_are_samples():
    with jax.enable_x64(True):
        spectrum = jnp.arange(1.0, 1001.0) ** -1.5
        kappa = effective_ridge(0.0, 20.0, spectrum, 1.0, 60.0)
        np.testing.assert_allclose((spectrum / (spectrum + kappa)).sum(), 20.0, rtol=1e-9)


@pytest.mark.parametrize("t", [0.01, 1.0, 1e6])
def test_inverse_transforms_are_the_functions(t):
    with jax.enable_x64(True):
        np.testing.assert_allclose(from_laplace(lambda z: z**-0.5, jnp.asarray(t)), 1 / np.sqrt(np.pi * t), rtol=1e-9)
        np.testing.assert_allclose(from_laplace(lambda z: jnp.log1p(1 / z), jnp.asarray(t)), -np.expm1(-t) / t, rtol=1e-9)


def test_single_precision_gets_a_sentence():
    with pytest.raises(DecisionError, match="double precision"):
        from_laplace(lambda z: 1 / z, jnp.float32(1.0))
