"""The interaction of two modalities, fitted with the laws of each alone held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.errors import FitError
from ...fitting.fit import fit
from ...fitting.result import Fit
from ...zoo.fields.mixed_modal import bimodal
from ...zoo.scale.chinchilla import chinchilla


def fit_interaction(runs: Any, i: Fit | Mapping[str, float], j: Fit | Mapping[str, float], **options: Any) -> Fit:
    r"""Fit what two modalities do to each other, with the laws of each alone held: the second stage of the paper's procedure.

    Stage 1 fits `laws.chinchilla` to the runs on each modality alone; stage 2, this function, fits the five parameters of the pair in
    `laws.bimodal` (C_ij, A_ij, alpha_ij, B_ij, beta_ij) to the runs on both.

    Args:
        runs: runs on both modalities, with the columns N, D_i, D_j and loss (the mean over both modalities).
        i, j: stage 1: a fit of `chinchilla`, or its five parameters by name.
        **options: as in `fit`.

    Returns:
        Fit of `bimodal`. Its intervals take stage 1 as known; to carry its uncertainty, repeat both stages on resampled runs.

    Raises:
        FitError: if i or j are not laws of one modality.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> from scalejax.papers import fit_interaction
        >>> alone = {"E": 1.5, "A": 400.0, "alpha": 0.35, "B": 1000.0, "beta": 0.35}
        >>> both = {f"{name}_{m}": value for m in "ij" for name, value in alone.items()}
        >>> pair = {"C_ij": 0.2, "A_ij": 1e3, "alpha_ij": 0.4, "B_ij": 5e3, "beta_ij": 0.45}
        >>> N, D = (a.ravel() for a in np.meshgrid(np.logspace(7, 10, 5), np.logspace(9.5, 11, 4)))
        >>> runs = sj.simulate(sj.laws.bimodal, both | pair, N=N, D_i=D, D_j=D)
        >>> fitted = fit_interaction(runs, alone, alone)
        >>> round(fitted.params["C_ij"], 4), round(fitted.params["alpha_ij"], 4)
        (0.2, 0.4)

    References: Aghajanyan et al. 2023, arXiv:2301.03728, section 4.
    """
    held = {f"{name}_{m}": value for m, source in (("i", i), ("j", j)) for name, value in _alone(source, m).items()}
    return fit(bimodal, runs, fix={**held, **options.pop("fix", {})}, **options)


def _alone(source: Fit | Mapping[str, float], which: str) -> dict[str, float]:
    """Parameters of one modality's law."""
    params = source.params if isinstance(source, Fit) else source
    if not isinstance(params, Mapping) or set(params) != set(chinchilla.parameters) or any(np.ndim(v) for v in params.values()):
        raise FitError(
            f"Modality {which} needs a law of its own: a fit of `chinchilla` without groups, or numbers {', '.join(chinchilla.parameters)}."
        )
    return dict(params)
