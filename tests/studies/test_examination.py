"""What a table of runs can answer is said before a fit, and the call that is proposed works."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import scalejax as sj
from scalejax.commands.cli import main

LAW = sj.laws.chinchilla
N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
LOSS = np.array(sj.simulate(LAW, LAW.published["besiroglu2024"], N=N, D=D, noise=0.003)["loss"])
GRID = {"params": N, "tokens": D, "val_loss": LOSS}


def test_a_grid_of_sizes():
    found = sj.diagnose(GRID)
    assert found.roles == {"N": "params", "D": "tokens"} and found.target == "val_loss" and found.used == 25
    assert found.varies["params"] == (1e7, 1e9, 5) and found.laws[0] == "chinchilla"
    assert found.noise is None and not found.suspicious and not found.missing
    assert all(len(LAWS.parameters) < 25 and set(LAWS.inputs) <= {"N", "D"} for LAWS in (sj.laws[name] for name in found.laws))
    runs = eval(found.next.removeprefix("sj.fit('chinchilla', ").removesuffix(")"), {"sj": sj, "table": GRID})
    assert runs.names == ["N", "D", "loss"]
    assert "tokens per parameter from 1 to 1e+04" in repr(found)


def test_a_ray_is_named_and_laws_of_both_inputs_are_not_proposed():
    found = sj.diagnose({"N": N, "D": 20 * N, "loss": LAW(N=N, D=20 * N, **LAW.published["besiroglu2024"])})
    assert any("D = 20 N in all runs" in ray for ray in found.rays)
    assert "chinchilla" not in found.laws and found.next.startswith("sj.forecast")


def test_budgets_and_tokens_from_compute():
    C = np.repeat([1e18, 1e19, 1e20], 5)
    sizes = np.sqrt(C / 120) * np.tile([0.25, 0.5, 1, 2, 4], 3)
    found = sj.diagnose({"model size": sizes, "flops": C, "loss": LAW(N=sizes, D=C / 6 / sizes, **LAW.published["besiroglu2024"])})
    assert any(ray.startswith("3 budgets of compute with at least 4 sizes") for ray in found.rays)
    assert "chinchilla" in found.laws and "D='`flops` / (6 * `model size`)'" in found.next


def test_noise_comes_from_runs_of_one_setting():
    rng = np.random.default_rng(0)
    table = {"N": np.repeat(N, 8), "D": np.repeat(D, 8), "seed": np.tile(np.arange(8.0), 25)}
    table["loss"] = np.repeat(LOSS, 8) * np.exp(0.01 * rng.standard_normal(200))
    found = sj.diagnose(table)
    assert found.noise == pytest.approx(0.01, rel=0.15) and found.replicates == 200
    copies = {name: np.tile(values, 2) for name, values in GRID.items()}  # equal to the last digit: no second run
    assert sj.diagnose(copies).noise is None


def test_rows_far_off_and_gaps_are_named():
    loss = LOSS.copy()
    loss[7] = 7.5
    found = sj.diagnose({**GRID, "val_loss": loss, "wd": np.where(np.arange(25) == 3, np.nan, 0.1 + np.arange(25))})
    assert any("Row 7: the loss lies far off" in text for text in found.suspicious)
    assert any("wd has gaps in row 3, which matter only to a fit that uses it" in text for text in found.missing)
    states = np.where(np.arange(25) == 7, "crashed", "finished")
    assert any("Row 7: this run did not finish" in text for text in sj.diagnose({**GRID, "state": states}).suspicious)


def test_what_is_missing_is_asked_for():
    found = sj.diagnose({"width": [128.0, 256.0], "accuracy": [0.1, 0.2]})
    assert found.target == "" and "target=" in found.next and "no column 'loss'" in found.missing[0]
    found = sj.diagnose({"width": [128.0, 256.0, 512.0], "loss": [3.0, 2.9, 2.8]})
    assert any("name them, as in N='width**2'" in text for text in found.missing) and not found.laws


def test_the_verbs(tmp_path, capsys):
    lines = [f"{n!r},{d!r},{v!r},{state}" for n, d, v, state in zip(N, D, LOSS, ["crashed"] + ["finished"] * 24, strict=True)]
    log = tmp_path / "study.csv"
    log.write_text("params,tokens,ppl,state\n" + "\n".join(line.replace("np.float64(", "").replace(")", "") for line in lines))
    out = tmp_path / "runs.csv"
    columns = ["--columns", "N=params", "D=tokens", "C=6*params*tokens", "loss=ppl"]
    assert main(["import", str(log), *columns, "--keep", "finished", "params > 1", "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith(f"24 rows and 4 columns\nsaved {out}; next: scalejax doctor")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs = sj.read_runs(out)
    np.testing.assert_array_equal(runs["loss"], LOSS[1:])
    np.testing.assert_array_equal(runs["C"], 6 * N[1:] * D[1:])
    assert main(["doctor", str(out)]) == 0
    said = capsys.readouterr().out
    assert "24, of which a fit can use 24" in said and "chinchilla" in said
    assert main(["doctor", str(log), "--markdown", "--target", "ppl"]) == 0
    assert "did not finish" in capsys.readouterr().out
    for words, wrong in (
        (["import", str(log), "--unit", "loss=byts", *columns], "did you mean"),
        (["import", str(log), "--summary", "half", *columns], "--summary: 'half' is not a number"),
        (["import", str(tmp_path / "none.csv")], "There is no file"),
        (["import", str(log), "--curves"], "which rows are of one run"),
        (["doctor", str(log), "--keep", "params < 0"], "leaves none of 25 rows"),
    ):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert error.startswith("scalejax: ") and wrong in error and error.count("\n") == 1


def test_a_column_along_which_the_loss_splits_is_named_and_kept():
    """Losses of one of two tokenizers are 8 % higher; a column that follows the sizes, names of models and seeds split nothing."""
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7.5, 9.8, 40), 10 ** rng.uniform(9, 11.3, 40)
    mixed = np.arange(40) % 2 == 1
    table = {"params": n, "tokens": d, "tokenizer set": np.where(mixed, "llama3", "gpt2"), "seed": np.arange(40.0) // 10}
    table |= {"depth": np.round(np.log(n)), "model": np.round(np.log2(n)).astype(int).astype(str)}
    loss = np.asarray(LAW(n, d, **LAW.published["besiroglu2024"])) * np.exp(0.005 * rng.standard_normal(40))
    found = sj.diagnose({**table, "val_loss": loss * np.where(mixed, 1.08, 1.0)})
    assert found.splits == ("tokenizer set",) and "2 groups by tokenizer set" in repr(found)
    fitted = eval(found.next, {"sj": sj, "table": {**table, "val_loss": loss * np.where(mixed, 1.08, 1.0)}})
    assert fitted.groups == ["gpt2", "llama3"] and fitted.verdict.good
    assert sj.diagnose({**table, "val_loss": loss}).splits == () and "by=" not in sj.diagnose({**table, "val_loss": loss}).next


def test_what_rises_is_forecast_and_perplexity_is_read_as_such():
    rising = sj.diagnose({"N": N, "D": D, "accuracy": 3.9 - LOSS}, target="accuracy")
    assert rising.laws == () and rising.next == "sj.forecast(sj.read_runs(table), at={...}, target='accuracy')"
    assert any("accuracy rises with size, and laws of a loss fall" in text for text in rising.suspicious)
    table = {"params": N, "tokens": D, "val_ppl": np.exp(LOSS)}
    fitted = eval(sj.diagnose(table, target="val_ppl").next, {"sj": sj, "table": table})
    np.testing.assert_allclose(fitted.observed, LOSS, rtol=1e-12)


def test_units_in_names_of_columns_are_read():
    table = {"params (M)": N / 1e6, "tokens_b": D / 1e9, "loss": LOSS}
    found = sj.diagnose(table)
    assert found.roles == {"N": "params (M)", "D": "tokens_b"} and found.varies["tokens_b"][:2] == pytest.approx((1e9, 1e11))
    runs = eval(found.next, {"sj": sj, "table": table}).runs
    np.testing.assert_allclose([runs["N"], runs["D"]], [N, D], rtol=1e-12)
    assert any("D is 1e+08 times N" in text for text in sj.diagnose({"params": N / 1e6, "tokens": D, "loss": LOSS}).suspicious)
    C = {"params (M)": N / 1e6, "flops": 6 * N * D, "loss": LOSS}
    np.testing.assert_allclose(eval(sj.diagnose(C).next, {"sj": sj, "table": C}).runs["D"], D, rtol=1e-12)
