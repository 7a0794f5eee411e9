"""The verbs of the command line, in process: good commands, one word of which is made odd."""

from __future__ import annotations

import contextlib
import functools
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import scalejax as sj
from scalejax.commands.cli import main
from scalejax.core.errors import LONGEST

from .attack import Score
from .ends import End, end_of

_TABLE = ["runs.csv", "--columns", "N=params", "D=tokens", "loss=loss"]
GOOD: dict[str, list[str]] = {
    "laws": ["chinchilla"],
    "fit": [
        *_TABLE,
        "--law",
        "chinchilla",
        "--scale",
        "N=1e6",
        "--fix",
        "alpha=0.34",
        "--loss",
        "huber:1e-3",
        "--where",
        "D < 1e13",
        "--bootstrap",
        "20",
        "--seed",
        "1",
        "--out",
        "again.json",
    ],
    "sample": [
        *_TABLE,
        "--scale",
        "N=1e6",
        "--method",
        "laplace",
        "--draws",
        "100",
        "--prior",
        "alpha=LogNormal(-1, 0.3)",
        "--likelihood",
        "student_t:4",
        "--seed",
        "1",
        "--out",
        "again.npz",
    ],
    "allocate": [
        "fit.json",
        "--compute",
        "1e21",
        "1e22",
        "--cost",
        "six_nd",
        "--bounds",
        "N=1e6:1e12",
        "--level",
        "0.8",
        "--bootstrap",
        "0",
        "--markdown",
    ],
    "regret": ["fit.json", "N=70e9", "D=1.4e12", "--bootstrap", "0", "--level", "0.8"],
    "multiplier": ["fit.json", "fit.json", "--compute", "1e22", "--bootstrap", "0"],
    "equivalent": ["fit.json", "D", "--like", "N=2e9", "D=1e11", "--given", "N=1e9", "--bootstrap", "0"],
    "break-even": ["fit.json", "other.json", "--between", "1e18:1e24", "--bootstrap", "0"],
    "choose": ["a=fit.json", "b=other.json", "--compute", "1e20", "--bootstrap", "0"],
    "front": [
        "fit.json",
        "--compute",
        "1e22",
        "--against",
        "six_nd_inference",
        "--given",
        "D_inf=1e12",
        "--bounds",
        "N=1e9:1e11",
        "--points",
        "3",
        "--bootstrap",
        "0",
    ],
    "next-runs": ["fit.json", "--target", "N=7e10", "D=1.4e12", "--space", "N=1e7:1e9", "D=1e9:1e11", "--runs", "2", "--bootstrap", "0"],
    "mixture": ["a=mix.json", "b=mix.json", "--caps", "0.6", "--domains", "web", "code", "--bootstrap", "0", "--kl-weight", "0.01"],
    "compare": ["one=posterior.npz", "two=posterior.npz"],
    "holdout": [*_TABLE, "--scale", "N=1e6", "--laws", "chinchilla", "--largest", "0.2", "--size", "N*D"],
    "report": ["fit.json", "report.md", "--compute", "1e21", "--bootstrap", "20", "--level", "0.8", "--title", "ours"],
    "forecast": ["runs.csv", "--at", "params=1e4", "tokens=1e12", "--target", "loss", "--laws", "power_law"],
    "backtest": ["runs.csv", "--target", "loss", "--laws", "power_law", "--shares", "0.2"],
    "search": ["curve.csv", "--target", "loss", "--inputs", "x"],
    "recommend": ["proxies.csv", "--weights", "web", "code", "--losses", "one", "two", "--caps", "0.7"],
    "demo": ["demo"],
    "predict": ["fit.json", "N=7B", "D=1.4T"],
    "profile": ["fit.json", "alpha", "--points", "5"],
    "curves": ["curve.csv", "--run", "run", "--lr", "lr", "--law", "lr_annealing", "--every", "4", "--first", "10"],
    "schedule": ["fit.json", "--steps", "500", "--peak", "1e-3", "--warmup", "10", "--shape", "wsd"],
    "isoflop": ["runs.csv", "--columns", "N=params", "D=tokens", "C=6*params*tokens", "loss=loss", "--replicates", "20"],
    "downstream": ["runs.csv", "--tasks", "loss", "--chance", "0.25", "--items", "100", "--laws", "chinchilla", "--at", "N=13B", "D=5T"],
    "plan": ["fit.json", "--compute", "1e21", "--out", "plan.yaml"],
    "doctor": ["runs.csv", "--columns", "N=params", "loss=loss"],
    "import": ["runs.csv", "--columns", "N=params", "loss=loss", "--out", "study.csv"],
    "examples": ["tutorial"],
    "completion": ["bash"],
}
# Their good commands take long, or want files that take long: most odd words end them before.
PROMISED = {"demo": 240.0}  # seconds of all cores that a verb may take by its own promise, of a minute on two
SLOW = {"forecast", "backtest", "search", "recommend", "demo", "curves", "schedule", "downstream", "isoflop"}
NAMES = [f"scalejax {verb}" for verb in GOOD]
WORDS = [
    "",
    " ",
    "x",
    "-1",
    "0",
    "2.5",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "70B",
    "=",
    "N=",
    "=1",
    "N=1=2",
    "N=nan",
    "N=-1",
    "N=1:0",
    "N=0:0",
    "N=:",
    "N=1,2",
    "nobody=1",
    "a,b",
    "../none.json",
    ".",
    "/proc/none/x",
    "runs.csv",
    "broken.json",
    "broken.npz",
    "--",
    "-x",
    "--nobody",
    "é–🎲",
    "a\nb",
    "\x1b[31mred",
    "<script>alert(1)</script>",
    r"$\input{x}$",
    "long" * 500,
    "(" * 500,
    "-" * 1000,
    "__import__('os')",
    "1/0",
    "N=1/0",
    "E=Distribution()",
    "E=Normal('a', 1)",
    "'",
    '"',
    "%s%n",
    "1_000",
    "0x10",
    "١",
    "1e21 1e22",
    "True",
    "None",
]


@functools.cache
def prepared() -> dict[str, bytes]:
    """The files of the good commands by name; some odd commands write over them."""
    prepare()
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file() and path.suffix in (".csv", ".json", ".npz")}


def prepare() -> None:
    """Write the files of the good commands into the working folder."""
    law = sj.laws.chinchilla
    known = law.published["besiroglu2024"]
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e8, 1e10, 5), np.geomspace(5e9, 3e11, 5)))
    runs = sj.simulate(law, known, N=N, D=D, noise=0.003)
    rows = [f"{n / 1e6:.6g},{d:.6g},{y:.8g}" for n, d, y in zip(N, D, runs["loss"], strict=True)]
    Path("runs.csv").write_text("\n".join(["params,tokens,loss", *rows]) + "\n")
    sj.fit(law, runs, loss=sj.squared(), starts=16).save("fit.json")
    other = sj.simulate(law, {**known, "A": 900.0, "alpha": 0.38}, N=N, D=D, noise=0.003)
    sj.fit(law, other, loss=sj.squared(), starts=16).save("other.json")
    sj.sample(law, runs, method="laplace", draws=100, progress=False).save("posterior.npz")
    x = np.geomspace(1e3, 1e7, 12)
    Path("curve.csv").write_text("\n".join(["x,loss", *(f"{a:.6g},{1 + a**-0.3:.6g}" for a in x)]) + "\n")
    share = np.linspace(0.1, 0.9, 12)
    mixed = sj.simulate(sj.laws.data_mixing_m4, {"c": 1.0, "t": np.array([-2.0, 0.0])}, h=np.stack([share, 1 - share], 1), noise=0.003)
    sj.fit("data_mixing_m4", mixed, starts=16).save("mix.json")
    rows = [f"{h:.4f},{1 - h:.4f},{2 + np.exp(-h):.5f},{2 + np.exp(h - 1):.5f}" for h in share]
    Path("proxies.csv").write_text("\n".join(["web,code,one,two", *rows]) + "\n")
    Path("broken.json").write_text(Path("fit.json").read_text()[:300])
    Path("broken.npz").write_bytes(Path("posterior.npz").read_bytes()[:300])


def commands(verb: str, seed: int, count: int) -> list[tuple[str, list[str]]]:
    """(what is odd, words) of odd commands."""
    rng = np.random.default_rng([seed, zlib.crc32(verb.encode())])
    every = list(_commands(GOOD[verb]))
    if verb in SLOW:  # words that leave the command as good as it was would run it whole
        every = [odd for odd in every if not odd[0].startswith(("without", "twice"))]
    most = 2 if verb == "demo" else count  # nearly any word names a folder, and the demo is long
    return [every[i] for i in sorted(rng.choice(len(every), min(most, len(every)), replace=False))]


def _commands(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    for i, word in enumerate(words):
        before, after = words[:i], words[i + 1 :]
        yield f"without {word}", [*before, *after]
        yield f"twice {word}", [*before, word, word, *after]
        for odd in WORDS:
            if not word.startswith("--"):
                yield f"{word} -> {odd[:20]!r}", [*before, odd, *after]
                if "=" in word:
                    yield f"{word} -> ={odd[:20]!r}", [*before, f"{word.partition('=')[0]}={odd}", *after]
    for odd in WORDS:
        yield f"{odd[:20]!r} more", [*words, odd]


class Spoken(sj.ScalejaxError):
    """What a verb wrote on standard error before it ended with status 2."""

    def __init__(self, text: str) -> None:
        ValueError.__init__(self, text)


def called(words: list[str]) -> Any:
    """Run a command; its output, or `Spoken`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(words)
        except SystemExit as end:  # argparse: usage in some lines, then a sentence
            if end.code:
                raise Spoken(err.getvalue().strip().splitlines()[-1].strip()[:LONGEST]) from None
            status = 0
    said = [line for line in err.getvalue().strip().splitlines() if not line.startswith("note: ")]
    if status:
        raise Spoken("\n".join(said))
    if "nan" in out.getvalue().lower().split():
        raise AssertionError(f"printed nan: {out.getvalue()[:200]}")
    return out.getvalue()


def run(name: str, score: Score, seed: int, count: int, seconds: float) -> None:
    """Attack one verb."""
    verb = name.removeprefix("scalejax ")
    for file, content in prepared().items():
        Path(file).write_bytes(content)
    if verb not in SLOW:
        called([verb, *GOOD[verb]])
    for what, words in commands(verb, seed, count):
        end = end_of(lambda words=words: called([verb, *words]), what, senseless=False, seconds=PROMISED.get(verb, seconds))
        score.add(name, what, _unforeseen(end))


def _unforeseen(end: End) -> End:
    return End("poor", end.said) if end.kind == "sentence" and "no check foresaw" in end.said else end


if __name__ == "__main__":
    print(called(sys.argv[1:]))
