"""New pictures show the numbers they are made from, in letters and colours that bother nobody, whatever the names are."""

from __future__ import annotations

import io
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import jax.numpy as jnp
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties

import scalejax as sj
from scalejax.reporting import figures, plot
from scalejax.reporting.plots import marks, style

LAW = sj.laws.chinchilla
TRUTH = dict(LAW.published["besiroglu2024"])
ODD = [r"$\input{x}$", "<script>alert(1)</script>", "_hidden", "x" * 90]


@pytest.fixture(autouse=True)
def leave_no_trace():
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


@pytest.fixture(scope="module")
def budgets():
    C = np.repeat([1e19, 1e20, 1e21, 1e22], 7)
    N = (C / 6) ** 0.47 * np.tile(np.logspace(-0.5, 0.5, 7), 4)
    return sj.simulate(LAW, TRUTH, N=N, D=C / (6 * N), noise=0.001).with_columns(C=C)


@pytest.fixture(scope="module")
def found(budgets):
    return sj.isoflop(budgets, replicates=100)


@pytest.fixture(scope="module")
def grouped():
    x = np.tile(np.geomspace(1e3, 1e8, 10), 4)
    name = np.repeat(ODD, 10)
    scale = np.repeat([20.0, 22.0, 24.0, 26.0], 10)
    loss = (1 + scale * x**-0.3) * np.exp(0.003 * np.random.default_rng(0).normal(size=40))
    return sj.fit("power_law", sj.read_runs({"x": x, "loss": loss, "arch": name}), by={"A": "arch"}, starts=32)


def shown(ax):
    """The picture renders, and no label of its axes lies on another."""
    ax.figure.savefig(io.BytesIO(), format="png", dpi=50)
    for axis in (ax.xaxis, ax.yaxis):
        boxes = [t.get_window_extent() for t in axis.get_ticklabels() if t.get_text() and t.get_visible()]
        assert not any(a.overlaps(b) for a, b in pairwise(boxes)), [t.get_text() for t in axis.get_ticklabels()]
    return ax


def test_isoflop_draws_parabolas_their_minima_and_the_frontier(found, budgets):
    ax = shown(plot.isoflop(found))
    minima = next(line for line in ax.lines if line.get_label() == "minima")
    np.testing.assert_allclose(minima.get_xydata(), np.stack([found.N, found.loss], axis=1))
    dots = np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections if isinstance(c, PathCollection)])
    assert len(dots) == len(budgets)
    for i, (n, low) in enumerate(zip(found.N, found.loss, strict=True)):  # the curve's lowest place is the minimum that counts
        around = found.curve(i, n * np.asarray([0.97, 1.0, 1.03]))
        assert around[1] == pytest.approx(low, rel=1e-9) and around[1] < min(around[0], around[2])
    with pytest.raises(sj.FitError, match="envelope knows none"):
        plot.isoflop(sj.envelope(_curves()))


def _curves():
    N, D = np.asarray([1e8, 3e8, 1e9, 3e9]), np.geomspace(1e9, 1e11, 60)
    return sj.read_runs({"N": N, "D": np.tile(D, (4, 1)), "loss": np.asarray(LAW(N[:, None], D, **TRUTH))})


def test_frontier_of_several_studies(found):
    ax = shown(plot.frontier({"dense": found, "$x$": found}))
    line = ax.lines[0]
    np.testing.assert_allclose(line.get_ydata(), found.k_N * line.get_xdata() ** found.a)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [f"dense: N ∝ C^{found.a:.3f}", rf"\$x\$: N ∝ C^{found.a:.3f}"]
    with pytest.raises(sj.DecisionError, match="'N' or 'D'"):
        plot.frontier(found, name="loss")


def test_groups_are_overlaid_with_their_difference(grouped):
    draws = sj.laplace(grouped, 60)
    ax = shown(plot.groups(grouped, draws, base=ODD[1]))
    under = next(a for a in ax.figure.axes if a is not ax)
    x = under.lines[0].get_xdata()
    gap = grouped.predict(x=x, group=ODD[0]) - grouped.predict(x=x, group=ODD[1])
    np.testing.assert_allclose(under.lines[0].get_ydata(), gap)
    both = draws.predict(x=x, group=ODD[0]) - draws.predict(x=x, group=ODD[1])
    band = next(c for c in under.collections if isinstance(c, PolyCollection)).get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(np.quantile(both, 0.95, axis=0).max())  # draw by draw: what they share does not widen it
    names = [t.get_text() for t in ax.get_legend().get_texts()]
    assert names[0] == r"\$\input{x}\$" and names[2] == style.HAIR + "_hidden" and len(names[3]) == style.LONGEST
    with pytest.raises(sj.FitError, match="no group 'web'"):
        plot.groups(grouped, base="web")


def test_every_parameter_of_every_group_is_in_the_corner_and_in_the_profiles(grouped):
    axes = plot.pairs(sj.laplace(grouped, 60))
    assert [ax.get_title() for ax in np.diag(axes)] == ["E", "A", "alpha"]
    assert [len(ax.patches) for ax in np.diag(axes)] == [1, 4, 1]  # a histogram for every group, one of what they share
    profiles = sj.profile(grouped, ["A"])
    grid = plot.profiles(profiles)
    assert sum(bool(ax.lines) for ax in grid.flat) == 4
    one = shown(plot.profile(profiles, "A[_hidden]"))
    assert one.lines[0].get_xdata().min() < grouped.params["A"][2] < one.lines[0].get_xdata().max()


@sj.law(h=sj.Simplex(), c=sj.Positive(), k=sj.Positive(), t=sj.Real(-5, 5, axis="domain"))
def mixing(h, *, c, k, t):
    "Data mixing law of Ye et al."
    return c + k * jnp.exp(jnp.sum(t * h, axis=-1))


def test_the_triangle_puts_every_mixture_in_its_place():
    laws = {"a": {"c": 1.0, "k": 1.0, "t": [-2.0, 0.0, 0.0]}, "b": {"c": 1.0, "k": 1.0, "t": [0.0, -2.0, -1.5]}}
    best = sj.optimal_mixture({name: (mixing, p) for name, p in laws.items()}, domains=["web", "code", "books"])
    np.testing.assert_allclose(best.at(best.h[None]), best.objective, rtol=1e-9)
    assert (best.at(np.random.default_rng(0).dirichlet(np.ones(3), 50)) >= best.objective - 1e-9).all()
    ax = plot.triangle(best, {"all web": [1.0, 0.0, 0.0]})
    places = {line.get_label(): line.get_xydata()[0] for line in ax.lines if line.get_label()[0] != "_"}
    np.testing.assert_allclose(places["all web"], [0, 0])
    np.testing.assert_allclose(places["optimum"], best.h @ [[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])
    with pytest.raises(sj.DecisionError, match="2 domains"):
        plot.triangle(sj.optimal_mixture((mixing, {"c": 1.0, "k": 1.0, "t": [-2.0, 0.0]}), domains=["a", "b"]))


def test_contours_of_runs_and_of_a_law(budgets):
    lr, batch = (v.ravel() for v in np.meshgrid(np.geomspace(1e-4, 1e-2, 5), [32.0, 64.0, 128.0]))
    loss = 2.7 + 0.05 * np.log(lr / 1e-3) ** 2 + 0.02 * np.log(batch / 64) ** 2
    ax = shown(plot.contours(sj.read_runs({"lr": lr, "batch": batch, "loss": loss}), "lr", "batch"))
    assert ax.lines[0].get_xydata()[0] == pytest.approx([1e-3, 64.0]) and ax.get_xscale() == "log"
    ax = shown(plot.contours(sj.fit(LAW, budgets, starts=64), "N", "D"))
    assert "lowest in view" in ax.get_legend().get_texts()[0].get_text()
    with pytest.raises(sj.FitError, match="no column 'rate'"):
        plot.contours(budgets, "rate", "N")


@pytest.mark.slow  # a chain is compiled
def test_two_stages():
    rng = np.random.default_rng(1)
    N, D = (v.ravel() for v in np.meshgrid([1.9e8, 3.7e8, 7.6e8, 1.28e9], [1e10, 2e10, 5e10, 1e11]))
    chain = sj.chain(loss=LAW, accuracy=(sj.laws.llama3_accuracy, {"nll": "loss"}))
    params = {**LAW.published["bhagia2024_hellaswag"], **sj.laws.llama3_accuracy.published["bhagia2024_hellaswag"]}
    loss, accuracy = chain.of("loss")(N, D, **params), chain(N, D, **params)
    runs = {"N": N, "D": D, "loss": loss * np.exp(0.002 * rng.normal(size=16)), "accuracy": accuracy + 0.002 * rng.normal(size=16)}
    fit = sj.fit(chain, runs, starts=32)
    axes = plot.stages(fit, sj.laplace(fit, 40))
    for ax in axes:
        shown(ax)
    np.testing.assert_allclose(axes[1].lines[0].get_xydata(), np.stack([runs["loss"], runs["accuracy"]], axis=1))
    x, y = axes[1].lines[1].get_data()
    own = {name: fit.params[name] for name in sj.laws.llama3_accuracy.parameters}
    np.testing.assert_allclose(y, sj.laws.llama3_accuracy(x, **own))
    with pytest.raises(sj.FitError, match="chain of two laws"):
        plot.stages(fit.regression)


def test_a_trend_is_smooth_unbiased_at_both_ends_and_not_pulled_by_outliers():
    rng = np.random.default_rng(0)
    x = np.sort(10 ** rng.uniform(0, 4, 150))
    y = 0.5 * np.log10(x) + 0.05 * rng.standard_normal(150)
    y[::30] += 3.0
    centre, trend, spread = marks.running(x, y)
    np.testing.assert_allclose(trend, 0.5 * np.log10(centre), atol=0.04)
    assert centre[-1] == pytest.approx(x[-1]) and np.median(spread) == pytest.approx(0.05, abs=0.02)


def test_paper_sets_size_and_letters(found, tmp_path):
    ax = plot.paper(plot.isoflop, found, width="column", letters=8, path=tmp_path / "figure.pdf")
    assert ax.figure.get_figwidth() == 3.25 and (tmp_path / "figure.pdf").stat().st_size > 5000
    assert ax.xaxis.label.get_size() == pytest.approx(8) and shown(ax).get_xticklabels()[0].get_size() == pytest.approx(8)
    small = FontProperties(size="small").get_size_in_points() * 0.8
    assert ax.get_legend().get_texts()[0].get_size() == pytest.approx(small)
    axes = plot.paper(plot.pairs, sj.laplace(sj.fit("power_law", _line(), starts=16), 40), width=4.0, height=4.0)
    assert tuple(axes[0, 0].figure.get_size_inches()) == (4.0, 4.0)
    with pytest.raises(sj.FitError, match=r"did you mean 'column'|one of"):
        plot.paper(plot.isoflop, found, width="columns")
    with pytest.raises(sj.FitError, match="a function that draws"):
        plot.paper(lambda: 3)


def _line():
    return sj.simulate(sj.laws.power_law, {"E": 1.0, "A": 20.0, "alpha": 0.3}, x=np.logspace(3, 8, 20), noise=0.01)


def test_threads_draw_alike_and_no_setting_is_touched(found, monkeypatch):
    def touched(*_):
        raise AssertionError("somebody's settings of Matplotlib were changed")

    monkeypatch.setattr(matplotlib.RcParams, "__setitem__", touched)

    def draw(_):
        return figures.svg(figures.drawn(lambda: plot.isoflop(found)), "a", "b")

    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(draw, range(3))
    assert all(other == first for other in others) and "<text" in first and len(re.findall(r'id="([^"]+)"', first)) > 10
    assert not plt.get_fignums()


def test_show_and_savefig_know_the_figure(found, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(plt, "show", lambda *_, **__: seen.extend(plt.get_fignums()))
    ax = plot.isoflop(found)
    plt.show()
    assert ax.figure.number in seen
    plt.savefig(tmp_path / "picture.png", dpi=40)
    assert plt.imread(tmp_path / "picture.png")[..., :3].std() > 0.05


def test_colours_are_told_apart_without_red_and_green():
    """Every pair of the palette, as seen with deuteranopia and protanopia (Vienot, Brettel and Mollon 1999), differs."""
    to_lms = np.asarray([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
    deutan, protan = np.eye(3), np.eye(3)
    deutan[1] = [0.494207, 0, 1.24827]
    protan[0] = [0, 2.02344, -2.52581]
    colours = np.asarray([to_rgb(c) for c in style.PALETTE]) ** 2.2
    for lost in (deutan, protan):
        seen = np.clip(colours @ (np.linalg.inv(to_lms) @ lost @ to_lms).T, 0, 1) ** (1 / 2.2)
        gaps = np.linalg.norm(seen[:, None] - seen, axis=-1) + 9 * np.eye(len(seen))
        assert gaps.min() > 0.1


def test_altair_is_asked_for_by_name(found, grouped, monkeypatch):
    with pytest.raises(sj.FitError, match="'matplotlib', 'altair'"):
        plot.isoflop(found, engine="bokeh")
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(sj.DataError, match="pip install altair"):
        plot.isoflop(found, engine="altair")


def test_altair_names_the_runs(grouped):
    pytest.importorskip("altair")
    spec = plot.residuals(grouped, engine="altair").to_dict()
    tips = [row["run"] for layer in spec["layer"] for row in layer["data"]["values"] if "run" in row]
    assert len(tips) == 40 and tips[0] == "row 0" and not plt.get_fignums()
