"""What every fit says against itself: residuals that cluster, outliers and leverage, groups and baseline, the verdict."""

from __future__ import annotations

import numpy as np
import pytest

import scalejax as sj
from scalejax.fitting.diagnosis.clusters import clusters

law = sj.laws.chinchilla
TRUE = law.published["besiroglu2024"]


def grid(sizes: int, tokens: int, copies: int = 1) -> dict[str, np.ndarray]:
    """A full grid of N and D with its loss, `copies` times one after the other."""
    N, D = np.repeat(np.logspace(7, 9.5, sizes), tokens), np.tile(np.logspace(9, 11, tokens), sizes)
    N, D = np.tile(N, copies), np.tile(D, copies)
    return {"N": N, "D": D, "loss": np.asarray(law(N, D, **TRUE))}


def of_runs(seed: int, spread: float) -> dict[str, np.ndarray]:
    """Six runs with twenty checkpoints each; what a run has in common scatters by `spread`, rows by 0.1 %."""
    g = np.random.default_rng(seed)
    N, D, run = np.repeat([2e7, 6e7, 2e8, 6e8, 2e9, 6e9], 20), np.tile(np.logspace(9, 11, 20), 6), np.repeat(np.arange(6), 20)
    loss = np.asarray(law(N, D, **TRUE)) * np.exp(spread * g.standard_normal(6)[run] + 0.001 * g.standard_normal(120))
    return {"N": N, "D": D, "loss": loss, "run": run.astype(str)}


def test_checkpoints_of_a_run_are_said_to_cluster():
    fit = sj.fit(law, of_runs(3, 0.005))
    first = fit.diagnosis.clusters[0]
    assert {first.column, *first.same} == {"N", "run"} and first.groups == 6
    assert first.p < 1e-20 and first.share > 0.7
    assert fit.diagnosis.units == "N"
    assert "flag clusters: residuals cluster by N (as by run)" in str(fit)


def test_independent_rows_do_not_cluster():
    fit = sj.fit(law, of_runs(3, 0.0))
    assert not any(c.flagged for c in fit.diagnosis.clusters) and fit.diagnosis.units is None
    assert "flag" not in str(fit)


@pytest.mark.parametrize("loss", [sj.huber(1e-3), sj.squared()], ids=repr)
def test_clustering_is_rarely_seen_where_there_is_none(loss):
    copies, g = 300, np.random.default_rng(0)
    table = grid(6, 6, copies)
    table["loss"] = table["loss"] * np.exp(0.01 * g.standard_normal(36 * copies))
    table |= {"sim": np.repeat(np.arange(copies), 36).astype(str), "seed": np.tile(np.arange(36) % 3, copies)}
    fit = sj.fit(law, table, by="sim", loss=loss, starts=64)
    found = [clusters(fit.request, [rows]) for rows in fit.diagnosis.rows]
    assert all({c.column for c in f} == {"N", "D", "seed"} for f in found)
    least = np.asarray([min(c.p for c in f) for f in found])  # Bonferroni's, so that 5 % of them lie below 0.05 at most
    assert 0.01 < np.mean(least < 0.05) < 0.08
    assert sum(any(c.flagged for c in f) for f in found) <= 2
    assert not any(c.strong for f in found for c in f)


def test_the_embedded_suite_clusters_by_size():
    fit = sj.fit("chinchilla_outer", sj.datasets.load("pylib"))
    first = fit.diagnosis.clusters[0]
    assert first.column == "N" and set(first.same) == {"N_nonembed", "d_model"} and first.groups == 7
    r = fit.residuals
    between = sum(np.sum(fit.runs["N"] == n) * (r[fit.runs["N"] == n].mean() - r.mean()) ** 2 for n in np.unique(fit.runs["N"]))
    plain = between / np.sum((r - r.mean()) ** 2)
    assert plain == pytest.approx(0.56, abs=0.03)  # without counting what the fit has used up
    assert first.share == pytest.approx(plain, abs=0.1) and first.F > 10
    assert fit.diagnosis.units == "N"


def test_a_size_mistyped_by_ten_is_pointed_to():
    g = np.random.default_rng(2)
    sizes = np.asarray([49152, 331776, 552960, 1376256, 1769472, 3379200, 3993600, 8847360, 10027008, 15253504.0])
    N, D = np.repeat(sizes, 10), np.tile(np.logspace(8, 10, 10), 10)
    loss = np.asarray(law(N, D, **TRUE)) * np.exp(0.004 * g.standard_normal(100))
    fit = sj.fit(law, {"N": np.where(N == 3993600, 39936000, N), "D": D, "loss": loss})
    assert fit.diagnosis.clusters[0].odd == ("39936000",)
    assert fit.diagnosis.outliers.rows.tolist() == list(range(60, 70))
    assert "They are all the runs with N = 39936000: check it." in str(fit)
    right = sj.fit(law, {"N": N, "D": D, "loss": loss})
    for name, value in right.params.items():  # what the fit without them says
        assert fit.diagnosis.without.params[name] == pytest.approx(value, rel=0.2), name


@pytest.fixture(scope="module")
def small() -> dict[str, np.ndarray]:
    """Twenty-four runs of a known law with 0.3 % noise."""
    g = np.random.default_rng(3)
    N, D = np.tile(np.logspace(7, 9.5, 6), 4), np.repeat(np.logspace(9, 11, 4), 6)
    return {"N": N, "D": D, "loss": np.asarray(law(N, D, **TRUE)) * np.exp(0.003 * g.standard_normal(24))}


@pytest.mark.parametrize("loss", [sj.huber(1e-3), sj.squared()], ids=repr)
def test_diverged_runs_are_named_and_the_answer_without_them_is_that_of_the_others(small, loss):
    """Least squares bends so far that the two hide each other."""
    bad = small | {"loss": np.where(np.isin(np.arange(24), [4, 17]), [7.5, 11.0] * 12, small["loss"])}
    fit, clean = sj.fit(law, bad, loss=loss), sj.fit(law, {k: np.delete(v, [4, 17]) for k, v in small.items()}, loss=loss)
    found = fit.diagnosis.outliers
    assert found.rows.tolist() == [4, 17]
    np.testing.assert_allclose(
        found.residual, np.log(np.asarray(bad["loss"])[[4, 17]] / clean.predict(N=bad["N"], D=bad["D"])[[4, 17]]), rtol=1e-3
    )
    for name, value in clean.params.items():
        assert fit.diagnosis.without.params[name] == pytest.approx(value, rel=1e-4), name
    assert fit.diagnosis.without.runs.used == 22
    assert fit.verdict.level == "doubtful" and {"baseline", "outliers"} <= set(fit.verdict.codes)
    head, text = str(fit).splitlines()[0], str(fit)
    assert "doubtful (" in head and "baseline, outliers)" in head and "flag outliers: 2 of 24 runs lie far from the law, rows 4, 17" in text


def test_a_clean_fit_is_good(small):
    fit = sj.fit(law, small)
    assert fit.verdict.good and str(fit.verdict) == "good" and fit.verdict.reasons == ()
    assert not len(fit.diagnosis.outliers) and fit.diagnosis.without is None and "flag" not in str(fit)
    (whole,) = fit.diagnosis.groups
    assert whole.r_squared == pytest.approx(1 - np.var(fit.residuals) / np.var(np.log(small["loss"])), abs=1e-4)


def test_a_run_of_high_leverage_cannot_pull_the_fit_over_itself(small):
    """By least squares the residual of the largest run is smaller than that of innocent ones; without the run it is what it is."""
    far = {k: np.append(v, x) for (k, v), x in zip(small.items(), (1e11, 1e13, 1.0), strict=True)}
    true = float(law(1e11, 1e13, **TRUE))
    honest, wrong = (far | {"loss": np.append(small["loss"], true * factor)} for factor in (1.003, 1.1))
    assert not len(sj.fit(law, honest, loss=sj.squared()).diagnosis.outliers)
    fit = sj.fit(law, wrong, loss=sj.squared())
    assert fit.diagnosis.outliers.rows.tolist() == [24]
    assert abs(fit.residuals[24]) < 0.6 * abs(fit.diagnosis.outliers.residual[0])


@pytest.mark.parametrize(("n", "copies", "most"), [(30, 300, 3), (12, 200, 8), (240, 40, 0)])
@pytest.mark.parametrize("loss", [sj.huber(1e-3), sj.squared()], ids=repr)
def test_normal_noise_has_no_outliers(n, copies, most, loss):
    g = np.random.default_rng(n)
    N, D = 10 ** g.uniform(7, 9.5, n * copies), 10 ** g.uniform(9, 11, n * copies)
    values = np.asarray(law(N, D, **TRUE)) * np.exp(0.01 * g.standard_normal(n * copies))
    table = {"N": N, "D": D, "loss": values, "sim": np.repeat(np.arange(copies), n).astype(str)}
    fit = sj.fit(law, table, by="sim", loss=loss, starts=64, unidentified="warn")
    assert len(np.unique(fit.diagnosis.outliers.rows // n)) <= most


def test_the_five_runs_that_the_paper_left_out_are_named(data_folder, monkeypatch):
    monkeypatch.setenv("SCALEJAX_DATA", str(data_folder))
    runs = sj.datasets.load("chinchilla_epoch", everything=True)
    fit = sj.fit(law, runs)
    assert fit.diagnosis.outliers.rows.tolist() == [0, 1, 2, 3, 4]  # the five highest losses
    assert fit.params["beta"] == pytest.approx(0.453, abs=1e-3)
    assert fit.diagnosis.without.params["beta"] == pytest.approx(0.36717, abs=1e-4)
    assert fit.diagnosis.without.params["B"] == pytest.approx(2143.4, rel=1e-3)
    plans = [sj.allocate(f, compute=1e24).tokens_per_parameter for f in (fit, fit.diagnosis.without)]
    assert plans[0] == pytest.approx(6.35, abs=0.05) and plans[1] == pytest.approx(17.6, abs=0.2)
    assert "beta 0.3672 instead of 0.4530" in str(fit) and not fit.verdict.good


def test_outliers_with_weights_exclusions_groups_and_held_values(small):
    bad = small | {"loss": np.where(np.arange(24) == 9, 1.4 * small["loss"], small["loss"])}
    ignored = np.where(np.arange(24) == 9, 0.0, 1.0)
    assert not len(sj.fit(law, bad, weights=ignored).diagnosis.outliers)
    held = sj.fit(law, bad, fix={"E": TRUE["E"]}, tie={"beta": "alpha"})
    assert 9 in held.diagnosis.outliers.rows
    both = {k: np.concatenate([bad[k], small[k]]) for k in small} | {"arch": np.repeat(["a", "b"], 24)}
    both["loss"][3] = np.nan
    runs = sj.read_runs(both, on_bad="flag")
    for share in ((), ("alpha", "beta")):
        fit = sj.fit(law, runs, by="arch", share=share)
        assert fit.diagnosis.outliers.rows.tolist() == [9]
        a, b = fit.diagnosis.groups
        assert (a.name, a.runs, b.name, b.runs) == ("a", 23, "b", 24) and a.r_squared < 0.9 < b.r_squared
        assert a.r_squared_without > 0.99
        text = fit.diagnosis.table().text()
        assert "agreeing starts" in text and len(text.splitlines()) == 3


@pytest.mark.filterwarnings("ignore::scalejax.core.errors.ConvergenceWarning")  # its parameters leave their ranges,
@pytest.mark.filterwarnings("ignore::scalejax.core.errors.IdentifiabilityWarning")  # and some have no influence left
def test_one_group_that_the_law_misses_is_not_hidden_by_the_others(small):
    g, n = np.random.default_rng(0), 6
    tables = [{k: v.copy() for k, v in small.items()} for _ in range(n)]
    tables[2]["loss"] = 3.0 * np.exp(0.01 * g.standard_normal(24))
    table = {k: np.concatenate([t[k] for t in tables]) for k in small} | {"arch": np.repeat(list("abcdef"), 24)}
    fit = sj.fit(law, table, by="arch", unidentified="warn")
    found = {d.name: d for d in fit.diagnosis.groups}
    assert found["c"].r_squared < 0.5 and all(d.r_squared > 0.99 for name, d in found.items() if name != "c")
    assert all(found[name].status == "converged" for name in "abdef")
    assert fit.verdict.level == "poor" and "below 0.9 in 1 of 6 groups, c" in repr(fit.diagnosis)


def test_a_falling_law_on_rising_data_says_so():
    C = np.logspace(18, 22, 12)
    accuracy = 0.25 + 0.6 / (1 + np.exp(-1.1 * (np.log10(C) - 20.3))) + 0.003 * np.random.default_rng(0).standard_normal(12)
    fit = sj.fit("power_law", {"x": C, "loss": accuracy}, unidentified="warn")
    assert fit.verdict.level == "poor"
    assert "poor (baseline" in str(fit).splitlines()[0]
    assert "the law can only fall with x, and loss rises" in str(fit) and "1 - loss" in str(fit)
    turned = sj.fit("power_law", {"x": C, "loss": 1 - accuracy})
    assert "can only" not in str(turned) and turned.verdict.level != "poor"


def test_a_step_between_two_runs_is_not_determined():
    g = np.random.default_rng(0)
    x = np.sort(g.uniform(1, 3, 20))
    y = 0.25 + 0.5 * (x < 1.608) + 0.001 * g.standard_normal(20)
    fit = sj.fit("llama3_accuracy", {"nll": x, "accuracy": y}, unidentified="warn")
    assert "step" in fit.verdict.codes and "where it steps inside this gap and how steeply, the runs do not say" in str(fit)
    smooth = sj.laws.llama3_accuracy(x, L_0=0.25, r=2 / 3, k=8.0, x_0=2.0) + 0.001 * g.standard_normal(20)
    assert "step" not in sj.fit("llama3_accuracy", {"nll": x, "accuracy": smooth}, unidentified="warn").verdict.codes


def test_a_law_of_the_wrong_shape_shows_in_its_residuals():
    g = np.random.default_rng(0)
    x = np.logspace(3, 9, 60)
    nonlinearity = 1.0 + 20 * x**-0.3 * (1 + x / 1e6) ** 0.15
    fit = sj.fit("power_law", {"x": x, "loss": nonlinearity * np.exp(0.002 * g.standard_normal(60))})
    assert fit.diagnosis.trends[0].flagged and "flag trend: residuals follow each other along x" in str(fit)
    linear = sj.fit("power_law", {"x": x, "loss": (1.0 + 20 * x**-0.3) * np.exp(0.002 * g.standard_normal(60))})
    assert not linear.diagnosis.trends[0].flagged and linear.verdict.good


def test_rows_without_weight_are_not_described():
    """Half of the rows are nonsense of weight 0: the other half alone says the same of the fit."""
    x = np.logspace(3, 8, 20)
    loss = (1.5 + 20 * x**-0.3) * np.exp(0.01 * np.random.default_rng(0).standard_normal(20))
    weight = np.repeat([0.0, 1.0], 20)
    both = sj.fit("power_law", {"x": np.tile(x, 2), "loss": np.concatenate([np.full(20, 9.0), loss]), "w": weight}, weights="w")
    alone = sj.fit("power_law", {"x": x, "loss": loss})
    assert both.r_squared == pytest.approx(alone.r_squared, rel=1e-6) and alone.r_squared > 0.99
    assert "20 observations" in str(both) and "median |residual| 0.00" in str(both)


def test_runs_that_do_not_differ_explain_nothing():
    N, D = 10 ** np.random.default_rng(0).uniform([[7.5], [9]], [[9.8], [11.3]], (2, 20))
    fit = sj.fit("chinchilla", {"N": N, "D": D, "loss": np.full(20, 2.5)}, unidentified="warn", starts=32)
    assert np.isnan(fit.r_squared) and not fit.verdict.good
    assert "all 20 runs have loss = 2.5: nothing differs between them that a law could explain." in str(fit)


def noisy_curves(correlation: float, odd: int | None = None) -> sj.Runs:
    """Nine curves of the annealing law, of three schedules and lengths, whose steps scatter by 0.5 %; one of them may wave."""
    g, s = np.random.default_rng(1), sj.schedules
    true, tables = {"L0": 2.6, "A": 0.5, "alpha": 0.5, "C": 0.5}, {}
    for i in range(9):
        T = (1500, 1000, 2000)[i % 3]
        eta = np.asarray((s.cosine(T, 1e-3, 1e-4), s.constant(T, 2e-3), s.wsd(T, 1e-3))[(i + i // 3) % 3])
        t = np.arange(200, T, 50)
        noise = g.standard_normal(len(t))
        for j in range(1, len(t)):
            noise[j] = correlation * noise[j - 1] + np.sqrt(1 - correlation**2) * noise[j]
        loss = np.asarray(sj.laws.lr_annealing(eta[None], t[None], np.zeros(1), **true))[0] * np.exp(0.005 * noise)
        tables[f"r{i}"] = {"step": t, "loss": loss * np.exp(0.1 * np.sin(t / 300) * (i == odd)), "lr": eta[t]}
    return sj.read_curves(tables, lr="lr")


def test_curves_are_judged_as_wholes():
    fit = sj.fit("lr_annealing", noisy_curves(0.0, odd=4), starts=32)
    assert fit.diagnosis.outliers.rows.tolist() == [4] and fit.diagnosis.neighbours > 0.5
    assert fit.diagnosis.without.diagnosis.neighbours < 0.3 and "a curve holds" not in str(fit)  # only the odd one wavers
    assert sj.fit("lr_annealing", noisy_curves(0.0), starts=32).verdict.good


def test_steps_that_err_together_are_said():
    fit = sj.fit("lr_annealing", noisy_curves(0.9), starts=32)
    assert fit.diagnosis.neighbours == pytest.approx(0.9, abs=0.1) and "trend" in fit.verdict.codes
    assert "a curve holds no more independent numbers" in str(fit)


def test_equal_mixtures_err_together():
    g = np.random.default_rng(0)
    h = np.repeat(g.dirichlet([1, 1, 1], 30), 2, axis=0)
    values = np.asarray(sj.laws.data_mixing_m4(h, c=2.0, t=np.asarray([-1.5, 0.2, 0.1])))
    fit = sj.fit(
        "data_mixing_m4", {"h": h, "loss": values * np.exp(0.01 * np.repeat(g.standard_normal(30), 2) + 0.001 * g.standard_normal(60))}
    )
    assert fit.diagnosis.clusters[0].vectors and fit.diagnosis.clusters[0].strong and fit.diagnosis.units is None
    assert "name them in a column" in str(fit)


def test_a_saved_fit_keeps_its_verdict(small, tmp_path):
    bad = small | {"loss": np.where(np.arange(24) == 9, 1.4 * small["loss"], small["loss"])}
    fit = sj.fit(law, bad)
    fit.save(tmp_path / "fit.json")
    assert str(sj.load_fit(tmp_path / "fit.json").verdict) == str(fit.verdict) == "doubtful (baseline, outliers)"
    fit.diagnosis.without.save(tmp_path / "without.json")
    assert sj.load_fit(tmp_path / "without.json").runs.flags[-1].code == "outlier"


def test_a_law_that_ignores_an_input_is_not_said_to_rise():
    g = np.random.default_rng(0)
    N, D = 10 ** g.uniform(7.5, 9.8, 40), 10 ** g.uniform(9, 11.3, 40)

    @sj.law(a=sj.Positive(), b=sj.Positive())
    def mine(N, D, *, a, b):
        """Without D."""
        return a + N**-b

    fit = sj.fit(mine, {"N": N, "D": D, "loss": 1.8 + 480 * N**-0.35 + 2085 * D**-0.37}, unidentified="warn")
    assert "the law does not change with D, along which loss falls" in str(fit) and "can only" not in str(fit)
