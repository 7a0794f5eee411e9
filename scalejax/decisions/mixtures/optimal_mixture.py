"""`optimal_mixture`: the training proportions that make one or several losses least, with their uncertainty and a certificate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core.errors import DecisionError
from ...core.numeric.precision import double
from ...core.outcomes import more_is_better
from ...core.table import Note
from ...optimum.many import Box, Optima, optimise
from ..known import Source
from ..unvaried import check_directions, keep, kept_shares
from . import arguments, reach
from .mixture import Mixture
from .program import MixtureProblem, collect, mixture_program

_THIN = 1e-9  # width that the interior method needs between floor and cap


@double
def optimal_mixture(
    targets: Source | Mapping[str, Source] | Sequence[Source],
    *,
    weights: Sequence[float] | Mapping[str, float] | None = None,
    worst: bool = False,
    reference: Sequence[float] | Mapping[str, float] | None = None,
    caps: Any = 1.0,
    floors: Any = 0.0,
    available: Any = None,
    tokens: Any = None,
    epochs: float = 1.0,
    prior: Any = None,
    kl_weight: float = 0.0,
    domains: Sequence[str] | None = None,
    trained: Any = None,
    group: str | None = None,
    **given: Any,
) -> Mixture:
    r"""Weights h on the simplex that minimise a weighted sum of target losses, or the worst of them.

        min_h sum_t w_t L_t(h, ...) + kl_weight KL(h || prior)    or
        min_h max_t w_t (L_t(h, ...) - reference_t) + kl_weight KL(h || prior)
        subject to  floors <= h <= caps,  h_i tokens <= epochs available_i,  sum_i h_i = 1

    Args:
        targets: a fit, draws or (law, parameters) whose law has one input on a simplex; several by name or in a list; or one fit with a
            group for every target. A law may predict several losses at once.
        weights: importance of every target, on the simplex; default equal. With `worst`, factors of the targets; default 1.
        worst: minimise the worst target instead of the sum.
        reference: losses that the worst case is measured from; default 0.
        caps, floors: largest and smallest weight: one number, one for every domain, or {domain: weight} for some of them.
        available, tokens, epochs: unique tokens of every domain (infinite where unlimited or not named), tokens to train on (default the
            laws' input D), and how often a domain may be repeated: together they cap h_i at epochs available_i / tokens.
        prior, kl_weight: weights to stay near (default uniform: an entropy bonus), and the weight of KL(h || prior), in units of the loss.
        domains: names of the domains, in the order of the weights.
        trained: (mixtures, domains) that bare parameters were fitted to; those of fits and draws are known. A domain that never varied in
            them stays where it was, for nothing tells what another share does. False lets the laws decide all the same, and keeps intervals
            to their draws.
        group: one group only, for a fit with groups; default every group is a target.
        **given: values of the laws' other inputs; lists of one length give a path of mixtures, such as N=[1e8, 1e9], D=[2e9, 2e10].

    Where the optimum has shares beyond those of the runs, nothing checks what the laws predict there: a note says how far it goes, and
    intervals reach back to those of the best mixture within the shares of the runs.

    Returns:
        Mixture with `.h`, `.losses`, `.objective`, `.interval(level)`, `.gap` (certificate), `.against({...})`, `.table()`.

    Raises:
        DecisionError: if weights are off the simplex, caps leave no mixture, a name is missing or unknown, a law has no simplex, or the
            runs' mixtures do not tell the domains apart.

    Example:
        >>> import jax.numpy as jnp, scalejax as sj
        >>> @sj.law(h=sj.Simplex(), c=sj.Positive(), k=sj.Positive(), t=sj.Real(-5, 5, axis="domain"))
        ... def mixing(h, *, c, k, t):
        ...     "Data mixing law of Ye et al."
        ...     return c + k * jnp.exp(jnp.sum(t * h, axis=-1))
        >>> web, code = dict(c=1.0, k=1.0, t=[-2.0, 0.0]), dict(c=1.0, k=1.0, t=[0.0, -2.0])
        >>> best = sj.optimal_mixture({"web": (mixing, web), "code": (mixing, code)}, domains=["web", "code"])
        >>> best.h.round(6).tolist(), best.gap < 1e-9
        ([0.5, 0.5], True)

    References: Shukor et al. 2025, arXiv:2507.09404; Ye et al. 2024, arXiv:2403.16952.
    """
    asked = collect(targets, None if domains is None else len(domains), group)
    names = tuple(map(str, domains)) if domains is not None else tuple(f"h[{i}]" for i in range(asked.size))
    path, single = arguments.path_of(asked, given)
    low, high = arguments.limits(names, len(path["path"]), caps, floors, available, given.get("D") if tokens is None else tokens, epochs)
    seen = () if trained is False else asked.trained if trained is None else (arguments.mixtures(trained, asked.size),)
    asked = asked if trained is None or trained is False else asked._replace(runs=seen)
    kept = kept_shares(seen, names)
    low, high = keep(low, high, kept, names)
    check_directions(seen, low, high, names)
    values: dict[str, Any] = {
        "weights": arguments.importance(asked, weights, worst),
        "reference": arguments.by_target(asked, "reference", reference, 0.0),
        "kl_weight": arguments.nonnegative("kl_weight", kl_weight),
        "prior": arguments.prior_of(names, prior),
    }
    problem = MixtureProblem(
        targets=asked, program=mixture_program(asked.laws, asked.weights, asked.size, worst, values["kl_weight"] > 0), low=low, high=high,
        path=path, values=values, kept=kept,
    )  # fmt: skip
    point, draws = _solve(problem)
    multipliers = np.broadcast_to(values["weights"], (len(point.h[0]), asked.outputs)) if point.multipliers is None else point.multipliers
    h, drawn = point.h, None if draws is None else draws.h
    if single:
        h, drawn = h[:, 0], None if drawn is None else drawn[:, 0]
    within, remarks = _beyond(problem, h[0], names, widen=drawn is not None and trained is not False)
    return Mixture(
        h=h[0], domains=names, draws=drawn, problem=problem, multipliers=multipliers, single=single, residual=point.residual,
        within=within, remarks=remarks,
    )  # fmt: skip


def _beyond(problem: MixtureProblem, h: np.ndarray, names: Sequence[str], widen: bool) -> tuple[np.ndarray | None, tuple[Note, ...]]:
    """Of optima that leave the shares of the runs the draws of the optimum within these; and what is to be said of h and the targets."""
    runs = problem.targets.runs
    rising = [t for t in problem.targets.names if more_is_better(t)]
    said = f"{', '.join(rising)}: named like scores, of which more is better, and made small; fit errors in their place"
    remarks = [Note(said, "rising-target")] if rising else []
    far = reach.note(h, runs, names, widen) if runs else None
    if far is None:
        return None, tuple(remarks)
    draws = None
    if widen:
        low, high = reach.within(problem.low, problem.high, runs)
        _, found = _solve(problem._replace(low=low, high=high))
        draws = None if found is None else found.h if h.ndim > 1 else found.h[:, 0]
    return draws, (far, *remarks)


class _Solved(NamedTuple):
    """Weights (draws, path, domains), the share of every target in the worst case (path, targets), and the KKT residual."""

    h: np.ndarray
    multipliers: np.ndarray | None = None
    residual: float = 0.0


def _solve(problem: MixtureProblem) -> tuple[_Solved, _Solved | None]:
    """Newton steps on the weights; draws start from the point estimate's optimum."""
    targets = problem.targets
    held = problem.kept if len(problem.kept) < targets.size - 1 else {}
    free = np.delete(np.arange(targets.size), list(held))
    program, low, high = problem.program.holding("h", held), problem.low[free], problem.high[free]
    wide = np.maximum(high, low + _THIN)
    first, last = np.zeros(len(free)), np.minimum(1.0, (low + wide).mean(axis=1))
    box = Box(low, wide, (first, last))
    if problem.worst:
        endless = np.full((1, low.shape[1]), np.inf)
        box = Box(np.concatenate([low, -endless]), np.concatenate([wide, endless]), (np.append(first, 0.0), np.append(last, 10.0)))

    def solved(params: Any, near: np.ndarray | None) -> tuple[_Solved, Optima]:
        out = optimise(program, box, {"params": params}, problem.path, problem.values, near)
        if near is None and not out.ok.all():
            raise DecisionError(
                f"The search for a mixture did not settle (KKT residual {np.nanmax(out.residual):.1g}); a law may have no finite value at "
                "some weights: set floors= above 0."
            )
        x = np.where(out.ok, out.x[: len(free)], np.nan)
        h = np.moveaxis(program.variables[0].whole(np.where((wide > high)[:, None], low[:, None], x)), 0, -1)
        shares = np.maximum(np.moveaxis(out.lam[1:, 0], 0, -1), 0.0) if problem.worst else None
        return _Solved(h, shares, float(out.residual.max())), out

    point, out = solved(targets.point, None)
    return point, None if targets.draws is None else solved(targets.draws, out.x[:, 0])[0]
