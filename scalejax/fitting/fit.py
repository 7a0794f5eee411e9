"""`fit`: a law and a table of runs in, a checked optimum with its uncertainty out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from ..core.errors import ConvergenceWarning, FitError, IdentifiabilityError, IdentifiabilityWarning, LawError, warn
from ..core.laws.chain import Chain
from ..core.laws.law import Law
from ..core.numeric.precision import double
from ..core.progress import Progress, reporter
from ..core.runs import Runs
from ..zoo import laws
from .finish import finish
from .identify import anchor_advice, inseparable_inputs, listed_labels
from .misfit import informed
from .no_value import check_size, without_value
from .objective.counts import Binomial
from .objective.data import runs_for
from .objective.groups import check_names, grouping, split_fixed
from .objective.losses import Loss, as_loss, usual_loss
from .request import Request, observations, run_weights, too_few
from .result import Fit
from .runaways import with_prior
from .solvers.gradient import Solver, as_solver
from .solvers.search import search
from .solvers.starts import Starts
from .status import Status, failures

if TYPE_CHECKING:
    from .recipes import Recipe

_NOWHERE = (Status.NOT_FINITE, Status.TOO_FEW)  # their sentences say why nothing is determined


@double
def fit(
    law: Law | str | None,
    runs: Runs | Any,
    *,
    loss: Loss | Callable[..., Any] | Mapping[str, Any] | None = None,
    on: Literal["log", "linear", "logit"] | Mapping[str, str] | None = None,
    starts: Starts | None = None,
    solver: Solver | str | None = None,
    fix: Mapping[str, Any] | None = None,
    tie: Mapping[str, str] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    by: str | Mapping[str, str] | None = None,
    share: Sequence[str] | str = (),
    weights: Any = None,
    recipe: str | None = None,
    prior: Literal["weak"] | None = None,
    misfit: bool | float = False,
    sizes: Mapping[str, int] | None = None,
    floor: float | Mapping[str, float] | None = None,
    ceiling: float | Mapping[str, float] | None = None,
    noise: Mapping[str, float] | None = None,
    staged: bool = False,
    inputs: Literal["observed", "predicted"] = "predicted",
    seed: int = 0,
    unidentified: Literal["raise", "warn"] = "raise",
    progress: bool | Progress | None = None,
) -> Fit:
    r"""Fit a law to runs: minimise over the parameters

        sum_i w_i rho( log y_i - log f(x_i) )          (on="log"; without logarithms on="linear")

    from many starts at once, in double precision, in one compiled program that serves all data sets of similar size.

    A chain of laws (`sj.chain`) is fitted to all its outputs at once,

        sum_k sum_i w_ki rho_k( r_ki ) / sigma_k^2,    r_ki residual i of stage k on its own scale,

    to rows that observe some or all of them: a row without accuracy still informs the loss. The stages are fitted one after the other
    first; from there parameters and noise are estimated in turn until neither moves, sigma_k the root mean square of the residuals of
    stage k (of robust losses the median of |r| over 0.6745). With least squares, the default for chains, that is the maximum-likelihood
    fit under normal noise; later stages take what the earlier ones predict, not what was observed. `loss`, `on`, `weights`, `floor` and
    `ceiling` may name the stages, `loss={"loss": sj.huber(1e-3), "accuracy": sj.squared()}`.

    Args:
        law: a law, its name, a chain, or None to take the recipe's.
        runs: from `read_runs`, or anything that `read_runs` takes whose columns are named as the law's inputs and output.
        loss: rho; default `huber(1e-3)`, with on="linear" a thousandth of the median |y| instead of 1e-3, so that the fit does not depend
            on the unit of y. A loss that is given counts residuals as they are. Any elementwise JAX function of the residual works.
            `sj.binomial(trials="n")` and `sj.beta_binomial(...)` are for counts: maximum likelihood, the output holds shares of successes.
        on: residuals of logarithms ("log", default: relative errors), of values ("linear"), or of log (y - floor)/(ceiling - y) ("logit",
            with least squares as default).
        starts: how many points over the plausible ranges (default 2,048, fewer for many sets or very many rows), a mapping of lists (full
            grid), or a list of mappings.
        solver: "lm" (default), "varpro" (for laws that declare linear parameters), "lbfgs", "adam", any optax transformation, or
            `LM(...)` / `VarPro(...)` / `Optax(...)` with settings.
        fix: values of parameters that are not fitted. {"eff": {"web": 1.0}} anchors a parameter in some groups and leaves the others free.
        tie: {"beta": "alpha"} makes two parameters equal.
        bounds: {"alpha": (0.2, 0.6)} confines a parameter.
        by: a column; every group gets parameters of its own, except those named in `share`. Or a mapping from parameter to column,
            {"E": "corpus", "eff": "arch"}: parameters vary along different columns, which may cross, and those not named are common to
            all; one joint fit. Where a factor can move from one grouped parameter to another, anchor one of them with `fix`.
        share: parameters that all groups have in common (one joint fit); without it groups are fitted apart, in one batch.
        weights: one weight a run, or the column that holds them; default the column that the runs were read with as `weight=`, if any.
        recipe: name of a published procedure, see `recipes`; arguments given here take precedence.
        prior: "weak" adds a penalty from the plausible ranges, which moves nothing that the runs determine and keeps the rest from running
            away: a maximum a posteriori fit, see `penalty`. For wide laws and small tables. Intervals stay those of the runs alone.
        misfit: True, or the relative misfit that is plausible (True is 0.01), adds a smooth function of the logarithms of the inputs to
            the law, held small by a prior, for what the formula leaves, see `with_misfit`. Sets prior="weak". Intervals then know of it.
        sizes: lengths of vector parameters whose axis no column shows.
        floor, ceiling: bounds of an outcome on="logit", such as the accuracy of guesses; default 0 and 1.
        noise: of a chain, {"accuracy": 0.01}: standard deviations of residuals that are known, not estimated.
        staged: fit a chain stage by stage, as papers do: each to its own rows, given the ones before.
        inputs: with `staged`, whether later stages are fitted to the "predicted" or the "observed" outputs of earlier ones; predictions
            always go through all stages.
        seed: of the starts.
        unidentified: "raise" an error when the runs cannot tell parameters apart, or "warn" and return the fit.
        progress: True, False, a function of (done, total), or None for a line on terminals when it takes long.

    Returns:
        Fit: `params`, `objective`, `status`, `predict(...)`, `interval(level)`, `save(path)`; printing it gives the report.

    Raises:
        DataError, LawError, FitError: one sentence: what, where, what to do.
        IdentifiabilityError: if the runs cannot tell parameters apart.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.power_law
        >>> runs = sj.simulate(law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 30))
        >>> f = sj.fit(law, runs)
        >>> {name: round(value, 6) for name, value in f.params.items()}
        {'E': 1.0, 'A': 20.0, 'alpha': 0.3}
    """
    begun = time.perf_counter()
    options = {"floor": floor, "ceiling": ceiling, "noise": noise}
    if is_chained(law, loss, on, options, staged) or isinstance(loss, Mapping) or isinstance(on, Mapping):
        if recipe is not None or prior is not None or misfit:
            raise FitError("Chains, counts and logits take no recipe=, prior= or misfit=; leave them out.")
        return announce(
            fit_chained(
                find_law(law), runs, {"loss": loss, "on": on, "fix": fix, "tie": tie, "bounds": bounds, "by": by, "share": share,
                "weights": weights, "sizes": sizes, **options}, staged=inputs if staged else None, starts=starts, solver=solver, seed=seed,
                unidentified=unidentified, progress=reporter("fit", progress),
            )
        )  # fmt: skip
    chosen = _recipe(recipe) if recipe else None
    request = make_request(
        law if law is not None else (chosen.law if chosen else None), runs,
        loss=loss if loss is not None or chosen is None else chosen.loss, on=on or (chosen.on if chosen else "log"),
        fix=fix, tie=tie if tie is not None else (chosen.tie if chosen else {}), bounds=bounds, by=by, share=share, weights=weights,
        sizes=sizes,
    )  # fmt: skip
    if misfit:
        request, prior = informed(request, misfit), "weak"
    check(request, unidentified)
    if prior not in (None, "weak"):
        raise FitError(f"prior={prior!r} is unknown; pass prior='weak' or leave it out. Priors of your own are for `sample`.")
    starts = starts if starts is not None or chosen is None else chosen.starts_for(request)
    solver = as_solver(solver if solver is not None else (chosen.solver if chosen else "lm"))
    found = search(request, starts, solver, seed, reporter("fit", progress))
    if prior is not None:
        request = with_prior(request, found.best)
        found = search(request, starts, solver, seed, reporter("fit", progress))
    return announce(finish(request, found, solver, recipe, seed, time.perf_counter() - begun))


def _recipe(name: str) -> Recipe:
    """A recipe, whose solvers and starts other fits do without."""
    from .recipes import recipe

    return recipe(name)


def is_chained(law: Any, loss: Any, on: Any, options: Mapping[str, Any], staged: bool) -> bool:
    """Is it a fit of several stages, of counts or of logits? These are stacked regressions, see `chained`."""
    several = isinstance(law, Chain)
    if not several:
        for name, value in (("loss", loss), ("on", on), ("staged", staged), ("noise", options["noise"])):
            if isinstance(value, Mapping) or (name == "staged" and value):
                raise FitError(f"{name}={value!r} is for chains; make one with sj.chain(loss=law_1, accuracy=law_2).")
    if not (several or isinstance(loss, Binomial) or on == "logit") and (options["floor"], options["ceiling"]) != (None, None):
        raise FitError("floor= and ceiling= bound outcomes on='logit'; pass on='logit'.")
    return several or isinstance(loss, Binomial) or on == "logit"


def fit_chained(law: Law, runs: Any, options: dict[str, Any], *, staged: str | None, **how: Any) -> Fit:
    """A fit that is a stacked regression; see `fit`."""
    from .chained.joint import chain_request, fit_chain
    from .chained.staged import fit_staged

    asked = chain_request(law, **options)
    return fit_chain(asked, runs, **how) if staged is None else fit_staged(asked, runs, inputs=staged, **how)


def make_request(
    law: Law | str | None,
    runs: Runs | Any,
    *,
    loss: Loss | Callable[..., Any] | None,
    on: str,
    fix: Mapping[str, Any] | None,
    tie: Mapping[str, str] | None,
    bounds: Mapping[str, tuple[float, float]] | None,
    by: str | Mapping[str, str] | None,
    share: Sequence[str] | str,
    weights: Any,
    sizes: Mapping[str, int] | None,
) -> Request:
    """The request that arguments of `fit` ask for."""
    law = find_law(law)
    by, share = grouping(law, by, share)
    columns = [by] if isinstance(by, str) else list((by or {}).values())
    named = [name for name in (*columns, weights) if isinstance(name, str)]
    runs = runs_for(law, runs, on, [*named, *([runs.weighted_by] if isinstance(runs, Runs) and weights is None else [])])
    if isinstance(weights, str):
        run_weights(runs, weights)
        runs, weights = replace(runs, weighted_by=weights), None
    for column in columns:
        check_names(runs, column)
    loss = usual_loss(on, runs, law.output) if loss is None else as_loss(loss)
    if isinstance(loss, Binomial):
        raise FitError("Counts are fitted by sj.fit(..., loss=sj.binomial(...)), law by law; pass another loss here, such as sj.huber().")
    tie = dict(tie or {})
    whole, anchors = split_fixed(fix, by, tie)
    check_size(runs, law.output, on)
    request = Request(
        law=law, runs=runs, loss=loss, on=on, fix=whole, tie=tie, bounds=checked_bounds(bounds), by=by, share=share,
        weights=weights, sizes=dict(sizes or {}), anchors=anchors,
    )  # fmt: skip
    if request.share and by is None:
        raise FitError("share names parameters that groups have in common; say which column names the groups with by=...")
    return request


def check(request: Request, unidentified: str) -> None:
    """Refuse what cannot be fitted."""
    if unidentified not in ("raise", "warn"):
        raise FitError(f"unidentified={unidentified!r} must be 'raise' or 'warn'.")
    if len(too_few(request)) == len(request.tables):  # a group among others is left to its status
        most = int(observations(request).max())
        have = "there are only" if len(request.tables) == 1 else "no group has more than"
        raise FitError(
            f"{request.law.name!r} has {request.layout.size} free parameters, {have} {most} usable observations; add runs, "
            "fix or tie parameters, or share them between groups."
        )
    sentence = inseparable_inputs(request)
    if sentence and unidentified == "raise":
        raise IdentifiabilityError(f"{sentence} To see the fit all the same pass unidentified='warn'.")
    if sentence:
        warn(sentence, IdentifiabilityWarning)


def announce(fitted: Fit) -> Fit:
    """Warn of what a reader of the numbers must know; refuse a fit that found no value of the law anywhere."""
    if all(status is Status.NOT_FINITE for status in fitted.statuses):
        raise without_value(fitted.request, fitted.theta)
    if not fitted.status.usable:
        warn(
            f"The fit of {fitted.law.name!r} did not converge ({fitted.status.value}): {fitted.status.sentence}{_spared(fitted)} "
            "To mend it: (1) look at print(fit) for flags in the data; (2) give more starts; (3) fix or bound a parameter; (4) fit a "
            "law with fewer parameters.",
            ConvergenceWarning,
        )
    doubtful = [i for i, status in enumerate(fitted.statuses) if status is Status.DOUBTFUL]
    if doubtful:
        warn(_doubts(fitted, doubtful), ConvergenceWarning)
    flat = [name for c, status in zip(fitted.curvature, fitted.statuses, strict=True) if status not in _NOWHERE for name in c.flat]
    if flat and fitted.status is not Status.STOPPED:  # away from an optimum curvature says nothing of what the runs determine
        warn(
            f"The runs do not determine {listed_labels(fitted.request, flat)} of {fitted.law.name!r}: the objective is flat along them. "
            f"Their intervals are infinite; {anchor_advice(fitted, flat)}.",
            IdentifiabilityWarning,
        )
    return fitted


def _doubts(fitted: Fit, which: list[int]) -> str:
    """What speaks against these sets' optima."""
    of = f" in {len(which)} of {len(fitted.statuses)} groups, such as {fitted.groups[which[0]]}" if len(fitted.statuses) > 1 else ""
    reasons = "; ".join(fitted.doubts[which[0]])
    return (
        f"The fit of {fitted.law.name!r} is an uncertain optimum{of}: {reasons}. Other parameters may describe the runs nearly as well. "
        "To settle it: (1) hold what the runs leave open with prior='weak'; (2) give more starts; (3) fix or bound a parameter; (4) fit a "
        "law with fewer parameters; (5) add runs."
    )


def _spared(fitted: Fit) -> str:
    """Which of the groups that were fitted apart it is about."""
    bad, count = failures(fitted.groups, fitted.statuses), len(fitted.statuses)
    fine = sum(status.usable for status in fitted.statuses)
    return f" This is so of {bad}; {fine} of {count} groups have their answers, see `fit.statuses`." if bad and count > 1 else ""


def find_law(law: Law | str | None) -> Law:
    """A law from itself or its name."""
    if isinstance(law, Law):
        return law
    if isinstance(law, str):
        return laws[law]
    raise FitError(f"{law!r} is not a law; pass sj.laws.chinchilla, its name, or a function decorated with @sj.law(...).")


def checked_bounds(bounds: Mapping[str, tuple[float, float]] | None) -> dict[str, tuple[float, float]]:
    """Two numbers for every parameter."""
    checked = {}
    for name, pair in (bounds or {}).items():
        try:
            low, high = pair
            checked[name] = (float(low), float(high))
        except (TypeError, ValueError):
            raise LawError(f"bounds={{{name!r}: {pair!r}}} must give two numbers, such as {{{name!r}: (0.2, 0.6)}}.") from None
    return checked
