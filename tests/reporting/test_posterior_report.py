"""The report of a posterior: what was asked, what the data added, what they cannot tell apart, how far the draws can be trusted."""

from __future__ import annotations

import html as markup
import json
import os
import re
import shutil
import subprocess
import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

import scalejax as sj
from scalejax.core import files
from scalejax.core.table import Table
from scalejax.fitting.uncertainty.draws import Draws
from scalejax.reporting import plot, prior_share, question, ridges, uncertainty, verdict
from scalejax.reporting.plots import posteriors as posterior_plots
from scalejax.reporting.plots import style
from scalejax.reporting.report import outline, report
from scalejax.reporting.study import Study, make_study

CHINCHILLA = sj.laws.chinchilla
TRUTH = dict(CHINCHILLA.published["besiroglu2024"])
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Compared:
    """What a comparison of laws shows to the report."""

    verdict = "kaplan predicts runs that it has not seen best."
    weights = {"chinchilla": 0.25, "kaplan": 0.75}  # noqa: RUF012

    def table(self):
        return Table(["law", "elpd"], [["kaplan", "201.5"], ["chinchilla", "199.25"]])


def simulated(n=60, noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    return sj.simulate(CHINCHILLA, TRUTH, N=10 ** rng.uniform(7.5, 9.5, n), D=10 ** rng.uniform(9, 11, n), noise=noise, seed=seed)


@pytest.fixture(scope="module")
def posterior():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.ConvergenceWarning)  # few draws: what is said of them is tested here
        return sj.sample(CHINCHILLA, simulated(), draws=250, chains=2)


@pytest.fixture(scope="module")
def replicates(posterior):
    return sj.bootstrap(posterior.fit, 100)


@pytest.fixture(scope="module")
def study(posterior, replicates):
    return make_study(posterior.fit, replicates, None, [1e20, 1e23], 0.9, posterior, Compared())


@pytest.fixture(scope="module")
def page(posterior, replicates, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "posterior.html"
    return report(posterior, path, draws=replicates, compute=[1e20, 1e23], comparison=Compared())


@pytest.fixture(scope="module")
def one_input():
    law = sj.laws.power_law
    return sj.fit(law, sj.simulate(law, {"E": 1.0, "A": 20.0, "alpha": 0.3}, x=np.logspace(3, 9, 30), noise=0.01), starts=256)


@pytest.fixture(scope="module")
def grouped():
    runs = simulated(40).with_columns(source=np.where(np.arange(40) % 2, "web", "books"))
    return sj.fit(CHINCHILLA, runs, by="source", share=("alpha", "beta"), starts=64)


def words(path, heading=None):
    """All words, or those from this heading to the next."""
    text = path.read_text()
    text = re.search(rf"<h2[^>]*>{heading}</h2>(.*?)</section>", text, flags=re.DOTALL)[1] if heading else text
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>", " ", text, flags=re.DOTALL)
    return " ".join(markup.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def rows(path, heading, number=0):
    """Cells of a table of a section."""
    body = re.search(rf"<h2[^>]*>{re.escape(heading)}</h2>(.*?)</section>", path.read_text(), flags=re.DOTALL)[1]
    table = re.findall(r"<table>.*?</table>", body, flags=re.DOTALL)[number]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)]
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in cells]


def test_sections_in_reading_order(page):
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page.read_text()) == [
        "In short", "What was asked", "Data", "Law", "Comparison of laws", "Estimates", "Prior and posterior", "Identifiability",
        "How well it fits", "Beyond the runs", "Loss over size and data", "What to train", "Can the posterior be trusted?",
        "How the fit was found", "To repeat this", "Plan your own run",
    ]  # fmt: skip


def test_what_was_asked(study, posterior):
    (paragraph,) = question.question(study).blocks[0].paragraphs
    runs = posterior.fit.runs
    assert "How does loss depend on parameters N and tokens D, and what should be trained for 1e20 to 1e23 FLOP?" in paragraph
    assert "E, A, alpha, B and beta was fitted to 60 runs" in paragraph
    assert (
        f"6ND from {style.flops(np.min(6 * runs['N'] * runs['D']))} to {style.flops(np.max(6 * runs['N'] * runs['D']))} FLOP" in paragraph
    )
    assert "those of 500 posterior draws, from the priors listed below and a Student-t likelihood; bootstrap and Laplace" in paragraph


def test_groups_are_asked_about(grouped):
    (paragraph,) = question.question(Study(grouped, {"Laplace": sj.laplace(grouped, 50)}, {}, 0.9)).blocks[0].paragraphs
    assert "The 2 groups (source) are books and web: they have alpha and beta in common." in paragraph
    assert paragraph.startswith("How does loss depend on parameters N and tokens D?") and "those of 50 Laplace draws." in paragraph


def test_estimates_side_by_side(page, posterior):
    table = rows(page, "Estimates", 1)  # the first has the recommended interval alone
    assert [row[1] for row in table[1:4]] == ["bootstrap", "Laplace", "posterior"]
    mine = next(row for row in table if row[0] == "alpha" and row[1] == "posterior")
    low, high = np.quantile(posterior.params["alpha"], [0.05, 0.95])
    assert float(mine[2]) == pytest.approx(np.median(posterior.params["alpha"]), rel=1e-4)
    assert [float(v) for v in mine[3].split(" – ")] == pytest.approx([low, high], rel=1e-4)
    assert "bands of this report are those of the posterior draws" in words(page, "Estimates")


def test_the_posterior_feeds_the_plan(page, posterior):
    low, high = sj.allocate(posterior, compute=1e23).interval(0.9)["N"]
    assert f"({style.quantity(low)}–{style.quantity(high)})" in words(page)
    low, high = np.quantile(posterior.params["E"], [0.05, 0.95])
    assert f"90 % interval {low:.3f} to {high:.3f}" in words(page)


def test_given_draws_come_before_the_bootstrap(one_input):
    study = make_study(one_input, sj.laplace(one_input, 50), None, None, 0.9)
    assert study.source == "Laplace" and list(study.sources) == ["Laplace"]


def test_a_posterior_of_other_runs_is_refused(posterior, tmp_path):
    other = sj.fit(CHINCHILLA, simulated(seed=1), starts=128)
    with pytest.raises(sj.DataError, match="sample from the law and the runs that were fitted"):
        report(other, tmp_path / "r.html", posterior=posterior)


def band(ax, label):
    """(x, low, high) of a filled band."""
    path = next(c for c in ax.collections if isinstance(c, PolyCollection) and c.get_label() == label).get_paths()[0].vertices
    x = np.unique(path[:, 0])
    ends = np.asarray([(path[path[:, 0] == v, 1].min(), path[path[:, 0] == v, 1].max()) for v in x])
    return x, *ends.T


def test_fan_bands_hold_what_they_say(posterior):
    ax = plot.fan(posterior.fit, posterior, ax=Figure().subplots())
    C = 6 * posterior.fit.runs["N"] * posterior.fit.runs["D"]
    assert ax.get_xlim()[1] == pytest.approx(100 * C.max())
    plan = sj.allocate((CHINCHILLA, posterior.center), compute=100 * C.max())
    value = posterior.predict(N=plan.N, D=plan.D)
    for level in (0.5, 0.8, 0.95):
        _, low, high = band(ax, f"law, {100 * level:g} %")
        assert [low[-1], high[-1]] == pytest.approx(np.quantile(value, [0.5 - level / 2, 0.5 + level / 2]), rel=1e-6)
    _, lower, higher = band(ax, "a new run, 95 %")
    assert (lower < low).all() and (higher > high).all()
    nu, sigma = posterior.sites["nu"], posterior.sites["sigma"]
    new = np.log(value)[:, None] + sigma[:, None] * np.random.default_rng(0).standard_t(np.tile(nu[:, None], 100))
    assert np.log(higher[-1] / lower[-1]) == pytest.approx(np.diff(np.quantile(new, [0.025, 0.975]))[0], rel=0.05)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"law, 50 %", "law, 80 %", "law, 95 %", "a new run, 95 %", "runs"} <= set(labels)
    assert "beyond the runs" in [text.get_text().strip() for text in ax.texts]


def test_fan_along_one_input_and_in_groups(one_input, grouped):
    ax = plot.fan(one_input, decades=1)
    x, low, high = band(ax, "law, 80 %")
    assert x[0] == pytest.approx(1e3) and x[-1] == pytest.approx(1e10)
    assert [low[-1], high[-1]] == pytest.approx(sj.laplace(one_input).predict_interval(0.8, x=x[-1]), rel=1e-9)
    with pytest.raises(sj.DecisionError, match="group="):
        plot.fan(grouped)
    ax = plot.fan(grouped, group="web", ax=Figure().subplots())
    web, C = grouped.runs["source"] == "web", 6 * grouped.runs["N"] * grouped.runs["D"]
    assert ax.get_xlim() == pytest.approx((C[web].min(), 100 * C[web].max()))


def test_fan_needs_a_scale(limited_fit):
    with pytest.raises(sj.FitError, match="of N and D or of one scalar input; 'limited' has N, D, U"):
        plot.fan(limited_fit)
    assert "Beyond the runs" not in [s.heading for s in outline(make_study(limited_fit, sj.laplace(limited_fit, 50), None, None, 0.9))]


def test_pairs_show_the_posterior_beside_its_prior(posterior):
    axes = plot.pairs(posterior)
    assert axes.shape == (5, 5) and [axes[i, i].get_title() for i in range(5)] == list(CHINCHILLA.parameters)
    diagonal = axes[2, 2]
    assert sum(patch.get_height() * patch.get_width() for patch in diagonal.patches) == pytest.approx(1, abs=0.01)
    x, density = diagonal.lines[0].get_xydata().T
    low, high = np.log(0.05), np.log(1.5)  # the plausible range of alpha holds 95 % of its log-normal prior
    z = (np.log(x) - 0.5 * (low + high)) / ((high - low) / 3.92)
    np.testing.assert_allclose(density, np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) / ((high - low) / 3.92) / x, rtol=1e-3)
    assert plot.pairs(posterior, ["A", "beta"]).shape == (2, 2)
    with pytest.raises(sj.FitError, match="did you mean 'beta'"):
        plot.pairs(posterior, ["betta"])


def test_a_prior_on_a_logarithmic_axis_integrates_to_its_mass(posterior):
    x, density = plot.pairs(posterior, ["B"])[0, 0].lines[0].get_xydata().T
    assert np.ptp(x) > np.log10(3)
    prior = posterior.priors["B"]
    z = (x * np.log(10) - float(prior.loc)) / float(prior.scale)
    np.testing.assert_allclose(density, np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) / float(prior.scale) * np.log(10), rtol=1e-3)


def test_what_is_left_of_the_prior(page, posterior):
    left = {row[0]: row[1:] for row in rows(page, "Prior and posterior")}
    low, high = np.log(0.05), np.log(1.5)
    assert float(left["alpha"][0]) == pytest.approx((high - low) / 3.92, rel=0.04)
    assert float(left["alpha"][1]) == pytest.approx(np.std(np.log(posterior.params["alpha"])), rel=0.01)
    assert set(left) == {"parameter", *CHINCHILLA.parameters, "nu", "sigma"}


def test_pictures_of_pairs_have_room_for_some(page, study, monkeypatch):
    assert "Left out" not in words(page)
    monkeypatch.setattr(posterior_plots, "MOST", 3)
    picture = uncertainty.prior_and_posterior(study)[0].blocks[1]
    assert plot.pairs(study.posterior).shape == (3, 3) and "Left out: B and beta." in picture.caption


def test_two_of_chinchillas_pairs_move_together(study):
    text = " ".join(uncertainty.identifiability(study).blocks[1].items)
    r = np.corrcoef(np.log(study.posterior.params["A"]), np.log(study.posterior.params["alpha"]))[0, 1]
    assert r > 0.95 and "A and alpha move together (correlation +0.99" in text and "when A rises, alpha rises" in text
    assert "A, alpha" not in text, "A and B are not tied"
    low, high = study.limits["B"]
    assert (f"B by itself is known only to within a factor of {high / low:.2g}" in text) == (high > 4 * low)


def test_a_ray_of_runs_is_a_ridge_in_words():
    """D = 20 N throughout and one exponent, so that A + B 20^-alpha is all that can be known of A and B."""

    @sj.law(E=sj.Positive(0.1, 5), A=sj.Positive(1, 1e6), B=sj.Positive(1, 1e6), alpha=sj.Positive(0.05, 1.5))
    def tied(N, D, *, E, A, B, alpha):
        """Chinchilla with a single exponent."""
        return E + A * N**-alpha + B * D**-alpha

    N = np.logspace(8, 10, 30)
    runs = sj.simulate(tied, {"E": 1.8, "A": 400.0, "B": 400.0, "alpha": 0.34}, N=N, D=20 * N, noise=0.003)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.IdentifiabilityWarning)
        fit = sj.fit(tied, runs, unidentified="warn", starts=128)
    assert fit.curvature[0].flat == ("A", "B")  # by the residuals' derivatives: a gradient of 1e-11 bends the objective along it
    with pytest.raises(sj.IdentifiabilityError, match="A, B of 'tied' are not determined by the runs, so no interval of them is finite"):
        sj.bootstrap(fit, 100)
    text = " ".join(uncertainty.identifiability(Study(fit, {"bootstrap": ridge(fit, -0.9995, 0.5)}, {}, 0.9)).blocks[1].items)
    assert "D = 20 N in all 30 runs" in text
    assert re.search(r"Only the combination of (A and B|B and A) is determined: along the flat direction [AB] rises while [AB] falls", text)
    assert "neither of these numbers means anything by itself; predictions inside the data do not suffer" in text
    assert "The fit stopped somewhere along it: an interval that stays near that point is far too narrow" in text and "E, A" not in text
    half = fit.params["A"] / 2  # which of all optima the fit shows depends on rounding
    further = {**fit.params, "A": half, "B": fit.params["B"] + half * 20 ** fit.params["alpha"]}
    np.testing.assert_allclose(tied(N, 20 * N, **further), fit.fitted, rtol=1e-12)
    assert ridges.directions(sj.fit(CHINCHILLA, simulated(), starts=64)) == []
    low, high = sj.bootstrap(sj.fit(tied, runs, fix={"A": half}, starts=128), 100).predict_interval(0.9, N=1e9, D=2e10)
    assert high - low < 0.01, "predictions inside the data do not suffer indeed"


def ridge(fit, r, spread, kind="drawn"):
    """Draws whose first two parameters have this correlation and spread."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2, 4000))
    theta = np.repeat(fit.theta[..., None], 4000, axis=2) + 1e-3 * rng.standard_normal((*fit.theta.shape, 4000))
    theta[0, 0] += spread * z[0]
    theta[1, 0] += spread * (r * z[0] + np.sqrt(1 - r**2) * z[1])
    return Draws(fit, theta, kind)


def test_words_for_ridges(one_input):
    names = one_input.law.parameters[:2]
    shape = one_input.curvature[0]
    one_input = replace(one_input, curvature=(replace(shape, covariance=np.eye(3)),))
    steep = ridges.correlated(ridge(one_input, -0.9995, 0.5), 0.9)[0]
    assert steep.startswith(f"Only the combination of {names[0]} and {names[1]} is determined: along the ridge one rises while the other")
    assert "falls (correlation −0.99" in steep and "neither number means anything by itself" in steep
    narrow = ridges.correlated(ridge(one_input, 0.9995, 0.05), 0.9)[0]
    assert narrow.startswith(f"{names[0]} and {names[1]} move together (correlation +0.99")
    assert ridges.correlated(ridge(one_input, 0.9, 0.5), 0.9) == []
    nonlinearity = replace(one_input, curvature=(replace(shape, covariance=np.asarray([[1, 0.97, 0], [0.97, 1, 0], [0, 0, 1]])),))
    assert "correlation +0.970" in ridges.correlated(ridge(nonlinearity, 0.5, 0.5), 0.9)[0], "the optimum's curvature counts too"


def test_a_prior_that_governs_is_named(posterior, study):
    tight = {**posterior.priors, "alpha": type(posterior.priors["alpha"])(np.log(0.34), np.std(np.log(posterior.params["alpha"])))}
    drawn = replace(posterior, priors=type(posterior.priors)(tight))
    assert "alpha" in [entry.label for entry in prior_share.governed(drawn)]
    text = " ".join(uncertainty.identifiability(replace(study, posterior=drawn)).blocks[1].items)
    assert "alpha is governed by its prior: more than 70 % of the prior's standard deviation is left." in text
    assert "beta is governed" not in text


def test_comparison_of_laws(page, study):
    text = words(page, "Comparison of laws")
    assert Compared.verdict in text and "kaplan 75 %, chinchilla 25 %" in text and "199.25" in text
    assert "prefers kaplan (weight 75 %) to the law of this report, which has 25 %" in words(page, "In short")
    better = Compared()
    better.weights = {"chinchilla": 0.9, "kaplan": 0.1}
    assert "prefers" not in " ".join(verdict.cautions(replace(study, comparison=better)))


def test_diagnostics_praise_and_complain(page, study, posterior):
    cells = {row[0]: row[1:] for row in rows(page, "Can the posterior be trusted?")}
    rhat, bulk, tail = posterior.worst
    assert max(float(v[0]) for k, v in cells.items() if k != "parameter") == pytest.approx(rhat, abs=6e-5)
    assert {row[0] for row in rows(page, "Can the posterior be trusted?", 1)} == {"parameter", "nu", "sigma"}
    priors = {row[0]: row[1] for row in rows(page, "Can the posterior be trusted?", 2)}
    assert priors["alpha"] == "LogNormal(loc=-1.3, scale=0.868)"
    happy = replace(posterior)
    vars(happy)["complaints"] = []
    said = uncertainty.diagnostics(replace(study, posterior=happy))[0].blocks[0]
    assert not said.care and f"The 2 chains agree (largest R-hat {rhat:.3f})" in said.paragraphs[0]
    assert f"worth at least {min(bulk, tail):,.0f} independent ones" in said.paragraphs[0]
    diverged = replace(posterior, sampler=replace(posterior.sampler, diverging=np.ones((2, 250), bool)))
    said = uncertainty.diagnostics(replace(study, posterior=diverged))[0].blocks[0]
    assert said.care and any("500 of 500 draws diverged" in p for p in said.paragraphs)
    assert any("500 of 500 draws diverged" in s for s in verdict.cautions(replace(study, posterior=diverged)))


def test_it_can_be_repeated(page, posterior):
    entries = dict(row for row in rows(page, "To repeat this")[1:])
    assert entries["data digest"] == posterior.fit.runs.digest
    assert entries["chains"] == "2 of 250 draws" and "seed 0" in entries["draws, posterior"]
    assert entries["likelihood"].startswith("StudentT(") and "alpha ~ LogNormal(loc=-1.3, scale=0.868)" in entries["priors"]
    assert entries["sampler"].startswith("NumPyro ") and f"scalejax {sj.__version__}" in entries["versions"]


def test_accessible(page):
    text = page.read_text()
    assert "<html lang='en'>" in text and "name='viewport'" in text
    levels = [int(v) for v in re.findall(r"<h(\d)", text)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b <= a + 1 for a, b in pairwise(levels))
    described = re.findall(r"<svg role=\"img\" aria-labelledby=\"([^\"]+)\"", text)
    assert len(described) + len(re.findall(r"<svg [^>]*role='img' aria-label='[^']+'", text)) == text.count("<svg ") >= 9
    for name in described:
        assert len(re.search(rf"<figcaption id='{re.escape(name)}'>([^<]+)<", text)[1]) > 20
    assert len(re.findall(r"<th\b", text)) == len(re.findall(r"<th scope='(?:col|row)'", text))


def luminance(colour):
    rgb = np.asarray([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92) @ [0.2126, 0.7152, 0.0722]


def contrast(a, b):
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def test_letters_stand_out(page):
    for block in re.findall(r":root \{([^}]*)\}", page.read_text()):
        colour = {k: "#" + (v if len(v) == 6 else "".join(2 * c for c in v)) for k, v in re.findall(r"--(\w+): #([0-9a-f]+)", block)}
        for letters in ("ink", "soft", "link"):
            for ground in ("paper", "panel"):
                assert contrast(colour[letters], colour[ground]) >= 4.5, (letters, ground)
    from matplotlib.colors import to_hex

    for colour in style.PALETTE:
        assert contrast(to_hex(style.ink(colour)), "#ffffff") >= 4.49  # rounding to 8 bits


def opened(page):
    """What the browser makes of a page: its document after loading, and what it wrote to the console."""
    if BROWSER is None:
        pytest.skip("there is no Chromium to open the report with")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--v=0",
        "--virtual-time-budget=4000",
        "--dump-dom",
    ]
    folder = page.parent / "browser"
    done = subprocess.run(
        [BROWSER, *options, f"--user-data-dir={folder}", page.as_uri()], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-1000:]
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_on_a_phone(page, tmp_path, width):
    """The page in a frame of a phone's width: it does not scroll sideways, and no letters of its pictures are tiny."""
    measure = """
        const d = frame.contentDocument, letters = [...d.querySelectorAll('svg text')];
        const sizes = letters.map(t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a).sort((a, b) => a - b);
        document.title = JSON.stringify({width: d.documentElement.scrollWidth, letters: sizes})"""
    wrapper = tmp_path / "frame.html"
    srcdoc = markup.escape(page.read_text())
    wrapper.write_text(
        f"<!doctype html><title>waiting</title><iframe id='frame' width='{width}' height='800' style='border:0' "
        f'onload="{markup.escape(measure)}" srcdoc="{srcdoc}"></iframe>'
    )
    text, _ = opened(wrapper)
    found = json.loads(markup.unescape(re.search(r"<title>(.*?)</title>", text)[1]))
    assert found["width"] <= width and np.median(found["letters"]) > 9


def test_the_browser_has_no_complaints(page):
    text, complaints = opened(page)
    assert complaints == [] and text.count("<svg ") == page.read_text().count("<svg ")


def interrupt(monkeypatch, after):
    """Ctrl-C in the middle of the write that follows `after` complete ones."""
    done, fsync = [], os.fsync

    def stop(handle):
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(handle)
        fsync(handle)

    monkeypatch.setattr(files.os, "fsync", stop)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_an_interrupt_leaves_the_older_page(one_input, tmp_path, monkeypatch):
    path = report(one_input, tmp_path / "r.html", draws=sj.laplace(one_input, 50))
    before = contents(tmp_path)
    interrupt(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        report(one_input, path, draws=sj.laplace(one_input, 50, seed=1), title="newer")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupt_leaves_the_older_markdown_and_its_pictures(one_input, tmp_path, monkeypatch, after):
    path = report(one_input, tmp_path / "my r.md", draws=sj.laplace(one_input, 50))
    before = contents(tmp_path)
    assert len(before) == 5
    interrupt(monkeypatch, after)
    with pytest.raises(KeyboardInterrupt):
        report(one_input, path, draws=sj.laplace(one_input, 50, seed=1), title="newer")
    assert contents(tmp_path) == before


def test_a_newer_markdown_takes_its_old_pictures_away_and_nothing_else(one_input, tmp_path):
    path = report(one_input, tmp_path / "r.md", draws=sj.laplace(one_input, 50))
    own = tmp_path / "r_files" / "own.png"
    own.write_bytes(b"mine")
    report(one_input, path, draws=sj.laplace(one_input, 50, seed=1))
    linked = set(re.findall(r"\]\((r_files/[^)]+)\)", path.read_text()))
    assert {str(p.relative_to(tmp_path)) for p in (tmp_path / "r_files").iterdir()} == linked | {"r_files/own.png"}
