"""Which parameters the runs cannot tell apart, in words."""

from __future__ import annotations

import numpy as np

from ..core.numeric.precision import double
from ..core.table import number
from ..fitting.identify import inseparable_inputs
from ..fitting.result import Fit
from ..fitting.uncertainty.draws import Draws
from ..posteriors.posterior import Posterior
from .plots.style import listed

STRONG = 0.95  # correlation above which two parameters are named together
RIDGE = 0.99  # above which only a combination is determined, if both are wide
WIDE = 1.5  # fold, of the interval of a parameter that means little by itself
ROUGH = 4.0  # fold, above which an interval is an order of magnitude rather than a number
FLAT = 1e-6  # of the largest singular value of the predictions' derivatives
STEP = 1e-4  # of central differences
LARGE = 64  # parameters: with more, joint fits are not searched for flat directions
MOST = 6  # sentences of a kind


def flat(fit: Fit) -> list[str]:
    """Inputs on one line, flat directions, parameters at a boundary."""
    sentence = inseparable_inputs(fit.request)
    found = [sentence] if sentence else []
    for rising, falling in directions(fit):
        names = [*rising, *falling]
        along = f"{listed(rising)} {'rises' if len(rising) == 1 else 'rise'}"
        along += f" while {listed(falling)} {'falls' if len(falling) == 1 else 'fall'}" if falling else ""
        found.append(
            f"Only {'the' if len(names) == 2 else 'a'} combination of {listed(names)} is determined: along the flat direction {along} and "
            f"no prediction at the runs changes, so {'neither' if len(names) == 2 else 'none'} of these numbers means anything by itself; "
            "predictions inside the data do not suffer. The fit stopped somewhere along it: an interval that stays near that point is far "
            "too narrow."
        )
    edge = list(dict.fromkeys(label for shape in fit.curvature for label in shape.boundary))
    if edge:
        found.append(
            f"{listed(edge)} ran to the edge of the possible range: the runs show no effect, which says that it is small there, not that "
            "it is absent."
        )
    return found


@double
def directions(fit: Fit) -> list[tuple[list[str], list[str]]]:
    """(rising, falling) parameters of the direction along which no prediction at the runs changes, for every set that has one.

    From central differences of the predictions, columns of unit length, so that it does not depend on noise or loss.
    """
    size = len(fit.theta)
    if size > LARGE:
        return []
    found = []
    for s, jacobian in enumerate(_jacobians(fit)):
        length = np.linalg.norm(jacobian, axis=0)
        moving = np.flatnonzero(length > FLAT * length.max())  # others ran to a boundary
        _, values, vectors = np.linalg.svd(jacobian[:, moving] / length[moving])
        if len(values) < len(moving) or values[-1] < FLAT * values[0]:
            members = {_labels(fit, s)[i]: v for i, v in zip(moving, vectors[-1], strict=True) if abs(v) > 0.1}
            up, down = ([name for name, v in members.items() if sign * v > 0] for sign in (1, -1))
            found.append((up, down) if up else (down, up))
    return found


def _jacobians(fit: Fit) -> list[np.ndarray]:
    """(observations, size) derivatives of the predictions, relative ones on logs, of every set."""
    columns = []
    for i in range(len(fit.theta)):
        step = np.zeros_like(fit.theta)
        step[i] = STEP
        ends = zip(fit.request.predict_rows(fit.theta + step), fit.request.predict_rows(fit.theta - step), strict=True)
        columns.append([np.ravel(up - down) / (2 * STEP) for up, down in ends])
    at = [np.ravel(value) if fit.request.on == "log" else 1.0 for value in fit.request.predict_rows(fit.theta)]
    return [np.nan_to_num(np.stack(column, axis=1).T / value).T for column, value in zip(zip(*columns, strict=True), at, strict=True)]


def correlated(draws: Draws, level: float) -> list[str]:
    """Pairs of parameters that move together, the strongest first; those tied in a larger set in one sentence."""
    found: list[tuple[float, str]] = []
    loose = {name for pair in directions(draws.fit) for side in pair for name in side}
    for s, theta in enumerate(np.moveaxis(draws.theta, 1, 0)):
        labels, r = _labels(draws.fit, s), _correlation(theta, draws.fit, s)
        wide = _wide(theta, draws.fit, level)
        if not isinstance(draws, Posterior):  # of these only a posterior knows more than `flat` says
            hidden = np.asarray([label in loose for label in labels])
            r[hidden], r[:, hidden] = 0.0, 0.0
        for members in _linked(np.abs(r) > STRONG):
            i, j = max(((i, j) for i in members for j in members if i < j), key=lambda pair: abs(r[pair]))
            sentence = _sentence([labels[k] for k in members], labels[i], labels[j], r[i, j], wide[i] and wide[j])
            found.append((abs(r[i, j]), sentence))
    return [text for _, text in sorted(found, key=lambda pair: -pair[0])[:MOST]]


def _sentence(names: list[str], first: str, second: str, r: float, wide: bool) -> str:
    other = "rises" if r > 0 else "falls"
    size = f"{r:+.4f}".replace("-", "−") if abs(r) > 0.999 else f"{r:+.3f}".replace("-", "−")
    lead = f"between {first} and {second} " if len(names) > 2 else ""
    if abs(r) > RIDGE and wide:
        neither = "neither number means" if len(names) == 2 else "none of these numbers means"
        return (
            f"Only {'the' if len(names) == 2 else 'a'} combination of {listed(names)} is determined: along the ridge "
            f"{first if lead else 'one'} rises while "
            f"{second if lead else 'the other'} {other} (correlation {lead}{size}), so {neither} anything by itself; predictions inside "
            "the data do not suffer."
        )
    return (
        f"{listed(names)} move together (correlation {lead}{size}): when {first} rises, {second} {other}, and the law fits almost as "
        "well. Quote them together; predictions inside the data do not suffer."
    )


def rough(draws: Draws, level: float) -> list[str]:
    """Positive parameters that are known only within a large factor."""
    found = []
    for name, (low, high) in draws.interval(level).items():
        low, high = np.atleast_1d(low), np.atleast_1d(high)
        for index in np.ndindex(low.shape):
            if 0 < ROUGH * low[index] < high[index]:
                label = name + draws.fit._index_text(name, index)
                text = (
                    f"{label} by itself is known only to within a factor of {number(high[index] / low[index], 2)} "
                    f"({100 * level:g} % interval {number(low[index], 3)} to {number(high[index], 3)})."
                )
                found.append((high[index] / low[index], text))
    return [text for _, text in sorted(found, key=lambda pair: -pair[0])[:MOST]]


def _labels(fit: Fit, s: int) -> list[str]:
    """Names of the entries of theta, with groups by name."""
    request, names = fit.request, []
    if not request.apart:
        return list(request.entry_names.values())
    for slot in request.layout.slots:
        for k in range(slot.free):
            inside = ", ".join([request.groups[s], *([str(k)] if slot.size is not None else [])])
            names.append(f"{slot.name}[{inside}]")
    return names


def _correlation(theta: np.ndarray, fit: Fit, s: int) -> np.ndarray:
    """Correlations of theta (size, draws), zero for what stands still or ran to a boundary.

    Where the optimum's curvature shows a stronger one it counts: on a bent ridge draws are less correlated than each stretch of it.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = np.atleast_2d(np.corrcoef(theta))
    local = fit.curvature[s].correlation
    drawn, local = np.nan_to_num(drawn), np.nan_to_num(local)
    if local.shape != drawn.shape or np.abs(local).max() > 1 + 1e-6:  # beyond what double precision can invert
        return drawn
    r = np.where(np.abs(local) > np.abs(drawn), local, drawn)
    labels = fit.request.layout.labels
    for i in (labels.index(label) for label in fit.curvature[s].boundary):
        r[i], r[:, i] = 0.0, 0.0
    return r


def _wide(theta: np.ndarray, fit: Fit, level: float) -> np.ndarray:
    """Is each entry of theta (size, draws) known only within a factor of `WIDE`, or of uncertain sign?"""
    out = []
    for slot in fit.request.layout.slots:
        ends = np.quantile(theta[slot.start : slot.stop], [0.5 - level / 2, 0.5 + level / 2], axis=1)
        if slot.size is None:
            ends = np.asarray(slot.domain.forward(ends))
        same_sign = (ends[0] > 0) == (ends[1] > 0)
        out.append(~same_sign | (np.abs(ends).max(axis=0) > WIDE * np.abs(ends).min(axis=0)))
    return np.concatenate(out)


def _linked(strong: np.ndarray) -> list[list[int]]:
    """Sets of two or more that strong links connect."""
    left, found = set(range(len(strong))), []
    while left:
        members, frontier = set(), {min(left)}
        while frontier:
            members |= frontier
            frontier = {int(j) for i in frontier for j in np.flatnonzero(strong[i])} - members
        left -= members
        if len(members) > 1:
            found.append(sorted(members))
    return found
