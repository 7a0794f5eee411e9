"""What a report of a scaling-law fit must state, filled in from the fit as far as it knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import FitError, suggest
from ..core.numeric.precision import double
from ..core.table import Shown, Table, number
from ..fitting.result import Fit

# section, key, question; those that a fit answers itself are in `_from_fit`
_QUESTIONS = (
    ("form", "form", "Which functional form?"),
    ("form", "variables", "Which quantities does it relate?"),
    ("form", "parameters", "Which parameters are fitted, which are fixed or tied?"),
    ("form", "derivation", "On what grounds was the form chosen?"),
    ("training", "architecture", "Which architectures, and how are they shaped at each size?"),
    ("training", "counting", "How are parameters, tokens and compute counted (embeddings, attention, 6ND)?"),
    ("training", "hyperparameters", "How are learning rate, batch size and schedule chosen at each scale?"),
    ("training", "training_data", "Which training data, and are they repeated?"),
    ("training", "evaluation_data", "On which data is the loss measured?"),
    ("data", "runs", "How many runs enter?"),
    ("data", "ranges", "Over which sizes, tokens and losses?"),
    ("data", "checkpoints", "Final or intermediate checkpoints, and which are left out?"),
    ("data", "excluded", "Which runs were left out, and why?"),
    ("data", "available", "Where are the data?"),
    ("fitting", "objective", "Which loss, on which scale, with which weights?"),
    ("fitting", "optimizer", "Which optimiser, and where do its runs end?"),
    ("fitting", "initial_values", "From how many starts, chosen how, and how many agree?"),
    ("fitting", "estimates", "Which parameter values, unrounded?"),
    ("fitting", "goodness", "How well does it fit?"),
    ("fitting", "uncertainty", "How uncertain are the parameters?"),
    ("fitting", "validation", "How well does it predict runs that it has not seen?"),
)


@dataclass(frozen=True, repr=False)
class Checklist(Shown):
    """Questions that a report of a fit must answer, see `checklist`; printing it gives the table.

    Attributes:
        answers: key to answer, None where it is missing; `to_dict()` adds sections and questions for JSON.
    """

    answers: Mapping[str, str | None]

    @property
    def missing(self) -> tuple[str, ...]:
        """Keys without an answer."""
        return tuple(key for key, answer in self.answers.items() if answer is None)

    def to_dict(self) -> dict[str, dict[str, dict[str, str | None]]]:
        """Section to key to question and answer: plain data for JSON."""
        out: dict[str, dict[str, dict[str, str | None]]] = {}
        for section, key, question in _QUESTIONS:
            out.setdefault(section, {})[key] = {"question": question, "answer": self.answers[key]}
        return out

    def table(self) -> Table:
        """A row for every question."""
        rows = [[key, section, question, self.answers[key] or "not stated"] for section, key, question in _QUESTIONS]
        stated = len(self.answers) - len(self.missing)
        return Table(["item", "section", "question", "answer"], rows, notes=[f"{stated} of {len(self.answers)} questions answered"])


@double
def checklist(fit: Fit, **answers: str) -> Checklist:
    """The checklist of a reproducible scaling-law fit: what the fit knows filled in, the rest from you, what is missing named.

    Args:
        fit: a fit.
        **answers: text for questions that the runs cannot answer, such as architecture, hyperparameters, training_data, evaluation_data,
            counting, available, validation; they may also replace what the fit says.

    Returns:
        Checklist: `missing`, `table()`, `to_dict()`.

    Raises:
        FitError: if a name is not a question of the checklist.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 30), noise=0.01)
        >>> found = checklist(sj.fit("power_law", runs, starts=64), training_data="simulated", available="in this example")
        >>> found.answers["form"], "architecture" in found.missing
        ('L(x) = E + A x^-alpha', True)

    References: Li, Kudugunta and Zettlemoyer 2025, arXiv:2502.18969; questions in our words.
    """
    keys = [key for _, key, _ in _QUESTIONS]
    for name in answers:
        if name not in keys:
            raise FitError(f"The checklist has no question {name!r}; {suggest(name, keys)}")
    known = _from_fit(fit)
    return Checklist({key: answers.get(key, known.get(key)) for key in keys})


def _from_fit(fit: Fit) -> dict[str, str]:
    """Answers that a fit knows."""
    law, request, starts = fit.law, fit.request, fit.starts
    held = [f"{k} fixed at {_values(v)}" for k, v in request.fix.items()]
    held += [f"{k} of {g} fixed at {_values(v)}" for k, given in request.anchors.items() for g, v in given.items()]
    held += [f"{k} = {v}" for k, v in request.tie.items()]
    held += [f"{k} = {v:.6g}" for k, v in law.bound]
    free = [p for p in law.parameters if p not in request.fix and p not in request.tie]
    errors = fit.standard_errors
    flags = [f"{flag.code}: {flag.message}" for flag in fit.runs.flags if flag.excluded]
    left_out = len(fit.runs) - fit.runs.used
    weighted = ", weighted" if np.ptp(np.concatenate(request.row_weights)) else ""
    ends = ", ".join(f"{np.sum(starts.status == s)} {s}" for s in dict.fromkeys(starts.status.ravel().tolist()) if s)
    group = f"; groups of {' and '.join(map(repr, request.columns))} fitted {'jointly' if request.joint else 'apart'}" if request.by else ""
    return {
        "form": law.formula.splitlines()[0],
        "variables": f"{law.output} from {', '.join(law.inputs)}",
        "parameters": "; ".join([f"fitted: {', '.join(free)}", *held]) + group,
        "runs": f"{len(fit.observed)} observations of {fit.runs.used} runs, digest {fit.runs.digest}",
        "ranges": "; ".join(f"{name} {text}" for name, text in fit.runs.describe() if name in (*law.inputs, law.output)),
        "excluded": "; ".join([f"{left_out} runs left out", *flags]),
        "objective": f"sum of {request.loss!r} of residuals, {request.on}{weighted}",
        "optimizer": f"{fit.solver}{f', recipe {fit.recipe}' if fit.recipe else ''}; status {fit.status.value}; refined starts: {ends}",
        "initial_values": f"{starts.screened:,} starts evaluated, seed {fit.seed}; {starts.agreeing} of {starts.refined} refined starts "
        f"agree, {starts.optima} distinct optima",
        "estimates": "; ".join(f"{k} = {_values(v)}" for k, v in fit.params.items()),
        "goodness": f"objective {fit.objective:.8g}, R² {fit.r_squared:.6f}, median |residual| {np.median(np.abs(fit.residuals)):.3g}",
        "uncertainty": "standard errors (sandwich): " + "; ".join(f"{k} {_errors(v)}" for k, v in errors.items()),
    }  # fmt: skip


def _values(value: Any) -> str:
    """A number, or several, with all digits that matter."""
    return ", ".join(f"{v:.10g}" for v in np.ravel(value))


def _errors(value: Any) -> str:
    return ", ".join(number(v, 3) for v in np.ravel(value))
