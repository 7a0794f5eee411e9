"""Learning curves, broken power laws, bounded metrics, and the procedures on them: league, adaptive shapes, data to a threshold."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special

import scalejax as sj
from scalejax import laws, papers, statistics
from scalejax.zoo.scale.broken import OrderedPositive

X = np.logspace(5, 11, 25)
M4 = {"y_inf": 0.2, "y_0": 1.0, "beta": 300.0, "c": 0.35, "alpha": 0.6}


# M1 .. M4


def test_m4_satisfies_its_equation():
    for alpha in (1e-3, 0.3, 1.0, 2.5, 20.0):
        values = {**M4, "alpha": alpha}
        y = laws.m4(X, **values)
        x, inside = X[y < values["y_0"] - 1e-6], y[y < values["y_0"] - 1e-6]
        left = np.log(inside - values["y_inf"]) - alpha * np.log(values["y_0"] - inside)
        assert len(inside) > 10
        np.testing.assert_allclose(left, np.log(values["beta"]) - values["c"] * np.log(x), atol=1e-8)
        assert ((y > values["y_inf"]) & (y <= values["y_0"])).all() and (np.diff(y) <= 0).all()


@pytest.mark.parametrize("alpha", [1e-7, 1e-4, 0.01, 0.5, 0.999999, 1.5, 50.0, 1e4, 1e6])
def test_m4_is_its_root_however_sharp_the_knee(alpha):
    """Around f = b, where the curve leaves the level of guesses; bisection in the logit of w / b beside it."""
    b, y_inf = 1.0, 0.2
    for scaled in np.concatenate([np.linspace(-600, 600, 41), np.linspace(-30, 30, 41)]):
        log_f = (1 - alpha) * np.log(b) + min(alpha, 1.0) * scaled
        if abs(log_f) > 650:
            continue  # no number is so large

        def equation(z, log_f=log_f):
            return (np.log(b) - np.logaddexp(0, -z)) - log_f - alpha * (np.log(b) - np.logaddexp(0, z))

        z = scipy.optimize.brentq(equation, -1e9, 1e9, xtol=1e-13, rtol=1e-14)
        beta = np.exp(log_f + 0.5 * np.log(1e6))
        y = laws.m4(1e6, y_inf=y_inf, y_0=y_inf + b, beta=beta, c=0.5, alpha=alpha)
        assert y == pytest.approx(y_inf + b * scipy.special.expit(z), rel=1e-12)


def test_m4_with_alpha_zero_is_m2_and_is_its_limit():
    plain = {k: M4[k] for k in ("y_inf", "beta", "c")}
    m2 = laws.m2(X, **plain)
    np.testing.assert_allclose(laws.m4(X, **{**M4, "alpha": 0.0}), m2, rtol=1e-14)
    np.testing.assert_allclose(laws.m4(X, **{**M4, "alpha": 1e-9}), np.minimum(m2, M4["y_0"]), rtol=1e-6)


def test_m4_with_alpha_one_is_a_logistic_curve():
    f = laws.m1(X, beta=M4["beta"], c=M4["c"])
    expected = (M4["y_inf"] + f * M4["y_0"]) / (1 + f)
    np.testing.assert_allclose(laws.m4(X, **{**M4, "alpha": 1.0}), expected, rtol=1e-14)


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0, 3.0])
def test_derivatives_of_m4_are_those_of_the_implicit_function(alpha):
    """From w = f (b - w)^alpha: d log w (1 + alpha w / (b - w)) = d log f + d alpha log(b - w) + alpha db / (b - w)."""
    values = {**M4, "alpha": alpha}
    with jax.enable_x64():
        x = jnp.asarray(1e9)
        gradient = jax.jit(jax.grad(lambda p: laws.m4(x, **p)))({k: jnp.asarray(v) for k, v in values.items()})
        second = jax.jit(jax.hessian(lambda c: laws.m4(x, **{**values, "c": c})))(values["c"])
    y = laws.m4(1e9, **values)
    w, rest = y - values["y_inf"], values["y_0"] - y
    unit = w / (1 + alpha * w / rest)
    assert gradient["beta"] == pytest.approx(unit / values["beta"], rel=1e-10)
    assert gradient["c"] == pytest.approx(-unit * np.log(1e9), rel=1e-10)
    assert gradient["alpha"] == pytest.approx(unit * np.log(rest), rel=1e-10)
    assert gradient["y_0"] == pytest.approx(unit * alpha / rest, rel=1e-10, abs=1e-15)
    assert gradient["y_inf"] == pytest.approx(1 - unit * alpha / rest, rel=1e-10)
    h = 1e-5
    around = [laws.m4(1e9, **{**values, "c": values["c"] + d}) for d in (-h, 0.0, h)]
    assert second == pytest.approx((around[0] - 2 * around[1] + around[2]) / h**2, rel=1e-3)


def test_examples_for_a_target_agree_with_the_closed_inverse_of_m4():
    wanted = np.array([0.3, 0.5, 0.8])
    f = (wanted - M4["y_inf"]) / (M4["y_0"] - wanted) ** M4["alpha"]
    found = sj.equivalent((laws.m4, M4), "x", like=wanted).value
    np.testing.assert_allclose(found, (M4["beta"] / f) ** (1 / M4["c"]), rtol=1e-8)


def test_m3_is_m1_without_gamma_and_flat_far_beyond_it():
    np.testing.assert_allclose(laws.m3(X, beta=5.0, gamma=0.0, c=0.3), laws.m1(X, beta=5.0, c=0.3), rtol=1e-14)
    assert laws.m3(1e14, beta=5.0, gamma=1e-6, c=0.3) == pytest.approx(5.0 * 1e-6**0.3, rel=1e-7)


def test_success_rates_of_policies_give_their_power_law_back():
    """Lin et al.: 1 - score = beta x^-alpha in the number of environments; x for 90 % success follows."""
    x = np.tile([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], 8)
    runs = sj.simulate(laws.m1, {"beta": 0.8, "c": 0.6}, x=x, noise=0.05, seed=1)
    fitted = sj.fit("m1", runs, loss=sj.squared())
    line = np.polyfit(np.log(x), np.log(runs["loss"]), 1)
    assert fitted.params["c"] == pytest.approx(-line[0], rel=1e-6)
    assert fitted.params["c"] == pytest.approx(0.6, abs=0.03)
    needed = sj.equivalent(fitted, "x", like=0.1, bounds={"x": (1.0, 1e4)}).value
    assert needed == pytest.approx((fitted.params["beta"] / 0.1) ** (1 / fitted.params["c"]), rel=1e-8)


def test_the_logarithmic_law_is_the_line_of_least_squares_and_a_limit_of_power_laws():
    x = np.logspace(1, 4, 30)
    runs = sj.simulate(laws.logarithmic, {"a": 0.05, "b": 0.03}, x=x, noise=0.002, on="linear", seed=3)
    fitted = sj.fit("logarithmic", runs, loss=sj.squared(), on="linear")
    line = np.polyfit(np.log(x), runs["score"], 1)
    np.testing.assert_allclose([fitted.params["b"], fitted.params["a"]], line, rtol=1e-8)
    p = 1e-6
    np.testing.assert_allclose((0.05 - 0.03 / p) + 0.03 / p * x**p, laws.logarithmic(x, a=0.05, b=0.03), rtol=1e-3)


# Broken power laws

ADDITION = laws.bnsl.published["addition"]


def test_bnsl_is_the_product_that_the_paper_prints():
    for key, x in (("addition", np.arange(1.0, 1200.0, 7.0)), ("figure_1", np.logspace(1, 22, 50))):
        p = {k: np.asarray(v) for k, v in laws.bnsl.published[key].items()}
        breaks = np.prod((1 + (x[:, None] / p["d"]) ** (1 / p["f"])) ** (-p["c"] * p["f"]), axis=1)
        np.testing.assert_allclose(laws.bnsl(x, **p), p["a"] + p["b"] * x ** -p["c0"] * breaks, rtol=1e-12)


def test_bnsl_does_not_overflow_where_the_product_does():
    sharp = {**ADDITION, "f": [1e-3]}
    above = laws.bnsl(1e12, **sharp) - ADDITION["a"]
    assert 0 <= above < 1e-50 and laws.bnsl(1.0, **sharp) == pytest.approx(ADDITION["a"] + ADDITION["b"], rel=1e-12)


def test_slopes_of_bnsl_between_its_breaks_are_sums_of_c():
    p = {**laws.bnsl.published["figure_1"], "a": 0.0, "f": [0.02, 0.02, 0.02]}
    for x, expected in ((1e4, 0.05), (1e10, 0.54), (1e17, -0.271), (1e23, 1.829)):
        slope = np.log(laws.bnsl(x * 1.01, **p) / laws.bnsl(x, **p)) / np.log(1.01)
        assert -slope == pytest.approx(expected, abs=1e-6)


def test_bnsl_with_flat_breaks_is_a_power_law():
    flat = laws.bnsl(X, a=0.3, b=9.0, c0=0.2, c=[0.0, 0.0], d=[1e6, 1e9], f=[0.5, 0.5])
    np.testing.assert_allclose(flat, laws.power_law(X, E=0.3, A=9.0, alpha=0.2), rtol=1e-14)


def test_rising_positive_numbers_come_back_and_start_in_order():
    domain = OrderedPositive(1.0, 1e12)
    values = np.array([3.0, 50.0, 1e9])
    with jax.enable_x64():
        np.testing.assert_allclose(domain.forward(domain.inverse(values)), values, rtol=1e-12)
        starts = np.asarray(jax.vmap(domain.forward, -1, -1)(jnp.asarray(domain.sample(np.random.default_rng(0).uniform(size=(3, 200))))))
    assert (np.diff(starts, axis=0) > 0).all() and (starts >= 1).all() and (starts <= 1e12).all()
    assert not domain.contains([2.0, 1.0]) and not domain.contains([-1.0, 1.0]) and domain.contains([1.0, 2.0])


@pytest.mark.slow
def test_two_breaks_are_recovered_from_noisy_runs():
    true = {"a": 0.1, "b": 5.0, "c0": 0.1, "c": np.array([0.5, -0.4]), "d": np.array([1e3, 1e6]), "f": np.array([0.3, 0.4])}
    runs = sj.simulate(laws.bnsl, true, x=np.logspace(1, 8, 120), noise=1e-3, seed=2)
    fitted = sj.fit("bnsl", runs, sizes={"break": 2}, loss=sj.squared())
    np.testing.assert_allclose(np.log(fitted.params["d"]), np.log(true["d"]), atol=0.3)
    np.testing.assert_allclose(fitted.params["c"], true["c"], atol=0.1)


# Bounded metrics


def test_the_envelope_is_the_modulus_of_the_paper_and_additive_far_below_the_ceiling():
    p = {"alpha": 0.66, "b": 3.0, "beta": 0.53, "c_inf": 1e-3, "eta": 0.02, "e0": 0.9}
    n, m = np.logspace(1, 7, 13), np.logspace(3, 9, 13)
    x = n ** -p["alpha"] + p["b"] * m ** -p["beta"] + p["c_inf"]
    e = laws.rosenfeld_envelope(n, m, **p)
    np.testing.assert_allclose(e, p["e0"] * np.abs(x / (x - 1j * p["eta"])), rtol=1e-14)
    assert (e < p["e0"]).all()
    far = laws.rosenfeld_envelope(n, m, **{**p, "eta": 1e4})
    np.testing.assert_allclose(far, p["e0"] * x / 1e4, rtol=1e-6)


BELOW = {"E": 0.05, "A": 50.0, "alpha": 0.35, "B": 500.0, "beta": 0.4}
N, D = (g.ravel() for g in np.meshgrid(np.logspace(4, 8, 7), np.logspace(5, 9, 7)))


def test_any_law_can_be_bounded():
    p, whole = BELOW, sj.bounded(laws.chinchilla)
    assert whole == sj.bounded(laws.chinchilla) and whole.parameters == (*laws.chinchilla.parameters, "e0", "eta")
    np.testing.assert_allclose(whole(N, D, e0=0.9, eta=1.0, **p), 0.9 / np.sqrt(1 + laws.chinchilla(N, D, **p) ** -2.0), rtol=1e-13)
    with pytest.raises(sj.LawError, match="again"):
        sj.bounded(whole)


@pytest.mark.slow
def test_a_bounded_law_is_recovered():
    error = sj.bounded(laws.chinchilla).bind(eta=1.0, e0=0.9)
    fitted = sj.fit(error, sj.simulate(error, BELOW, N=N, D=D), starts=256)
    assert fitted.params == pytest.approx(BELOW, rel=1e-4)


# League


def curves():
    x = np.tile(np.logspace(4, 9, 26), 3)
    name = np.repeat(["a", "b", "c"], 26)
    y = np.where(name == "c", 20.0 * x**-0.3, 0.2 + 10.0 * x**-0.3)
    return {"x": x, "loss": y, "curve": name, "training": (x < 1e8).astype(float)}


def test_the_league_scores_the_continuation_of_every_curve():
    data = curves()
    squared = {"loss": sj.squared(), "starts": 64}  # the Huber loss of a law that misses by far more than delta has no single optimum
    found = sj.league({"M1": laws.m1, "M2": "m2"}, data, curve="curve", training="training", resolution=1e-3, **squared)
    assert found.rmse.shape == (2, 3) and found.best == "M2" and found.points.tolist() == [6, 6, 6]
    assert (found.rmse[1] < 1e-3).all() and found.rmse[0, 2] < 1e-6 and (found.rmse[0, :2] > 0.05).all()
    assert found.wins.tolist() == [0.5, 2.5]  # both continue the curve without a limit: a tie is shared
    first = {k: v[:26] for k, v in data.items()}
    early = {k: first[k][first["training"] == 1] for k in ("x", "loss")}
    alone = sj.fit("m1", early, **squared)
    late = first["training"] == 0
    error = np.log(alone.predict(x=first["x"][late])) - np.log(first["loss"][late])
    assert found.rmse[0, 0] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)
    assert "18 held-out points" in repr(found) and "M2" in found.scores().text()


def test_alternatives_are_chosen_without_the_held_out_part():
    data = curves()
    found = sj.league({"either": [laws.m1, laws.m2]}, data, curve="curve", training="training", starts=64)
    assert found.chosen[0, :2].tolist() == [1, 1]
    spoiled = {**data, "loss": np.where(data["training"] == 1, data["loss"], 1.0)}
    other = sj.league({"either": [laws.m1, laws.m2]}, spoiled, curve="curve", training="training", starts=64)
    assert other.chosen.tolist() == found.chosen.tolist()


def test_curves_that_are_too_short_for_a_law_are_not_scored_for_it():
    data = curves()
    keep = (data["curve"] != "b") | (data["training"] == 0) | (data["x"] < 2e4)  # two training points
    short = {k: v[keep] for k, v in data.items()}
    found = sj.league({"M1": laws.m1, "M2": laws.m2}, short, curve="curve", training="training", starts=64)
    assert np.isnan(found.rmse).tolist() == [[False] * 3, [False, True, False]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": np.ones(78)}, "no held-out points"),
        ({"training": np.ones(5)}, "0 or 1 for each"),
        ({"laws": {}}, "mapping of names"),
        ({"laws": {"M1": [(laws.m1, 3)]}}, "list of these"),
        ({"tail": 1.5}, "between 0 and 1"),
    ],
)
def test_a_league_without_sense_is_refused(change, message):
    arguments = {"laws": {"M1": laws.m1}, "training": "training", **change}
    with pytest.raises(sj.ScalejaxError, match=message):
        sj.league(arguments.pop("laws"), curves(), curve="curve", **arguments)


# Adaptive shapes

SHAPES = {
    "32": {"A": 1.0, "B": 1.0, "c": 0.9, "E_inf": 0.32},
    "16": {"A": 1.6, "B": 2.0, "c": 0.7, "E_inf": 0.12},
    "8": {"A": 2.2, "B": 6.0, "c": 0.6, "E_inf": 0.05},
}


def test_an_adaptive_schedule_is_never_worse_than_any_single_shape():
    rng = np.random.default_rng(4)
    for _ in range(20):
        shapes = {
            str(i): {"A": rng.uniform(1.5, 3), "B": rng.uniform(0.1, 1), "c": rng.uniform(0.3, 1.2), "E_inf": rng.uniform(0, 0.3)}
            for i in range(4)
        }
        plan = papers.adaptive_schedule(shapes, target=0.35)
        assert plan.total <= min(plan.static.values()) * (1 + 1e-12) and plan.saving >= -1e-12
        spent = np.linspace(0, plan.total, 50)
        errors = plan.error(spent)
        assert errors[-1] == pytest.approx(0.35) and (np.diff(errors) < 0).all()
        for own in shapes.values():  # from the same error, with the same compute
            begin = ((plan.errors[0] - own["E_inf"]) / own["A"]) ** (-1 / own["c"]) - own["B"]
            assert (errors <= (own["A"] * (begin + spent + own["B"]) ** -own["c"] + own["E_inf"]) * (1 + 1e-9)).all()


def test_shapes_change_where_their_rates_are_equal_and_the_inverse_is_that_of_equivalent():
    plan = papers.adaptive_schedule(SHAPES, target=0.2)
    assert plan.shapes == ("32", "16", "8")
    for i, error in enumerate(plan.errors[1:-1]):
        at = [
            sj.equivalent((laws.offset_power_law, SHAPES[name]), "C", like=error, bounds={"C": (1e-3, 1e6)}).value
            for name in plan.shapes[i : i + 2]
        ]
        slopes = [
            (laws.offset_power_law(C * 1.0001, **SHAPES[n]) - laws.offset_power_law(C / 1.0001, **SHAPES[n])) / C
            for C, n in zip(at, plan.shapes[i : i + 2], strict=True)
        ]
        assert slopes[0] == pytest.approx(slopes[1], rel=1e-6)
    fine = np.linspace(plan.errors[0], 0.2, 400_001)
    rates = [np.where(fine > p["E_inf"], np.maximum(fine - p["E_inf"], 1e-9) / p["A"], 1e-9) ** (-1 / p["c"] - 1) / (p["A"] * p["c"])
             for p in SHAPES.values()]  # fmt: skip
    least = np.min(rates, axis=0)
    assert plan.total == pytest.approx(np.sum(0.5 * (least[1:] + least[:-1])) * (fine[0] - fine[1]), rel=1e-6)
    assert plan.static["32"] == np.inf and "less than" in repr(plan)


@pytest.mark.parametrize(
    ("shapes", "target", "message"),
    [
        ({}, 0.3, "mapping of shapes"),
        ({"a": {"A": 1.0}}, 0.3, "it needs A, B, c and E_inf"),
        ({"a": {"A": -1.0, "B": 1.0, "c": 1.0, "E_inf": 0.1}}, 0.3, "impossible"),
        ({"a": {"A": 1.0, "B": 0.0, "c": 1.0, "E_inf": 0.1}}, 0.3, "pass start"),
        (SHAPES, 0.01, "must lie above"),
        (SHAPES, 5.0, "must lie above"),
    ],
)
def test_an_impossible_schedule_is_refused(shapes, target, message):
    with pytest.raises(sj.DecisionError, match=message):
        papers.adaptive_schedule(shapes, target)


# Data to a threshold


def test_isotonic_regression_is_the_projection_on_rising_sequences():
    rng = np.random.default_rng(0)
    y, w = np.sort(rng.normal(size=40)) + 0.5 * rng.normal(size=40), rng.uniform(0.5, 2, 40)
    g = statistics.isotonic(y, w)
    assert (np.diff(g) >= 0).all()
    # The conditions of the projection: residuals are orthogonal to it, and no later part of them points up.
    assert np.sum(w * (y - g) * g) == pytest.approx(0, abs=1e-10)
    assert (np.cumsum((w * (y - g))[::-1]) <= 1e-10).all()
    np.testing.assert_allclose(statistics.isotonic(np.sort(y)), np.sort(y))


def test_first_passages_of_a_steady_curve_are_where_it_crosses():
    steps = np.arange(1.0, 101.0)
    returns = steps + np.random.default_rng(1).normal(0, 0.01, (12, 100))
    found = papers.first_passage(steps, returns, [9.5, 49.5, 1000.0], replicates=20)
    assert found.data.tolist() == [10.0, 50.0, np.inf] and found.draws.shape == (20, 3)
    assert found.standard_error.tolist() == [0.0, 0.0, np.inf]


def test_normalised_data_do_not_depend_on_the_unit_of_an_environment():
    rng = np.random.default_rng(2)
    data = rng.uniform(1, 3, (3, 5, 2))
    mean, scale = papers.normalised_data(data)
    other, _ = papers.normalised_data(data * np.array([1.0, 10.0, 100.0])[:, None, None])
    np.testing.assert_allclose(mean, other, rtol=1e-14)
    assert scale == np.median(np.median(data.reshape(3, -1), axis=1))


def test_the_optimal_ratio_minimises_the_budget():
    rest = {"D_min": np.array([0.3, 0.6, 1.0]), "beta_J": np.array([0.2, 0.5, 0.9]), "alpha_J": 0.8}
    batch = laws.rl_batch_size.published["gym_ant"]
    found = papers.optimal_updates(1e10, 1e6, **rest, **batch)

    def budget(sigma):
        return laws.rl_compute(sigma, 1e6, **rest, **batch) + 1e10 * laws.value_based_rl(sigma, **rest)

    np.testing.assert_allclose(found.F, found.C + 1e10 * found.D, rtol=1e-12)
    grid = np.exp(np.linspace(-8, 8, 20_001))
    best = np.array([min(budget(s)[j] for s in grid[::200]) for j in range(3)])
    assert (found.F <= best).all()
    for near in (0.999, 1.001):
        assert (budget(found.sigma * near) > found.F).all()
    beta, alpha = found.ratio_line
    slope, level = np.polyfit(np.log(found.F), np.log(found.sigma), 1)
    np.testing.assert_allclose((beta / found.F) ** alpha, np.exp(level + slope * np.log(found.F)), rtol=1e-8)
    assert len(found.data_line) == 2 and len(found.table().rows) == 3


def test_curves_of_many_ratios_give_the_law_of_data_back():
    """Saturating curves that reach J after D_J(sigma): first passages, then a fit."""
    true = {"D_min": 0.5, "beta_J": 0.4, "alpha_J": 0.7}
    sigma = np.array([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0])
    steps = np.linspace(0.002, 4.0, 2000)
    rng = np.random.default_rng(5)
    data = [
        papers.first_passage(steps, steps / laws.value_based_rl(s, **true) + rng.normal(0, 1e-3, (10, 2000)), 1.0, replicates=2).data[0]
        for s in sigma
    ]
    fitted = sj.fit("value_based_rl", {"sigma": sigma, "data": data}, loss=sj.squared())
    assert fitted.params == pytest.approx(true, rel=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: statistics.isotonic([]), "one row"),
        (lambda: statistics.isotonic([1.0, 2.0], [1.0, -1.0]), "positive weights"),
        (lambda: papers.first_passage([2.0, 1.0], [0.0, 1.0], 0.5), "rising steps"),
        (lambda: papers.first_passage([1.0, 2.0], [0.0, 1.0], 0.5, replicates=1), "2 replicates"),
        (lambda: papers.normalised_data([[1.0, np.inf]]), "never reached"),
        (lambda: papers.optimal_updates(-1.0, 1e6, D_min=0.1, beta_J=1.0, alpha_J=0.5, a_B=256.0, alpha_B=0.3), "delta"),
        (lambda: papers.optimal_updates(1.0, 1e6, D_min=0.0, beta_J=1.0, alpha_J=0.9, a_B=256.0, alpha_B=0.3), "always better"),
        (
            lambda: papers.optimal_updates(1.0, 1e6, D_min=0.1, beta_J=1.0, alpha_J=0.5, a_B=256.0, alpha_B=0.3).ratio_line,
            "at least two",
        ),
    ],
)
def test_bad_input_gets_one_sentence(call, message):
    with pytest.raises(sj.ScalejaxError, match=message):
        call()
