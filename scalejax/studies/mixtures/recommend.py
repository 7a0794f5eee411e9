"""`recommend_mixture`: from a raw table of proxy runs to the training proportions of a larger run, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ...core.errors import DecisionError
from ...core.laws.law import Law
from ...core.numeric.precision import double
from ...core.table import Note, Shown, Table
from ...data.readers import OnBad
from ...decisions.known import Source
from ...decisions.mixtures.mixture import Mixture
from ...decisions.mixtures.optimal_mixture import optimal_mixture
from ...fitting.fit import find_law, fit
from ...fitting.objective.losses import Loss, huber
from ...fitting.result import Fit
from ...fitting.uncertainty.draws import Draws
from ...posteriors.laplace import laplace
from .bootstrap import bootstrap_mixtures
from .checks import check_falling, twice, unused_columns
from .tables import normalised, stacked, targets_of


@dataclass(frozen=True, eq=False, repr=False)
class MixtureRecommendation(Shown):
    """Recommended training proportions, how sure they are, and what other proportions would cost; made by `recommend_mixture`.

    Attributes:
        mixture: the optimum, with its certificate, draws and predicted losses.
        fit: the law by target. draws: its uncertainty, None if none was asked for.
        others: mixtures to compare with, by name: of the table's mixtures the best predicted (within floors and caps, if one is), uniform,
            and those given.
        remarks: what speaks against it, such as a column that losses go with and that is not used.
    """

    mixture: Mixture
    fit: Fit
    draws: Draws | None
    others: Mapping[str, np.ndarray] = field(repr=False)
    remarks: tuple[Note, ...] = ()

    @property
    def weights(self) -> dict[str, float]:
        """Domain to weight."""
        return self.mixture.weights

    @property
    def losses(self) -> dict[str, float]:
        """Target to predicted loss."""
        return self.mixture.losses

    def interval(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """(low, high) of every weight at this confidence `level`."""
        return self.mixture.interval(level)

    def deviations(self, by: float = 0.05, level: float = 0.9) -> Table:
        """What it costs to deviate: one domain raised or lowered, the others scaled to make room, within their limits; and other mixtures.

        Args:
            by: how much to raise or lower a weight, as a share of all training data; a weight is not lowered below 0.
            level: of the intervals.

        Returns:
            Table with the objective, its difference to the optimum with an interval, the losses, and the limits that a mixture breaks: a
            domain at its cap is raised all the same, to show what the cap costs. A domain that never varied in the table is left out.

        Raises:
            DecisionError: if `by` is not a share.
        """
        if not 0 < by < 1:
            raise DecisionError(f"by={by!r} must be a share between 0 and 1.")
        h, rows = self.mixture.h, dict(self.others)
        low, high = self.mixture.problem.low[:, 0], self.mixture.problem.high[:, 0]
        for i, name in enumerate(self.mixture.domains):
            if i in self.mixture.problem.kept:
                continue
            for sign, word in ((1, "more"), (-1, "less")):
                changed = np.clip(h[i] + sign * by, 0.0, 1.0)
                if changed != h[i] and h[i] < 1:
                    rest = _scaled(np.delete(h, i), np.delete(low, i), np.delete(high, i), 1 - changed)
                    rows[f"{word} {name}"] = np.insert(rest, i, changed)
        return self.mixture.against(rows, level)

    def table(self, level: float = 0.9) -> Table:
        """A row for every domain."""
        table = self.mixture.table(level)
        return replace(table, notes=[*table.notes, *self.remarks])

    def __repr__(self) -> str:
        return f"{self.table().text()}\n\n{self.mixture.against(self.others).text()}"

    def _repr_html_(self) -> str:
        return self.table().html() + self.mixture.against(self.others).html()


@double
def recommend_mixture(
    table: Any,
    *,
    weights: Sequence[str] | Any,
    losses: Sequence[str] | Mapping[str, str],
    law: Law | str | None = None,
    at: Mapping[str, Any] | None = None,
    importance: Sequence[float] | Mapping[str, float] | None = None,
    compare: Mapping[str, Any] | None = None,
    uncertainty: Literal["bootstrap", "laplace", "none"] = "bootstrap",
    draws: int = 200,
    loss: Loss | None = None,
    on: Literal["log", "linear"] = "log",
    starts: Any = 64,
    fix: Mapping[str, Any] | None = None,
    seed: int = 0,
    domains: Sequence[str] | None = None,
    roles: Mapping[str, Any] | None = None,
    on_bad: OnBad = "raise",
    **options: Any,
) -> MixtureRecommendation:
    r"""Training proportions for a larger run from a table of small ones: fit a mixture law to every target, then minimise the weighted sum.

        h* = argmin_h sum_t w_t L_t(h, N, D),    L_t fitted to the runs' losses on target t

    A domain whose share is the same in all runs stays there, at 0 if it was never trained on: nothing in the table tells what more of it
    does. Every target must be a loss or an error, of which less is better: columns named like accuracies are refused. If losses go with
    sizes, steps or kinds of runs among the table's other columns, which nothing uses, the answer says so.

    Args:
        table: anything that `read_runs` takes: a row a run, or a row a checkpoint.
        weights: columns with the weights of the domains, or an array (runs, domains).
        losses: columns with the losses of the targets, or {target: column}.
        law: any law with the weights as its input h; default `mixture_additive` where `roles` has N and D, `mixture_tokens` where it has
            D alone, else `data_mixing_m4`. With `mixture_joint` the best mixture depends on N and D.
        at: size, tokens and other inputs of the run to recommend for, such as {"N": 7e9, "D": 1e12}; default the largest in the table.
        importance: w, of every target, on the simplex; default equal.
        compare: other mixtures to price, by name.
        uncertainty: "bootstrap" resamples whole mixtures, so that checkpoints, repeats and targets of one stay together; "laplace" is
            faster and takes rows as independent; "none".
        draws: how many.
        loss, on, starts, fix, seed: of the fit, see `fit`; default Huber's loss (1e-3) of relative errors.
        domains: names of the domains; default the columns of `weights`.
        roles: columns of the law's other inputs, such as {"N": "params", "D": "tokens"}.
        on_bad: "raise" on a loss that is missing, or "drop" it (the run's other losses stay).
        **options: of `optimal_mixture`: worst, reference, caps, floors, available, tokens, epochs, prior, kl_weight.

    Returns:
        MixtureRecommendation with `.weights`, `.losses`, `.interval(level)`, `.deviations(by)`, `.mixture`, `.fit`; print it for a table.

    Raises:
        DataError, FitError, DecisionError: one sentence: what, where, what to do.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> from scalejax.studies import recommend_mixture
        >>> h = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], 24)
        >>> law = sj.laws.data_mixing_m4
        >>> table = {"web": h[:, 0], "code": h[:, 1], "maths": h[:, 2]}
        >>> table |= {"on_web": law(h, c=2.0, t=[-2.0, 0.0, 0.0]), "on_code": law(h, c=1.0, t=[0.0, -2.0, 0.0])}
        >>> best = recommend_mixture(table, weights=["web", "code", "maths"], losses=["on_web", "on_code"], uncertainty="none", caps=0.6)
        >>> {name: round(weight, 4) for name, weight in best.weights.items()}
        {'web': 0.5, 'code': 0.5, 'maths': 0.0}

    References: Shukor et al. 2025, arXiv:2507.09404; Ye et al. 2024, arXiv:2403.16952.
    """
    if uncertainty not in ("bootstrap", "laplace", "none"):
        raise DecisionError(f"uncertainty={uncertainty!r} must be 'bootstrap', 'laplace' or 'none'.")
    roles = dict(roles or {})
    named, table = targets_of(losses), twice(table)
    check_falling(named)
    runs, rows = stacked(table, weights, named, on_bad, roles)
    fitted = fit(law or _default(roles), runs, by="target", loss=loss or huber(1e-3), on=on, starts=starts, fix=fix, seed=seed)
    drawn = None
    if uncertainty == "bootstrap":
        drawn = bootstrap_mixtures(fitted, draws, seed)
    elif uncertainty == "laplace":
        drawn = laplace(fitted, draws, seed=seed)
    names = tuple(domains or (f"h[{i}]" for i in range(runs["h"].shape[1])) if isinstance(weights, np.ndarray) else domains or weights)
    given = _given(fitted, at)
    if not drawn:
        options.setdefault("trained", np.unique(runs["h"], axis=0))
    best = optimal_mixture(drawn or _known(fitted), weights=importance, domains=names, **given, **options)
    columns = () if isinstance(weights, np.ndarray) else weights
    remarks = unused_columns(table, (*columns, *named.values(), *roles.values()), fitted, rows, roles)
    return MixtureRecommendation(mixture=best, fit=fitted, draws=drawn, others=_others(fitted, best, given, compare), remarks=remarks)


def _scaled(h: np.ndarray, low: np.ndarray, high: np.ndarray, total: float) -> np.ndarray:
    """h times one factor, within floors and caps, so that it sums to `total`; past them where they leave no such mixture."""
    plain, factors = h * total / h.sum(), np.array([0.0, 1e6])
    if not np.clip(factors[0] * h, low, high).sum() <= total <= np.clip(factors[1] * h, low, high).sum():
        return plain
    for _ in range(100):
        middle = factors.mean()
        factors[int(np.clip(middle * h, low, high).sum() > total)] = middle
    return np.clip(factors[0] * h, low, high)


def _default(roles: Mapping[str, Any]) -> Law:
    """The law for these columns."""
    named = {("D", "N"): "mixture_additive", ("D",): "mixture_tokens", (): "data_mixing_m4"}.get(tuple(sorted(roles)))
    if named is None:
        raise DecisionError(f"There is no default law for the inputs {', '.join(roles)}; say which with law=...")
    return find_law(named)


def _known(fitted: Fit) -> dict[str, Source]:
    """The targets' laws with bare parameters."""
    return {name: (fitted.law, {p: np.asarray(v)[i] for p, v in fitted.params.items()}) for i, name in enumerate(fitted.groups)}


def _given(fitted: Fit, at: Mapping[str, Any] | None) -> dict[str, Any]:
    """Values of the inputs other than the weights: those asked for, else the largest in the table."""
    given = {n: float(np.max(fitted.runs[n])) for n in fitted.law.inputs if fitted.runs[n].ndim == 1} | dict(at or {})
    for name, value in given.items():
        if name in fitted.law.inputs and np.ndim(value) > (fitted.law.domains[name].axis is not None):
            raise DecisionError(f"at={{{name!r}: ...}} must be one value; for a path of mixtures pass `.fit` to optimal_mixture.")
    return given


def _uniform(best: Mixture) -> np.ndarray:
    """Equal weights of all domains that are not kept at what all runs have."""
    kept, size = best.problem.kept, len(best.domains)
    rest = (1 - sum(kept.values())) / max(size - len(kept), 1)
    return np.asarray([kept.get(i, rest) for i in range(size)])


def _others(fitted: Fit, best: Mixture, given: Mapping[str, Any], compare: Mapping[str, Any] | None) -> dict[str, np.ndarray]:
    """Mixtures to compare with, see `MixtureRecommendation`."""
    mixtures = np.unique(fitted.runs["h"], axis=0)
    here = {n: np.broadcast_to(v, (len(mixtures), *np.shape(v))) for n, v in given.items()}
    predicted = np.stack([fitted.predict(h=mixtures, **here, group=name) for name in fitted.groups])
    values = best.problem.values
    excess = values["weights"][:, None] * (predicted - values["reference"][:, None])
    total = excess.max(axis=0) if best.problem.worst else excess.sum(axis=0)
    allowed = np.array([not best.broken(h) for h in mixtures])
    total = np.where(allowed | ~allowed.any(), total, np.inf)
    named = {"best of the table": mixtures[int(np.argmin(total))], "uniform": _uniform(best)}
    for name, h in (compare or {}).items():
        named[name] = normalised(np.asarray(list(h.values()) if isinstance(h, Mapping) else h, dtype=np.float64)[None])[0]
    return named
