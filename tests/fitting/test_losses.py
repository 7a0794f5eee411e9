"""Losses: derivatives that are written out are those of rho, in programs and outside of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax.fitting.objective import losses

LOSSES = [
    sj.huber(0.3), sj.log_cosh(0.3), sj.squared(), sj.absolute(), sj.student_t(3.0, 0.2), sj.asymmetric(2.0, 0.5),
    sj.asymmetric(2.0, 0.5, base=sj.student_t()), losses.as_loss(lambda r: r**4 + r**2),
]  # fmt: skip
R = np.linspace(-1.03, 0.97, 41)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_derivatives_are_those_of_rho(loss):
    with jax.enable_x64(True):
        slope = jax.vmap(jax.grad(loss.rho))(jnp.asarray(R))
        rho, psi, bend = losses.loss_terms(loss, R)
        assert all(isinstance(a, np.ndarray) for a in (rho, psi, bend))
        np.testing.assert_allclose(rho, loss.rho(jnp.asarray(R)), rtol=1e-13)
        np.testing.assert_allclose(psi, slope, rtol=1e-12)
        np.testing.assert_allclose(losses.slope(loss, R), loss.psi(jnp.asarray(R)), rtol=1e-13)
        width = np.full(R.shape, 0.1)
        np.testing.assert_allclose(
            losses.mean_curvature(loss, R, width), loss.mean_curvature(jnp.asarray(R), width), rtol=1e-12, atol=1e-14
        )
        if not isinstance(loss, losses.Absolute) and not isinstance(getattr(loss, "base", None), losses.Absolute):
            np.testing.assert_allclose(bend, jax.vmap(jax.grad(lambda r: loss.psi(r)))(jnp.asarray(R)), rtol=1e-12, atol=1e-13)
