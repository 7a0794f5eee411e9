"""Mixtures beyond one optimum: amounts that move with scale, temperature sampling, repeated domains, critical shares, rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import numpy as np

from ...core.answer import Answer
from ...core.errors import DecisionError
from ...core.laws.arguments import checked
from ...core.laws.domains import Unit
from ...core.numeric.precision import double
from ...core.numeric.statistics import spearman
from ...core.table import Note, Shown, Table
from ...decisions.known import Source, known
from ...decisions.mixtures import reach
from ...decisions.mixtures.optimal_mixture import optimal_mixture
from ...fitting.fit import fit
from ...fitting.result import Fit
from ...zoo.mixtures.domain_shares import autoscale, ddo

_HALVINGS = 60


@dataclass(frozen=True, eq=False, repr=False)
class DataOptimum(Shown):
    """Best amounts of all domains at one scale, from runs that vary one domain each; see `direct_data_optimisation`.

    Attributes:
        amounts: (domains,) in multiples of the base amounts; they sum to the number of domains.
        loss: predicted sum over the domains of the losses relative to the base mixture, less the constants.
        fit: `laws.ddo` by domain.
        remarks: domains whose best amount lies beyond those of the runs.
    """

    amounts: np.ndarray
    loss: float
    fit: Fit
    remarks: tuple[Note, ...] = ()


@double
def direct_data_optimisation(x: Any, ratio: Any, *, floor: float = 0.2, domains: Sequence[str] | None = None) -> DataOptimum:
    r"""Best amounts of all domains from runs in which one domain's amount is varied at a time (DDO).

        L(x_i) / L(1) = (x_i + a_i)^-b_i + c_i for every domain,   min_x sum_i (x_i + a_i)^-b_i   s.t.  sum_i x_i = m,  x_i >= floor

    Args:
        x: amounts in multiples of the base amount, (amounts,) or (domains, amounts); three or more.
        ratio: (domains, amounts) losses relative to the base mixture.
        floor: least amount.
        domains: their names.

    Returns:
        DataOptimum.

    Raises:
        DataError, FitError, DecisionError: if the tables disagree or a domain has fewer than three amounts.

    Note: amounts that the paper's authors print are not optimal under their own fits: projected gradient descent stopped early.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> from scalejax.studies import direct_data_optimisation
        >>> x = np.array([1 / 3, 1.0, 3.0])
        >>> ratio = [laws.ddo(x, a=3.0, b=1.5, c=0.9), laws.ddo(x, a=3.0, b=1.0, c=0.8)]
        >>> direct_data_optimisation(x, ratio).amounts.round(3).tolist()
        [0.746, 1.254]

    References: Kang et al. 2024, arXiv:2407.20177.
    """
    ratio = np.asarray(ratio, dtype=np.float64)
    if ratio.ndim != 2 or ratio.shape[0] < 2 or ratio.shape[1] < 3:
        raise DecisionError(
            f"ratio must have a row for every domain and a column for every amount, three or more; its shape is {ratio.shape}."
        )
    x = np.broadcast_to(np.asarray(x, dtype=np.float64), ratio.shape)
    names = list(map(str, domains)) if domains is not None else [f"domain {i}" for i in range(len(ratio))]
    runs = {"x": x.ravel(), "ratio": ratio.ravel(), "domain": np.repeat(names, ratio.shape[1])}
    fitted = fit(ddo, runs, by="domain", on="linear", starts=256)
    order = [fitted.groups.index(name) for name in names]
    a, b = (np.asarray(fitted.params[p])[order] for p in "ab")
    m = len(names)
    best = optimal_mixture((autoscale, {"N0": a, "gamma": b, "ell": 0.0}), D=float(m), floors=floor / m, domains=names)
    amounts = m * best.h
    far = [
        f"{name} at {a:.2f} lies outside the amounts of the runs, {least:.2g} to {most:.2g}"
        for name, a, off, least, most in zip(names, amounts, reach.beyond(amounts, [x.T]), x.min(axis=1), x.max(axis=1), strict=True) if off
    ]  # fmt: skip
    remarks = (Note(f"extrapolation: {'; '.join(far)}", "extrapolation"),) if far else ()
    return DataOptimum(amounts, best.objective, fitted, remarks)


def autoscaled(first: Any, second: Any, step: float = 2.0) -> np.ndarray:
    r"""Optimal amounts at another scale from those at two: every domain's amount is exponential in the scale index (AutoScale).

        N^(k) = N^(1) (N^(2) / N^(1))^k,  so that  N^(2) here is second^2 / first for step = 2

    Args:
        first, second: (domains,) optimal amounts in tokens at two scales, all positive.
        step: 2 is the next scale, 3 the one after; 0.5 interpolates: sqrt(first x second).

    Returns:
        (domains,) amounts; their sum is the token budget, their shares the mixture.

    Raises:
        DecisionError: if the amounts are not positive or differ in length.

    Example:
        >>> from scalejax.studies import autoscaled
        >>> autoscaled([1e9, 1e9], [4e9, 2e9]).tolist()
        [16000000000.0, 4000000000.0]

    References: Kang et al. 2024, arXiv:2407.20177.
    """
    one, two = (np.asarray(v, dtype=np.float64) for v in (first, second))
    if one.ndim != 1 or one.shape != two.shape or not ((one > 0) & (two > 0)).all():
        raise DecisionError("autoscaled() takes two lists of positive amounts, one a domain.")
    return one * (two / one) ** step


@dataclass(frozen=True, eq=False, repr=False)
class TemperatureMixture(Shown):
    """Temperature sampling; see `temperature_mixture`. Arrays have a leading axis if several temperatures were asked for.

    Attributes:
        h: share of every domain. epochs: how often each domain is passed, None without `tokens`.
        loss_weights: weights w of the domains' losses that give the same mean gradient under proportional sampling.
        variance: mean squared gradient of the weighted losses over that of the sampling, where all domains' gradients are alike; 1 or more.
    """

    h: np.ndarray
    epochs: np.ndarray | None
    loss_weights: np.ndarray
    variance: Any


def temperature_mixture(sizes: Any, tau: Any, *, tokens: float | None = None) -> TemperatureMixture:
    r"""Upsample or upweight: shares of temperature sampling, and the loss weights that are worth the same.

        h_i(tau) = |D_i|^(1 / tau) / sum_j |D_j|^(1 / tau),   w_i = h_i(tau) / h_i(1),   variance = sum_i h_i(tau)^2 / h_i(1)

    Both have one mean gradient; that of the weighted losses varies more. A schedule of falling tau ("cooldown") is a list here.

    Args:
        sizes: |D_i|, tokens of every domain.
        tau: temperature, a number or a list: 1 is proportional, infinity uniform.
        tokens: training tokens, for the epochs h_i tokens / |D_i|.

    Returns:
        TemperatureMixture.

    Raises:
        DecisionError: if sizes or temperatures are not positive.

    Example:
        >>> from scalejax.studies import temperature_mixture
        >>> found = temperature_mixture([9e9, 1e9], 2.0, tokens=8e9)
        >>> found.h.round(4).tolist(), found.epochs.round(4).tolist(), round(found.variance, 4)
        ([0.75, 0.25], [0.6667, 2.0], 1.25)

    References: Li et al. 2024, arXiv:2410.04579.
    """
    D, T = np.asarray(sizes, dtype=np.float64), np.asarray(tau, dtype=np.float64)
    if D.ndim != 1 or not (D > 0).all() or not (T > 0).all():
        raise DecisionError("temperature_mixture() takes positive sizes, one a domain, and positive temperatures.")
    logs = np.log(D / D.max()) / T[..., None]
    h = np.exp(logs) / np.exp(logs).sum(axis=-1, keepdims=True)
    base = D / D.sum()
    variance = (h**2 / base).sum(axis=-1)
    return TemperatureMixture(h, None if tokens is None else h * tokens / D, h / base, float(variance) if T.ndim == 0 else variance)


def entropy_mixture(entropies: Any) -> np.ndarray:
    """Shares from the entropies H_i of the domains' tokens, without training: exp(H_i) / sum_j exp(H_j), (domains,).

    >>> entropy_mixture([2.0, 2.0]).tolist()
    [0.5, 0.5]

    References: Ge et al. 2024, arXiv:2405.14908.
    """
    H = np.asarray(entropies, dtype=np.float64)
    if H.ndim != 1 or not np.isfinite(H).all():
        raise DecisionError("entropy_mixture() takes one finite entropy a domain.")
    e = np.exp(H - H.max())
    return e / e.sum()


def matched_tokens(unique: Any, tokens: float, proxy_tokens: float) -> np.ndarray:
    """Unique tokens to give a proxy run of `proxy_tokens` so that every domain repeats as in a run of `tokens`: U proxy_tokens / tokens.

    >>> matched_tokens([1e9, 8e9], 1e11, 1e10).tolist()
    [100000000.0, 800000000.0]

    References: Zhou et al. 2026, arXiv:2606.07597.
    """
    U = np.asarray(unique, dtype=np.float64)
    if not ((U > 0).all() and tokens > 0 and proxy_tokens > 0):
        raise DecisionError("matched_tokens() takes positive numbers of tokens.")
    return U * (proxy_tokens / tokens)


@dataclass(frozen=True, eq=False, repr=False)
class CriticalShare(Answer):
    """Largest share of new data that keeps the other loss within a bound; see `critical_share`.

    Attributes:
        share: the share, 1 if every share is within the bound.
        bound: largest loss allowed.
        draws: "share" of every draw, (draws,); empty without uncertainty.
        remarks: how far it lies beyond the shares of the runs.
    """

    share: float
    bound: float
    draws: Mapping[str, np.ndarray]
    remarks: tuple[Note, ...] = ()
    _name: ClassVar[str] = "share"

    def table(self, level: float = 0.9) -> Table:
        """The share and the loss that bounds it."""
        head, rows = self._rows({"share": (self.share, 4), "bound": (self.bound, 5)}, level)
        return Table(head, rows, notes=[*self._drawn, *self.remarks])


@double
def critical_share(
    source: Source, tolerance: float, *, share: str | None = None, complement: bool = True, relative: bool = True, group: str | None = None,
    **given: float,
) -> CriticalShare:  # fmt: skip
    r"""Largest share R of new data in continual pre-training that keeps the loss on the old within a tolerance (critical mixture ratio).

        R* = max R  s.t.  L(R) <= (1 + tolerance) L(0)       (L(0) + tolerance without `relative`)

    The loss on the new data falls with R, so that this is its best share under the bound.

    Args:
        source: a fit, draws or (law, parameters) of the loss on the old data, such as `laws.d_cpt`.
        tolerance: how much of it may be lost, 0 or more.
        share: the law's input that is the share; default the only one on [0, 1].
        complement: that input is the share of the old data, 1 - R.
        relative: tolerance as a share of L(0), else in nats/token.
        group: of a fit with groups.
        **given: values of the law's other inputs.

    Returns:
        CriticalShare with `.share`, `.bound` and `.interval(level)`. If the loss is not monotone, R* is where it first exceeds the bound.

    Raises:
        DecisionError: if the tolerance is negative, or inputs are missing or unknown.

    Example:
        >>> from scalejax import laws
        >>> from scalejax.studies import critical_share
        >>> general = {"E": 1.0, "A": 0.5, "alpha": 0.5, "B": 0.5, "beta": 0.5, "eta": 1.0, "C": 0.5, "gamma": 1.0, "eps": 0.25}
        >>> found = critical_share((laws.d_cpt, general), 0.05, N=4.0, D=100.0)
        >>> round(found.share, 4), round(found.bound, 4)
        (0.2444, 1.785)

    References: Gu et al. 2024, arXiv:2407.17467; Que et al. 2024, arXiv:2406.01375.
    """
    k = known(source, group, "critical_share")
    units = [n for n in k.law.inputs if isinstance(k.law.domains[n], Unit)]
    name = share or (units[0] if len(units) == 1 else None)
    if name not in k.law.inputs:
        raise DecisionError(f"Say which input of {k.law.name!r} is the share with share=...; it has {', '.join(k.law.inputs)}.")
    needed = [n for n in k.law.inputs if n != name]
    if sorted(given) != sorted(needed):
        raise DecisionError(f"critical_share() needs values of {', '.join(needed)}; got {', '.join(given) or 'none'}.")
    if not 0 <= tolerance < np.inf:
        raise DecisionError(f"tolerance={tolerance!r} must be 0 or more.")
    held = checked(k.law, given)

    @jax.jit
    def losses(params: Any, R: Any) -> Any:
        values = {**held, name: 1.0 - R if complement else R}
        return jax.vmap(lambda p, r: k.law(**{**values, name: r}, **p))(params, values[name])

    def solved(params: Any) -> tuple[np.ndarray, np.ndarray]:
        count = len(next(iter(params.values())))
        start = np.asarray(losses(params, np.zeros(count)))
        bound = start * (1 + tolerance) if relative else start + tolerance
        grid = np.linspace(0.0, 1.0, 129)
        over = np.stack([np.asarray(losses(params, np.full(count, R))) > bound for R in grid])
        first = np.where(over.any(axis=0), over.argmax(axis=0), len(grid))
        low, high = grid[np.maximum(first - 1, 0)], grid[np.minimum(first, len(grid) - 1)]
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            within = np.asarray(losses(params, middle)) <= bound
            low, high = np.where(within, middle, low), np.where(within, high, middle)
        return np.where(first == len(grid), 1.0, low), bound

    point, bound = solved(k.leading())
    drawn = {} if k.draws is None else {"share": solved(k.draws)[0]}
    remarks = () if k.runs is None else _beyond_shares(float(point[0]), 1 - k.runs[name] if complement else k.runs[name])
    return CriticalShare(share=float(point[0]), bound=float(bound[0]), draws=drawn, remarks=remarks, kind=k.kind)


def _beyond_shares(share: float, runs: np.ndarray) -> tuple[Note, ...]:
    """How far a share of new data lies beyond those of the runs."""
    pairs = np.column_stack([runs, 1 - runs])
    said = reach.note(np.asarray([share, 1 - share]), [pairs], ["new data", "old data"], False, "")
    return () if said is None else (said,)


def mixture_rounds(gains: Any, eta: float, *, start: Any = None) -> np.ndarray:
    r"""Mixtures of rounds in a row by exponentiated gradient on a linear dynamic law (Aioli).

        h_j^(t+1) proportional to h_j^(t) exp(eta sum_i A_ij^(t))

    Args:
        gains: A, what a round on domain j alone gains on target i: (targets, domains) for one round, (rounds, targets, domains) for more.
        eta: step, 0 or more.
        start: mixture of the first round; default uniform.

    Returns:
        (rounds + 1, domains) mixtures. DoReMi, DoGE and Skill-It are such rounds with gains of their own.

    Note: the update is recalled, not traced to the paper's text.

    Example:
        >>> import numpy as np
        >>> from scalejax.studies import mixture_rounds
        >>> mixture_rounds([[np.log(4.0), 0.0], [0.0, 0.0]], 1.0)[-1].round(6).tolist()
        [0.8, 0.2]

    References: Chen et al. 2024, arXiv:2411.05735.
    """
    A = np.asarray(gains, dtype=np.float64)
    A = A[None] if A.ndim == 2 else A
    if A.ndim != 3 or not np.isfinite(A).all() or not 0 <= eta < np.inf:
        raise DecisionError("mixture_rounds() takes finite gains (rounds, targets, domains) and a step eta of 0 or more.")
    first = np.full(A.shape[2], 1 / A.shape[2]) if start is None else np.asarray(start, dtype=np.float64)
    if first.shape != A.shape[2:] or (first < 0).any() or not np.isclose(first.sum(), 1, atol=1e-6):
        raise DecisionError(f"start must hold a weight for each of the {A.shape[2]} domains that sum to one.")
    total = eta * np.cumsum(A.sum(axis=1), axis=0)
    h = first * np.exp(total - total.max(axis=1, keepdims=True))
    return np.concatenate([first[None], h / h.sum(axis=1, keepdims=True)])


def interaction_similarity(A: Any, B: Any) -> float:
    """How alike two matrices of gains (targets, domains) are: mean of the cosine and the rank correlation of their column sums.

    Note: recalled, not traced to the paper's text.

    >>> round(interaction_similarity([[1.0, 0.0], [0.0, 2.0]], [[2.0, 0.0], [0.0, 4.0]]), 6)
    1.0

    References: Chen et al. 2024, arXiv:2411.05735.
    """
    a, b = (np.asarray(v, dtype=np.float64) for v in (A, B))
    if a.ndim != 2 or a.shape != b.shape:
        raise DecisionError("interaction_similarity() takes two matrices of one shape, (targets, domains).")
    a, b = a.sum(axis=0), b.sum(axis=0)
    return float((a @ b / np.sqrt((a @ a) * (b @ b)) + spearman(a, b)) / 2)
