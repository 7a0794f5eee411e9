"""The whole attack: `python -m tests.attack [--part 1/8] [--only NAME ...] [--inputs 20] [--seconds 20] [--seed 0]`."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import os
import sys
import tempfile
import time

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from . import attack, verbs
from .calls import METHODS, good_calls, public


def main(words: list[str] | None = None) -> int:
    """Print the table; the status is 1 if one ending is raw, silent or hanging, or if a public function was not reached."""
    parser = argparse.ArgumentParser("python -m tests.attack", description=__doc__)
    parser.add_argument("--part", default="1/1", help="which of how many parts, such as 2/8")
    parser.add_argument("--only", nargs="+", help="functions, or parts of their names")
    parser.add_argument("--inputs", type=int, default=16, help="odd calls a function (default 16)")
    parser.add_argument("--seconds", type=float, default=attack.SECONDS, help="of processor time an input may take")
    parser.add_argument("--share", type=float, default=10.0, help="seconds that the inputs of one function may take together")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(words)
    part, parts = map(int, options.part.split("/"))
    faulthandler.enable()
    functions = public()
    names = _wanted([*functions, *METHODS], part, parts, options.only)
    score, missing, begun = attack.Score(), [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for i, name in enumerate([*names, *_wanted(verbs.NAMES, part, parts, options.only)]):
            _progress(f"{name}: {i} of {len(names)} functions, {score.total.total():,} inputs, {time.monotonic() - begun:.0f} s")
            with contextlib.redirect_stdout(io.StringIO()):
                try:
                    if name in verbs.NAMES:
                        verbs.run(name, score, options.seed, options.inputs * 3, options.seconds)
                        continue
                    calls, lost = good_calls([name], functions)
                    for call in calls:
                        if call.name == name or ("." in call.name and call.name not in score.counts):
                            attack.run(call, score, options.seed, options.inputs, options.seconds, options.share)
                except Exception as error:  # the good call itself
                    lost = [f"{name} ({type(error).__name__}: {error})"]
                missing += lost
            plt.close("all")
    _progress("")
    print(score.table())
    for title, lines in (("poor", score.poor), ("bad", score.bad)):
        if lines:
            print(f"\n{title}:", *lines, sep="\n  ")
    if missing:
        print("\nwithout a good call:", ", ".join(missing))
    return int(bool(score.bad or missing))


def _wanted(names: list[str], part: int, parts: int, only: list[str] | None) -> list[str]:
    return [n for i, n in enumerate(names) if i % parts == part - 1 and (not only or any(o in n for o in only))]


def _progress(text: str) -> None:
    if sys.stderr.isatty() or os.environ.get("ATTACK_PROGRESS"):
        print(f"\r{text:<110}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
