"""How soon is a trustworthy posterior of the Chinchilla law to be had, beside NumPyro and PyMC with nutpie as practitioners use them?

The same 240 runs, law and Student-t likelihood of the log loss (scale and degrees of freedom learned), 4 chains of 1,000 kept draws, double
precision, one process. Priors: "domains" are scalejax's defaults, so that all posteriors of that name must agree; "direct" is the
practitioner's short cut, a normal prior on the logarithm of each term at the geometric mean of the runs. The rivals' log terms are centred
there in either case. R-hat, bulk ESS and seconds come from the same functions for all. Packages are imported before the clock starts;
nutpie's first call may find parts of its code in numba's cache on disk. Run alone: `python -m benchmarks.posteriors`.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np

import scalejax as sj
from scalejax.core.table import Table
from scalejax.posteriors.checks.convergence import ess_bulk, ess_mean, split_rhat

from .common import chinchilla_runs, show

LAW = sj.laws.chinchilla
CHAINS, DRAWS, WARMUP, REPEATS = 4, 1000, 500, 3
# Log-normal (mean, standard deviation of the logarithm): the domain's plausible range is the central 95 %.
PRIORS = {p: (np.log(d.low * d.high) / 2, np.log(d.high / d.low) / 3.92) for p, d in LAW.domains.items() if p in LAW.parameters}
SIGMA, NU = (np.log(0.01), 1.5), (2.0, 0.1)  # log-normal scale of the residuals; gamma (shape, rate) degrees of freedom
DIRECT = (0.0, 2.0)  # normal prior on the logarithm of a centred term: 0.02 to 50 nats


@dataclass(frozen=True)
class Data:
    """What the rivals' models are given: the runs, and logarithms of N and D around their means."""

    runs: sj.Runs
    n: np.ndarray
    d: np.ndarray
    n_mean: float
    d_mean: float
    log_loss: np.ndarray


@dataclass(frozen=True)
class Drawn:
    """Kept draws (chains, draws) of every parameter, divergences, and gradients per kept draw (nan if unknown)."""

    params: dict[str, np.ndarray]
    divergences: int
    gradients: float = float("nan")


Sampler = Callable[[int], Drawn]  # seed to draws; preparing a sampler counts as compilation


def data(runs: sj.Runs) -> Data:
    """Centred logarithms of the runs."""
    n, d = np.log(runs["N"]), np.log(runs["D"])
    return Data(runs, n - n.mean(), d - d.mean(), float(n.mean()), float(d.mean()), np.log(runs["loss"]))


def term_prior(name: str, exponent, center: float, direct: bool) -> tuple:
    """Mean and standard deviation of log a = log A - alpha * center given alpha; a shift, so its Jacobian is 1."""
    mean, std = PRIORS[name]
    return DIRECT if direct else (mean - exponent * center, std)


def uncentred(draws: dict[str, np.ndarray], given: Data) -> dict[str, np.ndarray]:
    """The law's parameters from the centred ones."""
    A, B = np.exp(draws["log_a"] + draws["alpha"] * given.n_mean), np.exp(draws["log_b"] + draws["beta"] * given.d_mean)
    return {"E": draws["E"], "A": A, "alpha": draws["alpha"], "B": B, "beta": draws["beta"], "sigma": draws["sigma"], "nu": draws["nu"]}


def numpyro_nuts(given: Data, direct: bool = False, **mass: bool) -> Sampler:
    """The plain NumPyro model, chains vectorised; `mass` are NUTS's options for its mass matrix."""
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import MCMC, NUTS

    def model():
        E, alpha, beta = (numpyro.sample(p, dist.LogNormal(*PRIORS[p])) for p in ("E", "alpha", "beta"))
        log_a = numpyro.sample("log_a", dist.Normal(*term_prior("A", alpha, given.n_mean, direct)))
        log_b = numpyro.sample("log_b", dist.Normal(*term_prior("B", beta, given.d_mean, direct)))
        sigma, nu = numpyro.sample("sigma", dist.LogNormal(*SIGMA)), numpyro.sample("nu", dist.Gamma(*NU))
        loss = E + jnp.exp(log_a - alpha * given.n) + jnp.exp(log_b - beta * given.d)
        numpyro.sample("log_loss", dist.StudentT(nu, jnp.log(loss), sigma), obs=given.log_loss)

    mcmc = MCMC(NUTS(model, **mass), num_warmup=WARMUP, num_samples=DRAWS, num_chains=CHAINS, chain_method="vectorized", progress_bar=False)

    @jax.jit  # called plainly, `mcmc.run` would compile its loops anew at every call
    def run(key):
        mcmc.run(key, extra_fields=("diverging", "num_steps"))
        return mcmc.get_samples(group_by_chain=True), mcmc.get_extra_fields()

    def sample(seed: int) -> Drawn:
        draws, extra = jax.tree.map(np.asarray, run(jax.random.key(seed)))
        return Drawn(uncentred(draws, given), int(extra["diverging"].sum()), float(extra["num_steps"].mean()))

    return sample


def nutpie_nuts(given: Data, direct: bool = False, tune: int | None = WARMUP, low_rank: bool = False) -> Sampler:
    """The same model in PyMC, sampled by nutpie on all cores; `tune=None` is nutpie's default."""
    import nutpie
    import pymc as pm

    with pm.Model() as model:
        E, alpha, beta = (pm.LogNormal(p, *PRIORS[p]) for p in ("E", "alpha", "beta"))
        log_a = pm.Normal("log_a", *term_prior("A", alpha, given.n_mean, direct))
        log_b = pm.Normal("log_b", *term_prior("B", beta, given.d_mean, direct))
        sigma, nu = pm.LogNormal("sigma", *SIGMA), pm.Gamma("nu", *NU)
        loss = E + pm.math.exp(log_a - alpha * given.n) + pm.math.exp(log_b - beta * given.d)
        pm.StudentT("log_loss", nu=nu, mu=pm.math.log(loss), sigma=sigma, observed=given.log_loss)
    compiled = nutpie.compile_pymc_model(model)
    options = {"low_rank_modified_mass_matrix": low_rank, "save_warmup": False, "progress_bar": False}

    def sample(seed: int) -> Drawn:
        trace = nutpie.sample(compiled, draws=DRAWS, tune=tune, chains=CHAINS, cores=os.cpu_count(), seed=seed, **options)
        draws = {name: trace.posterior[name].values for name in ("E", "alpha", "beta", "log_a", "log_b", "sigma", "nu")}
        stats = trace.sample_stats
        return Drawn(uncentred(draws, given), int(stats["diverging"].sum()), float(stats["n_steps"].mean()))

    return sample


def ours(given: Data) -> Sampler:
    """`sj.sample` with its defaults."""

    def sample(seed: int) -> Drawn:
        posterior = sj.sample(LAW, given.runs, likelihood="student_t", seed=seed)
        shaped = {name: np.reshape(value, (posterior.sampler.count, -1)) for name, value in posterior.params.items()}
        return Drawn(shaped, posterior.sampler.divergences, float(posterior.sampler.steps.mean()))

    return sample


@dataclass(frozen=True)
class Contender:
    """A method: what prepares its sampler, the packages that it needs, and the prior ("domains" or "direct")."""

    name: str
    prepare: Callable[[Data], Sampler]
    needs: tuple[str, ...]
    prior: str = "domains"


PYMC, NUMPYRO = ("pymc", "nutpie"), ("numpyro", "numpyro.infer")
UNSHRUNK = {"dense_mass": True, "regularize_mass_matrix": False}
CONTENDERS = (
    Contender("NumPyro NUTS, diagonal mass", numpyro_nuts, NUMPYRO),
    Contender("NumPyro NUTS, dense mass", partial(numpyro_nuts, dense_mass=True), NUMPYRO),
    Contender("NumPyro NUTS, dense mass, not regularised", partial(numpyro_nuts, **UNSHRUNK), NUMPYRO),
    Contender("PyMC + nutpie, 500 tuning draws", nutpie_nuts, PYMC),
    Contender("PyMC + nutpie, its default tuning", partial(nutpie_nuts, tune=None), PYMC),
    Contender("PyMC + nutpie, low-rank mass", partial(nutpie_nuts, low_rank=True), PYMC),
    Contender("sj.sample", ours, NUMPYRO),
    Contender("NumPyro NUTS, diagonal mass", partial(numpyro_nuts, direct=True), NUMPYRO, "direct"),
    Contender("PyMC + nutpie, 500 tuning draws", partial(nutpie_nuts, direct=True), PYMC, "direct"),
)


@dataclass(frozen=True)
class Result:
    """A contender's seconds of the first call (preparation included), wall and processor seconds of the later ones, draws of all."""

    contender: Contender
    first: float
    seconds: list[float]
    processor: list[float]
    drawn: list[Drawn]


def available(contender: Contender) -> bool:
    """Import what a contender needs; a note says what is missing."""
    try:
        for package in contender.needs:
            import_module(package)
    except ImportError as error:
        print(f"note: {contender.name} is left out: {error}")
        return False
    if contender.prepare is ours and not hasattr(sj, "sample"):
        print("note: sj.sample is left out: this scalejax does not have it")
        return False
    return True


def measure(contender: Contender, given: Data) -> Result:
    """Time a contender: the first call, then other seeds."""
    begun = time.perf_counter()
    sample = contender.prepare(given)
    drawn = [sample(0)]
    first = time.perf_counter() - begun
    seconds, processor = [], []
    for seed in range(1, REPEATS + 1):
        begun, used = time.perf_counter(), time.process_time()
        drawn.append(sample(seed))
        seconds.append(time.perf_counter() - begun)
        processor.append(time.process_time() - used)
    return Result(contender, first, seconds, processor, drawn)


def speed(results: list[Result]) -> Table:
    """Convergence and effective draws per second: seconds are the best of the later calls, ESS the mean of all."""
    rows = []
    for r in results:
        least = [min(ess_bulk(one.params[p]) for p in LAW.parameters) for one in r.drawn]
        worst = max(split_rhat(one.params[p]) for one in r.drawn for p in LAW.parameters)
        ess, best = np.mean(least), min(r.seconds)
        gradients = np.mean([one.gradients for one in r.drawn])
        rows.append([
            r.contender.name, r.contender.prior, f"{worst:.3f}", " ".join(str(one.divergences) for one in r.drawn), f"{ess:.0f}",
            "" if np.isnan(gradients) else f"{gradients:.1f}", f"{r.first:.2f}", f"{best:.2f}", f"{min(r.processor):.2f}",
            f"{least[0] / r.first:.0f}", f"{ess / best:.0f}",
        ])  # fmt: skip
    head = ["method", "prior", "worst R-hat", "divergences by seed", "least bulk ESS", "gradients per draw", "first call s", "warm s",
            "warm processor s", "ESS/s, first call", "ESS/s, warm"]  # fmt: skip
    return show(f"{CHAINS} chains x {DRAWS:,} draws, system load {os.getloadavg()[0]:.1f}; worst of E, A, alpha, B, beta", head, rows)


def agreement(results: list[Result]) -> Table:
    """Means and standard deviations over all calls; distance of the means from the first method's with the same prior."""
    rows, reference = [], {}
    for r in results:
        moments = {}
        for p in (name for name in (*LAW.parameters, "sigma", "nu") if name in r.drawn[0].params):
            pooled = np.concatenate([one.params[p] for one in r.drawn])
            moments[p] = pooled.mean(), pooled.std(), pooled.std() / np.sqrt(ess_mean(pooled))
        base = reference.setdefault(r.contender.prior, moments)
        gap = max(abs(moments[p][0] - base[p][0]) / np.hypot(moments[p][2], base[p][2]) for p in LAW.parameters)
        cells = [f"{moments[p][0]:.4g} ± {moments[p][1]:.3g}" if p in moments else "" for p in (*LAW.parameters, "sigma", "nu")]
        rows.append([r.contender.name, r.contender.prior, *cells, "" if moments is base else f"{gap:.1f}"])
    head = ["method", "prior", *LAW.parameters, "sigma", "nu", "largest gap of the means in Monte Carlo errors"]
    return show("Posterior means and standard deviations", head, rows)


def main() -> list[Table]:
    """Print the tables and return them."""
    given = data(chinchilla_runs())
    with jax.enable_x64(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the rivals' remarks on their own futures
        present = [contender for contender in CONTENDERS if available(contender)]
        jax.block_until_ready(jnp.zeros(()))  # the device starts before the clock
        results = [measure(contender, given) for contender in present]
    return [speed(results), agreement(results)]


if __name__ == "__main__":
    main()
