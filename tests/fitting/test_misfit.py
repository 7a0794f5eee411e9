"""Laws with a misfit: a Gaussian process of the logarithms of the inputs beside the formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax.core.errors import FitError, LawError

LAW = sj.laws.power_law
TRUE = dict(E=1.5, A=20.0, alpha=0.3)
X = np.geomspace(1e3, 1e6, 31)


def bent(noise=0.001):
    """Runs of a power law that bends by 1 % over the range."""
    u = (np.log(X) - np.log(X).mean()) / (0.5 * np.ptp(np.log(X)))
    eps = noise * np.random.default_rng(0).standard_normal(len(X))
    return sj.read_runs({"x": X, "loss": LAW(X, **TRUE) * np.exp(0.01 * np.sin(3 * u) + eps)})


@pytest.fixture(scope="module")
def fitted():
    return sj.fit(LAW, bent(), misfit=0.01, fix=TRUE, loss=sj.squared())


def process(fit, size, sigma, at):
    """Mean and variance at logarithms `at` of the process with knots, by the textbook's formulas with matrices of all runs."""
    knots = fit.params["knots"]
    middle, reach, places = knots[0], knots[1], knots[2 : 2 + len(fit.params["misfit"])]

    def kernel(a, b):
        return np.exp(-0.5 * (a[:, None] - b) ** 2)

    u, v = (np.log(X) - middle) / reach, (at - middle) / reach
    inner = np.linalg.inv(kernel(places, places) + 1e-8 * np.eye(len(places)))
    among, cross, own = (size**2 * kernel(a, places) @ inner @ kernel(places, b) for a, b in ((u, u), (v, u), (v, v)))
    gain = cross @ np.linalg.inv(among + sigma**2 * np.eye(len(u)))
    y = np.log(fit.observed / LAW(X, **TRUE))
    return gain @ y, np.diag(own - gain @ cross.T)


def test_with_a_known_law_it_is_the_regression_of_a_gaussian_process(fitted):
    at = np.log(np.geomspace(2e3, 5e6, 7))
    sigma = np.sqrt(fitted.request.penalty_weight[0])
    mean, variance = process(fitted, 0.01, sigma, at)
    np.testing.assert_allclose(np.log(fitted.predict(x=np.exp(at)) / LAW(np.exp(at), **TRUE)), mean, rtol=1e-6, atol=1e-9)
    covariance = fitted.curvature[0].model_covariance
    with jax.enable_x64(True):
        basis = np.asarray(jax.jacobian(lambda m: log_law(fitted, at, m))(jnp.asarray(fitted.params["misfit"])))
    scale = fitted.request.layout.slots[0].domain.scale
    found = np.einsum("ni,ij,nj->n", basis, covariance * scale**2, basis)
    np.testing.assert_allclose(found, variance, rtol=1e-5, atol=1e-12)


def log_law(fit, at, misfit):
    values = {**{k: v for k, v in fit.params.items() if k != "misfit"}, "misfit": misfit}
    return jnp.log(fit.law.function(jnp.exp(jnp.asarray(at)), **values))


def test_far_from_the_runs_it_fades(fitted):
    far = np.array([1e14, 1e-5])
    np.testing.assert_allclose(fitted.predict(x=far), LAW(far, **TRUE), rtol=1e-4)


def test_a_law_that_bends_is_told_from_its_misfit():
    """Without it the residuals follow each other; with it they are noise, and what the law holds in the middle is right."""
    plain, with_it = (sj.fit(LAW, bent(), misfit=size, loss=sj.squared()) for size in (False, True))
    assert not plain.verdict.good and with_it.verdict.good
    assert np.std(with_it.residuals) < 0.0012 < np.std(plain.residuals)
    assert with_it.interval(0.9)["alpha"] == with_it.interval(0.9, "model")["alpha"]  # whatever its residuals have in common
    low, high = with_it.interval(0.9)["alpha"]
    assert low < TRUE["alpha"] < high


@pytest.mark.slow
def test_the_posterior_agrees_with_the_fit():
    runs = bent(0.003)
    fit = sj.fit(LAW, runs, misfit=True, loss=sj.squared())
    posterior = sj.sample(LAW, runs, misfit=True, likelihood="normal", draws=500)
    x = np.geomspace(2e3, 5e5, 5)
    np.testing.assert_allclose(np.median(posterior.predict(x=x), axis=0), fit.predict(x=x), rtol=0.002)
    assert "knots" not in str(posterior) and "knots" not in str(fit) and "misfit[9]" in str(fit)


def test_pictures_and_tables_leave_the_knots_out(fitted):
    ax = sj.plot.intervals({"Laplace": sj.laplace(fitted, 50)})
    labels = [label.get_text().split(" ")[0] for label in ax.get_yticklabels()]
    assert labels == [*TRUE, *(f"misfit[{i}]" for i in range(10))] and "knots" not in str(fitted)


def test_a_bootstrap_does_not_know_the_prior(fitted):
    with pytest.raises(FitError, match="its intervals would be too narrow"):
        sj.bootstrap(fitted, 20)


def test_it_is_kept_on_disk(tmp_path, fitted):
    fitted.save(tmp_path / "fit.json")
    again = sj.load_fit(tmp_path / "fit.json")
    assert again.law == fitted.law and again.law.domains == fitted.law.domains
    assert again.predict(x=3e4) == fitted.predict(x=3e4)


def test_fits_of_other_runs_share_the_programs(fitted):
    law = sj.fit(LAW, bent(0.002), misfit=0.02, fix=TRUE, loss=sj.squared()).law
    assert law == fitted.law  # laws that are equal have one program


@pytest.mark.filterwarnings("ignore:Column 'D' is")
@pytest.mark.parametrize(
    ("law", "columns", "options", "error", "match"),
    [
        (LAW, {"x": X[:5], "loss": X[:5] ** -0.1}, {"misfit": True}, FitError, "takes 6 different runs or more, and there are 5"),
        ("additive", {"x": np.r_[0.0, X], "loss": np.r_[2.0, 1 + X**-0.1]}, {"misfit": True}, FitError, "'x' is 0 in some runs"),
        (LAW, {"x": X, "loss": X**-0.1}, {"misfit": -1.0}, FitError, "must be True or a positive number"),
        (LAW, {"x": X, "loss": X**-0.1}, {"misfit": "yes"}, FitError, "must be True or a positive number"),
        (LAW, {"x": X, "loss": X**-0.1}, {"misfit": True, "on": "logit"}, FitError, "no recipe=, prior= or misfit="),
        ("chinchilla", {"N": X, "D": 0 * X + 1e9, "loss": X**-0.1}, {"misfit": True, "unidentified": "warn"}, FitError, "one value of 'D'"),
        ("mixture_linear", {"h": np.full((8, 2), 0.5), "loss": X[:8]}, {"misfit": True}, LawError, "'h' of law 'mixture_linear' is not"),
    ],
)
def test_bad_input(law, columns, options, error, match):
    law = sj.law(E=sj.Positive(0.1, 5), x=sj.Positive(1, 1e6, zero=True))(lambda x, *, E: E + 1 / (1 + x)) if law == "additive" else law
    with pytest.raises(error, match=match):
        sj.fit(law, columns, **options)
