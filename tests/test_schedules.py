"""Schedules and the reading of loss curves."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import scalejax as sj
from scalejax import schedules as s


def test_all_parts_start_at_the_peak_and_fall_no_lower_than_the_end():
    for shape in (*s.SHAPES, "exp", 1.5):
        eta = s.decay(1000, 2.0, 0.5, shape)
        assert eta[0] == pytest.approx(2.0) and (np.diff(eta) <= 1e-12).all() and 0.5 < eta[-1] < 0.52 + 1.5 * (shape == "1-sqrt")
        np.testing.assert_allclose(s.wsd(1000, 2.0, 0.5, decay=0.25, shape=shape)[750:], s.decay(250, 2.0, 0.5, shape), atol=1e-12)


def test_mirror_cosine_mirrors_the_cosine_about_the_line():
    np.testing.assert_allclose(s.decay(50, shape="mirror-cosine") + s.cosine(50), 2 * s.linear(50), atol=1e-14)


def test_wsd_over_the_whole_run_is_the_decay():
    np.testing.assert_allclose(s.wsd(40, 1.0, decay=1.0, shape="linear"), s.linear(40), atol=1e-14)


def test_multi_step_power_and_cycles():
    assert np.unique(s.multi_step(100, 1.0)).size == 3
    np.testing.assert_allclose(s.power(10, 1.0, 0.5), 1 / np.sqrt(np.arange(1, 11)))
    np.testing.assert_allclose(s.cyclic(40, cycles=4, shape="linear"), np.tile(s.linear(10), 4), atol=1e-12)


def test_warmup_rises_in_a_line_and_keeps_the_schedule():
    eta = s.with_warmup(s.cosine(10, 3.0), 4)
    np.testing.assert_allclose(eta[:4], [0, 1, 2, 3])
    np.testing.assert_array_equal(eta[4:], s.cosine(10, 3.0))


def test_schedules_are_traced_and_differentiated():
    with jax.enable_x64(True):
        total = lambda peak, decay, p: s.wsd(100, peak, 0.0, decay, p).sum()  # noqa: E731
        slopes = jax.grad(total, argnums=(0, 1, 2))(*map(jax.numpy.asarray, (1.0, 0.3, 1.5)))
    for i, slope in enumerate(slopes):
        step = np.eye(3)[i] * 1e-6
        ends = [s.wsd(100, x[0], 0.0, float(x[1]), float(x[2])).sum() for x in (np.array([1.0, 0.3, 1.5]) + k * step for k in (1, -1))]
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_bad_schedules_are_refused():
    for call in (lambda: s.constant(0), lambda: s.linear(2.5), lambda: s.decay(5, shape="lineer")):
        with pytest.raises(sj.DataError):
            call()


LONG = {
    "run": ["a"] * 4 + ["b"] * 2,
    "step": [0, 2, 4, 6, 1, 3],
    "loss": [4.0, 3.5, 3.2, 3.0, 3.9, 3.4],
    "lr": [1.0, 1.0, 0.5, 0.5, 0.8, 0.6],
    "size": [10.0] * 4 + [20.0] * 2,
}


def test_curves_of_two_runs_in_one_table():
    runs = sj.read_curves(LONG, run="run", lr="lr", width="size")
    np.testing.assert_allclose(runs["eta"][0], [1, 1, 1, 0.75, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(runs["eta"][1][:4], [0.8, 0.8, 0.7, 0.6])
    np.testing.assert_array_equal(runs["width"], [10, 20])
    np.testing.assert_array_equal(runs.masks["loss"], [[True] * 4, [True, True, False, False]])
    np.testing.assert_array_equal(runs["t"][1][:2], [1, 3])


def test_conventions_of_the_warmup():
    eta = s.with_warmup(s.linear(5, 1.0), 3)
    table = {"one": {"step": [3, 5, 7], "loss": [3.0, 2.9, 2.8]}}
    read = {c: sj.read_curves(table, schedules={"one": eta}, warmup=3, convention=c) for c in ("true", "at_peak", "offset")}
    np.testing.assert_array_equal(read["true"]["eta"][0], eta)
    np.testing.assert_array_equal(read["at_peak"]["eta"][0], [1, 1, 1, *eta[3:]])
    np.testing.assert_array_equal(read["offset"]["eta"][0], eta)
    assert [read[c]["W"][0] for c in read] == [0, 0, 3]


def test_a_branch_has_its_trunk_before_it():
    table = {
        "trunk": {"step": [0, 1, 2, 3], "loss": [4.0, 3.8, 3.6, 3.5], "lr": [1.0] * 4, "parent": [""] * 4},
        "branch": {"step": [2, 3, 4], "loss": [3.6, 3.4, 3.3], "lr": [1.0, 0.5, 0.2], "parent": ["trunk"] * 3},
    }
    runs = sj.read_curves(table, lr="lr", parent="parent")
    np.testing.assert_allclose(runs["eta"][1], [1, 1, 1, 0.5, 0.2])


def test_first_and_every_choose_observations():
    runs = sj.read_curves(LONG, run="run", lr="lr", first=2, every=2)
    np.testing.assert_array_equal(runs["t"][0], [2, 6])


@pytest.mark.parametrize(
    "call",
    [
        lambda: sj.read_curves(LONG, lr="lr"),
        lambda: sj.read_curves(LONG, run="run"),
        lambda: sj.read_curves(LONG, run="run", lr="lr", schedules={}),
        lambda: sj.read_curves(LONG, run="run", lr="rate"),
        lambda: sj.read_curves(LONG, run="run", lr="lr", convention="none"),
        lambda: sj.read_curves(LONG, run="run", lr="lr", first=5),
        lambda: sj.read_curves(LONG, run="run", lr="lr", N="loss"),
        lambda: sj.read_curves(LONG, run="run", schedules={"a": np.ones(7)}),
        lambda: sj.read_curves(LONG, run="run", schedules=lambda name: np.ones(3)),
        lambda: sj.read_curves(LONG, run="run", schedules=lambda name: -np.ones(9)),
        lambda: sj.read_curves({"one": {"step": [0, 0], "loss": [1.0, 0.9]}}, schedules=lambda name: np.ones(3)),
    ],
)
def test_bad_curves_are_refused(call):
    with pytest.raises(sj.DataError):
        call()


def test_a_picture_of_schedules_with_their_losses():
    law = sj.laws.multi_power
    best = sj.optimal_schedule((law, law.published["luo2025_25M"]), steps=600, peak=3e-4, warmup=60, shape="wsd")
    ax = sj.plot.schedule(best)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == f"optimised: {best.loss:.4f}" and len(labels) == len(best.others) + 1
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), best.eta)
    assert set(best.rates) == set(best.others)
