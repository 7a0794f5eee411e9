"""Do designed runs beat random ones, the cheapest and D-optimal ones, in the error at the target, for the same budget?

Pools of real runs from ScaleBench (arXiv:2604.22753). Every strategy starts from the same few cheap runs, may spend 1, 5 and 10 % of what
the whole pool cost, and is judged by the error of a refit in a target region that is not part of the pool: the published test split, or,
where that is not at hand, the largest models. The law and its fit are the same for all strategies. All choices were made with
`validation=True`, where a part of the pool takes the place of the target.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

import scalejax as sj
from scalejax.core.errors import DataError, DecisionError

from .common import show

CHECKS = (0.01, 0.05, 0.10)  # shares of the cost of the whole pool
STEPS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.07, 0.10)  # where designed strategies fit again
SEEDS = 10
DESIGNED: dict[str, dict[str, Any]] = {"next_runs": {}, "next_runs, misfit=0": {"misfit": 0.0}, "D-optimal": {"criterion": "D"}}
DRAWN = ("random", "random by 1/cost", "cheapest")

_E, _A, _X = sj.Positive(0.1, 5.0), sj.Positive(1.0, 1e6), sj.Positive(0.05, 1.5)


@sj.law(output="gain", E=sj.Positive(1.0, 10.0), A=_A, alpha=_X, B=_A, beta=_X, phi=sj.Real(-1.0, 1.0))
def vocabulary(N, H, V, *, E, A, alpha, B, beta, phi):
    """Unigram-normalised loss of N non-vocabulary parameters, H characters and V words, after Tao et al. 2024.

    The size of the vocabulary is a factor of the characters.
    """
    return -E + A * N**-alpha + B * (H * (V / 1e4) ** phi) ** -beta


@sj.law(D=sj.Positive(1e2, 1e7), B=sj.Positive(1.0, 1e4), D_l=sj.Positive(1.0, 1e4), beta=sj.Positive(0.1, 1.5), E=_E)
def rectified(D, *, B, D_l, beta, E):
    """Fine-tuning loss, Lin et al. 2024."""
    return B / (D_l + D**beta) + E


@sj.law(
    X=sj.Positive(1.0, 1024.0),
    a=sj.Real(-0.3, 0.0),
    b=sj.Real(-0.5, 0.5),
    c=sj.Real(-0.05, 0.05),
    d=sj.Real(0.0, 3.0),
    start=sj.Positive(0.5, 10.0),
    span=sj.Positive(50.0, 1000.0),
)
def routed(N, X, *, a, b, c, d, start, span):
    """Loss of models with N dense parameters and X experts, Clark et al. 2022; N counts from 1e8."""
    top = start + span
    experts = jnp.log10(1 / (1 / (X - 1 + 1 / (1 / start - 1 / top)) + 1 / top))
    size = jnp.log10(N) - 8
    return 10 ** (a * size + b * experts + c * size * experts + d)


@sj.law(
    lr=sj.Positive(1e-4, 1e-1),
    batch=sj.Positive(8.0, 4096.0),
    E=_E,
    A=_A,
    alpha=_X,
    B=_A,
    beta=_X,
    k=sj.Positive(1e-3, 1.0),
    c=sj.Real(-9.0, -4.0),
    p=sj.Real(-1.0, 1.0),
    q=sj.Real(-1.0, 1.0),
    h=sj.Positive(1e-3, 1.0),
    f=sj.Real(2.0, 9.0),
    m=sj.Real(-1.0, 1.0),
)
def step_law(N, D, lr, batch, *, E, A, alpha, B, beta, k, c, p, q, h, f, m):
    """Chinchilla with a bowl around the best learning rate and batch size, which move with N and D as in Li et al. 2025."""
    n, t = jnp.log(N / 3e8), jnp.log(D / 2e10)
    return E + A * N**-alpha + B * D**-beta + k * (jnp.log(lr) - c - p * n - q * t) ** 2 + h * (jnp.log(batch) - f - m * t) ** 2


@dataclass(frozen=True)
class Task:
    """A pool of runs, a target region, and the law that is to get from one to the other."""

    law: sj.Law
    pool: sj.Runs
    goal: sj.Runs
    cost: np.ndarray
    on: str = "log"
    by: str | None = None

    def inputs(self, runs: sj.Runs) -> dict[str, np.ndarray]:
        """Inputs of these runs, with their groups."""
        return {name: runs[name] for name in self.law.inputs} | ({"group": runs[self.by]} if self.by else {})

    def fit(self, subsets: list[np.ndarray], starts: int) -> list[sj.Fit]:
        """A fit of every subset of the pool, all in one program."""
        number = np.repeat(np.arange(len(subsets)), [len(s) for s in subsets])
        runs = self.pool.take(np.concatenate(subsets))
        names = [f"{i}|{runs[self.by][j]}" if self.by else str(i) for j, i in enumerate(number)]
        options = {"loss": sj.huber(0.02 if self.on == "log" else 0.1), "solver": sj.LM(max_iterations=100), "unidentified": "warn"}
        whole = sj.fit(self.law, runs.with_columns(set=np.array(names)), on=self.on, by="set", starts=starts, **options)
        place = {name: i for i, name in enumerate(whole.groups)}
        return [self._part(whole, place, i, subset) for i, subset in enumerate(subsets)]

    def _part(self, whole: sj.Fit, place: Mapping[str, int], number: int, subset: np.ndarray) -> sj.Fit:
        request = replace(whole.request, runs=self.pool.take(subset), by=self.by)
        sets = [place[f"{number}|{group}"] for group in request.groups] if self.by else [place[str(number)]]
        return replace(whole, theta=whole.theta[:, sets], curvature=tuple(whole.curvature[s] for s in sets), request=request)

    def error(self, fit: sj.Fit) -> float:
        """Median of |predicted - observed| in the target region, relative to the observed value or, on="linear", to their spread."""
        seen = self.goal[self.law.output]
        off = np.abs(fit.predict(**self.inputs(self.goal)) - seen)
        return float(np.median(off / (np.abs(seen) if self.on == "log" else np.std(seen))))

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """A few cheap runs: three more than parameters out of the cheapest quarter, one more in every group out of its six cheapest."""
        size = len(self.law.parameters)
        if not self.by:
            cheap = np.flatnonzero(self.cost <= np.quantile(self.cost, 0.25))
            return rng.permutation(cheap)[: size + 3]
        groups = self.pool[self.by]
        members = (np.flatnonzero(groups == name) for name in dict.fromkeys(groups.tolist()))
        return np.concatenate([rng.permutation(rows[np.argsort(self.cost[rows])][:6])[: size + 1] for rows in members])


def _task(law: sj.Law, pool: sj.Runs, goal: sj.Runs, cost: Callable[[sj.Runs], np.ndarray], **options: Any) -> Task:
    return Task(law, pool, goal, cost(pool), **options)


def _table(file: str, **roles: str) -> sj.Runs:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sj.datasets.load("scalebench", f"{file}.csv", **roles)


def tasks(validation: bool = False) -> dict[str, Task]:
    """The tasks; with `validation` a part of the pool takes the target's place, which is what choices were made on."""

    def split(runs: sj.Runs, name: str, value: float) -> tuple[sj.Runs, sj.Runs]:
        return runs.where(runs[name] < value), runs.where(runs[name] > value)

    roles = {"U": "unique_tokens", "N": "params", "D": "tokens", "loss": "loss"}
    train = _table("data_constrained__train", **roles)
    order = np.argsort(train["N"] * train["D"], kind="stable")
    parts = (train.take(order[:141]), train.take(order[141:])) if validation else (train, _table("data_constrained__test", **roles))
    out = {"data_constrained": _task(sj.laws.data_constrained, *parts, lambda r: 6 * r["N"] * r["D"])}

    roles = {"N": "non_vocab_parameters", "H": "num_characters", "V": "vocab_size", "gain": "unigram_normalized_loss"}
    train = _table("vocab__train", **roles)
    parts = split(train, "V", 6e4) if validation else (train, _table("vocab__test", **roles))
    out["vocab"] = _task(vocabulary, *parts, lambda r: 6 * r["N"] * r["H"], on="linear")

    train = _table("moe__train", N="dense_parameter_count", X="num_experts", loss="loss_validation")
    out["moe"] = _task(
        routed, *split(split(train, "N", 3e8)[0], "N", 1e8) if validation else split(train, "N", 3e8), lambda r: r["N"] * r["X"]
    )

    roles = {"N": "non_embedding_param_size", "D": "data_size", "lr": "lr", "batch": "bsz", "loss": "lm_loss"}
    train = _table("lr_bsz__train", **roles)
    parts = split(split(train, "N", 1e9)[0], "N", 5e8) if validation else split(train, "N", 1e9)
    out["lr_bsz"] = _task(step_law, *parts, lambda r: 6 * r["N"] * r["D"])

    roles = {"D": "sft_data_size", "loss": "sft_loss", "group": "group"}
    train = _table("sft__train", **roles)
    parts = split(train, "D", 4e5) if validation else (train, _table("sft__test", **roles))
    out["sft"] = _task(rectified, *parts, lambda r: r["D"], by="group")
    return out


def designed(task: Task, fit: sj.Fit, taken: np.ndarray, now: float, check: float, **settings: Any) -> np.ndarray:
    """Plan with the budget up to the next check, and train the first of the plan, as far as `now` goes (one at least)."""
    total, spent = task.cost.sum(), task.cost[taken].sum()
    open_ = np.ones(len(task.pool), bool)
    open_[taken] = False
    pool = replace(task.pool, excluded=~open_)
    try:
        limits = {"budget": check * total - spent, "runs": len(pool)}
        plan = sj.next_runs(fit, pool, target=task.inputs(task.goal), cost=task.cost, **limits, **settings)
    except DecisionError:  # nothing fits into the budget any more
        return taken
    first = plan.index if now == check else plan.index[: max(np.searchsorted(np.cumsum(plan.cost), now * total - spent, "right"), 1)]
    return np.concatenate([taken, first])


def drawn(task: Task, taken: np.ndarray, check: float, how: str, rng: np.random.Generator) -> np.ndarray:
    """Runs without a fit: whatever comes next and can still be paid."""
    left = np.setdiff1d(np.arange(len(task.cost)), taken)
    if how == "cheapest":
        order = left[np.argsort(task.cost[left], kind="stable")]
    else:
        odds = 1 / task.cost[left] if how == "random by 1/cost" else np.ones(len(left))
        order = rng.choice(left, len(left), replace=False, p=odds / odds.sum())
    room, chosen = check * task.cost.sum() - task.cost[taken].sum(), []
    for run in order:
        if task.cost[run] <= room:
            chosen.append(run)
            room -= task.cost[run]
    return np.concatenate([taken, np.asarray(chosen, int)])


def compare(task: Task, seeds: int = SEEDS, strategies: Mapping[str, Any] = DESIGNED) -> dict[str, np.ndarray]:
    """Strategy to errors (checks, seeds)."""
    names = [*strategies, *DRAWN]
    begun = {(name, seed): task.start(np.random.default_rng(seed)) for seed in range(seeds) for name in names}
    state, generators = dict(begun), {key: np.random.default_rng(100 + key[1]) for key in begun}
    errors = {name: np.full((len(CHECKS), seeds), np.nan) for name in names}
    for now in STEPS:
        check = min(c for c in CHECKS if c >= now)
        keys = [(n, s) for n, s in state if n in strategies and task.cost[state[n, s]].sum() < now * task.cost.sum()]
        for key, fit in zip(keys, task.fit([state[k] for k in keys], 128) if keys else [], strict=True):
            state[key] = designed(task, fit, state[key], now, check, **strategies[key[0]])
        if now == check:
            for name in DRAWN:
                for seed in range(seeds):
                    state[name, seed] = drawn(task, state[name, seed], check, name, generators[name, seed])
            for (name, seed), fit in zip(state, task.fit(list(state.values()), 256), strict=True):
                errors[name][CHECKS.index(check), seed] = task.error(fit)
    return errors


def main(validation: bool = False, only: str | None = None, seeds: int = SEEDS) -> list:
    """A row for every task and budget: the median error over the seeds, in per cent."""
    try:
        everything = tasks(validation)
    except DataError as error:
        print(f"note: no benchmark of designs ({error})")
        return []
    rows, names = [], [*DESIGNED, *DRAWN]
    for name, task in everything.items():
        if only and name not in only:
            continue
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            errors = compare(task, seeds)
            everything_used = task.error(task.fit([np.arange(len(task.cost))], 1024)[0])
        for i, check in enumerate(CHECKS):
            medians = [f"{100 * np.median(errors[strategy][i]):.2f}" for strategy in names]
            rows.append([name, f"{100 * check:g} %", *medians, f"{100 * everything_used:.2f}"])
        print(f"{name}: {len(task.pool)} runs, target {len(task.goal)}, {time.perf_counter() - begun:.0f} s", flush=True)
    head = ["task", "budget", *names, "whole pool"]
    return [show(f"Median error at the target in %, median over {seeds} starts", head, rows)]


if __name__ == "__main__":
    main()
