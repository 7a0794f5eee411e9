"""Implicit laws: roots and their derivatives, against closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalejax.core.numeric.roots import root

A = np.asarray([1e-9, 8.0, 27.0, 1e4])


def cube_root(a):
    return root(lambda x, a: x**3 - a, 0.0, 50.0, a)


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def test_roots_of_an_array():
    np.testing.assert_allclose(cube_root(A), A ** (1 / 3), rtol=1e-14)


def test_a_falling_function():
    np.testing.assert_allclose(root(lambda x, a: a - x**3, 0.0, 50.0, A), A ** (1 / 3), rtol=1e-14)


def test_derivatives_of_first_to_third_order():
    first = jax.grad(cube_root)
    second = jax.jacfwd(first)
    third = jax.jacrev(second)
    np.testing.assert_allclose(jax.vmap(first)(A), A ** (-2 / 3) / 3, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(jax.vmap(second))(A), -2 / 9 * A ** (-5 / 3), rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(third)(A), 10 / 27 * A ** (-8 / 3), rtol=1e-11)


def test_without_a_change_of_sign_the_nearer_end_is_returned():
    np.testing.assert_allclose(root(lambda x, a: x - a, 0.0, 1.0, jnp.asarray([-3.0, 0.25, 7.0])), [0.0, 0.25, 1.0], atol=1e-12)


def test_single_precision_stays_single():
    with jax.enable_x64(False):
        out = cube_root(jnp.asarray(A, jnp.float32))
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(out, A ** (1 / 3), rtol=1e-6)
