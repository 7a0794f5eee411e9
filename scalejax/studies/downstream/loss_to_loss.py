"""Translate a law fitted on one corpus to another: pair runs, link their losses by a shifted power law, carry the parameters over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...core.answer import Answer
from ...core.errors import DataError, DecisionError
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.numeric.statistics import ends
from ...core.runs import Runs
from ...core.table import Shown, Table, number
from ...decisions.known import Source, known
from ...fitting.uncertainty.resampling import FEWEST
from ...zoo.downstream.loss_to_loss import kaplan_irreducible, loss_to_loss
from ...zoo.scale.chinchilla import chinchilla, chinchilla_outer

_GRID = 100  # values of an unknown irreducible loss, from 0 to the smallest loss; once more around the best


def pair_runs(first: Runs, second: Runs, *, on: Sequence[str] = ("N", "D"), loss: str = "loss") -> Runs:
    r"""Runs of two corpora side by side, wherever both have a run of the same size and tokens.

    Args:
        first, second: runs on the reference corpus and on the other.
        on: columns that must agree, to nine digits.
        loss: the column that is paired.

    Returns:
        Runs with the columns of `on`, "L_0" and "L_1", to which `laws.loss_to_loss` is fitted. Replicates are averaged.

    Raises:
        DataError: if no run of one corpus has a partner.

    Example:
        >>> import scalejax as sj
        >>> one = sj.read_runs({"N": [1e8, 1e9], "D": [2e9, 2e10], "loss": [3.0, 2.5]})
        >>> two = sj.read_runs({"N": [1e9, 1e10], "D": [2e10, 2e11], "loss": [1.2, 1.0]})
        >>> pairs = sj.studies.pair_runs(one, two)
        >>> pairs["L_0"].tolist(), pairs["L_1"].tolist()
        ([2.5], [1.2])

    References: Brandfonbrener et al. 2024, arXiv:2411.12925, section 3.
    """
    one, two = (_by_key(runs, on, loss) for runs in (first, second))
    keys = [key for key in one if key in two]
    if not keys:
        raise DataError(f"No run of the two corpora agrees in {' and '.join(on)}; pair runs of equal size and tokens.")
    columns = {name: np.asarray([float(key[i]) for key in keys]) for i, name in enumerate(on)}
    return Runs({**columns, "L_0": np.asarray([np.mean(one[k]) for k in keys]), "L_1": np.asarray([np.mean(two[k]) for k in keys])})


def _by_key(runs: Runs, on: Sequence[str], loss: str) -> dict[tuple[str, ...], list[float]]:
    """Losses of the usable runs by the columns they are paired on."""
    found: dict[tuple[str, ...], list[float]] = {}
    for i in np.flatnonzero(~runs.excluded):
        found.setdefault(tuple(f"{runs[name][i]:.9g}" for name in on), []).append(float(runs[loss][i]))
    return found


@dataclass(frozen=True, eq=False, repr=False)
class Link(Shown):
    """A shifted power law between two losses, see `fit_link`; its fields are the parameters of `laws.loss_to_loss`, and the scatter.

    Attributes:
        K, kappa, E_0, E_1: of L_1 = K (L_0 - E_0)^kappa + E_1.
        rmse: root mean square of L_1 less its prediction.
    """

    K: float
    kappa: float
    E_0: float
    E_1: float
    rmse: float

    @property
    def params(self) -> dict[str, float]:
        """Parameters of `laws.loss_to_loss`."""
        return {name: getattr(self, name) for name in loss_to_loss.parameters}


def fit_link(L_0: Any, L_1: Any, *, E_0: float | None = None, E_1: float | None = None) -> Link:
    r"""Fit a shifted power law between paired losses as its authors do: a line through logarithms of reducible losses.

        log(L_1 - E_1) = log K + kappa log(L_0 - E_0)

    by least squares. Irreducible losses that are not given are searched on a grid of 100 values each, from 0 to the smallest loss, and
    once more around the best, for the least squared error of L_1 itself. For Huber's loss and intervals: fit("loss_to_loss", pairs).

    Args:
        L_0, L_1: (n,) losses of the pairs.
        E_0, E_1: irreducible losses, of a law fitted to each corpus.

    Returns:
        Link: `K`, `kappa`, `E_0`, `E_1`, `rmse`, `params`.

    Raises:
        DataError: if there are fewer than three pairs, or losses do not exceed their irreducible part.

    Example:
        >>> import numpy as np
        >>> from scalejax.studies import fit_link
        >>> L_0 = np.linspace(2.3, 4.0, 12)
        >>> found = fit_link(L_0, 0.6 * (L_0 - 1.9) ** 1.1 + 0.8, E_0=1.9, E_1=0.8)
        >>> round(found.K, 6), round(found.kappa, 6)
        (0.6, 1.1)

    References: Brandfonbrener et al. 2024, arXiv:2411.12925, section 3 and appendix.
    """
    x, y = (np.asarray(v, dtype=np.float64) for v in (L_0, L_1))
    if x.ndim != 1 or x.shape != y.shape or len(x) < 3 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("fit_link() needs two flat lists of at least three paired losses, without gaps.")
    if np.ptp(x) == 0:
        raise DataError(f"fit_link() needs losses L_0 that differ, and all {len(x)} are {x[0]:.4g}: they say nothing of a power.")
    for name, floor, losses in (("E_0", E_0, x), ("E_1", E_1, y)):
        if floor is not None and not 0 <= floor < losses.min():
            raise DataError(f"{name}={floor!r} must lie below the smallest loss {losses.min():.4g} (pairs below it must be left out).")
    return _searched(x, y, np.ones_like(x), E_0, E_1)


def _searched(x: np.ndarray, y: np.ndarray, w: np.ndarray, E_0: float | None, E_1: float | None) -> Link:
    """The best link over what is not given."""
    tops = (x.min(), y.min())
    best = _best(x, y, w, _axis(0.0, tops[0], E_0), _axis(0.0, tops[1], E_1))
    if E_0 is not None and E_1 is not None:
        return best
    finer = [
        _axis(max(at - top / _GRID, 0.0), min(at + top / _GRID, top), floor)
        for top, floor, at in zip(tops, (E_0, E_1), (best.E_0, best.E_1), strict=True)
    ]
    return min(best, _best(x, y, w, *finer), key=lambda link: link.rmse)


def _axis(low: float, high: float, known_value: float | None) -> np.ndarray:
    """Values to try, short of the upper end, where the logarithm is infinite."""
    return np.linspace(low, high, _GRID, endpoint=False) if known_value is None else np.asarray([known_value])


def _best(x: np.ndarray, y: np.ndarray, w: np.ndarray, floors_0: np.ndarray, floors_1: np.ndarray) -> Link:
    """Weighted least squares of the logarithms at every pair of floors, and the one with the least squared error of y."""
    u = np.log(x - floors_0[:, None])[:, None, :]  # (E_0, 1, pairs)
    v = np.log(y - floors_1[:, None])[None, :, :]  # (1, E_1, pairs)
    share = w / w.sum()
    mean_u, mean_v = (u @ share)[..., None], (v @ share)[..., None]
    kappa = ((u - mean_u) * (v - mean_v)) @ share / ((u - mean_u) ** 2 @ share)
    height = mean_v[..., 0] - kappa * mean_u[..., 0]
    error = ((np.exp(height[..., None] + kappa[..., None] * u) + floors_1[None, :, None] - y) ** 2) @ share
    i, j = np.unravel_index(np.argmin(error), error.shape)
    return Link(float(np.exp(height[i, j])), float(kappa[i, j]), float(floors_0[i]), float(floors_1[j]), float(np.sqrt(error[i, j])))


@dataclass(frozen=True, eq=False, repr=False)
class Translation(Answer):
    """A law carried over to another corpus, see `translate`. `(t.law, t.params)` is a source for every decision.

    Attributes:
        law: of N and D on the new corpus.
        params: its parameters.
        link: the shifted power law between the corpora.
        draws: parameters with a leading draw axis: those of the reference law, with resampled runs of the new corpus.
    """

    law: Law
    params: Mapping[str, float]
    link: Link
    draws: Mapping[str, np.ndarray]
    _name: ClassVar[str] = "translation"

    def predict(self, **inputs: Any) -> Any:
        """The law at N and D, numbers or arrays."""
        return self.law(**inputs, **self.params)

    @double
    def predict_interval(self, level: float = 0.9, **inputs: Any) -> tuple[Any, Any]:
        """(low, high) of the law at N and D over the draws."""
        at = {name: np.asarray(value, dtype=np.float64) for name, value in inputs.items()}
        axes = max(v.ndim for v in at.values())
        values = self.law(**at, **{name: v.reshape(-1, *[1] * axes) for name, v in self.draws.items()})
        low, high = ends(np.asarray(values), level)
        return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)

    def table(self, level: float = 0.9) -> Table:
        """A row for every parameter of the new law."""
        limits = self.interval(level)
        rows = [[name, number(value), *(number(float(v)) for v in limits[name])] for name, value in self.params.items()]
        note = f"K = {self.link.K:.4g}, kappa = {self.link.kappa:.4g}, scatter {self.link.rmse:.3g}"
        head = ["parameter", "estimate", f"low {100 * level:g} %", f"high {100 * level:g} %"]
        return Table(head, rows, title=f"{self.law.name} on the new corpus", notes=[note, *self._drawn])


@double
def translate(
    base: Source, runs: Runs, *, E_1: float | None = None, group: str | None = None, replicates: int = 500, seed: int = 0
) -> Translation:
    r"""The law of a new corpus from the law of another and a handful of runs.

        L_1(N, D) = K ( L_0(N, D) - E )^kappa + E_1

    is again a law of N and D. From `kaplan_irreducible`: A' = A K^(1/(kappa alpha)), B' = B K^(1/(kappa beta)), alpha' = kappa alpha,
    beta' = kappa beta, E' = E_1. From `chinchilla`, a `chinchilla_outer` with A' = A K^(1/kappa), B' = B K^(1/kappa), q = kappa. The
    compute-optimal exponents stay those of the reference; the best size for a budget moves only for the Kaplan form.

    Args:
        base: a fit of the reference corpus by `kaplan_irreducible`, `chinchilla` or `chinchilla_outer`, its draws, or (law, parameters).
        runs: of the new corpus, with N, D and loss.
        E_1: its irreducible loss if it is known; else it is searched, which a handful of runs determine poorly.
        group: which group of the base, for a fit with groups.
        replicates: draws of the result.
        seed: of the resampling.

    Returns:
        Translation: `law`, `params`, `link`, `predict(N=..., D=...)`, `predict_interval(...)`, `interval(level)`, `table()`. Every draw
        takes parameters of the base and resamples the runs; the pairing with the reference's law, whose E both stages share, is redone.

    Raises:
        DataError, DecisionError: if the base has another law, or runs are too few or below the irreducible losses.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.kaplan_irreducible
        >>> base = law, dict(law.published["fineweb_edu"])
        >>> N, D = np.logspace(8, 9, 6), np.logspace(9.5, 10.5, 6)
        >>> other = sj.laws.loss_to_loss(law(N, D, **base[1]), K=0.6, kappa=1.1, E_0=base[1]["E"], E_1=0.85)
        >>> found = sj.studies.translate(base, sj.read_runs({"N": N, "D": D, "loss": other}), E_1=0.85, replicates=20)
        >>> round(found.params["alpha"] / base[1]["alpha"], 6), round(found.predict(N=1e10, D=1e12), 4)
        (1.1, 0.9142)

    References: Brandfonbrener et al. 2024, arXiv:2411.12925, section 4.
    """
    found = known(base, group, "translate")
    if found.law.function not in _TARGETS:
        names = ", ".join(law.name for law in (kaplan_irreducible, chinchilla, chinchilla_outer))
        raise DecisionError(f"translate() takes a base law of {names}, got {found.law.name!r}.")
    if not isinstance(replicates, int) or replicates < 2:
        raise DecisionError(f"replicates={replicates!r} must be a whole number of at least 2.")
    N, D, loss = (runs[name][~runs.excluded] for name in ("N", "D", "loss"))
    held = dict(found.law.bound)
    point = {**held, **{name: float(v) for name, v in found.point.items()}}
    link = fit_link(found.law(N, D, **found.point), loss, E_0=point["E"], E_1=E_1)
    rng, drawn, flat = np.random.default_rng(seed), [], 0
    for weights in rng.exponential(size=(replicates, len(loss))):  # Rubin's bootstrap: no run is ever lost
        own = point
        if found.draws:
            pick = int(rng.integers(found.count))
            own = {**held, **{name: float(v[pick]) for name, v in found.draws.items()}}
        reference = np.asarray(found.law.function(N, D, **own))
        if np.ptp(reference) < 1e-9 * np.abs(reference).max():
            flat += 1
            continue
        drawn.append(_carried(found.law, own, _searched(reference, loss, weights, own["E"], E_1)))
    params = _carried(found.law, point, link)
    few = f"no interval: {len(loss)} runs are too few to resample, {FEWEST} are the least" if len(loss) < FEWEST else ""
    if flat > 0.05 * replicates:
        few = f"no interval: in {flat} of {replicates} draws the base's law is the same number at all of these runs"
    why = few or (found.kind if found.draws is None else "")  # bare parameters are taken as exact; a fit that cannot tell its noise is not
    draws = {} if why else {n: np.asarray([d[n] for d in drawn]) for n in params}
    base_kind = f", {found.kind}" if found.draws is not None else ""
    base_kind += f"; {flat} draws whose base is the same number at all of these runs are left out" if flat else ""
    return Translation(
        law=_TARGETS[found.law.function], params=params, link=link, draws=draws, kind=why or f"of reweighted runs (seed {seed}){base_kind}"
    )


_TARGETS = {
    kaplan_irreducible.function: kaplan_irreducible,
    chinchilla.function: chinchilla_outer,
    chinchilla_outer.function: chinchilla_outer,
}


def _carried(law: Law, p: Mapping[str, float], link: Link) -> dict[str, float]:
    """Parameters of the reference law after the link."""
    log_K, kappa = np.log(link.K), link.kappa
    if law.function is kaplan_irreducible.function:
        alpha, beta = kappa * p["alpha"], kappa * p["beta"]
        grown = {"A": p["A"] * np.exp(log_K / alpha), "alpha": alpha, "B": p["B"] * np.exp(log_K / beta), "beta": beta}
        return {"E": link.E_1, **{name: float(v) for name, v in grown.items()}}
    q = kappa * p.get("q", 1.0)
    factor = float(np.exp(log_K / q))
    return {"E": link.E_1, "A": p["A"] * factor, "alpha": p["alpha"], "B": p["B"] * factor, "beta": p["beta"], "q": q}
