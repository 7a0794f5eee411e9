"""Procedures that study fits: multiverse, checklist, audit, noise, backtest, frontiers and comparisons of recipes."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import scalejax as sj
from scalejax import papers, studies
from scalejax.core.numeric.statistics import akima

CHINCHILLA = sj.laws.chinchilla
TRUE = dict(CHINCHILLA.published["hoffmann2022"])
BUDGETS = 1.25e16 * 2.0 ** np.arange(12)  # Porian et al. 2024


def optimum(C: np.ndarray) -> np.ndarray:
    """Compute-optimal parameters in closed form."""
    total = TRUE["alpha"] + TRUE["beta"]
    G = (TRUE["alpha"] * TRUE["A"] / (TRUE["beta"] * TRUE["B"])) ** (1 / total)
    return G * (C / 6) ** (TRUE["beta"] / total)


def isoflop_runs(noise: float, seed: int = 0, width: float = 1.6) -> sj.Runs:
    """Runs on a grid of sizes around the optimum of twelve budgets, with normal noise of the loss."""
    C, N = (a.ravel() for a in np.meshgrid(BUDGETS, np.geomspace(4e6, 2e9, 18), indexing="ij"))
    near = np.abs(np.log(N / optimum(C))) < width
    runs = sj.simulate(CHINCHILLA, TRUE, N=N[near], D=(C / (6 * N))[near])
    extra = noise * np.random.default_rng(seed).standard_normal(len(runs))
    return runs.with_columns(C=C[near], loss=runs["loss"] + extra)


# Interpolation


@pytest.mark.parametrize("n", [3, 4, 5, 11])
def test_akima_is_that_of_scipy(n):
    from scipy.interpolate import Akima1DInterpolator

    rng = np.random.default_rng(n)
    x, y = np.sort(rng.normal(size=n)), rng.normal(size=(6, n))
    y[0] = 1.0  # flat
    y[1, : n // 2] = 2.0  # flat in part
    at = np.linspace(x[0], x[-1], 77)
    np.testing.assert_allclose(akima(x, y, at), [Akima1DInterpolator(x, row)(at) for row in y], atol=1e-12)


# noise_isoflop


@pytest.mark.parametrize("weighted", [True, False])
def test_noise_isoflop_finds_the_exponent_within_its_interval(weighted):
    found = studies.noise_isoflop(isoflop_runs(0.003, seed=1), noise=0.003, replicates=300, weighted=weighted)
    low, high = found.interval(0.99)["a"]
    assert low < TRUE["beta"] / (TRUE["alpha"] + TRUE["beta"]) < high
    assert high - low < 0.15
    assert found.used.all() and found.r_squared > 0.98
    assert found.a + found.b == pytest.approx(1.0, abs=1e-9)  # D = C / (6 N)
    np.testing.assert_allclose(6 * found.N * found.D, found.compute, rtol=1e-9)


def test_more_noise_means_wider_intervals_and_fewer_replicates():
    runs = isoflop_runs(0.0)
    quiet, loud = (studies.noise_isoflop(runs, noise=sd, replicates=200) for sd in (0.002, 0.05))
    assert np.ptp(loud.draws["a"]) > np.ptp(quiet.draws["a"])
    assert loud.kept.mean() < quiet.kept.mean() and loud.sd[loud.used].mean() > quiet.sd.mean()


def test_noise_between_seeds_is_log_linear_in_the_loss():
    runs = isoflop_runs(0.0)
    (low, sd_low), (high, sd_high) = studies.SEED_NOISE["refinedweb"]
    slope = np.log(sd_high / sd_low) / np.log(high / low)
    named = studies.noise_isoflop(runs, replicates=50)
    same = studies.noise_isoflop(runs, noise=lambda loss: sd_low * np.clip(loss / low, 1.0, high / low) ** slope, replicates=50)
    np.testing.assert_allclose(named.draws["a"], same.draws["a"], rtol=1e-9)


def test_a_budget_whose_minimum_lies_at_the_edge_is_rejected_with_the_reason():
    runs = isoflop_runs(0.0)
    cut = runs.where((runs["C"] > BUDGETS[0] * 1.5) | (runs["N"] > 1.2 * optimum(BUDGETS[0])))
    found = studies.noise_isoflop(cut, noise=0.001, replicates=100)
    assert not found.used[0] and found.used[1:].all()
    assert "edge" in found.reasons[0] and "edge" in repr(found)
    assert np.isnan(found.N[0]) and found.kept[0] < 0.5


def test_the_lowest_loss_of_equal_sizes_counts():
    runs = isoflop_runs(0.0)
    worse = {name: np.concatenate([runs[name], runs[name]]) for name in ("N", "D", "C")}
    doubled = sj.read_runs({**worse, "loss": np.concatenate([runs["loss"] + 0.1, runs["loss"]])})
    one, other = (studies.noise_isoflop(r, noise=0.002, replicates=50).a for r in (runs, doubled))
    assert one == pytest.approx(other, abs=1e-12)


def test_bad_input_of_noise_isoflop():
    runs = isoflop_runs(0.0)
    with pytest.raises(sj.DataError, match="did you mean 'refinedweb'"):
        studies.noise_isoflop(runs, noise="refineweb")
    with pytest.raises(sj.DataError, match="positive"):
        studies.noise_isoflop(runs, noise=0.0)
    with pytest.raises(sj.FitError, match="Fewer than two budgets"):
        studies.noise_isoflop(runs.where(runs["C"] == BUDGETS[3]), noise=0.002, replicates=50)


def test_curves_at_budgets_are_the_law_at_budgets():
    D = np.geomspace(1e8, 1e11, 400)
    N = np.asarray([1e8, 3e8, 1e9])
    loss = CHINCHILLA(N[:, None], D[None, :], **TRUE)
    runs = sj.read_runs({"N": N, "D": [D] * 3, "loss": list(loss)})
    found = studies.at_budgets(runs, [1e18, 1e19])
    assert len(found) == 6
    np.testing.assert_allclose(found["loss"], CHINCHILLA(found["N"], found["D"], **TRUE), rtol=1e-4)
    np.testing.assert_allclose(6 * found["N"] * found["D"], found["C"])
    with pytest.raises(sj.DataError, match="No curve"):
        studies.at_budgets(runs, [1e30])
    with pytest.raises(sj.DataError, match="curves"):
        studies.at_budgets(found, [1e18])


def test_more_budgets_cost_more_and_narrow_the_prediction():
    rows = studies.accuracy_by_budget(isoflop_runs(0.003), 5.76e23, noise=0.003, replicates=200).rows
    assert len(rows) == 10
    cost = [float(row[1]) for row in rows]
    assert cost == sorted(cost)
    first, last = (float(row[5]) / float(row[4]) for row in (rows[0], rows[-1]))
    assert last < first


# audit: an optimiser that never left its start

START = {"A": np.exp(5.0), "E": 1.0, "alpha": 0.1}  # the constants that the cached weighted fits of Porian et al. show


@pytest.fixture(scope="module")
def frontier() -> tuple[sj.Runs, np.ndarray]:
    """Losses at budgets of 1e16 to 5e17 FLOPs and their standard deviations."""
    C = np.geomspace(1.25e16, 4e17, 6)
    runs = sj.simulate(sj.laws.power_law, {"A": 128.9, "E": 2.006, "alpha": 0.106}, x=C, noise=0.001)
    return runs, np.full(6, 1e-3)


def test_scipy_falls_into_the_trap_of_inverse_variances(frontier):
    """1 / sd^2 where a standard deviation is meant makes all residuals tiny, and absolute tolerances call the start converged."""
    from scipy.optimize import curve_fit

    runs, sd = frontier

    def log_loss(C, a, e, alpha):
        return np.logaddexp(a - alpha * np.log(C), e)

    start = [np.log(START["A"]), np.log(START["E"]), START["alpha"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the covariance
        found, _ = curve_fit(log_loss, runs["x"], np.log(runs["loss"]), p0=start, sigma=1 / sd**2, method="trf", ftol=1e-6, xtol=1e-6)
    np.testing.assert_allclose(found, start, rtol=1e-6)


def test_audit_says_that_such_a_fit_did_not_move(frontier):
    runs, sd = frontier
    found = sj.audit(sj.laws.power_law, runs, START, start=START, loss=sj.squared(), weights=sd**4)
    assert found.status.value == "did not move" and not found.status.usable
    assert found.best < 1e-3 * found.objective
    assert "did not move" in repr(found)
    at_best = sj.audit(sj.laws.power_law, runs, found.fit.params, start=START, loss=sj.squared(), weights=sd**4)
    assert at_best.status.value == "converged"
    elsewhere = sj.audit(sj.laws.power_law, runs, {**START, "E": 1.5}, start=START, loss=sj.squared(), weights=sd**4)
    assert elsewhere.status.value == "max iterations"
    with pytest.raises(sj.LawError):
        sj.audit(sj.laws.power_law, runs, {"A": 1.0})


def test_audit_of_what_is_held():
    law, true = sj.laws.power_law, {"E": 2.0, "A": 130.0, "alpha": 0.106}
    runs = sj.simulate(law, true, x=np.geomspace(1e16, 5e17, 8), noise=0.001)
    best = sj.fit(law, runs, fix={"E": 2.0})
    found = sj.audit(law, runs, best.params, fix={"E": 2.0})
    assert found.status.value == "converged" and found.objective == pytest.approx(best.objective, rel=1e-9)
    assert sj.audit(law, runs, {**best.params, "A": 120.0}, fix={"E": 2.0}).status.value == "max iterations"
    sweep = isoflop_runs(0.01)
    tied = sj.audit(CHINCHILLA, sweep, {**TRUE, "beta": TRUE["alpha"]}, tie={"beta": "alpha"}, loss=sj.squared())
    off = np.log(sweep["loss"]) - np.log(CHINCHILLA(sweep["N"], sweep["D"], **{**TRUE, "beta": TRUE["alpha"]}))
    assert tied.objective == pytest.approx(0.5 * np.sum(off**2), rel=1e-9) and tied.best < tied.objective
    with pytest.raises(sj.FitError, match=r"for each group's runs, such as runs\.where"):
        sj.audit(law, runs.with_columns(g="a"), true, by="g")


def test_audit_of_curves():
    law, true = sj.laws.lr_annealing, {"L0": 2.6, "A": 0.5, "alpha": 0.5, "C": 0.5}
    t = [np.arange(150, 2000, 50), np.arange(150, 1000, 50)]
    table = {f"run {i}": {"step": s, "loss": law(sj.schedules.cosine(2000, 1e-3), s, 0.0, **true)} for i, s in enumerate(t)}
    curves = sj.read_curves(table, schedules=lambda name: sj.schedules.cosine(2000, 1e-3))
    found = sj.audit(law, curves, true, loss=sj.squared())
    assert found.status.value == "converged" or found.objective < 1e-20
    moved = sj.audit(law, curves, {**true, "L0": 2.5}, loss=sj.squared(), start={**true, "L0": 2.5})
    assert moved.status.value == "did not move"
    off = [np.log(c["loss"] / (c["loss"] - 0.1)) for c in table.values()]
    assert moved.objective == pytest.approx(sum(0.5 * np.sum(r**2) for r in off), rel=1e-6)


def test_our_fit_moves_whatever_the_scale_of_the_weights(frontier):
    runs, sd = frontier
    tiny, plain = (sj.fit("power_law", runs, loss=sj.squared(), weights=w, starts=[START], unidentified="warn") for w in (sd**4, None))
    assert tiny.status.usable
    np.testing.assert_allclose(tiny.fitted, plain.fitted, rtol=1e-6)


# multiverse and checklist


@pytest.fixture(scope="module")
def study() -> sj.Multiverse:
    data = {"all": None, "large": lambda r: r["C"] > 1e17, "too few": lambda r: r["C"] < 1.3e16}
    laws = {"free": "chinchilla", "isoFLOP": sj.isoflop}
    return sj.multiverse(isoflop_runs(0.004), laws, compute=[1e21, 1e24], data=data, starts={"few": 64})


def test_the_multiverse_holds_every_combination(study):
    assert [(v.law, v.data) for v in study.variants] == [(law, data) for law in ("free", "isoFLOP") for data in ("all", "large", "too few")]
    line = next(v for v in study.variants if (v.law, v.data) == ("isoFLOP", "all"))
    np.testing.assert_allclose(line.N, sj.isoflop(isoflop_runs(0.004)).allocate(study.compute)[0])
    free = next(v for v in study.variants if (v.law, v.data) == ("free", "all"))
    np.testing.assert_allclose(free.N, optimum(study.compute), rtol=0.3)


@pytest.mark.slow
def test_variants_are_what_single_fits_give():
    runs, tie = isoflop_runs(0.004), {"beta": "alpha"}
    laws, losses = {"tied": {"law": "chinchilla", "tie": tie}}, {"Huber": sj.huber(1e-3), "squares": (sj.squared(), "linear")}
    found = sj.multiverse(runs, laws, compute=[1e21, 1e24], losses=losses, solvers={"lm": "lm", "varpro": "varpro"}, starts={"few": 64})
    assert len(found.variants) == 4 and set(found.influence()) == {"loss", "solver"}
    for v in found.variants:
        loss, on = (sj.squared(), "linear") if v.loss == "squares" else (sj.huber(1e-3), "log")
        alone = sj.fit("chinchilla", runs, starts=64, loss=loss, on=on, tie=tie)
        assert v.objective == pytest.approx(alone.objective, rel=1e-6)
        np.testing.assert_allclose(v.N, sj.allocate((alone.law, alone.params), compute=found.compute).N, rtol=1e-3)
        np.testing.assert_allclose(v.D / v.N, (v.D / v.N)[0], rtol=1e-6)  # alpha = beta


def test_a_variant_without_an_answer_says_why(study):
    bad = [v for v in study.variants if v.law == "isoFLOP" and v.data == "too few"]
    assert "Fewer than two budgets" in bad[0].status and np.isnan(bad[0].N).all() and not bad[0].usable
    assert "Fewer than two budgets" in repr(study)


def test_the_multiverse_says_which_choice_moves_the_answer(study):
    answers = [v for v in study.variants if np.isfinite(v.N).all()]
    by_hand = [np.ptp([np.log(v.N[-1]) for v in answers if v.data == name]) for name in ("all", "large")]  # "too few" has one answer
    assert study.influence()["law"] == pytest.approx(np.exp(np.mean(by_hand)))
    assert set(study.influence()) == {"law", "data"}
    assert study.decisive == max(study.influence(), key=study.influence().get)
    N = np.stack([v.N for v in answers])
    np.testing.assert_allclose(study.spread(), N.max(axis=0) / N.min(axis=0))
    assert (study.spread(usable_only=True) <= study.spread()).all()


def test_bad_input_of_the_multiverse():
    with pytest.raises(sj.FitError, match="laws="):
        sj.multiverse(isoflop_runs(0.0), {}, compute=1e21)
    with pytest.raises(sj.FitError, match="losses="):
        sj.multiverse(isoflop_runs(0.0), {"a": "chinchilla"}, compute=1e21, losses=sj.huber())


def test_the_checklist_is_plain_data_and_names_what_is_missing(fitted):
    found = sj.checklist(fitted, available="simulated", hyperparameters="none")
    assert {"architecture", "training_data", "validation"} <= set(found.missing)
    assert not {"available", "form", "estimates", "objective", "runs"} & set(found.missing)
    again = json.loads(json.dumps(found.to_dict()))
    assert again["fitting"]["estimates"]["answer"].startswith(f"E = {fitted.params['E']:.10g}")
    assert again["data"]["available"]["answer"] == "simulated"
    assert "not stated" in repr(found)
    with pytest.raises(sj.FitError, match="did you mean 'architecture'"):
        sj.checklist(fitted, architectures="dense")


# checkpoint_backtest


@pytest.fixture(scope="module")
def checkpoints() -> sj.Runs:
    N, D = (a.ravel() for a in np.meshgrid([1e8, 3e8, 1e9, 3e9, 1e10], np.geomspace(1e9, 3e11, 16)))
    runs = sj.simulate(CHINCHILLA, TRUE, N=N, D=D, noise=0.002)
    return runs.with_columns(loss=runs["loss"] * np.where(D < 1e10, 1.2, 1.0))  # the beginning of a training follows no law


def test_a_backtest_counts_models_checkpoints_and_cost(checkpoints):
    found = sj.papers.checkpoint_backtest(checkpoints, models=(3, 4), shares=(0.5, 1.0))
    assert [(t.models, t.largest, t.share) for t in found.trials] == [
        (3, 1e9, 0.5), (3, 1e9, 1.0), (3, 3e9, 0.5), (3, 3e9, 1.0), (4, 3e9, 0.5), (4, 3e9, 1.0)
    ]  # fmt: skip
    assert found.target == 1e10 and found.tested == 1
    assert found.trials[1].cost == pytest.approx(6 * 3e11 * (1e8 + 3e8 + 1e9))
    assert (found.are < 0.02).all()
    early = sj.papers.checkpoint_backtest(checkpoints, models=(3, 4), shares=(0.5, 1.0), drop=1e8)
    assert found.are.mean() < early.are.mean()  # dropping the first tokens helps
    assert found.best(cost=0.9 * found.trials[3].cost).cost < found.trials[3].cost
    with pytest.raises(sj.FitError, match="No trial"):
        found.best(cost=1.0)


@pytest.mark.slow
def test_one_model_will_do_with_borrowed_exponents(checkpoints):
    borrowed = sj.papers.checkpoint_backtest(checkpoints, models=1, fix={"A": TRUE["A"], "alpha": TRUE["alpha"]})
    assert (borrowed.are < 0.05).all()
    assert {t.status for t in borrowed.trials} <= {"converged", "at boundary"}


def test_a_trial_with_too_few_checkpoints_says_so(checkpoints):
    few = sj.papers.checkpoint_backtest(checkpoints, models=1, shares=0.05)
    assert {t.status for t in few.trials} == {"too few checkpoints"} and np.isnan(few.are).all()
    assert "too few checkpoints" in repr(few)


def test_bad_input_of_the_backtest(checkpoints):
    with pytest.raises(sj.DataError, match="drop="):
        sj.papers.checkpoint_backtest(checkpoints, drop=1e15)
    with pytest.raises(sj.DataError, match="4 models smaller"):
        sj.papers.checkpoint_backtest(checkpoints, models=7)


def test_low_rank_laws_are_chinchilla_with_their_parameters():
    N, D = np.geomspace(1e7, 1e11, 5), np.geomspace(1e9, 1e12, 5)
    A, B = 500.0, 1500.0
    held = {"alpha": 0.0116280 + 0.05004588 * np.log(A), "beta": 0.23710262 + 0.03844353 * np.log(B)}
    two = sj.laws.chinchilla_two_factor(N, D, E=1.7, A=A, B=B)
    np.testing.assert_allclose(two, CHINCHILLA(N, D, E=1.7, A=A, B=B, **held), rtol=1e-12)
    z = {"z_1": 4.6, "z_2": 5.6, "z_3": 6.4}
    # The directions are of unit length and orthogonal: log E, log A and log B can be read off by unit steps.
    base = sj.laws.chinchilla_pca(N, D, **z)
    a = -0.10173792 * 4.6 + 0.07297588 * 5.6 + 0.99063847 * 6.4
    b = 0.64745976 * 4.6 + 0.76113056 * 5.6 + 0.0113744 * 6.4
    e = 0.75459505 * 4.6 - 0.64410298 * 5.6 + 0.12517598 * 6.4
    alpha = -0.00767472 * 4.6 + 0.00285629 * 5.6 + 0.04886348 * 6.4
    beta = 0.03118762 * 4.6 + 0.02186262 * 5.6 - 0.02119861 * 6.4
    np.testing.assert_allclose(base, CHINCHILLA(N, D, E=np.exp(e), A=np.exp(a), B=np.exp(b), alpha=alpha, beta=beta), rtol=1e-12)


# Frontiers and recipes


def test_offset_power_law_and_its_named_forms():
    C, law = np.geomspace(1e6, 1e12, 13), sj.laws.offset_power_law
    simple = law.bind(B=0.0, E_inf=0.0)
    assert simple.parameters == ("A", "c") and law.bind(E_inf=0.0).parameters == ("A", "B", "c")
    np.testing.assert_allclose(simple(C, A=5.858, c=0.111), sj.laws.openclip(C, beta=5.858, alpha=0.111), rtol=1e-14)
    np.testing.assert_allclose(law(C, A=50.0, B=0.0, c=0.3, E_inf=0.1), sj.laws.power_law(C, E=0.1, A=50.0, alpha=0.3), rtol=1e-13)
    flat = law(1e-3, A=50.0, B=1e6, c=0.3, E_inf=0.1)
    assert flat == pytest.approx(50.0 * 1e6**-0.3 + 0.1, rel=1e-8)


def test_pareto_bins_keep_the_best_run_of_every_bin():
    rng = np.random.default_rng(0)
    C = 10 ** rng.uniform(8, 12, 200)
    error = 5.0 * C**-0.12 * (1 + rng.exponential(0.2, 200))
    runs = sj.read_runs({"C": C, "error": error, "N": C**0.5})
    found = studies.pareto_bins(runs, bins=6, at="run")
    edges = np.linspace(np.log10(C.min()), np.log10(C.max()) + 0.1, 7)
    for i in range(6):
        inside = (np.log10(C) >= edges[i]) & (np.log10(C) < edges[i + 1])
        assert found["error"][i] == error[inside].min() and found["bin_runs"][i] == inside.sum()
    np.testing.assert_allclose(found["N"], found["C"] ** 0.5)
    centers = studies.pareto_bins(runs, bins=6)["C"]
    np.testing.assert_allclose(np.log10(centers), 0.5 * (edges[1:] + edges[:-1]))


def test_bad_input_of_pareto_bins():
    runs = sj.read_runs({"C": [1e9, 1e10], "error": [0.5, 0.4]})
    for options in ({"bins": 0}, {"pad": -1.0}, {"at": "middle"}):
        with pytest.raises(sj.DataError, match="bins="):
            studies.pareto_bins(runs, **options)


@pytest.mark.slow
def test_recipes_are_compared_with_intervals_and_a_gate():
    law, C = sj.laws.openclip, np.geomspace(1e9, 1e12, 12)
    true = {"slow": {"beta": 2.0, "alpha": 0.07}, "steep": {"beta": 16.0, "alpha": 0.16}}
    runs = {name: sj.simulate(law, p, C=C, noise=0.01, seed=i) for i, (name, p) in enumerate(true.items())}
    fits = [sj.fit(law, r, loss=sj.squared(), starts=64) for r in runs.values()]
    held = tuple(sj.simulate(law, p, C=np.geomspace(1e12, 1e13, 4), noise=0.01, seed=9) for p in true.values())
    found = sj.compare_recipes(*fits, (1e9, 1e13), names=("slow", "steep"), held=held, gate=0.02)
    crossing = (16.0 / 2.0) ** (1 / 0.09)
    low, high = found.crossing.interval(0.99)["C"]
    assert low[0] < crossing < high[0]
    assert found.better[0] == "slow" and found.better[-1] == "steep" and found.admitted
    assert (found.low <= found.difference).all() and (found.difference <= found.high).all()
    assert "steep" in found.verdict and "held-out" in repr(found)
    widths = [np.diff(np.log(sj.laplace(f, 1000).predict_interval(0.95, C=found.compute[-1:])), axis=0)[0, 0] for f in fits]
    values = [found.first[-1], found.second[-1]]
    independent = np.hypot(widths[0] * values[0], widths[1] * values[1])  # the two fits share no runs
    assert found.high[-1] - found.low[-1] == pytest.approx(independent, rel=0.15)
    refused = sj.compare_recipes(*fits, (1e9, 1e13), held=held, gate=1e-6)
    assert not refused.admitted and "too badly" in refused.verdict


def test_bare_parameters_are_compared_without_intervals():
    law = sj.laws.openclip
    sides = [(law, {"beta": 2.0, "alpha": 0.07}), (law, {"beta": 16.0, "alpha": 0.16})]
    found = sj.compare_recipes(*sides, (1e9, 1e13), names=("slow", "steep"))
    assert found.crossing.values[0] == pytest.approx((16.0 / 2.0) ** (1 / 0.09))
    assert found.better[0] == "slow" and found.better[-1] == "steep" and np.isnan(found.low).all()


def test_bad_input_of_compare_recipes():
    law = sj.laws.openclip
    good, other = (law, law.published["coco_wit"]), (sj.laws.power_law, {"E": 1.0, "A": 1.0, "alpha": 0.1})
    with pytest.raises(sj.DecisionError, match="different inputs"):
        sj.compare_recipes(good, other, (1e9, 1e12))
    with pytest.raises(sj.DecisionError, match="rise"):
        sj.compare_recipes(good, good, (1e12, 1e9))
    with pytest.raises(sj.DecisionError, match="one input"):
        sj.compare_recipes((CHINCHILLA, TRUE), good, (1e9, 1e12))


# Discontinuity


def test_a_log_linear_task_scores_nothing_and_shares_count():
    N = np.asarray([1e8, 8e9, 62e9, 540e9])
    line = 10.0 + 3.0 * np.log(N)
    jump = np.asarray([0.0, 0.0, 0.0, 30.0])
    found = papers.discontinuity(N, np.stack([line, line + jump, line + jump / 2]))
    np.testing.assert_allclose(found.score, [0.0, 30.0, 15.0], atol=1e-10)
    assert found.share(10) == pytest.approx(2 / 3) and found.share(20) == pytest.approx(1 / 3)
    assert np.isnan(found.chance_share(10))


def test_noise_of_the_questions_explains_some_discontinuities():
    rng, N, questions = np.random.default_rng(0), [8e9, 62e9, 540e9], 60
    accuracy = rng.binomial(questions, [0.4, 0.45, 0.5], (4000, 3)) / questions
    found = papers.discontinuity(N, accuracy, questions=questions)
    assert found.error.mean() == pytest.approx(found.score.std(), rel=0.05)
    assert found.chance_share(0.1) == pytest.approx(found.share(0.1), abs=0.03)


def test_bad_input_of_discontinuity():
    for N, accuracy in (([1e9, 1e10], [1.0, 2.0]), ([1e9, 1e10, 1e9], [1.0, 2.0, 3.0]), ([1e9, 1e10, 1e11], [[1.0, 2.0]])):
        with pytest.raises(sj.DataError):
            papers.discontinuity(N, accuracy)
    with pytest.raises(sj.DataError, match="questions"):
        papers.discontinuity([1e9, 1e10, 1e11], [0.1, 0.2, 0.3], questions=0)


# An inference budget: smaller models, more steps


def test_the_best_size_for_a_sampling_budget_rises_with_it():
    """Mei et al. 2024, arXiv:2404.01367: at a small budget a small model with many steps wins."""

    @sj.law(output="fid", a=sj.Positive(1, 100), b=sj.Positive(1, 1000), N=sj.Positive(1e7, 1e10), S=sj.Positive(1, 1000))
    def fid(N, S, *, a, b):
        """FID = a (N/1e8)^-0.3 + b / S"""
        return a * (N / 1e8) ** -0.3 + b / S

    sizes = [3.9e7, 1.8e8, 8.7e8, 5e9]
    plan = sj.allocate(
        (fid, {"a": 20.0, "b": 40.0}), compute=[1e9, 1e10, 1e12], cost=lambda N, S: N * S, choices={"N": sizes}, bounds={"S": (1.0, 1000.0)}
    )
    assert plan.N.tolist() == sorted(plan.N.tolist()) and plan.N[0] < plan.N[-1]
    for budget, chosen, least in zip([1e9, 1e10, 1e12], plan.N, plan.loss, strict=True):
        values = [float(fid(n, budget / n, a=20.0, b=40.0)) for n in sizes if budget / n >= 1]
        assert least <= min(values) * (1 + 1e-9) and chosen in sizes
