"""Loss curves from logs as programs write them, and the rate of every step from those that were logged."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import scalejax as sj

STEPS, WARMUP, PEAK = 4000, 200, 3e-4
S = np.arange(STEPS)
ETA = np.where(S < WARMUP, PEAK * (S + 1) / WARMUP, PEAK / 2 * (1 + np.cos(np.pi * (S - WARMUP) / (STEPS - WARMUP))))


def logged(t, eta=ETA, **options):
    """The rates that are read back where only those of steps t were logged."""
    table = {"a": {"step": t, "loss": np.full(len(t), 3.0), "lr": eta[t]}}
    return sj.read_curves(table, lr="lr", **options)["eta"][0]


# The warm-up


@pytest.mark.parametrize("begin", [0, 1, 49, 99, 100, 150, 199, 200])
@pytest.mark.parametrize("every", [50, 100])
def test_rates_are_right_wherever_the_log_begins(begin, every):
    eta = logged(np.arange(begin, STEPS, every), warmup=WARMUP)
    assert np.abs(eta[:400] - ETA[:400]).max() < 0.01 * PEAK
    assert np.diff(eta[:WARMUP]).min() > 0  # no step down at the first record


def test_the_first_record_inside_the_warmup_lies_on_the_ramp():
    eta = logged(np.arange(100, STEPS, 50), warmup=WARMUP)
    assert eta[99] == pytest.approx(PEAK / 2, rel=1e-12) and eta[0] == pytest.approx(PEAK / WARMUP, rel=1e-12)


def test_without_a_record_inside_the_ramp_goes_to_the_first_rate():
    eta = logged(np.arange(400, STEPS, 400), warmup=WARMUP)
    np.testing.assert_allclose(eta[:WARMUP], ETA[400] * (S[:WARMUP] + 1) / WARMUP, rtol=1e-12)
    np.testing.assert_allclose(eta[WARMUP:400], ETA[400], rtol=1e-12)


def test_one_record_and_a_curve_that_ends_inside_the_warmup():
    np.testing.assert_allclose(logged(np.array([100]), warmup=WARMUP), ETA[:101], rtol=1e-12)
    np.testing.assert_allclose(logged(np.array([50, 100, 150]), warmup=WARMUP), ETA[:151], rtol=1e-12)


@pytest.mark.parametrize("decay", [sj.schedules.constant, sj.schedules.linear, sj.schedules.cosine])
def test_the_peak_between_two_records_is_that_of_the_ramp(decay):
    eta = np.concatenate([PEAK * (S[:WARMUP] + 1) / WARMUP, decay(STEPS - WARMUP, PEAK)])
    found = logged(np.arange(60, STEPS, 120), eta, warmup=WARMUP)  # records at 180 and 300
    assert np.abs(found[:600] - eta[:600]).max() < 5e-3 * PEAK


def test_a_ramp_from_zero_at_step_zero_is_followed_too():
    eta = np.minimum(S / WARMUP, 1.0)
    assert np.abs(logged(np.arange(0, STEPS, 50), eta, warmup=WARMUP) - eta[:3951]).max() < 0.01


def test_conventions_see_the_same_peak():
    t = np.arange(100, STEPS, 50)
    at_peak = logged(t, warmup=WARMUP, convention="at_peak")
    np.testing.assert_allclose(at_peak[: WARMUP + 1], PEAK, rtol=1e-9)
    table = {"a": {"step": t, "loss": np.full(len(t), 3.0), "lr": ETA[t]}}
    curves = sj.read_curves(table, lr="lr", warmup=WARMUP, convention="offset")
    np.testing.assert_allclose(curves["eta"][0], logged(t, warmup=WARMUP), rtol=1e-15)
    assert curves["W"].tolist() == [WARMUP]


def test_a_warmup_that_the_rates_contradict_is_said():
    with pytest.warns(sj.DataWarning, match="at step 1500, 75 % into warmup=2000, the rate is 100 % of that after it; check"):
        logged(np.arange(500, STEPS, 500), np.full(STEPS, PEAK), warmup=2000)


def test_rates_that_end_long_before_the_losses_are_refused():
    table = {"a": {"step": [0, 10, 20, 200], "loss": [4.0, 3.5, 3.0, 2.5], "lr": [3.0, 2.0, 1.0, None]}}
    with pytest.raises(sj.DataError, match="rates were logged up to step 20 and losses up to step 200"):
        sj.read_curves(table, lr="lr")


def test_the_exponent_of_a_law_from_a_log_that_begins_inside_the_warmup():
    law, t = sj.laws.lr_annealing, np.arange(100, STEPS, 50)
    y = np.asarray(law(eta=ETA[None], t=t[None].astype(float), W=np.array([0.0]), **law.published["tissue2024"]))[0]
    y = y * np.exp(0.003 * np.random.default_rng(0).standard_normal(len(t)))
    curves = sj.read_curves({"a": {"step": t, "loss": y, "lr": ETA[t]}}, lr="lr", warmup=WARMUP)
    assert sj.fit(law, curves, starts=16).params["alpha"] == pytest.approx(0.55, abs=0.02)


# Rows with one metric each

TRAIN = {49: 4.237, 99: 4.0048, 149: 3.8897, 199: 3.8161, 249: 3.7633, 299: 3.7226, 349: 3.69, 399: 3.6629}
RATE = {s: 3e-4 * (1 - s / 400) for s in TRAIN}
HELD_OUT = {s: TRAIN[s] + 0.02 for s in (99, 199, 299, 399)}


@pytest.fixture
def lightning(tmp_path):
    rows = ["epoch,lr-AdamW,step,train_loss,val_loss"]
    for s in TRAIN:
        rows += [f",{RATE[s]!r},{s},,", f"0,,{s},{TRAIN[s]!r},", *([f"0,,{s},,{HELD_OUT[s]!r}"] if s in HELD_OUT else [])]
    path = tmp_path / "metrics.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("as_frame", [False, True])
@pytest.mark.parametrize(("loss", "expected"), [("train_loss", TRAIN), ("val_loss", HELD_OUT)])
def test_empty_cells_are_no_measurements(lightning, as_frame, loss, expected):
    curves = sj.read_curves({"a": pd.read_csv(lightning) if as_frame else lightning}, loss=loss, lr="lr-AdamW")
    assert dict(zip(curves["t"][0], curves["loss"][0], strict=True)) == expected
    np.testing.assert_allclose(curves["eta"][0][list(RATE)], list(RATE.values()), rtol=1e-12)


def test_lines_of_json_with_one_metric_each(tmp_path):
    path = tmp_path / "history.jsonl"
    lines = [f'{{"_step": {s}, "train/loss": {v}, "lr": {RATE[s]!r}}}' for s, v in TRAIN.items()]
    path.write_text("\n".join([*lines, *(f'{{"_step": {s}, "eval/loss": {v}}}' for s, v in HELD_OUT.items())]))
    curves = sj.read_curves({"a": path}, step="_step", loss="eval/loss", lr="lr")
    assert dict(zip(curves["t"][0], curves["loss"][0], strict=True)) == HELD_OUT


def test_losses_that_are_nan_are_left_out_and_said():
    table = {"step": [0, 1, 2], "loss": [4.0, float("nan"), 3.0], "lr": [1e-3] * 3}
    curves = sj.read_curves({"a": table}, lr="lr")
    assert curves["t"][0].tolist() == [0, 2] and "Rows whose loss is NaN were left out of 1 runs ('a')" in repr(curves)
    assert "left out" not in repr(sj.read_curves({"a": {**table, "loss": [4.0, None, 3.0]}}, lr="lr"))


REFUSED = {
    "no loss": ({"step": [0, 1], "loss": [None, None], "lr": [1.0, 1.0]}, "no row holds both a step and column 'loss'"),
    "an infinite loss": ({"step": [0, 1], "loss": [3.0, np.inf], "lr": [1.0, 1.0]}, "infinite at step 1"),
    "a step twice": ({"step": [0, 7, 7], "loss": [4.0, 3.0, 3.1], "lr": [1.0] * 3}, "step 7 has two losses"),
    "half a step": ({"step": [0, 0.5], "loss": [4.0, 3.0], "lr": [1.0] * 2}, "steps must be whole"),
    "text": ({"step": [0, 1], "loss": ["high", "low"], "lr": [1.0] * 2}, "'loss' for loss is not numeric"),
    "tokens": (
        {"step": [0, 1e10, 2e10], "loss": [4.0, 3.0, 2.0], "lr": [1e-3] * 3},
        r"go to 2e\+10, which must be tokens.*tokens_per_step=",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_logs_that_make_no_curve_are_refused(case):
    table, words = REFUSED[case]
    with pytest.raises(sj.DataError, match=words) as caught:
        sj.read_curves({"a": table}, lr="lr")
    assert "on_bad" not in str(caught.value)


def test_steps_in_tokens_are_divided_by_the_batch():
    table = {"tokens": [0, 10**10, 2 * 10**10], "loss": [4.0, 3.0, 2.0], "lr": [3e-4, 2e-4, 1e-4]}
    curves = sj.read_curves({"a": table}, step="tokens", lr="lr", tokens_per_step=10**7)
    assert curves["t"][0].tolist() == [0, 1000, 2000] and curves["eta"].shape == (1, 2001)
    with pytest.raises(sj.DataError, match="whole"):
        sj.read_curves({"a": table}, step="tokens", lr="lr", tokens_per_step=3e7)


# Shapes of tables


def test_rows_runs_and_lists_are_tables_too(tmp_path):
    rows = [{"step": s, "loss": v, "lr": RATE[s]} for s, v in TRAIN.items()]
    expected = sj.read_curves({"a": pd.DataFrame(rows)}, lr="lr")
    path = tmp_path / "curves.json"
    path.write_text(json.dumps({"a": {k: [row[k] for row in rows] for k in rows[0]}}))
    for table, run in (({"a": rows}, None), ([{"name": "a", **row} for row in rows], "name"), (path, None)):
        curves = sj.read_curves(table, run=run, lr="lr")
        assert curves.digest == expected.digest


def test_exports_of_a_chart_have_a_column_a_run(tmp_path):
    """As W&B writes them, quoted; the third run ends early, and the band around a smoothed line is not a run."""
    lines, step = {}, np.arange(1000, 11000, 1000)
    for i, (name, points) in enumerate((("tiny", 10), ("small", 10), ("base - lr 3e-4", 8))):
        values = [f"{3 - 0.3 * i + 20 * s**-0.5:.4f}" if k < points else "" for k, s in enumerate(step)]
        lines |= {f"{name} - eval/loss{end}": values for end in ("", "__MIN", "__MAX")} | {f"{name} - _step": [str(s) for s in step]}
    path = tmp_path / "panel.csv"
    pd.DataFrame({"Step": step.astype(str), **lines}).to_csv(path, index=False, quoting=1)
    for given in ({"step": "Step"}, {}):
        curves = sj.read_curves(path, schedules=lambda name: np.full(10001, 3e-4), **given)
        assert curves["run"].tolist() == ["tiny", "small", "base - lr 3e-4"]
        assert curves.masks["loss"].sum(axis=1).tolist() == [10, 10, 8]
        assert curves["loss"][2][0] == pytest.approx(3 - 0.6 + 20 * 1000**-0.5, abs=1e-4)
    last = sj.read_runs(path, summary="last", step="Step")
    assert last["run"].tolist() == curves["run"].tolist() and last["loss"][2] == pytest.approx(3 - 0.6 + 20 * 8000**-0.5, abs=1e-4)


def test_a_chart_of_two_metrics_needs_to_know_which_is_the_loss():
    chart = {"Step": [0, 1], "a - loss_c4": [4.0, 3.0], "a - loss_pile": [4.0, 2.9], "a - lr": [1e-3, 5e-4]}
    with pytest.raises(sj.DataError, match="say which is the loss with loss="):
        sj.read_curves(chart, lr="lr")
    curves = sj.read_curves(chart, loss="loss_pile", lr="lr")
    assert curves["loss"].tolist() == [[4.0, 2.9]] and curves["eta"].tolist() == [[1e-3, 5e-4]]
