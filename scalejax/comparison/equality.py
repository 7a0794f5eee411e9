"""Are two sets of parameters the same? Wald's test, of all of them together and one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.scipy.special import betainc, gammaincc

from ..core.answer import without
from ..core.errors import DecisionError, suggest
from ..core.numeric.precision import double
from ..core.table import Shown, Table, formatted, number
from ..decisions.known import Source
from ..decisions.pairing import Pair, belong, knowns
from ..fitting.result import Fit
from ..fitting.uncertainty.draws import Draws
from ..fitting.uncertainty.intervals import freedom


@dataclass(frozen=True, eq=False, repr=False)
class Equality(Shown):
    """Wald's test of equal parameters.

    Attributes:
        names: the parameters compared.
        chi2, df, p: of all together; p is the chance of a chi2 at least as large if they are equal.
        difference, standard_error, p_each: by name, of each alone on its own scale; Student's t with n - p degrees of freedom.
    """

    names: tuple[str, ...]
    chi2: float
    df: int
    p: float
    difference: dict[str, float]
    standard_error: dict[str, float]
    p_each: dict[str, float]

    def table(self) -> Table:
        """A row for every parameter, and the joint test below."""
        rows = [[n, number(self.difference[n]), number(self.standard_error[n], 3), formatted(self.p_each[n], ".2g")] for n in self.names]
        note = f"together: chi2 = {self.chi2:.4g} with {self.df} degrees of freedom, p = {self.p:.3g}"
        return Table(["parameter", "difference", "std. error", "p"], rows, title="Equality of parameters", notes=[note])


@double
def equality_test(
    first: Draws | Fit,
    second: Source | Mapping[str, Any],
    *,
    names: Sequence[str] | None = None,
    logs: Sequence[str] = (),
    groups: tuple[str | None, str | None] = (None, None),
    pair: Pair = None,
) -> Equality:
    r"""Test whether two parameter vectors are equal, such as a refit and published constants, or the fits of two laboratories.

        chi2 = (theta_1 - theta_2)' Cov(theta_1 - theta_2)^-1 (theta_1 - theta_2),    df = number of parameters compared

    with the covariance of the draws' differences: Cov_1 + Cov_2 where the sources are independent, less where their runs share units, and
    that of the first alone beside known constants. The joint test depends on the scale: parameters named in `logs` are
    compared as logarithms, where factors such as A and B are nearer to normal. Each alone is compared on its own scale.

    Args:
        first: draws (`sj.bootstrap(fit, 4000)`), or a fit, which brings 1,000 Laplace draws.
        second: the same from other runs, or known values: a mapping such as `law.published["hoffmann2022"]`, or (law, parameters).
        names: the parameters to compare; default all that the first source leaves free. They are numbers, not vectors.
        logs: parameters to compare as logarithms.
        groups: which group of each, for fits with groups.
        pair: columns that name what the runs of both share, as in `sj.compute_multiplier`.

    Returns:
        Equality with `.chi2`, `.df`, `.p`, `.p_each`, `.table()`.

    Raises:
        DecisionError: if a name is unknown or no single number, a logarithm is asked of what is not positive, or the draws do not vary.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law, rng = sj.laws.power_law, np.random.default_rng(0)
        >>> truth = dict(E=1.0, A=20.0, alpha=0.3)
        >>> draws = sj.bootstrap(sj.fit(law, sj.simulate(law, truth, x=np.logspace(3, 9, 60), noise=0.01)), 500)
        >>> sj.equality_test(draws, truth, logs=["A"]).p > 0.01
        True
        >>> sj.equality_test(draws, {**truth, "alpha": 0.4}, logs=["A"]).p < 1e-6
        True

    References: Besiroglu et al. 2024, arXiv:2404.10102, who compare (log A, log B, log E, alpha, beta).
    """
    if isinstance(first, tuple):
        raise DecisionError("equality_test() needs a first source with uncertainty: a fit, or draws such as sj.bootstrap(fit).")
    sources = [first] if isinstance(second, Mapping) else [first, second]
    mine, *rest = knowns(sources, groups[: len(sources)], pair, "equality_test")
    if mine.draws is None or mine.fit is None:
        raise DecisionError(without("comparison", mine.kind))
    chosen = _names(mine.fit, names, mine.law.parameters)
    other = dict(second) if isinstance(second, Mapping) else rest[0].point
    uncertain = [mine] if isinstance(second, Mapping | tuple) else [mine, *rest]
    draws = [source.draws for source in uncertain if source.draws is not None]
    together = len(uncertain) == 2 and belong(*uncertain)
    for name in (*chosen, *logs):
        if name not in mine.point or name not in other:
            raise DecisionError(f"equality_test() knows no {name!r} on both sides; {suggest(name, mine.point)}")
        if np.ndim(mine.point[name]) or np.ndim(other[name]):
            raise DecisionError(f"equality_test() compares numbers, and {name} is a vector; leave it out of names=.")
        if not np.isfinite(other[name]):
            raise DecisionError(f"equality_test() compares finite numbers, and {name} is {other[name]} on one side.")
    points = (mine.point, other)
    covariance = _covariance(draws, chosen, logs, together)
    theta = [_vector(point, chosen, logs) for point in points]
    difference = theta[0] - theta[1]
    chi2 = float(difference @ np.linalg.solve(covariance, difference))
    plain = [_vector(point, chosen, ()) for point in points]
    errors = np.sqrt(np.diag(_covariance(draws, chosen, (), together)))
    n = float(min(freedom(k.fit.request).min() for k in (mine, *rest) if k.fit is not None))
    t2 = ((plain[0] - plain[1]) / errors) ** 2
    each = np.asarray(betainc(n / 2, 0.5, n / (n + t2)))  # Student's t, both tails
    return Equality(
        names=chosen,
        chi2=chi2,
        df=len(chosen),
        p=float(gammaincc(len(chosen) / 2, chi2 / 2)),
        difference=dict(zip(chosen, map(float, plain[0] - plain[1]), strict=True)),
        standard_error=dict(zip(chosen, map(float, errors), strict=True)),
        p_each=dict(zip(chosen, map(float, each), strict=True)),
    )


def _names(fit: Fit, names: Sequence[str] | None, parameters: tuple[str, ...]) -> tuple[str, ...]:
    if names is not None and not names:
        raise DecisionError("names=[] leaves nothing to compare.")
    held = {*fit.request.fix, *fit.request.tie}
    return tuple(p for p in parameters if p not in held) if names is None else tuple(names)


def _vector(point: Mapping[str, Any], names: Sequence[str], logs: Sequence[str]) -> np.ndarray:
    """(parameters,) or (draws, parameters), with logarithms where they are asked for."""
    columns = []
    for name in names:
        value = np.asarray(point[name], dtype=np.float64)
        if name in logs and not (value > 0).all():
            raise DecisionError(f"{name} is not always positive and has no logarithm; leave it out of logs=.")
        columns.append(np.log(value) if name in logs else value)
    return np.stack(columns, axis=-1)


def _covariance(draws: Sequence[Mapping[str, Any]], names: Sequence[str], logs: Sequence[str], together: bool) -> np.ndarray:
    """Covariance of the parameters, or of the difference between those of two sources: draw by draw if they belong `together`."""
    each = [_vector(one, names, logs) for one in draws]
    deviation = np.min([values.std(axis=0) for values in each], axis=0)
    if not (np.isfinite(deviation) & (deviation > 0)).all():
        bad = names[int(np.argmax(~(np.isfinite(deviation) & (deviation > 0))))]
        raise DecisionError(f"The draws of {bad} do not vary, or are not finite; leave it out of names=.")
    each = [each[0] - each[1]] if together else each
    return np.sum([np.atleast_2d(np.cov(values, rowvar=False)) for values in each], axis=0)
