"""What does the batched solve of the normal equations cost beside LAPACK, and what accuracy does it keep?"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from scalejax.core.numeric.linear import solve_damped

from .common import show, timed

MEMBERS = 256


def main() -> list:
    """All questions; returns the tables."""
    with jax.enable_x64(True):
        return [solves()]


def systems(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Random normal matrices whose condition numbers reach 1e10, dampings, right-hand sides, and the solutions."""
    rng = np.random.default_rng(size)
    jac = rng.normal(size=(MEMBERS, 3 * size, size)) * np.logspace(0, 4, size)
    matrix = np.moveaxis(np.swapaxes(jac, 1, 2) @ jac, 0, -1)
    solution, damping = rng.normal(size=(size, MEMBERS)), np.full(MEMBERS, 1e-6)
    return matrix, damping, np.einsum("ijb,jb->ib", matrix, solution) + damping * solution, solution


def by_lapack(matrix, damping, right):
    """The same by the Cholesky kernels of LAPACK, which may not run in several threads."""
    dense = jnp.moveaxis(matrix, -1, 0) + damping[:, None, None] * jnp.eye(len(matrix))
    factor = jax.scipy.linalg.cho_factor(dense, lower=True)
    return jax.scipy.linalg.cho_solve(factor, jnp.moveaxis(right, -1, 0)[..., None])[..., 0].T


def solves():
    """Time and error by size."""
    lines = []
    for size in (13, 20, 40, 60):
        *given, solution = systems(size)
        given = jax.device_put(given)
        for name, solve in (("plain JAX", solve_damped), ("LAPACK", by_lapack)):
            compiled = jax.jit(lambda *a, solve=solve: solve(*a))
            first, warm, x = timed(lambda f=compiled, a=given: f(*a).block_until_ready(), repeat=20)
            error = np.linalg.norm(np.asarray(x) - solution) / np.linalg.norm(solution)
            lines.append([str(size), name, f"{1e3 * warm:.2f}", f"{error:.1e}", f"{first - warm:.1f}"])
    return show(f"Damped solves of {MEMBERS} members", ["parameters", "method", "ms", "relative error", "compile s"], lines)


if __name__ == "__main__":
    main()
