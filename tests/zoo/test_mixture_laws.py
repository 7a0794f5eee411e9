"""Mixture laws and what is built on them: identities, limits, tables of runs, recommendation, regression, solvers."""

import csv

import numpy as np
import pytest
from scipy.optimize import minimize

import scalejax as sj
from benchmarks import domain_laws
from scalejax import studies
from scalejax.studies.mixtures.bootstrap import mixture_counts
from scalejax.zoo.mixtures.optimal_mixtures import effective_shares

LAWS = sj.laws
RNG = np.random.default_rng(0)
H = RNG.dirichlet(np.ones(3), 24)
N, D = np.geomspace(1e8, 1e10, 24), np.geomspace(2e11, 2e9, 24)
SITE = {"E": 1.5, "C": np.array([2.0, 3.0, 4.0]), "gamma": np.array([0.3, 0.4, 0.8])}
SIZE = {"A": 400.0, "alpha": 0.35, "B": 2000.0, "beta": 0.37}
FACTORS = {"CA": np.full(3, 400.0), "gammaA": 1.0, "CB": np.full(3, 2000.0), "gammaB": 1.0}
WEB, CODE = {"c": 2.0, "t": np.array([-2.0, 0.3, 0.0])}, {"c": 1.0, "t": np.array([0.2, -3.0, 0.0])}


def mixing(h):
    return LAWS.data_mixing_m4(h, **WEB), LAWS.data_mixing_m4(h, **CODE)


def table(h=H):
    web, code = mixing(h)
    return {"a": h[:, 0], "b": h[:, 1], "c": h[:, 2], "on_web": web, "on_code": code}


# Laws


def test_full_with_equal_exponents_is_joint_and_joint_with_equal_factors_is_additive():
    joint = LAWS.mixture_joint(H, N, D, **SITE, **FACTORS, alpha=0.35, beta=0.37)
    np.testing.assert_allclose(joint, LAWS.mixture_additive(H, N, D, **SITE, **SIZE), rtol=1e-13)
    exponents = {"Calpha": np.full(3, 0.35), "gamma_alpha": 1.0, "Cbeta": np.full(3, 0.37), "gamma_beta": 1.0}
    np.testing.assert_allclose(LAWS.mixture_full(H, N, D, **SITE, **FACTORS, **exponents), joint, rtol=1e-13)


def test_the_linear_form_is_joint_with_unit_exponents():
    factors = {"CA": np.array([200.0, 400.0, 900.0]), "CB": np.array([3e3, 1e3, 2e3])}
    linear = LAWS.mixture_joint_linear(H, N, D, **SITE, **factors, alpha=0.35, beta=0.37)
    np.testing.assert_allclose(linear, LAWS.mixture_joint(H, N, D, **SITE, **factors, gammaA=1.0, gammaB=1.0, alpha=0.35, beta=0.37))
    alone = LAWS.mixture_joint(np.eye(3)[1], 1e9, 1e10, **SITE, **factors, gammaA=2.0, gammaB=-0.5, alpha=0.35, beta=0.37)
    assert alone == pytest.approx(LAWS.mixture_fixed(np.eye(3)[1], **SITE) + 400.0**2 * 1e9**-0.35 + 1e3**-0.5 * 1e10**-0.37)


def test_additive_is_the_law_of_the_mixture_plus_that_of_the_size():
    additive = LAWS.mixture_additive(H, N, D, **SITE, **SIZE)
    size = LAWS.chinchilla(N, D, E=0.0, **SIZE)
    np.testing.assert_allclose(additive, LAWS.mixture_fixed(H, **SITE) + size, rtol=1e-13)
    np.testing.assert_allclose(LAWS.mixture_additive(H, 1e40, D, **SITE, **SIZE), LAWS.mixture_tokens(H, D, **SITE, B=2000.0, beta=0.37))


def test_a_domain_without_share_does_not_count():
    two = {"E": 1.5, "C": SITE["C"][:2], "gamma": SITE["gamma"][:2]}
    three = LAWS.mixture_fixed(np.array([0.4, 0.6, 0.0]), **SITE)
    assert three == pytest.approx(LAWS.mixture_fixed(np.array([0.4, 0.6]), **two), rel=1e-14)


def test_repetition_changes_nothing_while_nothing_repeats_and_costs_afterwards():
    U = np.full((24, 3), 1e13)
    plain = LAWS.mixture_additive(H, N, D, **SITE, **SIZE)
    np.testing.assert_allclose(LAWS.mixture_repeated(H, N, D, U, **SITE, **SIZE, R_star=np.full(3, 5.0)), plain, rtol=1e-12)
    assert (LAWS.mixture_repeated(H, N, D, U / 1e5, **SITE, **SIZE, R_star=np.full(3, 5.0)) > plain + 1e-6).all()


def test_effective_tokens_are_those_of_the_law_of_repetition():
    total, h = effective_shares(np.array([0.5, 0.5]), np.float64(2e9), np.array([1e8, 1e12]), 5.0)
    assert float(total) == pytest.approx(1e9 + 1e8 * (1 + 5.0 * (1 - np.exp(-9 / 5.0))), rel=1e-6)
    assert float(h.sum()) == pytest.approx(1.0)


def test_m1_with_equal_factors_is_m2_and_m3_shows_the_product_alone():
    t = np.array([-2.0, 1.0, 0.5])
    m2 = LAWS.data_mixing_m2(H, c=1.0, k=0.5, t=t)
    np.testing.assert_allclose(LAWS.data_mixing_m1(H, c=1.0, k=np.full(3, 0.5), t=t), m2, rtol=1e-14)
    np.testing.assert_allclose(LAWS.data_mixing_m3(H, c=1.0, k=0.5, t=-6.0), 1.0 + 0.5 * np.exp(np.prod(np.array([1, 2, -3]) * H, axis=1)))


def test_the_factor_of_m4_is_a_shift_of_t():
    k, t = 0.3, np.array([-2.0, 1.0, 0.5])
    np.testing.assert_allclose(LAWS.data_mixing_m4(H, c=1.0, t=t + np.log(k)), 1.0 + k * np.exp(H @ t), rtol=1e-13)


def test_implicit_mixing_of_one_domain_is_m4_and_of_two_the_sum():
    t = np.array([-2.0, 1.0, 0.5])
    np.testing.assert_allclose(sj.implicit_mixing(1)(H, c=1.0, t_1=t), LAWS.data_mixing_m4(H, c=1.0, t=t), rtol=1e-14)
    web, code = mixing(H)
    both = sj.implicit_mixing(2)(H, c=1.5, t_1=WEB["t"] + np.log(0.5), t_2=CODE["t"] + np.log(0.5))
    np.testing.assert_allclose(both, (web + code) / 2, rtol=1e-13)
    for wrong in (0, 1.5, True):
        with pytest.raises(sj.LawError, match="unknown domains"):
            sj.implicit_mixing(wrong)


def test_bimix_of_all_domains_is_bimix_of_each():
    values = {
        "B": np.array([10.0, 40.0, 20.0]),
        "beta": np.full(3, 0.4),
        "C": np.array([1.2, 2.0, 0.8]),
        "alpha": np.array([0.1, 0.2, 0.05]),
    }
    steps = np.geomspace(1e3, 1e5, 24)
    each = [LAWS.bimix(H[:, i], steps, **{n: v[i] for n, v in values.items()}) for i in range(3)]
    np.testing.assert_allclose(LAWS.bimix_domains(H, steps, **values), np.stack(each, axis=1), rtol=1e-14)


def test_d_cpt_at_one_share_is_chinchilla():
    values = {"E": 1.0, "A": 0.5, "alpha": 0.5, "B": 0.5, "beta": 0.5}
    n, d = N / 1e9, D / 1e9
    whole = LAWS.d_cpt(n, d, 1.0, **values, eta=1.3, C=0.2, gamma=0.5, eps=0.1)
    np.testing.assert_allclose(whole, LAWS.chinchilla(n, d, **values) + 0.2 * 1.1**-0.5, rtol=1e-13)
    nothing = LAWS.d_cpt(n, d, 0.0, **values, eta=1.3, C=0.2, gamma=0.5, eps=0.1)
    np.testing.assert_allclose(nothing, 1.0 + 0.5 * n**-0.5 + 0.2 * 0.1**-0.5, rtol=1e-13)


def test_the_quadratic_form_is_any_quadratic_on_the_simplex():
    Q = RNG.normal(size=(3, 3))
    w = np.diag(Q)
    q = np.array([Q[i, j] + Q[j, i] - Q[i, i] - Q[j, j] for i, j in ((0, 1), (0, 2), (1, 2))])
    np.testing.assert_allclose(LAWS.mixture_quadratic(H, w=w, q=q), np.einsum("ni,ij,nj->n", H, Q, H), rtol=1e-12)


# Tables


def test_rows_are_stacked_by_target_and_missing_losses_leave_one_row_out():
    rows = table()
    runs = studies.stack_targets(rows, weights=["a", "b", "c"], losses={"web": "on_web", "code": "on_code"})
    np.testing.assert_allclose(runs["h"][24:], H)
    np.testing.assert_allclose(runs["loss"][24:], rows["on_code"])
    rows["on_code"] = np.where(np.arange(24) == 3, np.nan, rows["on_code"])
    with pytest.raises(sj.DataError):
        studies.stack_targets(rows, weights=["a", "b", "c"], losses=["on_web", "on_code"])
    kept = studies.stack_targets(rows, weights=["a", "b", "c"], losses=["on_web", "on_code"], on_bad="drop")
    assert len(kept) == 47 and (kept["target"] == "on_web").sum() == 24


@pytest.mark.parametrize("h", [[[0.5, 0.4]], [[1.2, -0.2]], [[50.0, 50.0]], [[1.0]]])
def test_weights_that_are_no_mixture_are_refused(h):
    with pytest.raises(sj.DataError):
        studies.stack_targets({"y": [1.0]}, weights=np.array(h), losses=["y"])


def test_rounded_weights_are_brought_to_one():
    runs = studies.stack_targets({"y": [1.0]}, weights=np.array([[0.333, 0.333, 0.333]]), losses=["y"])
    assert runs["h"].sum() == pytest.approx(1.0, abs=1e-15)


# From the table to the weights


@pytest.fixture(scope="module")
def best():
    rows = {
        name: np.asarray(v) * (np.exp(0.002 * np.random.default_rng(1).normal(size=24)) if name.startswith("on") else 1)
        for name, v in table().items()
    }
    return studies.recommend_mixture(
        rows, weights=["a", "b", "c"], losses=["on_web", "on_code"], draws=50, caps={"a": 0.6, "b": 0.35, "c": 1.0}, starts=32
    )


def test_recommended_weights_are_those_of_the_true_law(best):
    true = sj.optimal_mixture({"web": (LAWS.data_mixing_m4, WEB), "code": (LAWS.data_mixing_m4, CODE)}, caps=[0.6, 0.35, 1.0])
    np.testing.assert_allclose(best.mixture.h, true.h, atol=0.03)
    assert best.weights["b"] == pytest.approx(0.35)
    low, high = best.interval(0.99)["a"]
    assert low - 0.02 <= true.h[0] <= high + 0.02
    assert set(best.losses) == {"on_web", "on_code"}


def test_every_deviation_within_the_caps_costs(best):
    rows = {row[0]: float(row[2]) for row in best.deviations(0.05).rows}
    assert rows["uniform"] > 0 and rows["best of the table"] > -0.05
    assert rows["less b"] > 0 and {"more a", "less a", "more b"} <= set(rows)
    assert "uniform" in repr(best)


def test_deviations_keep_to_the_caps_and_say_where_they_cannot(best):
    found = best.deviations(0.05)
    broken = {row[0]: row[-1] for row in found.rows}
    assert found.header[-1] == "breaks" and broken["more b"] == "cap of b" and broken["uniform"] == ""
    assert not any(broken[name] for name in ("optimum", "less a", "less b", "best of the table"))
    with pytest.raises(sj.DecisionError, match="share"):
        best.deviations(1.5)


def test_targets_of_a_mixture_are_resampled_together():
    """Two targets with the same losses have the same draws."""
    rows = table() | {"twin": table()["on_web"]}
    found = studies.recommend_mixture(rows, weights=["a", "b", "c"], losses=["on_web", "twin"], draws=10, starts=32)
    t = found.draws.params["t"]
    np.testing.assert_allclose(t[:, 0], t[:, 1], rtol=1e-6)
    with pytest.raises(sj.DecisionError, match="only 2 mixtures"):
        mixture_counts(2, 10, 0)


def test_limits_may_name_some_domains():
    targets = {"web": (LAWS.data_mixing_m4, WEB), "code": (LAWS.data_mixing_m4, CODE)}
    some = sj.optimal_mixture(targets, caps={"b": 0.3}, floors={"c": 0.1}, domains=["a", "b", "c"])
    every = sj.optimal_mixture(targets, caps=[1, 0.3, 1], floors=[0, 0, 0.1], domains=["a", "b", "c"])
    np.testing.assert_array_equal(some.h, every.h)
    assert some.broken([0.6, 0.4, 0.0]) == ["cap of b", "floor of c"] and some.broken(some.h) == []
    with pytest.raises(sj.DecisionError, match="not a domain"):
        sj.optimal_mixture(targets, caps={"B": 0.3}, domains=["a", "b", "c"])


def test_a_recommendation_of_nonsense_is_refused():
    ask = {"weights": ["a", "b", "c"], "losses": ["on_web"]}
    with pytest.raises(sj.DecisionError, match="uncertainty"):
        studies.recommend_mixture(table(), **ask, uncertainty="sure")
    with pytest.raises(sj.DecisionError, match="no default law"):
        studies.recommend_mixture(table() | {"n": N}, **ask, roles={"N": "n"})


def test_shares_of_an_explicit_aggregate_must_be_a_mixture(best):
    h = H[:4]
    total = studies.explicit_loss(best.fit, {"on_web": 0.25, "on_code": 0.75}, h=h)
    np.testing.assert_allclose(total, 0.25 * best.fit.predict(h=h, group="on_web") + 0.75 * best.fit.predict(h=h, group="on_code"))
    for shares in ([0.5, 0.6], [1.0], {"on_web": 1.0}):
        with pytest.raises(sj.DecisionError, match="shares"):
            studies.explicit_loss(best.fit, shares, h=h)


@pytest.mark.parametrize("kl_weight", [0.0, 0.05])
def test_the_optimum_of_five_published_laws_under_caps_is_that_of_a_general_solver(kl_weight):
    law, s = LAWS.data_mixing_m4, np.array([0.340664, 0.152006, 0.050154, 0.116898, 0.340278])
    s, caps = s / s.sum(), np.array([0.2, 1.0, 1.0, 1.0, 0.35])
    sets = [law.published[f"ye2024_{name}"] for name in ("academic", "prose", "dialogue", "symbolic", "internet")]
    c, t = np.array([p["c"] for p in sets]), np.array([p["t"] for p in sets])
    best = sj.optimal_mixture([(law, p) for p in sets], weights=s, caps=caps, kl_weight=kl_weight)

    def objective(h):
        return s @ (c + np.exp(t @ h)) + kl_weight * np.sum(h * np.log(np.maximum(h, 1e-12) * 5))

    ends = [(0.0, cap) for cap in caps]
    found = minimize(objective, caps / caps.sum(), bounds=ends, constraints={"type": "eq", "fun": lambda h: h.sum() - 1}, tol=1e-14)
    np.testing.assert_allclose(best.h, found.x, atol=1e-4)
    assert best.objective <= objective(found.x) + 1e-9 and best.gap < 1e-8
    assert best.h[0] == pytest.approx(0.2) and (best.h <= caps + 1e-12).all()


# RegMix


def test_a_design_respects_caps_and_resolution():
    prior = np.array([0.6, 0.3, 0.08, 0.02])
    h = studies.regmix_design(prior, 128, cap=5.0)
    assert h.shape == (128, 4) and len(np.unique(h, axis=0)) == 128
    assert (h <= np.minimum(5 * prior, 1) + 1e-3).all()
    np.testing.assert_array_equal(h, studies.regmix_design(prior, 128, cap=5.0))
    with pytest.raises(sj.DecisionError):
        studies.regmix_design([0.5, 0.6])


def test_any_regressor_will_do():
    class Mean:
        def fit(self, X, y):
            self.w = np.linalg.lstsq(X, y, rcond=None)[0]

        def predict(self, X):
            return X @ self.w

    losses = np.stack(mixing(H), axis=1)
    found = studies.regmix(H, losses, model=Mean, targets=["web", "code"])
    assert found.rank_correlation(H, losses)["web"] > 0.8
    with pytest.warns(sj.DataWarning, match="1.49 times the largest share of the runs, 0.67"):
        h = found.simulate(np.ones(3) / 3, {"web": 0.5, "code": 0.5}, samples=2000, keep=20)
    assert h.sum() == pytest.approx(1.0) and h.shape == (3,)
    with pytest.raises(sj.DecisionError, match="not a target"):
        found.simulate(np.ones(3) / 3, "news")


def test_a_model_that_is_not_there_is_named():
    losses = np.stack(mixing(H), axis=1)
    with pytest.raises(sj.FitError, match="exponential"):
        studies.regmix(H, losses, model="exponentiel")
    with pytest.raises(sj.DataError, match="shape"):
        studies.regmix(H, losses[:3])


def test_missing_trees_are_one_clear_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.ensemble", None)
    with pytest.raises(sj.FitError, match="scikit-learn"):
        studies.regmix(H, np.stack(mixing(H), axis=1), model="trees")


# Solvers


def test_autoscaled_steps_are_the_recursion():
    one, two = np.array([1.0, 2.0, 3.0]), np.array([3.0, 5.0, 6.0])
    three = studies.autoscaled(one, two)
    np.testing.assert_allclose(three, two**2 / one)
    np.testing.assert_allclose(studies.autoscaled(one, two, 3), studies.autoscaled(two, three))
    np.testing.assert_allclose(studies.autoscaled(one, two, 0.5), np.sqrt(one * two))
    with pytest.raises(sj.DecisionError):
        studies.autoscaled([1.0, 0.0], [1.0, 1.0])


def test_temperatures_from_proportional_to_uniform():
    sizes = np.array([1e9, 1e10, 1e12])
    found = studies.temperature_mixture(sizes, [1.0, 3.0, np.inf], tokens=1e12)
    np.testing.assert_allclose(found.h[0], sizes / sizes.sum())
    np.testing.assert_allclose(found.h[2], np.full(3, 1 / 3))
    np.testing.assert_allclose(found.epochs, found.h * 1e12 / sizes)
    np.testing.assert_allclose((found.loss_weights * found.h[0]).sum(axis=1), 1.0)
    assert found.variance[0] == pytest.approx(1.0) and (np.diff(found.variance) > 0).all()
    with pytest.raises(sj.DecisionError):
        studies.temperature_mixture([1.0, -1.0], 2.0)


def test_scarce_tokens_of_a_domain_are_diluted_as_a_scan_says():
    """The second use of the D-CPT law: D r is given, D and r are chosen."""
    domain = {"E": 1.0, "A": 0.5, "alpha": 0.5, "B": 0.5, "beta": 0.5, "eta": 1.2, "C": 0.5, "gamma": 1.0, "eps": 0.25}
    plan = sj.allocate((LAWS.d_cpt, domain), cost=lambda D, r: D * r, compute=2.0, N=4.0)
    r = np.linspace(0.01, 1.0, 9901)
    losses = LAWS.d_cpt(4.0, 2.0 / r, r, **domain)
    assert plan.inputs["r"] == pytest.approx(r[np.argmin(losses)], abs=2e-4) and 0.5 < plan.inputs["r"] < 0.9
    assert plan.loss == pytest.approx(losses.min(), rel=1e-9) and plan.D * plan.inputs["r"] == pytest.approx(2.0)


def test_a_critical_share_is_where_the_bound_is_met():
    general = {"E": 1.0, "A": 0.5, "alpha": 0.5, "B": 0.5, "beta": 0.5, "eta": 1.0, "C": 0.5, "gamma": 1.0, "eps": 0.25}
    found = studies.critical_share((LAWS.d_cpt, general), 0.05, N=4.0, D=100.0)
    assert LAWS.d_cpt(4.0, 100.0, 1 - found.share, **general) == pytest.approx(found.bound, rel=1e-12)
    assert found.bound == pytest.approx(1.05 * LAWS.d_cpt(4.0, 100.0, 1.0, **general))
    assert studies.critical_share((LAWS.d_cpt, general), 100.0, N=4.0, D=100.0).share == 1.0
    assert studies.critical_share((LAWS.d_cpt, general), 0.0, N=4.0, D=100.0).share == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(sj.DecisionError, match="needs values"):
        studies.critical_share((LAWS.d_cpt, general), 0.05, N=4.0)
    with pytest.raises(sj.DecisionError, match="tolerance"):
        studies.critical_share((LAWS.d_cpt, general), -1.0, N=4.0, D=1.0)


def test_rounds_of_equal_gains_keep_the_mixture():
    start = [0.5, 0.3, 0.2]
    np.testing.assert_allclose(studies.mixture_rounds(np.ones((4, 2, 3)), 0.7, start=start), np.tile(start, (5, 1)))
    twice = studies.mixture_rounds(np.array([[[1.0, 0.0]], [[1.0, 0.0]]]), 0.5)
    np.testing.assert_allclose(twice[-1], studies.mixture_rounds([[1.0, 0.0]], 1.0)[-1])
    with pytest.raises(sj.DecisionError, match="start"):
        studies.mixture_rounds([[1.0, 0.0]], 1.0, start=[1.0, 1.0])


# Public runs


def columns(name, file):
    """Columns of a public table as text."""
    with open(sj.datasets.path(name, file), newline="") as text:
        rows = list(csv.DictReader(text))
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


@pytest.mark.slow
def test_all_groups_and_targets_of_a_sweep_are_one_batched_fit(data_folder, monkeypatch):
    monkeypatch.setenv("SCALEJAX_DATA", str(data_folder))
    raw = columns("scalebench", "domain_mixture__train.csv")
    h = np.stack([raw[f"proportion_domain_{i}"].astype(float) for i in range(1, 6)], axis=1)
    losses = np.stack([raw[f"loss_domain_{i}"].astype(float) for i in range(1, 6)])
    names = np.concatenate([[f"{group} {i}" for group in raw["group"]] for i in range(5)])
    table = {"h": np.tile(h, (5, 1)), "loss": losses.ravel(), "set": names}
    found = sj.fit("data_mixing_m4", table, by="set", loss=sj.squared(), on="linear", starts=64, unidentified="warn")
    assert len(found.groups) == 20 and found.r_squared > 0.998


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::scalejax.core.errors.IdentifiabilityWarning")
@pytest.mark.filterwarnings("ignore:.* is an uncertain optimum:scalejax.ConvergenceWarning")
def test_m1_ranks_before_m4_where_shares_touch_zero(data_folder, monkeypatch):
    """GitHub's loss of 32 mixtures of three domains at 410M parameters, four folds."""
    monkeypatch.setenv("SCALEJAX_DATA", str(data_folder))
    raw = columns("mixinglaws", "3Mix_410M.csv")
    used = (raw["valid"] == "Github") & (raw["step"].astype(float) == 60000)
    h = np.array([[float(w) for w in run.split("-")[-3:]] for run in raw["run"][used]])
    loss, fold = raw["loss"][used].astype(float), np.random.default_rng(0).permutation(used.sum()) % 4
    rows = [np.flatnonzero(fold != k) for k in range(4)]
    table = {
        "h": h[np.concatenate(rows)],
        "loss": loss[np.concatenate(rows)],
        "fold": np.repeat([0.0, 1.0, 2.0, 3.0], [len(r) for r in rows]),
    }
    off = {}
    for name in ("data_mixing_m1", "data_mixing_m4"):
        found = sj.fit(name, table, by="fold", loss=sj.squared(), on="linear", starts=256, unidentified="warn")
        held = [found.predict(h=h[fold == k], group=found.groups[k]) - loss[fold == k] for k in range(4)]
        off[name] = np.abs(np.concatenate(held)).mean()
    assert off["data_mixing_m1"] < 0.8 * off["data_mixing_m4"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::scalejax.core.errors.IdentifiabilityWarning")
@pytest.mark.filterwarnings("ignore:.* is an uncertain optimum:scalejax.ConvergenceWarning")
def test_the_joint_law_of_seven_domains_is_one_call_and_predicts_the_largest_size(data_folder, monkeypatch):
    """No worse than the 1.30 % that the paper prints for the mean of its seven targets, and far below what needs no mixture law."""
    monkeypatch.setenv("SCALEJAX_DATA", str(data_folder))
    runs, held = domain_laws.split()
    found = domain_laws.fit_sizes("mixture_joint_linear", runs)
    assert len(found.groups) == 8 and found.status.usable
    assert (found.starts.status == "converged").all() and found.starts.agreeing == found.starts.refined == 3
    joint = domain_laws.off(domain_laws.predicted(found, held), held)[:7]
    assert joint.mean() < 1.30
    unchanged = domain_laws.off(domain_laws.unchanged(runs, held), held)[:7]
    assert (joint < 0.5 * unchanged).all()


def test_the_losses_of_several_targets_along_one_run_are_fitted_as_one_column():
    """`mixing_steps`: the width of the losses says how many targets there are."""
    true = {"c": np.array([2.0, 3.0, 2.5]), "S0": np.array([1e8, 4e8, 2e8]), "alpha": 0.5}
    runs = sj.simulate(LAWS.mixing_steps, true, S=np.geomspace(1e9, 1e11, 12))
    assert runs["loss"].shape == (12, 3)
    found = sj.fit("mixing_steps", runs, starts=64)
    for name, value in true.items():
        np.testing.assert_allclose(found.params[name], value, rtol=1e-5)
    np.testing.assert_allclose(found.predict(S=1e12), LAWS.mixing_steps(1e12, **true), rtol=1e-6)


def test_columns_of_one_axis_have_one_width():
    table = {"h": np.full((4, 2), 0.5), "s": np.array([1e3, 1e4, 1e5, 1e6]), "loss": np.full((4, 3), 2.0)}
    with pytest.raises(sj.DataError, match="'loss' has 3 values a run where the other columns of the axis 'domain' have 2"):
        sj.fit("bimix_domains", table, starts=8)


def test_a_law_whose_output_has_an_axis_of_no_parameter_is_refused():
    with pytest.raises(sj.LawError, match="output_axis='target' is the axis of no parameter"):

        @sj.law(output_axis="target", a=sj.Positive(0.1, 1.0))
        def mine(x, *, a):
            return a * x
