"""Posteriors: known parameters recovered, priors and likelihoods as stated, one program for many data sets, honest complaints."""

from __future__ import annotations

import warnings

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import integrate, special

import scalejax as sj
from scalejax.core.numeric.batching import trace_counts
from scalejax.posteriors.checks.diagnostics import Chains
from scalejax.posteriors.model.coordinates import Groups, Place, transport, unravel, unwarped, warped
from scalejax.posteriors.model.densities import huber_density
from scalejax.posteriors.model.density import site_shapes
from scalejax.posteriors.model.nuts import Trace
from scalejax.posteriors.model.setup import set_up
from scalejax.posteriors.model.until_converged import Order, _kept, rounder
from scalejax.posteriors.priors import default_prior

TRUTH = {"E": 1.0, "A": 20.0, "alpha": 0.3}
X = np.logspace(3, 8, 40)


def power_runs(seed: int, noise: float = 0.01) -> sj.Runs:
    return sj.simulate(sj.laws.power_law, TRUTH, x=X, noise=noise, seed=seed)


@pytest.fixture(scope="module")
def posterior() -> sj.Posterior:
    return sj.sample("power_law", power_runs(1), likelihood="normal")


def test_it_recovers_the_truth_and_has_no_complaints(posterior):
    assert posterior.complaints == [] and posterior.sampler.divergences == 0
    for name, (low, high) in posterior.interval(0.998).items():
        assert low < TRUTH[name] < high
    assert abs(np.log(np.median(posterior.sites["sigma"]) / 0.01)) < 4 / np.sqrt(2 * len(X))
    rhat, bulk, _ = posterior.worst
    assert rhat <= 1.01 and bulk > len(posterior) / 2


def test_with_many_runs_it_agrees_with_least_squares(posterior):
    fit = sj.fit("power_law", power_runs(1), loss=sj.squared())
    errors = fit.errors("model")
    for name, value in fit.params.items():
        assert abs(posterior.center[name] - value) < 0.5 * errors[name]
        assert abs(posterior.standard_errors[name] / errors[name] - 1) < 0.25


def test_one_program_for_other_runs_of_similar_number(posterior):
    before = trace_counts()["nuts"]
    sj.sample("power_law", power_runs(2).take(np.arange(30)), likelihood="normal")
    assert trace_counts()["nuts"] == before


def test_a_new_run_scatters_more_than_the_mean(posterior):
    low, high = posterior.predict_interval(x=1e6)
    lower, higher = posterior.predict_interval(x=1e6, kind="run")
    sigma = np.median(posterior.sites["sigma"])
    assert lower < low and high < higher
    assert np.log(higher / lower) == pytest.approx(2 * 1.645 * sigma, rel=0.1)


@pytest.mark.slow
def test_a_tight_prior_moves_the_answer():
    moved = sj.sample("power_law", power_runs(1).take(np.arange(0, 40, 8)), likelihood="normal",
                      priors={"alpha": dist.LogNormal(np.log(0.4), 1e-3)})  # fmt: skip
    assert moved.center["alpha"] == pytest.approx(0.4, rel=0.01)
    assert "LogNormal(loc=-0.916, scale=0.001)" in repr(moved.priors)


def test_a_prior_beside_the_point_fit_rules():
    cut = sj.sample("power_law", power_runs(1), likelihood="normal", method="laplace", priors={"alpha": dist.Uniform(0.2, 0.28)})
    assert 0.27 < cut.center["alpha"] < 0.28


def test_chains_that_never_moved_are_not_trusted():
    moving = np.random.default_rng(0).standard_normal(2000)
    chains = Chains(np.zeros((2, 1000), bool), np.random.default_rng(1).standard_normal((2, 1000)), np.ones((2, 1000)))
    assert chains.complaints({"a": moving}) == []
    assert chains.complaints({"a": moving, "stuck": np.ones(2000)}) != []


def test_complaints_name_what_to_fix_and_never_what_is_set():
    rng = np.random.default_rng(0)
    slow = np.repeat(rng.standard_normal(20), 100)  # every value stays for a hundred draws
    values = {"A": slow, "alpha": slow + 0.01 * rng.standard_normal(2000), "E": rng.standard_normal(2000)}
    energy, steps, diverges = rng.standard_normal((2, 1000)), np.ones((2, 1000)), np.zeros((2, 1000), bool)
    complaints = Chains(diverges, energy, steps, 0.8, 5_000, 5_000).complaints(values)
    assert [(note.code, note.severity) for note in complaints] == [("not-mixed", "error"), ("few-draws", "warning")]
    said = " ".join(complaints)
    assert "after 5,000 gradients" in said and "Raise budget=" in said
    assert "fix A or alpha, which move together (correlation 1.00)" in said or "fix alpha or A" in said
    diverges = diverges | (np.arange(1000) == 3)
    (said,) = Chains(diverges, energy, steps, 0.998).complaints({"E": values["E"]})
    assert said.code == "divergent" and "diverged (0.1 %) at accept=0.998" in said and "Raise accept" not in said
    assert "Raise accept, to 0.99" in Chains(diverges, energy, steps, 0.8).complaints({"E": values["E"]})[0]
    (few,) = Chains(diverges[:, :150] & False, energy[:, :150], steps[:, :150]).complaints({"E": values["E"][:300]})
    assert "Ask for more draws" in few


def test_sampling_goes_on_within_its_budget_until_the_draws_are_enough():
    """A shallow ridge: 250 draws of two chains at small steps are too few, so that more are made, and kept ones spaced over all."""
    options = {"likelihood": "normal", "accept": 0.8, "chains": 2, "draws": 250, "warmup": 100}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.ConvergenceWarning)
        short = sj.sample("power_law", power_runs(1), **options, budget=1)
        longer = sj.sample("power_law", power_runs(1), **options)  # enough for 500 draws, and fewer than percentiles need, which is said
    assert short.sampler.gradients > 1 and len(short) == 500
    assert len(longer) == 500 and longer.sampler.gradients >= short.sampler.gradients
    assert longer.sampler.passed(longer.values)[0]


def test_kept_draws_are_spaced_evenly_and_forget_no_divergence():
    diverging = np.zeros((10, 1, 2), bool)
    diverging[3, 0, 1] = True
    trace = Trace(np.arange(20.0).reshape(10, 1, 2, 1), diverging, np.zeros((10, 1, 2)), np.ones((10, 1, 2)))
    z, sampler = _kept(trace, Order(2, 4, 1, (0.8,), 1, 0), 0.8, 20)
    assert z[:, 0].tolist() == [0, 6, 12, 18, 1, 7, 13, 19]
    assert sampler.diverging.tolist() == [[False] * 4, [False, True, False, False]]


def test_rounder_coordinates_are_the_same_places():
    rng = np.random.default_rng(0)
    z = (rng.standard_normal((500, 1, 2, 3)) @ np.array([[3.0, 0, 0], [2.9, 0.1, 0], [0, 0, 1]]).T).reshape(500, 1, 2, 3)
    place = Place(np.zeros((1, 3)), rng.standard_normal((1, 3, 3)), np.zeros((1, 3)))
    made, start = rounder(place, z)
    np.testing.assert_allclose(made.root[0] @ start[0, 1], place.root[0] @ z[-1, 0, 1], rtol=1e-9)
    at = np.linalg.solve(made.root[0], place.root[0] @ z.reshape(-1, 3).T)
    np.testing.assert_allclose(np.cov(at), np.eye(3), atol=0.1)


@pytest.mark.slow
def test_soiled_sweeps_mix():
    """Two of 24 runs diverged, at 7.5 and 11 nats: tails as long as theirs, but a law through all the other runs."""
    law, g = sj.laws.chinchilla, np.random.default_rng(3)
    N, D = np.tile(np.logspace(7, 9.5, 6), 4), np.repeat(np.logspace(9, 11, 4), 6)
    truth = law.published["besiroglu2024"]
    loss = np.asarray(law(N, D, **truth)) * np.exp(0.003 * g.standard_normal(24))
    loss[[4, 17]] = 7.5, 11.0
    drawn = sj.sample(law, {"N": N, "D": D, "loss": loss})
    assert drawn.complaints == [] and drawn.sites["nu"].min() > 1
    assert all(low < truth[name] < high for name, (low, high) in drawn.interval(0.998).items())


def test_a_line_of_runs_is_named():
    law, N = sj.laws.chinchilla, np.logspace(8.05, 10.1, 7)
    noise = np.exp(0.003 * np.random.default_rng(3).standard_normal(7))
    runs = {"N": N, "D": 20 * N, "loss": np.asarray(law(N, 20 * N, **law.published["besiroglu2024"])) * noise}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.ConvergenceWarning)
        drawn = sj.sample(law, runs, method="laplace", draws=100)
    assert "D = 20 N in all 7 runs" in repr(drawn) and "what the priors say, not the runs" in repr(drawn)


def test_the_coordinates_of_units_have_the_volume_they_claim():
    rng = np.random.default_rng(0)
    runs = {"x": np.tile(np.logspace(3, 6, 4), 3), "loss": rng.uniform(1, 2, 12), "run": np.repeat(["a", "b", "c"], 4)}
    with jax.enable_x64(True):
        setup = set_up("power_law", runs, groups="run")
        size = sum(int(np.prod(shape)) for shape in site_shapes(setup.model, setup.evidence).values())
        w = jax.numpy.asarray(0.3 * rng.standard_normal(size))
        at = np.asarray(unravel(setup.model, setup.evidence, np.arange(size))["unit_group"], int)

        def moved(e):
            sites, volume = transport(setup.model, (), setup.evidence, w.at[at].set(e))
            return sites["unit_group"], volume

        matrix, (_, volume) = jax.jacfwd(moved)(w[at])[0], moved(w[at])
    assert float(volume) == pytest.approx(np.linalg.slogdet(matrix)[1], abs=1e-9)


def test_groups_are_told_apart_by_value():
    x = np.tile(np.logspace(3, 7, 8), 3)
    loss = sj.simulate(sj.laws.power_law, TRUTH, x=x, noise=0.01)["loss"]
    fit = sj.fit("power_law", dict(x=x, loss=loss, day=np.repeat([20240101.0, 20240102.0, 20250601.0], 8)), by="day")
    assert fit.groups == ["20240101", "20240102", "20250601"]
    assert np.bincount(fit.request.group_of_row).tolist() == [8, 8, 8]


@pytest.mark.parametrize("bend", [-8.0, -0.3, 0.0, 0.05, 2.0])
def test_straight_coordinates_are_the_inverse_of_bent_ones(bend):
    y = np.linspace(-5, 5, 101)
    with jax.enable_x64(True):
        x, slope = (np.asarray(v) for v in warped(y, bend))
        back, inverse = (np.asarray(v) for v in unwarped(x, bend))
    assert (slope > 0).all()
    np.testing.assert_allclose(back, y, atol=1e-12)
    np.testing.assert_allclose(inverse * slope, 1.0)
    np.testing.assert_allclose(np.gradient(x, y)[45:56], slope[45:56], rtol=0.02 if abs(bend) < 1 else 2.0)


@pytest.mark.parametrize(("by", "louder"), [("half", 2), ("g", 3)])
def test_the_coordinates_of_groups_have_the_volume_they_claim(by, louder):
    """The law's groups and those of the noise, other ones or the same, at random places, precisions and bends."""
    rng, g = np.random.default_rng(0), np.repeat(["a", "b", "c"], 4)
    runs = {"x": np.tile(np.logspace(3, 6, 4), 3), "loss": rng.uniform(1, 2, 12), "g": g, "half": np.tile(["u", "v"], 6)}
    with jax.enable_x64(True):
        setup = set_up("power_law", runs, by="g", likelihood=sj.likelihoods.normal(by=by))
        size = sum(int(np.prod(shape)) for shape in site_shapes(setup.model, setup.evidence).values())
        w, others = jax.numpy.asarray(0.3 * rng.standard_normal(size)), size - 3 * 3 - louder
        groups = []
        for count, k in ((3, 3), (louder, 1)):
            root = rng.standard_normal((count, k, k))
            u, bend, pull, coupling = (rng.standard_normal(shape) for shape in ((count, k),) * 3 + ((count, k, others),))
            groups.append(Groups(u, bend, root @ root.swapaxes(1, 2), pull, coupling, rng.standard_normal(others)))

        def moved(e):
            sites, volume = transport(setup.model, tuple(groups), setup.evidence, w.at[others:].set(e))
            return jax.numpy.concatenate([sites[f"{name}_group"] for name in ("E", "A", "alpha", "sigma")]), volume

        matrix, (_, volume) = jax.jacfwd(moved)(w[others:])[0], moved(w[others:])
    assert [len(block) for block in setup.model.blocks] == [3, 1]
    assert float(volume) == pytest.approx(np.linalg.slogdet(matrix)[1], abs=1e-9)


def test_decisions_take_it():
    law = sj.laws.chinchilla
    rng = np.random.default_rng(0)
    N = np.exp(rng.uniform(np.log(4e7), np.log(1.6e10), 60))
    truth = law.published["besiroglu2024"]
    runs = sj.simulate(law, truth, N=N, D=N * np.exp(rng.uniform(np.log(2), np.log(200), 60)), noise=0.003, seed=3)
    drawn = sj.sample(law, runs)
    assert drawn.complaints == []
    assert all(low < truth[name] < high for name, (low, high) in drawn.interval(0.998).items())
    low, high = sj.allocate(drawn, compute=1e23).interval(0.998)["N"]
    assert low < sj.allocate((law, truth), compute=1e23).N < high


def test_default_priors_hold_the_plausible_range():
    prior = default_prior(sj.Positive(0.05, 1.5), None)
    mass = special.ndtr((np.log([0.05, 1.5]) - float(prior.loc)) / float(prior.scale))
    np.testing.assert_allclose(mass, [0.025, 0.975], atol=1e-4)


@pytest.mark.parametrize("scale", [2e-4, 1e-3, 2e-2])
def test_the_huber_density_integrates_to_one_and_is_sampled(scale):
    with jax.enable_x64(True):
        density = huber_density(0.0, scale, 1e-3)
        grid = np.linspace(0, 1e-3 + 40 * max(scale**2 / 1e-3, scale), 400_001)
        total = 2 * integrate.simpson(np.exp(np.asarray(density.log_prob(grid))), x=grid)
        draws = np.abs(np.asarray(density.sample(jax.random.key(0), (20_000,))))
        mean = 2 * integrate.simpson(grid * np.exp(np.asarray(density.log_prob(grid))), x=grid)
    assert total == pytest.approx(1.0, abs=1e-6)
    assert draws.mean() == pytest.approx(mean, abs=5 * draws.std() / np.sqrt(len(draws)))


@pytest.mark.slow
def test_groups_with_few_runs_borrow_from_the_rest():
    rng = np.random.default_rng(0)
    alphas, tables = 0.3 * np.exp(0.1 * rng.standard_normal(8)), []
    for g, alpha in enumerate(alphas):
        x = np.logspace(3, 7, 3 if g == 7 else 12)
        tables.append((x, sj.simulate(sj.laws.power_law, {**TRUTH, "alpha": alpha}, x=x, noise=0.01, seed=g)["loss"], [f"g{g}"] * len(x)))
    x, loss, group = (np.concatenate([t[i] for t in tables]) for i in range(3))
    drawn = sj.sample("power_law", dict(x=x, loss=loss, g=group), by="g", share=("E", "A"))
    assert drawn.worst[0] <= 1.01 and not drawn.complaints
    low, high = drawn.interval(0.998)["alpha"]
    assert ((low < alphas) & (alphas < high)).all()
    low, high = np.quantile(drawn.sites["alpha_spread"], [0.001, 0.999])
    assert low < np.std(np.log(alphas)) < high


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"likelihood": "cauchy"}, "likelihood='cauchy' is unknown"),
        ({"priors": {"alhpa": 1}}, "priors names 'alhpa', which is not sampled"),
        ({"priors": {"alpha": 0.3}}, "is not a NumPyro distribution"),
        ({"pool": "alpha"}, "say which column names the groups with by="),
        ({"priors": {"alpha": dist.Normal(0.3, 0.1)}}, "reaches beyond what 'alpha' can be"),
        ({"priors": {"alpha": dist.LogNormal(-1.0, 0.3)}, "bounds": {"alpha": (0.25, 0.35)}}, "reaches beyond what 'alpha' can be"),
        ({"draws": 0}, "must be 1 or more"),
        ({"accept": 0}, "accept=0 between 0 and 1"),
        ({"weights": -np.ones(40)}, "weights is negative or not finite"),
        ({"bounds": {"alpha": 1}}, "must give two numbers"),
        ({"likelihood": sj.likelihoods.normal(evaluation="se")}, "needs a column 'se'"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence):
    with pytest.raises(sj.ScalejaxError, match=sentence):
        sj.sample("power_law", power_runs(1), **arguments)
