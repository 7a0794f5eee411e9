"""Profile intervals: exact where theory is exact, true to their definition, and honest where an end does not exist."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax.core.numeric.batching import trace_counts
from scalejax.fitting.uncertainty.intervals import quantile_of
from scalejax.fitting.uncertainty.profiles.profile import profile


@sj.law(a=sj.Real(-5, 5), b=sj.Real(-5, 5), c=sj.Real(-5, 5))
def quadratic(x: float, *, a: float, b: float, c: float) -> float:
    """Linear in its parameters."""
    return a + b * x + c * x**2


def quadratic_runs(seed, n=25):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.5, 3.0, n)
    return sj.Runs({"x": x, "loss": 1.0 - 0.5 * x + 0.3 * x**2 + 0.1 * rng.standard_normal(n)})


def curve(seed=3, n=40, E=1.0, noise=0.01, top=9):
    return sj.simulate(sj.laws.power_law, {"E": E, "A": 20.0, "alpha": 0.3}, x=np.logspace(3, top, n), noise=noise, seed=seed)


def test_linear_least_squares_is_exact():
    """s^2 (X'X)^-1 with Student's quantile, as textbooks print it."""
    runs = quadratic_runs(0)
    fit = sj.fit(quadratic, runs, loss=sj.squared(), on="linear")
    X = np.stack([np.ones(25), runs["x"], runs["x"] ** 2], axis=1)
    estimate, rss, *_ = np.linalg.lstsq(X, runs["loss"], rcond=None)
    half = quantile_of(0.95, 22) * np.sqrt(np.diag(np.linalg.inv(X.T @ X)) * rss[0] / 22)
    for (low, high), point, h in zip(profile(fit, level=0.95).interval().values(), estimate, half, strict=True):
        assert (low, high) == pytest.approx((point - h, point + h), abs=1e-3 * h)


def test_sandwich_kind_is_the_sandwich_interval_where_the_profile_is_a_parabola():
    fit = sj.fit(quadratic, quadratic_runs(1), loss=sj.squared(), on="linear")
    for name, ends in profile(fit, kind="sandwich").interval().items():
        assert ends == pytest.approx(fit.interval()[name], abs=1e-3 * (ends[1] - ends[0]))


def test_ends_have_the_critical_rise():
    fit = sj.fit("power_law", curve(top=6, noise=0.02))
    p = profile(fit)
    for name in ("E", "alpha"):
        low, high = (np.log(end / fit.params[name]) for end in p.interval()[name])
        assert abs(high / low + 1) > 0.05  # asymmetric, also in the logarithm
    for end in p.interval()["alpha"]:
        held = sj.fit("power_law", fit.runs, fix={"alpha": end}, starts=64)
        assert held.objective - fit.objective == pytest.approx(p.threshold["alpha"], rel=1e-3)


@pytest.mark.parametrize("loss", [sj.huber(1e-3), sj.squared()])
def test_coverage(loss):
    tables = [curve(seed=100 + i) for i in range(200)]
    columns = {name: np.concatenate([t[name] for t in tables]) for name in ("x", "loss")}
    runs = sj.Runs({**columns, "sample": np.repeat(np.arange(200), 40).astype(str)})
    fit = sj.fit("power_law", runs, by="sample", loss=loss, starts=[{"E": 1.0, "A": 20.0, "alpha": 0.3}])
    low, high = profile(fit, "alpha").interval()["alpha"]
    assert low.shape == (200,)
    assert 0.84 <= np.mean((low < 0.3) & (high > 0.3)) <= 0.96


def test_an_end_that_does_not_exist_is_open():
    p = profile(sj.fit("power_law", curve(E=0.02, noise=0.05, top=5, seed=4)))
    low, high = p.interval()["E"]
    assert low == 0 and 0 < high < 20
    assert "open below" in repr(p)
    assert np.nanmax(p.rise["E"][p.grid["E"] < p.fit.params["E"]]) < p.threshold["E"]


def test_a_parameter_at_its_boundary_has_an_upper_end():
    runs = curve(E=0.0, seed=11)
    low, high = profile(sj.fit("power_law", runs), "E").interval()["E"]
    assert low == 0 and 0 < high < 0.5


def test_chinchilla_is_close_to_the_bootstrap(chinchilla_runs):
    fit = sj.fit("chinchilla", chinchilla_runs)
    p = profile(fit)
    draws = sj.bootstrap(fit, 1000, kind="cases").interval()
    assert p.failed == 0
    for name in ("alpha", "beta"):
        assert np.subtract(*p.interval()[name]) == pytest.approx(np.subtract(*draws[name]), rel=0.3)
    before = trace_counts()
    assert profile(fit, "alpha").interval()["alpha"] == pytest.approx(p.interval()["alpha"], rel=1e-5)
    profile(fit, ["E", "B"], 0.5)
    assert trace_counts() == before  # one program for all parameters, grids and levels


def groups():
    tables = [curve(seed=i, n=15, E=e, noise=0.005, top=8) for i, e in enumerate((0.5, 1.0, 2.0))]
    return sj.Runs({**{n: np.concatenate([t[n] for t in tables]) for n in ("x", "loss")}, "arch": np.repeat(["a", "b", "c"], 15)})


def test_groups_apart_equal_profiles_of_their_own():
    low, high = profile(sj.fit("power_law", groups(), by="arch")).interval()["E"]
    runs = groups()
    for i, name in enumerate("abc"):
        alone = profile(sj.fit("power_law", runs.where(runs["arch"] == name)), "E").interval()["E"]
        assert (low[i], high[i]) == pytest.approx(alone, rel=1e-4)


def test_joint_fit_is_exact_for_shared_parameters_and_those_of_groups():
    @sj.law(a=sj.Real(-5, 5), b=sj.Real(-5, 5))
    def line(x, *, a, b):
        """A straight line."""
        return a + b * x

    rng, second = np.random.default_rng(0), np.arange(24) % 2
    x = rng.uniform(1, 3, 24)
    runs = sj.Runs({"x": x, "loss": 1.0 + second + 0.5 * x + 0.1 * rng.standard_normal(24), "arch": np.array(["p", "q"])[second]})
    p = profile(sj.fit(line, runs, by="arch", share="b", loss=sj.squared(), on="linear"))
    X = np.stack([1 - second, second, x], axis=1)
    estimate, rss, *_ = np.linalg.lstsq(X, runs["loss"], rcond=None)
    half = quantile_of(0.9, 21) * np.sqrt(np.diag(np.linalg.inv(X.T @ X)) * rss[0] / 21)
    assert isinstance(p.low["b"], float) and p.grid["a"].shape[0] == 2 and "a[q]" in repr(p)
    np.testing.assert_allclose([*p.low["a"], p.low["b"]], estimate - half, atol=1e-3 * half.min())
    np.testing.assert_allclose([*p.high["a"], p.high["b"]], estimate + half, atol=1e-3 * half.min())


def test_ties_hold_both_and_bounds_are_the_edge():
    runs = quadratic_runs(2)
    tied = sj.fit(quadratic, runs, tie={"c": "b"}, loss=sj.squared(), on="linear")
    X = np.stack([np.ones(25), runs["x"] + runs["x"] ** 2], axis=1)
    estimate, rss, *_ = np.linalg.lstsq(X, runs["loss"], rcond=None)
    half = quantile_of(0.9, 23) * np.sqrt(np.linalg.inv(X.T @ X)[1, 1] * rss[0] / 23)
    assert profile(tied, "b").interval()["b"] == pytest.approx((estimate[1] - half, estimate[1] + half), abs=1e-3 * half)
    with pytest.raises(sj.FitError, match="profile 'b'"):
        profile(tied, "c")
    low, _ = profile(sj.fit(quadratic, runs, loss=sj.squared(), on="linear", bounds={"b": (-0.6, 0.6)}), "b", 0.999).interval()["b"]
    assert low == -0.6


def test_vector_entries():
    @sj.law(a=sj.Positive(0.1, 10, axis="target"), b=sj.Unit(), x=sj.Positive(1, 1e6))
    def several(x, *, a, b):
        """Losses on several targets that share an exponent."""
        return a * jnp.asarray(x)[..., None] ** -b

    runs = sj.simulate(several, {"a": np.array([1.0, 3.0]), "b": 0.3}, x=np.logspace(1, 5, 30), noise=0.01, seed=0)
    fit = sj.fit(several, runs, loss=sj.squared(), sizes={"target": 2})
    p = profile(fit)
    assert p.low["a"].shape == (2,)
    assert np.all((p.low["a"] < fit.params["a"]) & (fit.params["a"] < p.high["a"])) and "a[1]" in repr(p)


def test_a_lower_optimum_is_announced():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = sj.fit("power_law", curve(), solver=sj.LM(max_iterations=3), starts=[{"E": 0.5, "A": 3.0, "alpha": 0.1}])
    with pytest.warns(sj.ConvergenceWarning, match="below the fit's"):
        profile(fit, "alpha")


def test_bad_input():
    @sj.law(w=sj.Simplex(axis="source"), c=sj.Positive())
    def mixed(x, *, w, c):
        """A parameter whose entries depend on each other."""
        return c + (w[0] + 2 * w[1]) / x

    fit = sj.fit("power_law", curve(), fix={"E": 1.0})
    for names, sentence in (("alpa", "did you mean 'alpha'"), ("E", "was fixed"), ([], "names is empty")):
        with pytest.raises(sj.FitError, match=sentence):
            profile(fit, names)
    for arguments, sentence in (
        ({"level": 90}, "between 0 and 1"),
        ({"points": 2}, "at least 5"),
        ({"kind": "sandwch"}, "did you mean 'sandwich'"),
    ):
        with pytest.raises(sj.FitError, match=sentence):
            profile(fit, **arguments)
    runs = sj.simulate(mixed, {"w": np.array([0.4, 0.6]), "c": 1.0}, x=np.linspace(1, 5, 20), noise=0.01, seed=0)
    simplex = sj.fit(mixed, runs, sizes={"source": 2}, unidentified="warn", starts=64)
    with pytest.raises(sj.FitError, match=r"sj.bootstrap for it, and names=\['c'\]"):
        profile(simplex)
