"""Which law to believe: leave-one-out and hold-outs against closed forms, the law that made the runs wins, mixtures keep their weights."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import scalejax as sj
from scalejax.comparison.compare import Comparison, compare, shares
from scalejax.comparison.holdout import holdout
from scalejax.core.numeric.batching import trace_counts

X = np.linspace(1, 2, 24)
WIDE = 20 / 3.92  # standard deviation of the default prior of Real(-10, 10)


@sj.law(a=sj.Real(-10, 10), b=sj.Real(-10, 10))
def growth(x, *, a, b):
    """A straight line for the logarithm: textbooks know the posterior."""
    return jnp.exp(a + b * x)


@sj.law(a=sj.Real(-10, 10), b=sj.Real(-10, 10))
def line(x, *, a, b):
    """A straight line."""
    return a + b * x


def grown(seed: int = 0) -> sj.Runs:
    return sj.simulate(growth, {"a": 0.5, "b": 1.0}, x=X, noise=0.2, seed=seed)


@pytest.fixture(scope="module")
def pair() -> dict[str, sj.Posterior]:
    """The law that made the runs, and one that sees no dependence on x (by its prior, so that both share a compiled program)."""
    import numpyro.distributions as dist

    priors = {"still": {"b": dist.Normal(0.0, 1e-3)}, "growth": {}}
    return {name: sj.sample(growth, grown(), likelihood="normal", priors=prior, level_prior=False) for name, prior in priors.items()}


@pytest.fixture(scope="module")
def compared(pair) -> Comparison:
    return compare(pair)


def log_evidence(y: np.ndarray, x: np.ndarray, prior: object) -> float:
    """log p(y) of a straight line: closed form given sigma, by quadrature over log sigma."""
    design = np.stack([np.ones_like(x), x], axis=1)
    u = np.linspace(np.log(0.03), np.log(2), 400)
    inner = [stats.multivariate_normal.logpdf(y, cov=np.exp(2 * s) * np.eye(len(y)) + WIDE**2 * design @ design.T) for s in u]
    inner = np.asarray(inner) + stats.norm.logpdf(u, float(prior.loc), float(prior.scale))
    return float(np.log(integrate.simpson(np.exp(inner - inner.max()), x=u)) + inner.max())


# --- compare


@pytest.mark.slow
def test_the_law_that_made_the_runs_wins(compared):
    assert compared.best == "growth"
    assert compared.weights["growth"] > 0.95 and compared.pseudo_bma["growth"] > 0.95
    assert sum(compared.weights.values()) == pytest.approx(1.0)
    first, second = compared.table().rows
    assert first[0] == "growth" and first[2] == "0.0" and float(second[2]) > 2 * float(second[3])
    assert "growth predicts best; every other law is behind" in repr(compared)


@pytest.mark.slow
def test_densities_are_of_the_output_itself(pair, compared):
    """p(y_i | the others) with the Jacobian of the logarithm, from marginal likelihoods in closed form."""
    y, prior = np.log(grown()["loss"]), pair["growth"].priors["sigma"]
    whole = log_evidence(y, X, prior)
    exact = np.asarray([whole - log_evidence(np.delete(y, i), np.delete(X, i), prior) for i in range(len(X))]) - y
    np.testing.assert_allclose(compared.lpd[:, 1], exact, atol=0.05)
    behind = exact - compared.lpd[:, 0]
    assert compared.ranking.difference[0] == pytest.approx(behind.sum(), abs=0.2)
    assert compared.ranking.se[0] == pytest.approx(np.sqrt(len(X)) * behind.std(ddof=1), rel=0.05)


def test_equal_laws_are_not_told_apart(pair):
    twice = compare({"one": pair["growth"], "two": pair["growth"]})
    assert twice.ranking.difference.tolist() == [0, 0]
    assert "do not tell it from two" in repr(twice)


def test_the_mixture_has_draws_of_every_law_by_its_weight(compared):
    lpd = np.log(np.where((np.arange(24) < 15)[:, None], [0.9, 0.2], [0.2, 0.9]))
    mixed = Comparison(compared.posteriors, compared.loo, lpd)
    weight = (15 / 24 * 0.9 - 9 / 24 * 0.2) / 0.7  # stacking of two laws in closed form
    assert mixed.weights["still"] == pytest.approx(weight, abs=1e-6)
    drawn = mixed.predict(x=2.0)  # exp(2.5) by growth, about exp(2) by still
    assert drawn.shape == (4000,)
    below = {name: np.mean(posterior.predict(x=2.0) < np.exp(2.25)) for name, posterior in compared.posteriors.items()}
    assert below["still"] > 0.99 > 0.01 > below["growth"]
    assert np.mean(drawn < np.exp(2.25)) == pytest.approx(weight * below["still"] + (1 - weight) * below["growth"], abs=1e-3)
    assert mixed.predict(x=X, kind="run").shape == (4000, 24)
    low, high = mixed.predict_interval(0.9, x=2.0)
    assert low == pytest.approx(np.quantile(drawn, 0.05)) and high == pytest.approx(np.quantile(drawn, 0.95))


def test_shares_add_up():
    for weights, total in (([1 / 3] * 3, 1000), ([0.999, 0.001], 100), ([1.0, 0.0], 7)):
        found = shares(weights, total)
        assert found.sum() == total and np.abs(found - np.multiply(weights, total)).max() <= 1


def test_posteriors_must_have_seen_the_same(pair):
    one = pair["growth"]
    runs = one.fit.runs
    other = runs.with_columns(loss=runs["loss"] * 1.01)
    moved = dataclasses.replace(one, fit=dataclasses.replace(one.fit, request=dataclasses.replace(one.request, runs=other)))
    with pytest.raises(sj.ScalejaxError, match="have seen different outputs; sample both from the same runs"):
        compare({"a": one, "b": moved})
    weight = one.evidence.weight * np.where(np.arange(len(one.evidence.weight)) == 3, 2.0, 1.0)
    with pytest.raises(sj.ScalejaxError, match="weigh the runs differently"):
        compare({"a": one, "b": dataclasses.replace(one, evidence=one.evidence._replace(weight=weight))})
    with pytest.raises(sj.ScalejaxError, match="'a' has seen 24 observations, 'b' 23"):
        weight = one.evidence.weight * (np.arange(len(one.evidence.weight)) != 3)
        compare({"a": one, "b": dataclasses.replace(one, evidence=one.evidence._replace(weight=weight))})
    with pytest.raises(sj.ScalejaxError, match="takes a mapping"):
        compare([one, one])


def test_inputs_of_the_mixture_have_names(compared):
    with pytest.raises(sj.ScalejaxError, match="No law of the comparison has an input 'z'"):
        compared.predict(x=1.0, z=2.0)


# --- holdout


def straight(n: int = 12) -> sj.Runs:
    x = np.linspace(1, 2, n)
    y = 1 + 2 * x + 0.3 * np.random.default_rng(0).standard_normal(n)
    return sj.Runs({"x": x, "loss": y, "name": np.asarray([f"r{i}" for i in range(n)])})


def test_point_fits_of_a_linear_law_are_exact():
    """Least squares: a left-out observation is Student's t around the prediction with the textbook's variance."""
    runs = straight()
    found = holdout(line, runs, groups="name", loss=sj.squared(), on="linear")
    x, y = runs["x"], runs["loss"]
    design = np.stack([np.ones_like(x), x], axis=1)
    for i in range(len(x)):
        kept = np.arange(len(x)) != i
        beta, rss, *_ = np.linalg.lstsq(design[kept], y[kept], rcond=None)
        nu = kept.sum() - 2
        variance = rss[0] / nu * (1 + design[i] @ np.linalg.inv(design[kept].T @ design[kept]) @ design[i])
        t = stats.t(nu, loc=design[i] @ beta, scale=np.sqrt(variance))
        assert found.lpd[i, 0] == pytest.approx(t.logpdf(y[i]), abs=1e-5)
        assert found.error[i, 0] == pytest.approx(y[i] - design[i] @ beta, abs=1e-5)
        assert found.pit[i, 0] == pytest.approx(t.cdf(y[i]), abs=1e-5)
    inside = np.mean(np.abs(found.pit[:, 0] - 0.5) <= 0.4)
    assert found.coverage(0.8) == {"line": pytest.approx(inside)}
    assert found.rmse["line"] == pytest.approx(np.sqrt(np.mean(found.error**2)))


def swept(n: int = 60) -> sj.Runs:
    rng, law = np.random.default_rng(0), sj.laws.chinchilla
    N = 10 ** rng.uniform(7, 10, n)
    runs = sj.simulate(law, law.published["besiroglu2024"], N=N, D=N * 10 ** rng.uniform(0.5, 2.2, n), noise=0.005, seed=1)
    return runs.with_columns(arch=rng.choice(list("abcd"), n))


def test_the_largest_runs_are_left_out_in_one_program():
    runs = swept()
    two = {"chinchilla": sj.laws.chinchilla, "kaplan": "kaplan"}
    found = holdout(two, runs, largest=0.25)
    compute = runs["N"] * runs["D"]
    assert sorted(found.rows) == sorted(np.argsort(compute)[-15:])
    assert found.best == "chinchilla" and found.weights["chinchilla"] > 0.95
    assert found.rmse["chinchilla"] == pytest.approx(0.005, rel=0.5) and found.rmse["kaplan"] > 0.02
    before = trace_counts()
    again = holdout(two, runs, largest=[0.1, 0.3], scale=lambda r: r["N"])
    by_arch = holdout(two, runs, groups="arch")
    assert trace_counts() == before
    assert again.splits == ("largest 10 %", "largest 30 %") and len(again.rows) == 6 + 18
    assert runs["N"][again.rows[:6]].min() > np.sort(runs["N"])[-7]
    assert sorted(by_arch.rows) == list(range(60)) and set(by_arch.splits) == {f"arch {k}" for k in "abcd"}
    assert all((runs["arch"][by_arch.rows[by_arch.split == k]] == name[-1]).all() for k, name in enumerate(by_arch.splits))
    assert "60 left-out observations, 4 splits, point fits. chinchilla predicts best" in repr(by_arch)
    assert len(by_arch.scores().rows) == 8 and "<table" in by_arch._repr_html_()


def test_equally_large_runs_are_left_out_together():
    runs = straight().with_columns(size=np.repeat([1.0, 2.0, 3.0], 4))
    found = holdout(line, runs, largest=0.1, scale="size", loss=sj.squared(), on="linear")
    assert sorted(found.rows) == [8, 9, 10, 11]


def test_runs_without_weight_are_neither_fitted_nor_scored():
    runs = straight()
    weight = np.where(np.arange(12) == 11, 0.0, 1.0)
    spoiled = runs.with_columns(loss=np.where(weight > 0, runs["loss"], 1e3))
    options = {"largest": 0.3, "scale": "x", "loss": sj.squared(), "on": "linear"}
    found, clean = holdout(line, spoiled, weights=weight, **options), holdout(line, runs.take(np.arange(11)), **options)
    assert sorted(found.rows) == sorted(clean.rows) == [8, 9, 10]
    np.testing.assert_allclose(found.lpd, clean.lpd, atol=1e-6)


def test_posteriors_predict_what_they_have_not_seen(pair):
    """Marginally exact: p(y_i | kept) from marginal likelihoods in closed form; the sampler's program is that of the whole runs."""
    before = trace_counts()["nuts"]
    found = holdout({"growth": growth}, grown(), largest=0.25, scale="x", method="nuts", likelihood="normal", level_prior=False)
    assert trace_counts()["nuts"] == before
    y, prior = np.log(grown()["loss"]), pair["growth"].priors["sigma"]
    kept = np.arange(18)
    base = log_evidence(y[kept], X[kept], prior)
    exact = [log_evidence(y[[*kept, i]], X[[*kept, i]], prior) - base - y[i] for i in found.rows]
    assert found.rows.tolist() == list(range(18, 24))
    np.testing.assert_allclose(found.lpd[:, 0], exact, atol=0.05)
    beta = np.polyfit(X[kept], y[kept], 1)
    np.testing.assert_allclose(found.error[:, 0], y[18:] - np.polyval(beta, X[18:]), atol=0.05)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "pass one"),
        ({"groups": "name", "largest": 0.2}, "pass one"),
        ({"largest": 1.5, "scale": "x"}, "must be a share of the runs between 0 and 1"),
        ({"largest": 0.2}, "pass scale="),
        ({"largest": 0.2, "scale": "name"}, "scale must give one finite number"),
        ({"groups": "nam"}, "no column 'nam'"),
        ({"groups": "name", "method": "guess"}, "method='guess' is unknown"),
        ({"groups": "half", "by": "half", "share": "a"}, "by='half' gives it parameters of its own"),
        ({"groups": "half", "by": "half"}, "by='half' without share="),
        ({"groups": "most"}, "only 2 observations are left for the 2 parameters"),
        ({"groups": "half", "weights": np.ones(3)}, "give one weight a run"),
        ({"groups": "half", "laws": {"a": 1}}, "takes a law, its name, or a mapping"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence):
    index = np.arange(12)
    runs = straight().with_columns(half=np.where(index < 6, "x", "y"), most=np.where(index < 10, "x", "y"))
    arguments = {"laws": line, "on": "linear", "loss": sj.squared(), **arguments}
    with pytest.raises(sj.ScalejaxError, match=sentence):
        holdout(arguments.pop("laws"), runs, **arguments)
