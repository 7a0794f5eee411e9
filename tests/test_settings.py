"""Whatever a user has set of JAX, the whole path works and gives the same bits; nothing of Matplotlib's settings stays changed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import jax
import matplotlib as mpl
import numpy as np
import pytest

import scalejax as sj

SETTINGS = {
    "strict promotion of types": {"jax_numpy_dtype_promotion": "strict"},
    "no promotion of ranks": {"jax_numpy_rank_promotion": "raise"},
    "no implicit transfers": {"jax_transfer_guard": "disallow"},
    "NaN refused": {"jax_debug_nans": True, "jax_debug_infs": True},
    "nothing compiled": {"jax_disable_jit": True},
    "double precision": {"jax_enable_x64": True},
    "other random bits": {"jax_default_prng_impl": "rbg", "jax_threefry_partitionable": False},
    "coarse products": {"jax_default_matmul_precision": "bfloat16"},
}
EACH = [pytest.param(name, marks=pytest.mark.slow) for name in SETTINGS]
SETTINGS["all at once"] = {name: value for changes in SETTINGS.values() for name, value in changes.items()}
RNG = np.random.default_rng(4)
N, D = 10 ** RNG.uniform(7, 9, 40), 10 ** RNG.uniform(9, 11, 40)
TRUE = sj.laws.chinchilla.published["besiroglu2024"]
RUNS = {"N": N, "D": D, "loss": sj.laws.chinchilla(N, D, **TRUE) * np.exp(0.003 * RNG.standard_normal(40)), "arch": ["a", "b"] * 20}


@sj.law(E=sj.Positive(0.5, 3), A=sj.Positive(1, 1e4), alpha=sj.Unit())
def own(N, *, E, A, alpha):
    """A law of the user's own, which calls another."""
    return sj.laws.power_law(N, E=E, A=A, alpha=alpha)


def quick(tmp_path):
    """The main job, number by number."""
    yield sj.laws.chinchilla(1e9, 2e10, **TRUE)
    fit = sj.fit("chinchilla", RUNS, starts=64)
    yield from fit.params.values()
    yield fit.predict(N=[1e10, 2e10], D=1e12)
    yield from fit.interval(0.9).values()
    yield repr(fit).split("; lm in")[0]
    draws = sj.bootstrap(fit, 20)
    yield draws.theta
    yield sj.laplace(fit, 20).theta
    yield sj.allocate(draws, compute=[1e21, 1e22]).N
    yield list(sj.fit(own, RUNS, by="arch", share="alpha", starts=32).params.values())
    path = tmp_path / "fit.json"
    fit.save(path)
    yield sj.load_fit(path).predict(N=1e9, D=1e10)


def whole(tmp_path):
    """Everything else that computes."""
    fit = sj.fit("chinchilla", RUNS, starts=64)
    for solver in ("varpro", "lbfgs"):
        yield list(sj.fit("chinchilla", RUNS, starts=16, solver=solver).params.values())
    yield sj.holdout({"own": own, "chinchilla": "chinchilla"}, RUNS, largest=0.2, starts=16).table().text()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.ConvergenceWarning)
        posterior = sj.sample("chinchilla", RUNS, draws=40, warmup=60, chains=2)
    yield posterior.theta
    yield posterior.loo.elpd
    yield sj.next_runs(fit, target=dict(N=1e10, D=1e12), space=dict(N=(1e7, 1e9), D=(1e9, 1e11)), runs=2).table().text()
    text = sj.report(fit, tmp_path / "report.html", draws=sj.bootstrap(fit, 20), compute=[1e22]).read_text()
    yield re.sub(r"\d+\.\d\d s\b", "", text)  # how long the fit took
    rng = np.random.default_rng(0)
    h = rng.dirichlet(np.ones(3), 40)
    mixture = sj.fit("data_mixing_m4", {"h": h, "loss": 2 + np.exp(h @ [0.5, -3.0, -1.0]) + 0.001 * rng.standard_normal(40)}, starts=16)
    yield sj.optimal_mixture(mixture).table().text()


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What there is without any setting."""
    return cache(lambda path: list(path(tmp_path_factory.mktemp("plain"))))


@pytest.fixture(params=[quick, pytest.param(whole, marks=pytest.mark.slow)])
def path(request):
    return request.param


@pytest.fixture
def setting(request, expected):
    expected(request.getfixturevalue("path"))  # before anything is set
    names = {n: (getattr(jax.config, n), value) for n, value in SETTINGS[request.param].items()}
    for name, (_, value) in names.items():
        jax.config.update(name, value)
    yield
    for name, (before, value) in names.items():
        assert getattr(jax.config, name) == value
        jax.config.update(name, before)


def same(found, wanted):
    """The same numbers bit for bit, the same words."""
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("setting", ["all at once", *EACH], indirect=True)
def test_the_whole_path_under_each_setting(path, setting, expected, tmp_path):
    same(list(path(tmp_path)), expected(path))


def test_reports_from_threads_are_those_of_one_thread_and_leave_matplotlib_alone(tmp_path):
    fit = sj.fit("power_law", {"x": N, "loss": RUNS["loss"]}, starts=32)
    draws, before = sj.laplace(fit, 50), dict(mpl.rcParams)
    with ThreadPoolExecutor(2) as pool:
        paths = [tmp_path / f"{i}.html" for i in range(2)]
        written = set(pool.map(lambda path: sj.report(fit, path, draws=draws).read_text(), paths))
    assert written == {sj.report(fit, tmp_path / "alone.html", draws=draws).read_text()}
    assert dict(mpl.rcParams) == before


_FORKED = """
import os, warnings, scalejax as sj
sj.laws.power_law(1e6, E=1.0, A=20.0, alpha=0.3)
warnings.simplefilter("ignore")  # JAX's own, of forks
if (child := os.fork()) == 0:
    try:
        sj.laws.power_law(1e6, E=1.0, A=20.0, alpha=0.3)
    except sj.ScalejaxError as error:
        os.write(1, str(error).encode())
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_after_a_computation_is_told_what_to_do():
    out = subprocess.run([sys.executable, "-c", _FORKED], capture_output=True, text=True, check=True, timeout=120)
    assert "multiprocessing.get_context('spawn')" in out.stdout and not out.stderr
