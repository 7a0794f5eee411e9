"""Ridge regression on random features: draws against the limit, its exponents, the peak and what removes it."""

import jax
import numpy as np
import pytest

import scalejax as sj
from scalejax import papers

K = np.arange(1.0, 301.0)


@pytest.mark.parametrize(
    ("N", "T", "ridge", "sigma2"), [(20, 80, 0.0, 0.0), (80, 20, 0.0, 0.0), (30, 60, 0.1, 0.1), (60, 30, 1.0, 0.3), (40, 40, 0.5, 0.1)]
)
def test_draws_have_the_loss_of_the_limit(N, T, ridge, sigma2):
    losses = papers.simulate_feature_ridge(N, T, K**-1.5, K**-0.2, ridge=ridge, sigma2=sigma2, runs=64)
    expected = papers.feature_ridge_loss(N, T, K**-1.5, K**-0.2, ridge=ridge, sigma2=sigma2)
    assert abs(losses.mean() - expected) < 3.5 * losses.std() / 8 and abs(losses.mean() / expected - 1) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("N", "T"), [(50, 400), (400, 50), (300, 1200), (2000, 600)])
def test_many_draws_have_it_to_a_few_per_cent(N, T):
    k = np.arange(1.0, 6001.0)
    losses = papers.simulate_feature_ridge(N, T, k**-1.5, np.ones(6000), runs=4)
    np.testing.assert_allclose(losses.mean(), papers.feature_ridge_loss(N, T, k**-1.5, np.ones(6000)), rtol=0.05)


@pytest.mark.slow
def test_draws_have_the_exponent_of_the_spectrum():
    """alpha = 1 in features with many samples, and in samples with many features."""
    k, counts = np.arange(1.0, 1001.0), np.array([8, 16, 32, 64])
    for swap in (False, True):
        pairs = [(4 * n, n) if swap else (n, 4 * n) for n in map(int, counts)]
        losses = [papers.simulate_feature_ridge(*pair, k**-2.0, np.ones(1000), runs=96).mean() for pair in pairs]
        fit = sj.fit(sj.laws.power_law, sj.read_runs({"x": counts.astype(float), "loss": losses}), fix={"E": 0.0})
        np.testing.assert_allclose(fit.params["alpha"], 1.0, rtol=0.05)


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_the_limit_has_the_exponent_of_the_spectrum(alpha):
    k, n = np.arange(1.0, 1e5 + 1), np.geomspace(20, 200, 5)
    spectrum = k ** -(1 + alpha)
    by_size, by_data = (papers.feature_ridge_loss(*pair, spectrum, np.ones(len(k))) for pair in ((n, 1e9), (1e9, n)))
    np.testing.assert_allclose(by_size, by_data, rtol=1e-6)
    fit = sj.fit(sj.laws.power_law, sj.read_runs({"x": n, "loss": by_size}), fix={"E": 0.0})
    np.testing.assert_allclose(fit.params["alpha"], alpha, rtol=0.05)


def test_the_loss_is_symmetric_with_a_peak_that_a_penalty_removes():
    N = np.array([20.0, 40.0, 59.0, 60.0, 61.0, 80.0, 120.0])
    loss = papers.feature_ridge_loss(N, 60.0, K**-1.5, np.ones(300))
    np.testing.assert_allclose(loss, papers.feature_ridge_loss(60.0, N, K**-1.5, np.ones(300)), rtol=1e-9)
    assert np.isinf(loss[3]) and loss[2] > 5 * loss[0] and loss[4] > 5 * loss[-1]
    penalties = np.geomspace(1e-3, 10, 40)[:, None]
    best = papers.feature_ridge_loss(N, 60.0, K**-1.5, np.ones(300), ridge=penalties).min(axis=0)
    assert (np.diff(best) < 0).all()


def test_features_and_samples_are_best_in_equal_numbers():
    ratio, penalties = np.geomspace(0.2, 5, 9), np.geomspace(1e-3, 10, 40)[:, None]
    best = papers.feature_ridge_loss(60 * ratio, 60 / ratio, K**-1.5, np.ones(300), ridge=penalties).min(axis=0)
    assert np.argmin(best) == 4


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_gradients_by_the_exponent_are_differences(ridge):
    k = np.arange(1.0, 101.0)

    def limit(alpha):
        return papers.feature_ridge_loss(20.0, 50.0, k ** -(1 + alpha), np.ones(100), ridge=ridge, sigma2=0.1)

    def draws(alpha):
        return papers.simulate_feature_ridge(10, 25, k ** -(1 + alpha), np.ones(100), ridge=ridge, sigma2=0.1, runs=2).sum()

    with jax.enable_x64(True):
        for loss in (limit, draws):
            difference = (loss(0.5 + 1e-5) - loss(0.5 - 1e-5)) / 2e-5
            np.testing.assert_allclose(jax.grad(loss)(0.5), difference, rtol=1e-6)


def test_bad_input_gets_a_sentence():
    with pytest.raises(sj.DecisionError, match="below the number of modes"):
        papers.feature_ridge_loss(300.0, 400.0, K**-1.5, np.ones(300))
    with pytest.raises(sj.DecisionError, match="same length"):
        papers.feature_ridge_loss(30.0, 40.0, K**-1.5, np.ones(30))
    with pytest.raises(sj.DecisionError, match="ridge must not be negative"):
        papers.feature_ridge_loss(30.0, 40.0, K**-1.5, np.ones(300), ridge=-1.0)
