"""Functions of parameters under `derive`: closed forms, numbers of before, intervals, pairs, groups, traces, bad input."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_pairing import fitted as fit_recipe
from test_pairing import two_recipes

import scalejax as sj
from scalejax import laws
from scalejax.core.laws.formula import require
from scalejax.core.numeric.batching import trace_counts

GADRE = (laws.overtraining, laws.overtraining.published["gadre2024_redpajama"])
LINE = {"E": 1.5, "A": 20.0, "alpha": 0.3}


def best(a, b, eta, M=20.0):
    """Tokens per parameter: the best number, and what another one costs."""
    star = (b / a) ** (1 / (2 * eta))
    compute = ((a * M**eta + b * M**-eta) / (2 * jnp.sqrt(a * b))) ** (1 / eta)
    return {"star": star, "compute": compute, "size": jnp.sqrt(compute * star / M)}


def reducible(A, alpha, x):
    """What is left of the loss above its floor."""
    return A * x**-alpha


@pytest.fixture(scope="module")
def draws():
    runs = sj.simulate(*GADRE, C=np.repeat(np.logspace(18, 21, 6), 4), M=np.tile([5.0, 20.0, 80.0, 320.0], 6), noise=0.003, seed=1)
    return sj.bootstrap(sj.fit("overtraining", runs, loss=sj.squared(), starts=64), 200, progress=False)


@pytest.fixture(scope="module")
def line():
    return sj.fit(
        "power_law", sj.simulate(laws.power_law, LINE, x=np.logspace(3, 8, 12), noise=0.003, seed=2), loss=sj.squared(), starts=64
    )


@pytest.fixture(scope="module")
def grouped():
    """Three groups of runs with one exponent and floor, and factors of 20, 25, 30."""
    x, group = np.tile(np.logspace(3, 8, 8), 3), np.repeat(["a", "b", "c"], 8)
    loss = 1.5 + np.repeat([20.0, 25.0, 30.0], 8) * x**-0.3
    table = {"x": x, "loss": loss * np.exp(0.003 * np.random.default_rng(0).standard_normal(24)), "corpus": group}
    return sj.fit("power_law", table, by="corpus", share=("E", "alpha"), loss=sj.squared(), starts=64)


# Values and intervals


def test_the_point_and_every_draw_are_the_closed_form(draws):
    M = np.array([20.0, 640.0])
    found = sj.derive(draws, best, M=M)
    for p, got in ((draws.center, found.values), ({n: v[:, None] for n, v in draws.params.items()}, found.draws)):
        a, b, eta = (p[n] for n in ("a", "b", "eta"))
        star = (b / a) ** (1 / (2 * eta))
        compute = ((a * M**eta + b * M**-eta) / (2 * np.sqrt(a * b))) ** (1 / eta)
        np.testing.assert_allclose(got["star"], np.squeeze(star), rtol=2e-15)
        np.testing.assert_allclose(got["compute"], compute, rtol=2e-14)  # powers of powers
        np.testing.assert_allclose(got["size"], np.sqrt(compute * star / M), rtol=2e-14)
    low, high = found.interval(0.8)["star"]
    assert (low, high) == tuple(np.quantile(found.draws["star"], [0.1, 0.9])) and low < found.star < high
    assert found.compute is found["compute"] and found.M.tolist() == [20.0, 640.0]
    assert len(found.draws["star"]) == 200 and "200 draws, bootstrap" in repr(found)


def test_one_value_is_called_so(line):
    found = sj.derive(line, reducible, x=1e6)
    assert isinstance(found.value, float)
    assert found.value == pytest.approx(line.params["A"] * 1e6 ** -line.params["alpha"], rel=2e-15)
    assert set(found.interval()) == {"value"} and len(found.draws["value"]) == 1000
    assert "at x = 1.0000e+06" in repr(found) and "<table" in found._repr_html_()


def test_bare_parameters_have_a_value_and_no_interval():
    found = sj.derive((laws.power_law, LINE), reducible, x=[1e3, 1e6])
    np.testing.assert_allclose(found.value, 20.0 * np.array([1e3, 1e6]) ** -0.3, rtol=2e-15)
    with pytest.raises(sj.DecisionError, match="derived quantity comes from bare parameters"):
        found.interval()


def test_defaults_hold_unless_given_and_given_values_go_before_parameters():
    source = (laws.overtraining, GADRE[1])
    assert sj.derive(source, best).compute == sj.derive(source, best, M=20).compute != sj.derive(source, best, M=30).compute
    held = sj.derive(source, best, eta=0.2)
    assert held.star == pytest.approx((GADRE[1]["b"] / GADRE[1]["a"]) ** 2.5, rel=2e-15)


def test_bound_parameters_are_parameters():
    law = laws.power_law.bind(E=1.5)
    assert sj.derive((law, {"A": 20.0, "alpha": 0.3}), lambda E, A: E * A).value == 30.0


def test_a_law_is_a_function_of_parameters_and_an_argument_of_functions(line):
    x = np.array([1e6, 1e9])
    found = sj.derive(line, line.law, x=x)
    np.testing.assert_allclose(found.value, line.predict(x=x), rtol=1e-14)
    slope = sj.derive(line, lambda law, alpha, A, x: jax.grad(law)(x) / (-alpha * A * x ** (-alpha - 1)), x=1e6)
    np.testing.assert_allclose(slope.draws["value"], 1.0, rtol=1e-12)
    with pytest.raises(sj.LawError, match="needs the input 'x'"):
        sj.derive(line, lambda law: law())


def test_options_that_are_no_numbers_are_passed_on(line):
    def moment(A, alpha, of="A", how=None):
        return {"A": A, "alpha": alpha}[of] if how is None else how(A)

    assert sj.derive(line, moment, of="alpha").value == line.params["alpha"]
    assert sj.derive(line, moment, how=jnp.log).value == pytest.approx(np.log(line.params["A"]), rel=2e-15)


def test_arrays_and_tables_of_any_shape(line):
    found = sj.derive(line, lambda A, alpha, x: {"curve": A * x**-alpha, "matrix": A * jnp.eye(2), "A": A}, x=[1e3, 1e4, 1e5])
    assert found.matrix.shape == (2, 2) and found.draws["matrix"].shape == (1000, 2, 2) and isinstance(found.A, float)
    rows = found.table(0.5).rows
    assert [row[0] for row in rows] == [
        "curve[0]",
        "curve[1]",
        "curve[2]",
        "matrix[0, 0]",
        "matrix[0, 1]",
        "matrix[1, 0]",
        "matrix[1, 1]",
        "A",
    ]
    beside = sj.derive(line, lambda A, alpha, x: {"y": A * x**-alpha, "A": A}, x=[1e3, 1e4, 1e5]).table()
    assert list(beside.header) == ["x", "y", "90 %"] and len(beside.rows) == 3 and beside.notes[0].startswith("A: ")


def test_a_function_without_parameters_is_the_same_in_every_draw(line):
    found = sj.derive(line, lambda x: 2 * x, x=3.0)
    assert found.value == 6.0 and found.interval()["value"] == (6.0, 6.0)


def test_double_precision_whatever_the_flag(line):
    assert not jax.config.jax_enable_x64
    assert sj.derive((laws.power_law, LINE), lambda A: A + 1e-12).value == 20.0 + 1e-12


# Programs


def test_the_same_function_and_shapes_are_traced_once(draws, line):
    def own(a, b, M):
        return a * M + b

    before = trace_counts().get("derive", 0)
    first = sj.derive(draws, own, M=[1.0, 2.0])
    again = sj.derive(draws, own, M=[3.0, 4.0])
    other = sj.derive(sj.bootstrap(draws.fit, 200, seed=7, progress=False), own, M=[1.0, 2.0])
    assert trace_counts()["derive"] == before + 1
    assert not np.array_equal(first.value, again.value) and not np.array_equal(first.draws["value"], other.draws["value"])
    sj.derive(draws, own, M=1.0)
    assert trace_counts()["derive"] == before + 2


# New runs


def test_new_runs_scatter_about_the_law(line, grouped):
    """The noise is that of `Draws.predict`; calls are independent; the point estimate has none."""
    draws, x = sj.laplace(line), np.array([1e4, 1e9])
    found = sj.derive(draws, line.law, kind="run", x=x)
    np.testing.assert_allclose(found.draws["value"], draws.predict(kind="run", x=x), rtol=1e-12)
    np.testing.assert_allclose(found.value, line.predict(x=x), rtol=1e-14)
    assert "noise of new runs" in found.kind
    twice = sj.derive(draws, lambda law, x: {"one": law(x), "other": law(x)}, kind="run", x=1e4)
    noise = [v / draws.predict(x=1e4) for v in twice.draws.values()]
    assert twice.one == twice.other and abs(np.corrcoef(noise)[0, 1]) < 0.1
    of_group = sj.derive(grouped, grouped.law, kind="run", x=1e6, group="b").draws["value"]
    mean = sj.derive(grouped, grouped.law, x=1e6, group="b").draws["value"]
    assert np.std(of_group / mean) == pytest.approx(0.003, rel=0.6)


def test_new_runs_need_laws_with_noise(line, grouped):
    for source, function, options, sentence in (
        (BARE, laws.power_law, {"x": 1.0}, "'power_law' has bare parameters, so pass a fit or draws"),
        (line, reducible, {"x": 1.0}, "this one calls none"),
        (grouped, lambda law, x: law(x), {"x": 1.0, "group": ["a", "b"]}, "name one, not a list"),
    ):
        with pytest.raises(sj.DecisionError, match=sentence):
            sj.derive(source, function, kind="run", **options)
    with pytest.raises(sj.DecisionError, match="must be 'mean' or 'run'"):
        sj.derive(line, line.law, kind="both", x=1.0)


# Several sources


def at_scale(new, old, N, D):
    """How much lower the loss of the new recipe is, in logs."""
    return {"gap": jnp.log(new.law(N, D)) - jnp.log(old.law(N, D)), "alpha": new["alpha"] - old["alpha"]}


@pytest.fixture(scope="module")
def recipes():
    return {name: fit_recipe(table) for name, table in two_recipes(0).items()}


def test_draws_of_shared_units_are_paired_and_others_are_not(recipes):
    at = {"N": 3e9, "D": 6e10}
    paired = sj.derive(recipes, at_scale, **at)
    apart = sj.derive(recipes, at_scale, pair=False, **at)
    by_name = sj.derive(recipes, at_scale, pair="config", **at)
    width = [np.subtract(*found.interval()["gap"][::-1]) for found in (paired, apart, by_name)]
    assert width[0] < width[1] / 3 and width[2] < width[1] / 3
    assert "paired by config" in paired.kind and "paired" not in apart.kind
    assert paired.gap == pytest.approx(apart.gap, rel=1e-12)
    # independent sources add in squares
    alone = [np.std(np.log(sj.derive(f, f.law, **at).draws["value"])) for f in recipes.values()]
    assert np.std(apart.draws["gap"]) == pytest.approx(np.hypot(*alone), rel=0.15)


def test_one_source_twice_is_one_source(line):
    found = sj.derive({"a": line, "b": line}, lambda a, b: a["alpha"] - b["alpha"])
    assert found.value == 0 and (found.draws["value"] == 0).all()


def test_bare_parameters_beside_a_fit_are_exact(line):
    found = sj.derive({"a": line, "b": (laws.power_law, LINE)}, lambda a, b, x: a.law(x) / b.law(x), x=1e9)
    alone = sj.derive(line, lambda law, x: law(x), x=1e9)
    np.testing.assert_allclose(found.draws["value"] * laws.power_law(1e9, **LINE), alone.draws["value"], rtol=1e-13)


# Groups


def test_a_group_is_one_source(grouped):
    found = sj.derive(grouped, reducible, x=1e6, group="b")
    assert found.value == pytest.approx(grouped.params["A"][1] * 1e6 ** -grouped.params["alpha"], rel=2e-15)
    two = sj.derive({"a": grouped, "b": grouped}, lambda a, b: b["A"] / a["A"], group={"a": "a", "b": "b"})
    assert two.value == pytest.approx(grouped.params["A"][1] / grouped.params["A"][0], rel=2e-15)
    assert sj.derive({"b": grouped, "l": (laws.power_law, LINE)}, lambda b, l: b["A"] - l["A"], group="b").value > 0


def test_a_list_of_groups_gives_parameters_an_axis(grouped):
    found = sj.derive(grouped, lambda law, A, alpha, x: {"ratio": A / A[0], "loss": law(x), "alpha": alpha}, group=grouped.groups, x=1e6)
    np.testing.assert_allclose(found.ratio, grouped.params["A"] / grouped.params["A"][0], rtol=2e-15)
    np.testing.assert_allclose(found.loss, [grouped.predict(x=1e6, group=g) for g in "abc"], rtol=1e-14)
    assert isinstance(found.alpha, float) and found.draws["ratio"].shape == (1000, 3)
    np.testing.assert_allclose(found.draws["ratio"][:, 0], 1, rtol=2e-15)
    # the groups of a joint fit share their exponent, so that their ratio is surer than the factors
    spread = np.std(np.log(found.draws["ratio"][:, 1]))
    assert spread < np.std(np.log(sj.laplace(grouped).params["A"][:, 1])) / 2
    turned = sj.derive(grouped, lambda A: A, group=["c", "a"])
    np.testing.assert_allclose(turned.value, grouped.params["A"][[2, 0]], rtol=2e-15)


# Bad input


def needs_if(A, x):
    return A if A > x else x


def in_numpy(A):
    return np.log(A)


def asks(A, M):
    require(M > 0, "M must be positive tokens per parameter, not {M}.", M=M)
    require(A > 30, "A is too small here.")
    return A * M


BARE = (laws.power_law, LINE)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: sj.derive(BARE, reducible), r"reducible\(\) needs 'x', which is not a parameter of 'power_law' \(E, A, alpha\); pass x="),
        (lambda: sj.derive(BARE, reducible, x=1.0, y=2.0), r"got y=, which reducible\(\) does not take"),
        (lambda: sj.derive(BARE, "reducible"), r"takes a function of parameters, .* got a str"),
        (lambda: sj.derive(3.0, reducible, x=1.0), r"derive\(\) takes a fit, draws or \(law, parameters\), got a float"),
        (lambda: sj.derive(BARE, max), r"max\(\) does not tell its own"),
        (lambda: sj.derive(BARE, lambda *A: A[0]), r"takes \*A without one"),
        (lambda: sj.derive(BARE, reducible, x="far"), "fails with x='far', which is passed on as it is and not a number"),
        (lambda: sj.derive(BARE, reducible, x=[1.0, [2.0, 3.0]]), "x=.* holds no numbers"),
        (lambda: sj.derive(BARE, reducible, x=np.nan), "x must be finite for reducible.*nan"),
        (lambda: sj.derive(BARE, lambda A: "large"), "returns a str that is not a number"),
        (lambda: sj.derive(BARE, lambda A: {"a": A, "b": "large"}), "returns a str under 'b'"),
        (lambda: sj.derive(BARE, lambda A: None), "returns a NoneType"),
        (lambda: sj.derive(BARE, lambda A: {"a": {"b": A}}), "returns a dict under 'a'"),
        (lambda: sj.derive(BARE, lambda A: [A, [A, A]]), "returns a list that is not a number or an array of one shape"),
        (lambda: sj.derive(BARE, lambda A: {}), "keys are not names"),
        (lambda: sj.derive(BARE, lambda A: {1: A}), "keys are not names"),
        (lambda: sj.derive(BARE, lambda A: {"table": A}), "returns 'table', by which the result cannot be asked"),
        (lambda: sj.derive(BARE, lambda A: {"two words": A}), "returns 'two words'"),
        (lambda: sj.derive(BARE, lambda A, x: jnp.log(-A * x), x=1.0), "is not a number at the point estimate; check the parameters and x"),
        (lambda: sj.derive(BARE, needs_if, x=1.0), r"needs_if\(\) cannot be traced by JAX; .* jnp.where"),
        (lambda: sj.derive(BARE, in_numpy), r"in_numpy\(\) cannot be traced by JAX; write it with jax.numpy"),
        (lambda: sj.derive(BARE, lambda x, y: x * y, x=[1.0, 2.0], y=[1.0, 2.0, 3.0]), r"different lengths, x of shape \(2,\) and y"),
        (lambda: sj.derive(BARE, asks, M=-1.0), "M must be positive tokens per parameter, not -1"),
        (lambda: sj.derive(BARE, asks, M=1.0), "A is too small"),
        (lambda: sj.derive(BARE, reducible, x=1.0, group="a"), "bare parameters have no groups"),
        (lambda: sj.derive(BARE, reducible, x=1.0, group=["a"]), "needs a fit with groups"),
        (lambda: sj.derive({"a": BARE}, lambda b: b), "a source 'a', for which the function.* has no argument"),
        (lambda: sj.derive({"a": BARE}, lambda a, b: a["A"] + b), "needs 'b', which is not a source"),
        (lambda: sj.derive({"a": BARE}, lambda a: a["A"], group="x"), "no source has groups"),
        (lambda: sj.derive({"a": BARE}, lambda a: a["A"], group={"c": "x"}), "group= names 'c', which is not a source"),
    ],
)  # fmt: skip
def test_bad_questions_get_a_sentence(ask, sentence):
    with pytest.raises(sj.DecisionError, match=sentence) as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_names_of_groups_that_are_numbers_are_numbers():
    assert sj.derive(BARE, reducible, x=["10.0", "100"]).x.tolist() == [10.0, 100.0]


def test_a_missing_group_is_told(grouped):
    for group, sentence in ((None, "say which with group="), ("d", "group"), (["a", "d"], "group")):
        with pytest.raises(sj.DecisionError, match=sentence):
            sj.derive(grouped, reducible, x=1e6, group=group)
    with pytest.raises(sj.DecisionError, match="have no groups"):
        sj.derive({"a": grouped, "b": BARE}, lambda a, b: a["A"], group={"a": "a", "b": "x"})


def test_infinite_values_are_answers():
    assert sj.derive(BARE, lambda E: 1 / (E - E)).value == np.inf


def test_results_say_what_they_have_and_hold_their_names(line):
    found = sj.derive(line, lambda A: {"twice": 2 * A})
    with pytest.raises(AttributeError, match=r"no 'thrice'; it has twice"):
        _ = found.thrice
    assert "twice" in dir(found)


def test_conditions_hold_at_once_where_numbers_are_known():
    with pytest.raises(sj.DecisionError, match="M must be positive"):
        asks(40.0, -1.0)
    assert asks(40.0, 2.0) == 80.0
    assert jax.jit(jax.grad(asks))(1.0, -1.0) == -1.0  # compiled by the user: no condition is looked at
