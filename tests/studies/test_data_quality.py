"""Filtering, noisy and synthetic data, frequent concepts, collapse, few samples, pruning."""

from __future__ import annotations

import numpy as np
import pytest

import scalejax as sj
from scalejax import papers
from scalejax.zoo.mixtures.data_quality import effective_samples
from scalejax.zoo.mixtures.optimal_mixtures import effective_shares
from scalejax.zoo.scale.repetition import effective

LAWS = sj.laws
TMARS = LAWS.filtering_pool_code.published["tmars"]
BUCKET = 12.8e6


# Utility of filtered data


def test_utility_integrates_its_differential_equation():
    """dy/dn = -(y - d) b_k / n with b_k constant within an epoch."""
    values = {"a": 0.022, "b": 0.13106060606060607, "tau": 3.0, "d": 0.1}
    n = np.linspace(1e6, 9.95 * BUCKET, 500)
    n = n[np.abs(n / BUCKET - np.round(n / BUCKET)) > 1e-3]  # the slope jumps at the end of an epoch
    step = 1e-6 * n
    slope = (LAWS.filtering_utility(n + step, BUCKET, **values) - LAWS.filtering_utility(n - step, BUCKET, **values)) / (2 * step)
    faded = values["b"] * 0.5 ** (np.floor(n / BUCKET) / values["tau"])
    np.testing.assert_allclose(slope, -(LAWS.filtering_utility(n, BUCKET, **values) - values["d"]) * faded / n, rtol=1e-6)


def test_endless_utility_is_a_power_law():
    n = np.logspace(6.5, 9, 9)
    out = LAWS.filtering_utility(n, BUCKET, a=0.02, b=0.15, tau=1e12, d=0.1)
    np.testing.assert_allclose(out, LAWS.m2(n, y_inf=0.1, beta=(0.02 / 1e5) ** -0.15, c=0.15), rtol=1e-10)
    np.testing.assert_allclose(LAWS.filtering_effective_data(n, BUCKET, a=0.02, b=0.15, tau=1e9, d=0.1), out, rtol=1e-6)


def test_a_union_of_equal_buckets_is_one_larger_bucket_that_lasts_longer():
    n, p = np.logspace(7, 9, 7), 3
    union = LAWS.filtering_pool(n, BUCKET, np.ones(p), a=0.02, b=np.full(p, 0.1), tau=np.full(p, 2.0), d=0.1)
    np.testing.assert_allclose(union, LAWS.filtering_utility(n, p * BUCKET, a=0.02, b=0.1, tau=p * 2.0, d=0.1), rtol=1e-13)
    alone = LAWS.filtering_pool(n, BUCKET, np.eye(4)[1], **TMARS)
    one = {"a": TMARS["a"], "b": TMARS["b"][1], "tau": TMARS["tau"][1], "d": TMARS["d"]}
    np.testing.assert_allclose(alone, LAWS.filtering_utility(n, BUCKET, **one), rtol=1e-13)


def test_effective_samples_are_the_sum_over_epochs():
    n = np.array([0.3, 1.0, 2.7, 14.0])
    for total, found in zip(n, effective_samples(n, 1.0, 3.0), strict=True):
        ends = np.minimum(np.arange(16.0), total)
        assert float(found) == pytest.approx((np.diff(ends) * 0.5 ** (np.arange(15) / 3.0)).sum(), rel=1e-6)


@pytest.mark.slow
def test_buckets_are_recovered_from_noisy_curves():
    """Each bucket trained alone, a and d shared, as the paper sets it up; the choice of pool agrees with the truth."""
    n, i = (v.ravel() for v in np.meshgrid(np.geomspace(3e6, 4e8, 10), np.arange(3)))
    truth = {"a": 0.025, "d": 0.1, "b": np.array([0.16, 0.12, 0.085]), "tau": np.array([4.0, 8.0, 2.5])}
    error = LAWS.filtering_utility(n, BUCKET, a=0.025, d=0.1, b=truth["b"][i], tau=truth["tau"][i])
    runs = {"n": n, "m": np.full(30, BUCKET), "error": error * np.exp(0.001 * np.random.default_rng(0).normal(size=30)), "bucket": i}
    fit = sj.fit("filtering_utility", runs, by="bucket", share=("a", "d"), fix={"d": 0.1}, loss=sj.squared(), starts=32)
    np.testing.assert_allclose(fit.params["b"], truth["b"], rtol=0.05)
    found, true = ({name: p[name] for name in ("a", "b", "tau", "d")} for p in (fit.params, truth))
    budgets = [3.2e7, 6.4e8]
    np.testing.assert_array_equal(papers.best_pools(budgets, BUCKET, **found).count, papers.best_pools(budgets, BUCKET, **true).count)


def test_all_unions_contain_the_nested_ones_and_are_no_worse():
    budgets = np.geomspace(2e7, 1e10, 12)
    nested, every = (papers.best_pools(budgets, BUCKET, **TMARS, unions=kind) for kind in ("nested", "all"))
    assert every.unions.shape == (15, 4) and nested.unions.shape == (4, 4)
    assert (every.error.min(axis=1) <= nested.error.min(axis=1)).all()
    assert (nested.regret >= 0).all() and "best union" in repr(nested)
    assert (np.diff(nested.count) >= 0).all() and nested.count[0] < nested.count[-1]


@pytest.mark.parametrize(
    ("change", "match"),
    [({"b": [0.1]}, "one length"), ({"m": -1.0}, "positive"), ({"unions": "some"}, "nested"), ({"names": "ab"}, "names")],
)
def test_pools_of_nonsense_are_refused(change, match):
    with pytest.raises(sj.DecisionError, match=match):
        papers.best_pools(**{"n": 1e8, "m": BUCKET, **TMARS, **change})
    with pytest.raises(sj.DecisionError, match="unions"):
        papers.best_pools(1e8, BUCKET, a=0.02, b=np.full(13, 0.1), tau=np.ones(13), d=0.1, unions="all")


# Noisy, synthetic, frequent: equivalents


def test_the_cheapest_images_are_at_one_end():
    for cost_noisy, share in ((0.5, 0.1), (0.7, 1.0)):  # a noisy image is worth 1 / 1.5 = 0.667 of a clean one
        found = papers.cheapest_images(1e5, price=1.5, cost_clean=1.0, cost_noisy=cost_noisy)
        assert found.n_clean / (found.n_clean + found.n_noisy) == pytest.approx(share)
        assert found.n_clean + found.n_noisy / 1.5 == pytest.approx(1e5)
        for share in np.linspace(0.1, 1.0, 10):
            total = 1e5 / (share + (1 - share) / 1.5)
            assert found.cost <= total * (share + (1 - share) * cost_noisy) * (1 + 1e-12)
    with pytest.raises(sj.DecisionError, match="price"):
        papers.cheapest_images(1e5, price=0.5, cost_clean=1.0, cost_noisy=1.0)


def test_real_images_that_equal_synthetic_ones():
    """n_real = (a_real / a_syn)^(1/k_real) n_syn^(k_syn / k_real): no constant rate when exponents differ."""
    real, synthetic, n = {"beta": 8.0, "c": 0.3}, {"beta": 6.0, "c": 0.2}, np.logspace(5, 8, 4)
    found = sj.equivalent((LAWS.m1, real), "x", like=((LAWS.m1, synthetic), {"x": n}))
    np.testing.assert_allclose(found.value, (8.0 / 6.0) ** (1 / 0.3) * n ** (0.2 / 0.3), rtol=1e-9)


def test_points_more_take_exponentially_more_of_a_concept():
    values = {"b_0": 10.0, "b_1": 6.0}
    found = sj.equivalent((LAWS.concept_frequency, values), "f", like=LAWS.concept_frequency(100.0, **values) + 9.0)
    assert found.value == pytest.approx(100.0 * 10 ** (9 / 6), rel=1e-9)


def sum_of_powers(h, D):
    return 1.5 + (300.0 * (1e6 + h * D) ** -0.3).sum(axis=-1)


def additive_tokens(h, D):
    return LAWS.mixture_tokens(h, D, E=1.5, C=np.array([2.0, 2.0]), gamma=np.array([0.5, 0.5]), B=1e4, beta=0.4)


@pytest.mark.parametrize("inner", [sum_of_powers, additive_tokens])
def test_repetition_composes_with_any_law_on_the_simplex(inner):
    """Effective tokens and shares take the place of tokens and shares; with endless unique tokens nothing changes."""

    def repeated(share, D, U, R_star):
        h = np.array([share, 1 - share])
        total, shares = (np.asarray(v, dtype=float) for v in effective_shares(h, np.asarray(D), np.asarray(U), R_star))
        np.testing.assert_allclose(total * shares, [float(effective(x, u, R_star)) for x, u in zip(h * D, U, strict=True)], rtol=1e-5)
        return inner(shares, float(total))

    D, U = 1e11, (1e9, 1e12)
    fresh = inner(np.array([0.5, 0.5]), D)
    assert repeated(0.5, D, (1e15, 1e15), 15.0) == pytest.approx(fresh, rel=1e-6)
    assert repeated(0.5, D, U, 1e9) == pytest.approx(fresh, rel=1e-5)
    assert repeated(0.5, D, U, 15.0) > fresh
    share = np.linspace(0.02, 0.98, 49)
    plain = [inner(np.array([s, 1 - s]), D) for s in share]
    assert share[np.argmin([repeated(s, D, U, 15.0) for s in share])] <= share[np.argmin(plain)]


def test_intrinsic_dimension_and_label_sharpness():
    rng = np.random.default_rng(0)
    cube = rng.uniform(size=(1500, 3)) @ np.linalg.qr(rng.normal(size=(8, 3)))[0].T
    for method in ("mle", "two_nn"):
        assert papers.intrinsic_dimension(cube, method=method) == pytest.approx(3.0, rel=0.15)
    x, y = rng.normal(size=(60, 4)), rng.integers(0, 2, 60)
    pairs = [abs(y[i] - y[j]) / np.linalg.norm(x[i] - x[j]) for i in range(60) for j in range(i)]
    assert papers.label_sharpness(x, y) == pytest.approx(max(pairs), rel=1e-12)
    assert papers.label_sharpness(np.zeros((2, 1)), [0, 1]) == np.inf
    with pytest.raises(sj.DataError, match="points"):
        papers.intrinsic_dimension(cube[:5])
    with pytest.raises(sj.DataError, match="labels"):
        papers.label_sharpness(x, y[:5])


# Collapse


@pytest.mark.parametrize("beta", [1.5, 2.0, 3.0])
def test_the_sum_over_items_approaches_its_leading_terms(beta):
    found = papers.tail_constants(beta)
    T, k = np.array([1e3, 1e4]), np.array([1e2, 1e3])
    uncut = papers.tail_error(T, 2_000_000, beta, items=2_000_000)
    tail = found.B * 2e6 ** (1 - beta)  # items that the finite sum leaves out
    np.testing.assert_allclose(uncut, found.A * T**-found.c - tail, rtol=0.01)
    plateau = papers.tail_error(1e13, k, beta, items=2_000_000)
    np.testing.assert_allclose(plateau, found.B * k ** (1 - beta) - tail, rtol=0.01)
    np.testing.assert_allclose(plateau, LAWS.tail_cut(1e300, k, A=found.A, B=found.B, beta=beta) - tail, rtol=0.01)


def test_errors_that_do_not_exist_are_refused():
    with pytest.raises(sj.DecisionError, match="above 1"):
        papers.tail_constants(1.0)
    with pytest.raises(sj.DecisionError, match="T >= 0"):
        papers.tail_error(-1.0, 10, 2.0)


def test_lost_mass_grows_with_generations_within_the_linear_bound():
    """Each generation draws T_0 items from the frequencies of the one before: it loses at most what T_0 samples of real data miss."""
    rng, items, T_0 = np.random.default_rng(1), 20_000, 2_000
    p = np.arange(1.0, items + 1) ** -2.0
    p /= p.sum()
    chains = []
    for _ in range(8):
        q, lost = p, []
        for _ in range(6):
            counts = rng.multinomial(T_0, q)
            lost.append(p[counts == 0].sum())
            q = counts / T_0
        chains.append(lost)
    mean = np.mean(chains, axis=0)
    assert (np.diff(mean) > 0).all()
    assert (mean <= np.arange(1, 7) * mean[0] * 1.05).all()
    assert mean[0] == pytest.approx(papers.tail_error(float(T_0), items, 2.0, items=items).item(), rel=0.1)


def simulated_chain(lam, w, T, T_0, n, ridge, sigma, sigma_0, chains, seed=0):
    """Mean squared error of ridge regression on labels of n earlier least-squares fits, by simulation."""
    rng, errors = np.random.default_rng(seed), []
    for _ in range(chains):
        coefficients = w
        for _ in range(n):
            x = rng.normal(size=(T_0, len(lam))) * np.sqrt(lam)
            coefficients = np.linalg.lstsq(x, x @ coefficients + sigma_0 * rng.normal(size=T_0), rcond=None)[0]
        x = rng.normal(size=(T, len(lam))) * np.sqrt(lam)
        y = x @ coefficients + sigma * rng.normal(size=T)
        fitted = np.linalg.solve(x.T @ x + T * ridge * np.eye(len(lam)), x.T @ y)
        errors.append((lam * (fitted - w) ** 2).sum())
    return np.mean(errors), np.std(errors) / np.sqrt(chains)


@pytest.mark.parametrize(("ridge", "T", "n"), [(0.0, 200, 2), (0.02, 200, 0), (0.02, 60, 2), (0.2, 100, 3)])
def test_the_formula_of_collapsed_ridge_agrees_with_simulation(ridge, T, n):
    j = np.arange(1, 81)
    setting = {"T": T, "T_0": 300, "n": n, "ridge": ridge, "sigma": 0.3, "sigma_0": 0.5}
    lam, w = j**-1.2, np.sin(j) * j**-0.2
    mean, error = simulated_chain(lam, w, **setting, chains=60)
    assert papers.collapsed_ridge(lam, w, **setting).error == pytest.approx(mean, abs=3 * error + 0.02 * mean)


def test_collapse_without_a_penalty_is_the_law():
    found = papers.collapsed_ridge(np.ones(100), np.ones(100), 5000.0, 600.0, 3, ridge=0.0, sigma=1.0, sigma_0=0.5)
    law = LAWS.collapse_regression(5000.0, 600.0, 3.0, 100.0, sigma=1.0, sigma_0=0.5)
    assert found.error == pytest.approx(law, rel=1e-3) and found.bias == 0
    assert LAWS.collapse_regression(100.0, 600.0, 3.0, 100.0, sigma=1.0, sigma_0=0.5) == np.inf
    with pytest.raises(sj.DecisionError, match="penalty"):
        papers.collapsed_ridge(np.ones(10), np.ones(10), 5.0, 100.0, 1, ridge=0.0, sigma=1.0, sigma_0=1.0)


def test_the_law_of_collapse_is_exact_for_few_samples():
    setting = {"T": 20, "T_0": 30, "n": 2, "sigma": 1.0, "sigma_0": 0.7}
    mean, error = simulated_chain(np.linspace(0.5, 2.0, 8), np.ones(8), ridge=0.0, chains=2000, **setting)
    law = LAWS.collapse_regression(20.0, 30.0, 2.0, 8.0, sigma=1.0, sigma_0=0.7)
    assert law == pytest.approx(mean, abs=4 * error)
    limit = 8 / 12 + 2 * 0.49 * 8 / 22  # phi / (1 - phi), for many dimensions
    assert abs(limit - mean) > 4 * error


def test_generations_want_more_regularisation():
    j, ridges = np.arange(1, 201), np.geomspace(1e-4, 1.0, 60)
    at = {"T": 1e4, "T_0": 400.0, "sigma": 0.2, "sigma_0": 0.5}
    best = [ridges[np.argmin([papers.collapsed_ridge(j**-1.5, j**-0.5, n=n, ridge=r, **at).error for r in ridges])] for n in (0, 2, 10)]
    assert best[0] < best[1] < best[2]


# Few samples


def test_the_few_shot_law_is_the_quadratic_that_continues_as_its_tangent():
    A, alpha, q_2, n_s = 2.0, 0.4, -0.08, 60.0
    x, x_s = np.log(np.logspace(0, 4, 50)), np.log(n_s)
    q_1, q_0 = -alpha - 2 * q_2 * x_s, np.log(A) + q_2 * x_s**2
    quadratic = q_0 + q_1 * x + q_2 * x**2
    line = q_0 + q_1 * x_s + q_2 * x_s**2 + (q_1 + 2 * q_2 * x_s) * (x - x_s)
    out = LAWS.few_shot_power_law(np.exp(x), A=A, alpha=alpha, q_2=q_2, n_s=n_s)
    np.testing.assert_allclose(np.log(out), np.where(x <= x_s, quadratic, line), atol=1e-13)


def test_a_power_law_through_few_shots_asks_for_too_many_samples():
    truth = {"A": 4.0, "alpha": 0.5, "q_2": -0.06, "n_s": 100.0}
    n = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    runs = {"x": n, "loss": LAWS.few_shot_power_law(n, **truth)}
    needed = sj.equivalent((LAWS.few_shot_power_law, truth), "n", like=0.1).value
    assert needed == pytest.approx(1600.0, rel=1e-9)  # (4 / 0.1)^2
    line = sj.fit("m1", runs, starts=64)
    assert sj.equivalent((LAWS.m1, line.params), "x", like=0.1, bounds={"x": (1.0, 1e15)}).value > 10 * needed


def test_the_horizon_is_nearer_for_narrower_intervals():
    runs = sj.simulate(LAWS.m1, {"beta": 2.0, "c": 0.3}, x=np.logspace(0, 2, 12), noise=0.05, seed=1)
    fit = sj.fit("m1", runs, loss=sj.squared(), starts=64)
    curve = sj.derive(fit, fit.law, x=np.geomspace(1.0, 1e9, 257))
    limits = curve.interval(0.9)["value"]
    found = [sj.formulas.prediction_horizon(curve.x, *limits, widest=w, largest=100.0) for w in (1e-6, 0.1, 0.2, 10.0)]
    values = [h["x_max"] for h in found]
    assert values[0] == 1.0 and values[-1] == 1e9 and values[1] < values[2]
    assert found[1]["beyond"] == pytest.approx(np.log10(values[1] / 100.0))
    with pytest.raises(sj.DecisionError, match="input"):
        sj.derive(fit, fit.law, y=[1.0, 10.0])
    with pytest.raises(sj.DecisionError, match="bare"):
        sj.derive((LAWS.m1, {"beta": 2.0, "c": 0.3}), LAWS.m1, x=[1.0, 10.0]).interval()


# Pruning


def test_the_envelope_of_pruned_curves_steepens():
    """Every fraction has one exponent and a floor; the envelope's exponent passes that of random subsets and grows."""
    fractions = np.array([1.0, 0.6, 0.36, 0.216])
    P, f = (v.ravel() for v in np.meshgrid(np.logspace(3, 6, 10), fractions))
    i = np.searchsorted(-fractions, -f)
    table = {"x": P, "loss": 5.0 * 8.0**i * P ** -(0.3 + 0.3 * i), "f": f}
    fit = sj.fit("power_law", table, by="f", starts=64, unidentified="warn", fix={"E": 0.0})
    found = sj.derive(fit, sj.formulas.pruning_frontier, group=fit.groups, P=np.logspace(3, 6, 7), kept=fit.groups)
    assert (np.diff(found.kept) <= 0).all() and found.kept[0] == 1.0 and found.kept[-1] == 0.216
    assert (np.diff(found.exponent) >= -1e-6).all() and found.exponent[-1] == pytest.approx(1.2, abs=1e-3)
    assert set(found.interval()) == {"error", "kept", "exponent"} and "exponent" in repr(found)
    with pytest.raises(sj.DecisionError, match="positive"):
        sj.derive(fit, sj.formulas.pruning_frontier, group=fit.groups, P=[-1.0], kept=fit.groups)
    with pytest.raises(sj.DecisionError, match="a group for every kept fraction"):
        sj.derive(fit, sj.formulas.pruning_frontier, group=fit.groups[0], P=[1e3], kept=1.0)
