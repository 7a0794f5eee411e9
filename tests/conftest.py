"""Shared fixtures: public data (skipped where absent) and tables that several files use."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Compiled programs are shared by the processes of a run, those that tests start included, and by later runs: a third of the time.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import hypothesis  # noqa: E402
import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

import scalejax as sj  # noqa: E402

# Most of the time of the default suite is compilation, and most programs run once: without optimisation and with the compiler's plain loops
# that takes less than half. Slow tests compute for minutes with the same programs: there optimised ones take half.
_FLAGS = (  # the second is unknown from JAX 0.11.1 on
    "--xla_backend_optimization_level=0",
    "--xla_cpu_use_fusion_emitters=false",
)


def pytest_configure(config: pytest.Config) -> None:
    """Quick compilation where slow tests are left out. An unknown flag would abort the process: another one tries them."""
    if config.getoption("markexpr") == "slow":
        return
    for flags in (" ".join(_FLAGS), _FLAGS[0]):
        given = os.environ.get("XLA_FLAGS", "")
        if flags in given:  # a process that another one of the tests has started
            return
        trial = {**os.environ, "XLA_FLAGS": f"{given} {flags}"}
        if not subprocess.run([sys.executable, "-c", "import jax; jax.devices()"], env=trial, capture_output=True).returncode:
            os.environ["XLA_FLAGS"] = trial["XLA_FLAGS"]
            return


# No example database and no deadline: runs are repeatable, and the first call of a JAX function compiles.
hypothesis.settings.register_profile("scalejax", database=None, deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.load_profile("scalejax")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files whose single tests take minutes first: at the end the other processes would wait for them."""
    items.sort(key=lambda item: item.path.name not in ("test_docs.py", "test_cli.py"))


_EVERY = 20  # tests between looks at the memory maps
_MAPS, _MOST_MAPS = 20_000, 45_000  # more than these are let go between files of tests, and within one
_tests = itertools.count(1)


def _forget_programs(above: int) -> None:
    """Forgets compiled programs before the process has more memory maps than Linux allows (65,530), which aborts the compiler."""
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_text().count("\n") > above:
        jax.clear_caches()


@pytest.fixture(autouse=True, scope="module")
def room_between_files() -> None:
    """Tests of a file count on the programs that its fixtures have compiled."""
    _forget_programs(_MAPS)


@pytest.fixture(autouse=True)
def room_for_programs() -> Iterator[None]:
    """Files of many tests compile many programs."""
    yield
    if next(_tests) % _EVERY == 0:
        _forget_programs(_MOST_MAPS)


@pytest.fixture(autouse=True)
def no_picture_stays_open() -> Iterator[None]:
    """Closes what a test drew: pyplot warns of twenty figures."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder of public data: the environment variable SCALEJAX_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("SCALEJAX_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("public data are not here: point the environment variable SCALEJAX_DATA at their folder")
    return folder


@pytest.fixture(scope="session")
def chinchilla_runs(data_folder: Path) -> sj.Runs:
    """The 240 runs of Besiroglu et al. 2024: figure 4 of Hoffmann et al., digitised, without the five highest losses."""
    runs = sj.read_runs(
        data_folder / "chinchilla_epoch" / "svg_extracted_data.csv",
        N="Model Size",
        D=lambda t: t["Training FLOP"] / (6 * t["Model Size"]),
        loss="loss",
    )
    return runs.where(lambda r: r["loss"] < np.sort(r["loss"])[-5])


@pytest.fixture(scope="session")
def table() -> dict[str, np.ndarray]:
    """Thirty good runs as plain columns; tests that spoil a value copy it first."""
    rng = np.random.default_rng(0)
    law = sj.laws.chinchilla
    N, D = 10 ** rng.uniform(7, 10, 30), 10 ** rng.uniform(9, 12, 30)
    runs = sj.simulate(law, law.published["besiroglu2024"], N=N, D=D, noise=0.01)
    return {name: np.array(runs[name]) for name in ("N", "D", "loss")}


@pytest.fixture(scope="session")
def runs(table: dict[str, np.ndarray]) -> sj.Runs:
    """The same thirty runs as `Runs`."""
    return sj.read_runs(table)


@pytest.fixture(scope="session")
def fitted(runs: sj.Runs) -> sj.Fit:
    """`chinchilla` fitted to them."""
    return sj.fit(sj.laws.chinchilla, runs, starts=256)


@pytest.fixture
def public_data(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of public data, where `sj.datasets` looks for it too."""
    monkeypatch.setenv("SCALEJAX_DATA", str(data_folder))
    return data_folder


@pytest.fixture(scope="session")
def limited_fit() -> sj.Fit:
    """A law of three inputs: parameters, tokens, and how many of these are unique."""

    @sj.law(A=sj.Positive(1, 1e4))
    def limited(N, D, U, *, A):
        """Loss with U unique tokens."""
        return A * N**-0.3 + 1e3 * D**-0.3 + 1e2 * U**-0.3

    N, D = np.meshgrid(np.logspace(8, 10, 4), np.logspace(9.5, 11.5, 4))
    return sj.fit(limited, sj.simulate(limited, {"A": 500.0}, N=N.ravel(), D=D.ravel(), U=2e10, noise=0.005), starts=64)
