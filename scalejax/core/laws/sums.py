"""The static form of sums of power-law terms: which inputs, terms and factors a law has, hashable, so that equal forms are one function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import jax.numpy as jnp

from ..numeric.powers import rising_factor

_NOTHING = -1e4  # logarithm of a term that is not there: its exponential is exactly 0


@dataclass(frozen=True)
class Factor:
    """What one input x contributes to a term: (x + s)^-alpha (1 + x/d)^-c ln(1 + x)^b, where only alpha need be there.

    Attributes: names; `shift`, `log` and `bend`, which is (d, c), are None where the factor has none. `rising`: the power is +alpha.
    """

    input: str
    exponent: str | None
    shift: str | None = None
    log: str | None = None
    rising: bool = False
    bend: tuple[str, str] | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of its parameters."""
        return tuple(name for name in (self.exponent, self.shift, self.log, *(self.bend or ())) if name is not None)


@dataclass(frozen=True)
class Term:
    """A coefficient times one factor an input."""

    label: str
    coefficient: str
    factors: tuple[Factor, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of its parameters, the coefficient first."""
        return (self.coefficient, *(name for factor in self.factors for name in factor.parameters))


@dataclass(frozen=True)
class Structure:
    r"""Static form of a sum of terms, hashable, so that equal structures are one function.

        L = (E + (sum_k A_k prod_j (x_j + s_kj)^-alpha_kj (1 + x_j/d_kj)^-c_kj ln(1 + x_j)^b_kj)^q) prod_i (1 + gamma_i y_i^kappa_i) V

    Attributes:
        inputs: names of the inputs, in the order of the law.
        terms: the sum. offset, outer: names of E and q, or None.
        times: (y, gamma, kappa) of every factor outside.
        bowls: (z, w, k, best) of every factor 1 + w (cosh(k ln(z/best)) - 1) of V.
        order: names of the parameters, in the order of the law.
    """

    inputs: tuple[str, ...]
    terms: tuple[Term, ...]
    offset: str | None = "E"
    outer: str | None = None
    times: tuple[tuple[str, str, str], ...] = ()
    bowls: tuple[tuple[str, str, str, str], ...] = ()
    order: tuple[str, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        if self.order:
            return self.order
        inner = (name for term in self.terms for name in term.parameters)
        outer = (name for _, *rest in (*self.times, *self.bowls) for name in rest)
        return tuple(dict.fromkeys(n for n in (self.offset, *inner, self.outer, *outer) if n is not None))

    def value(self, x: Mapping[str, Any], p: Mapping[str, Any], mask: Any = None) -> Any:
        """The law at inputs and parameters by name; with `mask` (parameters,) only what is present counts, and only that has a derivative.

        In logs: A_k may be as large and x^-alpha as small as degenerate fits make them.
        """
        place = {name: i for i, name in enumerate(self.parameters)}

        def if_present(name: str, value: Any, otherwise: float) -> Any:
            return value if mask is None else jnp.where(mask[place[name]] > 0, value, otherwise)

        logs = []
        for term in self.terms:
            log = jnp.log(p[term.coefficient])
            for factor in term.factors:
                at = x[factor.input]
                base = at if factor.shift is None else at + if_present(factor.shift, p[factor.shift], 0.0)
                if factor.exponent is not None:
                    power = if_present(factor.exponent, p[factor.exponent], 0.0) * jnp.log(base)
                    log = log + power if factor.rising else log - power
                if factor.bend is not None:
                    d, c = factor.bend
                    log = log - if_present(c, p[c], 0.0) * jnp.log1p(at / if_present(d, p[d], 1.0))
                if factor.log is not None:
                    log = log + if_present(factor.log, p[factor.log], 0.0) * jnp.log(jnp.log1p(at))
            logs.append(if_present(term.coefficient, log, _NOTHING))
        if self.outer is None:
            out = sum(jnp.exp(log) for log in logs)
        else:
            out = jnp.exp(if_present(self.outer, p[self.outer], 1.0) * reduce(jnp.logaddexp, logs))
        if self.offset is not None:
            out = if_present(self.offset, p[self.offset], 0.0) + out
        for y, gamma, kappa in self.times:
            out = out * rising_factor(if_present(gamma, p[gamma], 0.0), x[y], if_present(kappa, p[kappa], 0.0))
        for z, w, k, best in self.bowls:
            away = if_present(k, p[k], 0.0) * jnp.log(x[z] / if_present(best, p[best], 1.0))
            out = out * (1 + if_present(w, p[w], 0.0) * 2 * jnp.sinh(0.5 * away) ** 2)  # cosh - 1, to all digits at the bottom
        return out

    @property
    def formula(self) -> str:
        """The law in a line."""
        inner = " + ".join(" ".join([term.coefficient, *map(_factor_text, term.factors)]) for term in self.terms)
        if self.outer is not None:
            inner = f"({inner})^{self.outer}"
        whole = inner if self.offset is None else f"{self.offset} + {inner}"
        outside = "".join(f" (1 + {gamma} {y}^{kappa})" for y, gamma, kappa in self.times)
        outside += "".join(f" (1 + {w} (cosh({k} ln({z}/{best})) - 1))" for z, w, k, best in self.bowls)
        return f"({whole}){outside}" if outside else whole

    def restricted(self, present: frozenset[str]) -> Structure:
        """The structure with only these parameters."""

        def kept(name: str | None) -> str | None:
            return name if name in present else None

        terms = []
        for term in self.terms:
            if term.coefficient in present:
                parts = (
                    replace(
                        f, exponent=kept(f.exponent), shift=kept(f.shift), log=kept(f.log),
                        bend=f.bend if f.bend and f.bend[1] in present else None,
                    )
                    for f in term.factors
                )  # fmt: skip
                terms.append(replace(term, factors=tuple(f for f in parts if f.parameters)))
        used = {f.input for term in terms for f in term.factors} | {y for y, gamma, *_ in (*self.times, *self.bowls) if gamma in present}
        return replace(
            self, inputs=tuple(x for x in self.inputs if x in used), terms=tuple(terms), offset=kept(self.offset), outer=kept(self.outer),
            times=tuple(t for t in self.times if t[1] in present), bowls=tuple(b for b in self.bowls if b[1] in present),
            order=tuple(n for n in self.order if n in present),
        )  # fmt: skip

    @property
    def title(self) -> str:
        """A name for its law."""
        labels = [
            "_".join(term.label for term in self.terms),
            *(f"times_{y}" for y, _, _ in self.times),
            *(f"bowl_{z}" for z, *_ in self.bowls),
            *([self.outer] if self.outer else []),
        ]
        return "_".join(["terms", *labels])


def _factor_text(factor: Factor) -> str:
    base = factor.input if factor.shift is None else f"({factor.input} + {factor.shift})"
    power = "" if factor.exponent is None else f"{base}^{'' if factor.rising else '-'}{factor.exponent}"
    bend = "" if factor.bend is None else f"(1 + {factor.input}/{factor.bend[0]})^-{factor.bend[1]}"
    log = "" if factor.log is None else f"ln(1 + {factor.input})^{factor.log}"
    return " ".join(part for part in (power, bend, log) if part)
