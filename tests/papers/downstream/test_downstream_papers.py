"""Choices between models to fine-tune, and best-of-n sampling: small cases by hand, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from scalejax import ScalejaxError, papers

SIZES = 200.0 * 2 ** np.arange(8)
LINE = 5.0 * SIZES**-0.1 * np.tile([1.001, 0.999], 4)


def test_the_flat_stretch_is_left_out():
    """Two subsets above the line by far more than its residuals are not accepted; without them the line is the whole."""
    bent = LINE * np.r_[0.8, 0.9, np.ones(6)]
    found = papers.accept_then_stop(SIZES, [bent, LINE], 1e6)
    assert found.first.tolist() == [800.0, 400.0]  # the smallest of all is never accepted
    v, u = np.polyfit(np.log(SIZES[2:]), np.log(bent[2:]), 1)
    assert found.predicted[0] == pytest.approx(np.exp(u + v * np.log(1e6)), rel=1e-12)
    np.testing.assert_allclose(found.v, -0.1, atol=2e-3)


def test_few_subsets_are_all_used():
    found = papers.accept_then_stop(SIZES[:3], LINE[:3], 1e6)
    assert found.first == 200.0 and found.v == pytest.approx(np.polyfit(np.log(SIZES[:3]), np.log(LINE[:3]), 1)[0])


def test_the_best_of_one_and_of_all():
    rng = np.random.default_rng(1)
    proxy, gold = rng.standard_normal((2, 40))
    one, every = papers.best_of_n_reward(proxy, gold, [1, 40])
    assert one == pytest.approx(gold.mean()) and every == gold[proxy.argmax()]
    np.testing.assert_allclose(papers.best_of_n_reward(proxy, np.ones(40), np.arange(1, 41)), 1.0)


def test_the_mean_of_many_draws():
    """A simulation of drawing 5 of 30 without replacement."""
    rng = np.random.default_rng(2)
    proxy = rng.standard_normal(30)
    gold = 0.7 * proxy + rng.standard_normal(30)
    picks = np.argsort(rng.random((40_000, 30)), axis=1)[:, :5]
    chosen = np.take_along_axis(picks, proxy[picks].argmax(axis=1)[:, None], axis=1)[:, 0]
    error = gold[chosen].std() / np.sqrt(len(chosen))
    assert abs(papers.best_of_n_reward(proxy, gold, 5) - gold[chosen].mean()) < 4 * error


def test_a_proxy_regresses_to_the_mean():
    """Simulated normal rewards and noise, near one value of the proxy."""
    rng = np.random.default_rng(3)
    true = 1.0 + 2.0 * rng.standard_normal(400_000)
    proxy = true + 0.5 + 1.5 * rng.standard_normal(400_000)
    near = np.abs(proxy - 4.0) < 0.05
    found = papers.goodhart(4.0, mean=1.0, variance=4.0, noise_mean=0.5, noise_variance=2.25)
    assert found.expected == pytest.approx(true[near].mean(), abs=4 * true[near].std() / np.sqrt(near.sum()))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: papers.accept_then_stop([200, 100], [3.0, 2.0], 1e6), "rise"),
        (lambda: papers.accept_then_stop([100, 200], [3.0], 1e6), "a column for each"),
        (lambda: papers.accept_then_stop([0, 200], [3.0, 2.0], 1e6), "positive"),
        (lambda: papers.selection_quality([1.0, 2.0], [1.0, 1.0]), "differ"),
        (lambda: papers.best_of_n_kl(0.5), "at least 1"),
        (lambda: papers.best_of_n_reward([1.0, 2.0], [1.0, 2.0], 3), "from 1 to the 2 samples"),
        (lambda: papers.best_of_n_reward([1.0], [1.0, 2.0], 1), "one length"),
        (lambda: papers.goodhart(1.0, mean=0.0, variance=-1.0, noise_variance=2.0), "not negative"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(call, words):
    with pytest.raises(ScalejaxError, match=words):
        call()
