"""The verb `examples`: the files that the examples of every help use, written into a folder."""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...core.errors import ScalejaxError
from ..options import verb

EPILOG = """\
  scalejax examples
  scalejax examples tutorial
"""

# Name to what it holds; all were simulated from published laws with noise.
FILES = {
    "runs.csv": "25 runs at five budgets",
    "archs.csv": "50 runs of two architectures",
    "wandb.csv": "export of a small study from Weights & Biases, two runs crashed",
    "curves.csv": "loss curves of three schedules",
    "proxies.csv": "32 small runs on mixtures of three domains",
    "tasks.csv": "16 runs with bits per byte and accuracy of a task",
    "mylaw.py": "a law of one's own",
}


def add_verbs(verbs: Any) -> None:
    """Add `examples` to a subparsers object."""
    verb(verbs, "examples", "write the files that the examples of all help texts use", _run, _options, epilog=EPILOG)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, nargs="?", default=Path(), help="where to write them (default here)")
    parser.add_argument("--force", action="store_true", help="replace other files of these names")


def _run(options: argparse.Namespace) -> None:
    from ...core.files import write_bytes

    shipped = files("scalejax.data") / "embedded" / "examples"
    contents = {name: (shipped / name).read_bytes() for name in FILES}
    others = [name for name, content in contents.items() if _differs(options.folder / name, content)]
    if others and not options.force:
        raise ScalejaxError(f"{options.folder} holds other files called {', '.join(others)}; choose another folder, or --force.")
    for name, content in contents.items():
        write_bytes(options.folder / name, content)
        options.output.files.append(str(options.folder / name))
    options.output.listing(["file", "holds"], list(FILES.items()))


def _differs(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() != content
