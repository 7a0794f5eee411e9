"""Approaches 1 and 2 on surfaces whose optimum is known, and on real sweeps."""

import numpy as np
import pytest

import scalejax as sj

LAW = sj.laws.chinchilla
P = LAW.published["hoffmann2022_rounded"]
A_TRUE = P["beta"] / (P["alpha"] + P["beta"])
C = np.array([1e18, 1e19, 1e20, 1e21, 1e22])


def sweep(width, points=16):
    """Runs on a grid of `width` decades centred on each budget's optimum."""
    best = sj.allocate((LAW, P), compute=C)
    N = (best.N[:, None] * 10 ** np.linspace(-width / 2, width / 2, points)).ravel()
    budget = np.repeat(C, points)
    return sj.simulate(LAW, P, N=N, D=budget / (6 * N)).with_columns(C=budget), best


def test_parabola_has_the_known_bias_and_cubic_almost_none():
    runs, best = sweep(0.60)
    parabola, cubic = sj.isoflop(runs), sj.isoflop(runs, degree=3)
    assert parabola.a == pytest.approx(A_TRUE, abs=1e-9)  # a centred grid leaves the exponent unbiased
    np.testing.assert_allclose(parabola.N / best.N - 1, 0.003, atol=0.0005)
    assert np.abs(cubic.N / best.N - 1).max() < 1e-4
    wide = sj.isoflop(sweep(2.41)[0])
    assert (wide.N / best.N - 1).min() > 10 * (parabola.N / best.N - 1).max()


def test_equal_exponents_have_no_bias():
    p = {**P, "beta": P["alpha"]}
    best = sj.allocate((LAW, p), compute=C)
    N = (best.N[:, None] * 10 ** np.linspace(-0.5, 0.5, 9)).ravel()
    budget = np.repeat(C, 9)
    f = sj.isoflop(sj.simulate(LAW, p, N=N, D=budget / (6 * N)).with_columns(C=budget))
    np.testing.assert_allclose(f.N, best.N, rtol=1e-6)


def test_reasons_and_errors():
    runs, _ = sweep(0.6)
    left = runs.where((runs["C"] > 1e18) | (runs["N"] < np.median(runs["N"][runs["C"] == 1e18]) * 0.7))
    f = sj.isoflop(left)
    assert f.reasons[0] in ("minimum outside the sizes", "no minimum") and not f.used[0] and f.a == pytest.approx(A_TRUE, abs=1e-6)
    with pytest.raises(sj.FitError, match="two budgets"):
        sj.isoflop(runs.where(runs["C"] == 1e20))
    with pytest.raises(sj.FitError, match="degree"):
        sj.isoflop(runs, degree=4)
    with pytest.raises(sj.FitError, match="curves"):
        sj.envelope(runs)


@pytest.mark.parametrize("hull", [False, True])
def test_envelope_returns_the_exponent(hull):
    N = np.logspace(7, 10, 60)
    D = np.tile(np.logspace(8, 12.5, 400), (60, 1))
    f = sj.envelope(sj.Runs({"N": N, "D": D, "loss": LAW(N[:, None], D, **P)}), hull=hull)
    assert f.a == pytest.approx(A_TRUE, abs=2e-3) and f.a + f.b == pytest.approx(1)
    n, d = f.allocate(1e20)
    assert 6 * n * d == pytest.approx(1e20)


def test_llama3_sweep(public_data):
    runs = sj.datasets.load("isoflops_openathena")
    f = sj.isoflop(runs.where(runs["experiment"] == "llama_3__raw_loss"), replicates=200)
    low, high = f.interval(0.9)["a"]
    assert len(f.compute) == 10 and low < f.a < high and high - low < 0.1
    assert "isoFLOP" in repr(f)
