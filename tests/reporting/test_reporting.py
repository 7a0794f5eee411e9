"""Pictures draw what they say, and the report is one whole, self-contained file."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import scalejax as sj
from scalejax.core import files
from scalejax.reporting import page, plot, sections, verdict
from scalejax.reporting.beyond_runs import BeyondRuns
from scalejax.reporting.figures import save
from scalejax.reporting.plots import marks, points, style
from scalejax.reporting.report import report
from scalejax.reporting.study import make_study

CHINCHILLA = sj.laws.chinchilla
TRUTH = dict(CHINCHILLA.published["besiroglu2024"])


def simulated(noise=0.01, seed=0, n=40):
    rng = np.random.default_rng(seed)
    return sj.simulate(CHINCHILLA, TRUTH, N=10 ** rng.uniform(7.5, 9.5, n), D=10 ** rng.uniform(9, 11, n), noise=noise, seed=seed)


@pytest.fixture(scope="module")
def fit():
    return sj.fit(CHINCHILLA, simulated(), starts=256)


@pytest.fixture(scope="module")
def draws(fit):
    return sj.bootstrap(fit, 200)


@pytest.fixture(scope="module")
def plan(draws):
    return sj.allocate(draws, compute=np.logspace(19, 22, 4))


@pytest.fixture(scope="module")
def one_input():
    law = sj.laws.power_law
    runs = sj.simulate(law, {"E": 1.0, "A": 20.0, "alpha": 0.3}, x=np.logspace(3, 9, 30), noise=0.01)
    return sj.fit(law, runs, starts=256)


@pytest.fixture(scope="module", params=["shared", "apart"])
def grouped(request):
    source = np.where(np.arange(40) % 3, "web", "books")
    runs = simulated().with_columns(source=source)
    loss = np.where(source == "books", 0.9, 1.0) * runs["loss"]
    share = ("alpha", "beta") if request.param == "shared" else ()
    return sj.fit(CHINCHILLA, runs.with_columns(loss=loss), by="source", share=share, starts=256)


@pytest.fixture
def ax():
    return Figure().subplots()


def marked(ax):
    """(runs, 2) places of all points."""
    return np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections if isinstance(c, PathCollection)])


def line(ax, label):
    return next(np.asarray(each.get_xydata()) for each in ax.get_lines() if each.get_label() == label)


@pytest.fixture(autouse=True)
def leave_no_trace():
    before = dict(rcParams)
    yield
    assert dict(rcParams) == before


def test_pictures_are_known_to_pyplot_and_those_of_files_are_not(fit, tmp_path):
    """Notebooks show what pyplot knows; a report's pictures open no window and stay in no memory."""
    ax = plot.residuals(fit)
    assert plt.gcf() is ax.figure
    plt.savefig(tmp_path / "picture.png", dpi=40)
    blank = Figure(figsize=(6.4, 4.4))
    blank.savefig(tmp_path / "blank.png", dpi=40)
    assert (tmp_path / "picture.png").stat().st_size > 4 * (tmp_path / "blank.png").stat().st_size
    plt.close("all")
    save(lambda: plot.residuals(fit), tmp_path / "saved.svg")
    sj.report(fit, tmp_path / "report.html", draws=sj.laplace(fit), forecast=False)
    assert not plt.get_fignums()


def test_fit_against_observed(fit, ax):
    assert plot.fit_against_observed(fit, ax=ax) is ax
    np.testing.assert_allclose(marked(ax), np.stack([fit.fitted, fit.observed], axis=1))


@pytest.mark.parametrize("against", [None, "C", "N", "D"])
def test_residuals(fit, ax, against):
    assert plot.residuals(fit, against, ax=ax) is ax
    expected = 6 * fit.runs["N"] * fit.runs["D"] if against in (None, "C") else fit.runs[against]
    np.testing.assert_allclose(marked(ax)[:, 0], expected)
    np.testing.assert_allclose(marked(ax)[:, 1], 100 * np.expm1(fit.residuals))
    assert len(line(ax, "smooth trend")) > 10


def test_residuals_of_a_named_column_only(fit):
    with pytest.raises(sj.FitError, match="'tokens' is not a column"):
        plot.residuals(fit, "tokens")


def test_iso_loss(fit, draws, ax):
    assert plot.iso_loss(fit, draws, ax=ax) is ax
    np.testing.assert_allclose(marked(ax), np.stack([fit.runs["N"], fit.runs["D"]], axis=1))
    N, D = line(ax, "compute-optimal").T
    best = sj.allocate((CHINCHILLA, fit.params), compute=6 * N * D)
    np.testing.assert_allclose(N, best.N, rtol=1e-6)


def test_a_law_that_is_the_same_everywhere_has_no_contours(fit, ax):
    level = replace(fit, theta=fit.theta + np.asarray([[0.0], [-80.0], [0.0], [-80.0], [0.0]]))
    with pytest.raises(sj.FitError, match="everywhere in view, so there are no contours to draw"):
        plot.iso_loss(level, ax=ax)


def test_iso_loss_of_a_law_with_a_further_input(limited_fit, ax):
    with pytest.raises(sj.DecisionError, match=r"at=\{'U'"):
        plot.iso_loss(limited_fit)
    plot.iso_loss(limited_fit, at={"U": 2e10}, ax=ax)
    assert len(line(ax, "compute-optimal")) == 32


def test_optimal_sizes(plan, ax):
    assert plot.optimal_sizes(plan, ax=ax) is ax
    np.testing.assert_allclose(line(ax, "parameters N"), np.stack([plan.compute, plan.N], axis=1))
    np.testing.assert_allclose(line(ax, "tokens D"), np.stack([plan.compute, plan.D], axis=1))
    with pytest.raises(sj.DecisionError, match="two budgets"):
        plot.optimal_sizes(sj.allocate((CHINCHILLA, TRUTH), compute=1e21))


def test_loss_against_compute(fit, draws, ax):
    assert plot.loss_against_compute(fit, draws, decades=1, ax=ax) is ax
    np.testing.assert_allclose(marked(ax), np.stack([6 * fit.runs["N"] * fit.runs["D"], fit.observed], axis=1))
    C, loss = line(ax, "compute-optimal").T
    assert C[-1] == pytest.approx(10 * marked(ax)[:, 0].max())
    np.testing.assert_allclose(loss, sj.allocate((CHINCHILLA, fit.params), compute=C).loss, rtol=1e-9)
    assert "beyond the runs" in [text.get_text().strip() for text in ax.texts]


def test_curve(one_input, ax):
    assert plot.curve(one_input, ax=ax) is ax
    np.testing.assert_allclose(marked(ax), np.stack([one_input.runs["x"], one_input.observed], axis=1))
    x, loss = line(ax, "fit").T
    np.testing.assert_allclose(loss, one_input.predict(x=x))


def test_profile(one_input, ax):
    found = sj.profile(one_input, ["alpha", "A"])
    assert plot.profile(found, "A", ax=ax) is ax
    low, high = found.interval()["A"]
    A, root = ax.lines[0].get_xydata().T
    assert np.interp([low], A, root)[0] == pytest.approx(1, abs=0.05)
    assert np.interp([high], A, root)[0] == pytest.approx(1, abs=0.05)
    with pytest.raises(sj.FitError, match="no profile"):
        plot.profile(found, "E")


def test_intervals(fit, draws, ax):
    assert plot.intervals({"bootstrap": draws, "sandwich": fit}, level=0.8, ax=ax) is ax
    labels = [text.get_text().split(" = ")[0] for text in ax.get_yticklabels()]
    assert labels == list(CHINCHILLA.parameters)
    low, high = draws.interval(0.8)["alpha"]
    ends = [list(each.get_xdata()) for each in ax.get_lines()]
    assert any(np.allclose(pair, 100 * (np.asarray([low, high]) / fit.params["alpha"] - 1)) for pair in ends if len(pair) == 2)


@pytest.mark.parametrize("draw", [plot.iso_loss, plot.loss_against_compute])
def test_laws_without_sizes_are_refused(draw, one_input):
    with pytest.raises(sj.DecisionError, match="needs a law with inputs N and D"):
        draw(one_input)


def test_curve_refuses_two_inputs(fit):
    with pytest.raises(sj.FitError, match="one scalar input"):
        plot.curve(fit)


def test_groups(grouped):
    assert len(marked(plot.fit_against_observed(grouped))) == 40
    np.testing.assert_allclose(points.column(grouped, "loss"), grouped.observed)
    ax = plot.loss_against_compute(grouped)
    assert len(marked(ax)) == 40
    assert len(line(ax, "compute-optimal, books")) == len(line(ax, "compute-optimal, web"))
    books = plot.iso_loss(grouped, group="books")
    assert len(marked(books)) == 14
    with pytest.raises(sj.DecisionError, match="group="):
        plot.iso_loss(grouped)
    with pytest.raises(sj.FitError, match="did you mean 'books'"):
        plot.loss_against_compute(grouped, group="book")


def test_style_reaches_the_points_and_a_new_figure_is_private(fit):
    ax = plot.residuals(fit, color="black", s=50)
    runs = next(c for c in ax.collections if isinstance(c, PathCollection))
    assert runs.get_sizes()[0] == 50 and runs.get_facecolor()[0, :3].tolist() == [0, 0, 0]


def test_units():
    assert [style.quantity(v) for v in (750, 1e3, 2.04e10, 999.9e9, 1.4e12)] == ["750", "1K", "20.4B", "1T", "1.4T"]
    assert style.power_of_ten(1e21) == "$10^{21}$" and style.power_of_ten(3e21) == r"$3{\times}10^{21}$"
    for low, high in ((2.01, 2.09), (1.9, 3.4), (1, 1e3), (1e18, 1e24), (1e-30, 1e30)):
        ticks = style.log_ticks(low, high)
        assert 3 <= len(ticks) <= 20 and ticks.min() >= low * 0.999 and ticks.max() <= high * 1.001


class Page(HTMLParser):
    """Checks that tags balance, and collects ids, references and text."""

    VOID = ("meta", "br", "img", "link", "input", "hr")

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.references, self.tags, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self._note(tag, attrs)

    def handle_startendtag(self, tag, attrs):
        self._note(tag, attrs)

    def _note(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "xlink:href", "src"):
                self.references.append(value)
            self.references += re.findall(r"url\(([^)]*)\)", value or "")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def html(fit, draws, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "fit.html"
    assert report(fit, path, draws=draws) == path
    return path.read_text()


def test_report_is_self_contained(html):
    page = Page(html)
    inside = {reference[1:] for reference in page.references if reference.startswith("#")}
    outside = [reference for reference in page.references if not reference.startswith(("#", "data:image/png;base64,"))]
    assert inside <= set(page.ids) and not outside
    assert len(page.ids) == len(set(page.ids))
    assert page.tags.count("svg") == 6 + 2  # two of the planner
    assert not {"link", "iframe", "object"} & set(page.tags)
    data, program = re.findall(r"<script( type='application/json' id='planner-data')?>", html)
    assert data and not program  # the planner's numbers, and its program, which stands in the page
    (text,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    assert f"script-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in html
    assert "@import" not in html and 'lang="en"' in html.replace("'", '"')


def test_report_tells_what_was_found(html, fit):
    text = " ".join(Page(html).words)
    for row in fit.table().rows:
        assert row[1] in text
    phrases = ["The fit converged", "Tokens per parameter at", "Irreducible loss E", "arXiv:2203.15556", fit.runs.digest, "Read with care"]
    box = re.search(r"<div class='verdict[^>]*>(.*?)</div>", html)[1]
    assert len(re.findall(r"<p>[^<]*[^<.]\.</p>", box)) == box.count("<p>") == 3
    assert box.count(" to ") >= 3  # sizes and loss have intervals
    phrases += ["times the compute of the largest run", "half the best N", "bootstrap (cases, seed 0)"]
    phrases += ["Laplace (the wider of sandwich and model, seed 0)"]
    for phrase in phrases:
        assert phrase in text, phrase
    order = [text.index(h) for h in ("Data", "Law", "Estimates", "How well it fits", "What to train", "To repeat this")]
    assert order == sorted(order)


def test_report_of_one_input(one_input, tmp_path):
    text = report(one_input, tmp_path / "r.html", draws=sj.laplace(one_input, 200), title="A < B").read_text()
    page = Page(text)
    assert page.tags.count("svg") == 4 and "script" not in page.tags
    assert "What to train" not in text and "bootstrap" not in text
    assert "<h1>A &lt; B</h1>" in text


def test_report_of_groups(grouped, tmp_path):
    text = report(grouped, tmp_path / "r.html", draws=sj.laplace(grouped, 100), compute=[1e20, 1e22]).read_text()
    Page(text)
    assert "E[books]" in text and "For web, at 1e22 FLOP" in text
    assert text.count("What a wrong size costs, ") == 2


def test_report_of_a_given_allocation(fit, draws, tmp_path):
    plan = sj.allocate(draws, compute=1e21, cost=sj.costs.six_nd_inference, D_inf=1e11)
    text = report(fit, tmp_path / "r.html", draws=draws, allocation=plan).read_text()
    assert "six_nd_inference" in text and "What a wrong size costs" not in text and "Loss over size" not in text


def test_markdown(fit, draws, tmp_path):
    path = report(fit, tmp_path / "my fit.md", draws=draws, compute=[1e20])
    text = path.read_text()
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(pictures) == 5
    for picture in pictures:
        assert (tmp_path / picture.replace("%20", " ")).read_bytes().startswith(b"\x89PNG")
    assert text.startswith("# Scaling law report: chinchilla") and fit.table().rows[0][1] in text


def test_other_endings_are_refused(fit, draws, tmp_path):
    with pytest.raises(sj.DataError, match=r"'fit\.pdf'; rename it"):
        report(fit, tmp_path / "fit.pdf", draws=draws)


def test_a_folder_that_cannot_be_written(one_input, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(sj.DataError, match="Cannot write"):
        report(one_input, tmp_path / "file" / "r.html", draws=sj.laplace(one_input, 50))


def test_an_older_report_survives_a_failed_write(one_input, tmp_path, monkeypatch):
    path = tmp_path / "r.html"
    path.write_text("older")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(sj.DataError, match="No space left"):
        report(one_input, path, draws=sj.laplace(one_input, 50))
    assert path.read_text() == "older" and os.listdir(tmp_path) == ["r.html"]


def test_verdict_warns_of_narrow_data_and_misfit():
    rng = np.random.default_rng(1)
    N, D = 10 ** rng.uniform(8, 8.5, 60), 10 ** rng.uniform(9, 11, 60)
    runs = sj.simulate(CHINCHILLA, TRUTH, N=N, D=D, noise=0.002)
    large = np.argsort(N * D)[-6:]
    loss = np.array(runs["loss"])
    loss[large] *= 1.03
    fit = sj.fit(CHINCHILLA, runs.with_columns(loss=loss), fix={"E": TRUTH["E"], "A": TRUTH["A"], "B": TRUTH["B"]}, starts=256)
    warnings = " ".join(verdict.cautions(make_study(fit, sj.laplace(fit, 100), None, [1e20], 0.9)))
    assert "N varies only" in warnings and "too low; what it says of larger runs" in warnings


def test_verdict_of_runs_on_one_ray():
    N = np.logspace(8, 10, 30)
    runs = sj.simulate(CHINCHILLA, TRUTH, N=N, D=20 * N, noise=0.005)
    with pytest.warns(sj.IdentifiabilityWarning):
        fit = sj.fit(CHINCHILLA, runs, starts=256, unidentified="warn")
    study = make_study(fit, sj.bootstrap(fit, 200), None, [1e20, 1e24], 0.9)
    assert verdict.verdict(study).blocks[0].care == (fit.status.value != "converged")
    assert "hardly determine the best split" in " ".join(verdict.cautions(study))


# What the first box says of a fit


def said(study) -> str:
    """The first section as text."""
    section = verdict.verdict(study)
    return "\n".join(block.markdown("", {}) for block in section.blocks)


def test_outliers_and_the_plan_without_them_stand_in_the_first_box(data_folder, monkeypatch):
    """With the five runs that the paper leaves out the plan for 1e24 FLOP has 6.35 tokens per parameter, without them 17.6."""
    monkeypatch.setenv("SCALEJAX_DATA", str(data_folder))
    fit = sj.fit(CHINCHILLA, sj.datasets.load("chinchilla_epoch", everything=True))
    study = make_study(fit, sj.laplace(fit, 100), None, [1e24], 0.9)
    text = said(study)
    assert verdict.verdict(study).blocks[0].care
    assert "Without rows 0, 1, 2, 3, 4" in text and "17.6 tokens per parameter instead of 6.35" in text
    assert "5 of 245 runs lie far from the law" in text and "closely" not in text
    assert "Asked to look" in text and "times ahead in compute (48 largest runs held out)" in text
    plans = "\n".join(block.markdown("", {}) for block in sections.advice(study)[0].blocks if not isinstance(block, page.Picture))
    assert "The same without rows 0, 1, 2, 3, 4, far from the law:" in plans and "| 17.6" in plans and "| 6.35" in plans
    assert "suspicious" not in "\n".join(block.markdown("", {}) for block in sections.data(study).blocks)


def test_crashed_runs_are_never_green():
    runs = simulated()
    loss = np.array(runs["loss"])
    loss[[3, 20]] = 7.3, 5.9
    fit = sj.fit(CHINCHILLA, runs.with_columns(loss=loss), starts=256)
    study = make_study(fit, sj.laplace(fit, 100), None, [1e21], 0.9)
    assert verdict.verdict(study).blocks[0].care and "rows 3, 20" in said(study)
    assert "R² 0." in said(study) or "R² -" in said(study)


def test_a_clean_fit_is_green_and_was_asked_to_look_ahead():
    fit = sj.fit(CHINCHILLA, simulated(noise=0.002, n=60), starts=256)
    study = make_study(fit, sj.laplace(fit, 100), None, [1e21], 0.9)
    assert not study.beyond_runs.failed and study.beyond_runs.count == 12 and study.beyond_runs.error < 0.02
    C = np.sort(6 * fit.runs["N"] * fit.runs["D"])
    assert study.beyond_runs.factor == pytest.approx(C[-1] / C[-13])
    assert not verdict.verdict(study).blocks[0].care and "nothing was found that speaks against it" in said(study)


def test_a_band_that_held_too_few_is_said():
    few = BeyondRuns(7.0, "compute", 12, 0.019, 6, 0.9)
    assert few.failed and not BeyondRuns(7.0, "compute", 6, 0.019, 4, 0.9).failed  # 4 of 6 happens to one law in nine
    assert few.sentence == (
        "Asked to look 7 times ahead in compute (12 largest runs held out), this law missed by 1.9 %, and its 90 % band held 6 of 12."
    )


def test_the_embedded_suite_is_said_to_cluster():
    fit = sj.fit("chinchilla_outer", sj.datasets.load("pylib"))
    study = make_study(fit, sj.laplace(fit, 100), None, [1e14], 0.9)
    assert verdict.verdict(study).blocks[0].care
    assert "Residuals cluster by N (as by N\\_nonembed, d\\_model)" in said(study) and "groups='N'" in said(study)
    assert "n_head" not in said(study)


def test_curves_are_counted_and_drawn():
    law, rng = sj.laws.lr_annealing, np.random.default_rng(0)
    eta = np.stack([sj.schedules.cosine(800, p, 0.1 * p) for p in (1e-3, 2e-3)] * 2 + [sj.schedules.constant(800, 2e-3)] * 2)
    t = np.broadcast_to(np.arange(50, 800, 25), (6, 30))
    loss = law(eta, t, np.zeros(6), L0=2.6, A=0.5, alpha=0.5, C=0.5) * np.exp(1e-3 * rng.normal(size=(6, 30)))
    runs = sj.read_runs({"eta": eta, "t": t, "W": np.zeros(6), "loss": loss})
    runs = sj.Runs(dict(runs.columns), {"loss": np.ones(loss.shape, bool)})
    fit = sj.fit(law, runs, starts=16)
    study = make_study(fit, sj.laplace(fit, 100), None, None, 0.9)
    text = said(study)
    assert "Half of the 180 points of 6 curves lie within" in text and "too little to trust its exponent" not in text
    (quality,) = sections.quality(study)
    assert [isinstance(block, page.Picture) for block in quality.blocks] == [True, True]
    ax = plot.curves(fit)
    assert len(ax.get_lines()) == 12  # dots and a line for every curve
    (rates,) = (other for other in ax.figure.axes if other is not ax)
    np.testing.assert_allclose(rates.get_lines()[0].get_ydata(), eta[worst(fit)][:776])
    assert rates.get_xlabel() == "step" and not plot.curves(fit, schedule=False).figure.axes[1:]
    drawn = plot.curves(fit, residuals=True).get_lines()
    np.testing.assert_allclose(drawn[0].get_ydata(), 100 * np.expm1(fit.residuals[worst(fit)]), rtol=1e-9)
    with pytest.raises(sj.FitError, match="needs a fit of loss curves"):
        plot.curves(sj.fit("power_law", {"x": np.logspace(3, 6, 8), "loss": 1 + np.logspace(1, 0, 8)}))


def worst(fit) -> int:
    return int(np.argmax((fit.residuals**2).mean(axis=1)))


def test_only_inputs_with_an_exponent_are_too_narrow_for_it():
    assert verdict._has_exponent(CHINCHILLA, "N") and verdict._has_exponent(sj.laws.kaplan, "N")
    assert verdict._has_exponent(sj.laws.power_law, "x") and verdict._has_exponent(sj.laws.data_constrained, "D")
    assert not verdict._has_exponent(sj.laws.llama3_accuracy, "nll") and not verdict._has_exponent(sj.laws.multi_power, "W")


def test_the_running_median_goes_to_both_ends_and_does_not_zigzag():
    rng = np.random.default_rng(0)
    x = np.repeat(np.logspace(18, 22, 40), 3)  # runs that share a budget
    y = np.log10(x) - 20 + 0.1 * rng.standard_normal(120)
    centre, median, spread = marks.running(x, y)
    assert centre[0] == x[0] and centre[-1] == x[-1] and (np.diff(centre) > 0).all()
    np.testing.assert_allclose(median, np.log10(centre) - 20, atol=0.35)
    assert (np.diff(median) > -0.05).all() and np.median(spread) == pytest.approx(0.1, abs=0.12)
