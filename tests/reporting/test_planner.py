"""The planner answers in the browser what `allocate` answers."""

from __future__ import annotations

import html as markup
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax.reporting.planner.block import MFU, PEAK, PRICE, R_STAR, planner
from scalejax.reporting.planner.javascript import javascript
from scalejax.reporting.study import make_study

LAW = sj.laws.chinchilla
TRUTH = dict(LAW.published["besiroglu2024"])
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--v=0", "--virtual-time-budget=4000"]  # fmt: skip
EVIL = ["<script>alert(1)</script>", r"$\input{x}$", "</script><img src=x>"]


@pytest.fixture(scope="module")
def draws():
    rng = np.random.default_rng(0)
    runs = sj.simulate(LAW, TRUTH, N=10 ** rng.uniform(7.5, 9.5, 40), D=10 ** rng.uniform(9, 11, 40), noise=0.005)
    return sj.laplace(sj.fit(LAW, runs, starts=64), 12)


@pytest.fixture(scope="module")
def page(draws, tmp_path_factory):
    path = tmp_path_factory.mktemp("planner") / "report.html"
    return sj.report(draws.fit, path, draws=draws, compute=[1e20, 1e22], forecast=False)


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    rng = np.random.default_rng(1)
    runs = sj.simulate(LAW, TRUTH, N=10 ** rng.uniform(7.5, 9.5, 45), D=10 ** rng.uniform(9, 11, 45), noise=0.005)
    runs = runs.with_columns(arch=np.repeat(EVIL, 15))
    fit = sj.fit(LAW, runs, by={"A": "arch"}, starts=32)
    path = tmp_path_factory.mktemp("evil") / "report.html"
    return fit, sj.report(fit, path, draws=sj.laplace(fit, 12), compute=[1e20], title="<b>$x$</b>")


def opened(page, asked=""):
    """The document after loading, and what the browser complained of."""
    if BROWSER is None:
        pytest.skip("there is no Chromium to open the planner with")
    command = [BROWSER, *FLAGS, f"--user-data-dir={page.parent / 'browser'}", "--dump-dom", page.as_uri() + asked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def answers(document):
    """Name to the exact number, or band, that is shown."""
    found = re.findall(r'data-name="([\w-]+)"[^>]*data-value="([^"]*)"', document)
    return {name: json.loads(markup.unescape(value)) for name, value in found}


def test_numbers_are_those_of_allocate(draws, page):
    document, complaints = opened(page)
    shown, plan = answers(document), sj.allocate(draws, compute=1e22)
    assert complaints == []
    for name, value in (("N", plan.N), ("D", plan.D), ("loss", plan.loss)):
        assert shown[name] == pytest.approx(value, rel=1e-9 if name == "loss" else 3e-6)
        assert shown[f"{name}-band"] == pytest.approx(plan.interval(0.9)[name], rel=1e-9 if name == "loss" else 3e-6)
    assert len(re.findall(r'class="(?:curve|band|mark)"', document)) == 6  # two pictures, each with line, band and mark


def test_dollars_serving_and_unique_tokens(draws, page):
    """All at once, against `allocate` of the same law with tokens that repeat."""
    asked = {"budget": 3e5, "price": 3.5, "served": 2e12, "unique": 2e10}
    shown = answers(opened(page, "#" + "&".join(f"{name}={value}" for name, value in asked.items()))[0])
    cost = sj.costs.dollars(sj.costs.six_nd_inference, price=3.5, peak=PEAK, mfu=MFU)

    def best(params):
        full = {**params, "R_D_star": R_STAR, "R_N_star": 1e18}
        plan = sj.allocate((sj.laws.data_constrained, full), compute=3e5, cost=cost, D_inf=2e12, U=2e10)
        return plan.N, plan.D, plan.loss

    for name, value in zip(("N", "D", "loss"), best(draws.fit.params), strict=True):
        assert shown[name] == pytest.approx(value, rel=1e-8 if name == "loss" else 1e-5)
    every = np.asarray([best({n: float(v[i]) for n, v in draws.params.items()}) for i in range(len(draws))])
    for name, values in zip(("N", "D", "loss"), every.T, strict=True):
        assert shown[f"{name}-band"] == pytest.approx(np.quantile(values, [0.05, 0.95]), rel=1e-8 if name == "loss" else 1e-5)


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append(dict(attrs))
        assert not any(name.startswith("on") or name == "src" for name, _ in attrs)


def test_names_are_inert(evil, tmp_path):
    fit, path = evil
    text = path.read_text()
    tags = Tags(text)
    assert tags.scripts == [{"type": "application/json", "id": "planner-data"}, {}] and "img" not in tags.tags and "b" in tags.tags
    assert "<title>&lt;b&gt;$x$&lt;/b&gt;</title>" in text and "Content-Security-Policy" in text
    document, complaints = opened(path, "#group=" + "%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert complaints == [] and document.count("<option") == 3 and answers(document)["N"] > 0
    markdown = sj.report(fit, tmp_path / "r.md", draws=sj.laplace(fit, 12), compute=[1e20]).read_text()
    assert not re.search(r"(?<!\\)<(?:script|img)", markdown)


def test_no_other_script_may_run(page):
    """The policy of the page names the hash of the planner's program and nothing else."""
    text = page.read_text()
    if BROWSER is None:
        pytest.skip("there is no Chromium to open the planner with")
    injected = page.parent / "injected.html"
    injected.write_text(text.replace("</main>", "<script>document.title = 'taken over'</script></main>"))
    document, complaints = opened(injected)
    assert "taken over</title>" not in document and any("Content Security Policy" in line for line in complaints)
    assert answers(document)["N"] > 0  # the planner itself still runs


def test_laws_that_a_browser_cannot_compute_have_no_planner(draws):
    with pytest.raises(sj.LawError, match="cannot do in a browser"):
        javascript(lambda N: jnp.sum(jnp.arange(3.0) * N), ["N"])
    one = sj.fit(
        "power_law", sj.simulate(sj.laws.power_law, {"E": 1.0, "A": 20.0, "alpha": 0.3}, x=np.logspace(3, 8, 20), noise=0.01), starts=16
    )
    assert planner(make_study(one, sj.laplace(one, 20), None, None, 0.9)) == []
    study = make_study(draws.fit, draws, None, [1e22], 0.9, forecast=False)
    data = planner(study)[0].blocks[1].data
    assert data["defaults"]["budget"] == pytest.approx(1e22 / (3600 * PEAK * MFU / PRICE)) and len(data["groups"][0]["draws"]) == 12
