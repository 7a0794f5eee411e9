"""Programs go with their laws, and there is never more than so much of them."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

import scalejax as sj
from scalejax.core.numeric import kept

X = np.logspace(3, 6, 40)
RUNS = {"N": X, "loss": (1.0 + 20 * X**-0.3) * np.exp(0.01 * np.random.default_rng(0).standard_normal(40))}


def own_law() -> sj.Law:
    """A new law of the user's own."""

    @sj.law(E=sj.Positive(0.1, 5), A=sj.Positive(1, 100), alpha=sj.Positive(0.05, 1.5))
    def mine(N, *, E, A, alpha):
        return E + A * N**-alpha

    return mine


def programs() -> int:
    return sum(found.programs for found in kept._all())


def six(N):
    return 6 * N


def used(law: sj.Law) -> weakref.ref:
    """A law's function after the law was fitted and decided by."""
    fit = sj.fit(law, RUNS, starts=16)
    sj.allocate(sj.laplace(fit, 20), compute=[1e21], cost=six)
    return weakref.ref(law.function)


def test_programs_go_with_their_law():
    sj.clear()  # a process that holds as many as it may lets some go
    gc.collect()
    before, law = programs(), own_law()
    function = used(law)
    assert programs() >= before + 3
    del law
    gc.collect()
    assert function() is None and programs() <= before


def test_equal_laws_share_their_programs():
    law = own_law()
    used(law)
    before = programs()
    used(sj.law(**law.domains)(law.function.__wrapped__))
    assert programs() == before


def test_there_is_never_more_than_so_much(monkeypatch):
    monkeypatch.setattr(kept, "_MOST", 4)
    fits = [sj.fit(law, RUNS, starts=16).params for law in (own_law(), own_law(), own_law())]
    assert fits[0] == fits[1] == fits[2]
    assert programs() <= 4


def test_clear_forgets_them_all():
    law = own_law()
    first = sj.fit(law, RUNS, starts=16).params
    assert programs() > 0
    sj.clear()
    assert programs() == 0
    assert sj.fit(law, RUNS, starts=16).params == first


def resident() -> float:
    """Megabytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux to look at memory")
def test_memory_is_bounded():
    """A hundred laws of one's own and two hundred shapes of tables: they took 617 MB and 301 MB."""

    def laws(count):
        for _ in range(count):
            sj.bootstrap(sj.fit(own_law(), RUNS, starts=16), 20)

    laws(30)  # until caches of fixed size are full
    before = resident()
    laws(90)
    assert resident() - before < 60
    law = own_law()
    before = resident()
    for rows in range(20, 20 + 20 * 200, 20):
        x = np.logspace(3, 6, rows)
        sj.fit(law, {"N": x, "loss": 1.0 + 20 * x**-0.3 + 0.01 * np.sin(np.arange(rows))}, starts=16)
    assert resident() - before < 150
