"""Bounded metrics: errors that cannot exceed the level of random guesses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp

from ...core.errors import LawError
from ...core.laws.domains import Positive
from ...core.laws.law import Law, law
from ...core.numeric.kept import remembered
from ..scale.chinchilla import chinchilla

_E0 = Positive(0.05, 10.0, unit="error of random guesses")
_ETA = Positive(1e-4, 1.0)


def envelope(excess: Any, e0: Any, eta: Any) -> Any:
    """e0 |x / (x - i eta)| = e0 x / sqrt(x^2 + eta^2): proportional to x where it is small, e0 where it is large."""
    return e0 * excess / jnp.hypot(excess, eta)


@law(
    output="error",
    reference="Rosenfeld et al. 2020, arXiv:1909.12673",
    n=Positive(1e3, 1e9, unit="training samples"),
    m=Positive(1e3, 1e9, unit="parameters"),
    alpha=Positive(0.1, 1.5),
    b=Positive(1e-3, 1e2),
    beta=Positive(0.1, 1.5),
    c_inf=Positive(1e-6, 1e-1, zero=True),
    eta=_ETA,
    e0=_E0,
)
def rosenfeld_envelope(n, m, *, alpha, b, beta, c_inf, eta, e0):
    r"""Error from samples and parameters, with a smooth envelope to the level of random guesses.

        e(m, n) = e0 |x / (x - i eta)| = e0 x / sqrt(x^2 + eta^2),    x = n^-alpha + b m^-beta + c_inf

    Symbols: n training samples; m parameters; e error (or loss); e0 that of random guesses, which is known: pass `fix={"e0": 0.9}` for ten
    classes; i the imaginary unit; eta where the error leaves that level; c_inf the part that neither data nor size lower. For x << eta it
    is an additive law, e0 x / eta. The paper's (alpha, beta): ImageNet 0.75, 0.61; CIFAR10 0.66, 0.53; CIFAR100 0.70, 0.51; DTD 0.40, 1.16;
    Aircraft 1.10, 0.83; UCF101 0.93, 0.54; PTB 0.81, 0.34; WikiText-2 1.01, 0.22; WikiText-103 0.74, 0.56.

    Note: only x / eta matters, so that one coefficient is free to choose: that of n^-alpha is 1.

    Example:
        >>> from scalejax import laws
        >>> round(laws.rosenfeld_envelope(1e4, 1e6, alpha=0.5, b=20.0, beta=0.5, c_inf=0.01, eta=0.03, e0=0.9), 6)
        0.72
    """
    excess = chinchilla(m, n, E=c_inf, A=b, alpha=beta, B=1.0, beta=alpha)
    return envelope(excess, e0, eta)


def bounded(inner: Law) -> Law:
    r"""A law below a ceiling: any law of an error, with the smooth envelope of Rosenfeld et al. to the level of random guesses.

        y = e0 x / sqrt(x^2 + eta^2),    x = inner(...)

    Args:
        inner: a law with positive values. If its coefficients scale all of it, as E, A and B of `chinchilla` do, only their ratio to eta
            matters: bind eta to 1, and the values of the inner law are errors in units of e0 far below the ceiling.

    Returns:
        A law with two parameters more, e0 and eta; fix or bind what is known.

    Raises:
        LawError: if the law has parameters of these names.

    Example:
        >>> import scalejax as sj
        >>> error = sj.bounded(sj.laws.power_law).bind(eta=1.0, e0=0.9)
        >>> error.parameters
        ('E', 'A', 'alpha')
        >>> round(error(1e4, E=0.35, A=4.0, alpha=0.25), 6)  # 0.9 * 0.75 / 1.25
        0.54

    References: Rosenfeld et al. 2020, arXiv:1909.12673, eq. 5.
    """
    if {"e0", "eta"} & set(inner.parameters):
        raise LawError(f"Law {inner.name!r} has a parameter e0 or eta already; it cannot be bounded again.")
    held = dict(inner.bound)
    domains = {**{k: v for k, v in inner.domains.items() if k not in held}, "e0": _E0, "eta": _ETA}
    return replace(
        inner, function=_below(inner), name=f"{inner.name}_bounded", parameters=(*inner.parameters, "e0", "eta"),
        domains=MappingProxyType(domains), published=MappingProxyType({}), bound=(), linear=(),
    )  # fmt: skip


@remembered
def _below(inner: Law) -> Callable[..., Any]:
    """The function of `bounded`, the same for equal laws, so that compiled programs are found again."""
    held = dict(inner.bound)

    def function(*inputs: Any, e0: Any, eta: Any, **parameters: Any) -> Any:
        return envelope(inner.function(*inputs, **held, **parameters), e0, eta)

    function.__doc__ = f"{inner.name} below the ceiling e0.\n\n    y = e0 x / sqrt(x^2 + eta^2),    x = {inner.formula}\n"
    return function
