"""README, documentation and notebooks are run as a reader would run them."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import scalejax as sj

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(python|sh)\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
COMMAND = "import sys; from scalejax.commands.cli import main; sys.exit(main())"  # the script `scalejax`
GENERATED = ("api", "laws", "notebooks", "_build")
PAGES = [
    path
    for path in sorted((ROOT / "docs").rglob("*.md"))
    if path.relative_to(ROOT / "docs").parts[0] not in GENERATED and path.name != "papers.md"
]
JOBS = (  # each is the label of a recipe
    "effective-speed-up", "size-for-a-budget", "isoflop-three-architectures", "learning-rate-and-batch", "critical-batch",
    "wsd-checkpoints", "forecast-of-a-running-job", "limited-data", "mixture-from-proxy-runs", "experts", "muon-against-adamw",
    "benchmark-forecast", "inference-aware-size", "error-bars-for-a-paper", "which-ablation-decides", "rl-curves", "pass-at-k",
    "which-n-to-count", "first-sweep", "next-runs",
)  # fmt: skip


def run(arguments, folder, **more):
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT), **more}
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)


CLOSED = "\nimport sys\nif 'matplotlib.pyplot' in sys.modules:\n    sys.modules['matplotlib.pyplot'].close('all')\n"


def cells(page: Path) -> str:
    """The Python code of a page, in order, as one session that shows and closes its pictures cell by cell, as Jupyter does."""
    found = re.findall(r"^```(?:\{code-cell\} )?python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return CLOSED.join(found)


def test_the_readme_is_short_enough_to_be_read():
    assert len(README.splitlines()) <= 160
    (example,) = [code for language, code in BLOCKS if language == "python"]
    assert len([line for line in example.splitlines() if line.strip()]) <= 15


def test_a_newcomer_runs_the_lines_of_the_readme_in_order(tmp_path):
    """A fresh folder, no data but those that ship, nothing else than what is written; make has a test of its own."""
    environment = {"SCALEJAX_DATA": ""}
    for language, code in BLOCKS:
        if language == "python":
            (tmp_path / "example.py").write_text(code)
            done = run([sys.executable, "-W", "error", "example.py"], tmp_path, **environment)
            assert done.returncode == 0, done.stderr[-2000:]
            assert "D/N" in done.stdout and (tmp_path / "report.html").stat().st_size > 10_000
        for line in code.splitlines() if language == "sh" else ():
            if line.startswith("scalejax "):
                done = run([sys.executable, "-c", COMMAND, *shlex.split(line, comments=True)[1:]], tmp_path, **environment)
                assert done.returncode == 0 and done.stdout, f"{line}: {done.stderr[-1000:]}"


@pytest.mark.slow
def test_make_demo_in_a_fresh_clone(tmp_path):
    """The first command of the README, in an environment of its own; needs a package index."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    if run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "hatchling", "-d", "."], tmp_path).returncode:
        pytest.skip("no package index can be reached")
    done = run(["make", "demo", f"PYTHON={sys.executable}"], clone, PYTHONPATH="")
    assert done.returncode == 0, done.stderr[-2000:]
    assert (clone / "demo" / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Files that are named exist, and make's targets; what is generated is checked by the build."""
    text = page.read_text(encoding="utf-8")
    links = [*re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", text), *re.findall(r'src="([^"]+)"', text)]
    for link in links:
        target = (page.parent / link).resolve()
        relative = target.relative_to(ROOT / "docs").parts[0] if target.is_relative_to(ROOT / "docs") else ""
        assert target.exists() or relative in GENERATED or target.name == "papers.md", link
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)(?:`|$)", text, flags=re.MULTILINE)) <= targets


def test_every_job_has_a_recipe():
    labels = re.findall(r"^\(([a-z-]+)\)=$", "\n".join(page.read_text() for page in PAGES), flags=re.MULTILINE)
    assert sorted(set(JOBS) - set(labels)) == []
    assert len(labels) == len(set(labels))


def test_the_tables_of_contents_are_true():
    """A row a folder of laws: its docstring, and laws that exist there; and the number of laws that the README states."""
    assert f"any of {len(sj.laws)} laws" in README
    text = (ROOT / "docs" / "inside.md").read_text(encoding="utf-8")
    for folder in sorted(path.parent for path in (ROOT / "scalejax" / "zoo").glob("*/__init__.py")):
        title = import_module(f"scalejax.zoo.{folder.name}").__doc__.splitlines()[0].rstrip(".")
        (names,) = re.findall(rf"^\| `zoo/{folder.name}` \| {re.escape(title)} \| (.*) \|$", text, flags=re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names):
            assert sj.laws[name].function.__module__.startswith(f"scalejax.zoo.{folder.name}.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L = E + A N^-alpha", r"L = E + A N ^{-\alpha }"),
        ("R_k = sum_{i=k..T} eta_i", r"R_{k} = \sum _{i =k \dots T } \eta_{i}"),
        ("D' = U_D (1 - exp(-R_D / R_D*))", r"{D'} = U_{D} (1 - \exp (-R_{D} / {R_{D}^{*}} ))"),
        ("y = (x / 1e9)^(a / b)", r"y = (x / 10^{9})^{a / b }"),
    ],
)
def test_formulas_of_docstrings_become_latex(text, expected):
    from notation import latex

    assert latex(text) == expected


def test_every_law_has_a_formula_that_can_be_set():
    """The page of every law shows one, with brackets that close."""
    from docstrings import markdown

    for law in sj.laws:
        shown = re.findall(r"```\{math\}\n(.*?)\n```", markdown(inspect.cleandoc(law.function.__doc__)), flags=re.DOTALL)
        assert shown, law.name
        for formula in shown:
            plain = re.sub(r"\\[{}]", "", formula)
            assert plain.count("{") == plain.count("}"), (law.name, formula)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if cells(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_code_of_a_page_runs(page, tmp_path):
    (tmp_path / "page.py").write_text(cells(page))
    done = run([sys.executable, "-W", "error", "page.py"], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning(tmp_path):
    """All pages and internal links, nothing executed: what pages and notebooks compute has tests of its own."""
    for package in ("sphinx", "myst_nb", "furo", "latex2mathml"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not here: install scalejax[docs]")
    shutil.copytree(ROOT, tmp_path / "project", ignore=shutil.ignore_patterns(".git", ".venv", "_build", "demo", ".*_cache"))
    arguments = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", "out"]
    done = run(arguments, tmp_path / "project", SCALEJAX_DOCS_EXECUTE="off", PYTHONPATH=str(tmp_path / "project"))
    assert done.returncode == 0, done.stderr[-3000:]
    page = (tmp_path / "project" / "out" / "laws" / "chinchilla.html").read_text(encoding="utf-8")
    assert "<math" in page and "besiroglu2024" in page and "chinchilla.png" in page
    assert "http-equiv" not in page and not re.search(r'(?:src|href)="https?://[^"]+\.(?:js|css)"', page)  # read without the network


QUICK = ("02_your_own_csv",)  # the others compile and sample for up to two minutes
NOTEBOOKS = [
    pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else [pytest.mark.slow]) for path in sorted(ROOT.glob("notebooks/*.py"))
]


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebook_runs(notebook, tmp_path):
    """From top to bottom; every cell that draws shows its picture, and no chain is left unmixed."""
    target = tmp_path / f"{notebook.stem}.ipynb"
    arguments = ["-m", "jupytext", "--to", "ipynb", "--execute", "--run-path", str(tmp_path), "-o", str(target), str(notebook)]
    done = run([sys.executable, *arguments], tmp_path, MPLBACKEND="module://matplotlib_inline.backend_inline")
    assert done.returncode == 0, done.stderr[-2000:]
    code = [cell for cell in json.loads(target.read_text())["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in code for output in cell["outputs"]]
    assert "error" not in [output["output_type"] for output in outputs]
    drawn = sum(bool(re.search(r"\bsj\.plot\.|plt\.show\(", "".join(cell["source"]))) for cell in code)
    shown = sum("image/png" in output.get("data", {}) for output in outputs)
    assert shown == drawn > 0
    said = " ".join("".join(output.get("text", "")) + "".join(output.get("data", {}).get("text/plain", "")) for output in outputs)
    assert "have not mixed" not in said
