"""README and notebooks are run as a reader would run them."""

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import scalejax as sj

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL) for line in block.splitlines()
]


def run(arguments, folder, **more):
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT), **more}
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)


def test_readme_code_runs_in_a_fresh_folder(tmp_path):
    """All Python blocks of the README, in order, as one session."""
    (tmp_path / "readme.py").write_text("\n".join(BLOCKS))
    done = run([sys.executable, "-W", "error", "readme.py"], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_readme_quick_start_is_short():
    assert len([line for line in BLOCKS[0].splitlines() if line.strip()]) <= 15


def test_readme_names_what_exists():
    text = (ROOT / "README.md").read_text()
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / link).exists(), link
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for line in COMMANDS:
        if line.startswith("make "):
            assert line.split()[1] in targets


def test_readme_names_every_subject():
    """A row a folder of laws: its docstring, and laws that exist there; `scalejax laws` lists them all."""
    text = (ROOT / "README.md").read_text()
    for folder in sorted(path.parent for path in (ROOT / "scalejax" / "zoo").glob("*/__init__.py")):
        title = import_module(f"scalejax.zoo.{folder.name}").__doc__.splitlines()[0].rstrip(".")
        (names,) = re.findall(rf"^\| `zoo/{folder.name}` \| {re.escape(title)} \| (.*) \|$", text, flags=re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names):
            assert sj.laws[name].function.__module__.startswith(f"scalejax.zoo.{folder.name}.")


LONG = ("02_decisions", "03_uncertainty")  # half a minute of compilation, minutes of sampling
NOTEBOOKS = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in LONG else []) for path in sorted(ROOT.glob("notebooks/*.py"))
]


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebook_runs(notebook, tmp_path):
    target = tmp_path / f"{notebook.stem}.ipynb"
    arguments = [
        sys.executable,
        "-m",
        "jupytext",
        "--to",
        "ipynb",
        "--execute",
        "--run-path",
        str(tmp_path),
        "-o",
        str(target),
        str(notebook),
    ]
    done = run(arguments, tmp_path, MPLBACKEND="module://matplotlib_inline.backend_inline")
    assert done.returncode == 0, done.stderr[-2000:]
    cells = [cell for cell in json.loads(target.read_text())["cells"] if cell["cell_type"] == "code"]
    kinds = [output["output_type"] for cell in cells for output in cell["outputs"]]
    assert "error" not in kinds
    drawn = sum("sj.plot." in "".join(cell["source"]) for cell in cells)
    shown = sum("image/png" in output.get("data", {}) for cell in cells for output in cell["outputs"])
    assert shown == drawn > 0
