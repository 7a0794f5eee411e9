"""Posteriors as ArviZ objects, for its plots, tables and files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import FitError
from ..core.version import __version__
from ..fitting.objective.layout import Slot
from .checks.diagnostics import Chains
from .checks.influence import observed_rows, pointwise
from .model.density import UNIT
from .posterior import Posterior

if TYPE_CHECKING:
    import xarray

    Groups = dict[str, xarray.Dataset]

_CHEAP = 5e7  # densities of runs in draws, up to which they are computed


def to_arviz(posterior: Posterior) -> Any:
    """The posterior as ArviZ reads it, with named axes and their labels.

    Groups: "posterior" (all sampled numbers: axes chain, draw, then "group" with the names of the groups, then the law's own axes),
    "sample_stats" (diverging, energy, n_steps), "observed_data" (the output), "log_likelihood" (one value a run; left out above 5e7
    numbers), "constant_data" (inputs, columns that the likelihood uses, held parameters). Importance draws are one chain. The axis "run"
    is labelled with rows of `posterior.fit.runs`. On logs the log likelihood is that of the output's logarithm; the observed data are the
    output itself. Attributes tell law, likelihood, seed, digest of the data and versions.

    Args:
        posterior: from `sample`.

    Returns:
        arviz.InferenceData, or xarray.DataTree with ArviZ 1.0 and later; both have `to_netcdf(path)`.

    Raises:
        FitError: if arviz is not installed.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> posterior = sj.sample("power_law", runs, likelihood="normal", draws=250)
        >>> posterior.to_arviz().posterior["alpha"].dims  # doctest: +SKIP
        ('chain', 'draw')

    References: Kumar, Carroll, Hartikainen and Martin, "ArviZ a unified library for exploratory analysis of Bayesian models in Python",
    Journal of Open Source Software 2019.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # ArviZ 0.23 announces 1.0, once a day
            import arviz
        import xarray
    except ImportError as error:
        raise FitError("Handing a posterior to ArviZ needs arviz; install scalejax[arviz].") from error
    groups, attributes = _groups(posterior), _attributes(posterior)
    if _major(arviz) < 1:
        keywords: dict[str, Any] = {"attrs": attributes, **groups}
        return arviz.InferenceData(**keywords)
    return xarray.DataTree.from_dict({"/": xarray.Dataset(attrs=attributes), **groups})


def _major(arviz: Any) -> int:
    """Major version of ArviZ. From 1.0 on `arviz.InferenceData` is a shim that makes an xarray.DataTree and takes other arguments."""
    return int(arviz.__version__.split(".")[0])


def _groups(posterior: Posterior) -> Groups:
    """Every group's data set."""
    import xarray

    request, output = posterior.request, posterior.law.output
    rows = observed_rows(posterior)
    axes = _axes(posterior)
    table = {name: posterior.fit.runs[name][rows] for name in (output, *posterior.law.inputs)}
    labels: dict[str, np.ndarray | Sequence[str]]
    labels = {"run": rows, "group": request.groups, **_levels(posterior), "noise_group": list(posterior.model.likelihood.groups),
              "of_unit": list(posterior.model.units)}  # fmt: skip

    def data(variables: dict[str, np.ndarray], *leading: str) -> xarray.Dataset:
        made = xarray.Dataset({name: (_names(name, np.ndim(v), leading, axes), v) for name, v in variables.items()})
        return made.assign_coords({name: labels.get(str(name), np.arange(size)) for name, size in made.sizes.items()})

    chains = posterior.sampler.count if isinstance(posterior.sampler, Chains) else 1

    def draws(variables: dict[str, np.ndarray], *leading: str) -> xarray.Dataset:
        split = {name: v.reshape(chains, -1, *v.shape[1:]) for name, v in variables.items()}
        return data(split, "chain", "draw", *leading)

    held = data({name: np.asarray(v, dtype=np.float64) for name, v in request.fix.items()})
    inputs = {name: v for name, v in table.items() if name != output}
    groups = {
        "posterior": draws(posterior.values),
        "observed_data": data({output: table[output]}, "run"),
        "constant_data": data(inputs | _columns(posterior, rows), "run").merge(held),
    }
    if len(posterior) * len(rows) <= _CHEAP:
        groups["log_likelihood"] = draws({output: pointwise(posterior)}, "run")
    if isinstance(posterior.sampler, Chains):
        sampler = posterior.sampler
        stats = {"diverging": sampler.diverging, "energy": sampler.energy, "n_steps": sampler.steps}
        groups["sample_stats"] = data(stats, "chain", "draw")
    return groups


def _axes(posterior: Posterior) -> dict[str, tuple[str, ...]]:
    """Names of the axes of every parameter and input that has any, beside those of draws and runs."""
    inputs: dict[str, tuple[str, ...]] = {name: (domain.axis,) for name, domain in posterior.law.domains.items() if domain.axis}
    slots = posterior.model.spec.layout.slots
    noise = dict.fromkeys(posterior.model.likelihood.pooled, ("noise_group",)) | {UNIT: ("of_unit",)}
    return (
        inputs
        | noise
        | {s.name: _of_group(posterior, s) + ((s.domain.axis,) if s.domain.axis and s.size is not None else ()) for s in slots}
    )


def _of_group(posterior: Posterior, slot: Slot) -> tuple[str, ...]:
    """Name of the axis of groups of a parameter, if it has one: "group", or its column where columns cross or values are anchored."""
    if slot.axis is None or posterior.fit.request.layout.simple:
        return ("group",) * slot.grouped
    return ("_".join([posterior.request.columns[slot.axis], *([slot.name] if slot.anchored else [])]),)


def _levels(posterior: Posterior) -> dict[str, list[str]]:
    """Names of the groups along every such axis."""
    slots = posterior.model.spec.layout.slots
    levels = posterior.request.levels
    return {_of_group(posterior, s)[0]: [levels[s.axis][g] for g in s.members] for s in slots if s.axis is not None}


def _names(name: str, count: int, leading: tuple[str, ...], axes: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The names of all `count` axes, numbered as ArviZ does where they have none."""
    inner = axes.get(name, ())
    rest = count - len(leading)
    return leading + (inner if len(inner) == rest else tuple(f"{name}_dim_{i}" for i in range(rest)))


def _columns(posterior: Posterior, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What the likelihood knows of every run beside the law's inputs: its group, its weight, trials or evaluation errors."""
    request = posterior.request
    seen = np.isin(request.grouping.used, rows)
    columns = {name: np.asarray(values)[: len(seen)][seen] for name, values in posterior.evidence.rows.items()}
    if "noise_group" in columns:
        columns["noise_group"] = np.asarray(posterior.model.likelihood.groups)[columns["noise_group"]]
    weight = request.ungrouped.row_weights[0][rows]
    if (weight != 1.0).any():
        columns["weight"] = weight
    if request.by is not None:
        columns["group"] = np.asarray(request.groups)[request.group_of_row[rows]]
    return columns


def _attributes(posterior: Posterior) -> dict[str, str | int | float]:
    """Provenance as NetCDF can hold it: texts and numbers."""
    fit, sampler = posterior.fit, posterior.sampler
    out: dict[str, str | int | float] = {
        "inference_library": "scalejax", "inference_library_version": __version__, "law": repr(posterior.law), "kind": posterior.kind,
        "likelihood": repr(posterior.model.likelihood), "on": posterior.request.on, "seed": fit.seed, "digest": fit.runs.digest,
        "versions": ", ".join(f"{name} {version}" for name, version in fit.versions.items()),
    }  # fmt: skip
    if not isinstance(sampler, Chains):
        out |= {"khat": sampler.khat, "effective_draws": sampler.effective}
    return out | ({"by": ", ".join(posterior.request.columns)} if posterior.request.by else {})
