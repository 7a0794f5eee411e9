"""Compiled programs: options that a compiler may refuse, and files that are kept for the next process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import jax
import numpy as np
import pytest

import scalejax as sj
from scalejax.core.numeric import programs
from scalejax.core.numeric.batching import trace_counts


@programs.compiled(1)
def power(x, p):
    return x**p


def test_a_program_is_one_outside_and_part_of_another_inside():
    assert power(2.0, 3) == 8
    assert jax.jit(lambda x: power(x, 3) + 1)(2.0) == 9
    assert jax.grad(lambda x: power(x, 3))(2.0) == 12
    assert jax.vmap(lambda x: power(x, 2))(np.arange(3.0)).tolist() == [0, 1, 4]


def test_a_compiler_that_knows_no_such_option_does_without(monkeypatch):
    monkeypatch.setattr(programs, "_options", lambda effort: {"xla_no_such_option": effort})
    monkeypatch.setattr(programs, "_REFUSED", [])
    double = programs.compiled()(lambda x: 2 * x)
    assert double(3.0) == 6 and programs._REFUSED == ["xla_no_such_option"]
    assert double(4.0) == 8


def test_only_the_unknown_option_is_left_out(monkeypatch):
    options = {"xla_no_such_option": 1, "xla_backend_optimization_level": 1}
    monkeypatch.setattr(programs, "_options", lambda effort: options)
    monkeypatch.setattr(programs, "_REFUSED", [])
    seen, jit = [], jax.jit

    def watched(function, compiler_options=None):
        seen.append(compiler_options)
        return jit(function, compiler_options=compiler_options)

    monkeypatch.setattr(jax, "jit", watched)
    assert programs.compiled()(lambda x: 2 * x)(3.0) == 6
    assert seen == [options, {"xla_backend_optimization_level": 1}]


def test_flags_of_the_user_take_precedence(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=3")
    known = jax.default_backend() == "cpu" and jax.__version_info__ < (0, 11, 1)
    assert programs._options(1) == ({"xla_cpu_use_fusion_emitters": False} if known else {})


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """What `keep_programs` would do in a process whose user has configured nothing."""
    for name in ("JAX_COMPILATION_CACHE_DIR", "SCALEJAX_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    before = {name: getattr(jax.config, name) for name in ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")}
    jax.config.update("jax_compilation_cache_dir", None)
    yield programs.keep_programs.__wrapped__
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.mark.skipif(sys.platform != "linux", reason="the folder has another name elsewhere")
def test_programs_are_kept_in_the_users_cache(folder, tmp_path):
    kept = folder()
    assert kept.parent == tmp_path / ".cache" / "scalejax" / "programs" and kept.stat().st_mode & 0o077 == 0
    assert jax.config.jax_compilation_cache_dir == str(kept)


def test_the_variable_names_another_folder_or_none(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("SCALEJAX_CACHE", "off")
    assert folder() is None and jax.config.jax_compilation_cache_dir is None
    monkeypatch.setenv("SCALEJAX_CACHE", str(tmp_path / "here"))
    assert folder().parent == tmp_path / "here"


def test_a_folder_of_the_users_own_stays(folder, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "mine"))
    assert folder() is None and jax.config.jax_compilation_cache_dir == str(tmp_path / "mine")


def test_a_home_that_cannot_be_written_is_no_trouble(folder, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SCALEJAX_CACHE", str(tmp_path / "file" / "inside"))
    assert folder() is None and jax.config.jax_compilation_cache_dir is None


def entry(folder: Path, name: str, size: int, used: float) -> Path:
    path = folder / f"{name}-cache"
    path.write_bytes(zlib.compress(np.random.default_rng(0).bytes(size)))
    os.utime(path, (used, used))
    return path


def test_what_was_cut_short_goes_and_of_too_much_the_oldest(tmp_path, monkeypatch):
    kind = tmp_path / "kind"
    kind.mkdir()
    old, new, cut = entry(kind, "old", 4000, 1e9), entry(kind, "new", 4000, 2e9), entry(kind, "cut", 4000, 1.5e9)
    cut.write_bytes(cut.read_bytes()[:-10])
    programs.tidy(tmp_path)
    assert old.exists() and new.exists() and not cut.exists()
    monkeypatch.setattr(programs, "_MOST", 6000)
    programs.tidy(tmp_path)
    assert new.exists() and not old.exists()


def test_spoiled_files_are_compiled_anew(tmp_path):
    """Two processes, the second after a full disk had cut all files and somebody had written into one."""
    script = "import scalejax as sj; print(sj.laws.chinchilla(1e9, 2e10, **sj.laws.chinchilla.published['hoffmann2022']))"
    env = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")} | {"SCALEJAX_CACHE": str(tmp_path)}

    def run() -> str:
        found = subprocess.run([sys.executable, "-W", "error", "-c", script], env=env, capture_output=True, text=True, check=True)
        assert found.stderr == ""
        return found.stdout

    first, files = run(), sorted(tmp_path.glob("*/*-cache"))
    assert files
    for k, path in enumerate(files):
        path.write_bytes(path.read_bytes()[:-7] if k else zlib.compress(b"no program"))
    assert run() == first


def test_losses_that_differ_in_their_numbers_share_programs(runs):
    sj.fit("chinchilla", runs, loss=sj.huber(1e-3), starts=64)
    before = trace_counts()
    for delta in (1e-2, 3e-3):
        fit = sj.fit("chinchilla", runs, loss=sj.huber(delta), starts=64)
        size = np.abs(fit.residuals)
        expected = np.where(size < delta, size**2 / 2, delta * (size - delta / 2)).sum()
        assert fit.objective == pytest.approx(expected, rel=1e-9)
    assert trace_counts() == before


def test_programs_take_the_loss_from_their_data():
    """`Spec` is equal whatever the numbers of its loss, so that a program that looked at them there would keep the first ones for ever."""
    for path in Path(sj.__file__).parent.rglob("*.py"):
        assert not re.search(r"spec\.loss\.(rho|psi|curvature|mean_curvature|majorizer)\b", path.read_text()), path


def test_plausible_ranges_share_programs(runs):
    from dataclasses import replace

    law = sj.laws.chinchilla
    first = sj.fit(law, runs, prior="weak", starts=64)
    before = trace_counts()
    low = replace(law, domains={**law.domains, "E": sj.Positive(1e-3, 2e-3)})
    second = sj.fit(low, runs, prior="weak", starts=64)
    assert trace_counts() == before
    assert second.params["E"] < first.params["E"] * (1 - 1e-9)
