"""Groups by parameter: parameters that vary along columns of their own, which cross, and values anchored in single groups."""

import csv
import json
import os
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.optimize import least_squares

import scalejax as sj
from scalejax.core.numeric.batching import trace_counts
from scalejax.decisions.known import known
from scalejax.fitting.objective.problem import arguments, residuals
from scalejax.fitting.solvers.system import diagonal, evaluate, places, solve

DATA = Path(os.environ.get("SCALEJAX_DATA", "../shared/data"))
CORPORA, KINDS = np.array(["web", "code", "math"]), np.array(["dense", "moe", "ssm", "mix"])
E, EFF = np.array([1.5, 2.0, 1.8]), np.array([1.0, 0.7, 1.3, 2.0])
BY, ANCHOR = {"E": "corpus", "eff": "arch"}, {"eff": {"dense": 1.0}}


@sj.law(E=sj.Positive(0.5, 5), A=sj.Positive(1, 100), alpha=sj.Positive(0.05, 1.0), eff=sj.Positive(0.1, 10))
def efficiency(x, *, E, A, alpha, eff):
    """Loss E + A eff x^-alpha of corpora with an entropy E and architectures with an efficiency."""
    return E + A * eff * x**-alpha


def runs(n=240, noise=0.005, seed=0, missing=()):
    """Runs whose corpus and architecture are drawn at random, without those of `missing` cells."""
    rng = np.random.default_rng(seed)
    c, a, x = rng.integers(0, 3, n), rng.integers(0, 4, n), np.exp(rng.uniform(3, 15, n))
    keep = np.asarray([(CORPORA[i], KINDS[j]) not in missing for i, j in zip(c, a, strict=True)])
    c, a, x = c[keep], a[keep], x[keep]
    loss = (E[c] + 20 * EFF[a] * x**-0.3) * np.exp(noise * rng.standard_normal(len(x)))
    return {"x": x, "loss": loss, "corpus": CORPORA[c], "arch": KINDS[a]}


def aligned(fit, name, names):
    """Values of a grouped parameter in the order of these names."""
    levels = fit.request.levels[fit.request.axis(name)]
    return fit.params[name][[levels.index(n) for n in names]]


@pytest.fixture(scope="module")
def fitted():
    return sj.fit(efficiency, runs(), by=BY, fix=ANCHOR, loss=sj.squared(), starts=64)


def test_known_parameters_are_recovered():
    fit = sj.fit(efficiency, runs(noise=0.0), by=BY, fix=ANCHOR, loss=sj.squared(), starts=64)
    np.testing.assert_allclose(aligned(fit, "E", CORPORA), E, rtol=1e-7)
    np.testing.assert_allclose(aligned(fit, "eff", KINDS), EFF, rtol=1e-7)
    assert fit.params["A"] == pytest.approx(20, rel=1e-7) and fit.params["alpha"] == pytest.approx(0.3, rel=1e-7)


def test_the_optimum_and_its_errors_are_those_of_scipy(fitted):
    """Parameters, objective and the textbook's covariance beside least squares on one dense Jacobian."""
    table = runs()
    c = np.asarray([CORPORA.tolist().index(v) for v in table["corpus"]])
    a = np.asarray([KINDS.tolist().index(v) for v in table["arch"]])

    def theirs_at(p):
        eff = np.concatenate([[1.0], np.exp(p[5:])])[a]
        return np.log(table["loss"]) - np.log(np.exp(p[:3])[c] + np.exp(p[3]) * eff * table["x"] ** -np.exp(p[4]))

    theirs = least_squares(theirs_at, np.log([1, 1, 1, 10, 0.2, 1, 1, 1]), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert fitted.status == "converged" and fitted.starts.agreeing == fitted.starts.refined
    np.testing.assert_allclose(aligned(fitted, "E", CORPORA), np.exp(theirs.x[:3]), rtol=1e-6)
    np.testing.assert_allclose(aligned(fitted, "eff", KINDS)[1:], np.exp(theirs.x[5:]), rtol=1e-6)
    assert fitted.objective == pytest.approx(theirs.cost, rel=1e-10)
    covariance = np.linalg.inv(theirs.jac.T @ theirs.jac) * 2 * theirs.cost / (len(c) - 8)
    errors = fitted.errors("model")
    assert errors["A"] == pytest.approx(np.sqrt(covariance[3, 3]) * fitted.params["A"], rel=1e-4)
    ours = errors["eff"][fitted.request.levels[1].index("moe")]
    assert ours == pytest.approx(np.sqrt(covariance[5, 5]) * np.exp(theirs.x[5]), rel=1e-4)


@pytest.mark.slow
def test_the_sums_over_blocks_are_those_of_the_plain_objective(fitted):
    """Gradient and curvature of the arrow against automatic differentiation of the dense objective."""
    request = fitted.request
    with jax.enable_x64(True):
        spec, batch = request.spec, request.batch
        assert batch.blocks.codes.shape == (12, 2)  # blocks are cells
        theta = jax.numpy.asarray(fitted.theta + 0.1)
        value, gradient, matrix, _ = evaluate(spec, batch.batched, arguments(spec, batch.blocks.gather(np.zeros(1, int))), theta, 1.0, 1.0)
        data = batch.gather(np.zeros(1, int))

        def plain(t):
            return 0.5 * jax.numpy.sum(data.weight * residuals(spec, batch.batched, t[:, None], data) ** 2)

        jac = np.asarray(jax.jacfwd(lambda t: residuals(spec, batch.batched, t[:, None], data)[:, 0])(theta[:, 0]))
        normal = jac.T @ (jac * data.weight)
        assert float(value[0]) == pytest.approx(float(plain(theta[:, 0])), rel=1e-12)
        np.testing.assert_allclose(gradient[:, 0], jax.grad(plain)(theta[:, 0]), rtol=1e-9)
        np.testing.assert_allclose(diagonal(spec, matrix)[:, 0], np.diagonal(normal), rtol=1e-10)
        right, unit = jax.numpy.ones_like(theta), jax.numpy.ones_like(theta) * 2.0
        step = solve(spec, matrix, unit, jax.numpy.asarray([0.3]), right)
        np.testing.assert_allclose(step[:, 0], np.linalg.solve(normal / 4 + 0.3 * np.eye(len(normal)), np.ones(len(normal))), rtol=1e-8)


def test_a_mapping_to_one_column_is_that_column():
    table = runs()
    kwargs = {"loss": sj.squared(), "starts": 64}
    one = sj.fit(efficiency, table, by={"E": "corpus"}, fix={"eff": 1.0}, **kwargs)
    other = sj.fit(efficiency, table, by="corpus", share=("A", "alpha", "eff"), fix={"eff": 1.0}, **kwargs)
    np.testing.assert_array_equal(one.theta, other.theta)
    assert one.objective == other.objective and one.interval()["A"] == other.interval()["A"]
    assert one.request.by == "corpus" and one.request.share == ("A", "alpha", "eff")


def test_anchors_of_one_column():
    """Several groups at known values, in a fit with a single column."""
    table = {k: v[runs()["corpus"] == "web"] for k, v in runs().items()}
    fit = sj.fit(efficiency, table, by="arch", share=("E", "A", "alpha"), fix={"eff": {"dense": 1.0, "mix": 2.0}}, loss=sj.squared())
    eff = dict(zip(fit.groups, fit.params["eff"], strict=True))
    assert eff["dense"] == 1.0 and eff["mix"] == 2.0
    assert eff["moe"] == pytest.approx(0.7, rel=0.02) and eff["ssm"] == pytest.approx(1.3, rel=0.02)
    assert fit.theta.shape == (5, 1)
    errors = dict(zip(fit.groups, fit.standard_errors["eff"], strict=True))
    assert errors["dense"] == errors["mix"] == 0.0 < errors["moe"]
    assert next(row for row in fit.table().rows if row[0] == "eff[mix]")[-1] == "fixed"
    low, high = (dict(zip(fit.groups, end, strict=True)) for end in fit.interval()["eff"])
    assert low["mix"] == high["mix"] == 2.0 and low["moe"] < eff["moe"] < high["moe"]


def test_groups_without_runs_in_common_are_predicted():
    """A cell without runs: its corpus and its architecture are known from others."""
    table = runs(400, missing={("web", "moe"), ("code", "ssm")})
    fit = sj.fit(efficiency, table, by=BY, fix=ANCHOR, loss=sj.squared(), starts=64)
    assert len(fit.groups) == 10 and "web, moe" not in fit.groups
    truth = 1.5 + 20 * 0.7 * 1e4**-0.3
    assert fit.predict(x=1e4, group={"corpus": "web", "arch": "moe"}) == pytest.approx(truth, rel=0.01)
    assert fit.predict(x=1e4, group="web, moe") == fit.predict(x=1e4, group={"corpus": "web", "arch": "moe"})
    many = fit.predict(x=np.array([1e4, 1e5]), group={"corpus": ["web", "code"], "arch": "moe"})
    assert many.shape == (2,) and many[0] == fit.predict(x=1e4, group="web, moe")


def test_an_unanchored_product_is_flat_and_the_sentence_says_what_to_anchor():
    with pytest.warns(
        sj.IdentifiabilityWarning, match=r"do not determine A, eff .*anchor 'eff' in a group, such as fix=\{'eff': \{'\w+': 1\}\}"
    ):
        fit = sj.fit(efficiency, runs(), by=BY, loss=sj.squared(), starts=64)
    assert fit.status == "flat direction"
    with pytest.raises(sj.IdentifiabilityError, match="anchor 'eff'"):
        sj.bootstrap(fit, 20)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"by": {"E": "corpus", "eff": "arhc"}}, "arhc"),
        ({"by": {"F": "corpus", "eff": "arch"}}, "by names 'F', which is not a parameter"),
        ({"by": {}}, "must be a column, or a mapping"),
        ({"share": "A"}, "leave it out"),
        ({"fix": {"E": 1.0, **ANCHOR}}, "by names 'E', which is fixed"),
        ({"tie": {"E": "A"}}, "by names 'E', which is tied"),
        ({"fix": {"eff": {"desne": 1.0}}}, "did you mean 'dense'"),
        ({"fix": {"eff": {"dense": -1.0}}}, "is a positive number"),
        ({"fix": {"A": {"dense": 1.0}}}, "does not differ between groups"),
        ({"fix": {"eff": {"dense": [1.0, 2.0]}}}, "gives 2 numbers"),
        ({"fix": {"eff": dict.fromkeys(KINDS.tolist(), 1.0)}}, "leave one of them free"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(changes, words):
    with pytest.raises(sj.ScalejaxError, match=words):
        sj.fit(efficiency, runs(), **{"by": BY, "fix": ANCHOR, **changes})


def test_a_row_without_a_group_is_named():
    table = runs()
    for nothing in ("", "nan", "None"):
        names = np.array(table["arch"], dtype=object)
        names[7] = nothing
        with pytest.raises(sj.DataError, match=r"Column 'arch' names no group in row 7"):
            sj.fit(efficiency, {**table, "arch": names.astype(str)}, by=BY, fix=ANCHOR)


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (None, r"say which with group=..., such as group=\{'corpus': "),
        ("web", "groups cross here"),
        ({"corpus": "web"}, "names none of column 'arch'"),
        ({"corpus": "web", "arch": "dens"}, "There is no arch 'dens'; did you mean 'dense'"),
        ({"corpus": "web", "kind": "dense"}, "along which nothing varies"),
    ],
)
def test_a_group_that_is_not_there_is_named(fitted, group, words):
    with pytest.raises(sj.DataError, match=words):
        fitted.predict(x=1e4, group=group)
    with pytest.raises(sj.DecisionError, match=words):
        known(fitted, group)


def test_tables_name_the_groups(fitted):
    text = repr(fitted)
    for name in ("E[web]", "eff[moe]", "corpus web", "arch moe"):
        assert name in text
    assert "fixed" in next(line for line in text.splitlines() if line.startswith("eff[dense]"))
    assert [row[0] for row in fitted.diagnosis.table().rows[:3]] == [f"corpus {name}" for name in fitted.request.levels[0]]
    assert sum(group.runs for group in fitted.diagnosis.groups) == 2 * len(fitted.runs)


@pytest.mark.parametrize("kind", ["cases", "residual", "bayesian"])
def test_a_bootstrap_agrees_with_the_standard_errors(fitted, kind):
    draws = sj.bootstrap(fitted, 300, kind=kind)
    assert draws.failed == 0
    for name in ("E", "A", "alpha", "eff"):
        ours, theirs = np.ravel(draws.standard_errors[name]), np.ravel(fitted.standard_errors[name])
        free = theirs > 0
        np.testing.assert_allclose(ours[free], theirs[free], rtol=0.3)
        assert (ours[~free] == 0).all()
    value = draws.predict(x=1e4, group={"corpus": "web", "arch": "moe"})
    assert value.shape == (300,) and np.std(value) < 0.01
    shown = draws.predict(kind="run", x=1e4, group={"corpus": "web", "arch": "moe"})
    assert np.std(np.log(shown)) == pytest.approx(0.005, rel=0.3)


def test_a_profile_agrees_with_the_intervals(fitted):
    found = sj.profile(fitted, ["E", "eff"])
    for name in ("E", "eff"):
        for ours, theirs in zip(found.interval()[name], fitted.interval(covariance="model")[name], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    dense = fitted.request.levels[1].index("dense")
    assert found.low["eff"][dense] == found.high["eff"][dense] == 1.0 and np.isnan(found.grid["eff"][dense]).all()


def test_fits_are_saved_and_read(fitted, tmp_path):
    fitted.save(tmp_path / "fit.json")
    assert json.loads((tmp_path / "fit.json").read_text())["request"]["by"] == BY
    again = sj.load_fit(tmp_path / "fit.json", law=efficiency)
    np.testing.assert_array_equal(again.theta, fitted.theta)
    assert again.request.by == BY and again.request.anchors == ANCHOR
    assert again.predict(x=1e4, group="web, moe") == fitted.predict(x=1e4, group="web, moe")
    np.testing.assert_array_equal(again.interval()["eff"], fitted.interval()["eff"])


def test_decisions_take_a_group_by_columns(fitted):
    place = {"corpus": "web", "arch": "moe"}
    found = known(fitted, place)
    assert found.point["E"] == aligned(fitted, "E", ["web"])[0] and found.point["eff"] == aligned(fitted, "eff", ["moe"])[0]
    assert found.draws["E"].shape == found.draws["A"].shape == (found.count,)
    same = known(fitted, "web, moe")
    assert same.point == found.point
    draws = sj.laplace(fitted, 200)
    assert known(draws, place).draws["eff"].shape == (200,)


def test_one_program_solves_all_tables_of_one_shape(fitted):
    sj.fit(efficiency, runs(), by=BY, fix={"eff": {"dense": 1.0}}, loss=sj.squared(), starts=64)  # in case its programs were forgotten
    before = trace_counts()
    again = sj.fit(efficiency, runs(), by=BY, fix={"eff": {"dense": 2.0}}, loss=sj.squared(), starts=64)
    assert trace_counts() == before  # another value of the anchor is data
    assert again.objective == pytest.approx(fitted.objective, rel=1e-9)
    np.testing.assert_allclose(aligned(again, "eff", KINDS), 2 * aligned(fitted, "eff", KINDS), rtol=1e-6)


def test_many_crossing_groups_stay_sparse():
    """Three hundred times twenty groups: blocks are cells, each row has one copy of every parameter, and the truth is recovered."""

    @sj.law(a=sj.Positive(0.1, 10), b=sj.Positive(0.1, 10), c=sj.Positive(0.1, 10))
    def scores(x, *, a, b, c):
        """Score a b x + c."""
        return a * b * x + c

    rng = np.random.default_rng(0)
    m, k = np.divmod(rng.permutation(300 * 20)[:4000], 20)
    a, b = np.exp(0.5 * rng.standard_normal(300)), np.exp(0.5 * rng.standard_normal(20))
    b[0] = 1.0
    x = np.exp(rng.uniform(-1, 1, len(m)))
    y = (a[m] * b[k] * x + 0.5) * np.exp(0.02 * rng.standard_normal(len(m)))
    table = {"x": x, "loss": y, "model": np.char.add("m", m.astype(str)), "task": np.char.add("t", k.astype(str))}
    before = trace_counts()
    fit = sj.fit(scores, table, by={"a": "model", "b": "task"}, fix={"b": {"t0": 1.0}}, loss=sj.squared(), starts=64)
    assert {name: count - before.get(name, 0) for name, count in trace_counts().items() if count != before.get(name, 0)} == {
        "screen": 1,
        "solve": 1,
    }
    assert fit.status == "converged"
    layout, blocks = fit.request.layout, fit.request.batch.blocks
    assert layout.size == 320 and places(layout, blocks.codes).shape == (3, 4000) and blocks.place.shape == (1, 4000)
    models, tasks = ([int(name[1:]) for name in level] for level in fit.request.levels)
    errors = fit.standard_errors
    for found, truth, error in ((fit.params["a"], a[models], errors["a"]), (fit.params["b"], b[tasks], errors["b"])):
        free = error > 0
        z = (found - truth)[free] / error[free]
        assert np.abs(z).max() < 5 and 0.6 < np.sqrt(np.mean(z**2)) < 1.5


BENCHMARKS = ["MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval"]


@sj.law(u1=sj.Real(-3, 3), u2=sj.Real(-3, 3), v1=sj.Real(-3, 3), v2=sj.Real(-3, 3), c=sj.Real(-3, 3))
def two_factors(one, *, u1, u2, v1, v2, c):
    """Score u1 v1 + u2 v2 + c of a model with abilities u on a benchmark with loadings v and a level c."""
    return one * (u1 * v1 + u2 * v2 + c)


def alternating(Y, seed):
    """The same model by alternating least squares: the sum of squares over the entries that are there."""
    W, rng = np.isfinite(Y), np.random.default_rng(seed)
    V, old = rng.standard_normal((Y.shape[1], 3)), np.inf
    for _ in range(2000):
        U = np.stack([np.linalg.lstsq(V[w, :2], y[w] - V[w, 2], rcond=None)[0] for y, w in zip(Y, W, strict=True)])
        X = np.column_stack([U, np.ones(len(U))])
        V = np.stack([np.linalg.lstsq(X[w], y[w], rcond=None)[0] for y, w in zip(Y.T, W.T, strict=True)])
        new = np.sum(np.where(W, Y - X @ V.T, 0.0) ** 2)
        if old - new < 1e-12 * old:
            break
        old = new
    return new


@pytest.mark.skipif(not (DATA / "obs_scaling").exists(), reason="needs the public benchmark scores")
@pytest.mark.slow
def test_two_factors_of_models_and_benchmarks():
    """Scores of 148 models on 8 benchmarks, 40 missing: two abilities a model and their loadings in one call."""
    with open(DATA / "obs_scaling" / "base_llm_benchmark_eval.csv") as file:
        table = list(csv.DictReader(file))
    Y = np.asarray([[float(row[b]) if row[b] not in ("", "nan") else np.nan for b in BENCHMARKS] for row in table])
    i, j = np.nonzero(np.isfinite(Y))
    assert Y.size - len(i) == 40
    models = np.asarray([row["Model"] for row in table])
    data = {"one": np.ones(len(i)), "loss": Y[i, j], "model": models[i], "benchmark": np.asarray(BENCHMARKS)[j]}
    by = {"u1": "model", "u2": "model", "v1": "benchmark", "v2": "benchmark", "c": "benchmark"}
    anchors = {"v1": {"HellaSwag": 1.0, "GSM8K": 0.0}, "v2": {"HellaSwag": 0.0, "GSM8K": 1.0}, "c": {"HellaSwag": 0.0, "GSM8K": 0.0}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.DataWarning)  # the column of ones
        fit = sj.fit(two_factors, data, by=by, fix=anchors, on="linear", loss=sj.squared())
    assert fit.status == "converged" and fit.starts.agreeing >= 3
    assert fit.request.layout.size == 2 * 148 + 2 * 6 + 6
    assert 2 * fit.objective == pytest.approx(min(alternating(Y, seed) for seed in range(1, 4)), rel=1e-6)
    assert fit.r_squared > 0.97
    missing = [(models[a], BENCHMARKS[b]) for a, b in zip(*np.nonzero(~np.isfinite(Y)), strict=True)]
    filled = fit.predict(one=1.0, group={"model": [m for m, _ in missing], "benchmark": [b for _, b in missing]})
    assert filled.shape == (40,) and np.quantile(filled, 0.1) > -0.2 and np.quantile(filled, 0.9) < 1.2


@pytest.mark.slow
def test_posteriors_pool_along_each_column(tmp_path):
    """A population of corpora and one of architectures, whose values agree with the fit's; what follows from the draws knows groups."""
    table = runs()
    fit = sj.fit(efficiency, table, by=BY, fix=ANCHOR, loss=sj.squared(), starts=64)
    drawn = sj.sample(efficiency, table, by=BY, fix=ANCHOR, likelihood="normal", draws=250)
    assert not drawn.complaints
    for name in ("E", "A", "alpha", "eff"):
        middle, error = np.ravel(np.median(drawn.params[name], axis=0)), np.ravel(fit.standard_errors[name])
        assert (np.abs(middle - np.ravel(fit.params[name])) <= error).all()
    assert {"E_typical", "E_spread", "eff_typical", "eff_spread"} <= set(drawn.sites)
    assert 0.05 < np.median(drawn.sites["E_spread"]) < 0.6 and 0.2 < np.median(drawn.sites["eff_spread"]) < 1.5
    labels = [row[0] for row in drawn.diagnostics().rows]
    assert {"E[web]", "eff[moe]", "eff[mix]"} <= set(labels) and "eff[dense]" not in labels
    place = {"corpus": "web", "arch": "moe"}
    assert np.median(drawn.predict(x=1e4, group=place)) == pytest.approx(fit.predict(x=1e4, group=place), rel=2e-3)
    assert np.std(np.log(drawn.predict(kind="run", x=1e4, group=place))) == pytest.approx(0.005, rel=0.3)
    assert known(drawn, place).draws["eff"].shape == (len(drawn),)
    low, high = drawn.new_group().interval(0.95)["eff"]
    assert low < 0.7 and high > 1.4  # a new architecture is as uncertain as architectures differ
    assert np.isfinite(drawn.loo.elpd) and max(drawn.loo.khat) < 0.7
    drawn.save(tmp_path / "posterior.npz")
    again = sj.load_posterior(tmp_path / "posterior.npz", law=efficiency)
    np.testing.assert_array_equal(again.theta, drawn.theta)
    assert again.loo.elpd == drawn.loo.elpd
    with pytest.raises(sj.FitError, match="where columns cross, leave covariates out"):
        sj.sample(efficiency, {**table, "size": np.ones(len(table["x"]))}, by=BY, fix=ANCHOR, covariates="size")


def test_the_command_line_takes_columns_by_parameter(tmp_path, capsys):
    from scalejax.commands.cli import main

    table = runs(120)
    with open(tmp_path / "runs.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    main(
        ["fit", str(tmp_path / "runs.csv"), "--law", "power_law", "--columns", "x=x", "loss=loss", "corpus=corpus", "arch=arch",
         "--by", "E=corpus,A=arch", "--fix", "A[moe]=14", "alpha=0.3", "--starts", "64", "--out", str(tmp_path / "fit.json")]
    )  # fmt: skip
    shown = capsys.readouterr().out
    assert "E[web]" in shown and "fixed" in next(line for line in shown.splitlines() if line.startswith("A[moe]"))
    fit = sj.load_fit(tmp_path / "fit.json")
    assert fit.request.by == {"E": "corpus", "A": "arch"} and fit.request.anchors == {"A": {"moe": 14.0}}
    np.testing.assert_allclose(aligned(fit, "A", KINDS), 20 * EFF, rtol=0.05)


def test_plans_and_pictures_of_one_combination(tmp_path):
    """Compute-optimal sizes, a comparison of two architectures, the next runs and a picture, by mapping and by name."""
    rng, n = np.random.default_rng(0), 160
    N, D, c, a = 10 ** rng.uniform(7.5, 10, n), 10 ** rng.uniform(9, 11.5, n), rng.integers(0, 2, n), rng.integers(0, 2, n)
    loss = np.array([1.6, 1.9])[c] + np.array([400, 330])[a] * N**-0.34 + 410 * D**-0.28
    table = {"N": N, "D": D, "loss": loss * np.exp(0.005 * rng.standard_normal(n)), "corpus": CORPORA[c], "arch": KINDS[a]}
    fit = sj.fit("chinchilla", table, by={"E": "corpus", "A": "arch"}, starts=128)
    place = {"corpus": "web", "arch": "moe"}
    plan = sj.allocate(fit, compute=1e21, group=place)
    assert plan.N == sj.allocate(fit, compute=1e21, group="web, moe").N
    truth = sj.allocate((sj.laws.chinchilla, {"E": 1.6, "A": 330, "alpha": 0.34, "B": 410, "beta": 0.28}), compute=1e21)
    assert plan.N == pytest.approx(truth.N, rel=0.1)
    chosen = sj.choose({"moe": (fit, {"group": place}), "dense": (fit, {"group": "web, dense"})}, compute=1e21)
    assert "moe" in repr(chosen)
    candidates = {name: column[:30] for name, column in table.items() if name != "loss"}
    found = [
        sj.next_runs(fit, candidates, target={"N": 1e11, "D": 1e12, "group": group}, runs=2, cost=lambda N, D: 6 * N * D)
        for group in (place, "web, moe")
    ]
    assert repr(found[0]) == repr(found[1]) and "web, moe" in repr(found[0])
    ax = sj.plot.fan(fit, group=place)
    ax.figure.savefig(tmp_path / "fan.png")


@pytest.mark.slow
def test_posteriors_anchor_a_group_of_one_column():
    table = runs(400)
    mine = table["corpus"] == "web"
    table = {name: column[mine] for name, column in table.items()}
    share = ("E", "A", "alpha")
    drawn = sj.sample(efficiency, table, by="arch", share=share, fix=ANCHOR, likelihood=sj.likelihoods.normal(), draws=250)
    assert not drawn.complaints
    eff = dict(zip(drawn.fit.groups, np.median(drawn.params["eff"], axis=0), strict=True))
    assert eff["dense"] == 1.0 and eff["moe"] == pytest.approx(0.7, rel=0.02) and eff["mix"] == pytest.approx(2.0, rel=0.02)
    assert drawn.params["eff"].shape == (1000, 4)
    low, high = drawn.new_group().interval(0.95)["eff"]
    assert low < 1.0 < high
