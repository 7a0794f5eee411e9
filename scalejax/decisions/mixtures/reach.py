"""How far chosen shares lie beyond those of the runs: nothing checks there what a law predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.table import Note

_SPAN = 0.05  # of the range of a share among the runs, by which it may leave the range before it is said
_SAME = 1e-6  # the least that is said
_HALVINGS = 50
LIMITED = "; keep to the runs with {caps}"


def ranges(mixtures: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(smallest, largest) share of every domain that the runs of all targets cover, (domains,) each."""
    low, high = np.max([h.min(axis=0) for h in mixtures], axis=0), np.min([h.max(axis=0) for h in mixtures], axis=0)
    return np.minimum(low, high), high


def beyond(h: np.ndarray, mixtures: Sequence[np.ndarray]) -> np.ndarray:
    """(..., domains) how far shares lie above (+) or below (-) those of the runs, 0 where they do not leave their range by much."""
    low, high = ranges(mixtures)
    off = np.maximum(h - high, 0.0) - np.maximum(low - h, 0.0)
    return np.where(np.abs(off) > np.maximum(_SPAN * (high - low), _SAME), off, 0.0)


def within(low: np.ndarray, high: np.ndarray, mixtures: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Floors and caps (domains, path) drawn in to the shares of the runs, or as near to them as leaves a mixture."""
    least, most = (end[:, None] for end in ranges(mixtures))

    def box(slack: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.clip(least - slack, low, high), np.clip(most + slack, low, high)

    def open_(slack: np.ndarray) -> np.ndarray:
        floors, caps = box(slack)
        return (floors.sum(axis=0) <= 1 - 1e-9) & (caps.sum(axis=0) >= 1 + 1e-9)

    near, far = np.zeros(low.shape[1]), np.ones(low.shape[1])
    far = np.where(open_(near), 0.0, far)
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        far, near = np.where(open_(middle), middle, far), np.where(open_(middle), near, middle)
    return box(far)


def note(h: np.ndarray, mixtures: Sequence[np.ndarray], names: Sequence[str], widened: bool, limited: str = LIMITED) -> Note | None:
    """How far the shares h (..., domains) lie beyond those of the runs, and what to do; None if they do not."""
    chosen = h.reshape(-1, h.shape[-1])
    off, (low, high) = beyond(chosen, mixtures), ranges(mixtures)
    said, caps, floors = [], {}, {}
    for i, name in enumerate(names):
        if (off[:, i] > 0).any():
            most = float(chosen[:, i].max())
            times = f"{most / high[i]:.3g} times" if high[i] > 0 else "beyond"
            said.append((most - high[i], f"{name} at {most:.2f} is {times} the largest share of the runs, {high[i]:.2g}"))
            caps[name] = float(f"{high[i]:.2g}")
        if (off[:, i] < 0).any():
            least = float(chosen[:, i].min())
            said.append((low[i] - least, f"{name} at {least:.2f} is below the smallest share of the runs, {low[i]:.2g}"))
            floors[name] = float(f"{low[i]:.2g}")
    if not said:
        return None
    first = sorted(said, key=lambda s: (" below " in s[1], -s[0]))
    text = "extrapolation: " + "; ".join(words for _, words in first)
    what = limited.format(caps=f"caps={caps}" if caps else f"floors={floors}")
    back = "; intervals reach back to the shares of the runs" if widened else ""
    return Note(text + what + back, "extrapolation")


def shares(inputs: Mapping[str, Any], runs: Mapping[str, np.ndarray], widened: bool) -> list[Note]:
    """A note on every input of shares beyond those of the runs."""
    found = [note(inputs[name], [h], [f"{name}[{i}]" for i in range(h.shape[1])], widened, "") for name, h in runs.items()]
    return [said for said in found if said is not None]


def back(low: np.ndarray, high: np.ndarray, h: np.ndarray, mixtures: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """An interval of shares whose optimum h lies beyond the runs, reaching back to the shares of the runs."""
    off, (least, most) = beyond(h, mixtures), ranges(mixtures)
    return np.where(off > 0, np.minimum(low, most), low), np.where(off < 0, np.maximum(high, least), high)
