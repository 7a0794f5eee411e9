"""What is odd in isoFLOP sweeps: runs far off the curve of their budget, curves below all runs, and kinds of runs that were pooled."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ...core.checks import rows_text
from ...core.errors import DataWarning, warn
from ...core.runs import Runs
from ...core.table import Note
from ...fitting.diagnosis.clusters import split
from ...fitting.uncertainty.residuals import robust_scale
from .minima import Minimum, Sizes, polynomial, sizes_by_budget, within

_ODD, _FAR = 6.0, 10.0  # standard deviations from the curve through the other runs of a budget, beyond which one is named, and left out
_ALIKE = 4.0  # factor within which parabolas of several budgets bend alike
_MOST = 2  # runs of one budget that are looked for together
_SPLIT = 1e-5, 0.25  # probability and share of the variance, beyond which runs split by a column
_WINSOR = 3.0  # robust standard deviations, in the test for groups
LEAST = 2e-4  # of the loss: no loss is known better, for runs of other seeds differ by more


def checked(runs: Runs, budget: str, tolerance: float, window: float = np.inf) -> tuple[Runs, list[Note]]:
    """The runs that count and lie on the curve of their budget, and notes, which are warnings as well, of those that do not."""
    rows = np.flatnonzero(~runs.excluded)
    runs = runs.where(~runs.excluded)
    near = [within(s, window) for s in sizes_by_budget(runs, budget, tolerance)]
    notes, out = [], []
    for s, far in zip(near, far_off(near, _FAR), strict=True):
        for place, miss in far.items():
            notes.append(Note(f"{_off(runs, rows, budget, s.rows[place], miss)} and is left out: check that run", "outliers"))
            out.append(s.rows[place])
    kept = np.setdiff1d(np.arange(len(runs)), out)
    runs, rows = runs.take(kept), rows[kept]
    notes += _pooled(runs, budget, tolerance)
    tell(notes)
    near = [within(s, window) for s in sizes_by_budget(runs, budget, tolerance)]
    for s, odd in zip(near, far_off(near, _ODD), strict=True):
        N = np.exp(polynomial(s.where(np.delete(np.arange(len(s.loss)), list(odd))), 2, 0.0, 0, np.random.default_rng(0)).log[0])
        for place, miss in odd.items():
            without = f"without it a parabola has its minimum at N = {N:.3g}" if np.isfinite(N) else "without it there is no minimum"
            notes.append(Note(f"{_off(runs, rows, budget, s.rows[place], miss)}: check that run, {without}", "outliers"))
    return runs, notes


def _off(runs: Runs, rows: np.ndarray, budget: str, i: int, miss: float) -> str:
    """Which run lies how far off."""
    where = f"{rows_text([rows[i]])} (N = {runs['N'][i]:.3g} at {runs[budget][i]:.3g} FLOPs)"
    return f"{where} lies {abs(miss):.3g} {'above' if miss > 0 else 'below'} the curve through the other sizes of its budget"


def tell(notes: Sequence[str]) -> None:
    """Notes as warnings."""
    for note in notes:
        warn(f"{note[0].upper()}{note[1:]}.", DataWarning)


def far_off(sizes: Sequence[Sizes], limit: float) -> list[dict[int, float]]:
    r"""Of every budget the sizes (their places) that lie far off the parabola through its others, and by how much.

        | L_i - p(N_i) |  >  limit s sqrt(1 + h_i) sqrt(1 + 2 / m),    p, h, m (degrees of freedom) through the sizes that are left

    s is the larger of two scatters: of these sizes about p, and of the other budgets about theirs (the median). What parabolas miss
    everywhere is thus no oddity of one run. p must bend as the other budgets do, within a factor of four: else the odd ones are in it.
    """
    usual = zip(_scatters(sizes), _of_others([_bend(s) for s in sizes]), strict=True)
    return [_odd_sizes(s, least, bend, limit) for s, (least, bend) in zip(sizes, usual, strict=True)]


def _scatters(sizes: Sequence[Sizes]) -> list[float]:
    """For every budget the median scatter of the other ones about their parabolas; at least what losses are ever known to."""
    others = _of_others([_scatter(s) for s in sizes])
    return [max(LEAST * float(np.median(s.loss)), other if np.isfinite(other) else 0.0) for s, other in zip(sizes, others, strict=True)]


def _of_others(values: Sequence[float]) -> list[float]:
    """For every entry the median of the other ones that are finite, NaN without one."""
    rest = [np.delete(np.asarray(values), i) for i in range(len(values))]
    return [float(np.median(v[np.isfinite(v)])) if np.isfinite(v).any() else np.nan for v in rest]


def _bend(s: Sizes) -> float:
    """Half the second derivative of the parabola, NaN through fewer than three sizes."""
    return float(np.polyfit(s.log_n - s.log_n.mean(), s.loss, 2)[0]) if len(s.loss) > 2 else np.nan


def _odd_sizes(s: Sizes, least: float, bend: float, limit: float) -> dict[int, float]:
    """The largest set of up to two sizes that all lie far off the parabola through the others."""
    n, odd = len(s.loss), {}
    basis = _basis(s.log_n)
    hat = basis @ basis.T
    residual = s.loss - hat @ s.loss
    for count in range(1, _MOST + 1):
        left = n - count - basis.shape[1]
        if left < count:  # as many sizes to check the curve as are left out
            break
        sets = np.asarray(list(itertools.combinations(range(n), count)))
        free = np.eye(count) - hat[sets[:, :, None], sets[:, None, :]]
        misses = np.linalg.solve(free, residual[sets][..., None])[..., 0]  # from the parabola through the others
        gains = np.sum(misses * residual[sets], axis=1)
        i = int(gains.argmax())
        sd = max(np.sqrt(max(residual @ residual - gains[i], 0.0) / left), least) * np.sqrt(1 + 2 / left)
        far = np.abs(misses[i]) > limit * sd * np.sqrt(np.diag(np.linalg.inv(free[i])))
        ratio = _bend(s.where(np.delete(np.arange(n), sets[i]))) / bend
        if far.all() and not (ratio < 1 / _ALIKE or ratio > _ALIKE):
            odd = dict(zip(sets[i].tolist(), misses[i].tolist(), strict=True))
    return odd


def _scatter(s: Sizes) -> float:
    """Standard deviation of the losses about the parabola, NaN without a degree of freedom."""
    basis = _basis(s.log_n)
    left = len(s.loss) - basis.shape[1]
    return float(np.linalg.norm(s.loss - basis @ (basis.T @ s.loss)) / np.sqrt(left)) if left > 0 else np.nan


def _basis(x: np.ndarray, degree: int = 2) -> np.ndarray:
    """Orthonormal columns that span the polynomials in x, or what of them so few sizes tell."""
    centred = (x - x.mean()) / max(float(np.ptp(x)), 1e-12)
    left, values, _ = np.linalg.svd(np.vander(centred, degree + 1), full_matrices=False)
    return left[:, values > 1e-9 * values.max()]


def below_runs(sizes: Sequence[Sizes], found: Sequence[Minimum]) -> list[Note]:
    """Notes of minima that lie further below every loss of their budget than noise and the step between sizes make them.

    Half a step h off the minimum, a curve that bends like those of the other budgets has risen by bend (h / 2)^2.
    """
    notes = []
    for s, m, least, bend in zip(sizes, found, _scatters(sizes), _of_others([_bend(s) for s in sizes]), strict=True):
        if m.reason or not bend > 0:
            continue
        right = int(np.clip(np.searchsorted(s.log_n, m.log[0]), 1, len(s.log_n) - 1))
        depth, step = s.loss.min() - m.loss, s.log_n[right] - s.log_n[right - 1]
        if depth > _FAR * least + _ALIKE * bend * (step / 2) ** 2:
            said = f"the minimum of {m.loss:.4g} at {s.compute:.3g} FLOPs lies {depth:.2g} below every loss of that budget"
            notes.append(Note(f"{said}: check its runs, or narrow the sizes with window=", "below-runs"))
    return notes


def _pooled(runs: Runs, budget: str, tolerance: float) -> list[Note]:
    """A note for the column of text that splits the runs of one budget most: they lie on several curves."""
    names = [n for n in runs.names if runs[n].dtype.kind != "f" and runs[n].ndim == 1 and _names_groups(runs[n], runs["N"])]
    if not names:
        return []
    budgets = [s.rows for s in sizes_by_budget(runs, budget, tolerance)]
    found = {name: _split(runs, name, budgets, len(names)) for name in names}
    strong = {name: s for name, s in found.items() if s is not None and s[1] < _SPLIT[0] and s[2] > _SPLIT[1]}
    if not strong:
        return []
    name = max(strong, key=lambda n: strong[n][2])
    F, p, _ = strong[name]
    groups = np.unique(runs[name])
    said = f"losses split by {name}: {len(groups)} groups, F = {F:.3g}, p = {p:.1g}, so that one curve a budget fits none of them"
    return [Note(f"{said}; ask each by itself, such as runs.where(runs[{name!r}] == {str(groups[0])!r})", "groups")]


def _names_groups(values: np.ndarray, N: np.ndarray) -> bool:
    """Does a column divide the runs into a few groups, of several sizes each? Others are names of runs or of sizes."""
    groups = np.unique(values)
    return 2 <= len(groups) <= len(values) / 2 and any(len(np.unique(N[values == g])) > 1 for g in groups)


def _split(runs: Runs, name: str, budgets: Sequence[np.ndarray], tried: int) -> tuple[float, float, float] | None:
    """The analysis of variance of all runs about the curves of their budgets, over one column.

    The curves bend as often as the sizes allow, up to degree 4, so that groups of small and of large sizes do not differ by what parabolas
    miss.
    """
    index = np.unique(runs[name], return_inverse=True)[1].reshape(-1)
    pieces = []
    for rows in budgets:
        N, y = runs["N"][rows], runs["loss"][rows]
        basis = _basis(np.log(N), int(np.clip(len(np.unique(N)) // 2 - 1, 2, 4)))
        y = y - basis @ (basis.T @ y)
        scale = robust_scale(y, basis.shape[1])
        if scale > LEAST * 1e-3 * abs(float(np.median(runs["loss"][rows]))):
            pieces.append((np.clip(y / scale, -_WINSOR, _WINSOR), basis, index[rows]))
    return split(pieces, int(index.max()) + 1, tried) if pieces else None
