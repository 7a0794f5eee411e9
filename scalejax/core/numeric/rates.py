"""The learning rate of every step from those that were logged."""

from __future__ import annotations

import numpy as np

from ..errors import DataError, DataWarning, warn


def rates(run: str, t: np.ndarray, lr: np.ndarray, last: int, warmup: int) -> np.ndarray:
    r"""Rates of steps 0 to `last` from rates lr logged at steps t, in order.

    Straight lines between records, the first record's rate before it, the last one's after it. With a warm-up of W steps the rates rise

        from 0 at step -1 through the records inside the warm-up to the peak at step W - 1,     eta_s = peak (s + 1) / W

    where the peak is the first rate logged from step W on, or what the last record inside the warm-up says it is, if that is higher and the
    fall of the first two rates after it leaves room for that.

    Args:
        run: its name, for messages.
        t, lr: (records,) steps and rates; the last of several at one step counts.
        last: step of the last rate wanted.
        warmup: steps W of the warm-up.

    Returns:
        (last + 1,) rates.

    Raises:
        DataError: if rates still change where their log ends, long before `last`.
    """
    final = np.append(np.diff(t) > 0, True)
    t, lr = t[final], lr[final]
    if len(t) > 1 and lr[-1] != lr[-2] and last - t[-1] > 2 * np.median(np.diff(t)):
        raise DataError(
            f"Run {run!r}: rates were logged up to step {t[-1]:.0f} and losses up to step {last}; pass schedules= with all rates."
        )
    after = np.flatnonzero(t >= warmup)
    if warmup and len(after):
        inside, outside = slice(None, after[0]), slice(after[0], None)
        peak = _peak(t, lr, warmup, after[0])
        if after[0]:
            _check_ramp(run, t[inside], lr[inside], peak, warmup)
        # Kept at the peak until the warm-up's last step and the first after it; an own record of either takes its place.
        corner = [at for at in (warmup - 1, warmup) if at not in t]
        t = np.concatenate([t[inside], corner, t[outside]])
        lr = np.concatenate([lr[inside], np.full(len(corner), peak), lr[outside]])
    eta = np.interp(np.arange(last + 1), t, lr)
    if warmup and t[0] > 0 and t[0] < warmup:
        ramp = np.arange(min(int(t[0]), last + 1))
        eta[ramp] = lr[0] * (ramp + 1) / (t[0] + 1)
    return eta


def _peak(t: np.ndarray, lr: np.ndarray, warmup: int, first: int) -> float:
    """Rate at the end of the warm-up; `first` is the index of the first record after it."""
    reached = lr[first]
    if not first or t[first] == warmup:
        return float(reached)
    extended = lr[first - 1] * warmup / (t[first - 1] + 1)
    fall = (lr[first] - lr[first + 1]) / (t[first + 1] - t[first]) if first + 1 < len(t) else 0.0
    return float(np.clip(extended, reached, reached + max(fall, 0.0) * (t[first] - warmup)))


def _check_ramp(run: str, t: np.ndarray, lr: np.ndarray, peak: float, warmup: int) -> None:
    """Warn where the last record inside the warm-up shows that it was shorter, or no linear rise."""
    passed, risen = (t[-1] + 1) / warmup, lr[-1] / peak if peak else 0.0
    if (risen > 0.95 and passed < 0.8) or (risen < 0.5 * passed and t[-1] > 10):
        warn(
            f"Run {run!r}: at step {t[-1]:.0f}, {100 * passed:.0f} % into warmup={warmup}, the rate is {100 * risen:.0f} % of that after "
            "it; check the number of warm-up steps, or pass schedules=.",
            DataWarning,
        )
