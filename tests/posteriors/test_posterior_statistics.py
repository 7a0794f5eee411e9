"""Convergence, importance sampling and prior sensitivity against closed forms, brute force and arviz."""

import warnings

import numpy as np
import pytest
from scipy import stats

from scalejax.core.errors import FitError
from scalejax.posteriors.checks.convergence import bfmi, ess_bulk, ess_mean, ess_tail, split_rhat
from scalejax.posteriors.checks.psis import effective_size, khat_limit, loo, pareto_smooth, pseudo_bma_weights, stacking_weights
from scalejax.posteriors.checks.sensitivity import THRESHOLD, diagnose, power_scaling

STATISTICS = [split_rhat, ess_bulk, ess_tail, ess_mean]


def autoregressive(phi, shape, seed=0):
    """Stationary AR(1) chains of unit variance along axis 1."""
    x = np.random.default_rng(seed).standard_normal(shape)
    for t in range(1, shape[1]):
        x[:, t] = phi * x[:, t - 1] + np.sqrt(1 - phi**2) * x[:, t]
    return x


# --- convergence


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.9])
@pytest.mark.parametrize("ess", [ess_mean, ess_bulk])
def test_effective_size_of_autoregressive_chains(ess, phi):
    draws = autoregressive(phi, (4, 2000, 60))
    expected = 8000 * (1 - phi) / (1 + phi)
    assert np.mean(ess(draws)) == pytest.approx(expected, rel=0.05)


def test_tail_effective_size_of_autoregressive_chains():
    """Autocorrelations of the indicator X < q are known from the bivariate normal distribution."""
    phi, q = 0.8, stats.norm.ppf(0.05)
    joint = [stats.multivariate_normal.cdf([q, q], cov=[[1, phi**t], [phi**t, 1]]) for t in range(1, 60)]
    expected = 8000 / (1 + 2 * np.sum(np.array(joint) - 0.05**2) / (0.05 * 0.95))
    found = ess_tail(autoregressive(phi, (4, 2000, 60)))
    # The smaller of two estimates lies below either.
    assert 0.8 * expected < np.mean(found) < 1.02 * expected


@pytest.mark.parametrize("phi", [-0.6, 0.0, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_effective_size_against_its_definition(phi, seed):
    draws = autoregressive(phi, (2, 60), seed)
    x = np.concatenate([draws[:, :30], draws[:, 30:]])
    centred = x - x.mean(axis=1, keepdims=True)
    autocovariance = [np.mean(np.sum(centred[:, t:] * centred[:, : 30 - t], axis=1)) / 30 for t in range(30)]
    total = autocovariance[0] + np.var(x.mean(axis=1), ddof=1)
    rho = [1.0] + [1 - (autocovariance[0] * 30 / 29 - c) / total for c in autocovariance[1:]]
    tau, smallest = -1.0, np.inf
    for t in range(0, 28, 2):
        if t == 26 or rho[t] + rho[t + 1] <= 0:
            tau += max(rho[t], 0)
            break
        smallest = min(smallest, rho[t] + rho[t + 1])
        tau += 2 * smallest
    assert ess_mean(draws) == pytest.approx(120 / max(tau, 1 / np.log10(120)), rel=1e-10)


def test_bulk_sees_ranks_only():
    draws = autoregressive(0.6, (4, 300))
    assert ess_bulk(np.exp(5 * draws)) == ess_bulk(draws)
    assert ess_mean(np.exp(5 * draws)) != pytest.approx(ess_mean(draws), rel=0.1)


@pytest.mark.parametrize("decimals", [15, 1, 0])
@pytest.mark.parametrize("count", [200, 201])
def test_rhat_against_its_definition(count, decimals):
    draws = np.round(autoregressive(0.5, (3, count)) + np.array([[0.0], [0.3], [0.0]]), decimals)
    halves = np.concatenate([draws[:, : count // 2], draws[:, -(count // 2) :]])

    def rhat(x):
        z = stats.norm.ppf((stats.rankdata(x).reshape(x.shape) - 0.375) / (x.size + 0.25))
        n = x.shape[1]
        between, within = n * np.var(z.mean(axis=1), ddof=1), np.mean(np.var(z, axis=1, ddof=1))
        return np.sqrt(((n - 1) / n * within + between / n) / within)

    assert split_rhat(draws) == pytest.approx(max(rhat(halves), rhat(abs(halves - np.median(halves)))), rel=1e-12)


def test_rhat_finds_what_is_wrong():
    good = np.random.default_rng(0).standard_normal((4, 1000))
    shifted, wide, drifting = good.copy(), good.copy(), good + np.linspace(-1, 1, 1000)
    shifted[0] += 1
    wide[0] *= 3  # the centres agree: only the distances from the median tell
    assert split_rhat(good) < 1.01
    assert min(split_rhat(shifted), split_rhat(wide), split_rhat(drifting), split_rhat(drifting[:1])) > 1.05


def test_rhat_of_chains_that_stand_still_is_huge():
    assert split_rhat(np.repeat([[0.0], [1.0], [2.0]], 100, axis=1)) > 1e6


@pytest.mark.parametrize("statistic", STATISTICS)
def test_degenerate_draws_give_nan(statistic):
    draws = np.random.default_rng(0).standard_normal((4, 100, 5))
    draws[:, :, 1] = 0.1
    draws[2, 50, 2] = np.nan
    draws[2, 50, 3] = np.inf
    assert np.isnan(statistic(draws)).tolist() == [False, True, True, True, False]
    assert np.isnan(statistic(draws[:, :3])).all()
    assert np.isnan([statistic(draws[:, :, 1]), statistic(draws[:, :0, 0]), statistic(draws[:0, :, 0])]).all()
    assert isinstance(statistic(draws[:, :, 0]), float)
    assert statistic(draws[:, :, :0]).shape == (0,)
    with pytest.raises(FitError, match="chains and draws"):
        statistic(draws[0, :, 0])


@pytest.mark.parametrize("statistic", STATISTICS)
def test_quantities_do_not_meet(statistic):
    draws = autoregressive(0.3, (2, 50, 5, 9))
    together = statistic(draws)
    assert together.shape == (5, 9)
    assert together[3, 7] == statistic(draws[:, :, 3, 7])
    assert together[4, 8] == statistic(draws[:, :, 4, 8])


def test_tail_leaves_out_a_quantile_that_nothing_exceeds():
    draws = np.minimum(np.random.default_rng(0).standard_normal((4, 500)), 1.0)  # 16 % at the upper end
    low = draws <= np.quantile(draws, 0.05)
    assert ess_tail(draws) == pytest.approx(ess_mean(low), rel=1e-12)


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_energy_fraction_of_autoregressive_energies(phi):
    assert bfmi(autoregressive(phi, (3, 20000))) == pytest.approx(2 * (1 - phi) * np.ones(3), rel=0.06)
    assert np.isnan(bfmi([[1.0] * 10, [1.0, np.nan] * 5])).all()
    with pytest.raises(FitError, match="one row a chain"):
        bfmi(np.ones(5))


# --- importance sampling


@pytest.mark.parametrize("k", [0.2, 0.5, 0.9])
def test_tail_index_is_recovered(k):
    uniform = np.random.default_rng(1).uniform(size=(4000, 8, 16))
    tail = np.ceil(3 * np.sqrt(4000))
    shrunk = (tail * k + 5) / (tail + 10)  # prior: 10 ratios' worth of k = 1/2
    weights, khat = pareto_smooth(-k * np.log(uniform))
    assert khat.shape == (8, 16)
    assert np.mean(khat) == pytest.approx(shrunk, abs=0.03)
    assert np.exp(weights).sum(axis=0) == pytest.approx(np.ones((8, 16)), rel=1e-12)


def test_smoothing_keeps_the_order_and_the_body():
    ratios = np.random.default_rng(2).standard_normal(1000) * 2
    weights, _ = pareto_smooth(ratios)
    order = np.argsort(ratios)
    assert (np.diff(weights[order]) >= 0).all()  # equal where cut at the largest raw ratio
    body = order[: -int(np.ceil(3 * np.sqrt(1000)))]
    assert np.ptp((weights - ratios)[body]) < 1e-12


def test_the_smoothed_tail_is_generalized_pareto():
    ratios = np.random.default_rng(2).standard_normal(1000)
    weights, khat = pareto_smooth(ratios)
    order, length = np.argsort(ratios), int(np.ceil(3 * np.sqrt(1000)))
    excess = np.exp(weights[order[-length:]]) - np.exp(weights[order[-length - 1]])
    quantiles = stats.genpareto.ppf((np.arange(length) + 0.5) / length, khat)
    scale = excess[:-3] / quantiles[:-3]  # the last may be cut
    assert scale == pytest.approx(np.full(length - 3, scale[0]), rel=1e-8)


def test_smoothing_makes_estimates_better():
    """Exponential draws of rate 3 weighted to rate 1, whose mean is 1: ratios with k = 2/3, so without a variance."""
    x = np.random.default_rng(3).exponential(1 / 3, size=(1000, 400))
    raw = np.exp(2 * x) / np.exp(2 * x).sum(axis=0)
    smoothed = np.exp(pareto_smooth(2 * x)[0])
    errors = [np.mean((np.sum(w * x, axis=0) - 1) ** 2) for w in (raw, smoothed)]
    assert errors[1] < 0.95 * errors[0]


def test_degenerate_ratios():
    weights, khat = pareto_smooth(np.full(1000, 3.0))
    assert (khat, np.ptp(weights)) == (np.inf, 0.0)
    assert pareto_smooth(np.arange(20.0))[1] == np.inf  # a tail of 4
    assert np.isfinite(pareto_smooth(np.arange(21.0))[1])
    some = np.where(np.arange(1000) < 300, -np.inf, np.random.default_rng(0).standard_normal(1000))
    weights, khat = pareto_smooth(some)
    assert np.array_equal(weights == -np.inf, some == -np.inf)
    assert khat < 0.7
    for bad in (np.nan, np.inf):
        with pytest.raises(FitError, match="column 1"):
            pareto_smooth(np.array([[0.0, bad], [0.0, 0.0]]))
    with pytest.raises(FitError, match="positive"):
        pareto_smooth(np.zeros((10, 2)), r_eff=np.array([1.0, np.nan]))
    with pytest.raises(FitError, match="one for each column"):
        pareto_smooth(np.zeros((10, 2)), r_eff=np.ones(3))


def test_relative_efficiency_of_each_column():
    ratios = np.random.default_rng(4).standard_normal((1000, 40))
    r_eff = np.linspace(0.3, 1.5, 40)
    weights, khat = pareto_smooth(ratios, r_eff)
    alone = [pareto_smooth(column, r) for column, r in zip(ratios.T, r_eff, strict=True)]
    assert khat == pytest.approx(np.array([k for _, k in alone]), rel=1e-12)
    assert weights == pytest.approx(np.array([w for w, _ in alone]).T, rel=1e-12)
    assert len({pareto_smooth(ratios[:, 0], r)[1] for r in (0.3, 1.0, 1.5)}) == 3


def test_limit_and_effective_size():
    assert khat_limit(1000) == pytest.approx(2 / 3)
    assert khat_limit(10**6) == 0.7
    with pytest.raises(FitError, match="at least 2"):
        khat_limit(1)
    log_weights = np.array([[0.0, 700.0], [0.0, -np.inf], [0.0, 700.0]])
    assert effective_size(log_weights) == pytest.approx([3.0, 2.0])


@pytest.fixture(scope="module")
def normal_mean():
    """Observations with known variance 1, prior N(0, 4) of their mean, draws of the posterior, exact leave-one-out log densities."""
    y = np.random.default_rng(5).normal(1.0, 1.0, size=40)

    def posterior(data):
        precision = 1 / 4 + len(data)
        return data.sum() / precision, 1 / precision

    mean, variance = posterior(y)
    draws = stats.norm.ppf((np.arange(8000)[:, None] + 0.5) / 8000, mean, np.sqrt(variance))  # without Monte Carlo error
    exact = []
    for i in range(len(y)):
        mean, variance = posterior(np.delete(y, i))
        exact.append(stats.norm.logpdf(y[i], mean, np.sqrt(1 + variance)))
    return stats.norm.logpdf(y, draws, 1.0), np.array(exact)


def test_leave_one_out_of_a_normal_mean(normal_mean):
    log_likelihood, exact = normal_mean
    result = loo(log_likelihood)
    assert result.pointwise == pytest.approx(exact, abs=1e-3)
    assert result.elpd == pytest.approx(exact.sum(), abs=2e-3)
    assert result.se == pytest.approx(np.sqrt(40) * np.std(exact, ddof=1), rel=1e-3)
    assert (result.khat < khat_limit(8000)).all()
    fitted = np.log(np.exp(log_likelihood).mean(axis=0)).sum()
    assert result.p_loo == pytest.approx(fitted - exact.sum(), abs=2e-3)


def test_leave_one_out_names_an_outlier(normal_mean):
    log_likelihood = normal_mean[0].copy()
    draws = np.random.default_rng(6).normal(0, 1, size=8000)
    log_likelihood[:, 7] = stats.norm.logpdf(5.0, draws, 0.5)
    assert np.flatnonzero(loo(log_likelihood).khat > khat_limit(8000)).tolist() == [7]
    log_likelihood[0, 3] = -np.inf
    with pytest.raises(FitError, match="row 3"):
        loo(log_likelihood)


# --- weights of models


def test_stacking_two_models_in_closed_form():
    """A share f of observations has densities (a, b), the others (b, a): w = (f a - (1 - f) b)/(a - b), between 0 and 1."""
    a, b = 0.9, 0.2
    for n_first, n in ((30, 50), (25, 50), (45, 50), (3, 50)):
        f = n_first / n
        lpd = np.log(np.where(np.arange(n)[:, None] < n_first, [a, b], [b, a]))
        expected = np.clip((f * a - (1 - f) * b) / (a - b), 0, 1)
        assert stacking_weights(lpd) == pytest.approx([expected, 1 - expected], abs=1e-9)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 30.0, 3000.0])
@pytest.mark.parametrize("n, models", [(1, 3), (4, 20), (300, 1), (300, 8)])
def test_stacking_is_optimal(n, models, spread):
    rng = np.random.default_rng(7)
    lpd = spread * (rng.standard_normal((n, models)) + 0.3 * rng.standard_normal(models))
    lpd[:, -1] = np.where(np.arange(n) % 2, lpd[:, -1], -np.inf) if models > 1 else lpd[:, -1]
    w = stacking_weights(lpd)
    assert w.sum() == pytest.approx(1, abs=1e-14)
    assert (w >= 0).all()
    p = np.exp(lpd - lpd.max(axis=1, keepdims=True))
    gradient = np.mean(p / (p @ w)[:, None], axis=0)
    assert gradient.max() <= 1 + 1e-10
    assert np.abs(w * (1 - gradient)).max() <= 1e-10


def test_copies_share_their_weight():
    lpd = np.random.default_rng(8).standard_normal((100, 2))
    alone, copied = stacking_weights(lpd), stacking_weights(lpd[:, [0, 1, 1]])
    assert copied == pytest.approx([alone[0], alone[1] / 2, alone[1] / 2], abs=1e-5)


def test_pseudo_bma_weights():
    constant = np.array([[0.0, -0.02]]) - np.arange(50)[:, None]  # the same difference everywhere: no uncertainty
    assert pseudo_bma_weights(constant) == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))], rel=1e-9)
    noisy = constant + np.random.default_rng(9).standard_normal((50, 2))
    noisy -= noisy.mean(axis=0) - constant.mean(axis=0)
    weights = pseudo_bma_weights(noisy, 1)
    assert 0.5 < weights[0] < pseudo_bma_weights(constant)[0]  # the uncertainty pulls towards equal weights
    assert np.array_equal(weights, pseudo_bma_weights(noisy, 1))


@pytest.mark.parametrize("weigh", [stacking_weights, pseudo_bma_weights])
def test_densities_that_no_weights_can_be_made_of(weigh):
    with pytest.raises(FitError, match="one row an observation"):
        weigh(np.zeros(5))
    for bad in ([np.nan, 0.0], [np.inf, 0.0], [-np.inf, -np.inf]):
        with pytest.raises(FitError, match="row 1"):
            weigh([[0.0, 0.0], bad])


# --- sensitivity


def conjugate(prior_mean, prior_sd, y, sd, draws=20000):
    """Draws of the posterior of a normal mean, log prior, log likelihood, and the posterior for powers of both."""

    def posterior(prior=1.0, likelihood=1.0):
        a, b = prior / prior_sd**2, likelihood / sd**2
        return stats.norm((a * prior_mean + b * y) / (a + b), 1 / np.sqrt(a + b))

    x = posterior().rvs(draws, random_state=np.random.default_rng(10))
    return x, stats.norm.logpdf(x, prior_mean, prior_sd), stats.norm.logpdf(y, x, sd), posterior


def exact_distance(p, q, low, high):
    """The definition, on a grid between the smallest and the largest draw."""
    x = np.linspace(low, high, 20001)
    values = []
    for P, Q in ((p.cdf(x), q.cdf(x)), (p.sf(x), q.sf(x))):
        M = (P + Q) / 2
        values.append(np.sqrt(np.trapezoid(P * np.log2(P / M) + Q * np.log2(Q / M), x) / np.trapezoid(P + Q, x)))
    return max(values)


@pytest.mark.parametrize("delta", [0.01, 0.3])
@pytest.mark.parametrize("case", [(0.0, 1.0, 1.5, 0.7), (0.0, 0.3, 3.0, 1.0), (0.0, 5.0, 1.0, 0.5)])
def test_sensitivities_of_a_normal_mean(case, delta):
    x, log_prior, log_likelihood, posterior = conjugate(*case)
    found = power_scaling({"mean": x}, log_prior, log_likelihood, delta)["mean"]
    for name, value in zip(("prior", "likelihood"), found, strict=True):
        steps = (2.0**-delta, 2.0**delta)
        exact = np.mean([exact_distance(posterior(), posterior(**{name: a}), x.min(), x.max()) for a in steps]) / delta
        assert value == pytest.approx(exact, rel=0.06, abs=1e-3), name


def test_diagnoses_of_a_normal_mean():
    """A tight prior far from the data, one far wider than the data tell, and data that say next to nothing."""
    cases = {
        "prior and data disagree": (0.0, 0.3, 3.0, 0.3),
        "": (0.0, 100.0, 3.0, 0.3),
        "the prior decides": (0.0, 0.3, 1.0, 10.0),
    }
    for diagnosis, case in cases.items():
        x, log_prior, log_likelihood, _ = conjugate(*case, draws=4000)
        assert diagnose(*power_scaling({"mean": x}, log_prior, log_likelihood)["mean"]) == diagnosis


def test_sensitivity_does_not_know_units():
    x, log_prior, log_likelihood, _ = conjugate(0.0, 1.0, 1.5, 0.7, draws=2000)
    still = np.random.default_rng(11).standard_normal(2000)
    result = power_scaling({"x": x, "scaled": 7 - 1e9 * x, "constant": 0 * x, "unrelated": still}, log_prior, log_likelihood)
    assert result["scaled"] == pytest.approx(result["x"], rel=1e-6)
    assert result["constant"] == (0.0, 0.0)
    assert max(result["unrelated"]) < THRESHOLD / 2
    flat = power_scaling({"x": x}, np.zeros(2000), log_likelihood)["x"]
    assert flat == pytest.approx((0.0, result["x"][1]), abs=1e-9)


def test_sensitivity_refuses_bad_input():
    x = np.arange(100.0)
    with pytest.raises(FitError, match=r"log_likelihood has shape \(100, 2\)"):
        power_scaling({"x": x}, x, np.zeros((100, 2)))
    with pytest.raises(FitError, match="'x'"):
        power_scaling({"x": x[1:]}, x, x)
    with pytest.raises(FitError, match="1 draws"):
        power_scaling({"x": np.where(x == 3, np.nan, x)}, x, x)
    with pytest.raises(FitError, match="delta"):
        power_scaling({"x": x}, x, x, delta=0.0)


# --- arviz


@pytest.fixture(scope="module")
def arviz():
    """ArviZ's statistics of plain arrays, (chains, draws) or with an axis of observations in front, by the same names in 0.x and 1.x."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # announcements of a new major version
        import arviz
    return _Old(arviz) if int(arviz.__version__.split(".")[0]) < 1 else _New()


class _Old:
    """ArviZ 0.x."""

    digits, sensitive = 1e-9, 1e-8

    def __init__(self, module):
        self.rhat, self.ess, self.bfmi, self.psislw, self.module = module.rhat, module.ess, module.bfmi, module.psislw, module

    def whole(self, draws, r_eff):
        return draws

    def loo(self, log_likelihood):
        chains = self.module.from_dict(posterior={"x": np.zeros((4, 2000))}, log_likelihood={"y": log_likelihood.reshape(4, 2000, -1)})
        found = self.module.loo(chains, pointwise=True, reff=1.0)
        return found.loo_i.values, found.elpd_loo, found.p_loo, found.se * np.sqrt(40 / 39)  # the variance is divided by n

    def prior_sensitivity(self, x, log_prior, delta):
        data = self.module.from_dict(posterior={"x": x.reshape(4, -1)})
        data.add_groups(log_prior={"x": log_prior.reshape(4, -1)})
        return float(self.module.psens(data, component="prior", delta=delta)["x"])


class _New:
    """ArviZ 1.x, whose pointwise accuracies agree with 0.x to six digits."""

    digits, sensitive = 1e-6, 1e-5

    def __init__(self):
        from arviz_stats.base import array_stats

        self.rhat, self.bfmi, self.array = array_stats.rhat, array_stats.bfmi, array_stats

    def whole(self, draws, r_eff):
        """The next number of draws whose tail of min(draws/5, 3 sqrt(draws/r_eff)) is whole: 1.x rounds down, not up."""
        return next(n for n in range(max(draws, 226), 5000) if min(n / 5, 3 * np.sqrt(n / r_eff)).is_integer())

    def psislw(self, ratios, r_eff):
        return self.array.psislw(-ratios, r_eff)  # 1.x takes log likelihoods, the ratios' negatives

    def ess(self, draws, method):
        return self.array.ess(draws, method=method, prob=(0.05, 0.95) if method == "tail" else None)

    def loo(self, log_likelihood):
        import arviz

        draws = {"posterior": {"x": np.zeros((4, 2000))}, "log_likelihood": {"y": log_likelihood.reshape(4, 2000, -1)}}
        found = arviz.loo(arviz.from_dict(draws), pointwise=True, reff=1.0)
        return found.elpd_i.values, found.elpd, found.p, found.se

    def prior_sensitivity(self, x, log_prior, delta):
        import arviz

        data = arviz.from_dict({"posterior": {"x": x.reshape(4, -1)}, "log_prior": {"x": log_prior.reshape(4, -1)}})
        return float(arviz.psense(data, group="prior", alphas=(1 / (1 + delta), 1 + delta))["x"])


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.95])
@pytest.mark.parametrize("shape", [(2, 5), (4, 7), (2, 101), (4, 500)])
def test_arviz_agrees_on_convergence(arviz, shape, phi):
    draws = autoregressive(phi, shape)
    assert split_rhat(draws) == pytest.approx(float(arviz.rhat(draws)), rel=1e-10)
    assert ess_bulk(draws) == pytest.approx(float(arviz.ess(draws, method="bulk")), rel=1e-10)
    assert ess_mean(draws) == pytest.approx(float(arviz.ess(draws, method="mean")), rel=1e-10)
    if shape[1] > 100:  # in few draws an indicator may be constant: arviz takes its size to be that of all draws
        assert ess_tail(draws) == pytest.approx(float(arviz.ess(draws, method="tail")), rel=1e-10)
    assert bfmi(draws) == pytest.approx(arviz.bfmi(draws), rel=1e-10)


@pytest.mark.parametrize("r_eff", [0.4, 1.0])
@pytest.mark.parametrize("draws", [24, 300, 4000])
def test_arviz_agrees_on_smoothing(arviz, draws, r_eff):
    draws = arviz.whole(draws, r_eff)
    ratios = np.random.default_rng(12).standard_normal((draws, 5)) * [0.1, 1.0, 2.0, 5.0, 30.0]
    weights, khat = pareto_smooth(ratios, r_eff)
    expected, expected_khat = arviz.psislw(ratios.T.copy(), r_eff)
    assert weights == pytest.approx(expected.T, rel=1e-9, abs=1e-9)
    assert khat == pytest.approx(expected_khat, rel=1e-9)


def test_arviz_agrees_on_leave_one_out_and_sensitivity(arviz, normal_mean):
    log_likelihood = normal_mean[0]
    x, log_prior, single, _ = conjugate(0.0, 1.0, 1.5, 0.7, draws=10_000)  # whose tail, 3 sqrt(draws), is whole
    pointwise, elpd, p, se = arviz.loo(log_likelihood)
    ours = loo(log_likelihood)
    assert ours.pointwise == pytest.approx(pointwise, rel=arviz.digits)
    assert (ours.elpd, ours.p_loo) == pytest.approx((elpd, p), rel=arviz.digits)
    assert ours.se == pytest.approx(se, rel=arviz.digits)
    # Theirs steps from 1/(1 + delta) to 1 + delta.
    prior, _ = power_scaling({"x": x}, log_prior, single, np.log2(1.01))["x"]
    assert prior == pytest.approx(arviz.prior_sensitivity(x, log_prior, 0.01), rel=arviz.sensitive)
