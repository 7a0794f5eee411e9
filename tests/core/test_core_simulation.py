"""Simulated runs: exact without noise, as noisy as asked with it, and repeatable."""

from __future__ import annotations

import numpy as np
import pytest

import scalejax as sj

LAW = sj.laws.chinchilla
TRUE = LAW.published["besiroglu2024"]
N, D = np.logspace(7, 10, 20), np.logspace(11, 9, 20)


def test_without_noise_the_output_is_the_law():
    runs = sj.simulate(LAW, TRUE, N=N, D=D)
    np.testing.assert_array_equal(runs["loss"], LAW(N, D, **TRUE))
    assert runs.names == ["N", "D", "loss"] and runs.used == 20


def test_numbers_are_repeated_for_all_runs():
    runs = sj.simulate(LAW, TRUE, N=N, D=20_000_000_000)
    assert runs["D"].tolist() == [2e10] * 20
    assert len(sj.simulate(LAW, TRUE, N=1e9, D=1e10)) == 1


def test_the_output_has_the_laws_name():
    @sj.law(a=sj.Positive(0.1, 10), output="error")
    def proportional(x, *, a):
        return a * x

    assert sj.simulate(proportional, {"a": 2.0}, x=[1.0, 2.0])["error"].tolist() == [2.0, 4.0]


def test_the_seed_decides_the_noise():
    first, again, other = (sj.simulate(LAW, TRUE, N=N, D=D, noise=0.01, seed=s)["loss"] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


@pytest.mark.parametrize("on", ["log", "linear"])
def test_the_noise_is_as_large_as_asked(on):
    many = np.full(20_000, 1e9)
    loss = sj.simulate(LAW, TRUE, N=many, D=1e10, noise=0.02, on=on)["loss"]
    exact = LAW(1e9, 1e10, **TRUE)
    error = np.log(loss / exact) if on == "log" else loss - exact
    assert error.std() == pytest.approx(0.02, rel=0.03) and abs(error.mean()) < 0.0006


def test_whole_numbers_beyond_32_bits():
    runs = sj.simulate(LAW, TRUE, N=np.array([70_000_000_000]), D=np.array([15_000_000_000_000]))
    assert runs["loss"][0] == LAW(7e10, 1.5e13, **TRUE)


def test_a_bound_law_needs_only_the_rest():
    rest = {k: v for k, v in TRUE.items() if k != "E"}
    bound = sj.simulate(LAW.bind(E=TRUE["E"]), rest, N=N, D=D)
    np.testing.assert_array_equal(bound["loss"], sj.simulate(LAW, TRUE, N=N, D=D)["loss"])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"N": 1e9}, sj.DataError, ["'D'"]),
        ({"N": 1e9, "D": 1e9, "n": 1e9}, sj.DataError, ["'n'", "did you mean 'N'"]),
        ({"N": 1e9, "D": 1e9, "params": {"E": 1.0}}, sj.LawError, ["'chinchilla'", "['E']"]),
        ({"N": 1e9, "D": 1e9, "noise": -1.0}, sj.DataError, ["noise"]),
        ({"N": 1e9, "D": 1e9, "on": "logs"}, sj.DataError, ["'logs'"]),
        ({"N": [], "D": []}, sj.DataError, ["empty"]),
        ({"N": [1e9, 2e9], "D": [1e9, 2e9, 3e9]}, sj.DataError, ["length"]),
        ({"N": -1e9, "D": 1e9}, sj.DataError, ["'N'", "positive"]),
    ],
)
def test_what_cannot_be_simulated_is_said(arguments, error, words):
    arguments = {"params": TRUE, **arguments}
    with pytest.raises(error) as caught:
        sj.simulate(LAW, **arguments)
    assert all(word in str(caught.value) for word in words), str(caught.value)
