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
    wide = sj.isoflop(sweep(2.41)[0], method="polynomial")
    assert (wide.N / best.N - 1).min() > 10 * (parabola.N / best.N - 1).max()


def test_sizes_far_apart_are_interpolated_or_windowed():
    runs, best = sweep(2.41)
    found = sj.isoflop(runs)
    assert "interpolation" in found.method and any("the minima are interpolated" in note for note in found.notes)
    np.testing.assert_allclose(found.N, best.N, rtol=0.01)
    near = sj.isoflop(runs, method="polynomial", window=0.35)
    np.testing.assert_allclose(near.N, best.N, rtol=0.01)


# Sizes three decades apart: every training curve is read at every budget, as in Porian et al. 2024.

SIZES = np.geomspace(5e6, 9e8, 16)
BUDGETS = 1.25e16 * 2.0 ** np.arange(12)


def after_warmup(N, D, warmup):
    """Loss where tokens of a linear warm-up count by their rate."""
    seen = np.where(warmup > D, D**2 / (2 * warmup), D - warmup / 2)
    return 1.7 + 330 * N**-0.33 + 560 * seen**-0.3


@pytest.mark.parametrize("warmup", [lambda N: N, lambda N: 1.57e9 + 0 * N], ids=["short", "long"])
@pytest.mark.parametrize("seed", range(3))
def test_exponents_over_sizes_three_decades_apart(warmup, seed):
    fine = np.geomspace(1e6, 3e9, 40001)
    best = np.asarray([fine[after_warmup(fine, c / (6 * fine), warmup(fine)).argmin()] for c in BUDGETS])
    inside = (best > 1.3 * SIZES[0]) & (best < SIZES[-1] / 1.3)
    truth = np.polyfit(np.log(BUDGETS[inside]), np.log(best[inside]), 1)[0]
    C, N = (a.ravel() for a in np.meshgrid(BUDGETS, SIZES, indexing="ij"))
    reached = (C / (6 * N) > 1e6) & (C / (6 * N) < 800 * N)
    C, N = C[reached], N[reached]
    loss = after_warmup(N, C / (6 * N), warmup(N))
    loss = loss * np.exp(2e-4 * np.random.default_rng(seed).standard_normal(len(loss)))
    runs = sj.Runs({"N": N, "D": C / (6 * N), "C": C, "loss": loss})
    found, plain = sj.isoflop(runs), sj.isoflop(runs, method="polynomial")
    assert abs(found.a - truth) < 0.01 and abs(plain.a - truth) > 0.02
    assert found.a == pytest.approx(sj.studies.noise_isoflop(runs, noise=0.001, replicates=200).a, abs=0.01)


# The tokens of the runs


def transformers():
    """Depth 6 to 20: 6 N D counts no attention and no embeddings."""
    d, C = (a.ravel() for a in np.meshgrid(np.arange(6, 21, 2), [1e18, 3e18, 1e19, 3e19]))
    width = 64 * d
    body, embedding = 12.0 * d * width**2, 2.0 * 50304 * width
    D = C / (6 * (body + embedding / 2) + 6.0 * d * width * 2048)
    return {"C": C, "N": body, "D": D, "loss": LAW(body + embedding, D, **LAW.published["besiroglu2024"])}


def test_tokens_are_those_of_the_runs():
    """At 1e18 FLOPs the loss is least at 3.07e9 tokens; C / (6 N) has 7.6e9 there. A parabola through the eight sizes has 2.90e9."""
    with pytest.warns(sj.DataWarning, match=r"C is 1.3 to 3.26 times 6 N D: the tokens at the optimum are those of the runs"):
        found = sj.isoflop(transformers())
    assert found.D[0] == pytest.approx(3.0746e9, rel=0.01) and "times 6 N D" in repr(found)
    with pytest.warns(sj.DataWarning):
        parabola = sj.isoflop(transformers(), method="polynomial")
    np.testing.assert_allclose(parabola.D[:2], [2.898e9, 5.37e9], rtol=2e-3)
    n, d = parabola.allocate(1e18)
    assert d == pytest.approx(parabola.k_D * 1e18**parabola.b) and n == pytest.approx(parabola.k_N * 1e18**parabola.a)
    without = {name: column for name, column in transformers().items() if name != "D"}
    np.testing.assert_allclose(sj.isoflop(without).D * sj.isoflop(without).N * 6, [1e18, 3e18, 1e19, 3e19])


# Few sizes

THREE = {
    "C": np.repeat([1e18, 3e18], [3, 4]),
    "D": np.array([5.77e9, 2.33e9, 9.23e8, 1.73e10, 7.00e9, 2.77e9, 1.57e9]),
    "loss": np.array([3.399, 3.364, 3.456, 3.298, 3.204, 3.224, 3.289]),
}


def test_three_sizes_make_an_exact_parabola():
    runs = sj.read_runs({**THREE, "N": THREE["C"] / (6 * THREE["D"])})
    found = sj.isoflop(runs, replicates=100)
    assert found.D[0] == pytest.approx(2.837e9, rel=1e-3) and found.loss[0] == pytest.approx(3.361, abs=5e-4)
    assert "goes exactly through its 3 sizes, without an error of its own, at 1e+18" in repr(found)
    low, high = found.interval()["a"]  # one degree of freedom, at the other budget
    assert low < found.a < high and high - low > 0.1


def test_no_interval_without_a_degree_of_freedom():
    runs = sj.read_runs({**THREE, "N": THREE["C"] / (6 * THREE["D"])}).take(np.arange(6))
    found = sj.isoflop(runs, replicates=100)
    assert found.interval()["a"] == (-np.inf, np.inf) and "nothing tells the noise" in repr(found)
    assert "no-noise" in [note["code"] for note in found.table().to_dict()["notes"] if isinstance(note, dict)]
    assert sj.isoflop(runs, degree=2).draws == {}
    with pytest.raises(sj.FitError, match="only 3 sizes"):
        sj.isoflop(runs, degree=3)


def test_the_lowest_loss_of_equal_sizes_counts():
    runs, _ = sweep(0.6)
    twice = {name: np.concatenate([runs[name]] * 2) for name in ("N", "D", "C")}
    doubled = sj.Runs({**twice, "loss": np.concatenate([runs["loss"] + 0.1, runs["loss"]])})
    assert sj.isoflop(doubled).a == sj.isoflop(runs).a


def test_intervals_hold_the_truth_as_often_as_they_say():
    runs, _ = sweep(1.0, points=7)
    rng, inside = np.random.default_rng(0), []
    for _ in range(200):
        noisy = runs.with_columns(loss=runs["loss"] + 0.004 * rng.standard_normal(len(runs)))
        low, high = sj.isoflop(noisy, replicates=200).interval(0.9)["a"]
        inside.append(low < A_TRUE < high)
    assert 0.85 <= np.mean(inside) <= 0.98


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


# Runs that do not belong to their curve


def seven(noise=0.003, shift=1.0):
    """Seven sizes at five budgets, whose best D / N is near 21."""
    budget = np.repeat([1e18, 3e18, 1e19, 3e19, 1e20], 7)
    N = shift * 0.1 * budget**0.5 * np.exp(np.tile(np.linspace(-1.2, 1.2, 7), 5))
    loss = (1.8 + 480 * N**-0.35 + 2085 * (budget / (6 * N)) ** -0.37) * np.exp(noise * np.random.default_rng(1).standard_normal(35))
    return {"C": budget, "N": N, "loss": loss}


@pytest.mark.parametrize(("row", "bump"), [(20, 3.0), (17, 0.2), (17, 5.0), (14, -0.5)])
@pytest.mark.parametrize("find", [sj.isoflop, lambda runs: sj.studies.noise_isoflop(sj.read_runs(runs), noise=0.003)])
def test_a_run_that_diverged_is_named_and_left_out(find, row, bump):
    """The answer is that of the table without its row."""
    table = seven()
    without = find({name: np.delete(column, row) for name, column in table.items()})
    table["loss"][row] += bump
    said = f"row {row} .* lies .* {'above' if bump > 0 else 'below'} the curve through the other sizes"
    with pytest.warns(sj.DataWarning, match=said.capitalize()):
        found = find(table)
    assert found.N == pytest.approx(without.N) and f"row {row} (N = " in repr(found) and "is left out" in repr(found)
    assert found.D[2] / found.N[2] == pytest.approx(21, rel=0.25)


def test_two_runs_of_one_budget_that_diverged_do_not_hide_each_other():
    table = seven()
    table["loss"][[19, 20]] += [1.0, 2.0]
    with pytest.warns(sj.DataWarning, match=r"Row (19|20) .* is left out") as told:
        found = sj.isoflop(table)
    assert len(told) == 2 and len(found.sizes[2].loss) == 5 and found.D[2] / found.N[2] == pytest.approx(21, rel=0.25)


def test_a_run_that_may_be_odd_is_named_with_the_answer_without_it():
    table = seven()
    table["loss"][17] += 0.12
    without = sj.isoflop({name: np.delete(column, 17) for name, column in table.items()})
    found = sj.isoflop(table)
    assert f"check that run, without it a parabola has its minimum at N = {without.N[2]:.3g}" in repr(found)
    assert len(found.sizes[2].loss) == 7


def test_sweeps_without_odd_runs_are_left_alone():
    for width, noise in ((0.6, 0.0), (2.41, 0.0), (1.0, 0.003), (2.41, 0.003)):
        runs, _ = sweep(width)
        noisy = runs.with_columns(loss=runs["loss"] * np.exp(noise * np.random.default_rng(3).standard_normal(len(runs))))
        found = sj.isoflop(noisy)
        assert all(len(s.loss) == 16 for s in found.sizes) and not any("curve through" in note for note in found.notes)


def test_a_minimum_below_every_run_is_flagged():
    """Three of seven runs at 1e19 diverged, too many to tell which: the parabola falls to where no run is."""
    table = seven()
    table["loss"][[14, 19, 20]] += [1.5, 2.0, 2.5]
    found = sj.isoflop(table)
    assert "1e+19 FLOPs lies 0.16 below every loss of that budget" in repr(found)
    assert found.loss[2] < table["loss"][14:21].min() - 0.1
    assert "below-runs" in [note["code"] for note in found.table().to_dict()["notes"] if isinstance(note, dict)]


def test_two_architectures_in_one_table_are_said():
    dense, moe = seven(), seven(shift=3.0)
    moe["loss"] = moe["loss"] + 0.3
    table = {name: np.concatenate([dense[name], moe[name]]) for name in dense} | {"arch": np.repeat(["dense", "moe"], 35)}
    with pytest.warns(sj.DataWarning, match=r"Losses split by arch: 2 groups, .* runs.where\(runs\['arch'\] == 'dense'\)"):
        sj.isoflop(table)
    mixed = np.random.default_rng(0).permutation(np.repeat(["a", "b", "c", "d", "e"], 7))
    assert sj.isoflop(dense | {"arch": mixed}).notes == ()


def test_budgets_with_one_ratio_to_6nd_have_one_number():
    table = seven()
    with pytest.warns(sj.DataWarning, match=r"^C is 1.5 times 6 N D: "):
        sj.isoflop(table | {"D": table["C"] / (9 * table["N"])})
