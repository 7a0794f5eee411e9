"""Nested scaling of data mixing laws: extrapolate every mixture in steps, then in size, then fit the mixing law there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import DataError
from ..core.law import Law
from ..core.precision import double
from ..core.readers import read_runs
from ..core.runs import Runs
from ..core.table import Table, number
from ..fitting.fit import fit
from ..fitting.losses import huber
from ..fitting.result import Fit
from ..zoo.data_mixing import data_mixing_m4, mixing_steps
from ..zoo.power import henighan
from .mixture_tables import normalised


@dataclass(frozen=True, eq=False)
class MixingPipeline:
    """Losses of all mixtures extrapolated to a target size and number of tokens, and the mixing law there; see `mixing_pipeline`.

    Attributes:
        fit: the mixing law by target, for `optimal_mixture(pipeline.fit, weights=...)` and `explicit_loss(pipeline.fit, ...)`.
        h: (mixtures, domains). losses: (mixtures, targets) extrapolated.
        targets: names of the targets.
        steps: the step law by curve, None where runs are not extrapolated in tokens. sizes: the size law, None with one size.
    """

    fit: Fit
    h: np.ndarray
    losses: np.ndarray
    targets: tuple[str, ...]
    steps: Fit | None
    sizes: Fit | None

    @property
    def exponents(self) -> dict[str, float]:
        """Median exponent of the step law over curves, and the exponent of the size law."""
        found = {"steps": float(np.median(self.steps.params["alpha"]))} if self.steps else {}
        return found | ({"size": float(self.sizes.params["alpha_x"])} if self.sizes else {})

    def table(self) -> Table:
        """A row for every mixture."""
        rows = [["-".join(f"{w:.3g}" for w in h), *(number(v) for v in row)] for h, row in zip(self.h, self.losses, strict=True)]
        notes = [f"exponents: {', '.join(f'{name} {value:.3g}' for name, value in self.exponents.items())}"] if self.exponents else []
        return Table(["mixture", *self.targets], rows, title="Extrapolated losses", notes=notes)

    def __repr__(self) -> str:
        return self.table().text()


@double
def mixing_pipeline(
    table: Any,
    *,
    weights: Sequence[str] | Any,
    losses: Sequence[str] | Mapping[str, str],
    S: Any,
    N: Any,
    steps: float,
    size: float,
    law: Law = data_mixing_m4,
    starts: int = 64,
    seed: int = 0,
) -> MixingPipeline:
    r"""Fit a mixing law at a size and number of steps that no mixture was trained to.

        L(S) = c + (S0 / S)^alpha      for every mixture and size, alpha common to its targets;  read at S = steps
        L(N) = c + (N0 / N)^alpha      for every mixture and target, one alpha for all;          read at N = size
        L(h) = c + exp(sum_j t_j h_j)  for every target, over the mixtures

    Args:
        table: anything that `read_runs` takes: a row a checkpoint.
        weights: columns with the weights of the domains, or an array (rows, domains).
        losses: columns with the losses of the targets, or {target: column}.
        S: column of steps or tokens. N: column of sizes.
        steps: S to extrapolate to. size: N to extrapolate to.
        law: the mixing law.
        starts, seed: of the fits.

    Returns:
        MixingPipeline with `.fit` (the mixing law by target), `.losses`, `.steps`, `.sizes`.

    Raises:
        DataError: if a curve has fewer than three checkpoints, or mixtures were trained at different sizes, or weights do not sum to one.

    Note: the alternative in one piece is a law of h, N and D, `mixture_joint`, fitted to all rows at once: see `recommend_mixture`. Here
    the uncertainty of one stage does not reach the next. With one checkpoint a run (all at S = steps), or one size, that stage is left out.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> from scalejax.procedures import mixing_pipeline
        >>> h = np.random.default_rng(0).dirichlet([1.0, 1.0], 8)
        >>> i, N, S = (a.ravel() for a in np.meshgrid(np.arange(8), [1e8, 2e8, 4e8], [1e4, 2e4, 4e4]))
        >>> i = i.astype(int)
        >>> loss = sj.laws.data_mixing_m4(h[i], c=2.0, t=np.array([-2.0, 0.0])) + (1e7 / N) ** 0.5 + (100 / S) ** 0.5
        >>> table = {"web": h[i, 0], "code": h[i, 1], "N": N, "S": S, "loss": loss}
        >>> found = mixing_pipeline(table, weights=["web", "code"], losses=["loss"], S="S", N="N", steps=1e5, size=1e9)
        >>> true = sj.laws.data_mixing_m4(found.h, c=2.0, t=np.array([-2.0, 0.0])) + 0.1 + 0.1**1.5
        >>> bool(np.abs(found.losses[:, 0] - true).max() < 1e-4)
        True

    References: Ye et al. 2024, arXiv:2403.16952.
    """
    named = dict(losses) if isinstance(losses, Mapping) else {str(name): name for name in losses}
    raw = read_runs(table, h=weights if isinstance(weights, np.ndarray) else list(weights), S=S, N=N, loss=list(named.values()))
    raw = raw.with_columns(h=normalised(raw["h"]), loss=raw["loss"].reshape(len(raw), len(named)))
    h, which = np.unique(raw["h"].round(9), axis=0, return_inverse=True)
    runs = raw.with_columns(mixture=which.ravel().astype(np.float64))
    at_steps, step_fit = _along_steps(runs, steps, starts, seed)
    at_size, size_fit = _along_sizes(at_steps, size, tuple(named), starts, seed)
    stacked = {"h": np.concatenate([h] * len(named)), "loss": at_size.T.ravel(), "target": np.repeat(list(named), len(h))}
    mixing = fit(
        law, Runs({k: np.asarray(v) for k, v in stacked.items()}), by="target", loss=huber(0.02), on="linear", starts=starts, seed=seed
    )
    return MixingPipeline(mixing, h, at_size, tuple(named), step_fit, size_fit)


def _along_steps(runs: Runs, steps: float, starts: int, seed: int) -> tuple[Runs, Fit | None]:
    """One row for every mixture and size, at `steps`."""
    pairs, curve, count = np.unique(np.stack([runs["mixture"], runs["N"]], axis=1), axis=0, return_inverse=True, return_counts=True)
    curve = curve.ravel()
    columns = {"mixture": pairs[:, 0], "N": pairs[:, 1]}
    if (count == 1).all() and np.allclose(runs["S"], steps):
        order = np.argsort(curve)
        return Runs({**columns, "loss": runs["loss"][order]}), None
    if count.min() < 3:
        m, n = pairs[int(np.argmin(count))]
        raise DataError(f"Mixture {m:.0f} at N={n:.3g} has {count.min()} checkpoints; the step law needs three or more of every run.")
    by_curve = Runs({"S": runs["S"], "loss": runs["loss"], "curve": curve.astype(np.float64)})
    fitted = fit(
        mixing_steps, by_curve, by="curve", loss=huber(0.02), on="linear", starts=starts, seed=seed, sizes={"target": runs["loss"].shape[1]}
    )
    order = np.argsort([float(name) for name in fitted.groups])
    c, S0, alpha = (np.asarray(fitted.params[name])[order] for name in ("c", "S0", "alpha"))
    return Runs({**columns, "loss": c + (S0 / steps) ** alpha[:, None]}), fitted


def _along_sizes(runs: Runs, size: float, targets: Sequence[str], starts: int, seed: int) -> tuple[np.ndarray, Fit | None]:
    """Losses (mixtures, targets) at `size`."""
    mixtures, count = np.unique(runs["mixture"], return_counts=True)
    sizes = np.unique(runs["N"])
    if (count != len(sizes)).any():
        raise DataError(
            f"Mixture {mixtures[int(np.argmin(count))]:.0f} was trained at {count.min()} of {len(sizes)} sizes; each needs them all."
        )
    if len(sizes) == 1:
        return runs["loss"], None
    grid = runs["loss"].reshape(len(mixtures), len(sizes), len(targets))  # rows are ordered by mixture, then size
    curves = np.moveaxis(grid, 1, 2).reshape(-1, len(sizes))
    label = np.repeat(np.arange(len(curves)), len(sizes)).astype(np.float64)
    rows = Runs({"x": np.tile(sizes, len(curves)), "loss": curves.ravel(), "curve": label})
    fitted = fit(henighan, rows, by="curve", share=("alpha_x",), loss=huber(0.02), on="linear", starts=starts, seed=seed)
    order = np.argsort([float(name) for name in fitted.groups])
    L_inf, x_0 = (np.asarray(fitted.params[name])[order] for name in ("L_inf", "x_0"))
    return (L_inf + (x_0 / size) ** fitted.params["alpha_x"]).reshape(len(mixtures), len(targets)), fitted
