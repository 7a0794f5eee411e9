"""Data mixing laws: exponentials of the training proportions, at one model size and one number of steps."""

from __future__ import annotations

from functools import cache
from inspect import Parameter, Signature
from math import exp
from typing import Any

import jax.numpy as jnp

from ...core.errors import LawError
from ...core.laws.domains import Positive, Real, Simplex
from ...core.laws.law import Law, Published, law
from .. import ranges

_YE = "Ye et al. 2024, arXiv:2403.16952"
_CHEN = "Chen et al. 2024, arXiv:2411.05735"
_H = Simplex(axis="domain")
_K = Positive(0.01, 10.0)
_T = Real(-50.0, 5.0, axis="domain")  # as low as -39 in the paper, where a corpus teaches itself alone

# log c, log k and t of 70M models after 30,000 steps, for the shares of academic, prose, dialogue, symbolic and internet texts.
_PILE = {
    "academic": (0.975, -2.1391, (-10.0864, 2.714, 2.7106, 2.6083, 1.5866)),
    "prose": (1.2624, -2.1656, (1.393, -4.6811, 0.7855, 1.8719, 0.5734)),
    "dialogue": (1.1375, -7.1017, (6.7135, 6.2643, -31.8621, 6.6423, 6.2053)),
    "symbolic": (0.475, -3.6546, (3.3289, 3.6705, 3.1127, -16.4217, 3.1591)),
    "internet": (1.2402, -1.951, (1.1897, 0.8697, -0.5184, 1.7122, -3.087)),
}
# log c, log k and t for the shares of arxiv, books and stackexchange; then of arxiv and stackexchange.
_SLIM = {
    "3_arxiv": (0.987732, -0.86939, (-3.330697, 0.848647, 0.0)),
    "3_book": (1.381385, -0.379672, (0.251257, -3.510089, 0.0)),
    "3_stackexchange": (1.134327, -3.661957, (3.695132, 3.987479, 0.0)),
}
_PAIR = {"2_arxiv": (2.635579, (-2.99978 - 0.619237, -0.619237)), "2_stackexchange": (3.03323, (-0.12864, -2.64617 - 0.12864))}


def _set(log_c: float, log_k: float, t: tuple[float, ...], context: str, source: str) -> Published:
    return Published({"c": exp(log_c), "t": tuple(v + log_k for v in t)}, context, source, "verified")


@law(
    reference=_YE,
    linear=("c", "k"),
    h=_H,
    c=ranges.E,
    k=Positive(0.01, 10.0, axis="domain"),
    t=_T,
)
def data_mixing_m1(h, *, c, k, t):
    r"""Loss from training proportions, a sum of exponentials with a factor for every domain (candidate M1).

        L(h) = c + sum_j k_j exp(t_j h_j)

    Symbols: h shares of M domains; L nats/token on one target; 2 M + 1 parameters; t_j < 0 where domain j helps the target. For several
    targets see `data_mixing_m4`.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> round(laws.data_mixing_m1(np.array([0.5, 0.5]), c=1.0, k=np.array([1.0, 0.5]), t=np.array([-2.0, 0.0])), 6)
        1.867879
    """
    return c + jnp.sum(k * jnp.exp(t * h), axis=-1)


@law(reference=_YE, linear=("c", "k"), h=_H, c=ranges.E, k=_K, t=_T)
def data_mixing_m2(h, *, c, k, t):
    r"""Loss from training proportions, a sum of exponentials with a common factor (candidate M2).

        L(h) = c + k sum_j exp(t_j h_j)

    Symbols: as in `data_mixing_m1`, with M + 2 parameters.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> round(laws.data_mixing_m2(np.array([0.5, 0.5]), c=1.0, k=0.5, t=np.array([-2.0, 0.0])), 6)
        1.68394
    """
    return c + k * jnp.sum(jnp.exp(t * h), axis=-1)


@law(reference=_YE, linear=("c", "k"), h=_H, c=ranges.E, k=_K, t=Real(-50.0, 50.0))
def data_mixing_m3(h, *, c, k, t):
    r"""Loss from training proportions, an exponential of their product (candidate M3, which fits badly).

        L(h) = c + k exp(t prod_j h_j)

    Symbols: as in `data_mixing_m1`. The paper writes prod_j t_j h_j with M factors t_j, of which the loss shows the product alone: t is
    that product, and 3 parameters remain of M + 2. Where any share is 0 the loss is c + k, whatever the others.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> round(laws.data_mixing_m3(np.array([0.5, 0.5]), c=1.0, k=0.5, t=-4.0), 6)
        1.18394
    """
    return c + k * jnp.exp(t * jnp.prod(h, axis=-1))


@law(
    reference=_YE,
    linear=("c",),
    h=_H,
    c=ranges.E,
    t=_T,
    published={
        **{
            f"ye2024_{name}": _set(*values, "70M, 30,000 steps; academic, prose, dialogue, symbolic, internet", "authors' notebook")
            for name, values in _PILE.items()
        },
        **{
            f"chen2024_{name}": _set(*values, "SlimPajama, step 5000, seed 0; shares of arxiv, book, stackexchange", "authors' repository")
            for name, values in _SLIM.items()
        },
        **{
            f"chen2024_{name}": Published(
                {"c": c, "t": t}, "SlimPajama, step 5000, seed 0; shares of arxiv, stackexchange", "authors' repository", "verified"
            )
            for name, (c, t) in _PAIR.items()
        },
    },
)
def data_mixing_m4(h, *, c, t):
    r"""Loss from training proportions, the exponential of a linear form (M4, the data mixing law).

        L(h) = c + exp(sum_j t_j h_j)

    Symbols: h shares of M domains, sum 1; L nats/token on one target; exp(t_j) what a model trained on domain j alone has in excess of c.
    Convex in h: a weighted sum of such losses has one optimum. Explicit aggregation, sum_i s_i L_i(h) with known shares s of the targets:
    a row for every run and target, fit(..., by="target"), then `studies.explicit_loss(fit, s, h=...)` or
    `optimal_mixture(fit, weights=s)`. Implicit aggregation, where only the total is observed: `implicit_mixing(K)`.

    Note: the paper writes c + k exp(sum_j t_j h_j). As shares sum to one, t_j + d with k exp(-d) is the same loss; k is 1 here and
    published sets have t_j + log k. The static law of Aioli, c + b exp(-sum_j A_j h_j), is the same with t_j = log b - A_j. For two
    domains, c + k exp(t h_1), t = (log k + t, log k).

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> round(laws.data_mixing_m4(np.full(5, 0.2), **laws.data_mixing_m4.published["ye2024_prose"]), 6)
        3.647267
    """
    return c + jnp.exp(jnp.sum(jnp.asarray(t) * h, axis=-1))


@law(output="loss_next", reference=_CHEN, linear=("A",), L=Positive(0.5, 10.0, unit="nats/token"), h=_H, A=Real(0.0, 1.0, axis="domain"))
def data_mixing_dynamic(L, h, *, A):
    r"""Loss after one more round of training, from the loss before and the proportions of the round (Aioli's linear dynamic law).

        L' = L - sum_j A_j h_j

    Symbols: L loss of one target before the round, L' after it, nats/token; h shares in the round; A_j what a round of domain j alone
    gains. For rounds in a row see `studies.mixture_rounds`.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> round(laws.data_mixing_dynamic(3.0, np.array([0.5, 0.5]), A=np.array([0.4, 0.2])), 6)
        2.7
    """
    return L - jnp.sum(A * h, axis=-1)


@law(
    reference=_YE,
    output_axis="target",
    S=Positive(1e8, 1e13, unit="tokens"),
    c=Positive(0.1, 5.0, unit="nats/token", zero=True, axis="target"),
    S0=Positive(1e3, 1e10, unit="tokens", axis="target"),
    alpha=Positive(0.1, 1.5),
)
def mixing_steps(S, *, c, S0, alpha):
    r"""Losses of several targets along the training of one model, with one exponent.

        L_i(S) = c_i + (S0_i / S)^alpha

    Symbols: S tokens or steps; L_i nats/token on target i; c_i and S0_i of the target, alpha common to the targets of one mixture. Runs
    have a column of losses (runs, targets), whose width says how many targets there are. Along sizes it is `henighan`, with one exponent
    for all mixtures: see `studies.mixing_pipeline`.

    Example:
        >>> import numpy as np
        >>> from scalejax import laws
        >>> laws.mixing_steps(1e10, c=np.array([2.0, 3.0]), S0=np.array([1e8, 4e8]), alpha=0.5).round(6)
        array([2.1, 3.2])
    """
    return c + jnp.exp(alpha * (jnp.log(S0) - jnp.log(jnp.expand_dims(S, -1))))


def implicit_mixing(K: int) -> Law:
    r"""The data mixing law with implicit aggregation: only a total loss is observed, over K unknown domains of the validation data.

        L(h) = sum_k s_k [ c_k + k_k exp(sum_j t_kj h_j) ] = c + sum_k exp(sum_j t'_kj h_j)
        t'_kj = t_kj + log(s_k k_k),   c = sum_k s_k c_k

    Args:
        K: how many unknown domains, 1 or more; for 1 it is `laws.data_mixing_m4`.

    Returns:
        Law of h with the parameters c and t_1 .. t_K, one number a domain each. The total shows the shares s_k only in products, hence the
        right-hand form; the order of the domains is arbitrary. Equal K give the same law. Pass it to `load_fit(path, law)`: it is not
        registered.

    Raises:
        LawError: if K is not a whole number of 1 or more.

    Example:
        >>> import numpy as np
        >>> from scalejax import implicit_mixing
        >>> law = implicit_mixing(2)
        >>> law
        implicit_mixing_2(h; c, t_1, t_2)
        >>> round(float(law(np.array([0.5, 0.5]), c=1.0, t_1=np.array([-2.0, 0.0]), t_2=np.array([0.0, -2.0]))), 6)
        1.735759

    References: Ye et al. 2024, arXiv:2403.16952.
    """
    if not isinstance(K, int) or isinstance(K, bool) or K < 1:
        raise LawError(f"implicit_mixing() takes the number of unknown domains, 1 or more, got {K!r}.")
    return _implicit(K)


@cache
def _implicit(K: int) -> Law:
    names = tuple(f"t_{k}" for k in range(1, K + 1))
    kinds = [Parameter("h", Parameter.POSITIONAL_OR_KEYWORD)] + [Parameter(n, Parameter.KEYWORD_ONLY) for n in ("c", *names)]

    def function(*values: Any, **named: Any) -> Any:
        given = Signature(kinds).bind(*values, **named).arguments
        return given["c"] + sum(jnp.exp(jnp.sum(given[n] * given["h"], axis=-1)) for n in names)

    function.__signature__ = Signature(kinds)  # type: ignore[attr-defined]  # read by `inspect`, unknown to stubs
    function.__name__ = f"implicit_mixing_{K}"
    function.__doc__ = (
        "Total loss over unknown domains from training proportions.\n\n    L(h) = c + sum_k exp(sum_j t_kj h_j)\n\n"
        "Symbols: h shares of the training domains; L nats/token."
    )
    weights: ranges.Shared = dict.fromkeys(names, _T)
    return law(reference=_YE, linear=("c",), h=_H, c=ranges.E, **weights)(function)
