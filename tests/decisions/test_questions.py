"""Questions on top of `allocate`: effective compute, equivalents, break-even, choice, fronts, regret; against closed forms."""

import numpy as np
import pytest
from scipy.optimize import brentq

import scalejax as sj
from scalejax.decisions.recipes.arm import arms

LAW = sj.laws.chinchilla
OLD = LAW.published["besiroglu2024"]
SARDANA = LAW.published["sardana2023"]
INFERENCE = sj.costs.six_nd_inference
# arXiv:2502.05172, table 4: m, mu, n, nu of the Chinchilla form that the joint law takes for a number of experts; c = 1.3637
EXPERTS = {
    1: (30.364, 0.1817, 53.9838, 0.1965),
    2: (27.7982, 0.178, 66.8401, 0.2065),
    4: (24.8462, 0.1731, 87.7022, 0.2192),
    8: (21.833, 0.1676, 119.9126, 0.2338),
    16: (19.0159, 0.1617, 167.5073, 0.2494),
    32: (16.5424, 0.1557, 234.6726, 0.2652),
}
MOE = {E: {"E": 1.3637, "A": m, "alpha": mu, "B": n, "beta": nu} for E, (m, mu, n, nu) in EXPERTS.items()}
joint_moe = sj.laws.joint_moe
JOINT = joint_moe.published["ludziejewski2025"]


def frontier(p, C):
    """Closed form of N, D and the loss of a Chinchilla law under 6 N D."""
    alpha, beta = p["alpha"], p["beta"]
    N = (alpha * p["A"] / (beta * p["B"])) ** (1 / (alpha + beta)) * (C / 6) ** (beta / (alpha + beta))
    return N, C / (6 * N), p["E"] + p["A"] * N**-alpha + p["B"] * (C / (6 * N)) ** -beta


def reduced(E):
    """Chinchilla parameters of the joint law at E experts."""
    q = JOINT
    log_E = -np.log(1 / (E - 1 + 1 / (1 / q["E_start"] - 1 / q["E_max"])) + 1 / q["E_max"])
    return {
        "E": q["c"], "A": q["a"] * np.exp(q["delta"] * log_E), "alpha": -q["alpha"] - q["gamma"] * log_E,
        "B": q["b"] * np.exp(q["omega"] * log_E), "beta": -q["beta"] - q["zeta"] * log_E,
    }  # fmt: skip


@pytest.fixture(scope="module")
def fits():
    """Two fits to simulated runs of two recipes; the second needs less of everything."""
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7.5, 10, 120), 10 ** rng.uniform(9, 11.5, 120)
    better = {**OLD, "A": 0.8 * OLD["A"], "B": 0.8 * OLD["B"]}
    return [sj.fit(LAW, sj.simulate(LAW, p, N=N, D=D, noise=0.004, seed=s)) for s, p in enumerate((OLD, better))]


# Effective compute


def test_multiplier_is_the_closed_form():
    """With equal exponents, scaling A and B by s scales the compute by s^-(1/alpha + 1/beta)."""
    new = {**OLD, "A": 0.8 * OLD["A"], "B": 0.8 * OLD["B"]}
    gain = sj.compute_multiplier((LAW, new), (LAW, OLD), compute=[1e19, 1e22, 1e25])
    np.testing.assert_allclose(gain.multiplier, 0.8 ** -(1 / OLD["alpha"] + 1 / OLD["beta"]), rtol=1e-8)
    np.testing.assert_allclose(gain.loss, frontier(new, gain.compute)[2], rtol=1e-12)
    assert isinstance(sj.compute_multiplier((LAW, OLD), (LAW, OLD), compute=1e21).multiplier, float)


def test_multiplier_of_a_mixture_of_experts():
    C = 1e20
    gain = sj.compute_multiplier((LAW, MOE[8]), (LAW, MOE[1]), compute=C)
    wanted = brentq(lambda c: frontier(MOE[1], np.exp(c))[2] - frontier(MOE[8], C)[2], 40, 55, xtol=1e-13)
    assert gain.base_compute == pytest.approx(np.exp(wanted), rel=1e-9) and gain.multiplier > 1.5


@pytest.mark.slow
def test_multiplier_is_infinite_where_the_base_cannot_follow(fits):
    new = {**OLD, "E": OLD["E"] - 0.1}
    gain = sj.compute_multiplier((LAW, new), (LAW, OLD), compute=[1e20, 1e26])
    assert np.isfinite(gain.multiplier[0]) and np.isinf(gain.multiplier[1]) and "cannot reach" in repr(gain)
    drawn = sj.compute_multiplier(fits[1], fits[0], compute=[1e20, 1e29])
    assert drawn.unreached[0] == 0 < drawn.unreached[1] < 1 and np.isinf(drawn.interval(0.98)["multiplier"][1][1])


def test_draws_of_two_fits_are_independent_and_of_one_are_paired(fits):
    """Laplace draws of two fits come from the same random numbers; side by side they must not."""
    raw = [sj.laplace(f, 1000).params["E"] for f in fits]
    pair = [arm.known.draws["E"] for arm in arms(fits, [sj.costs.six_nd] * 2, {}, "test")]
    assert np.corrcoef(*raw)[0, 1] > 0.5 > 0.1 > abs(np.corrcoef(*pair)[0, 1])
    np.testing.assert_array_equal(np.sort(pair[1]), np.sort(raw[1]))
    gain = sj.compute_multiplier(fits[1], fits[0], compute=1e20)
    low, high = gain.interval(0.99)["multiplier"]
    assert low < 0.8 ** -(1 / OLD["alpha"] + 1 / OLD["beta"]) < high
    same = sj.compute_multiplier(fits[0], fits[0], compute=1e20)
    np.testing.assert_allclose(same.draws["multiplier"], 1.0, rtol=1e-7)


@pytest.mark.slow
def test_sides_have_values_of_their_own():
    """The same recipe with more inference to pay for needs more lifetime compute."""
    few, many = (((LAW, SARDANA), {"D_inf": tokens}) for tokens in (1e10, 1e12))
    gain = sj.compute_multiplier(few, many, compute=1e21, cost=INFERENCE)
    loss = sj.allocate((LAW, SARDANA), compute=1e21, cost=INFERENCE, D_inf=1e10).loss
    needed = sj.allocate((LAW, SARDANA), loss=loss, cost=INFERENCE, D_inf=1e12).compute
    assert gain.multiplier == pytest.approx(needed / 1e21, rel=1e-9) and gain.multiplier > 1.5


# Equivalents


def test_data_equivalent_of_repeated_tokens():
    """D' = U + U R* (1 - exp(-R / R*)) for a model small enough that its size is not discounted."""
    law = sj.laws.data_constrained
    p = law.published["muennighoff2023"]
    epochs = np.asarray([1.5, 4.0, 40.0])
    fresh = sj.equivalent((law, p), "D", like={"N": 1e8, "D": epochs * 1e11, "U": 1e11}, N=1e8, U=1e15)
    np.testing.assert_allclose(fresh.value, 1e11 * (1 - p["R_D_star"] * np.expm1((1 - epochs) / p["R_D_star"])), rtol=1e-9)
    np.testing.assert_allclose(fresh.ratio, fresh.value / (epochs * 1e11))
    assert fresh.value.shape == (3,) and "Equivalent D" in repr(fresh)


def test_dense_equivalent_of_a_mixture_of_experts():
    dense = sj.equivalent((joint_moe, JOINT), "N", like={"N": 1e9, "E": 8}, D=2e11, E=1)
    one, eight = reduced(1), reduced(8)
    loss = eight["A"] * 1e9 ** -eight["alpha"] + eight["B"] * 2e11 ** -eight["beta"]
    assert dense.value == pytest.approx(((loss - one["B"] * 2e11 ** -one["beta"]) / one["A"]) ** (-1 / one["alpha"]), rel=1e-9)
    assert isinstance(dense.value, float) and dense.ratio == pytest.approx(dense.value / 1e9)


def test_equivalent_over_draws_and_from_another_source(fits):
    data = sj.equivalent(fits[0], "D", like={"N": [2e9, 2e9], "D": [1e11, 2e11]}, N=1e9)
    low, high = data.interval(0.9)["D"]
    assert (low < data.value).all() and (data.value < high).all() and data.draws["D"].shape == (1000, 2)
    for i in (0, 500):
        p = {n: v[i] for n, v in sj.laplace(fits[0], 1000).params.items()}
        assert LAW(1e9, data.draws["D"][i, 1], **p) == pytest.approx(LAW(2e9, 2e11, **p), rel=1e-11)
    same = sj.equivalent(fits[0], "N", like={"N": 2e9, "D": 1e11}, D=1e11)
    np.testing.assert_allclose(same.draws["ratio"], 1.0, rtol=1e-9)
    other = sj.equivalent(fits[0], "N", like=(fits[1], {"N": 2e9, "D": 1e11}), D=1e11)
    low, high = other.interval(0.9)["ratio"]
    assert 1 < low < other.ratio < high


def test_a_loss_that_no_value_reaches(fits):
    none = sj.equivalent(fits[0], "N", like=[1.5, 2.2], D=1e11)
    assert np.isinf(none.value[0]) and np.isfinite(none.value[1]) and none.unreached[0] == 1 and "no N is enough" in repr(none)
    at_most = sj.equivalent(fits[0], "N", like=50.0, D=1e11, bounds={"N": (1e8, 1e12)})
    assert at_most.value == 0 and "already better" in repr(at_most)


# Break-even


def test_two_laws_cross_where_their_closed_forms_do():
    hoffmann = LAW.published["hoffmann2022"]
    even = sj.break_even((LAW, hoffmann), (LAW, OLD), "compute", (1e15, 1e26), names=("Hoffmann", "Besiroglu"))
    assert even.better == ("Hoffmann", "Besiroglu", "Hoffmann") and len(even.values) == 2
    for C, loss in zip(even.values, even.at, strict=True):
        assert frontier(hoffmann, C)[2] == pytest.approx(frontier(OLD, C)[2], rel=1e-12) and loss == pytest.approx(frontier(OLD, C)[2])


def test_inference_demand_at_which_a_smaller_model_pays():
    """Equal lifetime compute of equal loss: D_inf = 3 (N_1 D_1 - N_2 D_2) / (N_2 - N_1)."""
    p, loss, sizes = SARDANA, 2.05, np.asarray([7e9, 13e9])
    D = (p["B"] / (loss - p["E"] - p["A"] * sizes ** -p["alpha"])) ** (1 / p["beta"])
    small, large = (((LAW, p), {"N": n}) for n in sizes)
    even = sj.break_even(small, large, "D_inf", (1e9, 1e16), loss=loss, cost=INFERENCE, names=("7B", "13B"))
    assert even.values[0] == pytest.approx(3 * (sizes * D) @ [1, -1] / (sizes[1] - sizes[0]), rel=1e-8)
    assert even.better == ("13B", "7B") and even.at[0] == pytest.approx(6 * 7e9 * D[0] + 2 * 7e9 * even.values[0])


def test_crossings_at_given_inputs_and_over_draws(fits):
    a, b = (LAW, MOE[1]), (LAW, MOE[2])
    even = sj.break_even(a, b, "D", (1e7, 1e12), N=1e9)
    root = brentq(lambda t: LAW(1e9, np.exp(t), **MOE[1]) - LAW(1e9, np.exp(t), **MOE[2]), np.log(1e7), np.log(1e12))
    assert even.values == pytest.approx([np.exp(root)]) and even.better == ("a", "b")
    fixed = (LAW, {**OLD, "A": 0.5 * OLD["A"], "B": 1.6 * OLD["B"]})
    drawn = sj.break_even(fits[0], fixed, "D", (1e8, 1e14), N=1e9)
    low, high = drawn.interval(0.9)["D"]
    assert low[0] < drawn.values[0] < high[0] and drawn.missing[0] == 0
    p = {n: v[7] for n, v in sj.laplace(fits[0], 1000).params.items()}
    assert LAW(1e9, drawn.draws["D"][7, 0], **p) == pytest.approx(LAW(1e9, drawn.draws["D"][7, 0], **fixed[1]), rel=1e-11)
    budget = sj.break_even(fits[0], (LAW, {**OLD, "A": 900.0, "alpha": 0.38}), "compute", (1e15, 1e26))
    assert len(budget.values) == 1 and budget.draws["compute"].shape == (1000, 1) and "break-even" in repr(budget).lower()


def test_no_crossing_says_who_is_better():
    never = sj.break_even((LAW, MOE[1]), (LAW, MOE[32]), "D", (1e10, 1e12), N=1e9, names=("dense", "experts"))
    assert not len(never.values) and never.better == ("experts",) and "experts is better for all D" in repr(never)


# Choice


def test_envelope_of_the_mixtures_of_experts():
    C = np.logspace(13, 24, 12)
    pick = sj.choose({str(E): (LAW, p) for E, p in MOE.items() if E <= 4}, compute=C)
    losses = np.stack([frontier(MOE[E], C)[2] for E in (1, 2, 4)])
    np.testing.assert_allclose(pick.loss, losses.min(axis=0), rtol=1e-12)
    assert pick.best.tolist() == np.asarray(["1", "2", "4"])[losses.argmin(axis=0)].tolist()
    np.testing.assert_allclose(pick.inputs["N"][-1], frontier(MOE[4], C[-1])[0], rtol=1e-9)
    root = brentq(lambda c: frontier(MOE[1], np.exp(c))[2] - frontier(MOE[4], np.exp(c))[2], np.log(1e13), np.log(1e17), xtol=1e-13)
    assert [s.better for s in pick.switches] == [("1", "4")] and pick.switches[0].values[0] == pytest.approx(np.exp(root), rel=1e-8)


def test_a_third_recipe_in_between_is_found():
    laws = {"small": {**OLD, "A": 255.0, "alpha": 0.31}, "middle": OLD, "large": {**OLD, "A": 900.0, "alpha": 0.38}}
    ends = sj.choose({n: (LAW, p) for n, p in laws.items()}, compute=[1e14, 1e24])
    assert ends.best.tolist() == ["small", "large"]
    fine = np.logspace(14, 24, 2001)
    best = np.argmin([frontier(p, fine)[2] for p in laws.values()], axis=0)
    wanted = [tuple(np.asarray(list(laws))[best[i : i + 2]]) for i in np.flatnonzero(np.diff(best))]
    assert [s.better for s in ends.switches] == wanted and len(wanted) == 2


def test_a_recipe_that_a_bound_excludes_is_named():
    small = ((LAW, MOE[8]), {"D": 1e30})
    pick = sj.choose({"dense": (LAW, MOE[1]), "8": small}, compute=[1e20, 1e21])
    assert pick.best.tolist() == ["dense"] * 2 and np.isinf(pick.losses["8"]).all() and "no plan for some budgets" in repr(pick)


def test_choice_over_draws(fits):
    pick = sj.choose({"old": fits[0], "new": fits[1]}, compute=1e21)
    assert pick.best == "new" and pick.probability["new"] > 0.95 and sum(pick.probability.values()) == pytest.approx(1)
    lost = {name: loss - pick.loss for name, loss in pick.losses.items()}  # what the point estimates say of it
    assert pick.regret["new"] < 0.1 * pick.regret["old"] and pick.regret["old"] == pytest.approx(lost["old"], rel=0.5)
    low, high = pick.interval(0.9)["loss"]
    assert low < pick.loss < high and "P(best)" in repr(pick) and "<table" in pick._repr_html_()


@pytest.mark.slow
def test_joint_law_chooses_the_number_of_experts():
    """N_opt = (mu m / (nu n))^(1/(mu+nu)) (F/6)^(nu/(mu+nu)), and E by trial."""
    F = 1e20
    plan = sj.allocate((joint_moe, JOINT), compute=F, choices={"E": list(EXPERTS)})
    closed = {E: frontier(reduced(E), F) for E in EXPERTS}
    best = min(closed, key=lambda E: closed[E][2])
    assert plan.inputs["E"] == best == 32
    assert (plan.N, plan.D, plan.loss) == pytest.approx(closed[best], rel=1e-8)


@pytest.mark.slow
def test_memory_cap_chooses_fewer_experts():
    """The best E by a search over the width d: N_total = 2 d V + (4 + 9 E) n d^2 <= M, n = d / 64."""
    V = 50257.0

    def active(d):
        return 2 * d * V + 13 * d**3 / 64

    def weights(d, E):
        return 2 * d * V + (4 + 9 * E) * d**3 / 64

    def flops(d, D):
        return 6 * active(d) * D

    @sj.law(d=sj.Positive(64, 16384), D=sj.Positive(1e9, 1e13), E=sj.Positive(1, 64), **{n: sj.Positive() for n in JOINT if JOINT[n] > 0},
            **{n: sj.Real() for n in JOINT if JOINT[n] < 0})  # fmt: skip
    def of_width(d, D, E, *, a, alpha, delta, gamma, b, beta, omega, zeta, E_start, E_max, c):
        """The joint law of a width."""
        return joint_moe.function(active(d), D, E, a=a, alpha=alpha, delta=delta, gamma=gamma, b=b, beta=beta, omega=omega, zeta=zeta,
                                  E_start=E_start, E_max=E_max, c=c)  # fmt: skip

    F, d = 1e21, np.geomspace(64, 8192, 200_001)
    for memory in (2e9, 5e9):
        plan = sj.allocate((of_width, JOINT), compute=F, cost=flops, caps={weights: memory}, choices={"E": list(EXPERTS)})
        least = {}
        for E in EXPERTS:
            fit = d[weights(d, E) <= memory]
            p = reduced(E)
            least[E] = np.min(p["E"] + p["A"] * active(fit) ** -p["alpha"] + p["B"] * (F / 6 / active(fit)) ** -p["beta"])
        assert plan.inputs["E"] == min(least, key=least.get) < 32
        assert plan.loss == pytest.approx(min(least.values()), rel=3e-6) and plan.active[0] == ("the cap on weights",)


# Fronts


def per_token(N):
    """Inference FLOPs of a token."""
    return 2 * N


@pytest.mark.slow
def test_front_of_loss_and_inference_at_a_budget(fits):
    front = sj.pareto((LAW, OLD), compute=1e21, against=per_token, bounds={"N": (2e8, 1e12)}, points=9)
    N = front.second / 2
    np.testing.assert_allclose(front.inputs["N"], N, rtol=1e-9)
    np.testing.assert_allclose(front.first, LAW(N, 1e21 / 6 / N, **OLD), rtol=1e-10)
    assert front.first[-1] == pytest.approx(frontier(OLD, 1e21)[2], rel=1e-10) and front.second[0] == pytest.approx(4e8)
    p = OLD
    slope = p["alpha"] * p["A"] * N ** -p["alpha"] - p["beta"] * p["B"] * (1e21 / 6 / N) ** -p["beta"]
    np.testing.assert_allclose(front.rate, slope, rtol=1e-6, atol=1e-9)
    assert 0 < front.knee < 8 and front._repr_html_()
    drawn = sj.pareto(fits[0], compute=1e21, against=per_token, between=(1e9, 4e9), points=4)
    low, high = drawn.interval(0.9)["loss"]
    assert (low < drawn.first).all() and (drawn.first < high).all() and "knee" in repr(drawn)


@pytest.mark.slow
def test_rate_at_an_end_that_a_cap_makes():
    capped = sj.pareto((LAW, OLD), compute=1e21, against=per_token, caps={sj.costs.epochs: 2.0}, U=1e11, points=3)
    assert capped.inputs["D"][0] == pytest.approx(2e11, rel=1e-6)
    N = capped.second / 2
    slope = OLD["alpha"] * OLD["A"] * N ** -OLD["alpha"] - OLD["beta"] * OLD["B"] * (1e21 / 6 / N) ** -OLD["beta"]
    np.testing.assert_allclose(capped.rate, slope, rtol=1e-5, atol=1e-9)


def test_front_of_loss_and_a_cost():
    front = sj.pareto((LAW, OLD), cost=sj.costs.six_nd, between=(1e20, 1e24), points=5)
    np.testing.assert_allclose(front.first, frontier(OLD, front.second)[2], rtol=1e-11)
    step = 1e-5
    rise = frontier(OLD, front.second * np.exp(step))[2] - frontier(OLD, front.second * np.exp(-step))[2]
    np.testing.assert_allclose(front.rate, -rise / (2 * step), rtol=1e-6)


@pytest.mark.slow
def test_front_of_compute_and_size_at_a_loss():
    loss, p = 2.2, OLD
    front = sj.pareto((LAW, OLD), loss=loss, against=per_token, between=(4e9, 8e9), points=4)
    N = front.second / 2
    D = (p["B"] / (loss - p["E"] - p["A"] * N ** -p["alpha"])) ** (1 / p["beta"])
    np.testing.assert_allclose(front.first, 6 * N * D, rtol=1e-9)
    assert front.names == ("six_nd", "per_token") and (np.diff(front.first) < 0).all()


# Regret


def test_implied_inference_demand_of_released_models():
    """D_inf / D of Llama 3, Chinchilla and GPT-3 with the constants of Besiroglu et al."""
    D = np.asarray([15e12, 15e12, 15.6e12, 1.4e12, 0.3e12])
    runs = sj.regret((LAW, OLD), N=[8e9, 70e9, 405e9, 70e9, 175e9], D=D)
    assert np.round(runs.inference / D, 2).tolist() == [12.65, 4.36, 1.06, 0.09, -1.72]
    N_best, D_best, best = frontier(OLD, runs.compute)
    np.testing.assert_allclose(runs.excess, LAW(np.asarray([8e9, 70e9, 405e9, 70e9, 175e9]), D, **OLD) - best, rtol=1e-9)
    np.testing.assert_allclose([runs.best["N"], runs.best["D"]], [N_best, D_best], rtol=1e-8)
    for loss, needed in zip(runs.loss, runs.needed, strict=True):
        assert frontier(OLD, needed)[2] == pytest.approx(loss, rel=1e-11)
    np.testing.assert_allclose(runs.wasted, 1 - runs.needed / runs.compute)


def test_the_implied_demand_makes_the_run_the_best():
    run = sj.regret((LAW, SARDANA), N=8e9, D=2e12)
    under = sj.regret((LAW, SARDANA), N=8e9, D=2e12, cost=INFERENCE, D_inf=run.inference)
    assert run.wasted > 0.1 and under.wasted < 1e-9 and under.excess < 1e-9 and isinstance(under.wasted, float)


def test_regret_over_draws_and_with_inputs_of_each_run(fits):
    run = sj.regret(fits[0], N=[1e9, 8e9], D=[2e12, 1e12])
    limits = run.interval(0.9)
    assert (limits["wasted"][0] < run.wasted).all() and (run.wasted < limits["wasted"][1]).all()
    assert (run.draws["excess"] >= 0).all() and "extra" not in repr(run) and "D_inf" in repr(run)
    some = sj.regret((LAW, SARDANA), N=8e9, D=2e12, cost=INFERENCE, D_inf=[1e11, 1e13])
    for i, demand in enumerate((1e11, 1e13)):
        alone = sj.regret((LAW, SARDANA), N=8e9, D=2e12, cost=INFERENCE, D_inf=demand)
        assert some.wasted[i] == pytest.approx(alone.wasted, rel=1e-7) and some.best["N"][i] == pytest.approx(alone.best["N"], rel=1e-6)


# Bad input

SOURCE = (LAW, OLD)


@pytest.mark.parametrize(
    "ask, message",
    [
        (lambda: sj.compute_multiplier(SOURCE, SOURCE, compute=-1.0), "compute=-1.0 must be one positive"),
        (lambda: sj.compute_multiplier(SOURCE, SOURCE, compute=1e20, epochs=3), "epochs=, which no law and no cost"),
        (lambda: sj.compute_multiplier(SOURCE, SOURCE, compute=1e20, cost=(sj.costs.six_nd,)), "a tuple of 2"),
        (lambda: sj.compute_multiplier(SOURCE, (SOURCE, 3), compute=1e20), "beside a source"),
        (lambda: sj.compute_multiplier(SOURCE, (SOURCE, {"K": 3}), compute=1e20), "got 'K' for law 'chinchilla'"),
        (lambda: sj.compute_multiplier(3, SOURCE, compute=1e20), "takes a fit, draws or"),
        (lambda: sj.compute_multiplier(SOURCE, SOURCE, compute=1e20).interval(), "know no uncertainty"),
        (lambda: sj.equivalent(SOURCE, "U", like=2.0, N=1e9), "cannot solve for 'U'"),
        (lambda: sj.equivalent(SOURCE, "D", like=2.0), "needs a value for 'N'"),
        (lambda: sj.equivalent(SOURCE, "D", like={"N": 1e9}, N=1e9), "needs a value for 'D'"),
        (lambda: sj.equivalent(SOURCE, "D", like={"N": -1e9, "D": 1e9}, N=1e9), "must be a positive number"),
        (lambda: sj.equivalent(SOURCE, "D", like={"N": [1e9, 2e9], "D": [1e9] * 3}, N=1e9), "different lengths"),
        (lambda: sj.equivalent(SOURCE, "D", like=[2.0, 2.1], N=[1e9] * 3), "different lengths"),
        (lambda: sj.equivalent(SOURCE, "D", like=SOURCE, N=1e9), "names a law without inputs"),
        (lambda: sj.equivalent(SOURCE, "D", like=np.nan, N=1e9), "must be a loss"),
        (lambda: sj.equivalent(SOURCE, "D", like=2.0, N=1e9, bounds={"N": (1, 2)}), "looks for D alone"),
        (lambda: sj.break_even(SOURCE, SOURCE, "D", (2e9, 1e9), N=1e9), "two numbers that rise"),
        (lambda: sj.break_even(SOURCE, SOURCE, "Q", (1e9, 2e9), N=1e9), "asked for 'Q'"),
        (lambda: sj.break_even(SOURCE, SOURCE, "D", (1e9, 2e9), N=[1e9, 2e9]), "must be one value"),
        (lambda: sj.break_even(SOURCE, SOURCE, "compute", (1e9, 2e9), loss=2.0), "takes one of compute"),
        (lambda: sj.break_even(SOURCE, SOURCE, "compute", (-1.0, 2e9)), "must be positive"),
        (lambda: sj.break_even(SOURCE, SOURCE, "N", (1e9, 2e9), compute=[1e20, 1e21]), "call break_even.. once for each"),
        (lambda: sj.break_even(SOURCE, SOURCE, "D", (1e9, 2e9), N=1e9, names="ab"), "must be two names"),
        (lambda: sj.break_even(SOURCE, SOURCE, "loss", (1.0, 1.5)), "Neither recipe has an optimum"),
        (lambda: sj.choose({"one": SOURCE}, compute=1e20), "two or more recipes"),
        (lambda: sj.choose({"a": SOURCE, "b": SOURCE}, compute=1e20, cost={"a": sj.costs.six_nd}), "no cost for 'b'"),
        (lambda: sj.choose({"a": SOURCE, "b": SOURCE}, compute=[]), "one positive number or a list"),
        (lambda: sj.pareto(SOURCE), "pareto.. of loss and a cost needs between="),
        (lambda: sj.pareto(SOURCE, compute=1e21), "alone, or against="),
        (lambda: sj.pareto(SOURCE, compute=1e21, against=per_token), "has no inner optimum, so the front has no end"),
        (lambda: sj.pareto(SOURCE, compute=1e21, against=per_token, points=1), "at least 2"),
        (lambda: sj.pareto(SOURCE, compute=1e21, against=per_token, between=(2, 1)), "two positive numbers that rise"),
        (lambda: sj.regret(SOURCE, N=1e9), "needs a value for 'D'"),
        (lambda: sj.regret(SOURCE, N=1e9, D=[1e9, 2e9], cost=INFERENCE), "needs a value for 'D_inf'"),
        (lambda: sj.regret(SOURCE, N=[1e9] * 2, D=[1e9] * 3), "different lengths"),
        (lambda: sj.regret(SOURCE, N=1e9, D=1e10, over=["Q"]), "over= names 'Q'"),
    ],
)  # fmt: skip
def test_bad_input_is_told_in_a_sentence(ask, message):
    with pytest.raises(sj.DecisionError, match=message) as caught:
        ask()
    assert "\n" not in str(caught.value)
