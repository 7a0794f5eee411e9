"""Which files are read, by whom they were made, how many rows they hold, and in how many processor seconds?

Twenty runs of 500 steps each, written by the tools themselves where they are installed: `python -m benchmarks.formats`.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import scalejax as sj
from scalejax.data.readers import load

from .common import show

RUNS, STEPS = 20, 500
STEP = np.arange(STEPS)


def main() -> list:
    """The table of formats."""
    return [formats()]


def curve(i: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Size, losses and rates of a run."""
    return 1e7 * (i + 1), 2 + (1 + STEP) ** -0.5 + 1 / (i + 1), 1e-3 * (1 - STEP / 1000)


def long_table() -> dict[str, Any]:
    """All runs, a row an observation."""
    parts = [curve(i) for i in range(RUNS)]
    return {
        "run": np.repeat([f"run-{i}" for i in range(RUNS)], STEPS), "step": np.tile(STEP, RUNS),
        "n_params": np.repeat([p[0] for p in parts], STEPS),
        "loss": np.concatenate([p[1] for p in parts]), "lr": np.concatenate([p[2] for p in parts]),
    }  # fmt: skip


def by_pandas(write: str, **options: Any) -> Callable[[Path], str]:
    """A writer of a data frame."""

    def made(path: Path) -> str:
        import pandas

        getattr(pandas.DataFrame(long_table()), write)(path, **options)
        return f"pandas {pandas.__version__}"

    return made


def numpy_file(path: Path) -> str:
    """Columns in one archive."""
    np.savez_compressed(path, **long_table())
    return f"numpy {np.__version__}"


def polars_file(path: Path) -> str:
    """Parquet by polars."""
    import polars

    polars.DataFrame(long_table()).write_parquet(path)
    return f"polars {polars.__version__}"


def tensorboard(path: Path) -> str:
    """A folder a run."""
    import tensorboardX

    for i in range(RUNS):
        n, loss, lr = curve(i)
        writer = tensorboardX.SummaryWriter(str(path / f"run-{i}"))
        for s in range(STEPS):
            writer.add_scalar("loss", loss[s], s)
            writer.add_scalar("lr", lr[s], s)
        writer.add_hparams({"n_params": n}, {"final": loss[-1]}, name="hparams")
        writer.close()
    return f"tensorboardX {tensorboardX.__version__}"


def wandb_offline(path: Path) -> str:
    """Offline runs, in another process, which talks."""
    script = f"""
import sys, wandb
from benchmarks.formats import curve
for i in range({RUNS}):
    n, loss, lr = curve(i)
    run = wandb.init(project="p", name=f"run-{{i}}", config={{"n_params": n}}, mode="offline", dir=sys.argv[1])
    for s in range({STEPS}):
        run.log({{"loss": float(loss[s]), "lr": float(lr[s])}}, step=s)
    run.finish()
"""
    path.mkdir()
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True)
    return f"wandb {importlib.import_module('wandb').__version__}"


def mlflow_store(path: Path) -> str:
    """A database."""
    import mlflow
    from mlflow.entities import Metric

    mlflow.set_tracking_uri(f"sqlite:///{path}")
    for i in range(RUNS):
        n, loss, lr = curve(i)
        with mlflow.start_run(run_name=f"run-{i}") as run:
            mlflow.log_param("n_params", n)
            metrics = [Metric(name, float(v[s]), s, s) for s in range(STEPS) for name, v in (("loss", loss), ("lr", lr))]
            for k in range(0, len(metrics), 1000):
                mlflow.MlflowClient().log_batch(run.info.run_id, metrics=metrics[k : k + 1000])
    return f"mlflow {mlflow.__version__}"


def trainer_states(path: Path) -> str:
    """As Hugging Face's Trainer lays them down."""
    for i in range(RUNS):
        n, loss, lr = curve(i)
        place = path / f"run-{i}"
        place.mkdir(parents=True)
        logs = [{"step": int(s), "loss": float(loss[s]), "lr": float(lr[s])} for s in STEP]
        (place / "trainer_state.json").write_text(json.dumps({"global_step": STEPS, "max_steps": STEPS, "log_history": logs}))
        (place / "config.json").write_text(json.dumps({"n_params": n}))
    return "by its layout"


def consoles(path: Path) -> str:
    """Logs as Megatron-LM prints them."""
    path.mkdir()
    for i in range(RUNS):
        _, loss, lr = curve(i)
        lines = [f" iteration {s:8d}/ 500 | learning rate: {lr[s]:.6E} | lm loss: {loss[s]:.6E} | grad norm: 1.1 |" for s in STEP]
        (path / f"run-{i}.log").write_text("\n".join(lines))
    return "by its layout"


def writers() -> Iterator[tuple[str, str, Callable[[Path], str]]]:
    """Format, file name, and who writes it."""
    yield "csv", "runs.csv", by_pandas("to_csv", index=False)
    yield "csv, decimal commas, gzip", "runs.csv.gz", by_pandas("to_csv", index=False, sep=";", decimal=",")
    yield "json", "runs.json", by_pandas("to_json")
    yield "json lines", "runs.jsonl", by_pandas("to_json", orient="records", lines=True)
    yield "parquet", "runs.parquet", by_pandas("to_parquet")
    yield "feather", "runs.feather", by_pandas("to_feather")
    yield "Excel", "runs.xlsx", by_pandas("to_excel", index=False)
    yield "npz", "runs.npz", numpy_file
    yield "parquet of polars", "polars.parquet", polars_file
    yield "TensorBoard", "tensorboard", tensorboard
    yield "W&B, offline runs", "wandb", wandb_offline
    yield "MLflow, database", "mlflow.db", mlflow_store
    yield "trainer_state.json", "trainer", trainer_states
    yield "console logs", "logs", consoles


def formats() -> Any:
    """Every format with who made the file, its rows and the seconds; a tool that is not installed leaves its row out."""
    rows = []
    _, loss, _ = curve(RUNS - 1)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, file, write in writers():
            path = Path(folder) / file
            try:
                maker = write(path)
            except ImportError as error:
                print(f"note: {name} is left out ({error})")
                continue
            begun = time.process_time()
            raw, _ = load(path)
            seconds = time.process_time() - begun
            wanted = "lm loss" if "lm loss" in raw else "loss"
            runs = sj.read_runs(path, summary="last", run="run", loss=wanted)
            assert len(runs) == RUNS and np.isclose(runs["loss"].min(), loss[-1], rtol=1e-6), name
            rows.append([name, maker, f"{len(raw['run']):,}", str(len(runs)), f"{seconds:.2f}"])
    return show("Formats", ["format", "made by", "rows", "runs", "processor seconds"], rows)


if __name__ == "__main__":
    main()
