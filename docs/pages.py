"""Pages that are made from the code: a page a law, the index of papers, the reference of everything public."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import re
import shutil
import textwrap
import warnings
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from docstrings import escaped, markdown

import scalejax as sj
from tests.claims.__main__ import figures
from tests.claims.catalogue import CATALOGUE, entry_of, every, names, state
from tests.claims.claim import Claim

ROOT = Path(__file__).resolve().parents[1]
DOCS = Path(__file__).resolve().parent
LAWS = list(sj.laws)
KNOWN = DOCS / "_build" / "claims.json"
FOLDERS = [path.parent.name for path in sorted(ROOT.glob("scalejax/zoo/*/__init__.py"))]
SUBJECTS = {name: (import_module(f"scalejax.zoo.{name}").__doc__ or name).splitlines()[0].rstrip(".") for name in FOLDERS}


def write_all(claims: bool) -> None:
    """Everything that is generated, anew; with `claims`, our figures are computed beside the stated ones."""
    for folder in ("laws", "api", "notebooks"):
        shutil.rmtree(DOCS / folder, ignore_errors=True)
        (DOCS / folder).mkdir()
    for notebook in sorted(ROOT.glob("notebooks/*.py")):
        shutil.copy(notebook, DOCS / "notebooks")
    stated = claims_by_name()
    for law in LAWS:
        write("laws", law.name, law_page(law, stated.get(f"laws.{law.name}", []), claims))
    write("laws", "index", law_index())
    write(".", "papers", papers_page())
    for name, (title, module) in AREAS.items():
        write("api", name, area_page(title, module))
    write("api", "index", api_index())


def write(folder: str, name: str, text: str) -> None:
    (DOCS / folder / f"{name}.md").write_text(text.rstrip() + "\n", encoding="utf-8")


# --- laws


def subject(law: sj.Law) -> str:
    return law.function.__module__.split(".")[2]


def law_index() -> str:
    parts = ["# Laws", f"{len(LAWS)} laws by subject. Each page is made from the law itself: formula, symbols, constants, claims."]
    for key, title in SUBJECTS.items():
        rows = [f"| [`{one.name}`]({one.name}.md) | {cell(one.summary)} |" for one in LAWS if subject(one) == key]
        parts += [f"## {title}", "\n".join(["| law | purpose |", "| --- | --- |", *rows])]
    parts.append("```{toctree}\n:hidden:\n:glob:\n\n*\n```")
    return "\n\n".join(parts)


def law_page(law: sj.Law, claims: list[Any], compute: bool) -> str:
    text = inspect.cleandoc(law.function.__doc__ or "")
    parts = [f"# {law.name}", markdown(text)]
    parts += ["## Symbols and units", symbols(law)]
    if law.published:
        parts += ["## Published constants", constants(law)]
    if picture := draw(law):
        parts += ["## Picture", picture]
    if claims:
        parts += ["## Claims beside ours", *claim_lines(claims, compute)]
    parts += ["## Reference", linked(law.reference) + f". The code: `{law.function.__module__.replace('.', '/')}.py`."]
    return "\n\n".join(parts)


def symbols(law: sj.Law) -> str:
    rows = ["| symbol | kind | values | plausible range | unit |", "| --- | --- | --- | --- | --- |"]
    for name in (*law.inputs, *law.parameters):
        domain = law.domains[name]
        kind = "input" if name in law.inputs else "parameter"
        vector = f" (one for each {domain.axis})" if domain.axis else ""
        plausible = f"{domain.low:.4g} to {domain.high:.4g}"
        rows.append(f"| `{name}` | {kind} | {cell(domain.support)}{vector} | {plausible} | {cell(domain.unit) or '–'} |")
    return "\n".join([*rows, "", f"Predicts `{law.output}`."])


def constants(law: sj.Law) -> str:
    """A row a set, a column a parameter; what was fitted, and where it is printed, below."""
    head = ["set", "status", *(f"`{name}`" for name in law.parameters)]
    rows = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---", "---", *("---:" for _ in law.parameters)]) + " |"]
    for key, found in law.published.items():
        rows.append("| " + " | ".join([f"`{key}`", found.status, *(shown(found[name]) for name in law.parameters)]) + " |")
    notes = [
        f"- `{key}`: {'; '.join(escaped(text) for text in (found.context, found.source) if text)}." for key, found in law.published.items()
    ]
    return "\n".join([*rows, "", *notes])


def shown(value: Any) -> str:
    flat = np.ravel(np.asarray(value, dtype=float))
    return f"{flat[0]:.6g}" if flat.size == 1 else "[" + ", ".join(f"{v:.4g}" for v in flat[:6]) + (", …]" if flat.size > 6 else "]")


def claims_by_name() -> dict[str, list[Any]]:
    """Public name to the claims of the entries that it is made for."""
    found: dict[str, list[Any]] = defaultdict(list)
    for claim in every():
        for name in names(entry_of(claim.id)[1]):
            found[name].append(claim)
    return found


def claim_lines(claims: list[Any], compute: bool) -> list[str]:
    rows = ["| what is stated | stated | ours | kind |", "| --- | --- | --- | --- |"]
    notes = []
    for claim in claims:
        if not isinstance(claim, Claim):
            rows.append(f"| {cell(claim.what)} | – | not checked: {cell(claim.why)} | – |")
            continue
        found = ours(claim) if compute else "checked by the tests"
        rows.append(f"| {cell(claim.what)} | {figures(claim.stated)} | {found} | {claim.kind} |")
        notes += [f"- {escaped(claim.what)}: {escaped(claim.note)}"] if claim.note else []
    data = sorted({claim.data for claim in claims if isinstance(claim, Claim) and claim.data})
    lines = ["\n".join(rows), *(["\n".join(notes)] if notes else [])]
    named = ", ".join(f"`{name}`" for name in data)
    return [*lines, f"Data: {named}, see [`sj.datasets`](../api/datasets.md)."] if data else lines


@cache
def known() -> dict[str, str]:
    """Our figures by claim, as computed by the same code before."""
    return json.loads(KNOWN.read_text(encoding="utf-8")) if KNOWN.is_file() else {}


@cache
def digest() -> str:
    """Of the code that computes them."""
    sources = sorted([*ROOT.glob("scalejax/**/*.py"), *ROOT.glob("scalejax/**/*.toml"), *ROOT.glob("tests/claims/*.py")])
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def ours(claim: Claim) -> str:
    if claim.slow:
        return "computed by the slow tests"
    key = f"{digest()} {claim.id} {claim.what}"
    if key not in known():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                known()[key] = figures(claim.ours())
        except sj.ScalejaxError as error:
            return f"not computed: {cell(str(error))}"
        KNOWN.parent.mkdir(exist_ok=True)
        KNOWN.write_text(json.dumps(known()), encoding="utf-8")
    return known()[key]


def draw(law: sj.Law) -> str | None:
    """The law over its first input with its first published constants, three values of the second input."""
    if not law.published or any(law.domains[name].axis for name in law.inputs):
        return None
    key, constants = next(iter(law.published.items()))
    spans = {name: (law.domains[name].low, law.domains[name].high) for name in law.inputs}
    middle = {name: (low * high) ** 0.5 if low > 0 else (low + high) / 2 for name, (low, high) in spans.items()}
    first, *others = law.inputs
    low, high = spans[first]
    x = np.geomspace(low, high, 200) if low > 0 else np.linspace(low, high, 200)
    curves = {"": middle}
    if others and not isinstance(law.domains[others[0]], sj.Integer) and spans[others[0]][0] > 0:
        curves = {f"{others[0]} = {v:.3g}": {**middle, others[0]: v} for v in np.geomspace(*spans[others[0]], 5)[1:4]}
    with contextlib.suppress(Exception):  # laws of whole curves take arrays of steps
        values = {label: np.asarray(law(**{**at, first: x}, **constants), dtype=float) for label, at in curves.items()}
        if all(v.shape == x.shape and np.isfinite(v).all() for v in values.values()):
            return _picture(law, key, x, values, first, low > 0)
    return None


def _picture(law: sj.Law, key: str, x: np.ndarray, values: dict[str, np.ndarray], first: str, logarithmic: bool) -> str:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for colour, (label, y) in zip(("#0072B2", "#D55E00", "#009E73"), values.items(), strict=False):
        axes.plot(x, y, color=colour, label=label)
    unit = law.domains[first].unit
    axes.set(xlabel=f"{first} ({unit})" if unit else first, ylabel=law.output, xscale="log" if logarithmic else "linear")
    if len(values) > 1:
        axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(DOCS / "laws" / f"{law.name}.png", dpi=110)
    said = f"With the constants `{key}`; inputs that are not named are held in the middle of their plausible ranges."
    return f"![{law.name} over {first}]({law.name}.png)\n\n{said}"


# --- papers


def papers_page() -> str:
    kinds = {"law": "Laws", "theory_law": "Laws of theory", "procedure": "Procedures", "finding": "Findings"}
    words = {"provides": "provided", "expressible": "in general terms", "reason": "not coming"}
    entries = dict(entry_of(id) for file in CATALOGUE.values() for id in file)
    parts = [
        "# Papers",
        "Every paper of the catalogue, with the public names that are made for it or express it, or the reason why there are none.",
    ]
    for kind, title in {**kinds, "out_of_scope": "Out of scope"}.items():
        mine = {id: entry for id, entry in entries.items() if entry["kind"] == kind}
        rows = [f"| `{id}` | {words.get(state(entry), state(entry))} | {paper_cell(entry)} |" for id, entry in mine.items()]
        parts += [f"## {title}", "\n".join(["| entry | state | by |", "| --- | --- | --- |", *rows])] if rows else []
    return "\n\n".join(parts)


def paper_cell(entry: dict[str, Any]) -> str:
    listed = names(entry)
    return ", ".join(link(name) for name in listed) if listed else cell(entry.get("reason", ""))


def link(name: str) -> str:
    head, _, tail = name.rpartition(".")
    return f"[`{name}`](laws/{tail}.md)" if head == "laws" else f"`sj.{name}`"


# --- reference

AREAS: dict[str, tuple[str, Any]] = {
    "data": ("Runs and data", ("data", "core")),
    "fitting": ("Fitting and its uncertainty", ("fitting",)),
    "posteriors": ("Posteriors", ("posteriors",)),
    "decisions": ("Decisions", ("decisions",)),
    "comparison": ("Comparison and forecasts", ("comparison",)),
    "zoo": ("Making laws", ("zoo",)),
    "reporting": ("Report", ("reporting",)),
    "datasets": ("sj.datasets", sj.datasets),
    "schedules": ("sj.schedules", sj.schedules),
    "costs": ("sj.costs", sj.costs),
    "likelihoods": ("sj.likelihoods", sj.likelihoods),
    "plot": ("sj.plot", sj.plot),
    "formulas": ("sj.formulas", sj.formulas),
    "studies": ("sj.studies", sj.studies),
    "papers": ("sj.papers", sj.papers),
    "statistics": ("sj.statistics", sj.statistics),
}


def api_index() -> str:
    rows = [f"- [{title}]({name}.md)" for name, (title, _) in AREAS.items()]
    return "\n\n".join(
        [
            "# Reference",
            "Everything public, from its docstrings. The first pages hold names of `sj` itself, the others those of a module of it.",
            "\n".join(rows),
            "```{toctree}\n:hidden:\n\n" + "\n".join(AREAS) + "\n```",
        ]
    )


def area_page(title: str, area: Any) -> str:
    parts = [f"# {title}"]
    if isinstance(area, ModuleType):
        parts.append(markdown(inspect.cleandoc(area.__doc__ or ""), formula=False))
    return "\n\n".join([*parts, *(item(prefix, name, found) for prefix, name, found in members(area))])


def members(area: Any) -> Iterator[tuple[str, str, Any]]:
    if isinstance(area, ModuleType):
        prefix = "sj." + area.__name__.split(".")[-1]
        found = [(prefix, name, getattr(area, name)) for name in area.__all__]
    else:
        found = [("sj", name, getattr(sj, name)) for name, home in sj._HOMES.items() if home.split(".")[0] in area]
    for prefix, name, one in found:
        if not isinstance(one, ModuleType) and callable(one) and not isinstance(one, sj.Law):
            yield prefix, name, one


def item(prefix: str, name: str, one: Any) -> str:
    with contextlib.suppress(TypeError, ValueError):
        signature = str(inspect.signature(one))
        called = re.sub(r"<function (\w+) at 0x[0-9a-f]+>", r"\1", signature)
        called = textwrap.shorten(re.sub(r"(: |-> )'([^']*)'", r"\1\2", called), 1500)
        text = markdown(inspect.cleandoc(inspect.getdoc(one) or ""), formula=False)
        return f"## `{prefix}.{name}`\n\n```text\n{textwrap.fill(name + called, 110, subsequent_indent='    ')}\n```\n\n{text}"
    return f"## `{prefix}.{name}`\n\n" + markdown(inspect.cleandoc(inspect.getdoc(one) or ""), formula=False)


# --- text


def cell(text: str) -> str:
    return escaped(" ".join(text.split()))


def linked(reference: str) -> str:
    return re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", escaped(reference))
