"""From a raw table of proxy runs to training proportions: one call against the usual way, at equal or better predicted loss.

The usual way: for every target scipy's L-BFGS on Huber's loss of the data mixing law from many random starts, one after the other; then
an iterated random search over the simplex (ten rounds of 100,000 Dirichlet samples, the best averaged). Data: 26 mixtures of five domains
at 70M parameters (Ye et al. 2024); needs the public set "mixinglaws".
"""

from __future__ import annotations

import csv
import json
import time

import numpy as np
from scipy.optimize import minimize

import scalejax as sj
from scalejax.procedures import recommend_mixture

from .common import show

GROUPS = {
    "academic": ("PhilPapers", "PubMed_Abstracts", "FreeLaw", "PubMed_Central", "NIH_ExPorter", "ArXiv", "USPTO_Backgrounds"),
    "prose": ("Books3", "PG19", "BookCorpus2"),
    "dialogue": ("Enron_Emails", "EuroParl", "OpenSubtitles", "YoutubeSubtitles", "Ubuntu_IRC", "HackerNews"),
    "symbolic": ("Github", "DM_Mathematics"),
    "internet": ("Pile-CC", "OpenWebText2", "StackExchange", "Wikipedia_en"),
}
SHARES = np.array([0.340664, 0.152006, 0.050154, 0.116898, 0.340278])
SHARES = SHARES / SHARES.sum()
DELTA = 0.02
STARTS = 300  # the authors' code has 6,000 a target
REPLICATES = 100


def five() -> tuple[np.ndarray, np.ndarray]:
    """Mixtures (26, 5) and losses by group (26, 5) at step 30,000."""
    valid = json.loads(sj.datasets.path("mixinglaws", "valid_weight.json").read_text())
    found: dict[str, dict[str, float]] = {}
    with open(sj.datasets.path("mixinglaws", "5Mix_70M.csv"), newline="") as file:
        for row in csv.DictReader(file):
            if float(row["step"]) == 30000:
                found.setdefault(row["run"], {})[row["valid"]] = float(row["loss"])
    h = np.array([[float(w) for w in run.split("-")[-5:]] for run in found])
    groups = GROUPS.values()
    return h, np.array([[np.average([v[n] for n in g], weights=[valid[n] for n in g]) for g in groups] for v in found.values()])


def usual_fit(h: np.ndarray, y: np.ndarray, starts: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """Best of many L-BFGS runs: (objective, [log c, t])."""

    def objective(p: np.ndarray) -> tuple[float, np.ndarray]:
        c, e = np.exp(p[0]), np.exp(h @ p[1:])
        r = c + e - y
        inside = np.abs(r) <= DELTA
        slope = np.where(inside, r, DELTA * np.sign(r))
        value = np.where(inside, r**2 / 2, DELTA * (np.abs(r) - DELTA / 2)).sum()
        return value, np.concatenate([[slope.sum() * c], h.T @ (slope * e)])

    best = (np.inf, np.zeros(h.shape[1] + 1))
    for _ in range(starts):
        start = np.concatenate([[rng.uniform(-2, 1.5)], rng.uniform(-10, 1) + rng.uniform(-5, 5, h.shape[1])])
        with np.errstate(over="ignore", invalid="ignore"):
            found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000})
        if found.fun < best[0]:
            best = (float(found.fun), found.x)
    return best


def usual_search(params: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Iterated Dirichlet search for the least weighted sum."""
    centre = np.full(5, 0.2)
    for i in range(10):
        strength = np.exp(rng.uniform(0.0, np.log(100.0), 100_000)) * (1 + i)
        gamma = rng.standard_gamma(strength[:, None] * centre)
        h = gamma / np.maximum(gamma.sum(axis=1, keepdims=True), 1e-300)
        score = predicted(params, h)
        best = h[score <= score.min() + 1e-3].mean(axis=0)
        centre = np.maximum((centre + best) / 2, 1e-5)
        centre = centre / centre.sum()
    return best


def predicted(params: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Weighted sum of the losses at mixtures (n, 5)."""
    return sum(s * (np.exp(p[0]) + np.exp(h @ p[1:])) for s, p in zip(SHARES, params, strict=True))


def usual(h: np.ndarray, losses: np.ndarray, starts: int = STARTS, seed: int = 0) -> tuple[float, np.ndarray, np.ndarray]:
    """Objective of the fits, parameters and weights the usual way."""
    rng = np.random.default_rng(seed)
    fits = [usual_fit(h, y, starts, rng) for y in losses.T]
    params = np.stack([p for _, p in fits])
    return sum(value for value, _ in fits), params, usual_search(params, rng)


def ours(h: np.ndarray, losses: np.ndarray, **options) -> sj.procedures.MixtureRecommendation:
    """The same in one call."""
    table = dict(zip(GROUPS, losses.T, strict=True))
    names = list(GROUPS)
    return recommend_mixture(
        table, weights=h, losses=names, domains=names, importance=SHARES, loss=sj.huber(DELTA), on="linear", **options
    )  # fmt: skip


def main() -> list:
    """Both ways, and ours with intervals."""
    h, losses = five()
    begun = time.perf_counter()
    objective, _, weights = usual(h, losses)
    slow = time.perf_counter() - begun
    begun = time.perf_counter()
    ours(h, losses, uncertainty="none")
    first = time.perf_counter() - begun
    begun = time.perf_counter()
    best = ours(h, losses, uncertainty="none")
    fast = time.perf_counter() - begun
    ours(h, losses, uncertainty="bootstrap", draws=REPLICATES)
    begun = time.perf_counter()
    ours(h, losses, uncertainty="bootstrap", draws=REPLICATES)
    draws = time.perf_counter() - begun
    known = np.stack([np.concatenate([[np.log(c)], t]) for c, t in zip(best.fit.params["c"], best.fit.params["t"], strict=True)])
    order = [best.fit.groups.index(name) for name in GROUPS]
    rows = [
        ["usual", f"{slow:.2f}", f"{objective:.7f}", f"{predicted(known[order], weights[None])[0]:.6f}", "1"],
        ["one call", f"{fast:.3f}", f"{best.fit.objective:.7f}", f"{best.mixture.objective:.6f}", f"{slow / fast:.0f}"],
        [f"one call, {REPLICATES} refits", f"{draws:.3f}", "", "", f"{slow * REPLICATES / draws:.0f}"],
    ]
    notes = f"first call, compilation included: {first:.1f} s; the usual way with refits counts as {REPLICATES} times one"
    head = ["way", "seconds", "objective of the fits", "predicted loss of the weights, our law", "times faster"]
    table = show(f"26 mixtures of five domains, {STARTS} starts the usual way", head, rows)
    print(notes)
    return [table]


if __name__ == "__main__":
    main()
