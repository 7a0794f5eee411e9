"""Translation, mixed modalities, time series, images, recommendation: identities, two-stage fits, closed forms, trends."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import scalejax as sj
from scalejax import papers
from scalejax.zoo.fields.mixed_modal import unimodal_exponents

LAWS = sj.laws
BASE = {"Nbar_e": 1e8, "Nbar_d": 1e8}
NMT = {"alpha": 0.8, "p_e": 0.15, "p_d": 0.3, "L_inf": 1.2}


# Encoder and decoder


def of_both(N_e, N_d):
    return N_e + N_d


def test_the_closed_form_split_is_the_engines_optimum():
    budgets = np.array([1e8, 1e9, 1e10])
    closed = sj.derive((LAWS.encoder_decoder, NMT), sj.formulas.encoder_decoder_split, budget=budgets, **BASE)
    plan = sj.allocate((LAWS.encoder_decoder, NMT), compute=budgets, cost=of_both, **BASE)
    np.testing.assert_allclose(plan.inputs["N_e"], closed.N_e, rtol=1e-8)
    np.testing.assert_allclose(plan.inputs["N_d"], closed.N_d, rtol=1e-8)
    np.testing.assert_allclose(plan.loss, closed.loss, rtol=1e-13)
    np.testing.assert_allclose(LAWS.encoder_decoder(closed.N_e, closed.N_d, 1e8, 1e8, **NMT), closed.loss, rtol=1e-13)
    assert (closed.N_d > closed.N_e).all()  # the larger exponent gets more


def test_one_budget_gives_floats():
    assert all(type(v) is float for v in sj.formulas.encoder_decoder_split(1e9, **NMT, **BASE).values())


@pytest.mark.parametrize(("name", "value"), [("budget", 0.0), ("p_e", -0.1), ("alpha", np.nan), ("L_inf", -1.0), ("Nbar_d", np.inf)])
def test_a_split_of_nonsense_is_refused(name, value):
    with pytest.raises(sj.DecisionError, match=name):
        sj.formulas.encoder_decoder_split(**{"budget": 1e9, **NMT, **BASE, name: value})


def test_scaled_together_encoder_and_decoder_are_a_power_law_of_the_total():
    N = np.logspace(7, 10, 9)
    A = NMT["alpha"] * 2e8 ** (NMT["p_e"] + NMT["p_d"])
    together = LAWS.encoder_decoder(N / 2, N / 2, 1e8, 1e8, **NMT)
    np.testing.assert_allclose(LAWS.power_law(N, E=NMT["L_inf"], A=A, alpha=NMT["p_e"] + NMT["p_d"]), together, rtol=1e-13)


def scaling_study(noise=0.003):
    """Models with the encoder scaled, and models with the decoder scaled."""
    sizes = np.logspace(7.5, 9.3, 10)
    N_e, N_d = np.concatenate([sizes, np.full(10, 1e8)]), np.concatenate([np.full(10, 1e8), sizes])
    return sj.simulate(LAWS.encoder_decoder, NMT, N_e=N_e, N_d=N_d, **BASE, noise=noise, seed=2, on="linear")


@pytest.mark.slow
def test_the_two_sizes_predict_symmetric_models_and_the_total_does_not():
    runs = scaling_study()
    both = sj.fit("encoder_decoder", runs, loss=sj.squared(), on="linear")
    for name, (low, high) in both.interval(0.999).items():
        assert low < NMT[name] < high, name
    symmetric = np.logspace(8, 9.5, 5)
    truth = LAWS.encoder_decoder(symmetric, symmetric, 1e8, 1e8, **NMT)
    np.testing.assert_allclose(both.predict(N_e=symmetric, N_d=symmetric, Nbar_e=1e8, Nbar_d=1e8), truth, atol=0.012)
    total = sj.fit("power_law", {"x": runs["N_e"] + runs["N_d"], "loss": runs["loss"]}, loss=sj.squared(), on="linear")
    assert total.objective > 50 * both.objective


@pytest.mark.slow
def test_quality_from_loss():
    runs = sj.simulate(LAWS.translation_quality, {"c_B": 60.0, "p_B": 1.3}, L=np.linspace(1.2, 2.5, 12), noise=0.01)
    fit = sj.fit("translation_quality", runs, loss=sj.squared())
    assert fit.params["p_B"] == pytest.approx(1.3, abs=4 * fit.standard_errors["p_B"])


# Language pairs

SHARE = {"c1": 0.6, "c2": 0.8, "c3": 1.2}
PAIR = {"beta_1": 60.0, "alpha": 0.22, "L_inf": 0.9, **SHARE}
WEIGHTS = np.array([0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])


def weightings(noise, seed=0, tilt=0.0):
    """Runs of one pair at all weights; with a tilt the exponent depends on the weight."""
    p, N = (a.ravel() for a in np.meshgrid(WEIGHTS, np.logspace(7.3, 9, 8), indexing="ij"))
    loss = np.concatenate(
        [
            sj.simulate(LAWS.multilingual, {**PAIR, "alpha": PAIR["alpha"] + tilt * w}, N=N[p == w], p=w, noise=noise, seed=seed + i)[
                "loss"
            ]
            for i, w in enumerate(WEIGHTS)
        ]
    )
    return {"N": N, "x": N, "p": p, "loss": loss}


def test_the_share_ends_at_nothing_and_all():
    assert LAWS.effective_share(np.array([0.0, 1.0]), **SHARE).tolist() == [0.0, 1.0]
    np.testing.assert_array_equal(LAWS.effective_share(WEIGHTS, c1=0.0, c2=0.5, c3=0.5), WEIGHTS)


def test_the_weight_changes_the_factor_alone():
    N = np.logspace(7, 9, 7)
    reducible = [LAWS.multilingual(N, p, **PAIR) - PAIR["L_inf"] for p in (0.2, 1.0)]
    factor = LAWS.effective_share(0.2, **SHARE) ** -PAIR["alpha"]
    np.testing.assert_allclose(reducible[0] / reducible[1], factor, rtol=1e-12)
    np.testing.assert_allclose(LAWS.multilingual(N, 0.2, **PAIR), LAWS.multilingual(N * LAWS.effective_share(0.2, **SHARE), 1.0, **PAIR))


def tied_against_free(table):
    """p of the F test that exponents and constants are the same under all weights."""
    options = {"by": "p", "loss": sj.squared(), "on": "log", "starts": 256}
    free = sj.fit("power_law", table, **options)
    tied = sj.fit("power_law", table, share=("alpha", "E"), **options)
    extra, left = 2 * (len(WEIGHTS) - 1), len(table["loss"]) - 3 * len(WEIGHTS)
    F = (tied.objective / free.objective - 1) * left / extra
    return tied, float(stats.f.sf(F, extra, left))


@pytest.fixture(scope="module")
def tied():
    return tied_against_free(weightings(0.002))


@pytest.mark.slow
def test_weights_share_the_exponent_and_a_test_of_it_has_power(tied):
    assert tied[1] > 0.01
    assert tied_against_free(weightings(0.002, tilt=-0.05))[1] < 1e-6


def shares_of(fit, **options):
    return sj.derive(fit, sj.formulas.effective_shares, group=fit.groups, p=fit.groups, **options)


@pytest.mark.slow
def test_shares_from_the_joint_fit_give_the_share_law(tied):
    shares = shares_of(tied[0])
    truth = LAWS.effective_share(WEIGHTS, **SHARE)
    low, high = shares.interval(0.999)["value"]
    assert (low <= truth).all() and (truth <= high).all() and (high - low < 0.3 * truth + 1e-12).all()
    assert shares.value[-1] == 1 and "1,000 draws" in repr(shares)
    law = sj.fit("effective_share", {"p": shares.p, "share": shares.value}, loss=sj.squared())
    np.testing.assert_allclose(law.predict(p=WEIGHTS), truth, rtol=0.03)
    whole = sj.fit("multilingual", {k: v for k, v in weightings(0.002).items() if k != "x"}, loss=sj.squared())
    for name, (a, b) in whole.interval(0.999).items():
        assert a < PAIR[name] < b, name
    np.testing.assert_allclose(LAWS.effective_share(WEIGHTS, **{n: whole.params[n] for n in SHARE}), shares.value, rtol=0.03)


@pytest.mark.slow
def test_shares_need_a_joint_fit_by_weight(tied):
    table = weightings(0.0)
    with pytest.raises(sj.DecisionError, match="takes a fit"):
        sj.derive(PAIR, sj.formulas.effective_shares, p=WEIGHTS)
    with pytest.raises(sj.DecisionError, match="one A a weighting"):
        shares_of(sj.fit("power_law", table, by="p", starts=32))
    with pytest.raises(sj.DecisionError, match=r"weight 0\.8"):
        shares_of(tied[0], whole=0.8)
    with pytest.raises(sj.DecisionError, match="needs 'beta', which is not a parameter of 'power_law'"):
        sj.derive(tied[0], lambda beta, alpha: beta ** (-1 / alpha), group=tied[0].groups)
    named = {**table, "p": np.char.add("w", table["p"].astype(str))}
    with pytest.raises(sj.DecisionError, match=r"p=.* holds no numbers"):
        shares_of(sj.fit("power_law", named, by="p", share=("alpha", "E"), starts=32))


PAIRS = {n: np.array([v, w]) for (n, v), w in zip(PAIR.items(), (90.0, 0.25, 1.1, 0.2, 1.0, 1.0), strict=True)}


def test_pairs_are_the_law_of_each_pair():
    h, N = np.random.default_rng(0).dirichlet([1, 1], 9), np.logspace(7, 9, 9)
    both = LAWS.multilingual_pairs(h, N, **PAIRS)
    each = [LAWS.multilingual(N, h[:, i], **{n: v[i] for n, v in PAIRS.items()}) for i in range(2)]
    np.testing.assert_allclose(both, np.stack(each, axis=-1), rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("importance", [(0.5, 0.5), (0.8, 0.2)])
def test_optimal_weights_of_pairs(importance):
    best = sj.optimal_mixture((LAWS.multilingual_pairs, PAIRS), weights=importance, N=3e8)
    p = np.linspace(0.01, 0.99, 98_001)
    sums = LAWS.multilingual_pairs(np.stack([p, 1 - p], axis=-1), np.full(p.shape, 3e8), **PAIRS) @ np.asarray(importance)
    assert best.h[0] == pytest.approx(p[np.argmin(sums)], abs=2e-5)
    assert best.objective <= sums.min() + 1e-12


@pytest.mark.slow
def test_equal_pairs_get_equal_weights():
    same = {n: np.full(3, v) for n, v in PAIR.items()}
    best = sj.optimal_mixture((LAWS.multilingual_pairs, same), N=1e8)
    np.testing.assert_allclose(best.h, 1 / 3, atol=1e-7)


@pytest.mark.slow
def test_optimal_weights_from_a_fit_have_intervals():
    rng = np.random.default_rng(5)
    p = rng.uniform(0.05, 0.95, 60)
    inputs = {"h": np.stack([p, 1 - p], axis=-1), "N": 10 ** rng.uniform(7.3, 9, 60)}
    fit = sj.fit("multilingual_pairs", sj.simulate(LAWS.multilingual_pairs, PAIRS, **inputs, noise=0.002), loss=sj.squared())
    truth = sj.optimal_mixture((LAWS.multilingual_pairs, PAIRS), N=3e8)
    low, high = sj.optimal_mixture(fit, N=3e8).interval(0.999)["h[0]"]
    assert low < truth.h[0] < high


# Mixed modalities

SPEECH = {"E": 3.0, "A": 600.0, "alpha": 0.31, "B": 800.0, "beta": 0.24}
TEXT = {"E": 2.2, "A": 60.0, "alpha": 0.18, "B": 300.0, "beta": 0.22}
BETWEEN = {"C_ij": 0.25, "A_ij": 300.0, "alpha_ij": 0.3, "B_ij": 2000.0, "beta_ij": 0.36}
WHOLE = {**{f"{n}_i": v for n, v in SPEECH.items()}, **{f"{n}_j": v for n, v in TEXT.items()}, **BETWEEN}


def grid():
    return (a.ravel() for a in np.meshgrid(np.logspace(7, 9.8, 6), np.logspace(9.7, 11, 4)))


def test_two_modalities_are_their_mean_and_an_excess():
    N, D = grid()
    mean = 0.5 * (LAWS.chinchilla(N, D, **SPEECH) + LAWS.chinchilla(N, 2 * D, **TEXT))
    np.testing.assert_allclose(LAWS.bimodal(N, D, 2 * D, **WHOLE) - mean, LAWS.modal_competition(N, 3 * D, **BETWEEN), atol=1e-12)


def test_the_barrier_is_where_the_excess_is_nothing_and_its_cheapest_point_is_the_engines():
    barrier = sj.derive((LAWS.bimodal, WHOLE), sj.formulas.competition_barrier)
    assert LAWS.modal_competition(barrier.N, barrier.D, **BETWEEN) == pytest.approx(0, abs=1e-14)
    terms = {"E": 0.0, "A": 300.0, "alpha": 0.3, "B": 2000.0, "beta": 0.36}
    plan = sj.allocate((LAWS.chinchilla, terms), loss=0.25)
    assert barrier.N == pytest.approx(plan.N, rel=1e-7) and barrier.D == pytest.approx(plan.D, rel=1e-7)
    assert barrier.compute == pytest.approx(plan.compute, rel=1e-10)
    N = barrier.N * np.array([0.2, 1.0, 30.0])
    solved = sj.equivalent((LAWS.modal_competition, BETWEEN), "D", like=0.0, N=N)
    tokens, parameters = (lambda x, f=f: f(x, **BETWEEN) for f in (sj.formulas.barrier_tokens, sj.formulas.barrier_parameters))
    np.testing.assert_allclose(tokens(N), solved.value, rtol=1e-8)
    np.testing.assert_allclose(sj.derive((LAWS.bimodal, WHOLE), sj.formulas.barrier_tokens, N=N).value, solved.value, rtol=1e-8)
    assert parameters(barrier.D) == pytest.approx(barrier.N) and parameters(tokens(1e11)) == pytest.approx(1e11)


def test_too_small_a_model_never_crosses_the_barrier():
    barrier = sj.derive((LAWS.modal_competition, BETWEEN), sj.formulas.competition_barrier)
    assert sj.formulas.barrier_tokens(1e6, **BETWEEN) == np.inf and sj.formulas.barrier_parameters(1e8, **BETWEEN) == np.inf
    never = sj.derive((LAWS.modal_competition, {**BETWEEN, "C_ij": 0.0}), sj.formulas.competition_barrier)
    assert never.N == never.compute == np.inf and "every scale" in repr(never)
    with pytest.raises(sj.DecisionError, match="no uncertainty"):
        barrier.interval()
    with pytest.raises(sj.DecisionError, match="positive"):
        sj.formulas.barrier_tokens(-1.0, **BETWEEN)
    with pytest.raises(sj.DecisionError, match="positive"):
        sj.derive((LAWS.bimodal, WHOLE), sj.formulas.barrier_tokens, N=-1.0)
    with pytest.raises(sj.DecisionError, match="needs 'C_ij', which is not a parameter of 'chinchilla'"):
        sj.derive((LAWS.chinchilla, TEXT), sj.formulas.competition_barrier)


def test_the_speech_text_run_lies_beyond_any_barrier_with_the_published_point():
    """Cheapest point 28.35e9 parameters and 45.12e9 tokens: whatever the constants, 30e9 and 50e9 is on the side of synergy."""
    N, D = 28.35e9, 45.12e9
    for a, b, C in np.random.default_rng(0).uniform(0.05, 0.9, (20, 3)):
        pair = {"C_ij": C, "A_ij": C * b / (a + b) * N**a, "alpha_ij": a, "B_ij": C * a / (a + b) * D**b, "beta_ij": b}
        barrier = sj.derive((LAWS.modal_competition, pair), sj.formulas.competition_barrier)
        assert barrier.N == pytest.approx(N) and barrier.D == pytest.approx(D)
        assert LAWS.modal_competition(30e9, 50e9, **pair) < 0 < LAWS.modal_competition(20e9, 40e9, **pair)


@pytest.mark.slow
def test_two_stages_recover_the_interaction_and_its_barrier():
    N, D = grid()
    runs = sj.simulate(LAWS.bimodal, WHOLE, N=N, D_i=D, D_j=D, noise=2e-4, seed=4)
    fit = papers.fit_interaction(runs, SPEECH, TEXT, loss=sj.squared())
    assert {n: fit.params[n] for n in WHOLE if n not in BETWEEN} == {n: v for n, v in WHOLE.items() if n not in BETWEEN}
    for name, (low, high) in fit.interval(0.999).items():
        assert low <= WHOLE[name] <= high, name
    barrier = sj.derive(fit, sj.formulas.competition_barrier)
    truth = sj.derive((LAWS.bimodal, WHOLE), sj.formulas.competition_barrier)
    for name, (low, high) in barrier.interval(0.999).items():
        assert low < getattr(truth, name) < high, name
    held = papers.fit_interaction(runs, SPEECH, TEXT, loss=sj.squared(), fix={"alpha_ij": 0.3})
    assert held.params["alpha_ij"] == 0.3 and abs(held.params["beta_ij"] - 0.36) < 0.03


@pytest.mark.parametrize("wrong", [{"E": 1.0}, 3.0, {**TEXT, "alpha": np.ones(2)}])
def test_a_stage_that_is_no_law_is_refused(wrong):
    with pytest.raises(sj.FitError, match="Modality j needs a law of its own"):
        papers.fit_interaction({}, SPEECH, wrong)


def test_exponents_of_modalities_fit_the_unimodal_law():
    domains = LAWS.chinchilla.domains
    assert len(unimodal_exponents) == 7  # seven modalities
    assert all(domains[n].contains(v) for row in unimodal_exponents.values() for n, v in row.items())


# Time series, images, recommendation


def test_the_line_of_logs_is_the_power_law():
    runs = sj.simulate(LAWS.time_series, {"x_0": 300.0, "alpha_x": 0.07}, x=np.logspace(3, 9, 9), noise=0.01, seed=1)
    k, b = np.polyfit(np.log10(runs["x"]), np.log10(runs["loss"]), 1)
    fit = sj.fit("time_series", runs, loss=sj.squared())
    assert fit.params["alpha_x"] == pytest.approx(-k, rel=1e-7) and fit.params["x_0"] == pytest.approx(10 ** (-b / k), rel=1e-5)


@pytest.mark.slow
def test_a_change_of_unit_changes_the_exponent_only_without_a_constant():
    """A series in another unit has a likelihood that differs by a constant."""
    runs = sj.simulate(LAWS.time_series_nll, {"L_inf": 1.0, "x_0": 1e3, "alpha_x": 0.2}, x=np.logspace(4, 9, 12))
    moved = {"x": runs["x"], "nll": runs["nll"] - 1.2}
    assert (moved["nll"] < 0).any()
    exponents = [sj.fit("time_series_nll", t, on="linear", loss=sj.squared()).params["alpha_x"] for t in (runs, moved)]
    assert exponents == pytest.approx([0.2, 0.2], rel=1e-4)
    plain = [sj.fit("time_series", {"x": runs["x"], "loss": runs["nll"] + c}).params["alpha_x"] for c in (0.0, 1.0)]
    assert plain[1] < 0.8 * plain[0]


def test_scores_pass_one_and_bounded_scores_do_not():
    for values in LAWS.alignment_score.published.values():
        x = values["k"] ** (-1 / values["p"])
        assert LAWS.alignment_score(x, **values) == pytest.approx(1)
        assert LAWS.alignment_score(10 * x, **values) > 1
    x = np.logspace(-6, 30, 50)
    bounded = LAWS.alignment_score_bounded(x, S_max=0.95, k=0.5, p=0.3)
    assert (np.diff(bounded) > 0).all() and bounded[-1] < 0.95
    assert bounded[0] == pytest.approx(LAWS.alignment_score(x[0], k=0.475, p=0.3), rel=0.01)  # S_max k x^p while it is low


@pytest.mark.slow
def test_the_bounded_law_extrapolates_a_score_that_saturates():
    truth = {"S_max": 1.0, "k": 2.0, "p": 0.25}
    runs = sj.simulate(LAWS.alignment_score_bounded, truth, x=np.logspace(0, 2, 12), noise=0.003, seed=3)
    pure = sj.fit("alignment_score", runs, loss=sj.squared())
    bounded = sj.fit("alignment_score_bounded", runs, loss=sj.squared(), fix={"S_max": 1.0})
    at = LAWS.alignment_score_bounded(1e4, **truth)
    assert pure.predict(x=1e4) > 1 and bounded.predict(x=1e4) == pytest.approx(at, abs=0.01)


def test_recommendation_keeps_its_digits_in_single_precision():
    values = LAWS.wukong.published["wukong2024"]
    x = np.logspace(0, 2, 30)
    single = np.asarray(LAWS.wukong(jnp.asarray(x, dtype=jnp.float32), **values))
    np.testing.assert_allclose(single, LAWS.wukong(x, **values), atol=1e-6)
    np.testing.assert_allclose(LAWS.wukong(x, **values), -100 + 99.56 * x**0.00071, atol=1e-12)


@pytest.mark.slow
def test_factor_and_exponent_of_recommendation_are_told_apart():
    """They are nearly collinear away from x = 1; intervals hold all the same, and the two that matter are those of a line in log x."""
    truth = LAWS.wukong.published["wukong2024"]
    runs = sj.simulate(LAWS.wukong, truth, x=np.logspace(0.5, 2, 20), noise=0.005, seed=6, on="linear")
    fit = sj.fit("wukong", runs, loss=sj.squared(), on="linear")
    assert fit.status == "converged" and abs(fit.curvature[0].correlation[0, 1]) > 0.9
    for name, (low, high) in fit.interval(0.999).items():
        assert low < truth[name] < high
    slope, height = np.polyfit(np.log(runs["x"]), runs["change"], 1)
    assert fit.params["a"] - 100 == pytest.approx(height, abs=1e-3)
    assert fit.params["a"] * fit.params["p"] == pytest.approx(slope, rel=0.01)


# Trends and slopes


@pytest.mark.parametrize("seed", range(4))
def test_the_trend_is_kendalls(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.permutation(9), rng.normal(size=9) + 0.2 * np.arange(9)
    theirs = stats.kendalltau(x, y, method="exact")
    ours = sj.monotone_trend(x, y)
    assert (ours.tau, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-12)
    x, y = np.repeat(np.arange(5), 3), np.round(y[[*range(9), *range(6)]], 0)
    theirs = stats.kendalltau(x, y, method="asymptotic")
    ours = sj.monotone_trend(x, y)
    assert (ours.tau, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-12)


def test_a_trend_counts_what_speaks_against_it():
    found = sj.monotone_trend([1, 2, 3, 4], [4.0, 3.0, 3.5, 1.0])
    assert (found.direction, found.agreeing, found.against) == ("falling", 5, 1)
    assert sj.monotone_trend([1, 2, 3, 4], [1.0, 2.0, 2.0, 1.0]).direction == "none"


def test_many_runs_take_the_normal_approximation():
    rng = np.random.default_rng(0)
    x, y = np.arange(150), rng.normal(size=150) + 0.005 * np.arange(150)
    assert sj.monotone_trend(x, y).p == pytest.approx(stats.kendalltau(x, y, method="exact").pvalue, rel=0.05)


@pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [1, np.nan, 2]), ([1, 2, 3], [1, 2])])
def test_no_trend_without_data(x, y):
    with pytest.raises(sj.DataError):
        sj.monotone_trend(x, y)


def three_groups(seed, sigma=0.05, slopes=(-0.3, -0.3, -0.15)):
    rng = np.random.default_rng(seed)
    x = np.tile(np.logspace(6, 9, 6), 3)
    group = np.repeat(["attention", "width", "other"], 6)
    y = np.exp(np.repeat([5.0, 4.9, 2.5], 6) + np.repeat(slopes, 6) * np.log(x) + sigma * rng.normal(size=18))
    return x, y, group


def test_slopes_are_those_of_each_group_and_the_f_test_is_that_of_nested_models():
    x, y, group = three_groups(0)
    found = sj.compare_slopes(x, y, group)
    for i, name in enumerate(found.groups):
        line = stats.linregress(np.log(x[group == name]), np.log(y[group == name]))
        assert found.slopes[i] == pytest.approx(line.slope)
        assert found.heights[i] == pytest.approx(line.intercept + line.slope * found.centre)
    offsets = (group[:, None] == np.asarray(found.groups)).astype(float)
    designs = [np.column_stack([offsets, offsets * np.log(x)[:, None]]), np.column_stack([offsets, np.log(x)])]
    rss = [np.linalg.lstsq(d, np.log(y), rcond=None)[1][0] for d in designs]
    assert found.p_equal == pytest.approx(stats.f.sf((rss[1] / rss[0] - 1) * 12 / 2, 2, 12), rel=1e-8)
    assert found.sigma == pytest.approx(np.sqrt(rss[0] / 12)) and found.p_equal < 1e-3
    assert "attention" in repr(found) and "<table" in found._repr_html_()


def test_slopes_and_crossings_cover_the_truth():
    inside, crossing = [], np.exp((5.0 - 2.5) / 0.15)
    for seed in range(400):
        found = sj.compare_slopes(*three_groups(seed))
        low, high = found.interval(0.9)["width"]
        _, below, above = found.difference("attention", "other", 0.9)
        cross = found.crossing("attention", "other", 0.9)
        inside.append([low < -0.3 < high, below < -0.15 < above, cross.low < crossing < cross.high])
    assert np.abs(np.mean(inside, axis=0) - 0.9).max() < 3.5 * np.sqrt(0.09 / 400)


def test_no_crossing_is_established_where_slopes_do_not_differ():
    found = sj.compare_slopes(*three_groups(1))
    crossing = found.crossing("attention", "width")
    assert (crossing.low, crossing.high) == (0.0, np.inf)
    assert found.difference("width", "width") == (0.0, 0.0, 0.0)
    single = sj.compare_slopes([1, 2, 4, 8], [8.0, 4.1, 2.0, 1.0])
    assert np.isnan(single.p_equal) and single.interval()["all"][1] < -0.9


@pytest.mark.slow
def test_slopes_agree_with_the_librarys_fit():
    x, y, group = three_groups(2)
    fit = sj.fit("time_series", {"x": x, "loss": y, "way": group}, by="way", loss=sj.squared(), starts=256)
    found = sj.compare_slopes(x, y, group)
    np.testing.assert_allclose([-fit.params["alpha_x"][fit.groups.index(g)] for g in found.groups], found.slopes, rtol=1e-5)


def test_slopes_of_nonsense_are_refused():
    x, y, group = three_groups(0)
    for arguments, words in (
        ((x, -y, group), "positive"),
        ((x, y, group[:5]), "one a run"),
        ((np.ones(18), y, group), "one x only"),
        ((x[:2], y[:2], group[:2]), "degree of freedom"),
    ):
        with pytest.raises(sj.DataError, match=words):
            sj.compare_slopes(*arguments)
    with pytest.raises(sj.DecisionError, match="did you mean 'width'"):
        sj.compare_slopes(x, y, group).difference("widht", "other")
