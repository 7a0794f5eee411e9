"""Can the runs tell the law's parameters apart at all? Checked before the fit, on the inputs alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.laws.domains import Positive
from ..core.laws.law import Law
from ..core.runs import Runs
from .request import Request

if TYPE_CHECKING:
    from .result import Fit

_LINE = 1e-4  # one minus the squared correlation of logs below which two inputs count as one


def inseparable_inputs(request: Request) -> str | None:
    """A sentence about two inputs that lie on one line in log-log coordinates, or None.

    Runs with D = 20 N throughout show one power law along a ray: the terms in N and in D trade against each other, whatever the optimiser
    prints. Fixing or tying a parameter is taken as a statement that settles it.
    """
    if request.fix or request.tie or request.bounds:
        return None
    names = [f" of group {g!r}" for g in request.groups] if len(request.tables) > 1 else [""]
    for table, rows, group in zip(request.tables, request.used, names, strict=True):
        sentence = _on_one_line(request.law, table, rows, group)
        if sentence:
            return sentence
    return None


def _on_one_line(law: Law, runs: Runs, rows: np.ndarray, group: str) -> str | None:
    scalar = [n for n in law.inputs if isinstance(law.domains[n], Positive) and runs[n].ndim == 1]
    for a, b in itertools.combinations(scalar, 2):
        if not (runs[a][rows] > 0).all() or not (runs[b][rows] > 0).all():  # with a 0 there is no line in logarithms
            continue
        x, y = np.log(runs[a][rows]), np.log(runs[b][rows])
        if np.ptp(x) < 1e-9 or np.ptp(y) < 1e-9 or 1 - np.corrcoef(x, y)[0, 1] ** 2 > _LINE or len(rows) < 3:
            continue
        slope = np.polyfit(x, y, 1)[0]
        ratio = float(np.exp(np.mean(y - x)))
        line = f"{b} = {ratio:.3g} {a}" if abs(slope - 1) < 0.02 else f"{b} follows {a}^{slope:.2f}"
        middle = float(np.exp(np.mean(x)))
        here = float(np.exp(np.polyval(np.polyfit(x, y, 1), np.log(middle))))
        return (
            f"{line} in all {len(rows)} runs{group}, so law {law.name!r} cannot tell its dependence on {a} from that on {b}: "
            f"{_names(law.parameters)} cannot be reported apart. Add runs off this line, for instance {a} = {middle:.3g} with "
            f"{b} = {4 * here:.3g} and with {b} = {here / 4:.3g}; or fit power_law in {a} alone; or fix a parameter."
        )
    return None


def _names(parameters: tuple[str, ...]) -> str:
    exponents = [p for p in ("alpha", "beta") if p in parameters]
    return " and ".join(exponents) if len(exponents) == 2 else "its parameters"


def listed_labels(request: Request, labels: Sequence[str]) -> str:
    """Entries of theta in words; where columns of groups cross, parameters by name, as the groups are many."""
    names = [label.partition("[")[0] for label in labels] if request.crossed else labels
    return ", ".join(dict.fromkeys(names))


def anchor_advice(fit: Fit, labels: Sequence[str]) -> str:
    """What to do about flat directions: where a factor can move between parameters of crossing groups, which of them to anchor."""
    request, flat = fit.request, {label.partition("[")[0] for label in labels}
    slots = [slot for slot in request.layout.slots if slot.name in flat and slot.grouped]
    if not request.crossed or not slots or len(flat) < 2:
        return "fix one of them or add runs that vary the inputs they act on"
    slot = min(slots, key=lambda slot: (not slot.domain.contains(1.0).all(), slot.groups))
    group = int(slot.members[0])
    value = 1.0 if slot.domain.contains(1.0).all() else float(f"{np.ravel(fit.params[slot.name][group])[0]:.3g}")
    return (
        f"a factor or a shift moves freely between them: anchor {slot.name!r} in a group, such as "
        f"fix={{{slot.name!r}: {{{request.which(slot.name, group)!r}: {value:g}}}}}, or add runs that connect the groups"
    )
