"""What a bootstrap draws anew: how often every residual counts, or the residuals themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...core.errors import FitError, IdentifiabilityError
from ...core.runs import Runs
from ..identify import anchor_advice, listed_labels
from ..objective.data import Batch
from ..objective.problem import residuals_at
from ..request import Request
from ..result import Fit
from .clustered import serial, sets_of, unit_sizes
from .intervals import freedom, no_freedom
from .spread import default
from .units import Streams, Units, resampled_units, unit_names

FEWEST = 10  # units below which resampling them says nothing: there are too few different samples


def default_kind(fit: Fit) -> tuple[str, tuple[str, ...]]:
    """Kind and columns of a bootstrap that names none: what the residuals look like, and how many units there are."""
    request, few = fit.request, min(map(len, _resampled_together(fit.request))) < FEWEST
    if request.curves:
        return ("blocks" if few else "cases"), ()
    covariance, column = ("wider", None) if fit.unit_columns else default(fit)
    columns = fit.unit_columns if column is None else (column,)
    if not columns:
        return ("residual" if few or covariance == "clustered" else "cases"), ()
    enough = min(len(set(unit_names(table, rows, columns))) for table, rows in _tables(request)) >= FEWEST
    return ("groups" if enough else "residual"), columns


def check_units(fit: Fit, units: Units) -> None:
    """Refuse to resample fewer than `FEWEST` units, and say what to do instead."""
    request = fit.request
    if units.kind in ("cases", "bayesian"):
        few = min(map(len, _resampled_together(request)))
        if few < FEWEST:
            whose = f"a group of {' or '.join(map(repr, request.columns))} has" if request.columns else "there are"
            raise FitError(
                f"Resampling runs needs at least {FEWEST} of them, and {whose} only {few}; use kind='residual' of sj.bootstrap, "
                "which draws the noise anew"
                + (", or kind='blocks', which resamples stretches of the curves." if request.curves else ", or sj.sample.")
            )
    elif units.kind == "groups":
        names = " and ".join(units.columns)
        few = min(len(set(unit_names(table, rows, units.columns))) for table, rows in _tables(request))
        if few < FEWEST:
            raise FitError(
                f"Resampling the groups of {names!r} needs at least {FEWEST} of them, and there are {few}; use kind='residual', "
                f"groups={names!r} of sj.bootstrap, which draws one error a group and one a run, or fit.interval(groups={names!r})."
            )


def undetermined(fit: Fit) -> np.ndarray:
    """Which entries of theta the runs say nothing of, (size, sets): along flat directions, and without a degree of freedom.

    Raises:
        IdentifiabilityError: if that leaves no set whole, or concerns a parameter that all groups share.
    """
    labels, left = fit.request.layout.labels, freedom(fit.request)
    out = np.asarray([[label in c.flat for c in fit.curvature] for label in labels]) | (left <= 0)
    if not out.any():
        return out
    own = {label for slot in fit.request.layout.slots if slot.grouped for label in labels[slot.start : slot.stop]}
    hopeless = any(out[i].any() and label not in own for i, label in enumerate(labels)) if fit.request.joint else out.any(axis=0).all()
    if hopeless:
        flat = [name for c in fit.curvature for name in c.flat]
        raise IdentifiabilityError(
            f"{listed_labels(fit.request, flat)} of {fit.law.name!r} are not determined by the runs, so no interval of them is finite; "
            f"{anchor_advice(fit, flat)}." if flat else no_freedom(fit.request)
        )  # fmt: skip
    return out if fit.request.joint else np.broadcast_to(out.any(axis=0), out.shape)


Moved = dict[tuple[int, int], Streams]  # streams of units, by set and stratum


def weights_of(
    fit: Fit, batch: Batch, some: Sequence[int] | np.ndarray, count: int, units: Units, rng: np.random.Generator, moved: Moved | None = None
) -> np.ndarray:
    """(rows of the bank, sets * count) how often every residual of these sets counts; `moved` is where the last call left off."""
    moved = {} if moved is None else moved
    return np.concatenate([_weights(fit, batch, int(s), count, units, rng, moved) for s in some], axis=1)


def _weights(fit: Fit, batch: Batch, s: int, count: int, units: Units, rng: np.random.Generator, moved: Moved) -> np.ndarray:
    request, table = fit.request, fit.request.tables[s]
    rows, runs = request.used[s], len(batch.group)
    if units.kind == "blocks":
        used = batch.weight[:, s].reshape(runs, -1)[: len(rows)] > 0
        drawn = blocks(used, count, fit.diagnosis.neighbours or 0.0, rng).reshape(-1, count)
    else:
        strata = fit.strata(rows, units)
        if units.kind == "groups":
            each = _units_drawn(unit_names(table, rows, units.columns), count, units, strata, s, moved)
        else:
            each = _runs_drawn(request, rows, count, units, rng)
        drawn = np.repeat(each, batch.rows // runs, axis=0)
    return np.concatenate([drawn, np.zeros((batch.rows - len(drawn), count))])


def _units_drawn(names: np.ndarray, count: int, units: Units, strata: np.ndarray | None, s: int, moved: Moved) -> np.ndarray:
    """(used rows, replicates) how often each run of set s is drawn with its unit, units of one stratum (rows,) among themselves."""
    strata = np.zeros(len(names), int) if strata is None else strata
    drawn = np.zeros((len(names), count))
    for i, stratum in enumerate(np.unique(strata)):
        mine = strata == stratum
        drawn[mine] = resampled_units(names[mine], count, units.seed, units.columns, moved.setdefault((s, i), {}))
    return drawn


def _runs_drawn(request: Request, rows: np.ndarray, count: int, units: Units, rng: np.random.Generator) -> np.ndarray:
    """(used rows, replicates) how often each run of a set is drawn."""
    if units.kind == "bayesian":
        weights = rng.standard_exponential((len(rows), count))
        return weights * (len(rows) / weights.sum(axis=0))
    if not request.joint:
        return resampled(len(rows), count, rng)
    drawn = np.zeros((len(rows), count))
    main = request.layout.main  # within groups, of the column with the most, so that no group's own parameters lose all their runs
    for members in _members(request, rows, main):
        drawn[members] = resampled(len(members), count, rng)
    return drawn


def _members(request: Request, rows: np.ndarray, axis: int) -> list[np.ndarray]:
    """Places among the rows of every group of a column."""
    codes = request.codes[rows, axis]
    counts = np.bincount(codes, minlength=len(request.levels[axis]))
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])


def resampled(n: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(n, count): how often each of n is drawn in `count` samples of n with replacement. Ten times faster than `rng.multinomial`."""
    places = rng.integers(0, n, (n, count)) * count + np.arange(count)
    return np.bincount(places.ravel(), minlength=n * count).reshape(n, count).astype(float)


def blocks(used: np.ndarray, count: int, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """(runs, steps, count): how often every step counts when stretches of each curve are drawn with replacement, around its end.

    A stretch is as long as is best for residuals whose neighbours are correlated so (Carlstein 1986): (sqrt(6) rho / (1 - rho^2))^(2/3)
    n^(1/3) steps.

    Args:
        used: (runs, steps) which steps there are.

    Raises:
        FitError: if all curves together hold fewer than `FEWEST` stretches.
    """
    rho, out = min(max(correlation, 0.0), 0.99), np.zeros((*used.shape, count))
    lengths = used.sum(axis=1)
    stretch = np.maximum(np.ceil((np.sqrt(6) * rho / (1 - rho**2)) ** (2 / 3) * lengths ** (1 / 3)), 1).astype(int)
    if np.sum(lengths / stretch) < FEWEST:
        raise FitError(
            f"The curves hold only {np.sum(lengths / stretch):.0f} stretches that are independent of each other, and resampling needs at "
            f"least {FEWEST}: their residuals follow each other (correlation {correlation:.2f}). Add curves, or use fit.interval()."
        )
    for run, (n, size) in enumerate(zip(lengths, stretch, strict=True)):
        pieces = -(-n // size)
        starts = rng.integers(0, n, (pieces, 1, count))
        step = (starts + np.arange(size)[:, None]) % n
        times = np.bincount((step * count + np.arange(count)).ravel(), minlength=n * count).reshape(n, count)
        out[run, np.flatnonzero(used[run])] = times * (n / (pieces * size))
    return out


def noise_drawn(fit: Fit, batch: Batch, some: np.ndarray, count: int, columns: tuple[str, ...], rng: np.random.Generator) -> Batch:
    """The runs of these sets with residuals drawn anew, a data set a replicate."""
    request = fit.request
    r = np.asarray(residuals_at(request.spec, batch.batched, fit.theta[:, some], batch.gather(some)))
    if columns:
        drawn = [_of_units(fit, int(i), columns, count, batch.rows, rng) for i in some]
    elif request.series and fit.diagnosis.neighbours is not None:
        drawn = [_of_series(fit, int(i), count, batch.rows, rng) for i in some]
    else:
        drawn = [_redrawn(column, batch.weight[:, i], request.layout.size, count, rng) for column, i in zip(r.T, some, strict=True)]
    *inputs, target = (a[..., some] if b else a[..., None] for a, b in zip((*batch.inputs, batch.target), batch.batched, strict=True))
    predicted = np.repeat(target - r.reshape(*target.shape[:-1], -1), count, axis=-1)
    target = predicted + np.concatenate(drawn, axis=1).reshape(predicted.shape)
    anew = (np.repeat(a, count, axis=-1) if b else a[..., 0] for a, b in zip(inputs, batch.batched[:-1], strict=True))
    penalty_weight = np.repeat(batch.penalty_weight[some], count)
    return replace(batch, inputs=tuple(anew), target=target, batched=(*batch.batched[:-1], True), penalty_weight=penalty_weight)


def _redrawn(r: np.ndarray, weight: np.ndarray, size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(rows, count) residuals of a set's replicates: draws from the n - p largest, as `bootstrap` says; of a few only their size."""
    used, out = weight > 0, np.zeros((len(r), count))
    unit = r[used] * np.sqrt(weight[used])  # of one variance, if weights are what they say
    left = max(len(unit) - size, 1)
    scale = np.sqrt(left / rng.chisquare(left, count))
    if left < FEWEST:
        drawn = np.sqrt(np.sum(unit**2) / left) * rng.standard_normal((len(unit), count))
    else:
        kept = unit[np.argsort(np.abs(unit))[-left:]]
        drawn = rng.choice(kept * np.sqrt(np.sum(unit**2) / max(np.sum(kept**2), 1e-300)), (len(unit), count))
    out[used] = drawn * scale / np.sqrt(weight[used])[:, None]
    return out


def _of_units(fit: Fit, s: int, columns: tuple[str, ...], count: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """(rows, count) normal noise with one error a unit and one a residual, of sizes as uncertain as they are."""
    one = next(sets_of(fit, [s]))
    names = unit_names(fit.request.runs, one.run, columns)
    sizes = unit_sizes(one.rows, names, one.rows.errors[0])
    if sizes is None:
        raise IdentifiabilityError(
            f"The parameters of {fit.law.name!r} can explain every difference between the values of {' and '.join(columns)!r}, so nothing "
            "is left to tell how much these err together; add values, or fix a parameter."
        )
    known, index = np.unique(names, return_inverse=True)
    own, shared = (
        np.sqrt(size * nu / rng.chisquare(nu, count)) for size, nu in ((sizes.row, sizes.row_freedom), (sizes.unit, sizes.unit_freedom))
    )
    drawn = own * rng.standard_normal((len(index), count)) + (shared * rng.standard_normal((len(known), count)))[index]
    return _placed(drawn, one.rows.weight[0], rows)


def _of_series(fit: Fit, s: int, count: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """(rows, count) normal noise correlated along the only input, of a size as uncertain as it is."""
    from scipy.signal import lfilter

    one = next(sets_of(fit, [s]))
    noise = serial(fit.request, one)
    if noise is None:
        raise IdentifiabilityError(no_freedom(fit.request))
    scale = np.sqrt(noise.variance * noise.freedom / rng.chisquare(noise.freedom, count))
    fresh = scale * rng.standard_normal((one.rows.weight.shape[1], count))
    drawn = np.zeros_like(fresh)
    for c in noise.curves:
        pushed = fresh[c] * np.sqrt(1 - noise.rho**2)
        pushed[0] = fresh[c[0]]
        drawn[c] = lfilter([1.0], [1.0, -noise.rho], pushed, axis=0)
    return _placed(drawn, one.rows.weight[0], rows)


def _placed(drawn: np.ndarray, weight: np.ndarray, rows: int) -> np.ndarray:
    """Noise of unit weight in the places of the batch, as large as the weights say."""
    out = np.zeros((rows, drawn.shape[1]))
    out[: len(weight)] = np.where(weight[:, None] > 0, drawn / np.sqrt(np.where(weight > 0, weight, 1.0))[:, None], 0.0)[:rows]
    return out


def _tables(request: Request) -> list[tuple[Runs, np.ndarray]]:
    """Every table with its usable rows."""
    return list(zip(request.tables, request.used, strict=True))


def _resampled_together(request: Request) -> list[np.ndarray]:
    """Rows that are resampled together: of every set, and of every group of a joint fit, of each of its columns."""
    found = request.used
    if not request.joint:
        return found
    return [found[0][members] for axis in range(len(request.columns)) for members in _members(request, found[0], axis)]
