"""Simulation-based calibration: right posteriors pass, wrong ones do not, and the coordinates they rest on are exact."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import stats

import scalejax as sj
from scalejax.core.errors import FitError
from scalejax.posteriors.checks import calibrate as module
from scalejax.posteriors.checks.calibrate import Calibration
from scalejax.posteriors.checks.uniformity import band, p_value
from scalejax.posteriors.model.coordinates import Place, energy, transport
from scalejax.posteriors.model.many import sets
from scalejax.posteriors.model.mode import locate
from scalejax.posteriors.model.setup import point_fit, set_up, starts

X = {"x": np.logspace(3, 8, 12)}


@pytest.mark.slow
def test_posteriors_of_a_law_are_calibrated_and_wrong_ones_are_caught(monkeypatch):
    right = sj.calibrate("power_law", X, likelihood="normal", simulations=100, seed=3)
    assert right.complaints == [] and "as even as those of right posteriors" in repr(right)
    share = np.asarray([right.coverage(0.9)[name] for name in ("E", "A", "alpha", "sigma")])
    assert np.abs(share - 0.9).max() < 4 * np.sqrt(0.09 / 100)
    outputs = module.outputs

    def noisier(model, evidence, sites, key):
        return outputs(model, evidence, {**sites, "sigma": 2 * sites["sigma"]}, key)

    monkeypatch.setattr(module, "outputs", noisier)
    wrong = sj.calibrate("power_law", X, likelihood="normal", simulations=100, seed=3)
    assert any("posterior of sigma is not calibrated" in text for text in wrong.complaints)


@pytest.mark.slow
def test_posteriors_of_pooled_groups_are_calibrated():
    x = np.concatenate([np.logspace(3, 7, n) for n in (10, 8, 5, 3)])
    group = np.repeat(["a", "b", "c", "d"], (10, 8, 5, 3))
    found = sj.calibrate("power_law", {"x": x, "g": group}, by="g", share=("E",), likelihood=sj.likelihoods.normal(), simulations=100)
    assert found.complaints == [] and {"alpha_spread", "alpha_typical", "A_spread"} <= set(found.ranks)
    assert found.ranks["alpha"].shape == (100, 4)


def test_p_values_of_even_ranks_are_even():
    ranks = np.random.default_rng(0).integers(0, 100, (200, 400))
    p = p_value(ranks, 99)
    assert p.shape == (400,) and stats.kstest(p, "uniform").pvalue > 0.01
    low, high = stats.binom.interval(0.999, 400, 0.05)
    assert low <= np.sum(p < 0.05) <= high


def test_the_band_holds_even_ranks_at_its_level():
    shares, low, high = band(200, 99, 0.9)
    ranks = np.random.default_rng(1).integers(0, 100, (2000, 200))
    ecdf = (ranks[:, :, None] <= np.round(shares * 100 - 1)).mean(axis=1)
    inside = ((low <= ecdf) & (ecdf <= high)).all(axis=1).mean()
    assert inside == pytest.approx(0.9, abs=0.03)


def test_coverage_of_ranks_is_that_of_intervals():
    even = Calibration({"a": np.arange(100)}, 99, 0, 0)
    assert even.coverage(0.9)["a"] == pytest.approx(0.9)
    assert even.coverage(0.95)["a"] == pytest.approx(0.95)  # the outermost ranks count by half
    assert Calibration({"a": np.zeros(100, int)}, 99, 0, 0).coverage(0.9)["a"] == 0.0


@pytest.fixture(scope="module")
def pooled():
    x = np.concatenate([np.logspace(3, 7, n) for n in (10, 3, 8)])
    group = np.repeat(["a", "b", "c"], (10, 3, 8))
    truth = np.repeat([0.25, 0.3, 0.33], (10, 3, 8))
    loss = (1.0 + 20.0 * x**-truth) * np.exp(0.01 * np.random.default_rng(0).standard_normal(len(x)))
    with jax.enable_x64(True):
        setup = set_up("power_law", {"x": x, "loss": loss, "g": group}, by="g", share=("E",), likelihood=sj.likelihoods.normal())
        found = starts(setup, point_fit(setup.request, 0), 0)
        place, groups, _ = locate(setup.model, sets(setup.evidence, setup.evidence.target[None]), found)
    return setup, *jax.tree.map(lambda v: v[0], (place, groups))


@pytest.mark.slow
def test_the_maps_have_the_determinants_they_say(pooled):
    setup, place, groups = pooled
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):

        def flat(w):
            moved = transport(setup.model, groups, setup.evidence, w)[0]
            return jax.numpy.concatenate([jax.numpy.ravel(v) for v in moved.values()])

        for _ in range(5):
            w = place.center + rng.standard_normal(place.center.shape)
            assert np.linalg.slogdet(jax.jacobian(flat)(w))[1] == pytest.approx(float(transport(setup.model, groups, setup.evidence, w)[1]))
        z = rng.standard_normal(place.center.shape)
        base = np.linalg.slogdet(place.root)[1]
        assert np.linalg.slogdet(jax.jacobian(lambda v: place.forward(v)[0])(z))[1] == pytest.approx(float(place.forward(z)[1]) + base)


@pytest.mark.slow
def test_standardised_groups_are_those_of_the_conditional_normal(pooled):
    """With a normal likelihood of the groups, u given center and spread has the textbook mean and covariance, in straight coordinates."""
    setup, place, (warped,) = pooled
    own = warped._replace(bend=np.zeros_like(warped.bend))
    with jax.enable_x64(True):
        e = np.random.default_rng(0).standard_normal((20_000, 6))
        w = np.concatenate([np.broadcast_to(place.center[:-6], (len(e), len(place.center) - 6)), e], axis=1)
        moved = jax.vmap(lambda one: transport(setup.model, (own,), setup.evidence, one)[0])(w)
        u = np.stack([moved["A_group"], moved["alpha_group"]], axis=-1)
        one = {name: np.asarray(v[0]) for name, v in moved.items()}
    mu = np.log([np.exp(one["A_typical"]), np.exp(one["alpha_typical"])])
    inverse = np.diag(np.exp(-2 * np.asarray([one["A_spread"], one["alpha_spread"]])))
    for g in range(3):
        pull = own.pull[g] - own.coupling[g] @ (place.center[:-6] - own.origin)
        covariance = np.linalg.inv(own.precision[g] + inverse)
        np.testing.assert_allclose(
            u[:, g].mean(0) - own.center[g],
            covariance @ (pull + inverse @ (mu - own.center[g])),
            atol=5 * np.sqrt(covariance.max() / len(e)),
        )
        np.testing.assert_allclose(np.cov(u[:, g].T), covariance, rtol=0.1, atol=0.03 * np.abs(covariance).max())


@sj.law(m=sj.Real(-1.0, 1.0))
def height(x, *, m):
    """A number, whatever x is."""
    return m + 0.0 * x


def test_groups_are_round_whatever_their_noise():
    """Three numbers a group, of normal noise: standardised values have unit width and do not depend on each other, be it loud or quiet."""
    group, rng = np.repeat(["a", "b", "c", "d"], 3), np.random.default_rng(0)
    runs = {"x": np.arange(1.0, 13.0), "loss": np.repeat([0.1, 0.4, -0.2, 0.3], 3) + 0.05 * rng.standard_normal(12), "g": group}
    with jax.enable_x64(True):
        setup = set_up(height, runs, by="g", on="linear", likelihood="normal", level_prior=False)
        place, groups, _ = locate(
            setup.model, sets(setup.evidence, setup.evidence.target[None]), starts(setup, point_fit(setup.request, 0), 0)
        )
        place, groups = jax.tree.map(lambda v: v[0], (place, groups))
        hessian = jax.hessian(lambda w: energy(setup.model, groups, setup.evidence, w))
        for noise in ([0.0] * 4, [-6.0, 6.0, -3.0, 2.0]):
            found = np.asarray(hessian(jax.numpy.asarray(place.center).at[-4:].set(jax.numpy.asarray(noise))))[-8:-4, -8:-4]
            np.testing.assert_allclose(found, np.eye(4), atol=2e-3)


@pytest.mark.slow
def test_flat_numbers_are_in_the_order_of_compiled_programs(pooled):
    setup, place, groups = pooled
    with jax.enable_x64(True):
        plain = energy(setup.model, groups, setup.evidence, place.center)
        compiled = jax.jit(lambda evidence, w: energy(setup.model, groups, evidence, w))(setup.evidence, place.center)
    assert float(plain) == pytest.approx(float(compiled))


def test_the_bend_rises_everywhere():
    with jax.enable_x64(True):
        place = Place(np.zeros(2), np.eye(2), np.asarray([3.0, -0.2]))
        grid = np.linspace(-50, 50, 1001)
        moved = jax.vmap(lambda v: place.forward(jax.numpy.stack([v, v]))[0])(grid)
    assert (np.diff(np.asarray(moved), axis=0) > 0).all()


@sj.law(c=sj.Positive(1e3, 1e4))
def explosive(x, *, c):
    """Beyond what a double can hold."""
    return x * jax.numpy.exp(c)


def test_a_prior_that_overflows_is_refused_in_a_sentence():
    with pytest.raises(FitError, match=r"not finite at .* of the prior draws"):
        sj.calibrate(explosive, X, simulations=10)
    with pytest.raises(FitError, match="must be 1 or more"):
        sj.calibrate("power_law", X, simulations=0)
