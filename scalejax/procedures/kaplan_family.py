"""What follows from the laws of Kaplan et al. 2020 (arXiv:2001.08361) in closed form: the best batch, size, steps and data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..core.errors import DecisionError
from ..core.law import Law
from ..core.precision import double
from ..core.roots import root
from ..core.table import Shown, Table, number
from ..decisions.costs import PF_DAY
from ..decisions.shapes import total_params
from ..fitting.result import Fit
from ..zoo.hyperparameters.critical_batch import kaplan_trajectory

_CHUNK = 256


def minimal_steps(S: Any, B: Any, B_crit: Any) -> Any:
    """Steps that the same loss would take at a batch far above the critical one: S_min = S / (1 + B_crit / B).

    Args:
        S: optimiser steps taken.
        B, B_crit: batch and critical batch at the loss reached, in one unit; see `laws.critical_batch`.

    Kaplan et al. 2020, eq. 5.4 (arXiv:2001.08361).

    >>> minimal_steps(2e4, B=1e6, B_crit=1e6)
    10000.0
    """
    return 1.0 * S / (1.0 + B_crit / B)


def minimal_compute(C: Any, B: Any, B_crit: Any) -> Any:
    """Compute that the same loss would take at a batch far below the critical one: C_min = C / (1 + B / B_crit).

    Args:
        C: compute spent, in any unit.
        B, B_crit: as in `minimal_steps`.

    Kaplan et al. 2020, eq. 5.5 (arXiv:2001.08361).

    >>> minimal_compute(1e20, B=1e6, B_crit=1e6)
    5e+19
    """
    return 1.0 * C / (1.0 + B / B_crit)


@dataclass(frozen=True, eq=False, repr=False)
class ComputeEfficient(Shown):
    """Compute-efficient training by `compute_efficient`; numbers for one budget, arrays for several.

    Attributes:
        compute: C_min, FLOPs.
        N: non-embedding parameters. loss: nats/token. B_crit: tokens. S_min: steps at a batch far above B_crit.
        D: tokens at the batch B_crit, where steps and compute are twice their minimum: 2 B_crit S_min.
        C_c: FLOPs at which the loss would be 1 nat/token: L = (C_c / C_min)^alpha_C.
        exponents: powers of C_min with which each grows, "L" falling.
        excess: by which factor the loss lies above that of the converged model: 1 + alpha_N / alpha_S.
    """

    compute: Any
    N: Any
    loss: Any
    B_crit: Any
    S_min: Any
    D: Any
    C_c: float
    exponents: Mapping[str, float]
    excess: float

    def table(self) -> Table:
        """A row for every budget."""
        columns = [np.atleast_1d(v) for v in (self.compute, self.N, self.loss, self.B_crit, self.S_min, self.D)]
        rows = [[f"{c:.3g}", number(c / PF_DAY, 4), *(number(v, 4) for v in rest)] for c, *rest in zip(*columns, strict=True)]
        powers = ", ".join(f"{name} ~ C^{p:.3f}" for name, p in self.exponents.items())
        note = f"{powers}; C_c = {self.C_c:.3g} FLOPs"
        return Table(["C_min", "PF-days", "N", "loss", "B_crit", "S_min", "D"], rows, notes=[note])


def compute_efficient(params: Mapping[str, float], compute: Any) -> ComputeEfficient:
    r"""The best size for a compute budget under `laws.kaplan_trajectory`, at a batch far below the critical one.

        L = (C_c / C_min)^alpha_C,    1 / alpha_C = 1 / alpha_S + 1 / alpha_B + 1 / alpha_N
        C_c = 6 N_c B_star S_c (1 + r)^(1/alpha_S + 1/alpha_N) r^(-1/alpha_S),    r = alpha_N / alpha_S
        N = N_c ((1 + r) / L)^(1/alpha_N),    B_crit = B_star / L^(1/alpha_B),    S_min = C_min / (6 N B_crit)

    so that training stops at 1 + r times the loss of the converged model; `sj.allocate` finds the same without a closed form.

    Args:
        params: of `laws.kaplan_trajectory`, a published set or `fit.params`.
        compute: C_min in FLOPs (a PF-day is `sj.costs.PF_DAY`), one or several.

    Returns:
        ComputeEfficient with `.N`, `.loss`, `.B_crit`, `.S_min`, `.D`, `.exponents`, `.table()`.

    Raises:
        LawError: if params are not those of the law. DecisionError: if a budget is not positive.

    Example:
        >>> from scalejax import laws, costs, procedures
        >>> best = procedures.compute_efficient(laws.kaplan_trajectory.published["kaplan2020"], costs.PF_DAY)
        >>> f"{best.N:.3g} {best.loss:.3f} {best.exponents['N']:.3f}"
        '6.04e+08 2.688 0.681'

    References: Kaplan et al. 2020, arXiv:2001.08361, section 6 and appendix B.
    """
    kaplan_trajectory.check_params(params)
    C = _positive("compute", compute)
    N_c, alpha_N, S_c, alpha_S, B_star, alpha_B = (float(params[n]) for n in kaplan_trajectory.parameters)
    r = alpha_N / alpha_S
    alpha_C = 1 / (1 / alpha_S + 1 / alpha_B + 1 / alpha_N)
    log_C_c = np.log(6 * N_c) + np.log(B_star * S_c) + (1 / alpha_S + 1 / alpha_N) * np.log1p(r) - np.log(r) / alpha_S
    log_L = alpha_C * (log_C_c - np.log(C))
    loss = np.exp(log_L)
    N = N_c * np.exp((np.log1p(r) - log_L) / alpha_N)
    B_crit = B_star * np.exp(-log_L / alpha_B)
    S_min = C / (6 * N * B_crit)
    exponents = {"N": alpha_C / alpha_N, "B": alpha_C / alpha_B, "S": alpha_C / alpha_S, "D": 1 - alpha_C / alpha_N, "L": -alpha_C}
    arrays = [v if v.ndim else float(v) for v in map(np.asarray, (C, N, loss, B_crit, S_min, 2 * B_crit * S_min))]
    return ComputeEfficient(*arrays, float(np.exp(log_C_c)), exponents, 1 + r)


def overfitting_tokens(params: Mapping[str, float], N: Any, excess: float = 0.02) -> Any:
    r"""Tokens below which overfitting costs more than a given share of the loss, under `laws.kaplan`.

        D = D_c (N / N_c)^(alpha_N / alpha_D) / ((1 + excess)^(1 / alpha_D) - 1)

    Args:
        params: of `laws.kaplan`.
        N: non-embedding parameters, one or several.
        excess: L(N, D) / L(N, inf) - 1, 0.02 in the paper (its spread between seeds).

    Returns:
        Tokens in the shape of N.

    Raises:
        DecisionError: if N or excess is not positive.

    Example:
        >>> from scalejax import laws, procedures
        >>> f"{procedures.overfitting_tokens(laws.kaplan.published['kaplan2020'], 1e9):.3g}"
        '2.41e+10'

    References: Kaplan et al. 2020, arXiv:2001.08361, eqs. 4.3 and 4.4 (D > 5e3 N^0.74).
    """
    N, excess = _positive("N", N), float(_positive("excess", excess))
    alpha_D = params["alpha_D"]
    D = params["D_c"] * (N / params["N_c"]) ** (params["alpha_N"] / alpha_D) / np.expm1(np.log1p(excess) / alpha_D)
    return D if D.ndim else float(D)


def early_stopping_step(loss: Any, loss_infinite: Any, *, S_c: float, alpha_S: float) -> Any:
    r"""Least optimiser steps at which a run on limited data stops improving.

        S_stop >= S_c / (L(N, D) - L(N, inf))^(1 / alpha_S)

    Args:
        loss: L(N, D) of the run stopped in time, `laws.kaplan`.
        loss_infinite: L(N, inf) of the same size on unlimited data; below `loss`.
        S_c, alpha_S: of `laws.kaplan_steps`.

    Raises:
        DecisionError: if loss_infinite is not below loss.

    Example:
        >>> from scalejax import procedures
        >>> round(procedures.early_stopping_step(2.5, 2.4, S_c=2.1e3, alpha_S=0.76))
        43452

    References: Kaplan et al. 2020, arXiv:2001.08361, eq. 5.7.
    """
    gap = np.asarray(loss, float) - np.asarray(loss_infinite, float)
    if not (gap > 0).all():
        raise DecisionError("early_stopping_step() needs loss above loss_infinite: limited data cannot help.")
    S = S_c * gap ** (-1 / alpha_S)
    return S if S.ndim else float(S)


def contradiction_point(*, C_c: float, alpha_C: float, D_c: float, alpha_D: float, N_1: float, p: float) -> dict[str, float]:
    r"""Where the law of compute promises a lower loss than the law of data allows: there the laws must break down.

        (C_c / C)^alpha_C = (D_c / D)^alpha_D,    N = N_1 C^p,    D = 2 C / (6 N)

    Args:
        C_c, alpha_C: of `laws.kaplan_compute`, PF-days.
        D_c, alpha_D: of `laws.kaplan_data`, tokens.
        N_1, p: size of the best model at 1 PF-day, and the power with which it grows (1.3e9 and 0.73 in the paper).

    Returns:
        "C" (PF-days), "N", "D" (tokens, for a batch at the critical one) and "L" (nats/token). Small changes of the exponents move C by an
        order of magnitude, as the paper says of its own.

    Raises:
        DecisionError: if the data that the best models use grow fast enough that the two never meet.

    Example:
        >>> from scalejax import laws, procedures
        >>> compute, data = (dict(law.published["kaplan2020"]) for law in (laws.kaplan_compute, laws.kaplan_data))
        >>> point = procedures.contradiction_point(**compute, **data, N_1=1.3e9, p=0.73)
        >>> f"{point['C']:.1e} PF-days, {point['L']:.2f} nats"
        '1.7e+04 PF-days, 1.63 nats'

    References: Kaplan et al. 2020, arXiv:2001.08361, section 6.3.
    """
    slope = alpha_C - (1 - p) * alpha_D  # of the logarithm of the two losses' ratio
    if slope <= 0:
        raise DecisionError(f"With alpha_C={alpha_C:g} and (1 - p) alpha_D={(1 - p) * alpha_D:g} data never limit the best models.")
    D_1 = 2 * PF_DAY / (6 * N_1)
    C = np.exp((alpha_C * np.log(C_c) - alpha_D * np.log(D_c / D_1)) / slope)
    return {"C": float(C), "N": float(N_1 * C**p), "D": float(D_1 * C ** (1 - p)), "L": float((C_c / C) ** alpha_C)}


@dataclass(frozen=True, eq=False, repr=False)
class LocalExponent(Shown):
    """The compute-optimal frontier without embeddings, by `local_exponent`; arrays with one entry a budget.

    Attributes:
        compute: 6 N D, FLOPs without embeddings. N: non-embedding parameters. D: tokens.
        exponent: d log N / d log C at each budget.
    """

    compute: np.ndarray
    N: np.ndarray
    D: np.ndarray
    exponent: np.ndarray

    @property
    def slope(self) -> float:
        """Slope of the least-squares line through log N against log C: what a study over these budgets reports."""
        return float(np.polyfit(np.log(self.compute), np.log(self.N), 1)[0])

    def table(self) -> Table:
        """A row for every budget."""
        rows = [[f"{c:.3g}", *(number(v, 4) for v in rest)] for c, *rest in zip(self.compute, self.N, self.D, self.exponent, strict=True)]
        return Table(["compute", "N", "D", "exponent"], rows, notes=[f"line through all: N ~ C^{self.slope:.4f}"] if len(rows) > 1 else [])


@double
def local_exponent(
    source: Fit | tuple[Law, Mapping[str, float]], *, compute: Any = None, sizes: Any = None, omega: float = 47491.0, **given: float
) -> LocalExponent:
    r"""How fast the best size grows with compute if neither counts embeddings, for a law of total parameters.

        N_T = N + omega N^(1/3),    C = 6 N D,    g(C) = d log N*(C) / d log C,    N*(C) = argmin_N L(N_T(N), C / (6 N))

    For `laws.chinchilla` g tends to beta / (alpha + beta) for large budgets and to beta / (alpha / 3 + beta) for small ones, where nearly
    all parameters are embeddings. Between them it passes a maximum above both: studies at small scale without embeddings find steep lines.

    Args:
        source: a fit, or (law, parameters), of a law with the inputs N (total parameters) and D (tokens).
        compute: budgets in FLOPs without embeddings; or
        sizes: non-embedding parameters, for the budgets at which they are best.
        omega: see `sj.costs.total_params`; the default belongs to the models of Hoffmann et al. 2022.
        **given: the law's other inputs.

    Returns:
        LocalExponent with `.exponent`, `.N`, `.compute`, `.slope`, `.table()`.

    Raises:
        DecisionError: if not exactly one of compute and sizes is given, one is not positive, or the law has no optimum there.

    Example:
        Chinchilla's law seen through the accounting of Kaplan et al., over their range of sizes (they found 0.73):

        >>> import numpy as np, scalejax as sj
        >>> law = (sj.laws.chinchilla, sj.laws.chinchilla.published["hoffmann2022"])
        >>> ends = sj.procedures.local_exponent(law, sizes=[768, 1.5e9])
        >>> round(sj.procedures.local_exponent(law, compute=np.geomspace(*ends.compute, 200)).slope, 2)
        0.75
        >>> round(float(sj.procedures.local_exponent(law, compute=1e26).exponent[0]), 3)
        0.457

    References: Pearce and Song 2024, arXiv:2406.12907.
    """
    if (compute is None) == (sizes is None):
        raise DecisionError("local_exponent() takes either compute= (budgets in FLOPs) or sizes= (non-embedding parameters).")
    law, params = (source.law, source.params) if isinstance(source, Fit) else source
    law.check_inputs({"N": 0, "D": 0, **given})
    law.check_params(params)
    by_size = compute is None
    known = np.log(np.atleast_1d(_positive("sizes", sizes) if by_size else _positive("compute", compute)))
    found, rate = _frontier(law, by_size, known, dict(params), omega, given)
    n, c, exponent = (known, found, 1 / rate) if by_size else (found, known, rate)
    if not np.isfinite(exponent).all():
        what = "sizes" if by_size else "budgets"
        raise DecisionError(f"{law.name!r} has no optimum for some of these {what}; check their unit, and that the law falls with N and D.")
    C, N = np.exp(c), np.exp(n)
    return LocalExponent(C, N, C / (6 * N), exponent)


def _frontier(law: Law, by_size: bool, known: np.ndarray, *values: Any) -> tuple[np.ndarray, np.ndarray]:
    """log C of sizes, or log N of budgets, and its derivative by the known logarithm; in chunks, which share one program."""
    chunks = -(-len(known) // _CHUNK)
    padded = np.resize(known, (chunks, _CHUNK))
    parts = [_stationary(law, by_size, chunk, *values) for chunk in padded]
    found, rate = (np.concatenate(part)[: len(known)] for part in zip(*parts, strict=True))
    return found, rate


@partial(jax.jit, static_argnums=(0, 1))
def _stationary(law: Law, by_size: bool, known: Any, params: Any, omega: Any, given: Any) -> tuple[Any, Any]:
    def loss(n: Any, c: Any) -> Any:
        inputs = {"N": total_params(jnp.exp(n), omega), "D": jnp.exp(c - n) / 6, **given}
        return law(*(inputs[name] for name in law.inputs), **params)

    def marginal(n: Any, c: Any) -> Any:  # of one more per cent of parameters in a fixed budget: 0 at the best size
        return jax.jvp(lambda n: loss(n, c), (n,), (jnp.ones_like(n),))[1]

    one_token = jnp.log(6.0)
    if by_size:
        low, high = known + one_token, known + 100.0  # to 10^43 FLOPs a parameter
        found, rate = jax.jvp(lambda n: root(lambda c, n: marginal(n, c), low, high, n), (known,), (jnp.ones_like(known),))
    else:
        low, high = jnp.full_like(known, -20.0), known - one_token
        found, rate = jax.jvp(lambda c: root(marginal, low, high, c), (known,), (jnp.ones_like(known),))
    return found, jnp.where((low < found) & (found < high), rate, jnp.nan)


def _positive(name: str, value: Any) -> np.ndarray:
    array = np.asarray(value, dtype=np.float64)
    if not (np.isfinite(array) & (array > 0)).all():
        raise DecisionError(f"{name}={value!r} must be positive.")
    return array
