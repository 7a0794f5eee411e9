"""Forecasts: what they average, how they are weighed, how wide they are, and what they say of themselves."""

import csv

import numpy as np
import pytest

import scalejax as sj
from scalejax.commands.cli import main
from scalejax.comparison.forecast.columns import make_columns
from scalejax.comparison.forecast.ensemble import average, past_errors, weigh
from scalejax.comparison.forecast.misfit import Past, Prior, learned, scale_of
from scalejax.comparison.forecast.origins import make_origins, weightings
from scalejax.comparison.forecast.refits import refit
from scalejax.core.numeric.batching import trace_counts
from scalejax.core.numeric.precision import double

TRUTH = sj.laws.chinchilla.published["besiroglu2024"]


def runs_of(noise=0.003, seed=0):
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 2e10, 5)))
    return sj.simulate(sj.laws.chinchilla, TRUTH, N=N, D=D, noise=noise, seed=seed)


@pytest.fixture(scope="module")
def found():
    return sj.forecast(runs_of(), {"N": [3e9, 3e10], "D": [6e10, 6e11]})


def test_what_lies_ahead_is_in_the_interval(found):
    truth = sj.laws.chinchilla(np.asarray([3e9, 3e10]), np.asarray([6e10, 6e11]), **TRUTH)
    low, high = found.interval(0.9)
    assert (low < truth).all() and (truth < high).all()
    assert np.abs(np.log(found.prediction / truth)).max() < 0.03
    assert found.axis == "compute, 6 N D"
    np.testing.assert_allclose(10**found.reach, np.asarray([1.8e20, 1.8e22]) / (1e9 * 2e10), rtol=1e-9)


def test_intervals_grow_with_level_with_noise_and_with_distance(found):
    widths = {(level, kind): np.subtract(*found.interval(level, kind)[::-1]) for level in (0.5, 0.9) for kind in ("run", "mean")}
    assert (widths[0.5, "run"] < widths[0.9, "run"]).all()
    assert (widths[0.9, "mean"] < widths[0.9, "run"]).all()
    relative = widths[0.9, "run"] / found.prediction
    assert relative[1] > relative[0]


def test_parts_add_up_to_the_width(found):
    assert set(found.parts) == {"noise", "parameters", "laws", "misfit"}
    low, high = found.interval(0.9)
    from scipy.stats import t

    sd = np.log(high / low) / 2 / t.ppf(0.95, found.freedom)
    np.testing.assert_allclose(sum(found.parts.values()), sd**2, rtol=1e-9)


def test_weights_are_shares_of_laws(found):
    assert sum(found.weights.values()) == pytest.approx(1.0)
    assert list(found.weights.values()) == sorted(found.weights.values(), reverse=True)
    assert "farseer" in found.weights


def test_it_says_how_earlier_forecasts_did(found):
    assert len(found.origins) >= 3
    assert "times ahead, these forecasts missed by" in found.verdict
    assert all(0 <= o.held <= o.asked and o.known + o.asked == 30 for o in found.origins)
    text = str(found.table())
    assert "Average of" in text and "misfit %" in text


def test_the_same_seed_gives_the_same_forecast(found):
    again = sj.forecast(runs_of(), {"N": [3e9, 3e10], "D": [6e10, 6e11]})
    np.testing.assert_array_equal(found.prediction, again.prediction)
    np.testing.assert_array_equal(found.interval(), again.interval())


def test_tables_of_one_shape_share_their_programs(found):
    before = trace_counts()
    sj.forecast(runs_of(seed=1), {"N": [5e9, 5e10], "D": [6e10, 6e11]}, seed=1)
    assert trace_counts() == before


@double
def test_an_origin_does_not_know_what_comes_after_it():
    runs, changed = runs_of(), runs_of()
    columns = make_columns(runs, {"N": [1e10], "D": [1e11]}, "loss", None, None)
    rolling = make_origins(columns, None, 0)
    weights, origin, _ = weightings(columns, rolling)
    earlier = origin[None, :] <= origin[:, None]
    unknown = ~rolling.seen[:, 0]
    changed = runs.with_columns(loss=np.where(unknown, 1.3 * runs["loss"], runs["loss"]))
    told = [refit(sj.laws.chinchilla, table, weights, earlier, on="log", loss=sj.huber(1e-3)).theta for table in (runs, changed)]
    np.testing.assert_array_equal(told[0][..., origin == 0], told[1][..., origin == 0])
    assert (told[0][..., origin == rolling.count] != told[1][..., origin == rolling.count]).any()


def test_columns_may_have_any_names():
    runs = runs_of()
    table = {
        "model size": runs["N"],
        "training tokens": runs["D"],
        "run": [f"r{i}" for i in range(30)],
        "val": runs["loss"],
        "seed": [1.0] * 30,
    }
    with pytest.raises(sj.DataError, match="no column 'loss' to forecast"):
        sj.forecast(table, {"model size": 1e10, "training tokens": 1e11})
    at = {"model size": [3e9], "training tokens": [6e10], "seed": 1.0}
    found = sj.forecast(table, at, target="val", laws=["chinchilla"])
    assert "left out as text: run" in found.notes
    assert "left out, because it is the same in all rows: seed" in found.notes
    assert found.axis == "compute, 6 N D"
    plain = sj.forecast(runs, {"N": [3e9], "D": [6e10]}, laws=["chinchilla"])
    np.testing.assert_allclose(found.prediction, plain.prediction, rtol=1e-6)


def test_groups_are_forecast_apart():
    rng = np.random.default_rng(0)
    x = np.tile(np.geomspace(1e3, 1e6, 10), 3)
    name = np.repeat(["a", "b", "c"], 10)
    E, A = np.repeat([1.0, 2.0, 3.0], 10), np.repeat([10.0, 20.0, 5.0], 10)
    y = (E + A * x**-0.3) * np.exp(0.003 * rng.standard_normal(30))
    at = {"x": [1e7, 1e7, 1e7], "kind": ["c", "a", "b"]}
    found = sj.forecast({"x": x, "y": y, "kind": name}, at, target="y", by="kind")
    truth = np.asarray([3.0, 1.0, 2.0]) + np.asarray([5.0, 10.0, 20.0]) * 1e7**-0.3
    low, high = found.interval()
    assert (low < truth).all() and (truth < high).all()
    assert np.abs(np.log(found.prediction / truth)).max() < 0.03
    assert found.group == ("c", "a", "b") and set(found.weights_by_group) == {"a", "b", "c"}


def test_shares_that_sum_to_one_are_a_mixture():
    rng = np.random.default_rng(1)
    h = rng.dirichlet([2.0, 2.0, 2.0], 40)
    loss = 1.5 + np.exp(0.5 - h @ np.asarray([1.0, 0.5, 0.2])) * np.exp(0.002 * rng.standard_normal(40))
    table = {"web": h[:, 0], "code": h[:, 1], "books": h[:, 2], "loss": loss}
    found = sj.forecast(table, {"web": [0.2], "code": [0.3], "books": [0.5]})
    truth = 1.5 + np.exp(0.5 - np.asarray([0.2, 0.3, 0.5]) @ np.asarray([1.0, 0.5, 0.2]))
    assert found.axis == "" and "left out at random" in found.verdict
    assert found.prediction[0] == pytest.approx(truth, rel=0.01)


@pytest.mark.parametrize(
    "y, link",
    [
        (lambda x: 0.9 - 5 * x**-0.3, "complement"),
        (lambda x: 2 * x**0.3, "reciprocal"),
        (lambda x: -3 + 40 * x**-0.3, "linear"),
        (lambda x: 3 + 40 * x**-0.3, "log"),
    ],
)
def test_targets_that_rise_or_have_no_sign(y, link):
    x, rng = np.geomspace(1e3, 1e6, 20), np.random.default_rng(0)
    found = sj.forecast({"x": x, "y": y(x) + 1e-3 * rng.standard_normal(20)}, {"x": [1e7]}, target="y")
    low, high = found.interval()
    assert found.link == link
    assert low[0] < y(1e7) < high[0]
    assert low[0] <= found.prediction[0] <= high[0]
    assert link != "complement" or high[0] <= 1


def test_laws_that_are_asked_for():
    found = sj.forecast(runs_of(), {"N": [3e9], "D": [6e10]}, laws=["chinchilla", "kaplan"])
    assert set(found.weights) == {"chinchilla", "kaplan"}
    assert found.weights["chinchilla"] > 0.8


def test_one_scale_only_leaves_the_prior_alone():
    table = {"D": [1e9] * 8, "loss": [3.0, 3.01, 2.99, 3.0, 3.02, 3.0, 2.98, 3.0]}
    found = sj.forecast(table, {"D": [1e10]})
    assert found.origins == () and "rests on what forecasts of public sweeps missed" in found.verdict
    low, high = found.interval()
    assert low[0] < found.prediction[0] < high[0]


@pytest.mark.parametrize(
    "runs, at, options, sentence",
    [
        ({}, {"N": 1e9}, {}, "has no column 'D'"),
        ({}, {"N": [1e9, 2e9], "D": [1e9, 2e9, 3e9]}, {}, "different lengths"),
        ({}, {"N": np.nan, "D": 1e9}, {}, "missing, NaN or infinite in row 0"),
        ({}, {"N": 1e9, "D": 1e9}, {"target": "los"}, "no column 'los'.*did you mean 'loss'"),
        ({}, {"N": 1e9, "D": 1e9}, {"inputs": ["N", "d"]}, "names 'd', which is no column"),
        ({}, {"N": 1e9, "D": 1e9}, {"inputs": ["loss"]}, "names the target"),
        ({}, {"N": 1e9, "D": 1e9}, {"by": "arch"}, "by='arch' names no column"),
        ({}, {"N": 1e9, "D": 1e9}, {"laws": ["m4"]}, "takes x, and the table has no x"),
        ({}, {"N": 1e9, "D": 1e9}, {"laws": []}, "names no law"),
        ({}, {"N": 1e9, "D": 1e9}, {"scale": "x"}, "scale='x' names no input"),
        ({}, {"N": 1e9, "D": 1e9}, {"misfit": "big"}, "misfit='big' is unknown"),
        ({}, {"N": -1e9, "D": 1e9}, {}, "'N' of at= is zero or negative in row 0, and positive in all runs"),
        ({}, {"N": 1e9, "D": 1e9}, {"seed": "a"}, "seed='a' must be a whole number"),
        ({}, {"N": 1e9, "D": 1e9}, {"scale": lambda of: of["C"]}, "The function scale= uses 'C'"),
        (
            {"N": [1e9] * 6, "z": [0.0] * 6, "loss": [3.0] * 6},
            {"N": 1e9, "z": 1},
            {"inputs": ["z"]},
            "zero or negative in some runs",
        ),
        ({}, {"N": 1e9, "D": 1e9}, {"origins": -1}, "origins=-1 must be a whole number"),
        ({"N": [1e9, 1e9], "D": [1e9, 2e9], "loss": [3.0, 2.9]}, {"N": 1e9, "D": 1e10}, {}, "Only 2 runs can be used"),
        ({"loss": [3.0, 2.9, 2.8, 2.7, 2.6]}, {"D": 1e10}, {}, "No input is left"),
    ],
)
def test_bad_input_gets_one_sentence(runs, at, options, sentence):
    with pytest.raises(sj.ScalejaxError, match=sentence):
        sj.forecast(runs or runs_of(), at, **options)


@pytest.mark.parametrize(("last", "axis"), [(3e9, ""), (1e12, "D")])
def test_one_point_far_beyond_makes_it_an_extrapolation(last, axis):
    D = np.geomspace(1e7, 2.2e9, 24)
    found = sj.forecast({"D": D, "loss": 1 + 40 * D**-0.25}, {"D": [2e7, 1e8, 5e8, last]}, laws=["power_law"])
    assert found.axis == axis
    np.testing.assert_allclose(found.reach, [0, 0, 0, np.log10(last / D[-1]) if axis else 0], atol=1e-9)


def test_a_group_without_runs():
    table = {"x": np.geomspace(1, 10, 12), "y": np.geomspace(3, 2, 12), "g": ["a"] * 6 + ["b"] * 6}
    with pytest.raises(sj.DataError, match="asks for the group 'c' of 'g', of which there are no runs"):
        sj.forecast(table, {"x": [20.0], "g": ["c"]}, target="y", by="g")


def test_levels_and_kinds(found):
    with pytest.raises(sj.FitError, match="must lie between 0 and 1"):
        found.interval(90)
    with pytest.raises(sj.FitError, match="kind='new' is unknown"):
        found.interval(kind="new")


def test_gaps_are_left_out_and_said():
    runs = runs_of()
    table = {name: np.array(column) for name, column in runs.columns.items()}
    table["loss"][[3, 7]] = np.nan
    found = sj.forecast(table, {"N": [3e9], "D": [6e10]}, laws=["chinchilla"])
    assert found.runs == 28 and "2 of 30 runs are left out: they have gaps in rows 3, 7" in found.notes


# The parts


def test_a_runaway_origin_does_not_decide():
    errors = np.full((2, 1, 5), 0.02)
    errors[0] /= 2
    even = weigh(errors)
    errors[0, 0, 1] = 3.0
    assert even[0, 0] == pytest.approx(0.8)
    assert weigh(errors)[0, 0] > 0.1
    errors[:, :, 1] = 3.0  # an origin at which both fail says nothing of either
    assert weigh(errors)[0, 0] > 0.7


def test_weights_without_origins_are_even():
    np.testing.assert_array_equal(weigh(np.zeros((4, 2, 0))), np.full((4, 2), 0.25))


def test_a_runaway_law_does_not_move_the_average():
    predicted = np.asarray([[1.0], [1.01], [1.02], [40.0]])
    weight = np.asarray([[0.33], [0.33], [0.33], [0.01]])
    assert average(predicted, weight).mean[0] == pytest.approx(1.01, abs=0.01)
    predicted[3] = np.nan
    assert np.isfinite(average(predicted, weight).mean).all()


def test_past_errors_count_what_an_origin_does_not_know():
    seen = np.asarray([[True, True], [False, True], [False, False]])
    predicted = np.asarray([[[0.0, 0.0], [1.0, 9.0], [2.0, 0.5]]])
    found = past_errors(predicted, np.zeros(3), seen, np.zeros(3, int), 1)
    np.testing.assert_allclose(found[0, 0], [np.sqrt((1 + 4) / 2), 0.5])


def test_misses_widen_and_hits_narrow():
    prior = learned()
    ask = {"spread": np.asarray([0.01]), "parameters": np.asarray([0.005]), "reach": np.asarray([1.0]), "noise": np.asarray([0.002])}
    ask["group"] = np.zeros(1, int)

    def width(error):
        past = [Past(np.full(6, error), np.full(6, 0.01), np.full(6, 0.5), np.full(6, 0.002), np.zeros(6, int)) for _ in range(5)]
        return sum(scale_of(prior, past, **ask).parts.values())[0]

    alone = sum(scale_of(prior, [], **ask).parts.values())[0]
    assert width(0.001) < alone < width(0.1)
    assert scale_of(prior, [], **ask).freedom == prior.freedom + 1


def test_the_law_of_the_misfit_is_as_stated():
    prior = Prior(0.5, 2.0, 0.01, 0.02, 1.5, 3.0, 1.0)
    past = [Past(np.asarray([0.03]), np.asarray([0.02]), np.asarray([0.5]), np.asarray([0.004]), np.zeros(1, int))]
    missed = 0.03**2 / ((0.5 * 0.02) ** 2 + (0.01 + 0.02 * 0.5) ** 2 + (1.5 * 0.004) ** 2)
    found = scale_of(prior, past, np.asarray([0.01]), np.asarray([0.003]), np.asarray([2.0]), np.asarray([0.005]), np.zeros(1, int))
    inflation = (3 + missed) / 4
    assert found.freedom == 5
    np.testing.assert_allclose(found.parts["misfit"], inflation * 0.05**2)
    np.testing.assert_allclose(found.parts["laws"], inflation * 0.005**2)
    np.testing.assert_allclose(found.parts["parameters"], inflation * 0.006**2)
    np.testing.assert_allclose(found.parts["noise"], inflation * 0.0075**2)


def test_a_group_that_was_missed_is_wider_than_the_others():
    group, error = np.repeat([0, 1], 6), np.repeat([0.002, 0.08], 6)
    past = [Past(error, np.full(12, 0.01), np.full(12, 0.5), np.full(12, 0.002), group) for _ in range(4)]
    ones = np.ones(2)
    found = scale_of(learned(), past, 0.01 * ones, 0.005 * ones, ones, 0.002 * ones, np.arange(2))
    quiet, loud = sum(found.parts.values())
    alone = sum(scale_of(learned(), [], 0.01 * ones, 0.005 * ones, ones, 0.002 * ones, np.arange(2)).parts.values())
    assert loud > 2 * quiet and quiet > alone[0]  # half of what all groups missed counts for the quiet one, too


def test_weightings_favour_large_runs_and_know_no_others():
    columns = make_columns(runs_of(), {"N": [1e10], "D": [1e11]}, "loss", None, None)
    rolling = make_origins(columns, None, 0)
    weights, origin, emphasis = weightings(columns, rolling)
    for j, (k, e) in enumerate(zip(origin, emphasis, strict=True)):
        assert (weights[~rolling.seen[:, k], j] == 0).all()
        assert weights[:, j].sum() == pytest.approx(rolling.seen[:, k].sum())
        if e:
            small, large = np.argmin(rolling.size), np.flatnonzero(rolling.seen[:, k])[np.argmax(rolling.size[rolling.seen[:, k]])]
            assert weights[large, j] > 3 * weights[small, j]


def test_the_command_line_forecasts(tmp_path, capsys):
    runs, file, out = runs_of(), tmp_path / "runs.csv", tmp_path / "ahead.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["params", "tokens", "val_loss"])
        writer.writerows(zip(runs["N"], runs["D"], runs["loss"], strict=True))
    asked = ["--at", "params=3e9,3e10", "tokens=6e10,6e11", "--target", "val_loss"]
    assert (
        main(["forecast", str(file), *asked, "--laws", "chinchilla", "kaplan", "--out", str(out), "--plot", str(tmp_path / "ahead.png")])
        == 0
    )
    said = capsys.readouterr().out
    assert "Forecast of val_loss" in said and "their 90 % band held" in said
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [float(row["params"]) for row in rows] == [3e9, 3e10]
    assert all(float(row["low"]) < float(row["val_loss"]) < float(row["high"]) for row in rows)
    assert (tmp_path / "ahead.png").stat().st_size > 5000
    assert main(["forecast", str(file), "--at", "params=3e9", "--target", "val_loss"]) == 2
    assert "has no column 'tokens'" in capsys.readouterr().err
    assert main(["backtest", str(file), "--target", "val_loss", "--laws", "chinchilla", "kaplan", "--shares", "0.2"]) == 0
    assert "held out: largest 20 %" in capsys.readouterr().out


@pytest.mark.slow
def test_the_command_line_searches(tmp_path, capsys):
    runs, file = runs_of(), tmp_path / "runs.csv"
    rows = zip(runs["N"].tolist(), runs["D"].tolist(), runs["loss"].tolist(), strict=True)
    file.write_text("params,tokens,val_loss\n" + "\n".join(",".join(map(repr, row)) for row in rows) + "\n")
    assert main(["search", str(file), "--target", "val_loss", "--keep", "2"]) == 0
    assert "E + A_N N^-alpha_N" in capsys.readouterr().out


def test_the_pictures(found):
    ax = found.plot(observed=[2.4, 2.1])
    assert ax.get_ylabel() == "loss" and ax.get_xscale() == "log"
    parts = sj.plot.forecast_parts(found)
    assert [text.get_text() for text in parts.get_legend().get_texts()] == ["noise", "parameters", "laws", "misfit"]
    with pytest.raises(sj.DataError, match="observed has shape"):
        found.plot(observed=[1.0])


# Laws found, and laws from elsewhere


@pytest.fixture(scope="module")
def searched():
    return sj.search(runs_of(0.002))


@pytest.mark.slow
def test_search_finds_the_shape_of_the_truth(searched):
    assert searched.best.inputs == ("N", "D") and 1 <= len(searched.laws) <= 7
    first = [set(law.parameters) for law in searched.laws[:3]]
    assert {"E", "A_N", "alpha_N", "A_D", "alpha_D"} in first
    assert searched.errors[0] < 0.004  # noise of 0.2 %
    assert "E + A_N N^-alpha_N + A_D D^-alpha_D" in str(searched.table())
    assert "not an honest test" in str(searched.table())


@pytest.mark.slow
def test_found_laws_are_in_the_units_of_the_table(searched):
    for law in searched.laws[:3]:
        N, D = np.asarray([1e8, 5e8]), np.asarray([5e9, 1e10])
        truth = sj.laws.chinchilla(N, D, **TRUTH)
        np.testing.assert_allclose(law(N, D, **law.published["fitted"]), truth, rtol=0.01)


@pytest.mark.slow
def test_found_laws_can_be_fitted_and_forecast(searched):
    fit = sj.fit(searched.best, runs_of(0.002))
    assert fit.params["alpha_N"] == pytest.approx(TRUTH["alpha"], abs=0.05)
    ahead = searched.forecast({"N": [3e9], "D": [6e10]})
    low, high = ahead.interval()
    assert low[0] < sj.laws.chinchilla(3e9, 6e10, **TRUTH) < high[0]
    assert len(ahead.weights) == len(searched.laws)


@pytest.mark.slow
def test_search_finds_a_best_rate_and_a_break():
    rng = np.random.default_rng(0)
    D, lr = (v.ravel() for v in np.meshgrid(np.geomspace(1e9, 1e11, 6), np.geomspace(1e-4, 1e-2, 9)))
    loss = (1.7 + 400 * D**-0.28) * (1 + 0.02 * (np.cosh(0.8 * np.log(lr / 1.2e-3)) - 1)) * np.exp(0.001 * rng.standard_normal(54))
    tuned = sj.search({"D": D, "lr": lr, "loss": loss}).best
    assert tuned.formula == "L = (E + A_D D^-alpha_D) (1 + w_lr (cosh(k_lr ln(lr/best_lr)) - 1))"
    assert tuned.published["fitted"]["best_lr"] == pytest.approx(1.2e-3, rel=0.03)
    x = np.geomspace(1, 1e5, 60)
    bent = sj.search({"x": x, "loss": (1.2 + 3 * x**-0.15 * (1 + x / 300) ** -0.3) * np.exp(0.0005 * rng.standard_normal(60))}).best
    assert bent.formula == "L = E + A_x x^-alpha_x (1 + x/d_x)^-c_x"
    assert bent.published["fitted"]["d_x"] == pytest.approx(300, rel=0.1)


def test_search_says_what_it_cannot_take():
    with pytest.raises(sj.FitError, match=r"takes a falling target.*here the target rises"):
        sj.search({"x": np.geomspace(1, 100, 12), "y": np.geomspace(1, 3, 12)}, target="y")
    with pytest.raises(sj.FitError, match="keep=0 must be a whole number"):
        sj.search(runs_of(), keep=0)


def test_decisions_average_the_laws_of_a_forecast():
    found = sj.forecast(runs_of(), {"N": [3e9], "D": [6e10]}, laws=["chinchilla", "kaplan_irreducible"])
    plan = sj.allocate(found, compute=[1e21, 1e22])
    truth = sj.allocate((sj.laws.chinchilla, TRUTH), compute=[1e21, 1e22])
    low, high = plan.interval(0.9)["N"]
    assert (low < truth.N).all() and (truth.N < high).all()
    alone = {law: answer.N for law, answer in plan.answers.items()}
    expected = np.exp(sum(plan.weights[law] * np.log(N) for law, N in alone.items()))
    np.testing.assert_allclose(plan.N, expected)
    assert "average" in str(plan) and "chinchilla (" in str(plan)
    np.testing.assert_allclose(6 * plan.N * plan.D, [1e21, 1e22], rtol=1e-6)


def test_a_forecast_of_groups_is_not_decided_from():
    table = {"N": np.tile(np.geomspace(1e7, 1e9, 8), 2), "D": np.tile(np.geomspace(1e9, 1e10, 8), 2), "g": ["a"] * 8 + ["b"] * 8}
    table["loss"] = sj.laws.chinchilla(table["N"], table["D"], **TRUTH)
    found = sj.forecast(table, {"N": [1e10], "D": [1e11], "g": ["a"]}, by="g", laws=["chinchilla"])
    with pytest.raises(sj.DecisionError, match="forecast the runs of one group"):
        sj.allocate(found, compute=1e22)


def test_laws_from_texts():
    law = sj.law_from_expression("E + A*N**-alpha + B*D**-beta")
    assert law.inputs == ("N", "D") and law.parameters == ("E", "A", "alpha", "B", "beta")
    assert law(70e9, 1.4e12, **TRUTH) == pytest.approx(sj.laws.chinchilla(70e9, 1.4e12, **TRUTH), rel=1e-12)
    assert law == sj.law_from_expression("E+A * N**(-alpha)+B*D**(-beta)")
    assert law.formula == "L = E + A * N ** (-alpha) + B * D ** (-beta)"
    fit = sj.fit(law, runs_of())
    assert fit.objective == pytest.approx(sj.fit("chinchilla", runs_of()).objective, rel=1e-6)
    other = sj.law_from_expression("c * log1p(width)", inputs="width", output="score", c=sj.Positive(0.1, 10))
    assert other.inputs == ("width",) and other(np.e - 1, c=2.0) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "text, options, sentence",
    [
        ("E + ", {}, "is not a formula"),
        ("E + foo(N)", {}, "calls 'foo'"),
        ("E + A * exp(N, x=1)", {}, "calls 'exp'"),
        ("2 * N", {}, "has no parameter"),
        ("E + A", {}, "has no input"),
        ("E + A*N", {"inputs": "D"}, "has no 'D'"),
        ("E + A*N", {"B": sj.Positive(1, 2)}, "has no 'B'"),
        ("__import__('os').system('true') + N*A", {}, "numbers, names"),
        ("(lambda: N)() + A", {}, "numbers, names"),
        ("A * [N]", {}, "is not a formula"),
    ],
)
def test_other_texts_are_refused(text, options, sentence):
    with pytest.raises(sj.LawError, match=sentence):
        sj.law_from_expression(text, **options)


def test_the_loss_is_found_and_other_outcomes_are_no_inputs():
    runs = runs_of()
    table = {"N": runs["N"], "D": runs["D"], "val_loss": runs["loss"]}
    found = sj.forecast(table, {"N": [3e9], "D": [6e10]}, laws=["chinchilla"])
    assert found.target == "val_loss"
    table["train_loss"] = 0.98 * runs["loss"]
    with pytest.raises(sj.DataError, match="choose from val_loss, train_loss, and say so with target="):
        sj.forecast(table, {"N": [3e9], "D": [6e10]})
    found = sj.forecast(table, {"N": [3e9], "D": [6e10]}, target="val_loss", laws=["chinchilla"])
    assert "left out as outcomes, too: train_loss" in found.notes
    backtest = sj.backtest(table, ["chinchilla"], target="train_loss", shares=0.2)
    assert backtest.mean("chinchilla").error < 0.01


@pytest.mark.slow
def test_bowls_are_forecast_by_a_quadratic_surface():
    rng = np.random.default_rng(0)
    N, lr, batch = 10 ** rng.uniform(7, 9, 90), 10 ** rng.uniform(-4, -2, 90), 2 ** rng.uniform(4, 9, 90)
    best = 3e-3 * (N / 1e8) ** -0.3 * (batch / 64) ** 0.4
    loss = (1.8 + 60 * N**-0.25 + 0.05 * np.log(lr / best) ** 2) * np.exp(0.002 * rng.standard_normal(90))
    test = np.arange(90) % 5 == 0
    table = {"params": N, "lr": lr, "bsz": batch, "loss": loss}
    found = sj.forecast({n: c[~test] for n, c in table.items()}, {n: c[test] for n, c in table.items()})
    assert next(iter(found.weights)) == "quadratic_surface"
    low, high = found.interval(0.9)
    assert np.mean((low <= loss[test]) & (loss[test] <= high)) >= 0.7
    assert np.median(np.abs(np.log(found.prediction / loss[test]))) < 0.01


def test_columns_that_the_points_lack():
    runs = runs_of()
    table = {**runs.columns, "depth": np.arange(30.0)}
    found = sj.forecast(table, {"N": [3e9], "D": [6e10]}, laws=["chinchilla"])
    assert "left out, because the points do not have it: depth" in found.notes
    with pytest.raises(sj.DataError, match="has no column 'depth'"):
        sj.forecast(table, {"N": [3e9], "D": [6e10]}, inputs=["N", "D", "depth"])


def test_an_average_has_no_interval_where_a_law_has_none():
    N, D = np.geomspace(1e7, 1e9, 5), np.asarray([1e9, 2e10, 4e9, 1e9, 2e10])
    runs = {"N": N, "D": D, "loss": sj.laws.chinchilla(N, D, **TRUTH)}
    found = sj.forecast(runs, {"N": [3e9], "D": [6e10]}, laws=["chinchilla"])  # five runs for five parameters
    plan = sj.allocate(source=found, compute=1e21)
    assert plan.compute == 1e21 and not plan.draws and "no interval" in str(plan)
    with pytest.raises(sj.DecisionError):
        plan.interval()


def test_a_column_that_powers_cannot_take_is_said():
    runs = runs_of()
    table = {**runs.columns, "dropout": np.tile([0.0, 0.1], 15)}
    found = sj.forecast(table, {"N": [3e9], "D": [6e10], "dropout": 0.1}, laws=["chinchilla"])
    assert "left out, because powers cannot take what is zero or negative: dropout" in found.notes
    with pytest.raises(sj.DecisionError, match="None of the laws has an answer: compute=-1"):
        sj.allocate(found, compute=-1)


def test_scores_in_percent_are_forecast_as_shares_are():
    """Their complement is that of 100, which the note says; what else rises has no ceiling, of which so large a forecast warns."""
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7.5, 9.8, 30), 10 ** rng.uniform(9, 11.3, 30)
    share = 0.25 + 0.7 / (1 + np.exp(4 * (1.8 + 480 * N**-0.35 + 2085 * D**-0.37 - 2.3)))
    at = {"N": [1e11], "D": [2e12]}
    shares, percents, plain = (
        sj.forecast({"N": N, "D": D, name: values}, at, target=name, laws=["chinchilla"])
        for name, values in (("accuracy", share), ("mmlu_acc", 100 * share), ("reward", 100 * share))
    )
    np.testing.assert_allclose(percents.interval()[1], 100 * np.asarray(shares.interval()[1]), rtol=1e-6)
    np.testing.assert_allclose(percents.prediction, 100 * shares.prediction, rtol=1e-6)
    assert "mmlu_acc is taken as per cent, at most 100" in repr(percents) and "per cent" not in repr(shares)
    assert plain.interval()[1][0] < 100 or "unit={'reward': 'percent'}" in repr(plain)
