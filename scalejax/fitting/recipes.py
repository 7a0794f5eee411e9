"""Published fitting procedures as data: `fit(None, runs, recipe="besiroglu2024")`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from ..core.errors import FitError, suggest
from ..core.law import Law
from ..zoo.chinchilla import chinchilla
from ..zoo.overtraining import downstream_error
from ..zoo.shape import gemstones
from .losses import Loss, huber, squared
from .starts import Starts


@dataclass(frozen=True)
class Recipe:
    """A paper's way to fit.

    Attributes:
        law, loss, on, tie, starts, solver: as the arguments of `fit`.
        data: which runs the paper used; apply it yourself, a recipe never drops rows.
        notes: what to know when comparing with the printed numbers.
        source: the paper.
    """

    name: str
    law: Law
    loss: Loss
    source: str
    data: str
    notes: str
    on: str = "log"
    tie: Mapping[str, str] = field(default_factory=dict)
    starts: Starts | None = None
    solver: str = "lm"


_LOG_AB, _EXPONENTS = np.exp([0.0, 5.0, 10.0, 15.0, 20.0, 25.0]), [0.0, 0.5, 1.0, 1.5, 2.0]
_GRID = {"E": np.exp([-1.0, -0.5, 0.0, 0.5, 1.0]), "A": _LOG_AB, "alpha": _EXPONENTS, "B": _LOG_AB, "beta": _EXPONENTS}

_ALL = (
    Recipe(
        "hoffmann2022", chinchilla, huber(1e-3),
        "Hoffmann et al. 2022, arXiv:2203.15556, approach 3",
        "More than 400 runs, 70M to 16B parameters, 5B to 500B tokens; not public.",
        "Huber loss (delta 1e-3) of log residuals from 4,500 grid starts. The paper averages the loss and its L-BFGS stopped early, so "
        "that its point estimate is no optimum and its intervals are 50 times too narrow; here the loss is summed and starts are run to "
        "their end. solver='lbfgs' runs the paper's method. Exponents of 0 in the grid become 0.005.",
        starts=_GRID,
    ),
    Recipe(
        "besiroglu2024", chinchilla, huber(1e-3),
        "Besiroglu et al. 2024, arXiv:2404.10102",
        "Runs digitised from figure 4 of Hoffmann et al. without the five highest losses (240 of 245).",
        "The optimum of the stated objective, the Huber sum, is A = 477.83, B = 2143.4, E = 1.81722, alpha = 0.34731, beta = 0.36717 at "
        "0.0010182740. The printed A = 482.01 and B = 2085.43 differ because the authors' likelihood has a free scale: it falls to about "
        "5e-6, where the Huber density is Laplace's, so they are the least absolute deviations in effect (fit with loss=sj.absolute() to "
        "see them). The valley is flat: the two differ by 0.45 % of the objective and far less than a standard error.",
        starts=_GRID,
    ),
    Recipe(
        "gadre2024", chinchilla, squared(),
        "Gadre et al. 2024, arXiv:2403.08540",
        "Five runs a training set: 11M, 79M, 154M, 411M parameters at 20 tokens a parameter, and 11M at 320.",
        "Least squares on the loss itself with one exponent: alpha = beta = 2 eta, and the paper's a = A 6^eta, b = B 6^eta.",
        on="linear", tie={"beta": "alpha"},
        starts={"A": [1e2, 3e2, 1e3, 3e3], "B": [1e2, 3e2, 1e3, 3e3], "alpha": [0.1, 0.3], "E": [0.1, 1.0, 2.0, 10.0]},
    ),
    Recipe(
        "gadre2024_error", downstream_error, squared(),
        "Gadre et al. 2024, arXiv:2403.08540",
        "The five runs of gadre2024 and 1.4B parameters at 20 tokens a parameter: mean error of the tasks against the C4 loss.",
        "Second stage of the prediction of task error from compute; chain the two with procedures.two_stage.",
        on="linear",
    ),
    Recipe(
        "gemstones2025", gemstones, huber(1e-4),
        "McLeish et al. 2025, arXiv:2502.06857, approach 3",
        "22 models, every logged checkpoint of a slice (hot, cooldown, learning-rate ablation, ...).",
        "Huber sum of log residuals, delta 1e-4 (1e-3 in the ablation). "
        "For 1e-4 the printed constants are no optimum (hot: 0.00020760 against 0.00020751).",
        starts={"E": _GRID["E"], "A": _LOG_AB, "alpha": _EXPONENTS, "B": _LOG_AB, "beta": _EXPONENTS},
    ),
    Recipe(
        "choshen2024", chinchilla, squared(),
        "Choshen et al. 2024, arXiv:2410.11840",
        "Checkpoints of several small models after the first 10 billion tokens; the last 30 % of the largest model are the test.",
        "Least squares of the loss from one start, the constants of Muennighoff et al. 2023, which can stop at a poor optimum; here other "
        "starts join it.",
        on="linear",
    ),
    Recipe(
        "czech2026", chinchilla, squared(),
        "Czech et al. 2026, arXiv:2603.22339",
        "IsoFLOP runs.",
        "Variable projection: E, A and B are solved for exactly at every pair of exponents.",
        on="linear", solver="varpro",
    ),
)  # fmt: skip

recipes: Mapping[str, Recipe] = MappingProxyType({r.name: r for r in _ALL})


def recipe(name: str) -> Recipe:
    """The recipe with this name.

    Raises:
        FitError: if there is none; the nearest is suggested.
    """
    if name not in recipes:
        raise FitError(f"There is no recipe {name!r}; {suggest(name, recipes)}")
    return recipes[name]
