"""Laws in a chain: against joint maximum likelihood by scipy, against fits of the stages alone, against simulated data sets."""

from __future__ import annotations

import warnings

import jax
import numpy as np
import pytest
from scipy import optimize

import scalejax as sj

FIRST = {"E": 1.8, "A": 400.0, "alpha": 0.34, "B": 1000.0, "beta": 0.3}
SECOND = {"L_0": 0.25, "r": 0.8, "k": 4.0, "x_0": 2.8}
NOISE = {"loss": 0.01, "accuracy": 0.02}
ON = {"loss": "log", "accuracy": "linear"}
FAR = {"N": 2e10, "D": 5e11}


@sj.law(output="accuracy", loss=sj.Positive(0.5, 5), L_0=sj.Unit(), r=sj.Unit(), k=sj.Positive(0.5, 50), x_0=sj.Positive(0.5, 5))
def sigmoid(loss, *, L_0, r, k, x_0):
    return L_0 + r * (1 - L_0) * jax.nn.sigmoid(-k * (loss - x_0))


@sj.law(loss=sj.Positive(0.1, 10), output="score", E=sj.Real(-1, 1), slope=sj.Real(-2, 2))
def line(loss, *, E, slope):
    return E + slope * loss


BOTH = sj.chain(loss=sj.laws.chinchilla, accuracy=sigmoid)


def simulated(seed: int, rows: int = 60, complete: int = 20) -> dict[str, np.ndarray]:
    """Runs with losses, and accuracies of the first `complete` of them."""
    rng = np.random.default_rng(seed)
    N, D = 10 ** rng.uniform(7.5, 10, rows), 10 ** rng.uniform(9.5, 11.5, rows)
    loss = sj.laws.chinchilla(N, D, **FIRST)
    accuracy = sigmoid(loss, **SECOND) + NOISE["accuracy"] * rng.standard_normal(rows)
    accuracy[complete:] = np.nan
    return {"N": N, "D": D, "loss": loss * np.exp(NOISE["loss"] * rng.standard_normal(rows)), "accuracy": accuracy}


def test_laws_of_a_chain_go_by_name():
    named = sj.chain(loss="chinchilla", accuracy=("llama3_accuracy", {"nll": "loss"}))
    given = sj.chain(loss=sj.laws.chinchilla, accuracy=(sj.laws.llama3_accuracy, {"nll": "loss"}))
    assert repr(named) == repr(given) and named.stages == given.stages
    with pytest.raises(sj.LawError, match="no law 'chinchila'; did you mean 'chinchilla'"):
        sj.chain(loss="chinchila", accuracy=sigmoid)


@pytest.fixture(scope="module")
def table() -> dict[str, np.ndarray]:
    return simulated(0)


@pytest.fixture(scope="module")
def joint(table) -> sj.ChainFit:
    return sj.fit(BOTH, table, on=ON)


def natural(p: np.ndarray) -> dict[str, float]:
    """Parameters of both stages from what scipy moves."""
    first = dict(zip(FIRST, np.exp(p[:5]), strict=True))
    return {**first, "L_0": p[5], "r": p[6], "k": np.exp(p[7]), "x_0": p[8]}


def joint_nll(p: np.ndarray, t: dict[str, np.ndarray]) -> float:
    """Negative log likelihood of both stages, maximised over their noise, in plain NumPy."""
    q = natural(p)
    loss = q["E"] + q["A"] * t["N"] ** -q["alpha"] + q["B"] * t["D"] ** -q["beta"]
    accuracy = q["L_0"] + q["r"] * (1 - q["L_0"]) / (1 + np.exp(q["k"] * (loss - q["x_0"])))
    r1, r2 = np.log(t["loss"]) - np.log(loss), t["accuracy"] - accuracy
    seen = np.isfinite(r2)
    return 0.5 * len(r1) * np.log(np.mean(r1**2)) + 0.5 * seen.sum() * np.log(np.mean(r2[seen] ** 2))


def test_a_joint_fit_is_the_maximum_of_the_joint_likelihood(joint, table):
    start = np.asarray([*np.log(list(FIRST.values())), 0.25, 0.8, np.log(4.0), 2.8])
    best = min((optimize.minimize(joint_nll, start, (table,), "Nelder-Mead", options={"maxiter": 20000, "maxfev": 20000, "xatol": 1e-10,
                "fatol": 1e-14, "adaptive": True}) for start in [start]), key=lambda f: f.fun)  # fmt: skip
    best = optimize.minimize(joint_nll, best.x, (table,), "BFGS", options={"gtol": 1e-10})
    for name, value in natural(best.x).items():
        assert joint.params[name] == pytest.approx(value, rel=1e-5), name
    loss = sj.laws.chinchilla(table["N"], table["D"], **{k: joint.params[k] for k in FIRST})
    assert joint.noise["loss"] == pytest.approx(np.sqrt(np.mean(np.log(table["loss"] / loss) ** 2)), rel=1e-7)
    assert joint.status.value == "converged"


def test_a_joint_fit_recovers_the_truth(joint):
    for name, value in {**FIRST, **SECOND}.items():
        assert abs(joint.params[name] - value) < 4 * joint.standard_errors[name], name
    for name, value in NOISE.items():
        assert abs(np.log(joint.noise[name] / value)) < 4 / np.sqrt(2 * 10)


def test_predictions_of_every_stage(joint):
    loss = joint.predict(**FAR, output="loss")
    assert loss == pytest.approx(sj.laws.chinchilla(**FAR, **{k: joint.params[k] for k in FIRST}), rel=1e-12)
    accuracy = sigmoid(loss, **{k: joint.params[k] for k in SECOND})
    assert joint.predict(**FAR) == pytest.approx(accuracy, rel=1e-12)
    assert joint.predict(**FAR) == pytest.approx(BOTH(**FAR, **joint.params), rel=1e-12)
    assert joint.predict(N=[1e9, 1e10], D=1e11).shape == (2,)
    assert joint.law.inputs == ("N", "D") and joint.law.output == "accuracy"


def test_rows_of_a_stage_are_in_its_own_units(joint, table):
    rows = joint.rows("accuracy")
    assert rows.row.tolist() == list(range(20))
    np.testing.assert_allclose(rows.residuals, table["accuracy"][:20] - rows.fitted, atol=1e-12)
    np.testing.assert_allclose(rows.fitted, joint.predict(N=table["N"][:20], D=table["D"][:20]), rtol=1e-12)
    assert len(joint.rows("loss").row) == 60


def test_rows_without_accuracy_make_it_better_known(joint, table):
    complete = sj.fit(BOTH, {k: v[:20] for k, v in table.items()}, on=ON)
    inside = {"N": [1e8, 3e9], "D": [1e11, 5e10]}
    widths = []
    for fitted in (joint, complete):
        low, high = sj.laplace(fitted).predict_interval(0.9, **inside)
        widths.append(high - low)
    assert (widths[0] < 0.8 * widths[1]).all()


@pytest.mark.slow
def test_bootstraps_are_as_wide_as_simulated_data_sets_differ():
    inside, cut = {"N": [1e8, 1e9, 3e9], "D": [1e11, 1e11, 5e10]}, 40
    data = [simulated(seed, 80, cut) for seed in range(100, 150)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.ConvergenceWarning)
        fits = [sj.fit(BOTH, t, on=ON) for t in data]
        complete = [sj.fit(BOTH, {k: v[:cut] for k, v in t.items()}, on=ON) for t in data]
    spread, less = (np.std([f.predict(**inside) for f in found], axis=0) for found in (fits, complete))
    drawn = np.mean([sj.bootstrap(f, 200).predict(**inside).std(axis=0) for f in fits[:10]], axis=0)
    assert (np.abs(np.log(drawn / spread)) < 0.35).all()
    assert np.sum(spread**2) < np.sum(less**2)


def test_stage_by_stage_is_a_fit_of_each(table):
    """The point of each stage is that of a fit of its own, and predictions are those of `two_stage`."""
    seen = np.isfinite(table["accuracy"])
    one = sj.fit("chinchilla", {k: table[k] for k in ("N", "D", "loss")}, loss=sj.squared())
    for inputs in ("predicted", "observed"):
        f = sj.fit(BOTH, table, on=ON, staged=True, inputs=inputs)
        loss = table["loss"][seen] if inputs == "observed" else one.predict(N=table["N"][seen], D=table["D"][seen])
        two = sj.fit(sigmoid, {"loss": loss, "accuracy": table["accuracy"][seen]}, loss=sj.squared(), on="linear")
        for name, value in {**one.params, **two.params}.items():
            assert f.params[name] == pytest.approx(value, rel=1e-9)
        assert f.predict(**FAR) == pytest.approx(sj.derive({"first": one, "second": two}, sj.formulas.two_stage, **FAR).accuracy, rel=1e-9)
        errors, first, second = (fit.errors("sandwich") for fit in (f, one, two))
        for name, value in first.items():
            assert errors[name] == pytest.approx(value, rel=1e-6)
        if inputs == "observed":
            for name, value in second.items():
                assert errors[name] == pytest.approx(value, rel=1e-6)
        else:  # what the first stage does not know is added
            assert all(errors[name] > value for name, value in second.items())


def test_draws_pass_through_all_stages(table):
    f = sj.fit(BOTH, table, on=ON, staged=True)
    drawn = sj.bootstrap(f, 200)
    assert drawn.units.columns == ("run",) and drawn.failed == 0
    first, last = (drawn.predict(**FAR, output=name) for name in ("loss", "accuracy"))
    p = {k: v for k, v in drawn.params.items()}
    np.testing.assert_allclose(last, p["L_0"] + p["r"] * (1 - p["L_0"]) / (1 + np.exp(p["k"] * (first - p["x_0"]))), rtol=1e-10)
    spread = sj.laplace(f).predict(N=1e9, D=1e11).std() / drawn.predict(N=1e9, D=1e11).std()
    assert 0.5 < spread < 2.0
    with pytest.raises(sj.FitError, match="resampled by runs"):
        sj.bootstrap(f, 20, kind="cases")


def test_staged_fits_refuse_what_joins_stages(table):
    with pytest.raises(sj.FitError, match="inputs='seen' is unknown"):
        sj.fit(BOTH, table, on=ON, staged=True, inputs="seen")
    with pytest.raises(sj.FitError, match="joins parameters of two stages"):
        sj.fit(BOTH, table, on=ON, staged=True, tie={"x_0": "E"})
    with pytest.raises(sj.FitError, match="is for chains"):
        sj.fit("chinchilla", table, staged=True)


def test_stages_count_by_their_own_losses(table):
    bad = {**table, "loss": table["loss"].copy()}
    bad["loss"][30] *= 3.0
    f = sj.fit(BOTH, bad, on=ON, loss={"loss": sj.huber(1e-3), "accuracy": sj.squared()})
    for name, value in FIRST.items():
        assert abs(f.params[name] - value) < 4 * f.standard_errors[name]
    # The objective is that of both losses: at the optimum no step of scipy's lowers it.
    sigma = f.noise

    def objective(p: np.ndarray) -> float:
        q = natural(p)
        loss = q["E"] + q["A"] * bad["N"] ** -q["alpha"] + q["B"] * bad["D"] ** -q["beta"]
        accuracy = q["L_0"] + q["r"] * (1 - q["L_0"]) / (1 + np.exp(q["k"] * (loss - q["x_0"])))
        r1, r2 = np.abs(np.log(bad["loss"] / loss)), (bad["accuracy"] - accuracy)[:20]
        huber = np.where(r1 <= 1e-3, 0.5 * r1**2, 1e-3 * (r1 - 0.5e-3))
        return float(np.sum(huber) / sigma["loss"] ** 2 + 0.5 * np.sum(r2**2) / sigma["accuracy"] ** 2)

    p = f.params
    here = np.asarray([*np.log([p[k] for k in FIRST]), p["L_0"], p["r"], np.log(p["k"]), p["x_0"]])
    assert objective(here) == pytest.approx(f.objective, rel=1e-9)
    better = optimize.minimize(objective, here, method="Nelder-Mead", options={"maxiter": 4000, "fatol": 1e-12, "xatol": 1e-10})
    assert better.fun > f.objective * (1 - 1e-9)


def test_equal_losses_have_the_covariance_of_a_weighted_fit(table):
    """With least squares beside least squares, and beside Huber far out, standard errors agree."""
    plain = sj.fit(BOTH, table, on=ON)
    wide = sj.fit(BOTH, table, on=ON, loss={"loss": sj.huber(10.0), "accuracy": sj.squared()}, noise=plain.noise)
    for name in plain.params:
        assert wide.params[name] == pytest.approx(plain.params[name], rel=1e-6)
        assert wide.standard_errors[name] == pytest.approx(plain.standard_errors[name], rel=1e-4)


def test_names_that_clash_are_prefixed():
    both = sj.chain(loss=sj.laws.chinchilla, score=line)
    assert both.parameters == ("loss_E", "A", "alpha", "B", "beta", "score_E", "slope")
    value = both(N=1e9, D=1e11, loss_E=1.8, A=400.0, alpha=0.34, B=1000.0, beta=0.3, score_E=0.5, slope=-0.1)
    assert value == pytest.approx(0.5 - 0.1 * sj.laws.chinchilla(1e9, 1e11, **FIRST))
    held = both.bind(score_E=0.5)
    assert "score_E" not in held.parameters
    rest = {k: v for k, v in FIRST.items() if k != "E"}
    assert held(N=1e9, D=1e11, loss_E=1.8, slope=-0.1, **rest) == pytest.approx(value)
    with pytest.raises(sj.LawError, match=r"fix names 'E', which several stages have; say which: 'loss_E' or 'score_E'"):
        sj.fit(both, {"N": [1.0], "D": [1.0], "loss": [1.0], "score": [1.0]}, fix={"E": 1.0})


def test_chains_that_are_none():
    with pytest.raises(sj.LawError, match="No law takes 'loss'"):
        sj.chain(loss=sj.laws.chinchilla, error=sj.laws.power_law)

    @sj.law(a=sj.Real(), s=sj.Real(), output="b")
    def forth(a, *, s):
        return a * s

    @sj.law(b=sj.Real(), t=sj.Real(), output="a")
    def back(b, *, t):
        return b * t

    with pytest.raises(sj.LawError, match="a and b need each other in a circle"):
        sj.chain(a=back, b=forth)
    with pytest.raises(sj.LawError, match="is not a law"):
        sj.chain(loss=3.0)  # names are, see `test_laws_of_a_chain_go_by_name`


def test_requests_that_make_no_sense(table, joint):
    with pytest.raises(sj.FitError, match=r"loss names 'acuracy', which is not a stage; did you mean 'accuracy'"):
        sj.fit(BOTH, table, loss={"acuracy": sj.squared()})
    with pytest.raises(sj.DataError, match="no column 'accuracy', the output of a stage"):
        sj.fit(BOTH, {k: v for k, v in table.items() if k != "accuracy"})
    with pytest.raises(sj.DataError, match="Column 'accuracy' has no number"):
        sj.fit(BOTH, {**table, "accuracy": np.full(60, np.nan)})
    with pytest.raises(sj.DataError, match=r"Column 'N' is missing, NaN or infinite in row 3, where 'loss' is observed"):
        sj.fit(BOTH, {**table, "N": np.where(np.arange(60) == 3, np.nan, table["N"])})
    with pytest.raises(sj.FitError, match="output='los' is not a stage"):
        joint.predict(**FAR, output="los")
    with pytest.raises(sj.FitError, match="is for chains"):
        sj.fit("chinchilla", table, loss={"loss": sj.squared()})
    with pytest.raises(sj.FitError, match="Huber losses and least squares"):
        sj.fit(BOTH, table, on=ON, loss={"loss": sj.student_t(), "accuracy": sj.squared()})


def test_bootstraps_keep_the_outputs_of_a_run_together(joint):
    drawn = sj.bootstrap(joint, 200, seed=3)
    assert drawn.units is not None and drawn.units.columns == ("run",)
    assert "groups by run" in drawn.kind


def same(a: sj.ChainFit, b: sj.ChainFit) -> None:
    assert a.params == b.params and a.noise == b.noise and a.objective == b.objective
    assert a.predict(**FAR) == b.predict(**FAR) and a.predict(**FAR, output="loss") == b.predict(**FAR, output="loss")
    np.testing.assert_array_equal(a.rows("accuracy").residuals, b.rows("accuracy").residuals)
    assert a.interval() == b.interval()
    ours, theirs = (sj.bootstrap(f, 20).predict(**FAR, kind="run") for f in (a, b))
    np.testing.assert_array_equal(ours, theirs)


def test_saved_chains_come_back(joint, table, tmp_path):
    joint.save(tmp_path / "joint.json")
    same(joint, sj.load_fit(tmp_path / "joint.json", BOTH))
    staged = sj.fit(BOTH, table, on=ON, staged=True, inputs="observed")
    staged.save(tmp_path / "staged.json")
    same(staged, sj.load_fit(tmp_path / "staged.json", BOTH))
    with pytest.raises(sj.DataError, match="holds a chain of loss, accuracy, not the law 'chinchilla'"):
        sj.load_fit(tmp_path / "joint.json", sj.laws.chinchilla)


def test_saved_chains_of_registered_laws_need_no_law(tmp_path):
    C, rng = np.logspace(19, 24, 30), np.random.default_rng(0)
    both = sj.chain(nll=sj.laws.llama3_nll, accuracy=sj.laws.llama3_accuracy)
    nll = sj.laws.llama3_nll(C, s=-0.2, t=5.5) + 0.01 * rng.standard_normal(30)
    accuracy = sj.laws.llama3_accuracy(nll, L_0=0.25, r=0.8, k=10.0, x_0=1.2) + 0.01 * rng.standard_normal(30)
    f = sj.fit(both, {"C": C, "nll": nll, "accuracy": accuracy}, on="linear")
    f.save(tmp_path / "llama.json")
    again = sj.load_fit(tmp_path / "llama.json")
    assert again.params == f.params and again.chain == f.chain and again.law.name == "chain(nll, accuracy)"
    counted = sj.fit(logistic, coins(0), loss=sj.binomial(trials="n"))
    counted.save(tmp_path / "counts.json")
    assert sj.load_fit(tmp_path / "counts.json", logistic).predict(x=0.3) == counted.predict(x=0.3)


def test_new_runs_have_the_noise_of_their_stage(joint):
    drawn = sj.bootstrap(joint, 400)
    for output, on_scale in (("loss", np.log), ("accuracy", np.asarray)):
        at = {"N": np.full(50, 1e9), "D": np.full(50, 5e10), "output": output}
        noise = on_scale(drawn.predict(**at, kind="run", seed=1)) - on_scale(drawn.predict(**at))
        assert noise.std() == pytest.approx(joint.noise[output], rel=0.25)


def test_decisions_take_chains(joint):
    """The best loss for a budget is the chain's first stage alone; equivalents and efficiencies are of either stage."""
    first = {k: joint.params[k] for k in FIRST}
    plan = sj.allocate(joint.of("loss"), compute=1e22)
    alone = sj.allocate((sj.laws.chinchilla, first), compute=1e22)
    assert plan.N == pytest.approx(alone.N, rel=1e-6) and plan.loss == pytest.approx(alone.loss, rel=1e-9)
    low, high = plan.interval(0.9)["N"]
    assert low < plan.N < high
    # Accuracy rises as the loss falls, so that the best allocation for both is the same.
    with pytest.raises(sj.DecisionError, match=r"'accuracy' rises with six_nd at the runs.*fit.of\('accuracy', below=1.0\)"):
        sj.allocate(joint, compute=1e22)
    best = sj.allocate(joint.of("accuracy", below=1.0), compute=1e22)
    assert best.N == pytest.approx(plan.N, rel=1e-4)
    assert 1 - best.loss == pytest.approx(joint.predict(N=best.N, D=best.D), rel=1e-9)
    shortfall = sj.bootstrap(joint.of("accuracy", below=1.0), 50)
    plain = sj.bootstrap(joint, 50)
    np.testing.assert_allclose(shortfall.predict(**FAR), 1 - plain.predict(**FAR), rtol=1e-12)
    np.testing.assert_allclose(shortfall.predict(**FAR, kind="run"), 1 - plain.predict(**FAR, kind="run"), rtol=1e-12)
    # The accuracy of twice the data is that of a larger model.
    more = joint.predict(N=1e9, D=1e11)
    size = sj.equivalent(joint, "N", like=more, D=8e10)
    assert joint.predict(N=size.value, D=8e10) == pytest.approx(more, rel=1e-6)


def test_reports_and_posteriors_are_of_one_law(joint, tmp_path):
    with pytest.raises(sj.FitError, match="A report is of one law, and this fit is of a chain; fit a stage by itself"):
        sj.report(joint, tmp_path / "report.html")
    with pytest.raises(sj.FitError, match="Posteriors are of one law, and this is a chain; sample a stage by itself"):
        sj.sample(joint.law, joint.request.runs)


def test_groups_of_one_column(table):
    """Two sweeps whose accuracies have parameters of their own beside one loss."""
    parts = []
    for seed, x_0 in ((1, 2.8), (2, 3.2)):
        t = simulated(seed, 40, 40)
        t["accuracy"] += sigmoid(t["loss"], **{**SECOND, "x_0": x_0}) - sigmoid(t["loss"], **SECOND)
        parts.append({**t, "task": np.full(40, f"t{seed}")})
    both = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    f = sj.fit(BOTH, both, on=ON, by="task", share=list(FIRST))
    assert f.params["x_0"].shape == (2,) and isinstance(f.params["E"], float)
    for value, error, truth in zip(f.params["x_0"], f.standard_errors["x_0"], (2.8, 3.2), strict=True):
        assert abs(value - truth) < 4 * error
    assert f.predict(**FAR, group="t1") != f.predict(**FAR, group="t2")
    apart = sj.fit(BOTH, both, on=ON, by="task", noise=f.noise)
    one = sj.fit(BOTH, parts[0], on=ON, noise=f.noise)
    for name, value in one.params.items():
        assert apart.params[name][0] == pytest.approx(value, rel=1e-5)


def test_stages_differ_along_columns_of_their_own():
    """Two corpora with floors of their own, four tasks with thresholds of their own; every corpus meets every task."""
    rng = np.random.default_rng(0)
    floors, thresholds = {"web": 1.8, "code": 1.5}, {"easy": 3.2, "middle": 3.0, "hard": 2.8, "hardest": 2.6}
    corpus, task = (a.ravel() for a in np.meshgrid(np.repeat(list(floors), 15), list(thresholds), indexing="ij"))
    N, D = 10 ** rng.uniform(7.5, 10, len(task)), 10 ** rng.uniform(9.5, 11.5, len(task))
    loss = sj.laws.chinchilla(N, D, **{**FIRST, "E": np.array([floors[c] for c in corpus])})
    share = sigmoid(loss, **{**SECOND, "x_0": np.array([thresholds[t] for t in task])})
    table = {"N": N, "D": D, "loss": loss * np.exp(0.003 * rng.standard_normal(len(N))), "n": np.full(len(N), 500),
             "accuracy": rng.binomial(500, share) / 500, "corpus": corpus, "task": task}  # fmt: skip
    f = sj.fit(BOTH, table, loss={"accuracy": sj.binomial("n")}, by={"E": "corpus", "x_0": "task"}, fix={"r": 0.8, "x_0": {"easy": 3.2}})
    assert f.params["x_0"][0] == 3.2 and f.verdict.level != "poor"
    for name, truth in (("E", floors), ("x_0", thresholds)):
        off = np.abs(f.params[name] - list(truth.values()))
        assert (off <= 4 * f.standard_errors[name]).all() and off.max() < 0.1
    assert f.predict(**FAR, group={"corpus": "web", "task": "easy"}) > f.predict(**FAR, group={"corpus": "web", "task": "hard"})
    first = {name: f.params[name] for name in ("A", "alpha", "B", "beta")}
    told = f.predict(**FAR, output="loss", group={"corpus": "web", "task": "easy"})
    assert told == pytest.approx(sj.laws.chinchilla(**FAR, **first, E=f.params["E"][0]), rel=1e-12)


# --- counted and bounded outcomes


@sj.law(output="share", x=sj.Real(-3, 3), a=sj.Real(-2, 2), b=sj.Real(-2, 2))
def logistic(x, *, a, b):
    return jax.nn.sigmoid(a + b * x)


@sj.law(output="share", x=sj.Real(-3, 3), a=sj.Real(-2, 2), b=sj.Real(-2, 2))
def guessing(x, *, a, b):
    return 0.25 + 0.75 * jax.nn.sigmoid(a + b * x)


def coins(seed: int, trials: int = 50) -> dict[str, np.ndarray]:
    rng, x = np.random.default_rng(seed), np.linspace(-6, 6, 40)
    return {"x": x, "n": np.full(40, float(trials)), "share": rng.binomial(trials, 1 / (1 + np.exp(-0.5 - 1.3 * x))) / trials}


def test_binomial_fits_are_maximum_likelihood():
    t = coins(0)
    assert t["share"].min() == 0 and t["share"].max() == 1
    f = sj.fit(logistic, t, loss=sj.binomial(trials="n"))

    def nll(p: np.ndarray) -> tuple[float, np.ndarray]:
        eta = p[0] + p[1] * t["x"]
        slope = t["n"] * (1 / (1 + np.exp(-eta)) - t["share"])
        return -np.sum(t["n"] * (t["share"] * eta - np.logaddexp(0, eta))), np.asarray([slope.sum(), (slope * t["x"]).sum()])

    best = optimize.minimize(nll, [0.0, 1.0], jac=True, method="BFGS", options={"gtol": 1e-10})
    assert f.params["a"] == pytest.approx(best.x[0], abs=1e-6) and f.params["b"] == pytest.approx(best.x[1], abs=1e-6)
    # Twice the objective is the deviance: minus twice the log likelihood ratio to that of the shares themselves.
    y, n = t["share"], t["n"]
    with np.errstate(divide="ignore", invalid="ignore"):
        full = np.nansum(n * (np.where(y > 0, y * np.log(y), 0) + np.where(y < 1, (1 - y) * np.log(1 - y), 0)))
    assert 2 * f.objective == pytest.approx(2 * (best.fun + full), rel=1e-8)
    assert f.predict(x=0.0) == pytest.approx(1 / (1 + np.exp(-best.x[0])), abs=1e-7)


def test_binomial_standard_errors_are_those_of_the_information():
    f = sj.fit(logistic, coins(1, 400), loss=sj.binomial(trials="n"))
    p = f.predict(x=coins(1)["x"])
    X = np.stack([np.ones(40), coins(1)["x"]], axis=1)
    errors = np.sqrt(np.diag(np.linalg.inv(X.T @ (X * (400 * p * (1 - p))[:, None]))))
    dispersion = np.sqrt(2 * f.objective / 38)
    for name, error in zip("ab", errors, strict=True):
        assert f.errors("model")[name] == pytest.approx(error * dispersion, rel=0.03)


def test_extreme_counts_are_finite_and_residuals_smooth():
    from scalejax.fitting.objective.counts import deviance_residual

    with jax.enable_x64():
        y = np.asarray([0.0, 1.0, 0.5, 0.5])
        p = np.asarray([1e-3, 1 - 1e-3, 0.5, 0.5 + 1e-9])
        r = np.asarray(deviance_residual(y, 10.0, p))
        slope = np.asarray(jax.vmap(jax.grad(lambda y, p: deviance_residual(y, 10.0, p), 1))(y, p))
    assert np.isfinite(r).all() and np.isfinite(slope).all()
    np.testing.assert_allclose(r[:2], [-np.sqrt(-20 * np.log1p(-1e-3)), np.sqrt(-20 * np.log1p(-1e-3))], rtol=1e-10)
    assert r[2] == 0
    np.testing.assert_allclose(slope[2:], -np.sqrt(10 / 0.25), rtol=1e-7)  # minus the root of the information
    ours, grid = [], np.linspace(0.01, 0.99, 99)
    with jax.enable_x64():
        ours = np.asarray(deviance_residual(0.3, 20.0, grid))
    exact = 2 * 20 * (0.3 * np.log(0.3 / grid) + 0.7 * np.log(0.7 / (1 - grid)))
    np.testing.assert_allclose(ours**2, np.maximum(exact, 0), rtol=1e-9, atol=1e-13)
    assert (np.sign(ours) == np.sign(np.where(np.isclose(grid, 0.3), ours, 0.3 - grid))).all()


def test_overdispersion_widens_intervals_and_is_found():
    rng, x, k, n = np.random.default_rng(2), np.tile(np.linspace(-2, 2, 20), 20), 20.0, 60
    p = 1 / (1 + np.exp(-0.5 - 1.3 * x))
    t = {"x": x, "n": np.full(400, float(n)), "share": rng.binomial(n, rng.beta(p * k, (1 - p) * k)) / n}
    f = sj.fit(logistic, t, loss=sj.beta_binomial(trials="n"))
    assert f.noise["share"] == pytest.approx(1 / (k + 1), rel=0.25)
    plain = sj.fit(logistic, t, loss=sj.binomial(trials="n"))
    assert abs(f.params["b"] - 1.3) < 4 * f.standard_errors["b"]
    assert plain.noise["share"] == 0.0
    new = sj.bootstrap(f, 400).predict(x=np.zeros(200), kind="run", trials=n)
    sd = np.sqrt(f.predict(x=0.0) * (1 - f.predict(x=0.0)) / n * (1 + (n - 1) / (k + 1)))
    assert new.std() == pytest.approx(sd, rel=0.15)
    with pytest.raises(sj.FitError, match=r"pass trials=\.\.\."):
        sj.bootstrap(f, 20).predict(x=0.0, kind="run")


def test_outcomes_on_logits_between_floor_and_ceiling():
    x = np.linspace(-4, 4, 60)
    eta = 0.3 - 0.8 * x + 0.1 * np.random.default_rng(0).standard_normal(60)
    t = {"x": x, "share": 0.25 + 0.75 / (1 + np.exp(-eta))}
    f = sj.fit(guessing, t, on="logit", floor=0.25)
    slope, level = np.polyfit(x, eta, 1)
    assert f.params["a"] == pytest.approx(level, abs=1e-7) and f.params["b"] == pytest.approx(slope, abs=1e-7)
    new = sj.bootstrap(f, 100).predict(x=-4.0, kind="run")
    assert (new > 0.25).all() and (new < 1).all()
    with pytest.raises(sj.DataError, match=r"does not lie between the floor 0.3 and the ceiling 1"):
        sj.fit(guessing, t, on="logit", floor=0.3)
    with pytest.raises(sj.FitError, match="pass on='logit'"):
        sj.fit(guessing, t, on="linear", floor=0.25)


def test_counts_that_are_none():
    t = coins(0)
    with pytest.raises(sj.DataError, match="not a share of successes"):
        sj.fit(logistic, {**t, "share": t["share"] * 50}, loss=sj.binomial(trials="n"))
    with pytest.raises(sj.DataError, match=r"must hold whole numbers of trials, 1 or more; it does not in row 2"):
        sj.fit(logistic, {**t, "n": np.where(np.arange(40) == 2, 0.5, t["n"])}, loss=sj.binomial(trials="n"))
    with pytest.raises(sj.DataError, match="trials='m' names no column"):
        sj.fit(logistic, t, loss=sj.binomial(trials="m"))


def test_counts_in_a_chain(table):
    rng, n = np.random.default_rng(5), 200
    counted = {**table, "n": np.full(60, float(n))}
    p = sigmoid(sj.laws.chinchilla(table["N"], table["D"], **FIRST), **SECOND)
    counted["accuracy"] = np.where(np.arange(60) < 40, rng.binomial(n, p) / n, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.ConvergenceWarning)
        f = sj.fit(BOTH, counted, loss={"loss": sj.squared(), "accuracy": sj.binomial(trials="n")})
    for name, value in {**FIRST, **SECOND}.items():
        assert abs(f.params[name] - value) < 4 * f.standard_errors[name], name


@pytest.mark.slow
def test_overdispersed_counts_in_a_chain_and_many_tasks():
    """Three tasks of one law beside one loss: what they share is fitted once, and each has parameters of its own."""
    rng, t = np.random.default_rng(8), simulated(9, 60, 60)
    loss = sj.laws.chinchilla(t["N"], t["D"], **FIRST)
    own = {"a": {**SECOND, "x_0": 3.2}, "b": {**SECOND, "x_0": 3.0}, "c": {**SECOND, "x_0": 3.0, "L_0": 0.1}}
    table = {"N": t["N"], "D": t["D"], "loss": t["loss"], "n": np.full(60, 100.0)}
    for name, params in own.items():
        p = sigmoid(loss, **params)
        table[name] = rng.binomial(100, rng.beta(50 * p, 50 * (1 - p))) / 100 if name == "c" else p + 0.02 * rng.standard_normal(60)
    many = sj.chain(loss=sj.laws.chinchilla, a=sigmoid, b=sigmoid, c=sigmoid)
    assert many.output == "c" and many.parameters[5:7] == ("a_L_0", "a_r")
    losses = {"loss": sj.squared(), "a": sj.squared(), "b": sj.squared(), "c": sj.beta_binomial(trials="n")}
    f = sj.fit(many, table, loss=losses, on={"loss": "log", "a": "linear", "b": "linear"})
    for name, params in own.items():
        for p, truth in params.items():
            assert abs(f.params[f"{name}_{p}"] - truth) < 4 * f.standard_errors[f"{name}_{p}"], (name, p)
    y, p = table["c"], np.asarray(sigmoid(loss, **own["c"]))
    phi = optimize.brentq(lambda v: np.sum((y - p) ** 2 * 100 / (p * (1 - p) * (1 + 99 * v))) - 60, 0, 1)  # at the true probabilities
    assert f.noise["c"] == pytest.approx(phi, rel=0.15) and f.noise["a"] == pytest.approx(0.02, rel=0.4)
    with pytest.raises(sj.LawError, match=r"fix names 'x_0', which several stages have; say which: 'a_x_0' or 'b_x_0' or 'c_x_0'"):
        sj.fit(many, table, fix={"x_0": 2.8})


def test_plausible_ranges_of_stages_are_kept():
    def first(C, *, a, b):
        """Loss."""
        return a * C**-b

    stages = [sj.law(output="loss", a=sj.Positive(1.0, high), b=sj.Unit())(first) for high in (10.0, 20.0)]
    last = sj.law(output="accuracy", k=sj.Positive(0.1, 1.0))(lambda loss, *, k: 1 / (1 + k * loss))
    one, two = (sj.chain(loss=stage, accuracy=last) for stage in stages)
    assert one == two and one.function is two.function
    assert (one.domains["a"].high, two.domains["a"].high, two.of("loss").domains["a"].high) == (10.0, 20.0, 20.0)


# --- models and benchmarks

MODELS, BENCHMARKS, QUESTIONS = 8, 12, 1000


@sj.law(output="share", c=sj.Unit(), theta=sj.Real(-3, 3), d=sj.Real(-3, 3), k=sj.Positive(0.1, 5))
def item(c, *, theta, d, k):
    return c + (1 - c) * jax.nn.sigmoid(k * (theta - d))


@pytest.fixture(scope="module")
def answers():
    """Right answers of every model on every benchmark, with the abilities, difficulties and slopes that they came from."""
    rng = np.random.default_rng(0)
    truth = {"theta": rng.normal(0, 1, MODELS), "d": rng.normal(0, 1, BENCHMARKS), "k": rng.uniform(0.5, 1.5, BENCHMARKS)}
    truth["theta"] -= truth["theta"][0]
    m, b = (a.ravel() for a in np.meshgrid(np.arange(MODELS), np.arange(BENCHMARKS), indexing="ij"))
    p = 0.25 + 0.75 / (1 + np.exp(-truth["k"][b] * (truth["theta"][m] - truth["d"][b])))
    share = rng.binomial(QUESTIONS, p) / QUESTIONS
    return {"c": np.full(len(m), 0.25), "n": np.full(len(m), QUESTIONS), "share": share, "model": np.char.add("m", m.astype(str)),
            "benchmark": np.char.add("b", b.astype(str))}, truth, m, b  # fmt: skip


ALONG = {"theta": "model", "d": "benchmark", "k": "benchmark"}


@pytest.mark.parametrize("loss", [sj.binomial("n"), sj.beta_binomial("n")])
def test_counts_of_models_and_benchmarks_cross(answers, loss, tmp_path):
    """The anchored model of item responses is the one that scipy finds by maximum likelihood."""
    table, truth, m, b = answers
    k_0 = float(truth["k"][0])
    f = sj.fit(item, table, loss=loss, by=ALONG, fix={"theta": {"m0": 0.0}, "k": {"b0": k_0}})

    def minus_log_likelihood(free):
        theta, d, k = np.split(free, [MODELS - 1, MODELS - 1 + BENCHMARKS])
        theta, k = np.concatenate([[0.0], theta]), np.concatenate([[k_0], np.exp(k)])
        p = 0.25 + 0.75 / (1 + np.exp(-k[b] * (theta[m] - d[b])))
        return -QUESTIONS * np.sum(table["share"] * np.log(p) + (1 - table["share"]) * np.log1p(-p))

    best = optimize.minimize(minus_log_likelihood, np.concatenate([truth["theta"][1:], truth["d"], np.log(truth["k"][1:])]))
    ours = np.concatenate([f.params["theta"][1:], f.params["d"], np.log(f.params["k"][1:])])
    assert f.params["theta"][0] == 0 and f.params["k"][0] == k_0 and f.noise["share"] == 0
    assert minus_log_likelihood(ours) <= best.fun + 1e-9 * abs(best.fun)
    np.testing.assert_allclose(ours, best.x, atol=1e-3)
    for name in ("theta", "d"):
        low, high = f.interval(0.9)[name]
        assert np.isfinite([low, high]).all() and np.mean((low <= truth[name]) & (truth[name] <= high)) >= 0.75
    f.save(tmp_path / "f.json")
    again = sj.load_fit(tmp_path / "f.json", law=item)
    where = {"model": "m3", "benchmark": "b4"}
    assert again.request.asked_fix == f.request.asked_fix and again.predict(c=0.25, group=where) == f.predict(c=0.25, group=where)
    low, high = sj.bootstrap(again, 60, progress=False).interval(0.9)["theta"]
    assert low[0] == high[0] == 0 and (low[1:] < high[1:]).all()


def test_counts_that_are_binomial_do_not_cluster(answers):
    """A parameter of every benchmark follows its level: what little is left must not pass for what the parameters cannot follow."""
    table, truth, m, b = answers
    p = item(0.25, theta=truth["theta"][m], d=truth["d"][b], k=truth["k"][b])
    for seed in range(4):
        drawn = {**table, "share": np.random.default_rng(seed).binomial(QUESTIONS, p) / QUESTIONS}
        f = sj.fit(item, drawn, loss=sj.binomial("n"), by=ALONG, fix={"theta": {"m0": 0.0}, "k": {"b0": float(truth["k"][0])}})
        assert not any(cluster.flagged for cluster in f.diagnosis.clusters)


def test_a_factor_that_moves_between_models_and_benchmarks_is_said(answers):
    """Without an anchor abilities and slopes share a factor; which of them is flat, rounding must not decide between numbers and errors."""
    table = answers[0]
    for seed in range(3):
        drawn = {
            **table,
            "share": np.clip(table["share"] + 0.01 * np.random.default_rng(seed).standard_normal(len(table["share"])), 0.26, 1),
        }
        for loss in (sj.squared(), sj.huber(1e-3)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                f = sj.fit(item, drawn, loss=loss, by=ALONG, fix={"theta": {"m0": 0.0}}, unidentified="warn")
            assert not (np.diagonal(f.curvature[0].model_covariance) < 0).any()


def test_groups_that_are_not_there(answers):
    table = answers[0]
    for options, error, words in (
        ({"by": {"Q": "model"}}, sj.LawError, "'Q', which is not a parameter"),
        ({"by": {"d": "nope", "theta": "model"}}, sj.DataError, "no column 'nope', named by by="),
        ({"by": ALONG, "fix": {"theta": {"m9": 0.0}}}, sj.LawError, "'m9', which is not a group"),
        ({"fix": {"theta": {"m0": 0.0}}}, sj.LawError, "does not differ between groups"),
        ({"by": ALONG, "fix": {"theta": 0.0}}, sj.FitError, "'theta', which is fixed"),
    ):
        with pytest.raises(error, match=words):
            sj.fit(item, table, loss=sj.binomial("n"), **options)


def test_counts_are_told_in_shares(answers):
    """Observed and fitted outputs are shares; R2 of every group is that of deviance residuals about the mean share."""
    table, _, m, _ = answers
    f = sj.fit(item, table, loss=sj.binomial("n"), by=ALONG, fix={"theta": {"m0": 0.0}, "k": {"b0": 0.7}})
    np.testing.assert_array_equal(f.observed, table["share"])
    np.testing.assert_allclose(f.misses, np.abs(table["share"] - f.fitted), rtol=1e-12)
    assert f.misses.max() < 0.1 and f.usual_trials == QUESTIONS and "deviance of the counts behind share" in f.minimised

    def residual(y, p):
        return np.sign(y - p) * np.sqrt(2 * QUESTIONS * (y * np.log(y / p) + (1 - y) * np.log((1 - y) / (1 - p))))

    about = residual(table["share"], np.mean(table["share"]))
    np.testing.assert_allclose(f.residuals, residual(table["share"], f.fitted), atol=1e-6)
    for described in f.diagnosis.groups[:MODELS]:
        here = m == int(described.name.removeprefix("model m"))
        r_squared = 1 - np.sum(f.residuals[here] ** 2) / np.sum((about[here] - about[here].mean()) ** 2)
        assert described.r_squared == pytest.approx(r_squared, abs=1e-6)


def test_counts_that_the_law_says_nothing_of_are_not_green():
    rng = np.random.default_rng(0)
    f = sj.fit(logistic, {"x": rng.uniform(-3, 3, 60), "n": np.full(60, 500), "share": rng.uniform(0.2, 0.8, 60)}, loss=sj.binomial("n"))
    assert not f.verdict.good and any(remark.code == "baseline" for remark in f.remarks)


@pytest.mark.parametrize("kind", ["counts", "logits", "chain"])
def test_a_fit_can_be_asked_again(answers, table, kind):
    if kind == "chain":
        f = sj.fit(BOTH, table, on=ON, fix={"r": 0.8}, noise={"accuracy": 0.02})
    else:
        how = {"loss": sj.binomial("n")} if kind == "counts" else {"on": "logit", "floor": 0.2}
        f = sj.fit(item, answers[0], by=ALONG, fix={"theta": {"m0": 0.0}, "k": {"b0": 0.7}}, **how)
    again = sj.fit(f.chain if kind == "chain" else item, table if kind == "chain" else answers[0], **f.asked_again)
    assert again.asked_again == f.asked_again and again.noise == f.noise
    for name, value in f.params.items():
        np.testing.assert_array_equal(again.params[name], value)


@sj.law(output="accuracy", k=sj.Positive(0.5, 50), m=sj.Positive(0.5, 5))
def task(nll, *, k, m):
    """A quarter by chance, all at low losses."""
    return 0.25 + 0.75 * jax.nn.sigmoid(-k * (nll - m))


@pytest.mark.filterwarnings("ignore::scalejax.core.errors.ConvergenceWarning")  # laws that say nothing run away
@pytest.mark.filterwarnings("ignore::scalejax.core.errors.IdentifiabilityWarning")
@pytest.mark.parametrize(("rows", "n"), [(300, 1), (40, 10), (12, 200)])
def test_counts_are_judged_by_what_the_right_law_could_reach(rows, n):
    """R² of the right law is 0.1 where every row is one answer; laws that say nothing of as few answers stay poor."""
    g = np.random.default_rng(0)
    x = g.uniform(2, 3, rows)
    right = 0.25 + 0.75 / (1 + np.exp(4 * (x - 2.5)))
    for p, level in ((right, "good"), (np.full(rows, 0.6), "poor"), (1.25 - right, "poor")):
        table = {"nll": x, "accuracy": g.binomial(n, p) / n, "n": np.full(rows, float(n))}
        fit = sj.fit(task, table, loss=sj.binomial("n"), unidentified="warn")
        assert fit.verdict.level == level, (level, fit.verdict)
        assert not any(word in str(fit) for word in ("residual target", "observed share", "stage index"))
        assert n < 100 or p[0] != 1.25 - right[0] or "the law can only fall with nll, and accuracy rises" in str(fit)


@pytest.mark.parametrize(("n", "p"), [(1, 0.02), (7, 0.5), (300, 0.004), (100_000, 0.0001), (5000, 0.4)])
def test_moments_of_deviances_of_counts(n, p):
    from scipy.stats import binom

    from scalejax.fitting.objective.counts import deviance_moments, deviance_residual

    k = np.arange(min(n, 4000) + 1)
    mass, deviance = binom.pmf(k, n, p), np.asarray(deviance_residual(k / n, n, p)) ** 2
    mean = mass @ deviance
    found = deviance_moments(np.asarray([float(n)]), np.asarray([p]))
    np.testing.assert_allclose(np.ravel(found), [mean, mass @ deviance**2 - mean**2], rtol=1e-6 if n * p < 49 else 0.01)
