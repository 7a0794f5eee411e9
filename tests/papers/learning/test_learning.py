"""Simulators of theories of learning, against closed forms, theory and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax import papers


def slope(x, y):
    """Exponent of y ~ x^-alpha, fitted."""
    runs = {"x": np.asarray(x, float), "loss": np.asarray(y, float)}
    return sj.fit(sj.laws.power_law, runs, fix={"E": 0.0}, on="log").params["alpha"]


def agree(function, at, step=1e-5, rtol=1e-6):
    """Its derivative in double precision, and the difference quotient."""
    with jax.enable_x64(True):
        gradient = jax.grad(function)(jnp.asarray(at))
        quotient = (function(jnp.asarray(at + step)) - function(jnp.asarray(at - step))) / (2 * step)
        np.testing.assert_allclose(gradient, quotient, rtol=rtol)


# Pruning by margin


@pytest.mark.slow
@pytest.mark.parametrize("alpha, f, theta, keep", [(2.0, 1.0, 0.0, "hard"), (3.0, 0.4, 0.0, "hard"), (1.0, 0.4, 0.3, "hard")])
def test_perceptrons_have_the_error_of_the_theory(alpha, f, theta, keep):
    found = papers.simulate_pruned_perceptron(alpha, f, theta=theta, keep=keep)
    assert found.margin.min() > 0
    expected = papers.pruned_perceptron_error(alpha, f, theta=theta, keep=keep)
    assert abs(found.error.mean() - expected) < 3 * found.error.std() / np.sqrt(len(found.error))


@pytest.mark.slow
def test_keeping_hard_examples_helps_when_there_are_many():
    total, f = np.array([1.0, 2.0, 4.0, 16.0, 64.0]), np.array([[0.1], [0.25], [0.5], [1.0]])
    alpha = total * f
    hard, easy = (papers.pruned_perceptron_error(alpha, f, keep=keep) for keep in ("hard", "easy"))
    everywhere = papers.pruned_perceptron_error(alpha, 1.0)  # the same number of random examples
    assert (hard[:3, 0] > everywhere[:3, 0]).all() and (hard[:3, -1] < everywhere[:3, -1]).all()
    assert (easy[:3, 0] < everywhere[:3, 0]).all() and (hard < easy)[:3, -1].all()
    kept = np.geomspace(1.0, 8.0, 7)
    envelope = papers.pruned_perceptron_error(kept, np.array([[0.05], [0.1], [0.2], [0.4], [0.7], [1.0]])).min(axis=0)
    local = -np.diff(np.log(envelope)) / np.diff(np.log(kept))
    assert (np.diff(local[:3]) > 0).all() and local[1:3].min() > 2  # steeper than the power 1 while smaller and smaller shares are best
    assert local[-1] == pytest.approx(1, rel=0.02)  # and with the smallest share that power again
    poor = papers.pruned_perceptron_error([20.0, 200.0], 0.2, theta=0.3)
    assert poor[0] / poor[1] == pytest.approx(10, rel=0.05)  # an imperfect probe brings the power law back


def test_the_transition_is_found():
    """Close to two examples a weight the error of small shares falls steeply; references from a path of 400 steps."""
    np.testing.assert_allclose(papers.pruned_perceptron_error([1.95, 2.0, 2.05], 0.05), [0.15826, 0.06018, 0.0335], atol=2e-5)


def test_the_error_has_derivatives_and_conditions():
    def error(v):
        return papers.pruned_perceptron_error(5.0 + v, 0.4 + v, theta=0.2 + v)

    agree(error, 0.0)
    for wrong in ({"alpha": 0.0}, {"alpha": 1.0, "f": 0.0}, {"alpha": 1.0, "theta": 3.0}, {"alpha": 1.0, "keep": "all"}):
        with pytest.raises(sj.DecisionError):
            papers.pruned_perceptron_error(**wrong)
    with pytest.raises(sj.DecisionError):
        papers.simulate_pruned_perceptron(1.0, 2.0)


# Pruning by a score


@pytest.mark.slow
def test_a_score_changes_the_asymptote_and_not_the_exponent():
    n = np.array([250, 1000, 4000])
    loss = {share: papers.prune_regression(n, 0.2, by_score=share, trials=512) for share in (0.5, 1.0)}
    gap = papers.pruning_gap(0.2)
    runs = {"x": np.tile(n, 2), "loss": np.concatenate([loss[0.5], loss[1.0]]), "method": np.repeat(["calibrated", "score"], 3)}
    fit = sj.fit(sj.laws.power_law, runs, by={"E": "method", "A": "method"}, fix={"alpha": 1.0}, on="log")
    E = fit.params["E"]
    groups = list(fit.groups)
    assert E[groups.index("score")] == pytest.approx(gap, rel=0.05)
    assert E[groups.index("calibrated")] < 0.02 * gap
    few = np.array([400, 1600, 6400])
    assert slope(few, papers.prune_regression(few, 0.5, by_score=0.0, trials=2048)) == pytest.approx(1, rel=0.05)


def test_the_gap_of_a_score():
    assert papers.prune_regression([4000], 0.2, trials=64)[0] == pytest.approx(papers.pruning_gap(0.2), rel=0.1)
    agree(lambda r: papers.pruning_gap(r), 0.3)
    with pytest.raises(sj.DecisionError):
        papers.prune_regression([10], 0.1)
    with pytest.raises(sj.DecisionError):
        papers.pruning_gap(0.0)


# Tickets, features, compositions, splines


def test_tickets_average_as_independent_networks():
    k = np.array([1, 2, 4, 8, 16, 32])
    found = papers.simulate_tickets(k)
    excess = found.error - found.bias2
    assert slope(k, excess) == pytest.approx(1, rel=0.05)
    np.testing.assert_allclose(found.error[0], found.bias2 + found.variance, rtol=1e-12)
    with pytest.raises(sj.DecisionError):
        papers.simulate_tickets([3], tickets=1024)


def test_superposition_sets_the_exponent():
    m = np.array([16, 32, 64, 128])
    weak = papers.weak_superposition_loss(m, n=1_000_000, alpha=2.0)
    assert slope(m, weak) == pytest.approx(papers.superposition_exponents(2.0)["weak"], rel=0.05)
    for alpha in (0.5, 1.2):
        strong = [papers.strong_superposition_loss(int(one), n=1024, alpha=alpha) for one in m]
        assert slope(m, strong) == pytest.approx(papers.superposition_exponents(alpha)["strong"], rel=0.05)
    agree(lambda alpha: papers.weak_superposition_loss(10.0, n=100, alpha=alpha), 1.5)
    agree(lambda alpha: papers.strong_superposition_loss(4, n=20, alpha=alpha), 1.5)


def test_training_keeps_few_features_or_all_of_them():
    m = [4, 8, 16]
    all_kept = [papers.train_superposition(one) for one in m]
    few = papers.train_superposition(8, weight_decay=1.0)
    assert all(found.represented == 1 for found in all_kept) and few.represented < 0.2
    assert slope(m, [found.overlap for found in all_kept]) == pytest.approx(1, rel=0.05)
    agree(lambda alpha: papers.train_superposition(3, n=24, alpha=alpha, steps=60)["loss"], 1.2)
    with pytest.raises(sj.DecisionError):
        papers.train_superposition(0)


@pytest.mark.parametrize("d, nu, sides", [(1, 1.0, (16, 64)), (2, 1.0, (8, 16)), (2, 2.0, (8, 16)), (1, 0.5, (32, 128))])
def test_smoothness_over_dimension_is_the_rate(d, nu, sides):
    errors = [papers.kernel_error(side, nu=nu, d=d) for side in sides]
    rate = np.log(errors[0] / errors[1]) / np.log(sides[1] / sides[0]) / d
    assert rate == pytest.approx(nu / d, rel=0.05)


def test_the_rougher_part_sets_the_rate():
    for nu_g, nu_h in ((0.8, 2.0), (3.0, 0.45)):
        a, b = (papers.composed_error(s, s**2, nu_g=nu_g, nu_h=nu_h, d_in=2, d_mid=1, cutoff=64) for s in (8, 16))
        expected = papers.compositional_rate(nu_g, nu_h, 2.0, 1.0)
        assert np.log(a / b) / np.log(4) == pytest.approx(expected["deep"], rel=0.08)  # the smoother part adds a little
        assert expected["phase"] == (1 if nu_g / 2 < nu_h else 2)
    agree(lambda nu: papers.kernel_error(8, nu=nu, d=2, cutoff=8), 1.3)
    with pytest.raises(sj.DecisionError):
        papers.kernel_error(0, nu=1.0, d=1)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_splines_have_their_order(k):
    G = np.array([32, 64, 128])
    errors = [papers.spline_error(lambda x: jnp.exp(jnp.sin(2 * x)), int(one), k=k) for one in G]
    found = np.log(errors[0] / errors[-1]) / np.log(4)
    assert found == pytest.approx(papers.spline_exponents(float(k))["kan"], rel=0.02)


def test_a_kink_limits_splines():
    errors = [papers.spline_error(lambda x: jnp.abs(x) ** 1.5, G) for G in (33, 129)]
    assert np.log(errors[0] / errors[1]) / np.log(129 / 33) == pytest.approx(1.5 + 0.5, rel=0.05)
    agree(lambda s: papers.spline_error(lambda x: jnp.exp(s * jnp.log(jnp.abs(x))), 9), 1.5, rtol=1e-5)
    with pytest.raises(sj.DecisionError):
        papers.spline_error(jnp.sin, 0)


def test_stages_reach_machine_precision():
    x = np.linspace(-1, 1, 1000)
    found = papers.multistage_fit(x, np.sin(2 * x + 1) + 0.2 * np.exp(1.3 * x))
    assert found.error[-1] < 1e-13 and (np.diff(found.frequency) > 0).all()
    # What is left is smaller the higher its frequency: a steep power.
    assert np.polyfit(np.log(found.frequency[1:]), np.log(found.error[1:]), 1)[0] < -5
    with pytest.raises(sj.DataError):
        papers.multistage_fit(x[::-1], x)


# Memories, grokking, transformers


def test_layers_descend_to_the_nearest_pattern():
    rng = np.random.default_rng(0)
    patterns = 3 * rng.normal(size=(20, 8))
    start = patterns[3] + 0.3 * rng.normal(size=8)
    energies, last = papers.hopfield_descent(start, patterns, layers=100)
    assert (np.diff(energies) < 1e-8).all()
    np.testing.assert_allclose(last, patterns[3], atol=1e-6)
    x = rng.normal(size=(50, 8))
    nearest = np.linalg.norm(x[:, None] - patterns, axis=-1).min(axis=1)
    energy = papers.hopfield_energy(x, patterns)
    assert (energy <= nearest).all() and (energy >= nearest - np.log(20)).all()


@pytest.mark.slow
def test_features_survive_with_enough_pairs():
    M = np.array([23, 47, 97])
    tried = {int(m): np.arange(0.25, 0.7, 0.05) * m**2 for m in M}
    survived = [papers.feature_survival(m, n, trials=12).survived for m, n in tried.items()]
    assert all(s[0] <= 0.1 and s[-1] == 1 for s in survived)
    half = np.array([np.interp(0.5, s, tried[int(m)] / m**2) for s, m in zip(survived, M, strict=True)])
    assert half[2] < half[1]  # a smaller share of a larger group
    # The stability of the wave asks for n / M as log M less a constant, for n far below M^2.
    assert (np.diff(half * M) > 0).all()


def test_pairs_are_checked():
    assert papers.feature_survival(11, [30.0, 110.0], trials=8, steps=200).survived.tolist() == [0.0, 1.0]
    with pytest.raises(sj.DecisionError):
        papers.feature_survival(11, 200.0)


def test_gradients_grow_with_width_by_group():
    widths = np.array([32, 64, 128])
    found = [papers.tangent_by_group(int(n)) for n in widths]

    def power(name):
        return np.polyfit(np.log(widths), [np.log(one[name]) for one in found], 1)[0]

    for group in ("query", "key", "value", "out", "up", "down"):
        assert power(f"sgd_{group}") == pytest.approx(1, rel=0.1) and power(f"adam_{group}") == pytest.approx(1.5, rel=0.05)
    assert power("sgd_head") == pytest.approx(1, rel=0.05) and power("adam_head") == pytest.approx(1, rel=0.05)
    for group in ("embedding", "bias", "gain"):
        assert abs(power(f"sgd_{group}")) < 0.1 and power(f"adam_{group}") == pytest.approx(0.5, rel=0.1)
    with pytest.raises(sj.DecisionError):
        papers.tangent_by_group(30)
