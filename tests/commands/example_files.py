"""Makes the files that ship for the examples of the command line: `python tests/commands/example_files.py` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import scalejax as sj

FOLDER = Path(sj.__file__).parent / "data" / "embedded" / "examples"

MYLAW = '''"""A law of one's own: size and data have one power in common."""

import scalejax as sj


@sj.law(E=sj.Positive(0.5, 3), A=sj.Positive(1, 1e5), a=sj.Positive(0.1, 1), B=sj.Positive(1, 1e5))
def one_power(N, D, *, E, A, a, B):
    """Chinchilla's loss with one exponent for size and data."""
    return E + A * N**-a + B * D**-a
'''


def _csv(columns: dict[str, Any]) -> str:
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n"


def _digits(values: Any, digits: int = 6) -> list[str]:
    return [f"{value:.{digits}g}" for value in np.asarray(values, float)]


def _sweep(seed: int, **changes: float) -> dict[str, Any]:
    """Five sizes at each of five budgets, with half a per cent of noise."""
    law, C = sj.laws.chinchilla, np.repeat(np.geomspace(1e18, 1e20, 5), 5)
    N = np.round(np.sqrt(C / 120) * np.tile(np.geomspace(0.25, 4, 5), 5), -4)
    D = np.round(C / (6 * N), -6)
    params = {**law.published["besiroglu2024"], **changes}
    loss = np.asarray(law(N, D, **params)) * np.exp(0.005 * np.random.default_rng(seed).normal(size=len(N)))
    return {"params": _digits(N), "tokens": _digits(D), "flops": _digits(6 * N * D), "loss": _digits(loss, 5)}


def make() -> dict[str, str]:
    """Name to content of every file."""
    dense, moe = _sweep(0), _sweep(1, A=330.0)
    found = {"runs.csv": _csv({"run": [f"run-{i:02d}" for i in range(25)], **dense})}
    both = {name: [*dense[name], *moe[name]] for name in dense}
    found["archs.csv"] = _csv({"run": [f"run-{i:02d}" for i in range(50)], "arch": ["dense"] * 25 + ["moe"] * 25, **both})

    states = ["finished"] * 25
    tokens, losses = [f"{float(d) / 1e9:.6g}" for d in dense["tokens"]], list(dense["loss"])
    for i, loss in ((7, ""), (19, "7.31")):
        states[i], losses[i] = "crashed", loss
    found["wandb.csv"] = _csv(
        {
            '"Name"': [f'"sweep-{i}"' for i in range(25)], '"State"': [f'"{s}"' for s in states], '"Runtime"': range(3600, 3600 * 26, 3600),
            '"model/params"': [f'"{n}"' for n in dense["params"]], '"data/tokens"': [f'"{d}"' for d in tokens],
            '"eval/loss"': [f'"{x}"' if x else "" for x in losses],
        }
    )  # fmt: skip

    rng, law, steps = np.random.default_rng(2), sj.laws.lr_annealing, 2000
    schedules = {
        "cosine": sj.schedules.cosine(steps, 1e-3, 1e-4),
        "wsd": sj.schedules.wsd(steps, 1e-3),
        "constant": sj.schedules.constant(steps, 1e-3),
    }  # fmt: skip
    table: dict[str, list[Any]] = {"run": [], "step": [], "lr": [], "loss": []}
    for name, eta in schedules.items():
        t = np.arange(20, steps, 20)
        loss = np.asarray(law(eta, t, 0, **law.published["tissue2024"])) * np.exp(0.002 * rng.normal(size=len(t)))
        table["run"] += [name] * len(t)
        table["step"] += t.tolist()
        table["lr"] += _digits(eta[t], 10)
        table["loss"] += _digits(loss, 5)
    found["curves.csv"] = _csv(table)

    h = np.round(np.random.default_rng(3).dirichlet([1.0, 1.0, 1.0], 32), 4)
    h[:, 2] = np.round(1 - h[:, 0] - h[:, 1], 4)
    mixing, noise = sj.laws.data_mixing_m4, np.exp(0.003 * np.random.default_rng(4).normal(size=(2, 32)))
    targets = [mixing(h, c=3.0, t=np.array([-2.0, -0.3, 0.0])), mixing(h, c=2.0, t=np.array([-0.2, -2.0, -0.6]))]
    found["proxies.csv"] = _csv(
        {
            **{name: _digits(h[:, i], 4) for i, name in enumerate(("web", "code", "maths"))},
            **{name: _digits(y * e, 5) for name, y, e in zip(("on_web", "on_code"), targets, noise, strict=True)},
        }
    )

    N, D = (v.ravel() for v in np.meshgrid([1.9e8, 3.7e8, 7.6e8, 1.28e9], [1e10, 2e10, 5e10, 1e11]))
    chain = sj.chain(loss=sj.laws.chinchilla, accuracy=(sj.laws.llama3_accuracy, {"nll": "loss"}))
    params = {**sj.laws.chinchilla.published["bhagia2024_hellaswag"], **sj.laws.llama3_accuracy.published["bhagia2024_hellaswag"]}
    rng = np.random.default_rng(5)
    bpb, items = np.asarray(chain.of("loss")(N, D, **params)) * np.exp(0.003 * rng.normal(size=16)), 10042
    right = rng.binomial(items, np.asarray(chain(N, D, **params))) / items
    found["tasks.csv"] = _csv({"N": _digits(N), "D": _digits(D), "bpb": _digits(bpb, 5), "hellaswag": _digits(right, 5)})
    found["mylaw.py"] = MYLAW
    return found


if __name__ == "__main__":
    for name, text in make().items():
        (FOLDER / name).write_text(text)
