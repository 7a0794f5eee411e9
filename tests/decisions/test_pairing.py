"""Comparisons of recipes that share configurations: draws of shared units stay paired, those of independent runs do not."""

from __future__ import annotations

import numpy as np
import pytest

import scalejax as sj
from scalejax.decisions import pairing
from scalejax.fitting.uncertainty.units import resampled_units

LAW = sj.laws.chinchilla
OLD = dict(LAW.published["besiroglu2024"])
NEW = {**OLD, "A": 0.95 * OLD["A"]}
N, D = np.repeat(np.geomspace(1e8, 1e9, 4), 4), np.tile(np.geomspace(2e9, 2e10, 4), 4)
AT = {"N": 1e9 * np.sqrt(10), "D": 2e10 * np.sqrt(10)}  # ten times the compute of the largest run
CONFIGS = np.asarray([f"c{i:02}" for i in range(16)])

# Standard deviation of log L_new - log L_old at AT over 200 pairs of least-squares fits to fresh runs of `two_recipes`, and what it is
# where nothing is shared; the bootstrap's median over 20 of them is 0.0073.
TRUE, INDEPENDENT = 0.0069, 0.0358


def two_recipes(seed: int, shared: float = 0.01) -> dict[str, dict[str, np.ndarray]]:
    """16 configurations trained with two recipes: noise of the configuration 1 %, of a run 0.2 %."""
    rng = np.random.default_rng(seed)
    common = shared * rng.standard_normal(16)
    columns = {"N": N, "D": D, "config": CONFIGS}
    return {
        name: {**columns, "loss": np.asarray(LAW(N, D, **params)) * np.exp(common + 0.002 * rng.standard_normal(16))}
        for name, params in (("new", NEW), ("old", OLD))
    }


def fitted(table: dict[str, np.ndarray], **options: object) -> sj.Fit:
    return sj.fit(LAW, table, loss=sj.squared(), starts=16, **options)


def difference(new: sj.Draws, old: sj.Draws, **groups: str) -> np.ndarray:
    return np.log(new.predict(**AT, **groups)) - np.log(old.predict(**AT, **groups))


@pytest.fixture(scope="module")
def tables():
    return two_recipes(0)


@pytest.fixture(scope="module")
def fits(tables):
    return {name: fitted(table) for name, table in tables.items()}


@pytest.fixture(scope="module")
def draws(fits):
    return {name: sj.bootstrap(fit, 1000, groups="config") for name, fit in fits.items()}


def test_two_bootstraps_over_shared_configurations_have_the_true_spread_of_the_difference():
    """Median over ten experiments, fitted side by side."""
    stacks = [{**table, "set": np.full(16, f"{name}{seed}")} for seed in range(10) for name, table in two_recipes(seed).items()]
    together = {column: np.concatenate([stack[column] for stack in stacks]) for column in stacks[0]}
    found = sj.bootstrap(fitted(together, by="set"), 400, groups="config")
    spread = [
        np.std(np.log(found.predict(**AT, group=f"new{seed}")) - np.log(found.predict(**AT, group=f"old{seed}"))) for seed in range(10)
    ]
    assert np.median(spread) == pytest.approx(TRUE, rel=0.15)


def test_separate_fits_and_one_fit_by_arm_are_paired_alike(tables, draws):
    apart = difference(draws["new"], draws["old"])
    both = {column: np.concatenate([table[column] for table in tables.values()]) for column in tables["new"]}
    both["arm"] = np.repeat(list(tables), 16)
    joint = sj.bootstrap(fitted(both, by="arm"), 1000, groups="config")
    by_arm = np.log(joint.predict(**AT, group="new")) - np.log(joint.predict(**AT, group="old"))
    np.testing.assert_allclose(by_arm, apart, atol=1e-5)
    assert np.std(apart) < INDEPENDENT / 3


def test_decisions_keep_the_pairs_of_bootstraps(draws):
    C = 6 * AT["N"] * AT["D"]
    paired = sj.compute_multiplier(draws["new"], draws["old"], compute=C)
    alone = sj.compute_multiplier(draws["new"], sj.bootstrap(draws["old"].fit, 1000), compute=C)  # runs, not configurations
    width = [np.subtract(*np.log(one.interval(0.5)["multiplier"])) for one in (paired, alone)]
    assert abs(width[0]) < abs(width[1]) / 3

    pick = sj.choose(draws, compute=C)
    lower = draws["new"].predict(**{n: pick.inputs[n] for n in "ND"}) < draws["old"].predict(**{n: pick.inputs[n] for n in "ND"})
    assert pick.probability["new"] == pytest.approx(lower.mean(), abs=0.02)


def test_fits_whose_residuals_correlate_are_paired_without_being_asked(fits, draws):
    C = 6 * AT["N"] * AT["D"]
    given, found = (sj.compute_multiplier(pair["new"], pair["old"], compute=C) for pair in (draws, fits))
    assert found.interval() == given.interval()
    assert "paired by config, over which residuals correlate by +0.9" in found.table().text()
    assert sj.compute_multiplier(fits["new"], fits["old"], compute=C, pair="config").interval() == given.interval()
    apart = sj.compute_multiplier(fits["new"], fits["old"], compute=C, pair=False)
    assert "paired" not in apart.table().text()
    assert np.subtract(*np.log(apart.interval(0.5)["multiplier"])) < 2 * np.subtract(*np.log(given.interval(0.5)["multiplier"]))


def test_equal_inputs_are_units_without_a_name_for_them(tables):
    bare = {name: fitted({c: v for c, v in table.items() if c != "config"}) for name, table in tables.items()}
    assert "paired by N and D" in sj.choose(bare, compute=1e22).table().text()
    with pytest.raises(sj.FitError, match="config"):
        sj.choose(bare, compute=1e22, pair="config")


def test_independent_recipes_stay_independent(draws):
    """Other configurations, and other runs of equally many: draws of equal seeds are not alike."""
    other = two_recipes(1)["new"]
    elsewhere = sj.bootstrap(fitted({**other, "config": np.char.add("x", CONFIGS)}), 1000, groups="config")
    cases = [sj.bootstrap(fit, 1000) for fit in (draws["old"].fit, elsewhere.fit)]
    for one, two in ((draws["old"], elsewhere), tuple(cases)):
        known = pairing.knowns([one, two], [None, None], None, "choose")
        a, b = (np.log(LAW(AT["N"], AT["D"], **k.draws)) for k in known)
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.15
    plain = sj.choose({"a": draws["old"].fit, "b": elsewhere.fit}, compute=1e22)
    assert "paired" not in plain.table().text()


def test_partly_shared_configurations_are_partly_paired(tables):
    """Three quarters shared: the configurations that both have are drawn alike."""
    part = {column: values[4:] for column, values in tables["old"].items()}
    units = [resampled_units(t["config"], 2000, 0, ("config",)) for t in (tables["new"], part)]
    shared = [np.corrcoef(a, b)[0, 1] for a, b in zip(units[0][4:], units[1], strict=True)]
    assert min(shared) > 0.8
    assert max(abs(np.corrcoef(units[0][0], row)[0, 1]) for row in units[1]) < 0.2


def test_units_are_drawn_with_replacement():
    """Counts of the multinomial distribution: n in all, variance 1 - 1/n, covariance -1/n; the first replicates do not hang on the rest."""
    names = np.repeat(["a", "b", "c", "d", "e"], 3)
    drawn = resampled_units(names, 20000, 3, ("run",))
    counts = drawn[::3]
    assert (counts.sum(axis=0) == 5).all()
    assert (drawn[0] == drawn[2]).all()
    np.testing.assert_allclose(np.cov(counts), np.eye(5) - 0.2, atol=0.03)
    np.testing.assert_array_equal(drawn[:, :100], resampled_units(names, 100, 3, ("run",)))
    backwards = resampled_units(names[::-1], 100, 3, ("run",))
    np.testing.assert_array_equal(drawn[:, :100], backwards[::-1])
    assert (drawn[:, :100] != resampled_units(names, 100, 4, ("run",))).any()


def test_draws_that_were_not_resampled_so_are_refused(fits):
    cases = sj.bootstrap(fits["old"], 50)
    with pytest.raises(sj.DecisionError, match="groups='config'"):
        sj.choose({"new": fits["new"], "old": cases}, compute=1e22, pair="config")
    with pytest.raises(sj.DecisionError, match="pair= a column"):
        sj.choose(fits, compute=1e22, pair=True)


@pytest.fixture(scope="module")
def exact():
    """As many runs as parameters: the law passes through all of them."""
    few = {"N": np.asarray([1e6, 1e6, 1e6, 1e8, 1e10]), "D": np.asarray([1e7, 1e9, 1e11, 1e7, 1e7])}
    return sj.fit(LAW, {**few, "loss": np.asarray(LAW(**few, **OLD)) * [1.0, 1.01, 0.99, 1.01, 1.0]}, starts=16)


ANSWERS = {
    "allocate": lambda e, f: sj.allocate(e, compute=1e22),
    "choose": lambda e, f: sj.choose({"a": e, "b": f}, compute=[1e20, 1e22]),
    "compute_multiplier": lambda e, f: sj.compute_multiplier(f, e, compute=1e21),
    "break_even": lambda e, f: sj.break_even(e, f, "D", (1e9, 1e13), N=1e9),
    "equivalent": lambda e, f: sj.equivalent(e, "D", like=(f, {"N": 1e9, "D": 1e11}), N=2e9),
    "pareto": lambda e, f: sj.pareto(e, between=(1e20, 1e22), points=3),
    "regret": lambda e, f: sj.regret(e, N=1e9, D=2e10),
    "next_runs": lambda e, f: sj.next_runs(e, space={"N": (1e7, 1e9), "D": (1e9, 1e11)}, target={"N": 7e9, "D": 1e11}, runs=1),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_no_interval_without_a_degree_of_freedom(name, exact, fits):
    """A fit of five runs with five parameters has a point, and nothing to tell its noise by."""
    answer = ANSWERS[name](exact, fits["old"])
    assert "no interval: 'chinchilla' has as many free parameters as there are observations (5)" in " ".join(answer.table().text().split())
    with pytest.raises(sj.DecisionError, match="no interval"):
        answer.interval(0.9)


def test_a_group_with_too_few_runs_is_not_the_others_trouble(fits):
    """Of groups fitted apart, one with five runs has no interval; the other has its own."""
    runs = fits["new"].runs
    both = {c: np.concatenate([runs[c], runs[c][[0, 3, 5, 12, 15]]]) for c in ("N", "D", "loss")} | {
        "arm": np.repeat(["many", "few"], [16, 5])
    }
    fit = sj.fit(LAW, both, by="arm", loss=sj.squared(), starts=16, unidentified="warn")
    many = sj.allocate(fit, compute=1e22, group="many")
    low, high = many.interval(0.9)["N"]
    assert 0 < low < many.N < high < np.inf


def test_equal_parameters_are_tested_on_paired_draws(draws):
    """What both recipes share leaves the difference of their parameters: with it the test would see nothing."""
    test = sj.equality_test
    paired = test(draws["new"], draws["old"], names=["alpha", "E"])
    apart = test(draws["new"], sj.bootstrap(draws["old"].fit, 1000), names=["alpha", "E"])
    assert paired.standard_error["alpha"] < apart.standard_error["alpha"] / 2


def test_a_fit_that_cannot_tell_its_noise_is_not_taken_as_exact(exact, fits):
    with pytest.raises(sj.DecisionError, match="no interval"):
        sj.equality_test(fits["old"], exact, names=["alpha"])
    with pytest.raises(sj.DecisionError, match="no interval"):
        sj.derive({"first": fits["old"], "second": exact}, sj.formulas.two_stage, through="D", N=1e9, D=1e10).interval()


def test_recipes_of_one_input_are_paired():
    """Interval of the difference at the largest run: shared noise of 1 % leaves it."""
    law, rng, x = sj.laws.power_law, np.random.default_rng(5), np.geomspace(1e3, 1e6, 16)
    common = 0.01 * rng.standard_normal(16)
    fits = []
    for A in (20.0, 19.0):
        loss = np.asarray(law(x, E=1.5, A=A, alpha=0.3)) * np.exp(common + 0.002 * rng.standard_normal(16))
        fits.append(sj.fit(law, {"x": x, "loss": loss}, loss=sj.squared(), starts=16))
    found, apart = (sj.compare_recipes(*fits, (1e6, 1e7), points=2, pair=pair) for pair in (None, False))
    assert (found.high - found.low < (apart.high - apart.low) / 3).all()
    assert "paired by x" in found.crossing.kind
