"""Sections on what is known: prior and posterior, what the runs can tell apart, whether the draws can be trusted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..core.table import Table, number
from ..posteriors.checks.diagnostics import Chains
from ..posteriors.posterior import Posterior
from . import ridges
from .page import Block, Bullets, Heading, Numbers, Picture, Section, Text, Verdict
from .plots import posteriors as posterior_plots
from .plots.style import flops, listed
from .prior_share import GOVERNED, entries, governed
from .study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def prior_and_posterior(study: Study) -> list[Section]:
    """What the data added to the priors; only for posteriors."""
    posterior = study.posterior
    if posterior is None:
        return []
    rows = []
    for entry in entries(posterior):
        if entry.prior is not None:
            prior, after = entry.spreads()
            rows.append([entry.label, number(prior, 3), number(after, 3), f"{number(100 * after / prior, 2)} %"])
    note = "Standard deviations of logarithms for positive numbers, of logits for numbers between bounds."
    table = Table(["parameter", "prior std. dev.", "posterior std. dev.", "what is left"], rows, notes=[note])
    drawn, left_out = posterior_plots.shown(posterior)
    blocks: list[Block] = [Text(["How much the runs narrowed what was assumed before them: the less is left, the more they said."])]
    if drawn:
        caption = (
            "Posterior of the parameters. Diagonal: each by itself, with its prior as the orange line; where the two look alike, the "
            "runs added nothing. Below: two by two, the darker the more draws; a thin slanted streak means that the runs determine "
            "only a combination of the two."
        )
        if left_out:
            caption += f" Left out: {listed([entry.label for entry in left_out])}."
        blocks.append(Picture(partial(_corner, posterior), caption))
    return [Section("Prior and posterior", [*blocks, Numbers(table)])]


def _corner(posterior: Posterior) -> Axes:
    return posterior_plots.pairs(posterior)[0, 0]


def identifiability(study: Study) -> Section:
    """Flat directions, boundaries, ridges, parameters known only roughly or governed by their priors."""
    found = [*ridges.flat(study.fit), *ridges.correlated(study.draws, study.level), *ridges.rough(study.draws, study.level)]
    if study.posterior is not None:
        found += _governed(study.posterior)
    text = "Can the runs tell every parameter from the others?"
    if not found:
        text += f" Yes: no direction is flat, no parameter lies at a boundary, no two of them are correlated beyond {ridges.STRONG:g}" + (
            ", and none is governed by its prior." if study.posterior is not None else "."
        )
    blocks: list[Block] = [Text([text]), *([Bullets(found)] if found else [])]
    if not any(shape.flat for shape in study.fit.curvature):
        condition = max(shape.condition for shape in study.fit.curvature)
        sharper = (
            f"The best determined combination of parameters is known {np.sqrt(condition):.3g} times more precisely than the worst "
            f"(condition number {flops(condition)})."
        )
        blocks.append(Text([sharper]))
    return Section("Identifiability", blocks)


def _governed(posterior: Posterior) -> list[str]:
    found = governed(posterior)
    own = [entry.label for entry in found if entry.name in posterior.law.parameters]
    others = [entry.label for entry in found if entry.name not in posterior.law.parameters]
    sentences = []
    if own:
        are, them = ("is governed by its prior", "it") if len(own) == 1 else ("are governed by their priors", "them")
        sentences.append(
            f"{listed(own)} {are}: more than {100 * GOVERNED:g} % of the prior's standard deviation is left. The runs say little of "
            f"{them}; another prior would give another answer."
        )
    if others:
        sentences.append(f"Beside the law's parameters, the prior says most about {listed(others)}, see the noise below.")
    return sentences


def diagnostics(study: Study) -> list[Section]:
    """Whether the draws of the posterior can be trusted, its noise and its priors."""
    posterior = study.posterior
    if posterior is None:
        return []
    complaints = posterior.complaints
    table = posterior.sampler.table(posterior.values, posterior.label)  # as in `diagnostics()`, whose verdict stands above
    blocks: list[Block] = [Verdict(complaints or [_praise(posterior)], care=bool(complaints)), Numbers(table)]
    if posterior.sites:
        blocks += [Heading("Noise and populations"), Numbers(posterior.noise(study.level))]
    blocks += [Heading("Priors"), Numbers(posterior.priors.table())]
    return [Section("Can the posterior be trusted?", blocks)]


def _praise(posterior: Posterior) -> str:
    if not isinstance(posterior.sampler, Chains):
        return "The approximation covers the posterior, and nothing speaks against its draws."
    rhat, bulk, tail = posterior.worst
    return (
        f"The {posterior.sampler.count} chains agree (largest R-hat {rhat:.3f}), their draws are worth at least {min(bulk, tail):,.0f} "
        "independent ones, none diverged, and nothing speaks against them."
    )
