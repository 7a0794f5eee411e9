"""Nested scaling of data mixing laws: extrapolate every mixture in steps, then in size, then fit the mixing law there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.errors import DataError, DecisionError
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.numeric.statistics import ends
from ...core.runs import Runs
from ...core.table import Shown, Table, number, span
from ...data.readers import read_runs
from ...fitting.fit import fit
from ...fitting.objective.data import Batch
from ...fitting.objective.losses import huber
from ...fitting.result import Fit
from ...fitting.runaways import noted
from ...fitting.status import Ends
from ...fitting.uncertainty.draws import Draws
from ...zoo.mixtures.data_mixing import data_mixing_m4, mixing_steps
from ...zoo.scale.power import henighan
from .bootstrap import as_draws, mixture_counts, refit_mixtures
from .tables import normalised


@dataclass(frozen=True, eq=False, repr=False)
class MixingPipeline(Shown):
    """Losses of all mixtures extrapolated to a target size and number of tokens, and the mixing law there; see `mixing_pipeline`.

    Attributes:
        fit: the mixing law by target, for `explicit_loss(pipeline.fit, ...)`.
        draws: the same refitted to resampled mixtures through all stages, for `optimal_mixture(pipeline.draws, weights=...)` and
            `pipeline.draws.predict_interval(h=..., group=...)`; None with draws=0.
        h: (mixtures, domains). losses: (mixtures, targets) extrapolated.
        targets: names of the targets.
        steps: the step law by curve, None where runs are not extrapolated in tokens. sizes: the size law, None with one size.
    """

    fit: Fit
    draws: Draws | None
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

    @double
    def interval(self, level: float = 0.9) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Target to (low, high) of the mixing law's loss at every mixture of the table, (mixtures,) each, at this confidence `level`.

        Raises:
            DecisionError: if the pipeline was run without draws.
        """
        if self.draws is None:
            raise DecisionError("This pipeline was run with draws=0 and knows no uncertainty; pass draws=200.")
        return {name: ends(self.draws.predict(h=self.h, group=name), level) for name in self.targets}

    def table(self, level: float = 0.9) -> Table:
        """A row for every mixture: the extrapolated loss of each target, and the interval of the mixing law there."""
        limits = self.interval(level) if self.draws is not None else {}
        columns = {}
        for i, name in enumerate(self.targets):
            columns[name] = [number(v) for v in self.losses[:, i]]
            if limits:
                columns[f"{name}, {100 * level:g} %"] = [span(a, b) for a, b in zip(*limits[name], strict=True)]
        mixtures = ["-".join(f"{w:.3g}" for w in h) for h in self.h]
        notes = [f"exponents: {', '.join(f'{name} {value:.3g}' for name, value in self.exponents.items())}"] if self.exponents else []
        if self.draws is not None:
            notes.append(f"intervals of the mixing law there, from {len(self.draws):,} draws, {self.draws.kind}")
        rows = [list(row) for row in zip(mixtures, *columns.values(), strict=True)]
        return Table(["mixture", *columns], rows, title="Extrapolated losses", notes=notes)


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
    draws: int = 200,
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
        starts: of the fits.
        draws: how often the pipeline is repeated on resampled mixtures, for intervals; 0 for none.
        seed: of starts and resampling.

    Returns:
        MixingPipeline with `.draws` and `.fit` (the mixing law by target), `.losses`, `.interval(level)`, `.steps`, `.sizes`; print it.

    Raises:
        DataError: if a curve has fewer than three checkpoints, or mixtures were trained at different sizes, or weights do not sum to one.
        DecisionError: if steps, size or draws are impossible.

    Note: the alternative in one piece is a law of h, N and D, `mixture_joint`, fitted to all rows at once: see `recommend_mixture`. With
    one checkpoint a run (all at S = steps), or one size, that stage is left out.

    Uncertainty: a replicate draws whole mixtures, with all their checkpoints, sizes and targets, and runs the stages on them. The step law
    of a curve needs no repetition, for the curve is drawn whole or not at all. So errors of one stage reach the next, and those of one
    mixture all its targets. What no resampling shows is an extrapolation that is wrong for all mixtures alike.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> from scalejax.studies import mixing_pipeline
        >>> h = np.random.default_rng(0).dirichlet([1.0, 1.0], 12)
        >>> i, N, S = (a.ravel() for a in np.meshgrid(np.arange(12), [1e8, 2e8, 4e8], [1e4, 2e4, 4e4]))
        >>> i = i.astype(int)
        >>> loss = sj.laws.data_mixing_m4(h[i], c=2.0, t=np.array([-2.0, 0.0])) + (1e7 / N) ** 0.5 + (100 / S) ** 0.5
        >>> table = {"web": h[i, 0], "code": h[i, 1], "N": N, "S": S, "loss": loss}
        >>> found = mixing_pipeline(table, weights=["web", "code"], losses=["loss"], S="S", N="N", steps=1e5, size=1e9)
        >>> true = sj.laws.data_mixing_m4(found.h, c=2.0, t=np.array([-2.0, 0.0])) + 0.1 + 0.1**1.5
        >>> bool(np.abs(found.losses[:, 0] - true).max() < 1e-4)
        True
        >>> best = sj.optimal_mixture(found.draws, caps=0.8, domains=["web", "code"])
        >>> best.weights["web"], best.interval(0.9)["web"]
        (0.8, (0.8, 0.8))

    References: Ye et al. 2024, arXiv:2403.16952.
    """
    _check(steps=steps, size=size, draws=draws)
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
    drawn = _repeated(mixing, size_fit, size, len(h), draws, seed) if draws else None
    return MixingPipeline(fit=mixing, draws=drawn, h=h, losses=at_size, targets=tuple(named), steps=step_fit, sizes=size_fit)


def _check(*, draws: int, **ahead: float) -> None:
    """Refuse settings that mean nothing."""
    for name, value in ahead.items():
        if not (np.ndim(value) == 0 and np.isfinite(value) and value > 0):
            raise DecisionError(f"{name}={value!r} must be one positive number: the {name} to extrapolate to.")
    if draws < 0 or draws == 1:
        raise DecisionError(f"draws={draws!r} must be 0 for no intervals, or at least 2.")


def _repeated(mixing: Fit, sizes: Fit | None, size: float, mixtures: int, draws: int, seed: int) -> Draws:
    """The stages after the step law on resampled mixtures."""
    counts, targets = mixture_counts(mixtures, draws, seed), len(mixing.groups)
    kind = f"bootstrap of the pipeline (mixtures, seed {seed})"
    batch: Batch | None = None
    before: tuple[Ends, ...] = ()
    if sizes is not None:
        again, _ = refit_mixtures(sizes, [counts[sizes.runs["mixture"].astype(int)]])
        at_size = _at_size(sizes, again.theta[:, None], size).reshape(draws, mixtures, targets)
        batch = _with_targets(mixing.request.batch, np.moveaxis(at_size, 0, -1))
        before = (again,)
    again, held = refit_mixtures(mixing, [counts] * targets, batch)
    return as_draws(mixing, again, draws, noted(kind, held, len(again.status)), *before)


def _with_targets(batch: Batch, losses: np.ndarray) -> Batch:
    """A data set for every target and draw, from losses (mixtures, targets, draws)."""
    draws = losses.shape[-1]
    inputs = tuple(np.repeat(a, draws, axis=-1) if b else a for a, b in zip(batch.inputs, batch.batched, strict=False))
    target = np.repeat(batch.target.reshape(batch.rows, -1), losses[0].size // batch.target[0].size, axis=1)
    target[: len(losses)] = losses.reshape(len(losses), -1)
    return replace(
        batch, inputs=inputs, target=target, batched=(*batch.batched[:-1], True), penalty_weight=np.repeat(batch.penalty_weight, draws)
    )


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
    mixture = np.repeat(np.arange(len(mixtures)), len(targets) * len(sizes)).astype(np.float64)
    rows = Runs({"x": np.tile(sizes, len(curves)), "loss": curves.ravel(), "curve": label, "mixture": mixture})
    fitted = fit(henighan, rows, by="curve", share=("alpha_x",), loss=huber(0.02), on="linear", starts=starts, seed=seed)
    return _at_size(fitted, fitted.theta, size).reshape(len(mixtures), len(targets)), fitted


def _at_size(fitted: Fit, theta: np.ndarray, size: float) -> np.ndarray:
    """Losses (curves,) that the size law reads at `size`, or (draws, curves) for theta with a draw axis."""
    order = np.argsort([float(name) for name in fitted.groups])
    params = fitted.request.params(theta)
    L_inf, x_0 = (np.asarray(params[name])[..., order] for name in ("L_inf", "x_0"))
    return L_inf + (x_0 / size) ** np.asarray(params["alpha_x"])[..., None]
