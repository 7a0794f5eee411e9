"""Every likelihood against known noise, counts, repeats, curves and groups: closed forms, simulated truth, the fit of the same loss."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special, stats

import scalejax as sj
from scalejax.posteriors.model.densities import replicated_normal
from scalejax.posteriors.model.setup import set_up

OPTIONS = {"priors": None, "on": "log", "fix": None, "tie": None, "bounds": None, "by": None, "share": (), "pool": None, "covariates": (),
           "weights": None, "sizes": None}  # fmt: skip
TRUTH = {"E": 1.0, "A": 20.0, "alpha": 0.3}
POWER = sj.laws.power_law


def columns(runs: sj.Runs, *names: str) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(runs[name]) for name in names)


def holds(posterior: sj.Draws, truth: dict[str, float], level: float = 0.998) -> bool:
    return all(low < truth[name] < high for name, (low, high) in posterior.interval(level).items() if name in truth)


# --- known evaluation errors, and the losses that belong to densities


@pytest.fixture(scope="module")
def measured() -> sj.Runs:
    """Runs that scatter by 1 %, every second one with an evaluation error of 10 % on top."""
    x, error = np.logspace(3, 8, 40), np.tile([0.001, 0.1], 20)
    runs = sj.simulate(POWER, TRUTH, x=x, noise=0.01, seed=4)
    return runs.with_columns(se=error, loss=runs["loss"] * np.exp(error * np.random.default_rng(5).standard_normal(40)))


def test_known_evaluation_errors_leave_the_rest_to_sigma(measured):
    posterior = sj.sample(POWER, measured, likelihood=sj.likelihoods.normal(evaluation="se"), method="laplace")
    x, loss, se = columns(measured, "x", "loss", "se")
    sigma = posterior.sites["sigma"]
    assert np.quantile(sigma, 0.001) < 0.01 < np.quantile(sigma, 0.999)
    assert abs(np.log(np.median(sigma) / 0.01)) < 4 / np.sqrt(2 * 20)  # as well as the 20 good runs tell it

    def line(x, E, A, alpha):
        return np.log(E + A * x**-alpha)

    spread = np.hypot(np.median(sigma), se)
    found, covariance = optimize.curve_fit(line, x, np.log(loss), list(TRUTH.values()), sigma=spread, absolute_sigma=True)
    for name, value, error in zip(TRUTH, found, np.sqrt(np.diag(covariance)), strict=True):
        assert abs(posterior.center[name] - value) < 0.3 * error
        assert abs(posterior.standard_errors[name] / error - 1) < 0.2


@pytest.mark.parametrize(
    ("likelihood", "loss"),
    [(sj.likelihoods.student_t(3.0), sj.student_t(3.0, 0.02)), (sj.likelihoods.huber(5e-3), sj.huber(5e-3))],
)
def test_the_likelihood_is_highest_at_the_fit_of_its_loss(likelihood, loss, measured):
    """With sigma = 0.02; Huber's optimum is the same at every sigma."""
    fit = sj.fit(POWER, measured, loss=loss, starts=64)
    with jax.enable_x64(True):
        setup = set_up(POWER, measured, likelihood=likelihood, **OPTIONS)

        @jax.jit
        @jax.value_and_grad
        def density(u):
            params = {name: value * jnp.exp(u[i]) for i, (name, value) in enumerate(fit.params.items())}
            return setup.model.log_density(params, {"sigma": 0.02}, setup.evidence).sum()

        top, slope = density(jnp.zeros(3))
        for step in 1e-4 * np.vstack([np.eye(3), -np.eye(3)]):
            beside, steep = density(jnp.asarray(step))
            assert beside < top
            assert np.abs(slope).max() < 1e-3 * np.abs(steep).max()  # so that the top is less than a millionth away


@pytest.mark.parametrize("likelihood", [sj.likelihoods.student_t(3.0), sj.likelihoods.huber(3e-3)])
def test_single_bad_runs_count_little(likelihood):
    runs = sj.simulate(POWER, TRUTH, x=np.logspace(3, 8, 40), noise=0.003, seed=1)
    spoilt = runs.with_columns(loss=runs["loss"] * np.where(np.arange(40) % 13 == 5, 1.3, 1.0))
    posterior = sj.sample(POWER, spoilt, likelihood=likelihood, method="laplace")
    clean = sj.fit(POWER, runs, loss=sj.squared())
    assert holds(posterior, TRUTH)
    assert all(abs(posterior.center[name] - value) < 2 * clean.errors("model")[name] for name, value in clean.params.items())
    assert set(posterior.sites) == {"sigma"}
    assert 0.001 < np.median(posterior.sites["sigma"]) < 0.01


# --- repeats of one configuration


def blocks(scale: np.ndarray, tau: float, configuration: np.ndarray) -> np.ndarray:
    return np.diag(scale**2) + tau**2 * (configuration[:, None] == configuration)


@pytest.fixture(scope="module")
def scattered() -> tuple[np.ndarray, ...]:
    """Residuals, scales, configurations and weights of 14 runs in 5 configurations, three of them of weight zero."""
    rng = np.random.default_rng(0)
    weight = np.ones(14)
    weight[[0, 5, 13]] = 0.0
    return rng.normal(0, 0.3, 14), rng.uniform(0.05, 0.4, 14), rng.integers(0, 5, 14), weight


@pytest.mark.parametrize("tau", [1e-9, 0.02, 0.3, 50.0])
def test_repeats_have_the_density_of_a_multivariate_normal(scattered, tau):
    r, scale, configuration, weight = scattered
    on = weight > 0
    covariance = blocks(scale, tau, configuration)[np.ix_(on, on)]
    exact = stats.multivariate_normal(cov=covariance).logpdf(r[on])
    with jax.enable_x64(True):
        density = replicated_normal(1.0 + 0 * r, scale, tau, configuration, weight)
        value = np.where(on, 1.0 + r, np.nan)  # what does not count may be anything
        joint, left_out = np.asarray(density.log_prob(value)), np.asarray(density.log_prob_left_out(value))
    assert joint[on].sum() == pytest.approx(exact, rel=1e-10)
    for place, row in enumerate(np.flatnonzero(on)):
        rest = np.delete(np.arange(on.sum()), place)
        others = stats.multivariate_normal(cov=covariance[np.ix_(rest, rest)]).logpdf(r[on][rest])
        assert left_out[row] == pytest.approx(exact - others, abs=1e-8)


def test_columns_have_misfits_of_their_own_and_weight_two_is_two_runs(scattered):
    r, scale, configuration, weight = scattered
    table, twice = np.stack([r, r[::-1]], axis=1), np.where(np.arange(14) == 3, 2.0, weight)
    again = np.append(np.arange(14), 3)
    with jax.enable_x64(True):
        both = replicated_normal(0 * table, scale[:, None], 0.2, configuration, weight[:, None]).log_prob(table)
        each = [replicated_normal(0 * r, scale, 0.2, configuration, weight).log_prob(c) for c in table.T]
        heavy = replicated_normal(0 * r, scale, 0.2, configuration, twice)
        repeated = replicated_normal(0 * r[again], scale[again], 0.2, configuration[again], weight[again])
        joint = [np.sum(np.asarray(w * d.log_prob(v))[w > 0]) for d, v, w in ((heavy, r, twice), (repeated, r[again], weight[again]))]
        alone = 2 * np.asarray(heavy.log_prob_left_out(r))[3]
        without = replicated_normal(0 * r, scale, 0.2, configuration, np.where(np.arange(14) == 3, 0.0, weight))
        rest = np.sum(np.asarray(without.log_prob(r))[(weight > 0) & (np.arange(14) != 3)])
    np.testing.assert_allclose(both, np.stack(each, axis=1), rtol=1e-12)
    assert joint[0] == pytest.approx(joint[1], rel=1e-12)
    assert alone == pytest.approx(joint[1] - rest, rel=1e-10)


@pytest.mark.parametrize(("sigma", "tau"), [(0.1, 0.0), (0.1, 1e-150), (1e-12, 0.1), (1e-60, 1e-60), (1e8, 1e8)])
def test_repeats_at_the_edges_of_their_parameters(sigma, tau):
    r, configuration = np.array([0.1, 0.1, -0.2, -0.2, 0.3]), np.array([0, 0, 1, 1, 2])
    with jax.enable_x64(True):

        @jax.jit
        @jax.value_and_grad
        def density(noise):
            return jnp.sum(replicated_normal(jnp.zeros(5), noise[0], noise[1], configuration).log_prob(r))

        value, slope = density(jnp.array([sigma, tau]))
    assert np.isfinite(value) and np.isfinite(slope).all()
    if tau < 1e-100 < sigma:
        assert value == pytest.approx(stats.norm(0, sigma).logpdf(r).sum(), rel=1e-12)
    if sigma < 1e-9 < tau:  # one draw of b for each configuration, and a deviation of exactly zero from the mean of every pair
        pairs = 2 * (-np.log(2 * np.pi * sigma**2) / 2 - np.log(2) / 2)
        assert value == pytest.approx(stats.norm(0, tau).logpdf([0.1, -0.2, 0.3]).sum() + pairs, rel=1e-9)


def test_simulated_repeats_share_their_misfit(scattered):
    _, scale, configuration, _ = scattered
    with jax.enable_x64(True):
        drawn = np.asarray(replicated_normal(np.arange(14.0), scale, 0.3, configuration).sample(jax.random.key(0), (40_000,)))
    exact = blocks(scale, 0.3, configuration)
    np.testing.assert_allclose(drawn.mean(0), np.arange(14), atol=5 * 0.5 / 200)
    np.testing.assert_allclose(np.cov(drawn.T), exact, atol=6 * np.diag(exact).max() / 200)


SEEDS, CONFIGURATIONS = 4, 10
REPEATS = sj.likelihoods.normal(replicates="config")


@pytest.fixture(scope="module")
def repeats() -> sj.Runs:
    """Four seeds of every configuration, 0.3 % apart, while the law misses configurations by 2 %."""
    misfit = np.repeat(0.02 * np.random.default_rng(3).standard_normal(CONFIGURATIONS), SEEDS)
    runs = sj.simulate(POWER, TRUTH, x=np.repeat(np.logspace(3, 8, CONFIGURATIONS), SEEDS), noise=0.003, seed=2)
    names = np.repeat([f"c{i}" for i in range(CONFIGURATIONS)], SEEDS)
    shuffled = np.random.default_rng(1).permutation(len(runs))
    return runs.with_columns(loss=runs["loss"] * np.exp(misfit), config=names).take(shuffled)


@pytest.fixture(scope="module")
def repeated(repeats) -> sj.Posterior:
    return sj.sample(POWER, repeats, likelihood=REPEATS, method="laplace")


def test_scatter_between_seeds_and_misfit_are_told_apart(repeated):
    sigma, tau = repeated.sites["sigma"], repeated.sites["tau"]
    assert abs(np.log(np.median(sigma) / 0.003)) < 4 / np.sqrt(2 * CONFIGURATIONS * (SEEDS - 1))
    assert abs(np.log(np.median(tau) / 0.02)) < 4 / np.sqrt(2 * CONFIGURATIONS)
    assert holds(repeated, TRUTH)


def test_seeds_are_no_independent_evidence(repeats, repeated):
    """With as many seeds everywhere, what the runs say of the law is what the means of the configurations say."""
    names = np.unique(repeats["config"])
    means = {name: np.array([np.exp(np.log(repeats[name])[repeats["config"] == c].mean()) for c in names]) for name in ("x", "loss")}
    of_means = sj.sample(POWER, means, likelihood="normal", method="laplace")
    for name in TRUTH:
        assert abs(repeated.center[name] - of_means.center[name]) < 0.2 * of_means.standard_errors[name]
        assert repeated.standard_errors[name] == pytest.approx(of_means.standard_errors[name], rel=0.1)


@pytest.mark.slow
def test_effects_of_units_are_those_of_configurations(repeats, repeated):
    """`sample(groups=)` samples the effects that `replicates=` integrates out: law, noise and spread are the same."""
    drawn = sj.sample(POWER, repeats, likelihood="normal", groups="config")
    assert drawn.complaints == [] and drawn.sites["unit"].shape == (len(drawn), CONFIGURATIONS)
    for name in TRUTH:
        assert abs(drawn.center[name] - repeated.center[name]) < 0.15 * repeated.standard_errors[name]
        assert drawn.standard_errors[name] == pytest.approx(repeated.standard_errors[name], rel=0.1)
    for mine, other in (("sigma", "sigma"), ("unit_spread", "tau")):
        np.testing.assert_allclose(*(np.quantile(p.sites[s], [0.05, 0.5, 0.95]) for p, s in ((drawn, mine), (repeated, other))), rtol=0.06)
    scatter = np.log(drawn.predict(x=1e6, kind="run") / drawn.predict(x=1e6))
    assert np.std(scatter) == pytest.approx(np.sqrt(np.mean(drawn.sites["sigma"] ** 2 + drawn.sites["unit_spread"] ** 2)), rel=0.06)
    assert "unit_spread" in drawn.noise().text() and "unit[" not in drawn.noise().text()
    assert drawn.label("unit", (0,)) == f"unit[{repeats['config'][0]}]"


@pytest.mark.parametrize(
    ("column", "options", "sentence"),
    [
        ("confg", {}, "did you mean 'config'"),
        ("row", {}, "differs between all rows"),
        ("same", {}, "is the same in all rows"),
        ("config", {"likelihood": "binomial"}, "is for measured outputs"),
        ("config", {"likelihood": REPEATS}, "leave one out"),
    ],
)
def test_groups_that_are_no_units_are_one_sentence(repeats, column, options, sentence):
    runs = repeats.with_columns(row=np.arange(float(len(repeats))), same=np.ones(len(repeats)), loss=repeats["loss"] / 100)
    with pytest.raises(sj.ScalejaxError, match=sentence):
        sj.sample(POWER, runs, groups=column, **options)


def test_a_new_run_is_of_a_new_configuration(repeated):
    scatter = np.log(repeated.predict(x=1e6, kind="run") / repeated.predict(x=1e6))
    expected = np.sqrt(np.mean(repeated.sites["sigma"] ** 2 + repeated.sites["tau"] ** 2))
    assert np.std(scatter) == pytest.approx(expected, rel=0.06)


def test_repeats_left_out_of_a_model_do_not_inform(repeats):
    """The model's density, padding and weights of zero included, against the multivariate normal of the runs that count."""
    weights = np.where(np.arange(len(repeats)) % 3 == 0, 0.0, 1.0)
    noise, on = {"sigma": 0.01, "tau": 0.03}, weights > 0
    with jax.enable_x64(True):
        setup = set_up(POWER, repeats, likelihood=REPEATS, **{**OPTIONS, "weights": weights})
        joint, left_out = (np.asarray(setup.model.log_density(TRUTH, noise, setup.evidence, other)) for other in (False, True))
    assert len(joint) > len(repeats)
    x, loss, config = (c[on] for c in columns(repeats, "x", "loss", "config"))
    r, covariance = np.log(loss / POWER(x, **TRUTH)), blocks(np.full(on.sum(), 0.01), 0.03, config)
    exact = stats.multivariate_normal(cov=covariance).logpdf(r)
    without = [stats.multivariate_normal(cov=np.delete(np.delete(covariance, i, 0), i, 1)).logpdf(np.delete(r, i)) for i in range(len(r))]
    assert joint.sum() == pytest.approx(exact, rel=1e-10)
    np.testing.assert_allclose(left_out[: len(repeats)][on], exact - np.array(without), rtol=1e-7)
    assert (left_out[len(repeats) :] == 0).all() and (left_out[: len(repeats)][~on] == 0).all()


def test_leave_one_out_is_given_the_other_repeats(repeats, repeated):
    draw = 7
    params = {name: values[draw] for name, values in repeated.params.items()}
    noise = {name: values[draw] for name, values in repeated.sites.items()}
    with jax.enable_x64(True):
        expected = np.asarray(repeated.model.log_density(params, noise, repeated.evidence, left_out=True))[: len(repeats)]
    np.testing.assert_allclose(repeated.log_likelihood[draw], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        ("missing", "replicates names 'missing', which is not a column with one value a run"),
        ("x", "Column 'x' differs between all runs, so that scatter between repeats and misfit of the law cannot be told apart"),
        ("one", "Column 'one' is the same in all runs"),
    ],
)
def test_repeats_that_tell_nothing(column, sentence):
    runs = sj.simulate(POWER, TRUTH, x=np.logspace(3, 8, 12), noise=0.01).with_columns(one=np.ones(12))
    with pytest.raises(sj.DataError, match=sentence):
        sj.sample(POWER, runs, likelihood=sj.likelihoods.normal(replicates=column))


# --- runs of different weight


def test_noise_of_a_new_run_falls_with_its_weight():
    """Errors of 0.05 (x/1000)^-0.35, weights 1/sigma^2: at x = 1e9 a new run scatters by 0.0004 and not as the runs do on the average."""
    x = np.logspace(3, 8, 40)
    sigma = 0.05 * (x / 1e3) ** -0.35
    runs = {"x": x, "loss": 1.5 + 20 * x**-0.3 + sigma * np.random.default_rng(5).standard_normal(40)}
    drawn = sj.sample(POWER, runs, likelihood="normal", on="linear", weights=1 / sigma**2, method="laplace")
    new = 0.05 * 1e6**-0.35
    scatter = drawn.predict(kind="run", x=1e9, weight=1 / new**2) - drawn.predict(x=1e9)
    assert np.std(scatter) == pytest.approx(new, rel=0.4)
    two = drawn.predict(kind="run", x=[1e3, 1e9], weight=[400.0, 1 / new**2]) - drawn.predict(x=[1e3, 1e9])
    assert np.std(two[:, 0]) == pytest.approx(0.05, rel=0.4) and np.std(two[:, 1]) == pytest.approx(np.std(scatter), rel=0.1)
    with pytest.raises(sj.FitError, match="pass weight="):
        drawn.predict(kind="run", x=1e9)


# --- groups of runs that scatter differently

LABS = {"careful": 0.002, "usual": 0.006, "quick": 0.03}
OWN = sj.likelihoods.student_t(30.0, by="lab")


@pytest.fixture(scope="module")
def labs() -> sj.Runs:
    """Twenty runs of each of three laboratories, and one of a fourth."""
    lab = np.append(np.repeat(list(LABS), 20), "new")
    x = np.append(np.tile(np.logspace(3, 8, 20), 3), 1e5)
    noise = np.array([LABS.get(name, 0.006) for name in lab]) * np.random.default_rng(2).standard_normal(61)
    return sj.read_runs({"x": x, "loss": POWER(x, **TRUTH) * np.exp(noise), "lab": lab})


@pytest.fixture(scope="module")
def own_noise(labs) -> sj.Posterior:
    return sj.sample(POWER, labs, likelihood=OWN, method="laplace")


def test_every_group_has_its_own_noise(own_noise):
    assert own_noise.complaints == [] and holds(own_noise, TRUTH)
    sigma = own_noise.sites["sigma"]
    assert sigma.shape == (len(own_noise), 4)
    for draws, truth in zip(sigma.T, LABS.values(), strict=False):
        assert abs(np.log(np.median(draws) / truth)) < 4 / np.sqrt(2 * 20)
    widths = np.diff(np.quantile(np.log(sigma), [0.05, 0.95], axis=0), axis=0)[0]
    assert widths[3] > 2 * widths[:3].max()  # a single run says little
    low, high = np.quantile(own_noise.sites["sigma_spread"], [0.01, 0.99])
    assert low < np.std(np.log(list(LABS.values()))) < high
    assert own_noise.label("sigma", (1,)) == "sigma[usual]" and own_noise.label("alpha") == "alpha"
    for table in (own_noise.noise(), own_noise.prior_sensitivity()):
        assert "sigma[careful]" in table.text() and "sigma[0]" not in table.text()


def test_groups_of_the_law_have_noise_of_their_own():
    """Noise of 0.001 and of 0.1: a new run of the quiet group is not as uncertain as one of the loud group."""
    x, arm = np.tile(np.logspace(3, 8, 20), 2), np.repeat(["quiet", "loud"], 20)
    noise = np.where(arm == "quiet", 0.001, 0.1) * np.random.default_rng(0).standard_normal(40)
    runs = {"x": x, "loss": POWER(x, **TRUTH) * np.exp(noise), "arm": arm}
    drawn = sj.sample(POWER, runs, by="arm", share=("E", "A", "alpha"), likelihood="normal", method="laplace")
    quiet, loud = (np.std(np.log(drawn.predict(kind="run", x=1e5, group=g) / drawn.predict(x=1e5, group=g))) for g in ("quiet", "loud"))
    assert quiet == pytest.approx(0.001, rel=0.4) and loud == pytest.approx(0.1, rel=0.4)


def test_runs_of_few_careful_groups_count_more(labs, own_noise):
    alike = sj.sample(POWER, labs, likelihood=sj.likelihoods.student_t(30.0), method="laplace")
    assert own_noise.standard_errors["alpha"] < 0.5 * alike.standard_errors["alpha"]
    assert own_noise.loo.elpd > alike.loo.elpd + 20


def test_a_new_run_scatters_as_its_group_does(own_noise):
    mean = own_noise.predict(x=1e6)
    for place, lab in enumerate(LABS):
        scatter = np.log(own_noise.predict(kind="run", x=1e6, lab=lab) / mean)
        assert np.std(scatter) == pytest.approx(np.sqrt(30 / 28 * np.mean(own_noise.sites["sigma"][:, place] ** 2)), rel=0.06)
    several = own_noise.predict(kind="run", x=np.array([1e4, 1e6]), lab=["quick", "careful"])
    assert np.std(np.log(several[:, 0])) > 5 * np.std(np.log(several[:, 1]))
    unknown = np.abs(np.log(own_noise.predict(kind="run", x=1e6) / mean))
    sites, rng = own_noise.sites, np.random.default_rng(0)
    drawn = sites["sigma_typical"] * np.exp(sites["sigma_spread"] * rng.standard_normal(len(mean)))
    expected = np.abs(drawn * stats.t(30).rvs(len(mean), random_state=rng))
    assert stats.ks_2samp(unknown, expected).pvalue > 1e-3


def test_a_mixture_of_laws_scatters_as_the_group_does(labs, own_noise):
    alike = sj.sample(POWER, labs, likelihood=sj.likelihoods.student_t(30.0), method="laplace")
    mixture = sj.compare({"own": own_noise, "alike": alike})
    assert mixture.weights["own"] > 0.99
    wide, narrow = (np.diff(mixture.predict_interval(kind="run", x=1e6, lab=lab))[0] for lab in ("quick", "careful"))
    assert wide > 5 * narrow and narrow > np.diff(mixture.predict_interval(x=1e6, lab="careful"))[0]
    with pytest.raises(sj.DataError, match="has an input 'lba'; did you mean 'lab'"):
        mixture.predict(kind="run", x=1e6, lba="quick")


def test_densities_are_those_of_the_own_noise(labs, own_noise, tmp_path):
    draw = 5
    x, loss, lab = columns(labs, "x", "loss", "lab")
    sigma = own_noise.sites["sigma"][draw][[[*LABS, "new"].index(name) for name in lab]]
    predicted = np.log(POWER(x, **{name: values[draw] for name, values in own_noise.params.items()}))
    np.testing.assert_allclose(own_noise.log_likelihood[draw], stats.t(30, predicted, sigma).logpdf(np.log(loss)), rtol=1e-9)
    own_noise.save(tmp_path / "posterior.npz")
    again = sj.load_posterior(tmp_path / "posterior.npz")
    assert again.model.likelihood == own_noise.model.likelihood
    np.testing.assert_array_equal(again.log_likelihood, own_noise.log_likelihood)


@pytest.mark.parametrize(
    ("likelihood", "sentence"),
    [
        (sj.likelihoods.normal(by="lba"), "by names 'lba', which is not a column with one value a run; did you mean 'lab'"),
        (sj.likelihoods.huber(by="x"), "by='x' is an input of the law"),
    ],
)
def test_impossible_noise_groups(labs, likelihood, sentence):
    with pytest.raises(sj.DataError, match=sentence):
        sj.sample(POWER, labs, likelihood=likelihood)


def test_a_group_that_has_no_noise(own_noise):
    with pytest.raises(sj.DataError, match="no group 'quik' with a noise of its own; did you mean 'quick'"):
        own_noise.predict(kind="run", x=1e6, lab="quik")


@pytest.mark.slow
def test_groups_of_the_law_and_of_the_noise_may_be_the_same(families):
    """Then group= names both, and a new group has new noise."""
    wide = np.where(families["family"] == "f0", 0.03, 0.0) * np.random.default_rng(0).standard_normal(len(families))
    runs = families.with_columns(loss=families["loss"] * np.exp(wide))
    likelihood = sj.likelihoods.normal(by="family")
    drawn = sj.sample(LAW, runs, likelihood=likelihood, method="laplace", fix=KNOWN, by="family", share="A")
    at = {"N": 1e9, "D": 2e10}
    for place, group in ((0, "f0"), (5, "f5")):
        scatter = np.log(drawn.predict(kind="run", group=group, **at) / drawn.predict(group=group, **at))
        assert np.std(scatter) == pytest.approx(np.sqrt(np.mean(drawn.sites["sigma"][:, place] ** 2)), rel=0.06)
    new = drawn.new_group()
    scatter = np.abs(np.log(new.predict(kind="run", **at) / new.predict(**at)))
    low, high = (np.median(drawn.sites["sigma"][:, place]) for place in (5, 0))
    assert 0.6745 * low < np.quantile(scatter, 0.75) < 0.6745 * high


# --- counts


@sj.law(middle=sj.Real(18, 26), slope=sj.Positive(0.1, 10), output="accuracy")
def accuracy(C, *, middle, slope):
    """Share of questions answered after C FLOPs: sigmoid(slope (log10 C - middle))."""
    return jax.nn.sigmoid(slope * (jnp.log10(C) - middle))


SHARES = {"middle": 21.5, "slope": 1.2}
TRIALS = 400


def counted(concentration: float | None, seed: int) -> sj.Runs:
    rng, C = np.random.default_rng(seed), np.logspace(19, 24, 40)
    p = special.expit(SHARES["slope"] * (np.log10(C) - SHARES["middle"]))
    p = p if concentration is None else rng.beta(p * concentration, (1 - p) * concentration)
    return sj.read_runs({"C": C, "accuracy": rng.binomial(TRIALS, p) / TRIALS, "trials": np.full(40, TRIALS)})


@pytest.mark.parametrize(("name", "concentration"), [("binomial", None), ("beta_binomial", 60.0)])
def test_an_accuracy_law_from_counts(name, concentration):
    posterior = sj.sample(accuracy, counted(concentration, 1), likelihood=name, method="laplace")
    assert holds(posterior, SHARES)
    assert "not part of these priors" in posterior.priors.note  # the median of shares of 0 and 1 is no level
    new = posterior.predict(kind="run", C=10**22.5, trials=100)
    share = special.expit(1.2)
    assert np.mean(new) == pytest.approx(share, abs=0.02)
    assert np.allclose(new * 100, np.round(new * 100))
    variance = share * (1 - share) / 100
    if concentration:
        found = posterior.sites["concentration"]
        assert np.quantile(found, 0.001) < concentration < np.quantile(found, 0.999)
        variance *= 1 + 99 / (np.median(found) + 1)
    assert np.var(new - posterior.predict(C=10**22.5)) == pytest.approx(variance, rel=0.12)


def test_binomial_counts_have_the_maximum_of_their_likelihood():
    """Many trials and little prior: medians and standard errors are those of logistic regression."""
    runs = counted(None, 2)
    posterior = sj.sample(accuracy, runs, likelihood="binomial", method="laplace")
    C, y = columns(runs, "C", "accuracy")
    design = np.stack([np.ones(len(C)), np.log10(C) - 21.5], axis=1)

    def minus(b):
        eta = design @ b
        return -TRIALS * np.sum(y * eta - np.logaddexp(0, eta))

    b = optimize.minimize(minus, [0.0, 1.0], tol=1e-12).x
    p = special.expit(design @ b)
    errors = np.sqrt(np.diag(np.linalg.inv(design.T * (TRIALS * p * (1 - p)) @ design)))
    assert abs(posterior.center["slope"] - b[1]) < 0.2 * errors[1]
    assert posterior.standard_errors["slope"] == pytest.approx(errors[1], rel=0.1)
    assert posterior.center["middle"] == pytest.approx(21.5 - b[0] / b[1], abs=0.2 * errors[0])


@pytest.mark.parametrize(
    ("trials", "sentence"),
    [
        (None, "The likelihood needs a column 'trials'"),
        (0.5, "must hold whole numbers of trials, 1 or more; it does not in rows 0, 1, 2, 3, 4 and 35 more"),
        (0.0, "must hold whole numbers of trials, 1 or more"),
    ],
)
def test_impossible_trials(trials, sentence):
    table = {name: counted(None, 1)[name] for name in ("C", "accuracy")}
    runs = sj.read_runs(table if trials is None else {**table, "trials": np.full(40, trials)})
    with pytest.raises(sj.DataError, match=sentence):
        sj.sample(accuracy, runs, likelihood="binomial")


# --- curves


@sj.law(E=sj.Positive(0.1, 10), A=sj.Positive(0.1, 1e3), alpha=sj.Positive(0.05, 1.5), t=sj.Positive(1, 1e6, axis="step"))
def curve(t, *, E, A, alpha):
    """Loss along a training run, one value for every number of steps t."""
    return E + A * t**-alpha


@pytest.mark.slow
def test_curves_of_different_lengths():
    rng, steps = np.random.default_rng(0), np.tile(np.logspace(2, 5, 12), (4, 1))
    loss = curve(steps, **TRUTH) * np.exp(0.01 * rng.standard_normal(steps.shape))
    ragged = [list(row[:length]) for row, length in zip(loss, (12, 12, 9, 5), strict=True)]
    posterior = sj.sample(curve, sj.read_runs({"t": steps, "loss": ragged}), likelihood="normal", method="laplace")
    assert holds(posterior, TRUTH)
    assert abs(np.log(np.median(posterior.sites["sigma"]) / 0.01)) < 4 / np.sqrt(2 * 38)
    assert posterior.log_likelihood.shape == (4000, 4)
    draw = 11
    at = {name: values[draw] for name, values in posterior.params.items()}
    short = stats.norm(np.log(curve(steps[3, :5], **at)), posterior.sites["sigma"][draw]).logpdf(np.log(loss[3, :5])).sum()
    assert posterior.log_likelihood[draw, 3] == pytest.approx(short, rel=1e-9)


# --- covariates of groups, and groups that no run is of

DEPTHS = np.array([6.0, 8.0, 12.0, 16.0, 20.0, 24.0, 32.0, 48.0])
LAW = sj.laws.chinchilla
KNOWN = {"E": 1.8, "B": 2000.0, "beta": 0.37}
SLOPE = 0.12  # of log alpha, for every standard deviation of the depths


def exponent(depth: np.ndarray | float) -> np.ndarray | float:
    return 0.34 * np.exp(SLOPE * (np.asarray(depth) - DEPTHS.mean()) / DEPTHS.std())


@pytest.fixture(scope="module")
def families() -> sj.Runs:
    """Ten runs of each of eight architectures, whose exponents rise with depth but for 2 %."""
    rng, tables = np.random.default_rng(0), []
    for g, depth in enumerate(DEPTHS):
        N = np.logspace(7, 10, 10)
        params = {**KNOWN, "A": 480.0, "alpha": float(exponent(depth) * np.exp(0.02 * rng.standard_normal()))}
        runs = sj.simulate(LAW, params, N=N, D=N * rng.uniform(5, 100, 10), noise=0.003, seed=g)
        tables.append({**{name: runs[name] for name in ("N", "D", "loss")}, "depth": np.full(10, depth), "family": [f"f{g}"] * 10})
    return sj.read_runs({name: np.concatenate([t[name] for t in tables]) for name in tables[0]})


def grouped(families: sj.Runs, **options) -> sj.Posterior:
    return sj.sample(LAW, families, likelihood="normal", method="laplace", fix=KNOWN, by="family", share="A", **options)


@pytest.fixture(scope="module")
def explained(families) -> sj.Posterior:
    return grouped(families, covariates="depth")


@pytest.fixture(scope="module")
def unexplained(families) -> sj.Posterior:
    return grouped(families)


@pytest.mark.slow
def test_a_covariate_explains_what_differs_between_groups(explained, unexplained):
    slope = explained.sites["alpha_slope"][:, 0]
    assert np.quantile(slope, 0.001) < SLOPE < np.quantile(slope, 0.999) and np.quantile(slope, 0.01) > 0
    spread, before = (np.median(p.sites["alpha_spread"]) for p in (explained, unexplained))
    assert 0.01 < spread < 0.04 < 0.08 < before < 0.25


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        ("one", "Covariate 'one' is the same in every group"),
        ("N", "Covariate 'N' must be one finite number a group; in group 'f0' it varies"),
        ("dpeth", "covariates names 'dpeth', which is not a column of numbers; did you mean 'depth'"),
    ],
)
def test_impossible_covariates(families, column, sentence):
    with pytest.raises(sj.ScalejaxError, match=sentence):
        grouped(families.with_columns(one=np.ones(len(families))), covariates=column)


@pytest.mark.slow
def test_a_new_group_follows_its_covariate(explained, unexplained):
    new = explained.new_group(depth=40.0)
    low, high = new.interval(0.98)["alpha"]
    assert low < exponent(40.0) < high
    seen = np.diff(np.log(np.asarray(explained.interval(0.98)["alpha"])), axis=0)[0]
    assert np.log(high / low) > 1.5 * seen.max()
    low, high = unexplained.new_group().interval(0.98)["alpha"]
    assert np.log(high / low) > 3 * np.log(np.divide(*new.interval(0.98)["alpha"][::-1]))  # nothing is known but that groups differ


@pytest.mark.slow
def test_a_new_group_is_drawn_from_the_population(explained):
    sites, z = explained.sites, (40.0 - DEPTHS.mean()) / DEPTHS.std()
    mean = np.log(sites["alpha_typical"]) + sites["alpha_slope"][:, 0] * z
    u = np.log(explained.new_group(seed=1, depth=40.0).params["alpha"])
    standard = (u - mean) / sites["alpha_spread"]
    assert stats.kstest(standard, "norm").pvalue > 1e-3
    new = explained.new_group(depth=40.0)
    np.testing.assert_allclose(new.params["A"], explained.params["A"])
    assert not np.array_equal(u, np.log(new.params["alpha"]))
    assert np.array_equal(explained.new_group(depth=40.0).theta, new.theta)


def test_a_new_group_is_what_decisions_and_predictions_take(explained):
    new = explained.new_group(depth=40.0)
    assert new.request.groups == [] and new.theta.shape == (2, 1, len(explained))
    loss = LAW(1e9, 2e10, **KNOWN, A=480.0, alpha=float(exponent(40.0)))
    low, high = new.predict_interval(0.98, N=1e9, D=2e10)
    assert low < loss < high
    wider = np.mean([new.predict_interval(0.98, N=1e9, D=2e10, kind="run", seed=s) for s in range(30)], axis=0)
    assert wider[0] < low and high < wider[1]
    scatter = np.log(new.predict(N=1e9, D=2e10, kind="run") / new.predict(N=1e9, D=2e10))
    rng, (typical, spread) = np.random.default_rng(0), (np.ravel(explained.sites[f"sigma_{name}"]) for name in ("typical", "spread"))
    noise = typical * np.exp(spread * rng.standard_normal((50, len(typical)))) * rng.standard_normal((50, len(typical)))
    assert np.median(np.abs(scatter)) == pytest.approx(np.median(np.abs(noise)), rel=0.06)  # each group has noise of its own
    alpha, beta = exponent(40.0), KNOWN["beta"]
    best = (alpha * 480.0 / (beta * KNOWN["B"])) ** (1 / (alpha + beta)) * (1e22 / 6) ** (beta / (alpha + beta))
    low, high = sj.allocate(new, compute=1e22).interval(0.98)["N"]
    assert low < best < high


def test_a_posterior_from_a_file_knows_its_covariates(explained, tmp_path):
    explained.save(tmp_path / "posterior.npz")
    again = sj.load_posterior(tmp_path / "posterior.npz")
    assert again.covariates == ("depth",)
    np.testing.assert_array_equal(again.new_group(depth=9.0).theta, explained.new_group(depth=9.0).theta)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "needs the covariates that the posterior was sampled with; give depth"),
        ({"dept": 3.0}, "got 'dept', which is not a covariate of this posterior; did you mean 'depth'"),
        ({"depth": np.nan}, "got depth=nan, which is not one finite number"),
        ({"depth": "deep"}, "got depth='deep', which is not one finite number"),
    ],
)
def test_impossible_new_groups(explained, given, sentence):
    with pytest.raises(sj.DataError, match=sentence):
        explained.new_group(**given)


@pytest.mark.slow
def test_groups_without_a_population(repeated, unexplained):
    with pytest.raises(sj.FitError, match="this posterior has none; sample with by="):
        repeated.new_group()
    own = replace(unexplained, model=replace(unexplained.model, pooled=()))
    with pytest.raises(sj.FitError, match="Every group has its own alpha, which come from no population"):
        own.new_group()


@pytest.mark.parametrize(
    ("likelihood", "noise", "cdf"),
    [
        (sj.likelihoods.normal(), {"sigma": 0.5}, lambda x: stats.norm.cdf(x, 1.0, 0.5)),
        (sj.likelihoods.normal(replicates="c"), {"sigma": 0.3, "tau": 0.4}, lambda x: stats.norm.cdf(x, 1.0, 0.5)),
        (sj.likelihoods.student_t(), {"sigma": 0.5, "nu": 3.0}, lambda x: stats.t.cdf(x, 3.0, 1.0, 0.5)),
        (sj.likelihoods.huber(0.3), {"sigma": 0.5}, lambda x: np.interp(x, GRID, huber_cdf(0.3, 0.5))),
        (sj.likelihoods.huber(3.0), {"sigma": 0.5}, lambda x: np.interp(x, GRID, huber_cdf(3.0, 0.5))),
    ],
    ids=["normal", "replicates", "student_t", "huber", "wide huber"],
)  # fmt: skip
def test_new_runs_are_drawn_from_the_density(likelihood, noise, cdf):
    drawn = likelihood.new({n: np.full(20_000, v) for n, v in noise.items()}, np.full(20_000, 1.0), {}, np.random.default_rng(0))
    assert stats.kstest(drawn, cdf).pvalue > 1e-3


@pytest.mark.parametrize("overdispersed", [False, True])
def test_new_counts_are_drawn_from_the_density(overdispersed):
    make = sj.likelihoods.beta_binomial if overdispersed else sj.likelihoods.binomial
    count = 20_000
    drawn = make().new(
        {"concentration": np.full(count, 5.0)}, np.full(count, 0.3), {"trials": np.full(count, 20.0)}, np.random.default_rng(0)
    )
    law = stats.betabinom(20, 1.5, 3.5) if overdispersed else stats.binom(20, 0.3)
    expected = count * law.pmf(np.arange(21))
    few = expected < 5
    seen = np.bincount(drawn, minlength=21)
    pairs = [np.append(v[~few], v[few].sum()) if few.any() else v for v in (seen, expected)]
    assert stats.chisquare(*pairs).pvalue > 1e-3


GRID = np.linspace(-20.0, 22.0, 200_001)


def huber_cdf(delta: float, sigma: float) -> np.ndarray:
    """Of the normalised Huber density about 1, summed on `GRID`."""
    a = np.abs(GRID - 1.0)
    density = np.exp(-np.where(a <= delta, a**2 / 2, delta * (a - delta / 2)) / sigma**2)
    return np.cumsum(density) / density.sum()
