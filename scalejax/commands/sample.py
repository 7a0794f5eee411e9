"""The verb `sample`: from a table of runs to a saved posterior."""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path
from typing import Any

from ..core.errors import ScalejaxError
from .options import count, level_option, made, pairs, quantity, seed_option, show, verb
from .table import law_option, model_of, model_options, runs_of, table_options

EPILOG = """\
  scalejax sample runs.csv --columns N=params D=tokens loss=loss --out posterior.npz
  scalejax sample runs.csv --columns N=params D=tokens loss=loss --prior "alpha=LogNormal(log(0.35), 0.2)" "E=Uniform(1.5, 2)"
  scalejax sample archs.csv --columns N=params D=tokens loss=loss arch=arch --by arch --share alpha beta E --pool A B --method laplace
  scalejax sample archs.csv --columns N=params D=tokens loss=loss arch=arch --noise-by arch --method laplace
  scalejax sample tasks.csv --law power_law --columns x="6*N*D" loss="(1 - hellaswag)" n=10042 --on linear --likelihood binomial --trials n
  scalejax allocate posterior.npz --compute 1e21 1e22

columns are ROLE=SOURCE, as in `scalejax fit`. A saved posterior goes wherever a saved fit goes; its draws make the intervals.
"""


# Names, and the argument that a number after the name is for.
_LIKELIHOODS = {"student_t": "nu", "normal": "", "huber": "delta", "binomial": "", "beta_binomial": ""}
# Arguments of theirs that name columns, and the options.
_COLUMNS = {"evaluation": "evaluation", "replicates": "replicates", "trials": "trials", "by": "noise_by"}


def add_verbs(verbs: Any) -> None:
    """Add `sample` to a subparsers object."""
    verb(
        verbs, "sample", "sample the posterior of a law from a table of runs", _run, table_options, law_option, model_options,
        posterior_options, _options, epilog=EPILOG,
    )  # fmt: skip


def posterior_options(parser: argparse.ArgumentParser) -> None:
    """Likelihood, priors and populations."""
    add = parser.add_argument
    add("--likelihood", metavar="NAME", help="student_t (default), student_t:NU, normal, huber, huber:DELTA, binomial, beta_binomial")
    add("--evaluation", metavar="COLUMN", help="column of the known standard errors of the outputs (relative ones on logs)")
    add("--replicates", metavar="COLUMN", help="column with one value for all repeats of a configuration, such as other seeds (normal)")
    add("--noise-by", metavar="COLUMN", help="column of groups that have a noise of their own, partially pooled (student_t, normal, huber)")
    add("--trials", metavar="COLUMN", help="column of the number of trials, for binomial and beta_binomial (default trials)")
    add("--prior", nargs="+", default=[], metavar="PARAM=DIST", help="distributions of NumPyro, such as 'alpha=LogNormal(-1, 0.3)'")
    add("--pool", nargs="*", metavar="PARAM", help="parameters of groups that come from one population (default all; none: --pool alone)")
    add("--covariates", nargs="+", metavar="COLUMN", help="columns that move the centers of pooled parameters")


def posterior_of(options: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `sample` that `posterior_options` ask for; those that were not given are left out."""
    from .expressions import distribution

    given = {
        "likelihood": _likelihood(options), "pool": options.pool, "covariates": options.covariates,
        "priors": {name: distribution(text) for name, text in pairs(options.prior, "--prior").items()} or None,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


def _likelihood(options: argparse.Namespace) -> Any:
    """The likelihood that was asked for, None for the default."""
    from ..posteriors import likelihoods

    asked = {name: getattr(options, option) for name, option in _COLUMNS.items()}
    columns = {name: column for name, column in asked.items() if column is not None}
    if options.likelihood is None and not columns:
        return None
    text = options.likelihood or "student_t"
    kind = text.partition(":")[0]
    makers = {name: (getattr(likelihoods, name), parameter) for name, parameter in _LIKELIHOODS.items()}
    for column in columns:
        fitting = [name for name, (make, _) in makers.items() if column in inspect.signature(make).parameters]
        if kind in makers and kind not in fitting:
            option = _COLUMNS[column].replace("_", "-")
            raise ScalejaxError(f"--{option} does not go with the likelihood {kind}; it goes with {', '.join(fitting)}.")
    return made(text, makers, "--likelihood", **columns)


def _options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--method", choices=["nuts", "laplace", "svi"], default="nuts", help="nuts (default), or a fast approximation")
    add("--chains", type=count, default=4, help="chains (default 4)")
    add("--draws", type=count, default=1000, help="draws a chain (default 1000)")
    add("--warmup", type=count, default=300, help="steps before them (default 300)")
    add("--accept", type=quantity, help="target acceptance (default 0.8, rising to 0.998 while draws diverge); larger takes smaller steps")
    seed_option(parser, "chains and starts")
    level_option(parser)
    add("--out", type=Path, help="save the posterior, such as posterior.npz, for the verbs that decide, compare and report")


def _run(options: argparse.Namespace) -> None:
    from ..posteriors.sample import sample

    posterior = sample(
        options.law or "chinchilla", runs_of(options), method=options.method, chains=options.chains, draws=options.draws,
        warmup=options.warmup, accept=options.accept, seed=options.seed, **model_of(options), **posterior_of(options),
    )  # fmt: skip
    if options.out:
        posterior.save(options.out)  # before anything else can go wrong
    options.output.line(f"{posterior.law.name}: {posterior.kind}")
    show(posterior, options, table=posterior.table(options.level))
    noise = [posterior.noise(options.level)] if posterior.sites else []  # counts have none
    for table in (*noise, posterior.priors.table(), posterior.diagnostics()):
        show(table, options)
    if options.out:
        options.output.wrote(options.out, f"scalejax allocate {options.out} --compute 1e21")
