"""Tables of mixture runs: from a row a run with many losses to a row a loss, and back to one total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.errors import DataError, DecisionError
from ...core.numeric.precision import double
from ...core.runs import Runs
from ...data.readers import OnBad, read_runs
from ...fitting.result import Fit

_OFF = 0.02  # weights whose sum is farther than this from one are a mistake


def stack_targets(
    table: Any, *, weights: Sequence[str] | Any, losses: Sequence[str] | Mapping[str, str], on_bad: OnBad = "raise", **roles: Any
) -> Runs:
    r"""One row for every run and target, as `fit(law, ..., by="target")` takes it, from one row a run with a column for every loss.

    Args:
        table: anything that `read_runs` takes: a row a run.
        weights: columns with the weights of the domains, or an array (runs, domains). Sums within 2 % of one are brought to one.
        losses: columns with the losses; their names, or the mapping's keys, become the names of the targets.
        on_bad: "raise" on values that are missing, or "drop": the run then lacks that target alone.
        **roles: the other inputs of the law, as in `read_runs`, such as N="params", D="tokens".

    Returns:
        Runs with "h" (rows, domains), "loss", "target", "mixture" (a number for every distinct mixture) and the roles; targets one after
        the other.

    Raises:
        DataError: if there is no loss, or weights are negative or do not sum to one.

    Example:
        >>> from scalejax.studies import stack_targets
        >>> table = {"web": [0.2, 0.5], "code": [0.8, 0.5], "loss_web": [3.0, 2.8], "loss_code": [1.0, 1.2]}
        >>> runs = stack_targets(table, weights=["web", "code"], losses={"web": "loss_web", "code": "loss_code"})
        >>> runs["target"].tolist(), runs["loss"].tolist()
        (['web', 'web', 'code', 'code'], [3.0, 2.8, 1.0, 1.2])
    """
    return stacked(table, weights, targets_of(losses), on_bad, roles)[0]


def targets_of(losses: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Target to its column."""
    return dict(losses) if isinstance(losses, Mapping) else {str(name): name for name in losses}


def stacked(
    table: Any, weights: Sequence[str] | Any, named: Mapping[str, str], on_bad: OnBad, roles: Mapping[str, Any]
) -> tuple[Runs, np.ndarray]:
    """What `stack_targets` makes of a table, and the table's row of each of its rows."""
    if not named:
        raise DataError("stack_targets() needs a column of losses or more: losses=[...].")
    columns: dict[str, Any] = {f"loss {i}": column for i, column in enumerate(named.values())}
    if on_bad not in ("raise", "drop"):
        raise DataError(f"on_bad={on_bad!r} must be 'raise' or 'drop' here.")
    how: OnBad = "raise" if on_bad == "raise" else "flag"
    wide = read_runs(table, h=weights if isinstance(weights, np.ndarray) else list(weights), on_bad=how, **columns, **roles)
    h = normalised(wide["h"])
    _, mixture = np.unique(h.round(9), axis=0, return_inverse=True)
    repeated = {name: np.concatenate([wide[name]] * len(named)) for name in roles}
    rows = Runs(
        {
            "h": np.concatenate([h] * len(named)),
            **repeated,
            "loss": np.concatenate([wide[name] for name in columns]),
            "target": np.repeat(np.asarray(list(named), dtype=str), len(wide)),
            "mixture": np.tile(mixture.ravel().astype(np.float64), len(named)),
        }
    )
    known = np.all([np.isfinite(rows[name]) for name in (*roles, "loss")], axis=0)
    return rows.where(known), np.tile(np.arange(len(wide)), len(named))[known]


def normalised(h: Any) -> np.ndarray:
    """Weights (runs, domains) whose rows sum to one; rows that are off by rounding alone are mended."""
    h = np.asarray(h, dtype=np.float64)
    if h.ndim != 2 or h.shape[1] < 2:
        raise DataError(f"Weights must have the shape (runs, domains) with two domains or more; they have {h.shape}.")
    total = h.sum(axis=1)
    bad = np.flatnonzero((h < 0).any(axis=1) | ~(np.abs(total - 1) < _OFF))
    if len(bad):
        raise DataError(
            f"The weights of row {bad[0]} sum to {total[bad[0]]:.4g} or are negative ({len(bad)} such rows); they must be shares that sum "
            "to one: divide them by 100 if they are per cent."
        )
    return h / total[:, None]


@double
def explicit_loss(fit: Fit, shares: Mapping[str, float] | Sequence[float], **inputs: Any) -> Any:
    r"""Total loss of validation data of known composition: explicit aggregation of a fit by target.

        L(h) = sum_i s_i L_i(h)

    Args:
        fit: a fit whose groups are the targets, `fit(law, runs, by="target")`.
        shares: s, share of every target in the validation data, by name or in the order of `fit.groups`; sum 1.
        **inputs: of the law, such as h (domains,) or (rows, domains), N and D.

    Returns:
        float, or an array with one loss a row.

    Raises:
        DecisionError: if the fit has no groups, or the shares are not one a target that sum to one.

    Note: the mixture that makes it least is `optimal_mixture(fit, weights=shares)`. Where only the total is observed, fit
    `implicit_mixing(K)` to it.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> from scalejax.studies import explicit_loss
        >>> h = np.random.default_rng(0).dirichlet([1.0, 1.0], 12)
        >>> law, t = sj.laws.data_mixing_m4, np.array([-2.0, 0.0])
        >>> web, code = law(h, c=2.0, t=t), law(h, c=1.0, t=t[::-1])
        >>> table = {"h": np.concatenate([h, h]), "loss": np.concatenate([web, code]), "target": ["web"] * 12 + ["code"] * 12}
        >>> fit = sj.fit(law, table, by="target", starts=64)
        >>> round(explicit_loss(fit, {"web": 0.5, "code": 0.5}, h=np.array([0.5, 0.5])), 6)
        1.867879

    References: Ye et al. 2024, arXiv:2403.16952.
    """
    if not isinstance(fit, Fit) or not fit.groups:
        raise DecisionError("explicit_loss() takes a fit with a group for every target: fit(law, runs, by='target').")
    given: list[float | None] = [shares.get(name) for name in fit.groups] if isinstance(shares, Mapping) else list(shares)
    values = [share for share in given if share is not None]
    if not len(values) == len(given) == len(fit.groups) or not np.isclose(sum(values), 1.0, atol=1e-5):
        raise DecisionError(f"shares must give one number for each of {', '.join(fit.groups)}, and sum to one.")
    parts = (s * np.asarray(fit.predict(**inputs, group=name)) for name, s in zip(fit.groups, values, strict=True))
    total = np.sum(list(parts), axis=0)
    return total if np.ndim(total) else float(total)
