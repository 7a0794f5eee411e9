"""Additive laws of any number of inputs, shapes of models and their costs, and what studies cost."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax import costs, laws, papers, statistics, studies
from scalejax.core.numeric.batching import trace_counts
from scalejax.zoo.scale.additive import additive

HOT = laws.gemstones_shape_params.published["hot"]
RNG = np.random.default_rng(3)
W, DEPTH, P, T = (np.exp(RNG.uniform(*np.log(ends), 40)) for ends in ((256, 3072), (3, 80), (5e7, 2e9), (1e10, 3e11)))


# The factory


def test_equal_arguments_give_the_same_law():
    assert additive("N", "D") is additive("N", "D", times=(), tied=False, outer=False, output="loss")
    one = additive("w", "d", times="R", w=sj.Positive(1, 10), A_w=sj.Positive(1, 2))
    assert one is additive("w", "d", times=["R"], A_w=sj.Positive(1, 2), w=sj.Positive(1, 10))
    other = additive("w", "d", times="R")
    assert one is not other and one == other and one.domains["A_w"] != other.domains["A_w"]  # ranges are data
    assert additive("N", "D") is not additive("D", "N")


def test_the_factory_gives_the_laws_of_the_papers():
    values = laws.chinchilla.published["hoffmann2022"]
    named = {"E": values["E"], "A_N": values["A"], "alpha_N": values["alpha"], "A_D": values["B"], "alpha_D": values["beta"]}
    np.testing.assert_allclose(additive("N", "D")(P, T, **named), laws.chinchilla(P, T, **values), rtol=1e-14)
    outer = additive("N", "D", outer=True)(P, T, **named, q=0.7)
    np.testing.assert_allclose(outer, laws.chinchilla_outer(P, T, **values, q=0.7), rtol=1e-13)

    four = {"E": HOT["E"], "A_w": HOT["A"], "alpha_w": HOT["alpha"], "A_d": HOT["B"], "alpha_d": HOT["delta"], "A_p": HOT["C"],
            "alpha_p": HOT["gamma"], "A_T": HOT["D"], "alpha_T": HOT["beta"]}  # fmt: skip
    expected = laws.gemstones_shape_params(W, DEPTH, P, T, **HOT)
    np.testing.assert_allclose(additive("w", "d", "p", "T")(W, DEPTH, P, T, **four), expected, rtol=1e-14)

    morph = laws.inference_shape_tied.published["bian2025"]
    tied = {"E": morph["E"], "A_N": morph["A"], "A_D": morph["B"], "alpha": morph["alpha"], "gamma_R": morph["gamma"]}
    law = additive("N", "D", times="R", tied=True)
    np.testing.assert_allclose(law(P, T, W / DEPTH, **tied), laws.inference_shape_tied(P, T, W / DEPTH, **morph), rtol=1e-14)


def test_a_factory_law_has_a_readable_signature():
    law = additive("N", "D", times="R", tied=True, outer=True)
    assert law.name == "additive_N_D_times_R_tied_q" and law.parameters == ("E", "A_N", "alpha", "A_D", "q", "gamma_R")
    assert law.formula == "L = (E + (A_N N^-alpha + A_D D^-alpha)^q) (1 + gamma_R R^alpha)"
    assert law.linear == ("E",) and additive("N", "D").linear == ("E", "A_N", "A_D")
    assert law.domains["N"] == laws.chinchilla.domains["N"]
    with pytest.raises(sj.LawError, match="alpha"):
        law(1.0, 1.0, 1.0, E=1.0, A_N=1.0, A_D=1.0, q=1.0, gamma_R=0.1)


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ((), {}, "one input or more"),
        (("N", "N"), {}, "named once"),
        (("N",), {"times": "N"}, "named once"),
        (("2N",), {}, "names of inputs"),
        (("N", "alpha"), {}, "are taken"),
        ((3,), {}, "names of inputs"),
        (("N",), {"B": sj.Positive()}, "no argument is called 'B'"),
    ],
)
def test_the_factory_refuses(arguments, options, message):
    with pytest.raises(sj.LawError, match=message):
        additive(*arguments, **options)


def test_degenerate_constants_stay_finite():
    """A fit to models of nearly one size: A = exp(600) meets p^-alpha = exp(-620); neither fits float32, their product does."""
    law = additive("p", "T")
    with jax.enable_x64(True):
        value, slope = jax.value_and_grad(
            lambda u: law(1e9, 1e11, E=1.0, A_p=jnp.exp(u), alpha_p=30.0, A_T=1e3, alpha_T=0.3)
        )(600.0)  # fmt: skip
    assert value == pytest.approx(1.0 + np.exp(600 - 30 * np.log(1e9)) + 1e3 * 1e11**-0.3) and np.isfinite(slope)


def test_a_factory_law_fits_saves_and_compiles_once(tmp_path):
    """Noise of 0.2 %: the exponents come back within their intervals, and a second data set compiles nothing."""
    law, true = additive("w", "T", tied=True), {"E": 1.5, "A_w": 10.0, "A_T": 3e3, "alpha": 0.35}

    def noisy(seed):
        noise = np.random.default_rng(seed).normal(0, 0.002, len(W))
        return {"w": W, "T": T, "loss": law(W, T, **true) * np.exp(noise)}

    first = sj.fit(law, noisy(0), starts=64)
    before = trace_counts().copy()
    second = sj.fit(additive("w", "T", tied=True), noisy(1), starts=64)
    assert trace_counts() == before
    for fit in (first, second):
        low, high = fit.interval(0.99)["alpha"]
        assert low < 0.35 < high and high - low < 0.2
    first.save(tmp_path / "fit.json")
    assert sj.load_fit(tmp_path / "fit.json", additive("w", "T", tied=True)).params == first.params


# Laws of shapes, time and hours


def test_the_shape_only_multiplies():
    plain = laws.chinchilla(P, T, E=2.0, A=500.0, alpha=0.35, B=900.0, beta=0.3)
    shaped = laws.inference_shape(P, T, W / DEPTH, E=2.0, A=500.0, alpha=0.35, B=900.0, beta=0.3, epsilon=0.01, kappa=0.5)
    np.testing.assert_allclose(shaped / plain, 1 + 0.01 * np.sqrt(W / DEPTH), rtol=1e-13)


def test_time_is_tokens_times_speed():
    constants = laws.chinchilla.published["hoffmann2022"]
    np.testing.assert_allclose(laws.time_budget(P, 3600.0, T / 3600.0, **constants), laws.chinchilla(P, T, **constants), rtol=1e-13)


def test_equal_architectures_at_the_closed_form():
    """Two lines in logarithms cross at exp((a1 - a2) / (b1 - b2)), and `break_even` finds it from fits, with an interval around it."""
    rng, hours = np.random.default_rng(0), np.repeat([6.0, 12.0, 24.0, 48.0, 96.0], 3)
    true = {"gpt": {"a": 1.30, "b": 0.060}, "lstm": {"a": 1.45, "b": 0.085}}
    exact = np.exp((1.30 - 1.45) / (0.060 - 0.085))
    law = laws.compute_class_hours
    bare = sj.break_even((law, true["gpt"]), (law, true["lstm"]), "h", (1.0, 1e6))
    assert bare.values == pytest.approx([exact]) and bare.better == ("a", "b")
    fits = [
        sj.fit(law, {"h": hours, "ppl": law(hours, **one) * np.exp(rng.normal(0, 1e-3, 15))}, loss=sj.squared()) for one in true.values()
    ]
    found = sj.break_even(*fits, "h", (1.0, 1e6))
    low, high = found.interval(0.99)["h"]
    assert low[0] < exact < high[0] and high[0] / low[0] < 5


# Counts


def test_exact_counts_meet_the_common_rules():
    """Without gates and experts it is Hoffmann's count; at large width all are 6 N with N = 12 n_layer d_model^2."""
    d, n = 4096, 32
    plain = costs.sequence_flops(n, d, 4 * d, 32, 128, n_ctx=1024, n_vocab=32000, gated=False)
    assert plain == 1024 * costs.hoffmann_flops(n, d, 4 * d, 32, 128, 1024, 32000)
    gated = costs.sequence_flops(n, d, 8 / 3 * d, 32, 128, n_ctx=1024, n_vocab=32000)
    assert gated == pytest.approx(plain, rel=1e-12)  # three matrices of 8/3 d for two of 4 d
    tiny = costs.sequence_flops(2, 1e6, 4e6, 1, 1e6, n_ctx=1, n_vocab=0, gated=False)
    assert tiny == pytest.approx(6 * costs.transformer_params(2, 1e6), rel=1e-5)
    assert costs.gated_params(n, d, 4 * d, 32, 128, n_vocab=0, gated=False) == costs.transformer_params(n, d)


def test_experts():
    shape = {"n_layer": 8, "d_model": 512, "d_ff": 1536, "n_head": 8, "d_head": 64, "n_vocab": 50257}
    dense, routed = costs.sequence_flops(**shape, n_ctx=512), costs.sequence_flops(**shape, n_ctx=512, n_expert=8, n_active=2)
    layer = 3 * 2 * 512 * 3 * 512 * 1536  # three times the forward pass of three matrices
    assert routed - dense == pytest.approx(8 * (layer + 3 * 3 * 512 * 8), rel=1e-12)
    more = costs.gated_params(**shape, n_expert=8) - costs.gated_params(**shape)
    assert more == 7 * 8 * 3 * 512 * 1536
    assert costs.gated_params(**shape) - costs.gated_params(**shape, n_kv=2) == 8 * 2 * 512 * 64 * 6


def test_gemstones_counts():
    """Six FLOPs for every parameter but the embedding, and attention: the exact count stays within a quarter above that."""
    w, d = np.array([1024.0, 2048.0, 3072.0]), np.array([28.0, 27.0, 12.0])
    head_only = 6 * (costs.gemstones_params(w, d) - 50304 * w)
    ratio = costs.gemstones_flops(w, d) / head_only
    assert ((ratio > 1.05) & (ratio < 1.25)).all()
    np.testing.assert_allclose(jax.grad(costs.gemstones_flops, 1)(1024.0, 28.0), costs.gemstones_flops(1024, 29) -
                               costs.gemstones_flops(1024, 28), rtol=1e-5)  # fmt: skip


# Shapes


def grid():
    w, d = (g.ravel() for g in np.meshgrid(256.0 * np.arange(1, 13), np.arange(2.0, 41.0, 2)))
    return {"w": w, "d": d, "p": costs.gemstones_params(w, d)}


def test_shape_plan_is_brute_force():
    shapes, law = grid(), laws.gemstones_shape_params
    plan = studies.shape_plan((law, HOT), shapes, lambda w, d: costs.gemstones_flops(w, d), [1e19, 1e21])
    for i, C in enumerate((1e19, 1e21)):
        tokens = C / costs.gemstones_flops(shapes["w"], shapes["d"])
        loss = [law(w, d, p, t, **HOT) for w, d, p, t in zip(*shapes.values(), tokens, strict=True)]
        np.testing.assert_allclose(plan.loss[i], loss, rtol=1e-12)
        assert plan.best[i] == np.argmin(loss)
    assert (plan.shapes["p"][plan.best][1:] > plan.shapes["p"][plan.best][:-1]).all()
    assert "best of 240 shapes" in repr(plan)


def test_overspend_buys_the_loss_of_the_best():
    """Spending that much more, each shape reaches the best loss; those whose limit lies above it never do."""
    shapes, law = grid(), laws.gemstones_shape_params
    plan = studies.shape_plan((law, HOT), shapes, lambda w, d: costs.gemstones_flops(w, d), 1e20)
    over, best = plan.overspend[0], plan.best[0]
    assert abs(over[best]) < 1e-9 and (np.delete(over, best) > 0).all()
    within = np.isfinite(over)
    reached = law(*(shapes[n] for n in "wdp"), np.where(within, plan.tokens[0] * (1 + over), 1e30), **HOT)
    np.testing.assert_allclose(reached[within], plan.loss[0, best], rtol=1e-10)
    assert (~within).any() and (reached[~within] > plan.loss[0, best]).all()


def test_of_equal_parameters_the_fastest_wins():
    """The principle of Inbar and Sernau: at equal N the loss depends on the shape through its speed alone."""
    seconds = laws.token_time(np.array([4e6, 2e6, 3e6]), c0=1e-6, c1=3e-12)
    source = (laws.chinchilla, laws.chinchilla.published["hoffmann2022"])
    plan = studies.shape_plan(source, {"N": np.full(3, 1e8)}, seconds, 86400.0, tokens="D")
    assert plan.best.tolist() == [1]
    np.testing.assert_allclose(plan.overspend[0], seconds / seconds[1] - 1, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(plan.loss[0], laws.time_budget(1e8, 86400.0, 1 / seconds, **source[1]), rtol=1e-12)


def test_shape_plan_agrees_with_allocate_on_a_fine_grid():
    source = (laws.chinchilla, laws.chinchilla.published["hoffmann2022"])
    N = np.geomspace(1e8, 1e10, 4001)
    plan = studies.shape_plan(source, {"N": N}, 6 * N, 1e21, tokens="D")
    assert N[plan.best[0]] == pytest.approx(2.217e9, rel=2e-3)


def test_ranking_under_limits():
    law = laws.inference_shape_tied
    shapes = {"N": [1.44e9, 1.53e9, 1.67e9], "D": 29e9, "R": [2048 / 24, 160.0, 256.0], "latency": [3.6, 2.5, 1.96]}
    everything = studies.rank_shapes((law, law.published["bian2025"]), shapes)
    assert everything.order.tolist() == np.argsort(everything.loss).tolist() == [0, 1, 2]
    limited = studies.rank_shapes((law, law.published["bian2025"]), shapes, limits={"latency": 2.5})
    assert limited.order.tolist() == [1, 2] and "2 of 3 shapes" in repr(limited)


def test_rank_correlation():
    from scipy import stats as scipy_stats

    a, b = np.round(RNG.normal(size=(2, 30)), 1)  # with ties
    assert statistics.spearman(a, b) == pytest.approx(scipy_stats.spearmanr(a, b).statistic, abs=1e-14)
    assert statistics.spearman(a, -a) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda s: studies.shape_plan(s, {"w": [256.0]}, 1e9, 1e20), "no 'd'"),
        (lambda s: studies.shape_plan(s, grid(), lambda width: width, 1e20), "'width', which is not a column"),
        (lambda s: studies.shape_plan(s, grid(), -1.0, 1e20), "positive cost"),
        (lambda s: studies.shape_plan(s, grid(), np.ones(3), 1e20), "positive cost"),
        (lambda s: studies.shape_plan(s, grid(), 1e9, [1e20, 0.0]), "positive number"),
        (lambda s: studies.shape_plan(s, grid(), 1e9, 1e20, tokens="D"), "no input 'D'"),
        (lambda s: studies.shape_plan("gemstones", grid(), 1e9, 1e20), "takes a fit"),
        (lambda s: studies.rank_shapes(s, {**grid(), "T": 1e11}, limits={"latency": 1.0}), "not a column of the shapes"),
        (lambda s: studies.rank_shapes(s, {**grid(), "T": 1e11}, limits={"w": 1.0}), "No shape keeps"),
        (lambda s: studies.rank_shapes(s, {"w": [1.0, 2.0], "d": [1.0, 2.0, 3.0]}), "columns of one length"),
        (lambda s: studies.rank_shapes(s, {"w": 1.0}), "at least one shape"),
        (lambda s: statistics.spearman([1.0, 2.0], [1.0]), "same length"),
        (lambda s: statistics.spearman([1.0, 1.0], [1.0, 2.0]), "constant"),
    ],
)
def test_shapes_refuse(call, message):
    with pytest.raises(sj.DecisionError, match=message):
        call((laws.gemstones_shape_params, HOT))


# The hull


def test_the_hull_is_that_of_scipy():
    from scipy.spatial import ConvexHull

    x = RNG.uniform(0, 5, 200)
    y = 1 + np.exp(-0.3 * x) + RNG.exponential(0.2, 200)
    found = studies.hull_frontier(np.exp(x), np.exp(y), N=np.exp(0.5 * x + 1))
    corners = np.sort(ConvexHull(np.stack([x, y], axis=1)).vertices)
    assert set(found.rows) <= set(corners) and x.argmin() == found.rows[0] and y.argmin() == found.rows[-1]
    line = np.interp(x, x[found.rows], y[found.rows])
    inside = x <= x[found.rows[-1]]
    assert (y[inside] >= line[inside] - 1e-12).all()
    assert found.lines["N"] == pytest.approx((0.5, 1.0)) and found.predict("N", np.e) == pytest.approx(np.exp(1.5))
    assert "checkpoints on the hull" in repr(found)


def test_the_hull_refuses():
    with pytest.raises(sj.DataError, match="positive numbers"):
        studies.hull_frontier([1.0, 2.0], [1.0, -1.0])
    with pytest.raises(sj.DataError, match="needs N"):
        studies.hull_frontier([1.0, 2.0], [2.0, 1.0], N=[1.0])
    with pytest.raises(sj.FitError, match="fewer than two corners"):
        studies.hull_frontier([1.0, 2.0], [1.0, 2.0], N=[1.0, 2.0])


# IsoFLOP in the scale of the model


def test_model_scale_recovers_the_closed_form():
    """With M = 6 N the exponents are those of 6 N D = C, and M_0 D_0 = 1 holds exactly; M counted otherwise moves them."""
    law, constants = laws.chinchilla, {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 400.0, "beta": 0.34}
    C, ratio = np.repeat([1e18, 1e19, 1e20, 1e21], 9), np.tile(np.logspace(-0.5, 0.5, 9), 4)
    N = ratio * np.sqrt(C / 6)
    runs = sj.simulate(law, constants, N=N, D=C / (6 * N)).with_columns(C=C, M=6 * N)
    found = studies.isoflop_model_scale(runs)
    assert found.a == pytest.approx(0.5, abs=1e-6) and found.M_0 * found.D_0 == pytest.approx(1, rel=1e-9)
    M, D = found.allocate(np.array([1e19, 1e22]))
    np.testing.assert_allclose(M * D, [1e19, 1e22], rtol=1e-9)
    np.testing.assert_allclose(M[0], 6 * np.sqrt(1e19 / 6), rtol=1e-3)
    with pytest.raises(sj.DataError, match="column M"):
        studies.isoflop_model_scale(sj.simulate(law, constants, N=N, D=C / (6 * N)).with_columns(C=C))


@pytest.mark.parametrize("quality", [1.0, 3.0])
def test_better_data_do_not_move_the_exponent(quality):
    """Data worth `quality` times as many tokens change B alone: M_0 falls, a = beta / (alpha + beta) stays. DeepSeek's a moved."""
    values = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 2000.0 * quality**-0.28, "beta": 0.28}
    G = (0.34 * 400.0 / (0.28 * values["B"])) ** (1 / 0.62)
    C, ratio = np.repeat([1e18, 1e19, 1e20, 1e21], 9), np.tile(np.logspace(-0.5, 0.5, 9), 4)
    N = ratio * G * (C / 6) ** (0.28 / 0.62)
    runs = sj.simulate(laws.chinchilla, values, N=N, D=C / (6 * N)).with_columns(C=C, M=6 * N)
    found = studies.isoflop_model_scale(runs)
    assert found.a == pytest.approx(0.28 / 0.62, abs=1e-9)
    assert found.M_0 == pytest.approx(6 * G * 6 ** -(0.28 / 0.62), rel=0.05)  # the parabola's bias is the same at all budgets


# What studies cost


def test_study_cost_by_hand():
    plan = papers.study_cost([[1e9, 2e9], [3e9]], [6.0, 60.0], cooldown=0.1)
    assert plan.cosine.tolist() == [18e9, 180e9] and plan.reuse == pytest.approx([6 * 2.1e9, 180e9])
    assert plan.total_saved == pytest.approx(1 - (12.6 + 180) / 198) and plan.saved[1] == 0
    assert "all" in repr(plan)
    assert papers.study_cost([1.0, 2.0, 3.0], cooldown=0.0).reuse.tolist() == [3.0]
    assert papers.study_cost([1.0, 2.0, 3.0], cooldown=1.0).total_saved == 0


def test_study_cost_tends_to_the_cooldown():
    """Of many equal steps of length, reuse costs the share f and one long run."""
    many = np.arange(1, 1001) * 1e9
    assert 1 - papers.study_cost(many, cooldown=0.2).total_saved == pytest.approx(0.2 + 0.8 * 2 / 1001)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([],), "list of token counts"),
        ((5.0,), "list of token counts"),
        (([1e9, -1.0],), "positive token counts"),
        (([[1e9], []],), "positive token counts"),
        (([[1e9], [1e9]], [1.0, 2.0, 3.0]), "each of the 2 model sizes"),
        (([1e9], 0.0), "one positive number"),
    ],
)
def test_study_cost_refuses(arguments, message):
    with pytest.raises(sj.DecisionError, match=message):
        papers.study_cost(*arguments)
    with pytest.raises(sj.DecisionError, match="share of a run"):
        papers.study_cost([1e9], cooldown=1.5)


def test_compound_scaling_keeps_its_books():
    """FLOPs are depth width^2 resolution^2, and so on, for any shares."""
    s = np.array([1.0, 2.0, 10.0])
    for e_d, e_w in ((0.2, 0.5), (0.0, 0.0), (1.0, 0.0), (0.1, 0.9)):
        by = papers.compound_scaling(s, e_d=e_d, e_w=e_w)
        np.testing.assert_allclose(by.depth * by.width**2 * by.resolution**2, s, rtol=1e-14)
        np.testing.assert_allclose(by.params, by.depth * by.width**2, rtol=1e-14)
        np.testing.assert_allclose(by.activations, by.depth * by.width * by.resolution**2, rtol=1e-14)
        assert (by.flops == s).all()
    uniform, fast = papers.fast_scaling(8.0, 1 / 3), papers.fast_scaling(8.0)
    assert uniform.depth == pytest.approx(uniform.width**2) and isinstance(fast.width, float)
    assert papers.fast_scaling(8.0, 1.0).activations < fast.activations < uniform.activations


def test_compound_scaling_refuses():
    for e_d, e_w in ((-0.1, 0.5), (0.6, 0.6), (np.nan, 0.1)):
        with pytest.raises(sj.DecisionError, match="shares"):
            papers.compound_scaling(2.0, e_d=e_d, e_w=e_w)
    with pytest.raises(sj.DecisionError, match="positive factor"):
        papers.compound_scaling([1.0, 0.0], e_d=0.5, e_w=0.5)
    with pytest.raises(sj.DecisionError, match="between 0 and 1"):
        papers.fast_scaling(2.0, 1.2)


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "streams"), [(1e10, 1.0), (7e9, 2.0), (5e9, 8.0)])
def test_streams_against_parameters(memory, streams):
    """The loss of 4B parameters at the fewest FLOPs a token, with 16-bit weights in so many bytes: beside it, every number of streams."""
    law = laws.parallel_streams
    true, many = law.published["chen2025_stack"], np.asarray([1.0, 2.0, 4.0, 8.0])
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(5.4e8, 4.4e9, 6), many))
    fit = sj.fit(law, sj.simulate(law, true, N=N, P=P, noise=0.002, seed=1))

    def flops(N, P):
        return 2 * N * P

    def weights(N):
        return 2 * N

    question = {"loss": float(law(4e9, 1.0, **true)), "cost": flops, "choices": {"P": many}, "caps": {weights: memory}}
    needed = 4e9 / (1 + true["k"] * np.log(many))
    first = np.flatnonzero(2 * needed <= memory)[0]  # FLOPs grow with the streams
    exact = sj.allocate((law, true), **question)
    assert exact.inputs["P"] == streams == many[first] and exact.inputs["N"] == pytest.approx(needed[first], rel=1e-6)
    assert exact.left_out == tuple(f"P={p:g}" for p in many[:first])
    plan = sj.allocate(fit, **question)
    low, high = plan.interval(0.99)["N"]
    assert plan.inputs["P"] == streams and low < needed[first] < high < 1.3 * low and "P=8" not in plan.left_out
