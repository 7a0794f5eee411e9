"""What do five thousand candidate laws cost, fitted side by side by one compiled program, beside fits of the plain laws one by one?

The candidates are random structures of a library in size and tokens: terms of each and of both, shifts, breaks, logarithms, an outer
exponent. The runs are the 240 public ones. One by one, every law that was not seen before is compiled first; a few are fitted, and the
seconds of all are extrapolated from their mean. How far the objectives of these few are apart says whether both found the same optima.
Run alone: `python -m benchmarks.terms`.
"""

from __future__ import annotations

import time
import warnings

import numpy as np

import scalejax as sj
from scalejax.fitting.status import Status

from .common import chinchilla_runs, show, timed

STRUCTURES = (500, 5000)
ALONE = 5  # plain laws that are fitted one by one


def main() -> list:
    """All questions; returns the tables."""
    return [structures()]


def library() -> sj.TermLibrary:
    """Terms in N, in both and two in D, all with shifts, breaks and powers of logarithms, and an outer exponent."""
    terms = {"N": "N", "D": "D", "mix": ("N", "D"), "D2": "D"}
    return sj.term_library("N", "D", terms=terms, shifted=("N", "D"), breaks=("N", "D"), logs=("N", "D"), outer=True)


def candidates(given: sj.TermLibrary, count: int, seed: int = 0) -> np.ndarray:
    """Distinct random masks (count, parameters) of two to four terms that need no more than twelve parameters."""
    rng, found = np.random.default_rng(seed), {}
    while len(found) < count:
        names = {"E"} if rng.random() < 0.8 else set()
        names |= {"q"} if rng.random() < 0.3 else set()
        for term in rng.permutation(np.asarray(given.structure.terms, object))[: rng.integers(2, 5)]:
            some = [f for f in term.factors if len(term.factors) == 1 or rng.random() < 0.8] or list(term.factors)
            names |= {term.coefficient} | {f.exponent for f in some}
            names |= {n for f in some for n in (f.shift, f.log) if rng.random() < 0.3}
            names |= {n for f in some if rng.random() < 0.2 for n in f.bend}
        if len(names) <= 12:
            found[frozenset(names)] = given.mask(*sorted(names))
    return np.stack(list(found.values()))


def one_by_one(found: sj.TermFits, which: np.ndarray) -> tuple[float, float, float]:
    """Mean seconds cold and warm of plain fits of these structures, and the largest excess of their objectives over the batch's."""
    cold, warm, worse = [], [], []
    for i in which:
        law = found.law(int(i))
        first, again, fit = timed(lambda law=law: sj.fit(law, found.request.runs, unidentified="warn"), repeat=1)
        cold.append(first)
        warm.append(again)
        worse.append(found.objective[i] / fit.objective - 1)
    return float(np.mean(cold)), float(np.mean(warm)), float(np.max(worse))


def structures():
    """Seconds for all structures in one program, and one by one."""
    runs, terms, lines = chinchilla_runs(), library(), []
    for count in STRUCTURES:
        masks = candidates(terms, count)
        first, warm, found = timed(lambda masks=masks: sj.fit_terms(runs, terms, masks), repeat=1)
        done = np.mean([status is Status.CONVERGED for status in found.statuses])
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cold, again, gap = one_by_one(found, found.order[np.linspace(0, count // 2, ALONE).astype(int)])
        print(f"{ALONE} plain laws took {time.perf_counter() - begun:.0f} s; {count:,} are extrapolated from them")
        lines.append([
            f"{count:,}", f"{first:.1f}", f"{warm:.1f}", f"{100 * done:.0f} %", f"{cold:.1f}", f"{again:.2f}", f"{count * cold:,.0f}",
            f"{count * again:,.0f}", f"{gap:+.1e}",
        ])  # fmt: skip
    header = [
        "structures", "cold s", "warm s", "converged", "one law cold s", "warm s", "all, extrapolated, cold s", "warm s", "largest excess",
    ]  # fmt: skip
    return show("Structures as data", header, lines)


if __name__ == "__main__":
    main()
