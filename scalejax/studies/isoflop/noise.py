"""IsoFLOP optima by interpolation, with the noise between seeds carried through to the exponents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import DataError, FitError, suggest
from ...core.numeric.statistics import ends
from ...core.runs import Runs
from ...core.table import Table, number, percent
from .frontier import Frontier, disagreement, line
from .minima import Minimum, interpolated, sizes_by_budget
from .oddities import checked

# Loss and standard deviation of the loss between seeds, at two losses (nats/token).
SEED_NOISE = {"refinedweb": ((3.0, 0.002), (7.0, 0.05)), "openwebtext2": ((3.0, 0.01), (6.0, 0.1))}
Noise = str | float | Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False, repr=False)
class NoiseIsoflop(Frontier):
    """A `Frontier` that knows what became of its replicates, see `noise_isoflop`.

    Attributes:
        sd: (budgets,) standard deviation of log N* over the replicates kept, floored and inflated by 1 / kept.
        kept: (budgets,) share of the replicates whose minimum is inside the sizes.
        r_squared: of the weighted regression of log N* on log C.
    """

    sd: np.ndarray
    kept: np.ndarray
    r_squared: float

    def table(self) -> Table:
        """A row for every budget: the optimum, its standard deviation and the replicates that count."""
        plain = super().table()
        rows = [[*row[:-1], number(s, 3), percent(k, 0), row[-1]] for row, s, k in zip(plain.rows, self.sd, self.kept, strict=True)]
        notes = [*plain.notes, f"R² {self.r_squared:.4f}; {int(self.used.sum())} of {len(self.used)} budgets used"]
        return Table([*plain.header[:-1], "sd of log N", "replicates kept", ""], rows, notes=notes)


def noise_isoflop(
    runs: Runs,
    *,
    budget: str = "C",
    noise: Noise = "refinedweb",
    replicates: int = 1000,
    points: int = 25,
    floor: float = 0.33,
    weighted: bool = True,
    tolerance: float = 0.05,
    seed: int = 0,
) -> NoiseIsoflop:
    r"""IsoFLOP by interpolation under seed noise: per budget the distribution of the best size, then log N* against log C.

        L_r = L + sd(L) z_r;    N*_r = argmin of Akima's interpolation of log L_r over log N;    log N* = log N_0 + a log C

    At each budget the lowest loss of every size enters. Replicates whose minimum lies at the smallest or largest size say nothing of the
    optimum and are dropped; a budget of which more than half are dropped is rejected, with the reason. N* is the median of the others, its
    weight 1 / sd^2 with sd that of log N*, at least `floor` of the step between sizes, divided by the share kept.

    Args:
        runs: with columns N, loss and the nominal budget in FLOPs; `at_budgets` makes them from training curves. A column D gives the
            tokens at the optimum by interpolation; without it D = C / (6 N).
        budget: name of the budget column.
        noise: standard deviation of the loss between seeds: a number, a function of the loss, or "refinedweb" or "openwebtext2", between
            whose two known values its logarithm is linear in that of the loss.
        replicates: of the noise.
        points: interpolated sizes for each step between sizes.
        floor: least sd of log N*, as a share of the mean step of log N.
        weighted: weigh budgets in the regression.
        tolerance: budgets that differ by less than this fraction belong together.
        seed: of the noise.

    Returns:
        NoiseIsoflop: a `Frontier` with draws of a and b (one kept replicate a budget each), `sd`, `kept`, `r_squared`.

    Raises:
        DataError: if noise is unknown or not positive. FitError: if fewer than two budgets are left.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law, C = sj.laws.chinchilla, np.repeat(np.logspace(19, 21, 5), 9)
        >>> N = (C / 6) ** 0.45 * 1.3 * np.tile(np.logspace(-0.6, 0.6, 9), 5)
        >>> runs = sj.simulate(law, law.published["hoffmann2022"], N=N, D=C / (6 * N)).with_columns(C=C)
        >>> found = noise_isoflop(runs, noise=0.001, replicates=200)
        >>> round(found.a, 2), int(found.used.sum())
        (0.45, 5)

    Note: the authors' code compares log L with the thresholds of L, so that its noise is the lower value for all losses below e^3; pass a
    number to have that. It interpolates the loss over tokens a second time; here tokens belong to the optimal size.

    References: Porian et al. 2024, arXiv:2406.19146.
    """
    sd_of, rng = _noise(noise), np.random.default_rng(seed)
    runs, odd = checked(runs, budget, tolerance)
    sizes = sizes_by_budget(runs, budget, tolerance)
    found = [interpolated(s, sd_of(s.loss), replicates=replicates, points=points, floor=floor, rng=rng) for s in sizes]
    return _regressed([s.compute for s in sizes], found, weighted, replicates, rng, (*disagreement(runs, budget), *odd))


def _regressed(
    compute: list[float], found: list[Minimum], weighted: bool, replicates: int, rng: np.random.Generator, notes: tuple[str, ...]
) -> NoiseIsoflop:
    """The lines through the optima, and through draws of them."""
    good = [i for i, b in enumerate(found) if not b.reason]
    if len(good) < 2:
        reasons = "; ".join(f"{c:.3g}: {b.reason}" for c, b in zip(compute, found, strict=True))
        raise FitError(f"Fewer than two budgets have an inner minimum ({reasons}); add sizes on both sides of it, or budgets.")
    x = np.log([compute[i] for i in good])
    weight = np.asarray([1 / found[i].sd ** 2 if weighted else 1.0 for i in good])
    y = np.asarray([found[i].log for i in good])  # log N*, log D*
    (a, b), (k_n, k_d) = line(x, y, weight)
    picked = np.stack([found[i].draws[rng.integers(0, len(found[i].draws), replicates)] for i in good])  # (budgets, replicates, N and D)
    slopes, constants = line(x, picked, weight)
    draws = {"a": slopes[:, 0], "b": slopes[:, 1], "log_k_N": constants[:, 0], "log_k_D": constants[:, 1]}
    spread = y[:, 0] - np.average(y[:, 0], weights=weight)
    r_squared = 1 - np.sum(weight * (y[:, 0] - a * x - k_n) ** 2) / np.sum(weight * spread**2)
    logs, loss, sd, kept = (np.asarray([getattr(p, name) for p in found]) for name in ("log", "loss", "sd", "kept"))
    return NoiseIsoflop(
        compute=np.asarray(compute), N=np.exp(logs[:, 0]), D=np.exp(logs[:, 1]), loss=loss,
        used=np.asarray([not p.reason for p in found]), reasons=tuple(p.reason for p in found), a=float(a), b=float(b),
        k_N=float(np.exp(k_n)), k_D=float(np.exp(k_d)), draws=draws, method="isoFLOP by interpolation", notes=notes, sd=sd, kept=kept,
        r_squared=float(r_squared),
    )  # fmt: skip


def _noise(noise: Noise) -> Callable[[np.ndarray], np.ndarray]:
    """Standard deviation as a function of the loss."""
    if callable(noise):
        return noise
    if isinstance(noise, str):
        if noise not in SEED_NOISE:
            raise DataError(f"noise={noise!r} is unknown; {suggest(noise, SEED_NOISE)} A number or a function of the loss works too.")
        loss, sd = np.log(SEED_NOISE[noise]).T
        return lambda value: np.exp(np.interp(np.log(value), loss, sd))
    if not noise > 0:
        raise DataError(f"noise={noise!r} must be positive: the standard deviation of the loss between seeds.")
    return lambda value: np.full(np.shape(value), float(noise))


def at_budgets(runs: Runs, budgets: Any, *, tolerance: float = 0.1, flops_per_token: Any = None) -> Runs:
    """Losses of training curves at given budgets, by interpolation of log L over log C: a table for `noise_isoflop` and `isoflop`.

    Args:
        runs: with N (runs,) and the curve columns D (tokens seen at each step) and loss, (runs, steps).
        budgets: FLOPs, one or several.
        tolerance: a curve counts at a budget if one of its steps is this near to it, as a fraction.
        flops_per_token: one number or one a run; default 6 N.

    Returns:
        Runs: N, D, C, loss, one row for every curve and budget that it reaches.

    Raises:
        DataError: if the columns are no curves, or no curve reaches a budget.

    Example:
        >>> import scalejax as sj
        >>> runs = sj.read_runs({"N": [1e6], "D": [[1e6, 1e7, 1e8]], "loss": [[5.0, 4.0, 3.2]]})
        >>> at_budgets(runs, [6e13])["loss"].round(6).tolist()
        [4.0]
    """
    N, D, loss = runs["N"], runs["D"], runs["loss"]
    if D.ndim != 2 or loss.shape != D.shape:
        raise DataError("at_budgets() needs curves: columns D and loss of shape (runs, steps); read them as lists a row.")
    each = np.broadcast_to(6 * N if flops_per_token is None else np.asarray(flops_per_token, dtype=np.float64), N.shape)
    mask = runs.masks.get("loss", np.ones(D.shape, bool)) & np.isfinite(loss) & (D > 0) & ~runs.excluded[:, None]
    rows = []
    for n, d, value, valid, flops in zip(N, D, loss, mask, each, strict=True):
        x, y = np.log(flops * d[valid]), np.log(value[valid])
        for C in np.atleast_1d(np.asarray(budgets, dtype=np.float64)):
            if len(x) and np.abs(x - np.log(C)).min() <= np.log1p(tolerance):
                rows.append((n, C / flops, C, np.exp(np.interp(np.log(C), x, y))))
    if not rows:
        raise DataError("No curve comes near a budget; widen tolerance= or choose budgets that the curves reach.")
    return Runs(dict(zip(("N", "D", "C", "loss"), np.asarray(rows).T, strict=True)))


def accuracy_by_budget(runs: Runs, target: float, *, budget: str = "C", least: int = 3, level: float = 0.95, **options: Any) -> Table:
    """What more budgets buy: the prediction of N* at `target` from the smallest 3, 4, ... budgets, its interval, and their cost.

    The cost counts every size once, at its largest budget: the smaller budgets are steps of the same curve, if the schedule allows that.

    Args:
        runs, budget, options: as in `noise_isoflop`.
        target: FLOPs at which N* is wanted.
        least: budgets to begin with.
        level: of the interval.

    Returns:
        Table: largest budget, cost in FLOPs, exponent a, N*(target) with its interval; a row that cannot be fitted says why.

    Raises:
        DataError: if there are fewer budgets than `least`.
    """
    budgets = np.unique(runs[budget])
    if len(budgets) < least:
        raise DataError(f"There are {len(budgets)} budgets, fewer than least={least}.")
    rows = []
    for largest in budgets[least - 1 :]:
        part = runs.where(runs[budget] <= largest)
        cost = sum(part[budget][part["N"] == n].max() for n in np.unique(part["N"]))
        head = [f"{largest:.3g}", f"{cost:.3g}"]
        try:
            found = noise_isoflop(part, budget=budget, **options)
        except FitError as error:
            rows.append([*head, "—", "—", "—", "—", str(error)])
            continue
        low, high = np.exp(ends(found.draws["log_k_N"] + found.draws["a"] * np.log(target), level))
        rows.append([*head, number(found.a, 4), number(found.allocate(target)[0], 4), number(low, 4), number(high, 4), ""])
    percent = f"{100 * level:g} %"
    return Table(["largest budget", "cost", "a", f"N at {target:.3g}", f"low {percent}", f"high {percent}", ""], rows)
