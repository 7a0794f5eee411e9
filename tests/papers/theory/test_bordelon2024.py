"""Gradient flow on random features: draws against the limit, and the bottlenecks of time, size and data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax import papers

COUNTS = np.geomspace(1e3, 1e5, 5)


def exponents(**losses: np.ndarray) -> dict[str, float]:
    """Power of each curve over the counts, from one fit."""
    curve = np.repeat(list(losses), len(COUNTS))
    runs = sj.read_runs({"x": np.tile(COUNTS, len(losses)), "loss": np.concatenate(list(losses.values())), "curve": curve})
    fit = sj.fit(sj.laws.power_law, runs, by="curve", fix={"E": 0.0})
    return dict(zip(fit.groups, fit.params["alpha"], strict=True))


@pytest.mark.parametrize(("a", "b"), [(1.5, 1.5), (1.5, 2.0), (2.0, 1.25), (4.0, 1.2)])
def test_the_limit_has_the_exponents_of_the_bottlenecks(a, b):
    late = 1e3 * COUNTS**b
    found = exponents(
        t=papers.flow_loss(COUNTS, a=a, b=b), N=papers.flow_loss(late, a=a, b=b, N=COUNTS), P=papers.flow_loss(late, a=a, b=b, P=COUNTS)
    )
    expected = sj.formulas.bottleneck_exponents(a, b=b)
    np.testing.assert_allclose([found[n] for n in "tNP"], [expected[n] for n in "tNP"], rtol=0.05)


def test_a_smooth_target_is_limited_by_the_spectrum_once_for_size_and_twice_for_data():
    """a - 1 = 4 above 2 b = 2.4: exponents b in N and 2 b in P, where the paper prints 2 b for both."""
    late = 1e3 * COUNTS**1.2
    found = exponents(N=papers.flow_loss(late, a=5.0, b=1.2, N=COUNTS), P=papers.flow_loss(late, a=5.0, b=1.2, P=COUNTS))
    np.testing.assert_allclose([found["N"], found["P"]], [1.2, 2.4], rtol=0.01)


@pytest.mark.parametrize("limit", [{"N": 40}, {"P": 40}])
def test_draws_have_the_loss_of_the_limit(limit):
    t = np.array([1.0, 10.0, 100.0, 1e5])
    losses = papers.simulate_flow(t, a=2.0, b=1.5, M=200, runs=32, **limit)
    expected = papers.flow_loss(t, a=2.0, b=1.5, M=200.0, **limit)
    np.testing.assert_allclose(losses.mean(axis=0), expected, rtol=0.12)
    assert (np.abs(losses.mean(axis=0) - expected) < 4 * losses.std(axis=0) / np.sqrt(32)).all()


def test_flow_is_the_limit_of_many_small_steps():
    rate = 0.02
    rng = np.random.default_rng(0)
    k = np.arange(1.0, 61.0)
    features = rng.standard_normal((20, 60)) / np.sqrt(20)
    missed, losses = k**-0.25, []  # a = 1.5, b = 1: coefficients k^-(a - b)/2
    for step in range(2001):
        if step in (50, 500, 2000):
            losses.append((missed**2 / k).sum())
        missed = missed - rate * features.T @ (features @ (missed / k))
    many = papers.simulate_flow([1.0, 10.0, 40.0], a=1.5, b=1.0, N=20, M=60, runs=64)
    assert (np.abs(np.asarray(losses) - many.mean(axis=0)) < 3 * many.std(axis=0)).all()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "expected"), [("N", 1.0), ("P", 1.0), ("t", 0.5)])
def test_draws_have_the_exponents_of_theory(kind, expected):
    """a - 1 = 1, b = 2: features alone, samples alone, and time with many of both."""
    if kind == "t":
        x = np.geomspace(3, 100, 5)
        losses = papers.simulate_flow(x, a=2.0, b=2.0, N=600, P=4000, M=1000, runs=4).mean(axis=0)
    else:
        x = np.array([16.0, 32.0, 64.0, 128.0])
        losses = [papers.simulate_flow(1e9, a=2.0, b=2.0, M=2000, runs=64, **{kind: int(n)}).mean() for n in x]
    fit = sj.fit(sj.laws.power_law, sj.read_runs({"x": x, "loss": losses}), fix={"E": 0.0})
    np.testing.assert_allclose(fit.params["alpha"], expected, rtol=0.05)


def test_early_corrections_fall_as_one_over_the_size():
    """Whatever the task, as the paper states; late ones by its exponent."""
    N = np.geomspace(1e3, 1e5, 5)
    early = papers.limited_by(N, papers.flow_loss(3.0, a=1.5, b=1.5, N=N), papers.flow_loss(3.0, a=1.5, b=1.5))
    assert early.regime == "variance-limited" and abs(early.exponent - 1) < 0.02
    late = papers.limited_by(N, papers.flow_loss(1e12, a=1.5, b=1.5, N=N), papers.flow_loss(1e12, a=1.5, b=1.5))
    assert late.regime == "resolution-limited"


def test_steps_grow_faster_than_parameters():
    """The best split of N t for the limit's own loss has the exponents that the closed form gives."""
    C = np.array([1e10, 1e12])
    N = np.exp(np.linspace(np.log(1e2), np.log(1e6), 400))
    best = [N[np.argmin(papers.flow_loss(c / N, a=1.5, b=1.5, N=N))] for c in C]
    size = sj.formulas.bottleneck_exponents(1.5, b=1.5)["size"]
    np.testing.assert_allclose(np.log(best[1] / best[0]) / np.log(C[1] / C[0]), size, rtol=0.05)
    assert size < 0.5


@pytest.mark.parametrize(
    "loss",
    [
        lambda p: papers.flow_loss(30.0, a=p[0], b=p[1], N=100.0),
        lambda p: papers.flow_loss(30.0, a=p[0], b=p[1], P=100.0),
        lambda p: papers.simulate_flow(jnp.asarray([30.0]), a=p[0], b=p[1], N=10, P=20, M=40, runs=2).sum(),
    ],
    ids=["size", "data", "draws"],
)
def test_gradients_by_exponents_are_differences(loss):
    with jax.enable_x64(True):
        at, h = jnp.asarray([1.7, 1.3]), 1e-3
        gradient = jax.grad(loss)(at)
        differences = [(loss(at.at[i].add(h)) - loss(at.at[i].add(-h))) / (2 * h) for i in range(2)]
    np.testing.assert_allclose(gradient, differences, rtol=2e-4)


def test_one_limit_at_a_time():
    with pytest.raises(sj.DecisionError, match="N or P, not both"):
        papers.flow_loss(1.0, a=1.5, b=1.5, N=10.0, P=10.0)
    with pytest.raises(sj.DecisionError, match="positive time"):
        papers.flow_loss(0.0, a=1.5, b=1.5)
    with pytest.raises(sj.DecisionError, match="N=0"):
        papers.simulate_flow(1.0, a=1.5, b=1.5, N=0)
