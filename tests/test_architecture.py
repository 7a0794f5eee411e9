"""The shape of the house: imports run one way, importing is light, public things are documented and their examples run."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType, ModuleType

import pytest

import scalejax as sj

PACKAGE = Path(sj.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# A folder may import from itself and from the folders of lower rank.
RANK = {
    "core": 0,
    "data": 1,
    "zoo": 1,
    "optimum": 1,
    "fitting": 2,
    "posteriors": 3,
    "decisions": 4,
    "comparison": 5,
    "studies": 6,
    "papers": 6,
    "reporting": 7,
    "commands": 8,
}
SOURCES = [f for f in FILES if f.stem != "__main__"]
MODULES = [".".join(("scalejax", *f.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__") for f in SOURCES]
# A plain mapping such as `recipes` can carry no docstring of its own.
PUBLIC = [name for name in sj.__all__ if not name.startswith("_") and not isinstance(getattr(sj, name), MappingProxyType)]


def place(file: Path) -> str:
    """First part of a module's path below the package: its folder, or the name of a module at the top."""
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(file: Path) -> list[tuple[int, str]]:
    """(line, folder below scalejax) of every import from within the package, those inside functions included."""
    parts = ("scalejax", *file.relative_to(PACKAGE).parent.parts)
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = list(parts[: len(parts) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            names = [[*base, alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        else:
            continue
        found += [(node.lineno, name[1]) for name in names if name[0] == "scalejax" and len(name) > 1]
    return found


def test_every_folder_has_a_place():
    places = {place(f) for f in FILES} - {"__init__", "__main__"}
    assert places <= set(RANK), f"give {places - set(RANK)} a rank"


@pytest.mark.parametrize("file", [f for f in FILES if place(f) in RANK], ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_run_one_way(file):
    here = place(file)
    for line, there in imported(file):
        if there in RANK:
            assert there == here or RANK[there] < RANK[here], f"{file.name}, line {line}: {here} must not import {there}"
        else:  # scalejax itself would be a circle
            assert here == "commands", f"{file.name}, line {line}: import {there} from the module that defines it"


HEAVY = ("jax", "optax", "numpyro", "matplotlib", "pandas", "scipy", "pooch", "arviz", "pyarrow")


@pytest.mark.parametrize(
    "words", [None, [], ["--help"], ["--version"], ["laws"], ["fit", "--help"]], ids=lambda w: "import" if w is None else " ".join(w)
)
def test_importing_is_light(words):
    """Neither the package nor help nor the list of laws loads what takes a second: names are imported on first use."""
    call = "" if words is None else f"from scalejax.commands import main\ntry: main({words!r})\nexcept SystemExit: pass\n"
    code = f"import sys, scalejax\n{call}print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert out.stdout.splitlines()[-1] == "[]", out.stdout + out.stderr


def test_type_checkers_see_the_same_public_names():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    homes = {a.asname: (node.module or "", a.name) for node in tree.body if isinstance(node, ast.ImportFrom) for a in node.names}
    assert {"__version__", *homes} == set(sj.__all__) == set(dir(sj))
    for name, (module, own) in homes.items():
        public = getattr(sj, name)  # loads its home
        assert getattr(importlib.import_module(f"scalejax.{module}".rstrip(".")), own) is public


def test_namespaces_show_their_public_names_alone():
    for space in (sj, *(one for name in sj.__all__ if isinstance(one := getattr(sj, name), ModuleType))):
        assert sorted(space.__all__) == dir(space), space.__name__


def test_importing_does_not_touch_the_precision_of_jax():
    code = "import jax; before = jax.config.jax_enable_x64; import scalejax; print(before == jax.config.jax_enable_x64)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout.strip() == "True"


def test_no_private_part_of_jax():
    assert not [f.name for f in FILES if "jax._src" in f.read_text()]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_files_stay_readable(file):
    assert len(file.read_text().splitlines()) <= 400


@pytest.mark.parametrize("folder", sorted({f.parent for f in FILES}), ids=lambda f: str(f.relative_to(PACKAGE)))
def test_folders_stay_small(folder):
    assert len([f for f in folder.glob("*.py") if f.stem != "__init__"]) <= 16, "sort its files into subfolders"


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    value = getattr(sj, name)
    doc = getattr(value, "__doc__", None)
    assert doc and doc.strip(), name
    if isinstance(value, type):
        # A dataclass without a docstring of its own shows its signature instead.
        assert not doc.startswith(f"{value.__name__}("), name


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_documented(name):
    assert importlib.import_module(name).__doc__, name


# Examples that sample posteriors or compile large programs, and all of studies and papers: with the slow tests.
LONG = {
    "scalejax.posteriors.new_group",
    "scalejax.posteriors.checks.calibrate",
    "scalejax.posteriors.arviz",
    "scalejax.posteriors.checks.influence",
    "scalejax.comparison.compare",
    "scalejax.decisions.argmin",
    "scalejax.decisions.recipes.pareto",
}
EXAMPLES = [n for n, f in zip(MODULES, SOURCES, strict=True) if ">>>" in f.read_text()]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.slow] if n in LONG or n.startswith(("scalejax.studies", "scalejax.papers")) else [])
        for n in EXAMPLES
    ],
)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    # Laws are no functions, so that the finder passes them by; the suite of the zoo runs their examples.
    for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)):
        runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)
