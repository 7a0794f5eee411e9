"""Published fitting procedures as data: `fit(None, runs, recipe="besiroglu2024")`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import optax

from ..core.errors import FitError, suggest
from ..core.laws.law import Law
from ..core.numeric.precision import double
from ..zoo.architecture.shape import gemstones
from ..zoo.curves.loss_curves import multi_power, multi_power_lldl
from ..zoo.scale.chinchilla import chinchilla
from ..zoo.scale.overtraining import downstream_error
from .objective.losses import Loss, huber, squared
from .request import Request
from .solvers.gradient import Optax, Solver, as_solver
from .solvers.search import search
from .solvers.starts import Starts


@dataclass(frozen=True)
class Recipe:
    """A paper's way to fit.

    Attributes:
        law, loss, on, tie, solver: as the arguments of `fit`.
        starts: as the argument of `fit`, or a function that makes them from the request.
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
    starts: Starts | Callable[[Request], Starts] | None = None
    solver: Solver | str = "lm"

    @double
    def starts_for(self, request: Request) -> Starts | None:
        """The starts for these runs."""
        return self.starts(request) if callable(self.starts) else self.starts


def _after_immediate_falls(request: Request) -> Starts:
    """Luo et al.'s first stage: the optimum of the law in which a fall of the rate acts at once,

        L0 + A S(t)^-alpha - B (eta_max - eta_t),

    for every group, with C = 1 and beta = gamma = 1/2. Held values, ties and bounds are for the second stage.
    """
    simple = replace(request, law=multi_power_lldl, fix={}, tie={}, bounds={}, share=())
    optimum = simple.params(search(simple, 32, as_solver("lm"), 0, None).best)
    eta, since = simple.runs["eta"], simple.runs["W"].astype(int)
    # `multi_power_lldl` counts falls from the rate at W, the authors from the peak.
    rise = np.mean(eta.max(axis=1) - eta[np.arange(len(eta)), since])
    optimum["L0"] = optimum["L0"] + rise * optimum["B"]
    values = {**optimum, "C": 1.0, "beta": 0.5, "gamma": 0.5}
    free = {slot.name: np.atleast_1d(values[slot.name]) for slot in request.layout.slots if slot.name in values}
    return [{name: row[i % len(row)] for name, row in free.items()} for i in range(len(simple.tables))]


def _adamw_of_luo() -> Optax:
    """AdamW as torch has it by default, its rate ten times smaller for exponents, until 20 steps did not help."""
    rates = optax.partition(
        {name: optax.adamw(rate, weight_decay=1e-2) for name, rate in (("coefficient", 5e-2), ("exponent", 5e-3))},
        lambda params: {name: "exponent" if name in ("alpha", "beta", "gamma") else "coefficient" for name in params},
    )
    return Optax(rates, max_iterations=200, tolerance=0.0, coordinates="natural", rounds=1, early_stop=20, name="adamw")


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
        "Runs digitised from figure 4 of Hoffmann et al. without the five highest losses (240 of 245), which "
        "datasets.load('chinchilla_epoch') leaves out.",
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
        "Second stage of the prediction of task error from compute; chain the two with formulas.two_stage.",
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
    Recipe(
        "luo2025", multi_power, huber(1e-3),
        "Luo et al. 2025, arXiv:2503.12811, as in the authors' repository",
        "Curves of a cosine, a constant rate and one jump (cosine_24000, constant_24000, wsdcon_9), read with the warm-up as it was.",
        "Two stages: the law in which a fall acts at once, to its optimum; then AdamW on the parameters as they stand, from there and "
        "C = 1, beta = gamma = 1/2, until 20 steps did not help, 200 at most. The authors' code returns the step after the best one, which "
        "gives their constants to 3e-4; here the best is returned. It is no optimum (25M: 2.787e-4, the optimum has 1.385e-4), and that "
        "is its strength far beyond the training curves: held-out R² 0.9990 against 0.9977, at 100M 0.9984 against 0.9971, nearly all of "
        "it from a cosine three times as long. WSD curves as long as the training curves are fitted better by the optimum. "
        "B is that of the first stage, less the 4 % that weight decay takes. Which step is the best is chance: the path overshoots at "
        "every step, and its last dips lie within 0.4 % of each other. A first stage that differs by 1e-4 to 1e-3 ends the path of 25M at "
        "step 19, 72, 74, 75 or 91 instead of 80 (held-out R² 0.9990 to 0.9991, one step later 0.9887 to 0.9992), that of 100M at 85 "
        "instead of 87; constants rounded to single precision change nothing. So on the curves of 400M, whose files are not among those "
        "that the claims read, ours stops at another step than theirs: held-out R² 0.9970 where they print 0.9978.",
        starts=_after_immediate_falls, solver=_adamw_of_luo(),
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
