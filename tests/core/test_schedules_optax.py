"""Schedules go to optax and come from it."""

from __future__ import annotations

import jax
import numpy as np
import optax
import pytest

import scalejax as sj
from scalejax import schedules

KINDS = {
    "cosine with warm-up": optax.warmup_cosine_decay_schedule(0.0, 3e-4, 20, 100, 3e-5),
    "joined": optax.join_schedules(
        [optax.linear_schedule(0, 1, 10), optax.constant_schedule(1.0), optax.linear_schedule(1, 0, 30)], [10, 70]
    ),
    "constant": optax.constant_schedule(0.5),
    "plain Python": lambda step: 1.0 if step < 50 else 0.1,
}


@pytest.mark.parametrize("kind", KINDS)
def test_rates_are_those_of_optax_at_every_step(kind):
    found = schedules.from_optax(KINDS[kind], 100)
    assert found.dtype == np.float64 and found.shape == (100,)
    np.testing.assert_allclose(found, [float(KINDS[kind](k)) for k in range(100)], rtol=1e-6, atol=1e-12)


def test_a_schedule_trains():
    eta = schedules.wsd(40, 0.1, decay=0.5)
    optimizer = optax.sgd(schedules.to_optax(eta))

    @jax.jit
    def step(x, state):
        updates, state = optimizer.update(jax.numpy.ones(()), state)
        return optax.apply_updates(x, updates), state

    x, state = jax.numpy.zeros(()), optimizer.init(jax.numpy.zeros(()))
    for _ in range(45):  # after the last step its rate stays
        x, state = step(x, state)
    assert float(x) == pytest.approx(-(eta.sum() + 5 * eta[-1]), rel=1e-5)
    np.testing.assert_allclose(schedules.from_optax(schedules.to_optax(eta), 40), eta, rtol=1e-12)


@pytest.mark.parametrize(
    "call",
    [lambda: schedules.from_optax([1.0], 5), lambda: schedules.from_optax(lambda k: np.nan * k, 5),
     lambda: schedules.from_optax(KINDS["joined"], 0),
     lambda: schedules.to_optax([]), lambda: schedules.to_optax([[1.0]]), lambda: schedules.to_optax([1.0, np.inf])],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(call):
    with pytest.raises(sj.DataError):
        call()
