"""Large symmetric matrices of which most entries are zero: those of joint fits of many groups, whose own parameters never meet.

Eigenvectors cost the cube of the size: minutes for a thousand groups. Factors of the matrix as it is cost as much as its entries, and its
inverse, which is full, as much as there is to write down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

MANY = 256  # parameters from which it pays
_DEFINITE = 1e-11  # smallest eigenvalue, relative to the largest, that is well above rounding


@dataclass(frozen=True)
class Factored:
    """A positive definite matrix.

    Attributes:
        scale: (p,) roots of its diagonal; factors and eigenvalues are those of the matrix with unit diagonal.
        factors: of SuperLU.
        condition: largest eigenvalue over the smallest.
    """

    scale: np.ndarray
    factors: Any
    condition: float

    def solve(self, right: np.ndarray) -> np.ndarray:
        """x with matrix x = right, (p,) or (p, k)."""
        scale = self.scale if right.ndim == 1 else self.scale[:, None]
        return self.factors.solve(right / scale) / scale

    def inverse(self) -> np.ndarray:
        """(p, p)."""
        found = self.solve(np.eye(len(self.scale)))
        return 0.5 * (found + found.T)

    def around(self, matrix: np.ndarray) -> np.ndarray:
        """inverse matrix inverse, (p, p), of a symmetric matrix."""
        found = self.solve(self.solve(matrix).T)
        return 0.5 * (found + found.T)


def factored(matrix: np.ndarray) -> Factored | None:
    """The matrix (p, p) with its factors; None where it is small, or not positive definite with digits to spare."""
    if len(matrix) < MANY or not np.isfinite(matrix).all() or (np.diagonal(matrix) <= 0).any():
        return None
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh, splu

    scale = np.sqrt(np.diagonal(matrix))
    unit = csc_matrix(matrix / (scale[:, None] * scale))
    ends = {"k": 1, "which": "LA", "return_eigenvectors": False, "v0": np.ones(len(scale)), "tol": 1e-6}
    try:
        factors = splu(unit, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        if not (factors.U.diagonal() > 0).all():
            return None
        largest = eigsh(unit, **ends)[0]
        smallest = 1 / eigsh(LinearOperator(unit.shape, factors.solve, dtype=float), **ends)[0]
    except (RuntimeError, ArpackError):
        return None
    return Factored(scale, factors, float(largest / smallest)) if smallest > _DEFINITE * largest else None
