"""Pictures of decisions: they show what they say, on the axes given, with and without uncertainty."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from test_mixture import SHARES, by_size, mixing, ye

import scalejax as sj

LAW = sj.laws.chinchilla
TRUE = LAW.published["besiroglu2024"]
OTHER = {**TRUE, "E": 1.7, "A": 900.0}
N, D = 10 ** np.random.default_rng(0).uniform(7.5, 10, (2, 60)) * np.array([[1.0], [20.0]])


@pytest.fixture(scope="module")
def draws():
    return [
        sj.laplace(sj.fit(LAW, sj.simulate(LAW, p, N=N, D=D, noise=0.004, seed=i), starts=256), 100) for i, p in enumerate((TRUE, OTHER))
    ]


def drawn(ax):
    """The picture renders, has labels, and pyplot knows it."""
    ax.figure.savefig(io.BytesIO(), format="png", dpi=40)
    assert plt.fignum_exists(ax.figure.number)
    assert ax.get_xlabel()
    return ax


def test_valley_rises_on_both_sides_of_the_optimum(draws):
    plan = sj.allocate(draws[0], compute=[1e20, 1e22])
    ax = drawn(sj.plot.valley(plan))
    for i, line in enumerate(line for line in ax.lines if len(line.get_xdata()) > 5):
        x, y = line.get_data()
        assert abs(np.log(x[np.argmin(y)] / plan.N[i])) < 0.2 and y.min() >= -1e-9 and y[0] > 1 and y[-1] > 1
    mine = Figure().subplots()
    assert sj.plot.valley(sj.allocate((LAW, TRUE), loss=2.2), "D", ax=mine) is mine and "cost above" in mine.get_ylabel()
    with pytest.raises(sj.DecisionError, match="chose N, D"):
        sj.plot.valley(plan, "U")


def test_mixtures():
    best = sj.optimal_mixture(ye(), weights=SHARES, caps=[1, 1, 1, 0.1, 1])
    ax = drawn(sj.plot.mixture(best, {"uniform": np.full(5, 0.2)}))
    assert {t.get_text() for t in ax.get_legend().get_texts()} == {"optimum", "uniform", "cap"}
    rng = np.random.default_rng(1)
    runs = sj.simulate(mixing, {"log_c": 0.2, "log_k": 0.0, "t": [-2.0, 0.3, -0.5]}, h=rng.dirichlet(np.ones(3), 40), noise=0.01)
    sure = sj.optimal_mixture(sj.laplace(sj.fit(mixing, runs, fix={"log_k": 0.0}, starts=64), 50))
    assert "90 % interval" in [t.get_text() for t in drawn(sj.plot.mixture(sure)).get_legend().get_texts()]
    truth = {"E": 1.5, "A": [30.0, 60.0, 20.0], "alpha": [0.3, 0.35, 0.25]}
    path = sj.optimal_mixture((by_size, truth), D=np.geomspace(1e9, 1e12, 7))
    assert drawn(sj.plot.mixture(path)).get_ylim() == (0, 1)


def test_two_recipes(draws):
    budgets = np.logspace(20, 24, 5)
    for a, b in (draws, ((LAW, TRUE), (LAW, OTHER))):
        drawn(sj.plot.multiplier(sj.compute_multiplier(a, b, compute=budgets)))
        picked = sj.choose({"one": a, "two": b}, compute=budgets)
        ax = drawn(sj.plot.choice(picked))
        assert [t.get_text() for t in ax.get_legend().get_texts()] == ["one", "two"]
        even = sj.break_even(a, b, "compute", (1e18, 1e25), names=("one", "two"))
        ax = drawn(sj.plot.break_even(even))
        assert [t.get_text() for t in ax.get_yticklabels()] == ["one better", "two better"]
    with pytest.raises(sj.DecisionError, match="two budgets"):
        sj.plot.multiplier(sj.compute_multiplier(*draws, compute=1e22))


def test_one_recipe(draws):
    for source in (draws[0], (LAW, TRUE)):
        ax = drawn(sj.plot.equivalent(sj.equivalent(source, "D", like=[2.6, 2.5], N=1e9)))
        assert ax.get_yscale() == "log"
        ax = drawn(sj.plot.regret(sj.regret(source, N=[8e9, 70e9], D=[15e12, 1.4e12]), labels=["8B", "70B"]))
        widths = [patch.get_width() for patch in ax.patches]
        assert widths[0] > 50 > widths[1] and [t.get_text() for t in ax.get_yticklabels()] == ["8B", "70B"]
        front = sj.pareto(source, compute=1e22, against=sj.costs.six_nd_inference, D_inf=1e12, bounds={"N": (1e9, 1e11)}, points=6)
        assert drawn(sj.plot.front(front)).get_ylabel() == "loss"


def test_next_runs(draws):
    plan = sj.next_runs(draws[0].fit, space={"N": (1e8, 1e10), "D": (1e9, 1e11)}, target={"N": 7e10, "D": 1.4e12}, runs=4)
    (line, _) = drawn(sj.plot.design(plan)).lines
    assert line.get_ydata()[0] == 100 and (np.diff(line.get_ydata()) <= 1e-9).all()
