"""Backtests: what is held out, how it is scored, and what the scores are."""

import numpy as np
import pytest
from scipy import integrate, stats

import scalejax as sj
from scalejax.comparison.forecast.metrics import scores, student_crps

TRUTH = sj.laws.chinchilla.published["besiroglu2024"]


def table_of(noise=0.003):
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 2e10, 5)))
    runs = sj.simulate(sj.laws.chinchilla, TRUTH, N=N, D=D, noise=noise)
    return {"N": N, "D": D, "loss": runs["loss"], "lab": np.asarray(["a", "b", "c"])[np.arange(30) % 3]}


@pytest.fixture(scope="module")
def found():
    return sj.backtest(table_of(), ["chinchilla", "kaplan"])


def test_the_largest_runs_are_forecast_from_the_others(found):
    assert found.splits == ("largest 20 %", "largest 40 %")
    first = next(trial for trial in found.trials if trial.law == "chinchilla")
    assert first.known + first.asked == 30 and 4 <= first.asked <= 7
    assert found.laws == ("average", "chinchilla", "kaplan")
    right, wrong = found.mean("chinchilla"), found.mean("kaplan")
    assert right.error < 0.005 < wrong.error
    assert right.crps < wrong.crps and right.rmse < wrong.rmse and right.r2 > 0.98
    assert found.mean().error < 1.5 * right.error
    assert sum(trial.weight for trial in found.trials if trial.split == found.splits[0] and trial.law != "average") == pytest.approx(1)


def test_scores_are_those_of_the_forecast(found):
    table = table_of()
    size = table["N"] * table["D"]
    held = size > np.quantile(size, 0.8, method="lower") * (1 + 1e-9)
    ahead = sj.forecast({n: c[~held] for n, c in table.items()}, {n: table[n][held] for n in ("N", "D")}, laws=["chinchilla", "kaplan"])
    y = table["loss"][held]
    low, high = ahead.interval(0.9)
    first = found.trials[0].scores
    assert first.error == pytest.approx(np.mean(np.abs(ahead.prediction - y) / y))
    assert first.coverage == np.mean((low <= y) & (y <= high))
    assert first.rmse == pytest.approx(np.sqrt(np.mean(np.log(ahead.prediction / y) ** 2)))
    assert first.rank == pytest.approx(stats.spearmanr(ahead.prediction, y).statistic)


@pytest.mark.parametrize(
    "splits, shares, names",
    [
        ("N", 0.2, ["largest 20 %"]),
        ("lab", 0.2, ["lab a", "lab b", "lab c"]),
        ("last", (0.1, 0.2), ["last 10 %", "last 20 %"]),
        ({"some": np.arange(30) % 5 == 0}, 0.2, ["some"]),
    ],
)
def test_what_can_be_held_out(splits, shares, names):
    found = sj.backtest(table_of(), ["chinchilla"], inputs=["N", "D"], splits=splits, shares=shares)
    assert list(found.splits) == names
    assert found.mean("chinchilla").error < 0.01
    if splits == "N":
        assert found.trials[0].asked == 5  # one size of six


def test_a_backtest_forecasts_other_points_with_its_settings(found):
    ahead = found.forecast({"N": [3e9], "D": [6e10]})
    assert set(ahead.weights) == {"chinchilla", "kaplan"}
    low, high = ahead.interval()
    assert low[0] < sj.laws.chinchilla(3e9, 6e10, **TRUTH) < high[0]


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"target": "los"}, "no column 'los'"),
        ({"splits": "size"}, "splits='size' is unknown"),
        ({"shares": 1.5}, "must lie between 0 and 1"),
        ({"shares": []}, "must lie between 0 and 1"),
        ({"target": "lab"}, "'lab' holds text"),
        ({"splits": {"all": np.full(30, True)}}, "holds out every run"),
        ({"splits": {"few": np.full(3, True)}}, "must be a mask of 30 truth values"),
        ({"level": 90}, "level=90 must lie between 0 and 1"),
        ({"laws": ["m4"]}, "takes x, and the table has no x"),
    ],
)
def test_bad_input_gets_one_sentence(options, sentence):
    with pytest.raises(sj.ScalejaxError, match=sentence):
        sj.backtest(table_of(), **options)


@pytest.mark.parametrize("nu", [1.5, 3.0, 12.0])
@pytest.mark.parametrize("z", [-2.0, 0.0, 0.7])
def test_the_score_of_a_student_t_is_its_integral(nu, z):
    below = integrate.quad(lambda x: stats.t.cdf(x, nu) ** 2, -np.inf, z)[0]
    above = integrate.quad(lambda x: stats.t.sf(x, nu) ** 2, z, np.inf)[0]
    assert student_crps(np.asarray(z), nu) == pytest.approx(below + above, rel=1e-6)


def test_order_and_regret():
    y, said = np.asarray([3.0, 2.0, 1.0, 2.5]), np.asarray([3.1, 1.5, 1.8, 2.0])
    got = scores(y, said, said - 0.4, said + 0.4, miss=said - y, sd=np.ones(4), freedom=5.0, rises=False)
    assert got.pairs == pytest.approx(5 / 6) and got.regret == pytest.approx(1.0)  # chose 2 where 1 was to be had
    assert got.coverage == 0.25 and got.rank == pytest.approx(stats.spearmanr(y, said).statistic)
    up = scores(y, said, said - 0.4, said + 0.4, miss=said - y, sd=np.ones(4), freedom=5.0, rises=True)
    assert up.regret == 0.0  # chose 3, the largest


def test_predictions_that_are_all_alike_order_half_of_the_pairs_and_choose_any_run():
    y, said = np.asarray([3.0, 2.0, 1.0, 2.0]), np.ones(4)
    got = scores(y, said, said, said, miss=said - y, sd=np.ones(4), freedom=5.0, rises=False)
    assert got.pairs == 0.5 and got.regret == pytest.approx(1.0)  # 2 on average, where 1 was to be had
