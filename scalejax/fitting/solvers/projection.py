"""Variable projection: laws that are linear in some parameters are searched over the others only.

With f = f_0 + sum_k c_k phi_k(x; eta), the best c for given eta is a small problem of its own, and what is left to search is

    F(eta) = min_c sum_i w_i rho( r_i(c, eta) ),      c within its bounds, such as c >= 0.

At the inner optimum the gradient of F is the partial one in eta (envelope theorem), and its curvature is the Schur complement
M_ee - M_ec M_cc^-1 M_ce of the joint matrix: Kaufman's approximation, with the weights of a robust loss. Neither is formed here. A step of
Levenberg-Marquardt that damps eta and leaves c undamped is the damped step of the Schur complement, followed by c's linear prediction:

    (M + lambda diag(S_ee, 0)) (d_eta, d_c) = -(g_eta, g_c),      d_c = -M_cc^-1 (g_c + M_ce d_eta).

So the iteration of `lm` is used as it is, with this step in place of its own, and c is solved for anew at every trial point before the
objective is compared. An entry of c at its bound, pushed outwards by the gradient, is held there: E = 0 is reached in one step.

The inner problem begins at the best of three points: the linear prediction, where c was (so that heavy damping cannot fail), and linear
least squares of relative errors, f/y - 1, without negative c (so that the start values of c do not matter). A few projected Newton
steps with the weights of `lm` follow; phi is computed once for all of them.

References: Golub & Pereyra 1973, SIAM J. Numer. Anal. 10, 413; Kaufman 1975, BIT 15, 49; Golub & Pereyra 2003, Inverse Problems 19, R1;
Bertsekas 1982, SIAM J. Control Optim. 20, 221 (projected Newton).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import FitError
from ...core.laws.domains import Domain, Interval, Positive, Real
from ...core.numeric.linear import solve_damped
from ..objective.problem import Data, Spec, normal_equations, residuals
from .lm import LM, State, damping_unit
from .system import dense_diagonal, weighed

_EDGE = 32.0  # units of theta beyond the plausible range at which a linear parameter counts as zero, or as at its bound
_NEAR = 1e-6  # as `LM.near`, for the inner problem
_TOLERANCE = 1e-10  # share of the objective that an inner step must promise
_RIDGE = 1e-12


@dataclass(frozen=True)
class VarPro(LM):
    """Settings of variable projection, for laws that declare `linear` parameters: fewer iterations than `LM`, but longer ones.

    Args:
        max_iterations, tolerance, near, damping: as in `LM`.
        steps: Newton steps of the inner problem in every iteration, at most.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 30))
        >>> f = sj.fit("power_law", runs, solver="varpro")
        >>> {name: round(value, 6) for name, value in f.params.items()}
        {'E': 1.0, 'A': 20.0, 'alpha': 0.3}
    """

    steps: int = 8
    name = "varpro"

    @property
    def warm(self) -> VarPro:
        """The same solver for starts that are already close, such as bootstrap replicates."""
        joint = super().warm
        return replace(self, **{field.name: getattr(joint, field.name) for field in fields(LM)})

    def inner(self, spec: Spec) -> Projection:
        """The linear parameters of a fit; raises FitError if there are none, or nothing else."""
        entries, law = linear_entries(spec), spec.law.name
        if spec.prior:
            raise FitError("solver='varpro' knows no prior; use solver='lm' with prior='weak'.")
        if not entries:
            raise FitError(
                f"solver='varpro' needs free parameters in which the law is linear, and {law!r} declares none here; use solver='lm', "
                "or name them with @law(linear=(...), ...)."
            )
        if len(entries) == spec.layout.size:
            raise FitError(f"solver='varpro' has nothing left to search: every free parameter of {law!r} is linear; use solver='lm'.")
        return Projection(entries, spec.layout.size, self.steps)


def linear_entries(spec: Spec) -> tuple[tuple[int, Domain], ...]:
    """Entries of theta in which the law is linear but for the transform of their domain, with the domains.

    Group and vector parameters have several. A parameter is left out if a nonlinear one is tied to it, or if its domain mixes entries.
    """
    linear, layout = spec.law.linear, spec.layout
    mixed = {other for name, other in layout.tied if name not in linear}
    slots = [s for s in layout.slots if s.name in linear and s.name not in mixed]
    alone = [s for s in slots if isinstance(s.domain, Positive | Interval | Real) or type(s.domain) is Domain]
    return tuple((i, s.domain) for s in alone for i in range(s.start, s.stop))


@dataclass(frozen=True)
class Projection:
    """What `lm.advance` does differently; hashable, so that programs compiled for it are found again.

    Attributes:
        entries: (index in theta, domain) of the linear parameters, of `size` in all.
        steps: of the inner problem, at most.
    """

    entries: tuple[tuple[int, Domain], ...]
    size: int
    steps: int

    @property
    def index(self) -> np.ndarray:
        """Entries of theta that are linear."""
        return np.asarray([i for i, _ in self.entries])

    @property
    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest theta of the linear entries, (K, 1)."""
        pairs = []
        for _, domain in self.entries:
            if isinstance(domain, Interval):
                pairs.append((-_EDGE, _EDGE))
            else:
                pairs.append((np.log(domain.low) - _EDGE, 700.0) if isinstance(domain, Positive) else (-np.inf, np.inf))
        low, high = np.asarray(pairs).T
        return low[:, None], high[:, None]

    def direction(self, s: State, damping: Any) -> tuple[Any, Any]:
        """The step of every member and the roots of its damping, both (size, members); linear entries have none."""
        linear, others = self.index, np.setdiff1d(np.arange(self.size), self.index)
        held = jnp.zeros(s.theta.shape, bool).at[linear].set(blocked(s.theta[linear], *self.edges, s.gradient[linear]))
        gradient, matrix = without(held, s.gradient, s.matrix)
        reduced = matrix
        for i in linear:
            reduced = reduced - reduced[:, i][:, None] * reduced[i] / jnp.maximum(reduced[i, i], 1e-300)
        unit = damping_unit(dense_diagonal(reduced)[others])
        # Damping is by squares of units: for linear entries next to nothing, relative to their diagonal.
        free = 1e-8 * jnp.sqrt(dense_diagonal(matrix) / jnp.maximum(damping, 1e-300)) + 1e-150
        scale = free.at[others].set(unit)
        move = solve_damped(matrix / (scale[:, None] * scale), damping, -gradient / scale) / scale
        return move, jnp.zeros_like(free).at[others].set(unit)

    def solve(self, spec: Spec, batched: tuple[bool, ...], data: Data, old: Any, theta: Any, width: Any, safe: Any) -> Any:
        """Theta with its linear entries at their conditional optimum; `old` is where the step began."""
        low, high = (jnp.stack([d.forward(jnp.asarray(u)) for (_, d), u in zip(self.entries, e, strict=True)]) for e in self.edges)
        inner = Inner(self.entries, spec, batched, data, theta)
        moved = [jax.jvp(d.forward, (old[i],), (theta[i] - old[i],)) for i, d in self.entries]
        here, push = (jnp.stack(parts) for parts in zip(*moved, strict=True))
        c, value = here, inner.value(here)
        for other in (jnp.clip(here + push, low, high), inner.least_squares(low, high)):
            new = inner.value(other)
            c, value = jnp.where(new < value, other, c), jnp.minimum(new, value)
        c = inner.minimise(c, low, high, width, safe, self.steps)
        u = jnp.clip(jnp.stack([d.inverse(x) for (_, d), x in zip(self.entries, c, strict=True)]), *self.edges)
        # Exactly at the edge where c is: beside a bound of an interval, rounding moves its logit by tenths.
        u = jnp.where(c <= low, self.edges[0], jnp.where(c >= high, self.edges[1], u))
        return theta.at[self.index].set(u)


class Inner:
    """The problem in c at fixed eta: f = offset + sum_k c_k phi_k, from the law by derivatives along c, exact as it is linear."""

    def __init__(self, entries: tuple[tuple[int, Domain], ...], spec: Spec, batched: tuple[bool, ...], data: Data, theta: Any) -> None:
        plain, zeros = replace(spec, on="linear"), jnp.zeros_like(data.target)

        def predicted(*moved: Any) -> Any:
            at = dict(enumerate(theta)) | {i: u for (i, _), u in zip(entries, moved, strict=True)}
            return -residuals(plain, batched, tuple(at[i] for i in range(len(at))), data._replace(target=zeros))

        # At theta = 0, where c is of the order of one, whatever its present value: a vanished c has no derivative left.
        none, one = jnp.zeros_like(theta[0]), jnp.ones_like(theta[0])
        self.offset, push = jax.linearize(predicted, *(none for _ in entries))
        self.phi = []
        for k, (_, domain) in enumerate(entries):
            at, slope = jax.jvp(domain.forward, (0.0,), (1.0,))
            self.phi.append(push(*(one if j == k else none for j in range(len(entries)))) / slope)
            self.offset = self.offset - at * self.phi[-1]
        self.target = data.target.reshape(-1, data.target.shape[-1] if batched[-1] else 1)
        self.loss, self.log, self.data = data.loss, spec.on == "log", data

    def residuals(self, c: Any) -> tuple[Any, list[Any]]:
        """Residuals and their derivatives along c."""
        f = self.offset + sum(x * p for x, p in zip(c, self.phi, strict=True))
        return (self.target - jnp.log(f), [-p / f for p in self.phi]) if self.log else (self.target - f, [-p for p in self.phi])

    def value(self, c: Any) -> Any:
        """Objective, infinite where it is not finite."""
        value = jnp.sum(self.data.weight * self.loss.rho(self.residuals(c)[0]), axis=0)
        return jnp.where(jnp.isfinite(value), value, jnp.inf)

    def look(self, c: Any, width: Any, safe: Any) -> tuple[Any, Any, Any, Any]:
        """As `system.evaluate`, along c."""
        return weighed(self.loss, self.data.weight, *self.residuals(c), width, safe)

    def least_squares(self, low: Any, high: Any) -> Any:
        """Least squares of f/y - 1 (on="log") or f - y; what falls below its bound is put there and the others solved for again."""
        share = jnp.exp(-self.target) if self.log else jnp.ones_like(self.target)
        columns = [p * share for p in self.phi]
        r = (self.offset - (0.0 if self.log else self.target)) * share - self.log
        weight = self.data.weight * jnp.ones_like(r)
        gradient, matrix = normal_equations(columns, weight * r, weight)
        held, c = jnp.zeros(gradient.shape, bool), gradient
        for _ in range(len(columns)):
            c = newton(*without(held, gradient, matrix), _RIDGE)
            held = held | (c < low)
        return jnp.clip(jnp.where(held, 0.0, c), low, high)

    def minimise(self, c: Any, low: Any, high: Any, width: Any, safe: Any, steps: int) -> Any:
        """Projected Newton steps, damped where one fails."""

        def step(carry):
            c, at, damping, count, running = carry
            value, gradient, matrix, bend = at
            gradient, matrix = without(blocked(c, low, high, gradient), gradient, matrix)
            move = newton(gradient, matrix, damping)
            expected_fall = -0.5 * jnp.sum(gradient * move, axis=0)
            running = running & (expected_fall > _TOLERANCE * value)
            width = jnp.sqrt(2 * jnp.maximum(expected_fall, 1e-14 * value) / bend) + 1e-300
            trial = jnp.clip(c + move, low, high)
            new = self.look(trial, width, expected_fall / (expected_fall + _NEAR * value + 1e-300))
            better = running & (new[0] < value)
            c, at = jax.tree.map(lambda a, b: jnp.where(better, a, b), (trial, new), (c, at))
            return c, at, jnp.where(better, 0.1 * damping, 30 * jnp.maximum(damping, 1e-6)), count + 1, running

        at = self.look(c, width, safe)
        begin = (c, at, jnp.full_like(at[0], _RIDGE), 0, jnp.isfinite(at[0]))
        return jax.lax.while_loop(lambda carry: jnp.any(carry[-1]) & (carry[-2] < steps), step, begin)[0]


def blocked(x: Any, low: Any, high: Any, gradient: Any) -> Any:
    """Which entries are at a bound that the gradient pushes them against."""
    return ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))


def without(held: Any, gradient: Any, matrix: Any) -> tuple[Any, Any]:
    """Gradient and matrix of a problem in which some entries cannot move."""
    return jnp.where(held, 0.0, gradient), jnp.where(held[:, None] | held, jnp.eye(len(held))[:, :, None], matrix)


def newton(gradient: Any, matrix: Any, damping: Any) -> Any:
    """Step from (M + damping diag(M)) step = -gradient."""
    unit = jnp.sqrt(jnp.maximum(dense_diagonal(matrix), 1e-300))
    return solve_damped(matrix / (unit[:, None] * unit), damping * jnp.ones_like(gradient[0]), -gradient / unit) / unit
