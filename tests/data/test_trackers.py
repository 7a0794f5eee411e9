"""What training programs and trackers write: by the real tools where they are installed, else as their formats are laid down."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import subprocess
import sys
import time
import warnings
import zlib
from types import SimpleNamespace

import numpy as np
import pytest

import scalejax as sj
from scalejax.data.importers.trackers.tensorboard import _checksum
from scalejax.data.readers import load

STEPS = list(range(0, 100, 10))
LOSSES = [round(2.5 + 1 / (1 + s / 20), 4) for s in STEPS]
RATES = [1e-3 * (1 - s / 200) for s in STEPS]


def check(path, atol=0.0, **options):
    """Both readers, on the two runs a and b of one size each, whose losses differ by 0.5."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.DataWarning)
        curves = sj.read_curves(path, loss="train/loss", lr="lr", N="n_params", **options)
        runs = sj.read_runs(path, N="n_params", loss="train/loss", **options)
    order = np.argsort(curves["N"])
    assert curves["N"][order].tolist() == [1e8, 2e8] and sorted(runs["N"]) == [1e8, 2e8]
    for row, more in zip(order, (0.0, 0.5), strict=True):
        np.testing.assert_allclose(curves["loss"][row], np.array(LOSSES) + more, atol=atol, rtol=0)
        assert curves["t"][row].tolist() == STEPS
        np.testing.assert_allclose(curves["eta"][row][STEPS], RATES, atol=1e-9, rtol=0)
    np.testing.assert_allclose(np.sort(runs["loss"]), [LOSSES[-1], LOSSES[-1] + 0.5], atol=atol)
    return runs


# Messages as protocol buffers lay them out


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensorboard_file(events):
    out = b""
    for event in events:
        size = struct.pack("<Q", len(event))
        out += size + struct.pack("<I", _checksum(size)) + event + struct.pack("<I", _checksum(event))
    return out


def tensorboard_events(more=0.0, tensors=False):
    yield field(1, 1.7e9) + field(3, "brain.Event:2")
    for s, loss, lr in zip(STEPS, LOSSES, RATES, strict=True):
        values = {"train/loss": loss + more, "lr": lr}
        summary = b"".join(field(1, field(1, name) + scalar(value, tensors)) for name, value in values.items())
        yield field(1, 1.7e9 + s) + field(2, s) + field(5, summary)


def scalar(value, tensor):
    if tensor:  # as TensorFlow 2 writes them
        return field(8, field(1, 1) + field(2, b"") + field(4, struct.pack("<f", value)))
    return varint(2 << 3 | 5) + struct.pack("<f", value)


def hyperparameters(n):
    start = field(1, field(1, "n_params") + field(2, varint(2 << 3 | 1) + struct.pack("<d", n)))
    plugin = field(1, field(1, "hparams") + field(2, field(3, start)))
    return field(5, field(1, field(1, "_hparams_/session_start_info") + field(9, plugin)))


def tensorboard_folder(folder):
    for name, n, more in (("a", 1e8, 0.0), ("b", 2e8, 0.5)):
        place = folder / name
        place.mkdir(parents=True)
        events = [*tensorboard_events(more, tensors=name == "b"), hyperparameters(n)]
        (place / "events.out.tfevents.1700000000.host.1.0").write_bytes(tensorboard_file(events[:5]))
        (place / "events.out.tfevents.1700000001.host.1.0").write_bytes(tensorboard_file([events[0], *events[5:]]))
    return folder


def wandb_file(name, n, more, ended=True):
    records = [field(17, field(1, "x1") + field(8, name) + field(4, field(1, field(1, "n_params") + field(16, json.dumps(n)))))]
    for s, loss, lr in zip(STEPS, LOSSES, RATES, strict=True):
        items = [("_step", s), ("train/loss", loss + more)]
        body = b"".join(field(1, field(1, key) + field(16, json.dumps(value))) for key, value in items)
        records.append(field(2, body + field(1, field(2, "lr") + field(6, lr)) + field(2, field(1, s))))  # lr as since 2025
    records.append(field(3, field(1, field(1, "note") + field(16, json.dumps("x" * 40_000)))))  # over blocks
    records += [field(18, field(1, 0))] if ended else []
    out = b":W&B\xe1\xbe\x00"
    for record in records:
        parts, at = [], len(out)
        while record or not parts:
            left = 2**15 - at % 2**15
            if left < 7:
                parts.append(bytes(left))
                at += left
                continue
            piece, record = record[: left - 7], record[left - 7 :]
            first = not any(len(part) >= 7 for part in parts)
            kind = (1 if not record else 2) if first else (4 if not record else 3)
            parts.append(struct.pack("<IHB", zlib.crc32(bytes([kind]) + piece), len(piece), kind) + piece)
            at += 7 + len(piece)
        out += b"".join(parts)
    return out


def wandb_folder(folder):
    for name, n, more in (("a", 1e8, 0.0), ("b", 2e8, 0.5)):
        place = folder / f"offline-run-20260101_00000{name}-x"
        place.mkdir(parents=True)
        (place / f"run-{name}.wandb").write_bytes(wandb_file(name, n, more))
    return folder


def mlflow_database(path):
    with sqlite3.connect(path) as db:
        db.execute("create table runs (run_uuid text, name text, status text, lifecycle_stage text, experiment_id int)")
        db.execute("create table metrics (key text, value real, timestamp int, run_uuid text, step int, is_nan int)")
        db.execute("create table params (key text, value text, run_uuid text)")
        for name, n, more in (("a", "100M", 0.0), ("b", "200000000", 0.5)):
            db.execute("insert into runs values (?, ?, 'FINISHED', 'active', 0)", (name, name))
            db.execute("insert into params values ('n_params', ?, ?)", (n, name))
            for s, loss, lr in zip(STEPS, LOSSES, RATES, strict=True):
                db.execute("insert into metrics values ('train/loss', ?, ?, ?, ?, 0)", (loss + more, s, name, s))
                db.execute("insert into metrics values ('lr', ?, ?, ?, ?, 0)", (lr, s, name, s))
        db.execute("insert into runs values ('c', 'c', 'FAILED', 'deleted', 0)")
    db.close()
    return path


def mlflow_folder(folder):
    for name, n, more in (("a", "100M", 0.0), ("b", "200000000", 0.5)):
        place = folder / "0" / name
        (place / "metrics" / "train").mkdir(parents=True)
        (place / "params").mkdir()
        (place / "meta.yaml").write_text(f"run_id: {name}\nrun_name: 'run {name}'\nstatus: 3\nlifecycle_stage: active\n")
        (place / "params" / "n_params").write_text(n)
        lines = [f"{s} {loss + more} {s}\n" for s, loss in zip(STEPS, LOSSES, strict=True)]
        (place / "metrics" / "train" / "loss").write_text("".join(lines))
        (place / "metrics" / "lr").write_text("".join(f"{s} {lr!r} {s}\n" for s, lr in zip(STEPS, RATES, strict=True)))
    (folder / "0" / "meta.yaml").write_text("experiment_id: '0'\n")
    return folder


def trainer_states(folder):
    """Logged losses, rates and evaluations, in checkpoints of two runs; the configuration beside them."""
    for name, n, more in (("a", 1e8, 0.0), ("b", 2e8, 0.5)):
        for last in (5, 10):
            place = folder / name / f"checkpoint-{last * 10}"
            place.mkdir(parents=True)
            logs = [{"step": s, "train/loss": loss + more, "lr": lr} for s, loss, lr in zip(STEPS, LOSSES, RATES, strict=True)][:last]
            state = {"global_step": last * 10, "max_steps": 100, "log_history": [*logs, {"step": 50, "eval_loss": 3.0}], "is_hyper": False}
            (place / "trainer_state.json").write_text(json.dumps({**state, "stateful_callbacks": {"a": {"args": {}}}}))
            (place / "config.json").write_text(json.dumps({"n_params": n}))
    return folder


def lightning(folder):
    for name, n, more in (("version_0", 1e8, 0.0), ("version_1", 2e8, 0.5)):
        place = folder / name
        place.mkdir(parents=True)
        (place / "hparams.yaml").write_text(f"n_params: {n}\nmodel:\n  width: 512\n")
        rows = [f"0,{s},{loss + more!r},\n0,{s},,{lr!r}\n" for s, loss, lr in zip(STEPS, LOSSES, RATES, strict=True)]
        (place / "metrics.csv").write_text("epoch,step,train/loss,lr\n" + "".join(rows))
    return folder


STORES = {
    "TensorBoard": tensorboard_folder, "W&B": wandb_folder, "MLflow": mlflow_folder, "MLflow's database": mlflow_database,
    "Hugging Face": trainer_states, "Lightning": lightning,
}  # fmt: skip


@pytest.mark.parametrize("name", STORES)
def test_stores_are_read_as_they_lie(tmp_path, name):
    path = STORES[name](tmp_path / "store")
    runs = check(path, atol=3e-7 if name == "TensorBoard" else 1e-12)
    assert len(runs) == 2 and not {"unfinished", "resumed"} & {flag.code for flag in runs.flags}


def test_one_file_of_a_store_is_enough(tmp_path):
    folder = tensorboard_folder(tmp_path / "tb")
    assert len(load(folder / "a" / "events.out.tfevents.1700000000.host.1.0")[0]["step"]) == 4
    assert load(wandb_folder(tmp_path / "w") / "offline-run-20260101_00000a-x" / "run-a.wandb")[0]["n_params"][0] == 1e8
    state = load(trainer_states(tmp_path / "hf") / "b" / "checkpoint-50" / "trainer_state.json")[0]
    assert state["run"][0] == "b" and state["state"][0] == "running" and state["eval_loss"][-1] == 3.0


def test_a_run_that_goes_on_while_it_is_read(tmp_path):
    """The last record is written half: the others count, and W&B's says that the run has not ended."""
    path = tmp_path / "run-a.wandb"
    path.write_bytes(wandb_file("a", 1e8, 0.0, ended=False)[:-5])
    with pytest.warns(sj.DataWarning, match=r"1 run did not finish \(running: 'a'\)"):
        assert len(sj.read_curves(path, loss="train/loss", lr="lr")["t"][0]) == 10
    events = tmp_path / "events.out.tfevents.1"
    events.write_bytes(tensorboard_file(tensorboard_events())[:-5])
    assert sj.read_curves(events, loss="train/loss", lr="lr")["t"][0].tolist() == STEPS[:-1]


def test_results_of_the_evaluation_harness(tmp_path):
    for name, acc in (("small", 0.31), ("large", 0.62)):
        metrics = {"alias": "hellaswag", "acc,none": acc, "acc_stderr,none": 0.005, "acc_norm,none": acc + 0.05}
        results = {"hellaswag": metrics, "gsm8k": {"exact_match,strict-match": acc / 2, "exact_match_stderr,strict-match": "N/A"}}
        found = {"results": results, "config": {"model": "hf", "model_args": name, "model_num_parameters": 1000}, "model_name": name,
                 "n-samples": {"hellaswag": {"original": 10042, "effective": 10042}}}  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "results_2026-01-01T00-00-00.0.json").write_text(json.dumps(found))
        (tmp_path / name / "samples_hellaswag_2026-01-01T00-00-00.0.jsonl").write_text('{"doc_id": 0, "acc": 1.0}\n')  # not runs
    runs = sj.read_runs(
        tmp_path, run="run", acc="hellaswag/acc", stderr="hellaswag/acc_stderr", count="hellaswag/samples", N="model_num_parameters"
    )
    assert sorted(runs["acc"]) == [0.31, 0.62] and runs["count"].tolist() == [10042, 10042] and set(runs["run"]) == {"small", "large"}
    assert sj.read_runs(tmp_path, m="gsm8k/exact_match,strict-match")["m"].max() == 0.31


def test_a_project_through_the_api(monkeypatch):
    """Against a stand-in for the package: nothing here asks the service."""
    rows = [
        {"_step": s, "_timestamp": 1.0, "train/loss": loss, "lr": lr, "x": None} for s, loss, lr in zip(STEPS, LOSSES, RATES, strict=True)
    ]
    run = SimpleNamespace(
        name="a", id="x", state="finished", config={"n_params": 1e8, "opt": {"lr": 1e-3}, "_wandb": {}}, scan_history=lambda: rows
    )
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(Api=lambda: SimpleNamespace(runs=lambda project: [run])))
    runs = sj.read_runs("wandb:team/study", N="n_params", loss="train/loss", lr="opt.lr")
    assert runs["N"].tolist() == [1e8] and runs["loss"].tolist() == [LOSSES[-1]] and runs["lr"].tolist() == [1e-3]
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(Api=lambda: 1 / 0))
    for source, words in (
        ("wandb:team/study", "does not give the runs of 'team/study': division"),
        ("wandb:team", "must read wandb:entity/project"),
    ):
        with pytest.raises(sj.DataError, match=words):
            sj.read_runs(source)


NEMO = [
    "Training epoch 0, iteration {s}/99 | lr: {lr:.6g} | global_batch_size: 8 | global_step: {s} | reduced_train_loss: {loss:.4f} | "
    "train_step_timing in s: 5.6 | consumed_samples: 80",
    "Epoch 0: : 10%|#  | {s}/100 [00:30<00:10, v_num=0, reduced_train_loss={loss:.4f}, global_step={s}.0, lr={lr:.6g}, "
    "train_step_timing in s=0.3]",
]


@pytest.mark.parametrize("line", NEMO)
def test_logs_of_nemo(tmp_path, line):
    path = tmp_path / "nemo.log"
    path.write_text("\r\n".join(line.format(s=s, loss=loss, lr=lr) for s, loss, lr in zip(STEPS, LOSSES, RATES, strict=True)))
    curves = sj.read_curves(path, loss="reduced_train_loss", lr="lr")
    assert curves["t"][0].tolist() == STEPS and curves["run"].tolist() == ["nemo"]
    np.testing.assert_allclose(curves["loss"][0], LOSSES, atol=1e-12)
    assert sj.read_runs(path, loss="reduced_train_loss")["loss"].tolist() == [LOSSES[-1]]  # a log is one run, not a run a line


def test_validation_of_torchtitan_is_no_training_loss(tmp_path):
    path = tmp_path / "titan.log"
    lines = [f"[titan] 2026-01-01 - root - INFO - step: {s}  loss: {loss:.4f}  tps: 3,000" for s, loss in zip(STEPS, LOSSES, strict=True)]
    path.write_text("\n".join([*lines, "[titan] 2026-01-01 - root - INFO - validate step: 90  loss: 9.9  memory: 1.2GiB"]))
    curves = sj.read_curves(path, schedules=lambda name: np.ones(100))
    np.testing.assert_allclose(curves["loss"][0], LOSSES, atol=1e-12)
    assert sj.read_runs(path, loss="validation loss")["loss"].tolist() == [9.9]


# Tables


MARKDOWN = """# A model card

| Model | **Params** | [Tokens](x.md) | Val. loss |
|:--|--:|:-:|---|
| small \\| old | 125M | 26 B | `3.05` |
| large | 1,300,000,000 | 300B | **2.41** |

More text | with a bar.
"""


def test_tables_in_markdown(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(MARKDOWN)
    runs = sj.read_runs(path, N="Params", D="Tokens", loss="Val. loss", model="Model")
    assert runs["N"].tolist() == [1.25e8, 1.3e9] and runs["D"].tolist() == [2.6e10, 3e11] and runs["loss"].tolist() == [3.05, 2.41]
    assert runs["model"].tolist() == ["small | old", "large"]
    path.write_text(MARKDOWN + "\n" + MARKDOWN)
    with pytest.raises(sj.DataError, match="holds 2 tables in Markdown"):
        sj.read_runs(path)


def test_a_workbook(tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="workbooks are read with openpyxl")
    book = openpyxl.Workbook()
    for row in ([], ["params", "tokens", None, "val_loss", "note"], ["1.3B", 26e9, None, 2.5, "a"], [], [7e9, "300B", None, "2,1", None]):
        book.active.append(row)
    book.save(tmp_path / "runs.xlsx")
    runs = sj.read_runs(tmp_path / "runs.xlsx", N="params", D="tokens", loss="val_loss")
    assert runs["N"].tolist() == [1.3e9, 7e9] and runs["D"].tolist() == [2.6e10, 3e11] and runs["loss"].tolist() == [2.5, 2.1]
    book.create_sheet("more").append(["x"])
    book.save(tmp_path / "two.xlsx")
    with pytest.raises(sj.DataError, match=r"two.xlsx holds 2 sheets \(Sheet, more\), and one table is read"):
        sj.read_runs(tmp_path / "two.xlsx")


def test_frames_of_polars():
    pl = pytest.importorskip("polars", reason="polars is not installed")
    frame = pl.DataFrame({"params": ["1.3B", "7B"], "loss": [2.5, None]})
    for table in (frame, frame.lazy(), frame.filter(pl.col("loss") > 0).lazy()):
        assert sj.read_runs(table, N="params", loss="loss", on_bad="flag")["N"][0] == 1.3e9


# By the tools themselves


def test_tensorboard_by_tensorboardx(tmp_path):
    writers = pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    for name, n, more in (("a", 1e8, 0.0), ("b", 2e8, 0.5)):
        writer = writers.SummaryWriter(str(tmp_path / name))
        for s, loss, lr in zip(STEPS, LOSSES, RATES, strict=True):
            writer.add_scalar("train/loss", loss + more, s)
            writer.add_scalar("lr", lr, s)
        writer.add_text("note", "text", 0)
        writer.add_histogram("weights", np.arange(10.0), 0)
        writer.add_hparams({"n_params": n, "opt": "adam"}, {"final": 1.0}, name="hparams")
        writer.close()
    check(tmp_path, atol=3e-7)


def by(tool, script, tmp_path, **environment):
    """Runs a script that writes files to the folder that it is told, in a process of its own, if the tool is there."""
    pytest.importorskip(tool, reason=f"{tool} is not installed")
    call = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, **environment}, timeout=300)
    assert done.returncode == 0, done.stderr


WANDB = """
import os, sys, wandb
for name, n, more in (("a", 1e8, 0.0), ("b", 2e8, 0.5)):
    run = wandb.init(project="p", name=name, config={"n_params": n, "opt": {"lr": 1e-3}}, mode="offline", dir=sys.argv[1])
    for s in range(0, 100, 10):
        run.log({"train/loss": round(2.5 + 1 / (1 + s / 20), 4) + more, "lr": 1e-3 * (1 - s / 200)}, step=s)
    run.finish()
"""


@pytest.mark.slow
def test_offline_runs_by_wandb(tmp_path):
    by("wandb", WANDB, tmp_path)
    check(tmp_path, atol=1e-12)
    assert sj.read_runs(tmp_path, run="run", lr="opt.lr", keep="finished")["lr"].tolist() == [1e-3] * 2


MLFLOW = """
import mlflow, sys
mlflow.set_tracking_uri(STORE)
for name, n, more in (("a", 1e8, 0.0), ("b", 2e8, 0.5)):
    with mlflow.start_run(run_name=name):
        mlflow.log_param("n_params", n)
        for s in range(0, 100, 10):
            mlflow.log_metric("train/loss", round(2.5 + 1 / (1 + s / 20), 4) + more, step=s)
            mlflow.log_metric("lr", 1e-3 * (1 - s / 200), step=s)
try:
    with mlflow.start_run(run_name="c"):
        mlflow.log_param("n_params", 1)
        mlflow.log_metric("train/loss", 3.0, step=0)
        raise RuntimeError
except RuntimeError:
    pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "file"])
def test_stores_by_mlflow(tmp_path, kind):
    path = tmp_path / ("mlflow.db" if kind == "sqlite" else "mlruns")
    store = f"sqlite:///{path}" if kind == "sqlite" else path.as_uri()
    by("mlflow", MLFLOW.replace("STORE", repr(store)), tmp_path, MLFLOW_ALLOW_FILE_STORE="true")
    check(path, atol=1e-12, keep="finished")
    with pytest.warns(sj.DataWarning, match=r"did not finish \(failed\)"):
        assert len(sj.read_runs(path, N="n_params", loss="train/loss")) == 3


LIGHTNING = """
import sys, torch, lightning as L
from lightning.pytorch.loggers import CSVLogger
class Line(L.LightningModule):
    def __init__(self, n_params, more):
        super().__init__()
        self.save_hyperparameters()
        self.w, self.more = torch.nn.Parameter(torch.zeros(1)), more
    def training_step(self, batch, index):
        self.log("train/loss", 2.5 + 1 / (1 + self.global_step / 20) + self.more)
        self.log("lr", 1e-3 * (1 - self.global_step / 200))
        return 0 * self.w.sum()
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-3)
for n, more in ((1e8, 0.0), (2e8, 0.5)):
    logger = CSVLogger(sys.argv[1], name="study")
    quiet = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = L.Trainer(max_steps=100, log_every_n_steps=10, logger=logger, accelerator="cpu", **quiet)
    trainer.fit(Line(n, more), torch.utils.data.DataLoader(torch.zeros(200, 1)))
"""


@pytest.mark.slow
def test_metrics_by_lightning(tmp_path):
    """A file of metrics with one metric a row, and the hyperparameters beside it."""
    by("lightning", LIGHTNING, tmp_path)
    curves = sj.read_curves(tmp_path, loss="train/loss", lr="lr", N="n_params")
    steps = np.arange(9, 100, 10)
    assert curves["N"].tolist() == [1e8, 2e8]
    for row, more in enumerate((0.0, 0.5)):
        assert curves["t"][row].tolist() == steps.tolist()
        np.testing.assert_allclose(curves["loss"][row], 2.5 + 1 / (1 + steps / 20) + more, rtol=1e-6)
        np.testing.assert_allclose(curves["eta"][row][steps], 1e-3 * (1 - steps / 200), rtol=1e-6)


TRANSFORMERS = """
import sys, torch
from transformers import PretrainedConfig, PreTrainedModel, Trainer, TrainingArguments
class Config(PretrainedConfig):
    model_type = "line"
    def __init__(self, n_params=1.0, more=0.0, **options):
        super().__init__(**options)
        self.n_params, self.more = n_params, more
class Line(PreTrainedModel):
    config_class = Config
    def __init__(self, config):
        super().__init__(config)
        self.w, self.seen = torch.nn.Parameter(torch.zeros(1)), 0
        self.post_init()
    def forward(self, x=None, labels=None):
        s = self.seen // 10 * 10
        self.seen += self.training
        return {"loss": 2.5 + 1 / (1 + s / 20) + self.config.more + 0 * self.w.sum()}
rows = [{"x": torch.zeros(1), "labels": torch.zeros(1)}] * 100
for name, n, more in (("a", 1e8, 0.0), ("b", 2e8, 0.5)):
    how = {"learning_rate": 1e-3, "lr_scheduler_type": "constant", "report_to": [], "disable_tqdm": True, "use_cpu": True}
    asked = TrainingArguments(f"{sys.argv[1]}/{name}", max_steps=100, logging_steps=10, save_steps=50, per_device_train_batch_size=1, **how)
    Trainer(Line(Config(n_params=n, more=more)), asked, train_dataset=rows).train()
"""


@pytest.mark.slow
def test_trainer_states_by_transformers(tmp_path):
    """Two checkpoints a run, of which the last counts, with the model's configuration; a logged loss is the mean of ten steps."""
    pytest.importorskip("torch", reason="torch is not installed")
    by("transformers", TRANSFORMERS, tmp_path, HF_HUB_OFFLINE="1")
    curves = sj.read_curves(tmp_path, loss="loss", lr="learning_rate", N="n_params")
    assert curves["N"].tolist() == [1e8, 2e8]
    for row, more in enumerate((0.0, 0.5)):
        assert curves["t"][row].tolist() == list(range(10, 101, 10))
        np.testing.assert_allclose(curves["loss"][row], 2.5 + 1 / (1 + np.arange(0, 100, 10) / 20) + more, rtol=1e-6)
        np.testing.assert_allclose(curves["eta"][row][10:], 1e-3, rtol=1e-12)


HARNESS = """
import json, sys
from pathlib import Path
from lm_eval import evaluator
from lm_eval.api.model import LM
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager
folder = Path(sys.argv[1])
(folder / "mini.jsonl").write_text("".join(json.dumps({"q": f"{i}?", "c": ["no", "yes"], "a": 1}) + "\\n" for i in range(8)))
(folder / "mini.yaml").write_text(json.dumps({
    "task": "mini", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(folder / "mini.jsonl")}}, "test_split": "test",
    "output_type": "multiple_choice", "doc_to_text": "{{q}}", "doc_to_choice": "{{c}}", "doc_to_target": "{{a}}",
    "metric_list": [{"metric": "acc"}]}))
class Model(LM):
    def __init__(self, right):
        super().__init__()
        self.right = right
    def loglikelihood(self, requests):
        best = ["yes" if int(r.args[0].split("?")[0]) < self.right else "no" for r in requests]
        return [(0.0 if word in r.args[1] else -1.0, True) for word, r in zip(best, requests)]
    def loglikelihood_rolling(self, requests):
        raise NotImplementedError
    generate_until = loglikelihood_rolling
for name, right in (("small", 2), ("large", 6)):
    tracker = EvaluationTracker(output_path=str(folder / "out" / name))
    tasks = TaskManager(include_path=str(folder))
    found = evaluator.simple_evaluate(Model(right), tasks=["mini"], task_manager=tasks, evaluation_tracker=tracker, log_samples=True)
    tracker.save_results_aggregated(results=found, samples=found["samples"])
    tracker.save_results_samples(task_name="mini", samples=found["samples"]["mini"])
"""


@pytest.mark.slow
def test_results_by_the_evaluation_harness(tmp_path):
    """Two of eight questions right, and six; the single answers, which lie beside the results, are not runs."""
    by("lm_eval", HARNESS, tmp_path, HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    assert len(list((tmp_path / "out").rglob("samples_*.jsonl"))) == 2
    runs = sj.read_runs(tmp_path / "out", acc="mini/acc", n="mini/samples")
    assert sorted(runs["acc"]) == [0.25, 0.75] and runs["n"].tolist() == [8, 8]


# Many


def test_a_thousand_runs_are_read_with_progress(tmp_path):
    """Files of one run each, in processor seconds; the names are those of the files."""
    for i in range(1000):
        lines = [f"{s},{3 - s / 1000 + i / 1e4:.4f},{1e-3 - s / 1e6:.6f},{1e6 * (i + 1):.0f}" for s in range(0, 200, 10)]
        (tmp_path / f"run-{i:04}.csv").write_text("step,loss,lr,n\n" + "\n".join(lines))
    seen = []
    begun = time.process_time()
    runs = sj.read_runs(tmp_path, N="n", loss="loss", run="run", progress=lambda done, total: seen.append((done, total)))
    assert time.process_time() - begun < 10
    assert runs["N"].tolist() == [1e6 * (i + 1) for i in range(1000)] and runs["run"][7] == "run-0007"
    assert runs["loss"][500] == pytest.approx(3 - 0.19 + 0.05) and seen[-1] == (1000, 1000)


def test_folders_that_are_no_study(tmp_path):
    with pytest.raises(sj.DataError, match="is a folder without tables or logs of runs"):
        sj.read_runs(tmp_path)
    (tmp_path / "a.csv").write_text("step,loss\n0,3\n1,2\n")
    (tmp_path / "b.csv").write_text("N,loss\n1e8,3\n1e9,2\n")
    with pytest.raises(sj.DataError, match=r"mixes files that count steps \(a\) with others \(b\)"):
        sj.read_runs(tmp_path)
    (tmp_path / "a.csv").write_text("N,loss\n2e8,3.1\n")
    runs = sj.read_runs(tmp_path)
    assert runs["N"].tolist() == [2e8, 1e8, 1e9] and runs["file"].tolist() == ["a", "b", "b"]


def test_the_format_can_be_said(tmp_path):
    path = tmp_path / "table.bin"
    path.write_text("a|b\n1|2\n3|4\n")
    assert sj.read_runs(path, format="csv")["b"].tolist() == [2, 4]
    with pytest.raises(sj.DataError, match="format='cvs' is unknown; did you mean 'csv'"):
        sj.read_runs(path, format="cvs")
    with pytest.raises(sj.DataError, match="format='csv' is for files"):
        sj.read_runs({"a": [1.0]}, format="csv")
