"""Public sweeps of training runs by name and family, and their cuts: all but the largest runs to learn from, the largest to forecast."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FEWEST_RUNS, FEWEST_HELD = 10, 3


@dataclass(frozen=True)
class Sweep:
    """One table of runs.

    Attributes:
        family: of sweeps that share data, authors or models. name: its own.
        table: column to values; `target` is the column to forecast, `inputs` what it depends on.
        scale: (runs,) compute, by which the largest are held out.
        by: column of the curves of a table of curves, each of which is cut by itself.
    """

    family: str
    name: str
    table: Mapping[str, np.ndarray]
    target: str
    inputs: tuple[str, ...]
    scale: np.ndarray
    by: str | None = None


@dataclass(frozen=True)
class Cut:
    """Rows to learn from and rows to forecast."""

    sweep: Sweep
    kind: str
    train: np.ndarray
    test: np.ndarray


def cuts(sweep: Sweep) -> Iterator[Cut]:
    """The top fifth of the runs, and the top decade of compute where enough is left below it; of curves their last half."""
    if sweep.by is not None:
        test = np.zeros(len(sweep.scale), bool)
        for name in dict.fromkeys(sweep.table[sweep.by].tolist()):
            mine = sweep.table[sweep.by] == name
            test |= mine & (sweep.scale > sweep.scale[mine].max() / 2)
        yield Cut(sweep, "last half", np.flatnonzero(~test), np.flatnonzero(test))
        return
    limits = {"top fifth": np.quantile(sweep.scale, 0.8), "top decade": sweep.scale.max() / 10}
    for kind, limit in limits.items():
        test = sweep.scale > limit * (1 + 1e-9)
        train = ~test
        wide = np.log10(sweep.scale[train].max() / sweep.scale[train].min()) if train.any() else 0.0
        if train.sum() >= FEWEST_RUNS and test.sum() >= FEWEST_HELD and train.sum() >= test.sum() and wide > 0.3:
            yield Cut(sweep, kind, np.flatnonzero(train), np.flatnonzero(test))


def folder() -> Path:
    """Where the public data lie."""
    return Path(os.environ.get("SCALEJAX_DATA", "../shared/data"))


def sweeps() -> list[Sweep]:
    """All sweeps whose data are there."""
    return [sweep for read in _READERS if (folder() / read.__name__.removeprefix("_")).exists() for sweep in read()]


def _sweep(
    family: str, name: str, frame: Any, target: str, inputs: Mapping[str, Any], compute: Callable[[dict], np.ndarray] | None = None
) -> Sweep:
    columns = {key: np.asarray(frame[column] if isinstance(column, str) else column, float) for key, column in inputs.items()}
    table = {**columns, "loss": np.asarray(frame[target], float)}
    good = np.all([np.isfinite(v) for v in table.values()], axis=0)
    table = {key: v[good] for key, v in table.items()}
    scale = compute(table) if compute else 6 * table["N"] * table["D"] if "D" in table else table["N"]
    return Sweep(family, name, table, "loss", tuple(columns), np.asarray(scale, float))


def _read(name: str, file: str, **options: Any) -> pd.DataFrame:
    return pd.read_csv(folder() / name / file, **options)


def _chinchilla_epoch() -> Iterator[Sweep]:
    t = _read("chinchilla_epoch", "svg_extracted_data.csv")
    t = t.sort_values("loss").iloc[:-5]
    yield _sweep("chinchilla", "chinchilla", t, "loss", {"N": "Model Size", "D": t["Training FLOP"] / 6 / t["Model Size"]})


def _isoflops_openathena() -> Iterator[Sweep]:
    t = _read("isoflops_openathena", "isoflops_clean.csv")
    t = t[~t["outlier"].astype(str).str.lower().eq("true")]
    for name, part in t.groupby("experiment"):
        family = {"epochai_chinchilla__massivetext__chinchilla": "chinchilla", "ml_scalefit__massivetext__chinchilla": "chinchilla"}.get(
            name, str(name).split("__")[0]
        )
        yield _sweep(family, str(name), part, "loss", {"N": "params", "D": "tokens"})


def _kyo_llm_example() -> Iterator[Sweep]:
    yield _sweep("kyo", "kyo", _read("kyo_llm_example", "df.csv"), "loss", {"N": "N", "D": "D"})


def _gadre_overtraining() -> Iterator[Sweep]:
    t = _read("gadre_overtraining", "gadre_runs.csv")
    for name, part in t.groupby("train_set"):
        yield _sweep("gadre", f"gadre {name}", part, "loss_c4_val", {"N": "N", "D": "D"})


def _gemstones() -> Iterator[Sweep]:
    for name in ("hot_100b+", "cool_end", "hot_sampled_like_chinchilla", "slim_chinchilla"):
        file = folder() / "gemstones" / f"wandb_df_for_fitting_{name}.jsonl"
        t = pd.DataFrame([json.loads(line) for line in file.read_text().splitlines()])
        yield _sweep("gemstones", f"gemstones {name}", t, "final_loss", {"N": "params_active_precise", "D": "tokens"})
    for name in ("fineweb_edu",):
        file = folder() / "gemstones" / f"{name}_losses_combined.jsonl"
        t = pd.DataFrame([json.loads(line) for line in file.read_text().splitlines()])
        yield _sweep("gemstones", f"gemstones {name}", t, "final_loss", {"N": "params_active_precise", "D": "tokens"})


def _datablations() -> Iterator[Sweep]:
    t = _read("datablations", "datablations_contour_losses.csv")
    t = t[t["data"] == "c4"]
    yield _sweep(
        "datablations",
        "datablations contour",
        t,
        "openLM_loss",
        {"N": "num_params", "D": "token_num", "U": "tokens_per_epoch"},
        lambda t: 6 * t["N"] * t["D"],
    )


def _hagele_schedules() -> Iterator[Sweep]:
    t = _read("hagele_schedules", "runs_summary.csv")
    for kind in ("cos", "wsd"):
        part = t[(t["scheduler"] == kind) & (t["dataset"] == "slimpajama")].copy()
        part = part.sort_values("final_val_loss").drop_duplicates(["params", "iters"])
        yield _sweep("hagele", f"hagele {kind}", part, "final_val_loss", {"N": "params", "D": "tokens"})


def _xlstm_isoflop() -> Iterator[Sweep]:
    t = _read("xlstm_isoflop", "isoflop_runs.csv")
    t = t[t["finished"].astype(str) == "True"]
    t["kind"] = np.where(t["group"].str.contains("llama"), "llama", "mlstm")
    for (kind, ctx), part in t.groupby(["kind", "ctx"]):
        if len(part) >= 40:
            yield _sweep("xlstm", f"xlstm {kind} {ctx}", part, "val_loss", {"N": "params", "D": "tokens"})


def _steplaw() -> Iterator[Sweep]:
    t = _read("steplaw", "dense_lr_bs_loss.csv")
    best = t.loc[t.groupby(["N", "D"])["smooth loss"].idxmin()]
    yield _sweep("steplaw", "steplaw best", best, "smooth loss", {"N": "N", "D": "D"})
    t = _read("steplaw", "moe_lr_bs_loss.csv")
    best = t.loc[t.groupby(["N", "Na", "D"])["smooth loss"].idxmin()]
    yield _sweep("steplaw", "steplaw moe", best, "smooth loss", {"N": "N", "Na": "Na", "D": "D"}, lambda t: 6 * t["Na"] * t["D"])


def _vocab() -> Iterator[Sweep]:
    t = _read("vocab", "exp_data.csv")
    t["loss"] = t["Lossu"] + 10
    for size in (4096, 32768 // 2, 65536):
        sizes = np.sort(t["vocab_size"].unique())
        near = sizes[np.argmin(abs(sizes - size))]
        part = t[t["vocab_size"] == near]
        yield _sweep(
            "vocab", f"vocab {int(near)}", part, "loss", {"N": "Non_vocab_parameters", "D": "num_characters"}, lambda t: t["N"] * t["D"]
        )


def _routing_clark() -> Iterator[Sweep]:
    with gzip.open(folder() / "routing_clark" / "curves.csv.gz", "rt") as file:
        t = pd.read_csv(file)
    last = t.sort_values("step").groupby("hyper_id").tail(1)
    for kind, part in last.groupby("router_type"):
        if len(part) >= 20 and part["num_experts"].nunique() > 1:
            yield _sweep(
                "routing",
                f"routing {kind}",
                part,
                "loss_validation",
                {"N": "dense_parameter_count", "n": "num_experts"},
                lambda t: t["N"] * t["n"] ** 0.25,
            )


def _dmsl_slimpajama() -> Iterator[Sweep]:
    t = _read("dmsl_slimpajama", "dmsl_llm_slimpajama.csv")
    weights = [c for c in t if c.startswith("weight_")]
    key = t[weights].round(6).astype(str).agg(" ".join, axis=1)
    commonest = key.value_counts().index[:2]
    for i, name in enumerate(commonest):
        for target in ("c4_loss", "github_loss"):
            yield _sweep("slimpajama", f"slimpajama {i} {target}", t[key == name], target, {"N": "model_size", "D": "n_tokens"})


def _llama2_context() -> Iterator[Sweep]:
    t = _read("llama2_context", "combined_llama2.csv")
    yield _sweep("llama2", "llama2 context", t, "loss", {"N": t["params"] * 1e9, "T": "context"}, lambda t: t["T"])


def _colpret_curves() -> Iterator[Sweep]:
    t = _read("colpret_curves", "opt_trajectories.csv")
    size = t["model_size"].astype(str).str.lower().map(lambda s: float(s[:-1]) * {"m": 1e6, "b": 1e9}[s[-1]])
    t["loss"] = np.log(t["ppl"])
    yield _sweep("opt", "opt trajectories", t, "loss", {"N": size, "D": 10 ** t["num_token"]})


def _rectified_ft() -> Iterator[Sweep]:
    t = _read("rectified_ft", "flan.csv")
    steps = [c for c in t if c.isdigit() and int(c) > 0]
    for i in (0, 8, 16, 24):
        row = t.iloc[i]
        frame = pd.DataFrame({"D": [float(s) for s in steps], "loss": [row[s] for s in steps]})
        yield _sweep("flan", f"flan {row['config name']}", frame, "loss", {"D": "D"}, lambda t: t["D"])


def _curves(family: str, name: str, frame: pd.DataFrame, curve: Any, x: str, y: str) -> Sweep:
    """Curves of at least ten points, at most forty of each, evenly spread."""
    frame = pd.DataFrame({"x": frame[x].astype(float), "loss": frame[y].astype(float), "curve": curve}).dropna()
    frame = frame[(frame["x"] > 0) & (frame["loss"] > 0)].sort_values(["curve", "x"])
    kept = [
        part.iloc[np.unique(np.linspace(0, len(part) - 1, 40).round().astype(int))] for _, part in frame.groupby("curve") if len(part) > 9
    ]
    table = pd.concat(kept)
    columns = {"x": table["x"].to_numpy(), "loss": table["loss"].to_numpy(), "curve": table["curve"].astype(str).to_numpy()}
    return Sweep(family, name, columns, "loss", ("x",), columns["x"], by="curve")


def curves() -> list[Sweep]:
    """Learning curves, a table a family."""
    out = []
    for kind in ("lang", "vision"):
        t = _read("revisiting_alabdulmohsin", f"revisiting_{kind}.csv")
        t = t[t["Training"] == 1]  # the rest is kept for `benchmarks.forecast`
        out.append(_curves(f"revisiting {kind}", f"revisiting {kind}", t, t["Domain"] + t["Task"] + t["Model"], "Seen Examples", "Loss"))
    t = _read("unidentifiable_d20n", "curves.csv")
    out.append(_curves("d20n", "d20n curves", t, t["model"], "tokens_seen", "val_loss"))
    for name in ("2Mix_160M", "RedPajama_1B"):
        t = _read("mixinglaws", f"{name}.csv")
        t = t[t["run"].isin(sorted(t["run"].unique())[:5])]
        out.append(_curves("mixinglaws", f"mixinglaws {name}", t, t["run"].astype(str) + t["valid"].astype(str), "step", "loss"))
    t = _read("colpret_curves", "opt_trajectories.csv")
    t["D"], t["loss"] = 10 ** t["num_token"], np.log(t["ppl"])
    out.append(_curves("opt", "opt curves", t, t["model_size"].astype(str), "D", "loss"))
    t = _read("multipowerlaw", "csv_25__constant_24000.csv").assign(curve="25")
    u = _read("multipowerlaw", "csv_100__constant_24000.csv").assign(curve="100")
    both = pd.concat([t, u])
    out.append(_curves("multipower", "multipower constant", both, both["curve"], "step", "loss"))
    return out


_READERS = (
    _chinchilla_epoch, _isoflops_openathena, _kyo_llm_example, _gadre_overtraining, _gemstones, _datablations, _hagele_schedules,
    _xlstm_isoflop, _steplaw, _vocab, _routing_clark, _dmsl_slimpajama, _llama2_context, _colpret_curves, _rectified_ft,
)  # fmt: skip
