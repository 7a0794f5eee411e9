"""Rows that follow each other along the only input, as the points of one loss curve do, are not independent."""

import numpy as np
import pytest

import scalejax as sj

T = np.arange(100.0, 10_000.0, 50.0)
TRUTH = {"E": 2.0, "A": 30.0, "alpha": 0.5}


def correlated(rho, seed, sd=0.002):
    """Normal noise of which neighbours correlate by rho, by its definition."""
    rng = np.random.default_rng(seed)
    noise = [sd / np.sqrt(1 - rho**2) * rng.standard_normal()]
    for fresh in sd * rng.standard_normal(len(T) - 1):
        noise.append(rho * noise[-1] + fresh)
    return np.asarray(noise)


def curve(rho, seed):
    return {"x": T, "loss": sj.laws.power_law(T, **TRUTH) * np.exp(correlated(rho, seed))}


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.5, 0.8])
def test_intervals_hold_the_truth(rho):
    """Of 40 curves; of 60, as if rows were independent, 42 and 35 did."""
    held = np.zeros(3)
    for seed in range(40):
        fit = sj.fit("power_law", curve(rho, seed))
        assert fit.diagnosis.neighbours == pytest.approx(rho, abs=0.25)
        ends = fit.interval(0.9)
        held += [ends[name][0] < value < ends[name][1] for name, value in TRUTH.items()]
    assert (held >= 33).all() and held.mean() < 39.5


def test_the_bootstrap_draws_noise_as_it_is():
    fit = sj.fit("power_law", curve(0.8, 3))
    draws = sj.bootstrap(fit, 1000)
    assert draws.kind.startswith("bootstrap (residual")
    ratio = np.std(draws.params["E"]) / fit.standard_errors["E"]
    assert 0.7 < ratio < 1.5
    assert fit.diagnosis.neighbours == pytest.approx(0.8, abs=0.1)
    assert fit.standard_errors["E"] > 2 * fit.errors("sandwich")["E"]


def test_independent_rows_stay_independent():
    found = [sj.fit("power_law", curve(0.0, seed)) for seed in range(6)]
    assert all(fit.diagnosis.neighbours is None and not fit.diagnosis.remarks for fit in found)


def test_neighbours_are_those_of_a_group_whatever_the_order_of_the_rows():
    parts = [curve(0.8, seed) for seed in (0, 1, 2)]
    table = {name: np.concatenate([part[name] for part in parts]) for name in ("x", "loss")} | {"run": np.repeat(["a", "b", "c"], len(T))}
    mixed = np.random.default_rng(0).permutation(3 * len(T))
    for share in ((), ("alpha",)):
        one, other = (sj.fit("power_law", t, by="run", share=share) for t in (table, {n: v[mixed] for n, v in table.items()}))
        assert one.diagnosis.neighbours == pytest.approx(other.diagnosis.neighbours, rel=1e-6)
        for name, of in one.standard_errors.items():
            order = np.argsort(other.groups) if np.ndim(of) else ...
            np.testing.assert_allclose(of, np.asarray(other.standard_errors[name])[order], rtol=1e-4)
    alone = sj.fit("power_law", parts[0])
    assert sj.fit("power_law", table, by="run").standard_errors["E"][0] == pytest.approx(alone.standard_errors["E"], rel=1e-4)


def test_several_runs_at_a_place_do_not_follow_each_other():
    x = np.tile(np.geomspace(1e3, 1e6, 12), 5)
    fit = sj.fit("power_law", sj.simulate("power_law", TRUTH, x=x, noise=0.01))
    assert fit.request.series is None and fit.diagnosis.neighbours is None
