"""Laws as estimators: scikit-learn's own checks, and what a law adds to them."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

import scalejax as sj

sklearn = pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import estimator_checks_generator  # noqa: E402


@sj.law(x=sj.Real(axis="feature"), b=sj.Real(-10, 10), w=sj.Real(-10, 10, axis="feature"), linear=("b", "w"))
def linear(x, *, b, w):
    """A line, which takes any table: b + w x."""
    return b + x @ w


# Fewer runs than parameters are refused: 15 runs of 30 features have no least-squares answer that a law could be said to have.
REFUSED = {"check_sample_weight_equivalence_on_dense_data": "free parameters"}
CHECKS = list(estimator_checks_generator(sj.ScalingLawRegressor(linear, loss=sj.squared(), on="linear", starts=4)))


def test_estimator_checks_of_scikit_learn():
    assert len(CHECKS) > 50
    for model, check in CHECKS:
        name = getattr(check, "func", check).__name__
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on noise for data the law has doubts, as it should
            if name in REFUSED:
                with pytest.raises(sj.FitError, match=REFUSED[name]):
                    check(model)
                continue
            try:
                check(model)
            except sklearn.exceptions.SkipTestWarning:
                pass
            except BaseException as error:
                if type(error).__name__ != "SkipTest":
                    raise AssertionError(f"{name}: {error}") from error


def table():
    law = sj.laws.chinchilla
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
    loss = law(N, D, **law.published["besiroglu2024"]) * np.exp(0.005 * np.random.default_rng(0).normal(size=25))
    return np.column_stack([N, D]), loss


def test_it_is_the_fit():
    X, y = table()
    model = sj.ScalingLawRegressor("chinchilla", starts=64).fit(X, y)
    fit = sj.fit("chinchilla", {"N": X[:, 0], "D": X[:, 1], "loss": y}, starts=64)
    assert model.coef_ == fit.params and model.score(X, y) > 0.99
    np.testing.assert_allclose(model.predict([[7e9, 1e12]]), fit.predict(N=7e9, D=1e12), rtol=1e-12)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert sklearn.base.clone(model).get_params()["law"] == "chinchilla"


def test_columns_go_by_name_and_weights_count_as_copies():
    pandas = pytest.importorskip("pandas")
    X, y = table()
    swapped = pandas.DataFrame({"D": X[:, 1], "N": X[:, 0]})
    model = sj.ScalingLawRegressor(starts=64, loss=sj.squared())
    first = model.fit(X, y).coef_
    assert model.fit(swapped, y).coef_ == first
    assert sj.ScalingLawRegressor(starts=64, loss=sj.squared(), inputs=("D", "N")).fit(X[:, ::-1], y).coef_ == first
    weight = np.r_[np.full(5, 3.0), np.ones(20)]
    weighted = sj.ScalingLawRegressor(starts=64, loss=sj.squared()).fit(X, y, sample_weight=weight).coef_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.DataWarning)  # of the copies
        copies = sj.ScalingLawRegressor(starts=64, loss=sj.squared()).fit(
            np.repeat(X, weight.astype(int), 0), np.repeat(y, weight.astype(int))
        )
    assert weighted == pytest.approx(copies.coef_, rel=1e-4) and weighted["A"] != pytest.approx(first["A"], rel=1e-3)


def test_it_searches_with_the_tools_of_scikit_learn():
    from sklearn.model_selection import GridSearchCV

    X, y = table()
    found = GridSearchCV(sj.ScalingLawRegressor(starts=32), {"law": ["chinchilla", "kaplan"]}, cv=3).fit(X, y)
    assert found.best_params_["law"] in ("chinchilla", "kaplan") and found.best_score_ > 0.9


@pytest.mark.parametrize(("arguments", "columns", "words"), [({}, 3, "3 columns"), ({"inputs": ("N", "tokens")}, 2, "'tokens'")])
def test_wrong_columns_are_named(arguments, columns, words):
    X, y = table()
    with pytest.raises(sj.FitError, match=words):
        sj.ScalingLawRegressor(**arguments).fit(np.repeat(X[:, :1], columns, 1), y)
