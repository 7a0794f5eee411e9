"""Ctrl-C at any moment: the session goes on as before, files are whole, and the command line ends in one line with status 130."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import jax
import numpy as np
import pytest

import scalejax as sj
from scalejax.core.lazy import whole

X = np.logspace(3, 8, 40)
RUNS = {"x": X, "loss": (1.0 + 20 * X**-0.3) * np.exp(0.01 * np.random.default_rng(0).standard_normal(40))}
LINE = "scalejax: interrupted; files written before are whole."


@contextmanager
def interrupted(after: float):
    """Ctrl-C so many seconds from now."""

    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_interrupted_import_is_finished(tmp_path, monkeypatch):
    """NumPyro, cut off in the middle, would fail in every later call."""
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(0.5)\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt), interrupted(0.1):
        whole("slow_to_import")
    assert whole("slow_to_import").whole
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        whole("no_such_module")


def ended(words, cwd, after):
    """How the command line ends that is interrupted after so many seconds: its status, and the last line that it says."""
    with subprocess.Popen(
        [sys.executable, "-m", "scalejax", *words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert not [line for line in said.splitlines() if not line.startswith(("scalejax: ", "note: "))], said
    return process.returncode, said.splitlines()[-1:]


@pytest.fixture
def folder(tmp_path):
    """A table of runs and a saved fit."""
    rows = "\n".join(f"{x},{y}" for x, y in zip(RUNS["x"], RUNS["loss"], strict=True))
    (tmp_path / "runs.csv").write_text(f"x,loss\n{rows}\n")
    sj.fit("power_law", RUNS, starts=32).save(tmp_path / "fit.json")
    return tmp_path


FIT = ["fit", "runs.csv", "--law", "power_law", "--out", "fit.json"]


def check_moment(folder, words, after):
    old = (folder / "fit.json").read_bytes()
    status, last = ended(words, folder, after)
    assert (status, last) == (130, [LINE]) or status == 0
    assert sj.load_fit(folder / "fit.json").law.name == "power_law"
    assert (folder / "fit.json").read_bytes() == old or status == 0
    assert not list(folder.glob(".scalejax-*"))


def test_the_command_line_ends_in_one_line(folder):
    check_moment(folder, FIT, 0.7)


VERBS = {
    "fit": FIT,
    "sample": ["sample", "runs.csv", "--law", "power_law", "--out", "posterior.npz"],
    "report": ["report", "fit.json", "report.html", "--bootstrap", "200"],
}


@pytest.mark.slow
@pytest.mark.parametrize("after", np.geomspace(0.4, 9, 10).round(2))  # before, Python itself is starting
@pytest.mark.parametrize("verb", VERBS)
def test_every_moment_of_the_command_line(folder, verb, after):
    check_moment(folder, VERBS[verb], after)


_SESSION = """
import sys
sys.path.insert(0, {tests!r})
from test_interrupts import in_session
in_session({what!r}, {after!r})
"""


def in_session(what, after):
    """In a fresh process: interrupted once, then the same again."""
    calls = {
        "sample": lambda: sj.sample("power_law", RUNS, draws=100, warmup=100, chains=2),
        "fit": lambda: sj.bootstrap(sj.fit("power_law", RUNS), 2000),
        "report": lambda: sj.report(sj.fit("power_law", RUNS), "report.html"),
    }
    flag = jax.config.jax_enable_x64
    with suppress(KeyboardInterrupt), interrupted(after):
        calls[what]()
    assert jax.config.jax_enable_x64 == flag
    calls[what]()
    print("whole")


@pytest.mark.slow
@pytest.mark.parametrize("after", np.geomspace(0.05, 8, 10).round(2))
@pytest.mark.parametrize("what", ["sample", "fit", "report"])
def test_every_moment_of_a_session(tmp_path, what, after):
    """Whatever was cut off, the next call does its work."""
    code = _SESSION.format(tests=os.path.dirname(__file__), what=what, after=float(after))
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert out.returncode == 0 and out.stdout.endswith("whole\n"), out.stderr
