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
    assert "the 10 rows of N = 39936000 (rows 60, 61" in str(fit)
