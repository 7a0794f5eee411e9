"""Reports of counted outcomes speak in shares, and no picture leaves the range that an input can have."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import scalejax as sj


@sj.law(output="accuracy", chance=sj.Unit(), theta=sj.Real(-3, 3), d=sj.Real(-3, 3))
def item(chance, *, theta, d):
    return chance + (1 - chance) * jax.nn.sigmoid(theta - d)


@pytest.fixture(scope="module")
def counted():
    """Eight models, six benchmarks, four of them with a chance of a quarter."""
    rng = np.random.default_rng(0)
    ability, difficulty = np.linspace(-1, 2, 8), np.linspace(-1, 1, 6)
    model, benchmark = (a.ravel() for a in np.meshgrid(np.arange(8), np.arange(6), indexing="ij"))
    chance = np.where(benchmark < 4, 0.25, 0.5)
    p = chance + (1 - chance) / (1 + np.exp(difficulty[benchmark] - ability[model]))
    table = {"chance": chance, "n": np.full(48, 400), "accuracy": rng.binomial(400, p) / 400,
             "model": np.char.add("m", model.astype(str)), "benchmark": np.char.add("b", benchmark.astype(str))}  # fmt: skip
    return sj.fit(item, table, loss=sj.binomial("n"), by={"theta": "model", "d": "benchmark"}, fix={"theta": {"m0": -1.0}})


def test_a_report_of_counts(counted, tmp_path):
    sj.report(counted, tmp_path / "report.md", draws=sj.laplace(counted, 100))
    text = (tmp_path / "report.md").read_text()
    assert "nan" not in text and "the fit minimises the deviance of the counts behind accuracy" in text
    half, most = np.quantile(counted.misses, [0.5, 0.9])
    assert f"lie within {half:.2g} of the law item, nine in ten within {most:.2g}" in text
    assert "too high" not in text and "too low" not in text
    assert "Of 48 groups the first 12 are drawn" in text and text.count("](report_files/beyond-the-runs") == 12


def test_more_groups_than_a_legend_holds(counted):
    """Dots keep their colours, and the axes their room."""
    ax = sj.plot.residuals(counted)
    ax.figure.canvas.draw()  # warns where nothing is left of the axes
    assert not set(ax.get_legend_handles_labels()[1]) & set(counted.groups)


def test_a_fan_ends_where_the_input_does_and_knows_the_trials(counted):
    ax = sj.plot.fan(counted, group={"model": "m3", "benchmark": "b1"})
    assert ax.get_xlim()[1] <= 1 and 0 < ax.get_ylim()[0] and ax.get_ylim()[1] <= 1.05
