"""Vocabularies: tokens of a text, widths of models, and the vocabulary that reads a text with the fewest FLOPs."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from ...core.errors import DecisionError
from ...core.laws.formula import formula, require
from ...core.numeric.roots import root

_A, _B, _C = 0.00639222, -0.15811069, 1.20470122  # tokens per character of BPE vocabularies on SlimPajama
_LARGEST = 200_000.0  # the parabola would rise beyond
_WIDTHS = (
    (5e7, 512), (2e8, 768), (5e8, 1024), (1e9, 1536), (2e9, 2048), (5e9, 3200), (1e10, 4096), (2e10, 5120), (5e10, 6048), (1e11, 8192),
    (2e11, 12288), (5e11, 16384), (1e12, 20480),
)  # fmt: skip


@formula
def tokens_per_character(V):
    r"""Tokens that a BPE vocabulary makes of a character of English text: D = H f(V).

        f(V) = a ln(V)^2 + b ln(V) + c,    a = 0.00639222, b = -0.15811069, c = 1.20470122,    constant from V = 200,000 on

    Args:
        V: words of the vocabulary, a number or an array.

    Returns:
        Tokens per character, as V.

    Example:
        >>> import scalejax as sj
        >>> round(sj.papers.tokens_per_character(32768), 4)
        0.2518

    Note: the authors' fit of the loss has V in thousands in this place; see `laws.vocabulary`.

    References: Tao et al. 2024, arXiv:2407.13623, appendix; utils.py of the authors' code.
    """
    log_V = jnp.log(jnp.minimum(V, _LARGEST))
    return _A * log_V**2 + _B * log_V + _C


def embedding_width(N_nv: Any) -> Any:
    """The embedding width that the authors give a model of so many parameters: a step function from 512 to 24,576.

    Args:
        N_nv: parameters without the vocabulary's, a number or an array.

    Returns:
        Width, as N_nv.

    Raises:
        DecisionError: if N_nv is not positive.

    Example:
        >>> embedding_width([33e6, 7e9, 70e9]).tolist()
        [512.0, 4096.0, 8192.0]

    References: Tao et al. 2024, arXiv:2407.13623; utils.py of the authors' code.
    """
    sizes = np.asarray(N_nv, dtype=np.float64)
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        raise DecisionError(f"N_nv={N_nv!r} must be a positive number of parameters, or an array of them.")
    upto, widths = zip(*_WIDTHS, strict=True)
    found = np.array([*widths, 24576.0])[np.searchsorted(upto, sizes)]
    return found if found.ndim else float(found)


@formula
def cheapest_vocabulary(N_nv, d):
    r"""The vocabulary with which reading a text takes the fewest FLOPs: a larger one makes fewer tokens, each of which costs more.

        F = 6 (N_nv + V d) H f(V),    dF/dV = 0

    Args:
        N_nv: parameters without the vocabulary's, a number or an array.
        d: embedding width.

    Returns:
        V, words, up to 200,000, where f is measured.

    Example:
        >>> import scalejax as sj
        >>> round(sj.papers.cheapest_vocabulary(302e6, 1024.0), -2)
        32800.0

    References: Tao et al. 2024, arXiv:2407.13623, section 4.2: the second approach, whose exponent is that of V d against N_nv.
    """
    require((N_nv > 0) & (d > 0), "N_nv and d must be positive.")
    return jnp.exp(root(_slope, jnp.log(10.0), jnp.log(_LARGEST), N_nv, d))


def _slope(log_V, N_nv, d):
    """dF/dV / (6 H), times V."""
    V = jnp.exp(log_V)
    return V * d * (_A * log_V**2 + _B * log_V + _C) + (N_nv + V * d) * (2 * _A * log_V + _B)
