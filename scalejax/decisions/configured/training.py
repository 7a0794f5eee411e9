"""From a planned size to a run that can be started: shape, learning rate, batch and steps."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...core.checks import check_count
from ...core.errors import DecisionError, suggest
from ...core.forms.documents import write_document
from ...core.numeric.precision import double
from ...core.table import Note, Shown, Table, number, plain_value
from ...zoo import laws
from ..costs import six_nd
from ..shapes import deepseek_flops
from .shape_rules import Count, family_of

_OFF = 0.1  # share by which a size may differ from the planned one without a word


class Run(NamedTuple):
    """What the laws of hyper-parameters may ask of a run."""

    N: float
    nonembedding: float
    D: float
    depth: int
    width: int
    sequence: int


def _size_and_data(run: Run) -> dict[str, dict[str, float]]:
    return {"lr": {"N": run.nonembedding, "D": run.D}, "batch": {"D": run.D}}


def _size(run: Run) -> dict[str, dict[str, float]]:
    return {"lr": {"N": run.N}, "batch": {"N": run.N}}


def _compute(run: Run) -> dict[str, dict[str, float]]:
    C = float(six_nd(run.N, run.D))
    return {"lr": {"C": C}, "batch": {"C": C}}


def _layers_compute(run: Run) -> dict[str, dict[str, float]]:
    C = float(deepseek_flops(run.depth, run.width, run.sequence)) * run.D
    return {"lr": {"C": C}, "batch": {"C": C}}


# Published rules: the law of the rate and that of the batch, the name of their constants, and how they count.
_RULES: dict[str, tuple[str, str, str, Callable[[Run], dict[str, dict[str, float]]]]] = {
    "step_law": ("lr_params_tokens", "batch_tokens", "step_law", _size_and_data),
    "deepseek": ("lr_compute", "batch_compute", "deepseek", _layers_compute),
    "moonlight": ("lr_compute", "batch_compute", "moonlight", _compute),
    "porian2024": ("lr_params", "batch_params", "porian2024", _size),
}


@dataclass(frozen=True, eq=False, repr=False)
class TrainingPlan(Shown):
    """Runs that can be started, see `configure`; arrays have one entry a run.

    Attributes:
        shapes, hyperparameters: names of the family and of the rule.
        planned: (runs,) sizes that were asked for. N: sizes of the configurations, counted alike. D: tokens, whole steps of them.
        configs: the keys of a config.json of every run.
        lr: peak learning rates. batch: sequences of a batch. sequence: tokens of a sequence. steps: optimiser steps.
        rule: what the rule was found on.
    """

    shapes: str
    hyperparameters: str
    planned: np.ndarray
    N: np.ndarray
    D: np.ndarray
    configs: tuple[Mapping[str, Any], ...]
    lr: np.ndarray
    batch: np.ndarray
    sequence: int
    steps: np.ndarray
    rule: str

    @property
    def compute(self) -> np.ndarray:
        """(runs,) FLOPs, 6 N D."""
        return np.asarray(six_nd(self.N, self.D), float)

    def runs(self) -> list[dict[str, Any]]:
        """A mapping for every run: "model" with the keys of a config.json, "training" with rate, batch, steps and tokens."""
        return [
            {
                "model": plain_value(dict(config)),
                "parameters": round(float(self.N[i])),
                "training": {
                    "learning_rate": float(f"{self.lr[i]:.4g}"),
                    "batch_sequences": int(self.batch[i]),
                    "sequence_length": self.sequence,
                    "batch_tokens": int(self.batch[i]) * self.sequence,
                    "steps": int(self.steps[i]),
                    "tokens": int(self.D[i]),
                    "flops": float(f"{self.compute[i]:.6g}"),
                },
            }
            for i, config in enumerate(self.configs)
        ]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the runs as .json, .yaml, or as .csv with a row a run."""
        document = {"shapes": self.shapes, "hyperparameters": self.hyperparameters, "runs": self.runs()}
        return write_document(path, document, self.table().columns())

    def table(self) -> Table:
        """A row for every run."""
        keys = ("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "intermediate_size")
        rows = [
            [number(n, 4), *(str(config[key]) for key in keys), number(lr, 3), *(f"{v:,.0f}" for v in whole), number(d, 4), number(c, 3)]
            for n, config, lr, *whole, d, c in zip(self.N, self.configs, self.lr, self.batch, self.steps, self.D, self.compute, strict=True)
        ]
        head = ["N", "depth", "width", "heads", "kv heads", "inner width", "lr", "batch", "steps", "D", "compute"]
        return Table(head, rows, f"Runs to train: {self.shapes}, batches of sequences of {self.sequence:,} tokens", self._notes())

    def _notes(self) -> list[str]:
        off = np.abs(self.N / self.planned - 1)
        notes: list[str] = [f"learning rate and batch by {self.hyperparameters}: {self.rule}"]
        if off.max() > _OFF:
            said = f"the nearest configuration is {100 * off.max():.0f} % off the planned size of {self.planned[np.argmax(off)]:.3g}"
            notes.append(Note(said, "size-off"))
        return notes


@double
def configure(
    plan: Any,
    *,
    shapes: str = "llama3",
    hyperparameters: str = "step_law",
    sequence: int = 4096,
    vocab: int | None = None,
    count: Count = "total",
    multiple: int = 8,
) -> TrainingPlan:
    """Runs that can be started from planned sizes and tokens: whole layers and heads, learning rate, batch and steps.

    Depth and width are chosen so that the size is the planned one within a few per cent and their ratio that of released models of the
    family, in between and beyond whose sizes it is interpolated in log N. Rate and batch are published laws at the size and the tokens.

    Args:
        plan: an allocation, the runs of `next_runs`, or a mapping {"N": sizes, "D": tokens} of numbers or arrays.
        shapes: "llama3", "llama", "qwen3", "pythia" or "gpt3".
        hyperparameters: "step_law" (Li et al. 2025), "deepseek" (Bi et al. 2024), "moonlight" (Liu et al. 2025) or "porian2024".
        sequence: tokens of a sequence.
        vocab: entries of the vocabulary, default that of the family.
        count: what N counts, "total" parameters or "nonembedding" ones.
        multiple: a batch is a multiple of so many sequences.

    Returns:
        TrainingPlan: `runs()`, `save("plan.yaml")`, `table()`.

    Raises:
        DecisionError: if the plan has no N and D, a name is unknown, or no model of the family has the size.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> plan = sj.allocate((law, law.published["hoffmann2022"]), compute=1e21)
        >>> run = sj.configure(plan).runs()[0]
        >>> run["model"]["num_hidden_layers"], run["model"]["hidden_size"], run["training"]["batch_sequences"]
        (18, 2560, 232)

    References: those of the shapes in `shapes.toml`; Li et al. 2025, arXiv:2503.04715; Bi et al. 2024, arXiv:2401.02954; Liu et al. 2025,
        arXiv:2502.16982; Porian et al. 2024, arXiv:2406.19146.
    """
    if hyperparameters not in _RULES:
        raise DecisionError(f"There is no rule {hyperparameters!r} for hyper-parameters; {suggest(hyperparameters, _RULES)}")
    if count not in ("total", "nonembedding"):
        raise DecisionError(f"count={count!r} must be 'total' or 'nonembedding'.")
    for name, value in (("sequence", sequence), ("multiple", multiple), *([("vocab", vocab)] if vocab is not None else [])):
        check_count(name, value, 1, DecisionError)
    family = family_of(shapes).with_vocabulary(vocab)
    sizes, tokens = _planned(plan)
    lr_law, batch_law, constants, counted = _RULES[hyperparameters]
    configs, found = [], []
    for n, d in zip(sizes, tokens, strict=True):
        config = family.closest(float(n), count)
        total, inside = (family.size(config, kind) for kind in ("total", "nonembedding"))
        run = Run(total if count == "total" else inside, inside, float(d), config["num_hidden_layers"], config["hidden_size"], sequence)
        asked = counted(run)
        lr, batch = (
            float(laws[law](**asked[what], **laws[law].published[constants])) for what, law in (("lr", lr_law), ("batch", batch_law))
        )
        sequences = max(round(batch / sequence / multiple), 1) * multiple
        steps = max(round(float(d) / (sequences * sequence)), 1)
        configs.append(config)
        found.append((run.N, lr, sequences, steps))
    columns = np.asarray(found, float).T
    return TrainingPlan(
        shapes=shapes, hyperparameters=hyperparameters, planned=sizes, N=columns[0], D=columns[3] * columns[2] * sequence,
        configs=tuple(configs), lr=columns[1], batch=columns[2], sequence=sequence, steps=columns[3],
        rule=laws[lr_law].published[constants].context,
    )  # fmt: skip


def _planned(plan: Any) -> tuple[np.ndarray, np.ndarray]:
    """Sizes and tokens of a plan, (runs,) each."""
    inputs = next((v for v in (getattr(plan, "inputs", None), getattr(plan, "runs", None), plan) if isinstance(v, Mapping)), {})
    if not {"N", "D"} <= set(inputs):
        raise DecisionError('configure() needs sizes N and tokens D: an allocation, the runs of next_runs, or {"N": 7e9, "D": 1e12}.')
    try:
        N, D = (np.asarray(inputs[name], float) for name in ("N", "D"))
        N, D = (np.ravel(a) for a in np.broadcast_arrays(N, D))
    except (TypeError, ValueError):
        raise DecisionError("configure() takes numbers or arrays of one length for N and D.") from None
    if not (np.isfinite(N) & np.isfinite(D) & (N > 0) & (D > 0)).all() or not N.size:
        raise DecisionError("configure() needs positive, finite N and D.")
    return N, D
