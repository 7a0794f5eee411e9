"""Counting without embeddings: how the best size grows with compute when neither of them has embeddings in it."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.errors import DecisionError
from ...core.laws.formula import formula, require
from ...core.numeric.roots import root


@formula
def local_exponent(law, compute=None, sizes=None, omega=47491.0, **inputs):
    r"""How fast the best size grows with compute if neither counts embeddings, for a law of total parameters.

        N_T = N + omega N^(1/3),    C = 6 N D,    g(C) = d log N*(C) / d log C,    N*(C) = argmin_N L(N_T(N), C / (6 N))

    For `laws.chinchilla` g tends to beta / (alpha + beta) for large budgets and to beta / (alpha / 3 + beta) for small ones, where nearly
    all parameters are embeddings. Between them it passes a maximum above both: studies at small scale without embeddings find steep lines.

    Args:
        law: a law with the inputs N (total parameters) and D (tokens), at its parameters; `derive` gives it.
        compute: budgets in FLOPs without embeddings, a number or an array; or
        sizes: non-embedding parameters, for the budgets at which they are best.
        omega: see `sj.costs.total_params`; the default belongs to the models of Hoffmann et al. 2022.
        inputs: the law's other inputs.

    Returns:
        "compute", 6 N D in FLOPs without embeddings; "N", non-embedding parameters; "D", tokens; "exponent", g; and for several budgets
        "slope", that of the least-squares line through log N against log C: what a study over these budgets reports.

    Example:
        Chinchilla's law seen through the accounting of Kaplan et al., over their range of sizes (they found 0.73):

        >>> import numpy as np, scalejax as sj
        >>> law = (sj.laws.chinchilla, sj.laws.chinchilla.published["hoffmann2022"])
        >>> ends = sj.derive(law, sj.formulas.local_exponent, sizes=[768, 1.5e9])
        >>> round(sj.derive(law, sj.formulas.local_exponent, compute=np.geomspace(*ends.compute, 200)).slope, 2)
        0.75
        >>> round(sj.derive(law, sj.formulas.local_exponent, compute=1e26).exponent, 3)
        0.457

    References: Pearce and Song 2024, arXiv:2406.12907.
    """
    if (compute is None) == (sizes is None):
        raise DecisionError("local_exponent() takes either compute= (budgets in FLOPs) or sizes= (non-embedding parameters).")
    law.check_inputs({"N": 0, "D": 0, **inputs})
    by_size = compute is None
    asked, name = (sizes, "sizes") if by_size else (compute, "compute")
    require(asked > 0, f"{name}={{asked}} must be positive.", asked=asked)
    known = jnp.log(asked)
    found, rate = _stationary(law, by_size, known, omega, inputs)
    n, c, exponent = (known, found, 1 / rate) if by_size else (found, known, rate)
    what = "sizes" if by_size else "budgets"
    wrong = f"{law.name!r} has no optimum for some of these {what}; check their unit, and that the law falls with N and D."
    require(jnp.isfinite(exponent), wrong)
    C, N = jnp.exp(c), jnp.exp(n)
    across = c - jnp.mean(c)
    slope = {"slope": jnp.sum(across * n) / jnp.sum(across**2)} if jnp.size(known) > 1 else {}
    return {"compute": C, "N": N, "D": C / (6 * N), "exponent": exponent, **slope}


def _stationary(law, by_size, known, omega, inputs):
    """log C of sizes, or log N of budgets, and its derivative by the known logarithm; NaN where there is no optimum."""

    def loss(n, c):
        N = jnp.exp(n)
        values = {"N": N + omega * N ** (1 / 3), "D": jnp.exp(c - n) / 6, **inputs}
        return law(*(values[name] for name in law.inputs))

    def marginal(n, c):  # of one more per cent of parameters in a fixed budget: 0 at the best size
        return jax.jvp(lambda n: loss(n, c), (n,), (jnp.ones_like(n),))[1]

    one_token = jnp.log(6.0)
    if by_size:
        low, high = known + one_token, known + 100.0  # to 10^43 FLOPs a parameter
        found, rate = jax.jvp(lambda n: root(lambda c, n: marginal(n, c), low, high, n), (known,), (jnp.ones_like(known),))
    else:
        low, high = jnp.full_like(known, -20.0), known - one_token
        found, rate = jax.jvp(lambda c: root(marginal, low, high, c), (known,), (jnp.ones_like(known),))
    return found, jnp.where((low < found) & (found < high), rate, jnp.nan)
