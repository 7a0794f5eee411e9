"""Programs kept whole: a second process traces nothing, and nobody is given a program that is not his."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

import scalejax as sj
from scalejax.core.numeric import programs, ready
from scalejax.core.numeric.ready import Broken, Nameless, Ready, signature
from scalejax.fitting.objective.losses import LossArgument

ANSWERS = """
import json, sys, numpy as np, scalejax as sj
from scalejax.core.numeric.batching import trace_counts
N, D = np.meshgrid(np.logspace(7, 9, 5), np.logspace(9, 11, 5))
truth = dict(E=1.7, A=400.0, alpha=0.34, B=410.0, beta=0.28)
runs = sj.simulate(sj.laws.chinchilla, truth, N=N.ravel(), D=D.ravel(), noise=0.003)
fit = sj.fit("chinchilla", runs, starts=64)
plan = sj.allocate(fit, compute=1e21)
print(json.dumps([fit.params, str(fit.interval(0.9)), str(fit.residuals), plan.N, str(plan), trace_counts()]))
"""


def run(script: str, cache: Path, seed: int = 0, cwd: Path | None = None) -> list:
    """What a process prints whose user has configured nothing but the folder."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("JAX_") and k != "XLA_FLAGS"}
    env |= {"SCALEJAX_CACHE": str(cache), "PYTHONHASHSEED": str(seed)}
    found = subprocess.run([sys.executable, "-W", "error", "-c", script], env=env, cwd=cwd, capture_output=True, text=True)
    assert found.returncode == 0 and found.stderr == "", found.stderr
    return json.loads(found.stdout)


def test_a_second_process_traces_nothing_and_says_the_same(tmp_path):
    *first, traced = run(ANSWERS, tmp_path, 1)
    assert traced["solve"] >= 1 and len(list(tmp_path.glob(f"*/*{ready.SUFFIX}"))) >= 5
    assert not [path for path in tmp_path.glob("*/jit_advance*")], "kept twice"
    for seed in (2, 3):
        assert run(ANSWERS, tmp_path, seed) == [*first, {}]


def test_spoiled_files_are_made_anew_and_then_kept_again(tmp_path):
    *first, _ = run(ANSWERS, tmp_path)
    for k, path in enumerate(sorted(tmp_path.glob(f"*/*{ready.SUFFIX}"))):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x10
        path.write_bytes([content, content[:-9], b""][k % 3])
    *again, traced = run(ANSWERS, tmp_path)
    assert again == first and traced["solve"] >= 1
    assert run(ANSWERS, tmp_path) == [*first, {}]


def test_laws_of_ones_own_are_what_they_are_now(tmp_path):
    """Their code, or what it looks up, may change between two processes without a trace in the law."""
    script = """
import json, numpy as np, scalejax as sj
from numbers_of_mine import SHIFT
@sj.law(E=sj.Positive(0.1, 5.0), A=sj.Positive(1.0, 1e4), alpha=sj.Positive(0.05, 1.0))
def mine(N, *, E, A, alpha):
    return E + A * (N + SHIFT) ** -alpha
N = np.logspace(6, 9, 12)
runs = {"N": N, "loss": 1.7 + 400.0 * (N + 1e6) ** -0.34}
print(json.dumps(sj.fit(mine, runs, starts=64).params))
"""
    params = []
    for shift in ("1e6", "1e7"):
        (tmp_path / "numbers_of_mine.py").write_text(f"SHIFT = {shift}\n")
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        params.append(run(script, tmp_path / "kept", cwd=tmp_path))
    assert params[0] == pytest.approx({"E": 1.7, "A": 400.0, "alpha": 0.34}, rel=1e-4)
    assert params[1]["alpha"] != pytest.approx(0.34, rel=1e-2)


def test_names_tell_programs_apart():
    laws = sj.laws
    different = [
        laws.chinchilla, laws.kaplan, laws.chinchilla.bind(E=1.7), laws.chinchilla.bind(E=1.8), sj.additive("N", "D"),
        sj.additive("N", "C"), sj.additive("N"), 1, 1.0, True, "1", None, (1, 2), (2, 1), ((1,), 2), [1, 2], {"a": 1}, {"a": 2},
        np.zeros(2), np.zeros(3), np.ones(2), np.zeros(2, np.float32), np.float64(1), float, np.sum, partial(np.sum, axis=0),
        partial(np.sum, axis=1), frozenset({1, 2}),
        jax.tree.structure((1, 2)), jax.tree.structure([1, 2]), sj.Positive(1, 2), sj.Positive(1, 3), sj.Real(1, 2),
    ]  # fmt: skip
    names = [repr(signature(one)) for one in different]
    assert len(set(names)) == len(names)
    assert signature(sj.additive("N", "D")) == signature(sj.additive("N", "D"))
    fit = sj.fit("chinchilla", sj.datasets.load("chinchilla_epoch"), starts=16)
    assert signature(fit.request.spec) != signature(sj.fit(sj.laws.chinchilla, fit.runs, loss=sj.squared(), starts=16).request.spec)
    assert isinstance(jax.tree.structure(LossArgument(sj.huber(1e-3))), jax.tree_util.PyTreeDef)


def test_functions_of_one_line_and_name_are_told_apart(monkeypatch, tmp_path):
    path = tmp_path / "pairs.py"
    path.write_text(
        "def make(n):\n    return lambda x: x + n, lambda x: x - n, lambda x: (lambda y: y * 2)(x), lambda x: (lambda y: y * 3)(x)\n"
    )
    monkeypatch.setattr(ready, "_PACKAGE", tmp_path)
    ready._inside.cache_clear()
    monkeypatch.syspath_prepend(tmp_path)
    from pairs import make

    functions = (*make(1), *make(2)[:2])
    assert len({repr(signature(one)) for one in functions}) == len(functions)
    assert [signature(one) for one in make(1)] == [signature(one) for one in make(1)]
    with pytest.raises(Nameless):
        signature(make(object())[0])
    ready._inside.cache_clear()


def test_what_may_change_has_no_name():
    @sj.law(E=sj.Positive(0.1, 5.0))
    def mine(N, *, E):
        return E / N

    def itself():
        return itself

    for one in (
        mine,
        lambda x: x,
        partial(lambda x: x),
        itself,
        object(),
        (1, (2, object())),
        {"a": object()},
        iter(()),
        {"f": mine},
        np.asarray([mine]),
    ):
        with pytest.raises(Nameless):
            signature(one)


def test_another_version_of_the_package_is_another_program(monkeypatch, tmp_path):
    """The names of files hold the package's own files: one that is new, longer, or of another time."""
    package = tmp_path / "scalejax"
    package.mkdir()
    (package / "one.py").write_text("x = 1\n")
    monkeypatch.setattr(ready, "_PACKAGE", package)

    def now() -> str:
        ready._sources.cache_clear()
        return ready._sources()

    seen = [now()]
    assert now() == seen[0]
    os.utime(package / "one.py", (1, 1))
    seen.append(now())
    (package / "one.py").write_text("x = 11\n")
    seen.append(now())
    (package / "two.py").write_text("")
    seen.append(now())
    assert len(set(seen)) == 4
    ready._sources.cache_clear()


def test_settings_and_shapes_are_part_of_the_name(monkeypatch):
    before = ready._surroundings()
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    assert ready._surroundings() != before
    kinds = [
        1,
        1.0,
        np.float64(1.0),
        np.zeros(()),
        np.zeros(1),
        np.zeros(1, np.int64),
        (np.zeros(1),),
        jax.numpy.float32(1.0),
        jax.random.key(0),
    ]
    assert len({ready.shapes((one,)) for one in kinds}) == len(kinds) - 1  # np.float64 is an array of no axes
    assert ready.shapes((np.zeros(3),)) == ready.shapes((np.ones(3),))


def test_a_program_that_does_not_run_is_traced(monkeypatch, tmp_path):
    def spoiled(*moving):
        raise jax.errors.JaxRuntimeError("NOT_FOUND: Function fusion.4 not found")

    path = tmp_path / "one"
    path.touch()
    with pytest.raises(Broken):
        Ready(spoiled, path)(1.0)
    assert not path.exists()

    doubled = programs.compiled()(lambda x: 2 * x)
    monkeypatch.setattr(programs, "keep_programs", lambda: tmp_path)
    monkeypatch.setattr(programs, "find", lambda *_: Ready(spoiled, path))
    with jax.enable_x64():
        assert [float(doubled(np.float64(x))) for x in (3.0, 4.0)] == [6.0, 8.0]


def test_a_folder_that_cannot_be_written_is_no_trouble(tmp_path):
    tmp_path.joinpath("file").touch()
    found = ready.find(tmp_path / "file" / "inside", ("test", ()), (np.zeros(2),), lambda x: x + 1, {})
    assert found is not None and np.asarray(found(np.zeros(2))).tolist() == [1, 1]
