"""The reference problems of NIST for nonlinear regression: certified parameters and standard errors from both of their starts.

A law needs a unit for each unconstrained parameter. It is taken from the starts alone: the larger of the two, in absolute value.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import scalejax as sj

FOLDER = Path(__file__).parent / "nist"
sys.path.insert(0, str(FOLDER))
from models import MODELS, RESPONSES  # noqa: E402

PROBLEMS = json.loads((FOLDER / "problems.json").read_text())
DIGITS = 6
# The residuals of Lanczos1 are 1e-13 on data near 1, so that a double holds three of their digits: at the fitted parameters the sum of
# squares, computed with 50 digits, is 1.430788e-25 for the decimal data (certified 1.430787e-25) and 1.429857e-25 for their doubles.
ROUNDED = {"Lanczos1": 2}


def digits(values, certified):
    """Matching decimal digits of the worst entry: -log10 of the relative error."""
    error = np.abs(np.asarray(values) / np.asarray(certified) - 1)
    return float(-np.log10(np.maximum(error, 1e-15)).min())


def law_and_runs(name):
    """A problem as a law, its runs and its starts."""
    problem = PROBLEMS[name]
    scale = np.abs(problem["starts"]).max(axis=0)
    names = [f"b{i + 1}" for i in range(len(scale))]
    inputs = [key for key in ("x", "x1", "x2") if key in problem]
    domains = {n: sj.Real(-s, s) for n, s in zip(names, scale, strict=True)} | {key: sj.Real() for key in inputs}
    y = np.asarray(RESPONSES.get(name, np.asarray)(np.asarray(problem["y"])))
    runs = sj.Runs({**{key: np.asarray(problem[key], float) for key in inputs}, "y": y})
    return sj.law(output="y", **domains)(MODELS[name]), runs, [dict(zip(names, s, strict=True)) for s in problem["starts"]]


# Every problem compiles a program of its own: the quick suite has some of each of NIST's levels of difficulty, the slow one all others.
QUICK = ("Misra1a", "DanWood", "Chwirut2", "Gauss1", "Lanczos1", "Hahn1", "Thurber", "MGH09", "MGH10", "Bennett5", "Rat43", "Eckerle4")


@pytest.mark.parametrize("start", [0, 1], ids=["start1", "start2"])
@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in PROBLEMS])
def test_certified_values(name, start):
    law, runs, starts = law_and_runs(name)
    fit = sj.fit(law, runs, loss=sj.squared(), on="linear", starts=[starts[start]], unidentified="warn")
    problem = PROBLEMS[name]
    errors = np.array(list(fit.errors("model").values()))
    assert fit.status == "converged"
    assert digits(list(fit.params.values()), problem["certified"]) >= DIGITS
    assert digits(errors, problem["standard_errors"]) >= ROUNDED.get(name, DIGITS)
    assert digits(2 * fit.objective, problem["residual_sum_of_squares"]) >= ROUNDED.get(name, DIGITS)
    # In units of one of them the residuals, and so their rounding, do not enter.
    certified = np.asarray(problem["standard_errors"])
    assert digits(errors / errors[0], certified / certified[0]) >= DIGITS


@pytest.fixture(scope="module")
def line():
    """Runs about a straight line, with weights, and the law of the line."""

    @sj.law(output="y", x=sj.Real(), a=sj.Real(-2, 2), b=sj.Real(-3, 3))
    def straight(x, *, a, b):
        """A straight line."""
        return a + b * x

    rng = np.random.default_rng(0)
    x = np.linspace(-1, 2, 200)
    weight = np.r_[np.full(100, 3.0), np.ones(99), 0.0]
    return straight, sj.Runs({"x": x, "y": 1 + 2 * x + 0.1 * rng.standard_normal(200), "weight": weight})


def test_model_errors_are_those_of_weighted_regression(line):
    law, runs = line
    fit = sj.fit(law, runs, loss=sj.squared(), on="linear", starts=4, weights="weight")
    design, weight = np.stack([np.ones(200), runs["x"]], axis=1), runs["weight"]
    r = runs["y"] - design @ [fit.params["a"], fit.params["b"]]
    covariance = np.sum(weight * r**2) / (199 - 2) * np.linalg.inv(design.T @ (weight[:, None] * design))
    assert list(fit.errors("model").values()) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-8)
    assert fit.errors() == fit.standard_errors == fit.errors("wider") != fit.errors("model") != fit.errors("sandwich")


@pytest.mark.parametrize("loss", [sj.huber(0.05), sj.log_cosh(0.05), sj.student_t(4, 0.1), sj.absolute()])
def test_model_errors_of_robust_losses(line, loss):
    """Under equal normal noise they are the sandwich's but for chance: 200 runs know a standard error to some 10 %."""
    law, runs = line
    fit = sj.fit(law, runs, loss=loss, on="linear", starts=4, weights=np.ones(200))
    for name, error in fit.errors("model").items():
        assert error == pytest.approx(fit.standard_errors[name], rel=0.2)


def test_errors_survive_saving_and_refuse_other_kinds(line, tmp_path):
    law, runs = line
    fit = sj.fit(law, runs, loss=sj.squared(), on="linear", starts=4, weights="weight")
    fit.save(tmp_path / "line.json")
    assert sj.load_fit(tmp_path / "line.json", law).errors("model") == fit.errors("model")
    with pytest.raises(sj.FitError, match="'sandwich'"):
        fit.errors("sandwitch")
