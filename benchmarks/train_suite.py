"""Train a grid of small language models and write it as a scaling-law data set.

Question
    How does the held-out loss L(N, D) of a language model fall with its parameters N and its training tokens D,
    when every (N, D) point is a run of its own, with its own learning-rate schedule that ends at D?

How to run (needs jax, optax and numpy; no network, no accelerator)
    python benchmarks/train_suite.py                        # the "small" suite behind data/embedded/pylib.*
    python benchmarks/train_suite.py --suite smoke --out smoke               # a minute, to try the script
    python benchmarks/train_suite.py --only n7k --budget-minutes 5           # some of the runs, for some time
    Each finished run is written at once, to a temporary file that then replaces the table, so a stopped suite loses
    only the runs in flight, and starting it again with the same --out skips the runs the table already holds.

Time
    The small suite (7 sizes x 6 token counts, and repeats under other seeds) took 32 minutes on 2 CPU cores that
    other work shared for part of that time (51 core-minutes of training in all); alone it should take less.
    Runs are spread over --workers processes, each held to one core: a model this small does not keep two cores busy.

Design
    Text      Python standard library sources, as bytes (vocabulary 256). The split is by whole file, so that the
              held-out loss is for files never seen. NUL, which no source holds, separates files and begins a window.
    Data      A run trains on D bytes drawn as windows of `seq_len` from the whole training split, each at most once
              (a single epoch). The order depends on the seed alone: runs that share a seed see prefixes of one order.
    Model     Pre-norm (RMSNorm) decoder, rotary positions, GELU MLP of width 4 d, tied embedding, no biases.
    Training  AdamW, gradient clipping, linear warm-up, cosine decay to 10 % at the run's own horizon, float32.
              Batch and peak learning rate follow rules in d_model and D; see `batch_windows` and `peak_lr`.
    Loss      Nats per byte over one fixed sample of held-out windows, the same for every run, after the last step.

To grow it: add an entry to SUITES (sizes, token counts, seeds); nothing else names a size. Check first that the text
is long enough (the script refuses to repeat data) and that `peak_lr` still holds at the new sizes.
"""

import argparse
import csv
import dataclasses
import datetime
import functools
import hashlib
import io
import itertools
import json
import math
import multiprocessing
import os
import pathlib
import platform
import sysconfig
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait

import jax
import jax.numpy as jnp
import numpy as np
import optax

VOCAB = 256
SPLIT_SEED = 20240
BLOCK = 64  # optimiser steps to one compiled call
CURVE_POINTS = 60
PACE = 2.5e-11  # core-seconds to a unit of a job's cost, until this machine's own pace is known
# Left out: not prose a person wrote (code-page tables, generated help text), or different from one build to the next.
EXCLUDE_DIRS = ("site-packages", "dist-packages", "__pycache__", "encodings", "pydoc_data")
EXCLUDE_PREFIXES = ("config-", "_sysconfigdata")
COLUMNS = {  # name: unit and meaning
    "run": "name of the run",
    "N": "parameters, embedding included",
    "N_nonembed": "parameters without the embedding",
    "D": "tokens (= bytes) trained on, each once",
    "loss": "nats per byte, held-out, after the last step",
    "loss_se": "nats per byte, standard error of loss over the held-out windows",
    "n_layer": "layers",
    "d_model": "width",
    "n_head": "attention heads",
    "seq_len": "bytes to a window",
    "batch": "windows to an optimiser step",
    "steps": "optimiser steps",
    "lr": "peak learning rate",
    "seed": "seed of the parameters and of the data order",
    "flops_6nd": "floating-point operations, as 6 N D",
    "train_seconds": "seconds of training on one core, without compilation and evaluation",
}
CURVE = {
    "run": "name of the run",
    "step": "optimiser steps done",
    "tokens": "bytes trained on by then",
    "lr": "learning rate of the last of these steps",
    "train_loss": "nats per byte, mean over the steps since the row before, each batch scored before it is trained on",
}
OUT = pathlib.Path(__file__).resolve().parent.parent / "scalejax" / "data" / "embedded"


@dataclasses.dataclass(frozen=True)
class Suite:
    """A suite as data: every size with every token count under seeds[0], and the cheaper corner under all seeds."""

    name: str  # of the files it writes
    sizes: tuple  # of (n_layer, d_model, n_head)
    tokens: tuple  # each is rounded down to whole blocks of steps; the table holds the exact count
    seeds: tuple = (0,)
    repeat_sizes: int = 0  # the first so many sizes ...
    repeat_tokens: int = 0  # ... and token counts are trained under the other seeds too
    seq_len: int = 128
    val_windows: int = 8192


SUITES = {
    "smoke": Suite("smoke", sizes=((1, 16, 1), (2, 20, 1)), tokens=(2**17, 2**18), val_windows=512),
    "small": Suite(
        name="pylib",
        sizes=((1, 16, 1), (2, 20, 1), (2, 32, 1), (3, 40, 2), (3, 64, 2), (4, 80, 2), (5, 96, 3)),
        tokens=(2**18, 2**19, 2**20, 2**21, 2**22, 2**23),
        seeds=(0, 1, 2),
        repeat_sizes=4,
        repeat_tokens=3,
    ),
}
HYPER = {"b1": 0.9, "b2": 0.99, "weight_decay": 0.1, "clip": 1.0, "warmup_fraction": 0.05, "final_lr_fraction": 0.1}
HOW_CHOSEN = (
    "Short runs before the suite, under seed 0 and scored on a part of the held-out windows, over d_model 16, 32, 64 "
    "and 96 and D from 2**18 to 2**22: the learning rate in factors of about 1.5 to 2, and batches of 2 to 16 windows. "
    "The best batch grew about as sqrt(D) and the best learning rate about as sqrt(batch) / d_model, which are the two "
    "rules used; no run of the suite was tuned by itself. Adam b2 0.95 and warm-up 2 % made less than 1 % difference."
)


def batch_windows(tokens):
    """Windows to a step: near 4 sqrt(D / 2**20), in steps of about sqrt(2) (2, 3, 4, 6, 8, 12, ...)."""
    octaves, half = divmod(round(math.log2(tokens / 2**20)) + 4, 2)
    return max(1, int(2**octaves * (1.5 if half else 1)))


def peak_lr(d_model, tokens):
    """Peak learning rate: falls with width as 1 / d, grows with D as the square root of the batch does."""
    return 0.32 / d_model * (tokens / 2**20) ** 0.25


def n_params(n_layer, d):
    return VOCAB * d + d + n_layer * (12 * d * d + 2 * d)


@functools.cache
def load_corpus():
    """(training bytes, held-out bytes, provenance) of this interpreter's standard library."""
    root = pathlib.Path(sysconfig.get_paths()["stdlib"])
    texts, seen = [], set()
    for path in sorted(root.rglob("*.py"), key=lambda p: p.relative_to(root).as_posix()):
        parts = path.relative_to(root).parts
        if any(part in EXCLUDE_DIRS or part.startswith(EXCLUDE_PREFIXES) for part in parts):
            continue
        text = path.read_bytes()
        if text and b"\0" not in text and text not in seen:  # an exact copy would let training see held-out text
            seen.add(text)
            texts.append(text)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(texts))
    n_val = len(texts) // 12
    parts = [b"\0".join(texts[i] for i in some) for some in (order[n_val:], order[:n_val])]
    about = {
        "files": len(texts), "files_held_out": n_val, "bytes": sum(map(len, parts)), "bytes_train": len(parts[0]),
        "bytes_held_out": len(parts[1]), "sha256": hashlib.sha256(b"\0".join(parts)).hexdigest(),
        "split_seed": SPLIT_SEED, "excluded_directories": EXCLUDE_DIRS, "excluded_prefixes": EXCLUDE_PREFIXES,
    }  # fmt: skip
    train, val = (np.frombuffer(part, np.uint8) for part in parts)
    return train, val, about


def windows(text, seq_len):
    """Disjoint windows of seq_len bytes, as rows."""
    n = len(text) // seq_len
    return text[: n * seq_len].reshape(n, seq_len)


def init_params(key, n_layer, d):
    """Parameters; matrices that write to the residual stream start smaller with depth."""
    keys = iter(jax.random.split(key, 4 * n_layer + 1))

    def normal(shape, std):
        return std * jax.random.normal(next(keys), shape)

    def layer():
        return {
            "norm1": jnp.ones(d), "norm2": jnp.ones(d), "qkv": normal((d, 3 * d), d**-0.5),
            "out": normal((d, d), (2 * n_layer * d) ** -0.5), "up": normal((d, 4 * d), d**-0.5),
            "down": normal((4 * d, d), (8 * n_layer * d) ** -0.5),
        }  # fmt: skip

    # Half the usual scale: with tied weights it sets the first logits too, which should begin small.
    embed = normal((VOCAB, d), 0.5 * d**-0.5)
    return {"embed": embed, "norm": jnp.ones(d), "layers": [layer() for _ in range(n_layer)]}


def rms_norm(x, gain):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * gain


def rotate(x):
    """Rotary positions for x of shape (..., T, head_dim)."""
    half = x.shape[-1] // 2
    angle = jnp.arange(x.shape[-2])[:, None] * 1e3 ** (-jnp.arange(half) / half)
    c, s, a, b = jnp.cos(angle), jnp.sin(angle), x[..., :half], x[..., half:]
    return jnp.concatenate([a * c - b * s, a * s + b * c], -1)


def losses(params, batch, n_head):
    """Nats per byte, one number a window, for windows of shape (B, T)."""
    target = batch.astype(jnp.int32)
    n_seq, length = target.shape
    d = params["embed"].shape[1]
    head = d // n_head
    mask = jnp.where(jnp.tril(jnp.ones((length, length), bool)), 0.0, -1e9)
    source = jnp.pad(target[:, :-1], ((0, 0), (1, 0)))  # begins with NUL, so each byte is predicted exactly once
    # The stream stays 2-D, (B * T, d): XLA's CPU matrix products are about a third faster that way.
    h = params["embed"][source.reshape(-1)] * d**0.5
    for p in params["layers"]:
        qkv = (rms_norm(h, p["norm1"]) @ p["qkv"]).reshape(n_seq, length, 3, n_head, head)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)
        score = jnp.einsum("bhqd,bhkd->bhqk", rotate(q) * head**-0.5, rotate(k)) + mask
        mixed = jnp.einsum("bhqk,bhkd->bhqd", jax.nn.softmax(score, -1), v)
        h = h + mixed.transpose(0, 2, 1, 3).reshape(-1, d) @ p["out"]
        h = h + jax.nn.gelu(rms_norm(h, p["norm2"]) @ p["up"]) @ p["down"]
    logits = rms_norm(h, params["norm"]) @ params["embed"].T
    each = optax.softmax_cross_entropy_with_integer_labels(logits, target.reshape(-1))
    return each.reshape(n_seq, length).mean(-1)


def learning_rate(step, peak, steps):
    """Linear warm-up, then cosine to the final fraction at the last step; step counts from 0."""
    warm = jnp.maximum(HYPER["warmup_fraction"] * steps, 1.0)
    done = jnp.clip((step - warm) / (steps - warm), 0.0, 1.0)
    final = HYPER["final_lr_fraction"]
    return peak * jnp.minimum((step + 1) / warm, final + (1 - final) * 0.5 * (1 + jnp.cos(jnp.pi * done)))


def make_optimizer():
    """AdamW without its learning rate, which the step multiplies in so that one compilation serves every schedule."""
    return optax.chain(
        optax.clip_by_global_norm(HYPER["clip"]),
        optax.scale_by_adam(HYPER["b1"], HYPER["b2"]),
        optax.add_decayed_weights(HYPER["weight_decay"], mask=lambda tree: jax.tree.map(lambda x: x.ndim > 1, tree)),
    )


@functools.cache
def compiled(n_layer, d, n_head, batch, seq_len):
    """BLOCK training steps as one call, compiled ahead (so that no run's time holds it) once for a size and batch."""
    optimizer = make_optimizer()

    def block(params, state, step, data, peak, steps):
        def one(carry, rows):
            params, state, step = carry
            loss, grads = jax.value_and_grad(lambda p: losses(p, rows, n_head).mean())(params)
            updates, state = optimizer.update(grads, state, params)
            lr = learning_rate(step, peak, steps)
            params = jax.tree.map(lambda p, u: p - lr * u, params, updates)
            return (params, state, step + 1), (loss, lr)

        carry, curve = jax.lax.scan(one, (params, state, step), data)
        return *carry, *curve

    params = jax.eval_shape(lambda: init_params(jax.random.key(0), n_layer, d))
    state = jax.eval_shape(optimizer.init, params)
    scalar = jax.ShapeDtypeStruct((), jnp.float32)
    data = jax.ShapeDtypeStruct((BLOCK, batch, seq_len), jnp.uint8)
    return jax.jit(block, donate_argnums=(0, 1)).lower(params, state, scalar, data, scalar, scalar).compile()


@functools.cache
def evaluator(n_head):
    """Losses of windows given as (groups, windows, seq_len), one group at a time to bound the memory."""
    return jax.jit(lambda params, val: jax.lax.map(lambda rows: losses(params, rows, n_head), val))


def thin(run, loss, lr, per_step):
    """Training curve as at most CURVE_POINTS rows, each the mean over a stretch of steps that ends at its step."""
    edges = np.unique(np.linspace(0, len(loss), min(CURVE_POINTS, len(loss)) + 1).astype(int))
    return [
        {"run": run, "step": b, "tokens": b * per_step, "lr": float(lr[b - 1]), "train_loss": float(loss[a:b].mean())}
        for a, b in itertools.pairwise(edges.tolist())
    ]


def train_run(job):
    """Train one run; returns (table row, curve rows)."""
    suite, (n_layer, d, n_head), tokens, seed = job["suite"], job["size"], job["D"], job["seed"]
    text, held_out, _ = load_corpus()
    batch, rows = job["batch"], windows(text, suite.seq_len)
    if tokens > rows.size:
        raise ValueError(f"D={tokens} is more than the {rows.size} bytes of training text, and no byte is used twice")
    order = np.random.default_rng(seed).permutation(len(rows))[: tokens // suite.seq_len]
    train = compiled(n_layer, d, n_head, batch, suite.seq_len)
    params = init_params(jax.random.key(seed), n_layer, d)
    carry, curve = (params, make_optimizer().init(params), jnp.float32(0)), []
    peak, steps = peak_lr(d, tokens), tokens // (batch * suite.seq_len)
    began = time.perf_counter()
    for ids in order.reshape(-1, BLOCK, batch):
        *carry, loss, lr = train(*carry, rows[ids], np.float32(peak), np.float32(steps))
        curve.append(np.stack([loss, lr]))
    seconds = time.perf_counter() - began
    val = windows(held_out, suite.seq_len)
    val = val[np.linspace(0, len(val) - 1, suite.val_windows).astype(int)].reshape(-1, 16, suite.seq_len)
    each = np.asarray(evaluator(n_head)(carry[0], val), np.float64).ravel()
    n = sum(x.size for x in jax.tree.leaves(carry[0]))
    row = {
        "run": job["run"], "N": n, "N_nonembed": n - VOCAB * d, "D": tokens, "loss": float(each.mean()),
        "loss_se": float(each.std(ddof=1) / math.sqrt(each.size)), "n_layer": n_layer, "d_model": d, "n_head": n_head,
        "seq_len": suite.seq_len, "batch": batch, "steps": steps, "lr": peak, "seed": seed,
        "flops_6nd": 6 * n * tokens, "train_seconds": seconds,
    }  # fmt: skip
    return row, thin(job["run"], *np.concatenate(curve, 1), batch * suite.seq_len)


def plan(suite):
    """Every run of a suite, the longest first so that the workers end together."""
    jobs = []
    for i, size in enumerate(suite.sizes):
        for k, nominal in enumerate(suite.tokens):
            batch = batch_windows(nominal)
            tokens = nominal - nominal % (batch * suite.seq_len * BLOCK)
            repeated = i < suite.repeat_sizes and k < suite.repeat_tokens
            for seed in suite.seeds if repeated else suite.seeds[:1]:
                n = n_params(*size[:2])
                # Some work a token does not grow with N; the constant is measured, and only the ETA depends on it.
                name, cost = f"n{n / 1e3:.0f}k-d{nominal >> 10}ki-s{seed}", tokens * (6 * n + 1e5)
                job = {"suite": suite, "size": size, "D": tokens, "batch": batch, "seed": seed}
                jobs.append(job | {"run": name, "cost": cost})
    return sorted(jobs, key=lambda job: -job["cost"])


def start_worker(counter):
    """Hold this process to one core; JAX sizes its thread pool by the cores it may use, when it first runs."""
    with counter.get_lock():
        index, counter.value = counter.value, counter.value + 1
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[index % len(cores)]})


def write_atomic(path, text):
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8", newline="")
    os.replace(temporary, path)


def read_table(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))) if path.exists() else []


def write_table(path, columns, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, text.getvalue())


def provenance(suite, rows):
    """What a reader needs to judge the table or make it again."""
    return {
        "name": suite.name,
        "description": "Final held-out loss of small byte-level transformer language models, one run to a row, each "
        "with its own learning-rate schedule ending at its own D; trained by benchmarks/train_suite.py.",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "licence": "Apache-2.0",
        "text": "Python standard library sources (*.py, tests included) of the interpreter named under versions, as "
        "bytes; paths in sorted order, exact copies dropped, files shuffled by split_seed, the first twelfth held out; "
        "sha256 is over the training and then the held-out text, files and the two parts joined by one NUL byte.",
        "corpus": load_corpus()[2],
        "versions": {"python": platform.python_version(), "jax": jax.__version__, "optax": optax.__version__,
                     "numpy": np.__version__},
        "model": "Byte-level decoder (vocabulary 256): pre-norm RMSNorm, rotary positions (base 1000), GELU MLP of "
        "width 4 d_model, tied embedding, no biases, float32.",
        "optimiser": {"name": "AdamW (decay on matrices only), linear warm-up, cosine decay"} | HYPER,
        "batch_rule": "windows = 4 sqrt(D / 2**20), to the nearest of 2, 3, 4, 6, 8, 12",
        "lr_rule": "0.32 / d_model * (D / 2**20) ** 0.25",
        "hyper_parameters_chosen": HOW_CHOSEN,
        "data_order": "Disjoint windows of seq_len bytes from the whole training text, shuffled by the seed; a run "
        "reads the first D bytes of that order, once. The seed sets the initial parameters too.",
        "held_out": f"{suite.val_windows} windows of {suite.seq_len} bytes, evenly spaced over the held-out text, the "
        "same for every run; loss_se is therefore mostly common to all runs and does not blur their differences.",
        "seeds": suite.seeds,
        "runs": len(rows),
        "train_seconds_total": sum(float(row["train_seconds"]) for row in rows),
        "columns": COLUMNS,
        "curve_columns": CURVE,
    }  # fmt: skip


def save(out, suite, rows, curves):
    """Curves before the table: a run counts as finished once the table has it."""
    rows.sort(key=lambda r: (int(r["seed"]), int(r["N"]), int(r["D"])))
    rank = {row["run"]: i for i, row in enumerate(rows)}
    curves[:] = sorted((c for c in curves if c["run"] in rank), key=lambda c: (rank[c["run"]], int(c["step"])))
    write_table(out / f"{suite.name}_curves.csv", list(CURVE), curves)
    write_table(out / f"{suite.name}.csv", list(COLUMNS), rows)
    write_atomic(out / f"{suite.name}.json", json.dumps(provenance(suite, rows), indent=1) + "\n")


def run_suite(suite, out, workers, budget, only):
    """Train what is missing, saving after each run; no run starts that is expected to end after `budget` seconds."""
    out.mkdir(parents=True, exist_ok=True)
    rows, curves = read_table(out / f"{suite.name}.csv"), read_table(out / f"{suite.name}_curves.csv")
    finished = {row["run"] for row in rows}
    curves = [c for c in curves if c["run"] in finished]  # a curve without its row is of a run cut off between writes
    todo = [job for job in plan(suite) if job["run"] not in finished and only in job["run"]]
    print(f"{suite.name}: {len(finished)} runs in the table, {len(todo)} to train", flush=True)
    began, flying, done, busy = time.perf_counter(), {}, 0.0, 0.0
    spawn = multiprocessing.get_context("spawn")  # JAX's threads do not survive a fork
    with ProcessPoolExecutor(workers, spawn, start_worker, (spawn.Value("i", 0),)) as pool:
        while todo or flying:
            now, pace = time.perf_counter(), busy / done if done else PACE
            todo = [job for job in todo if now - began + job["cost"] * pace <= budget]
            for job in todo[: workers - len(flying)]:
                flying[pool.submit(train_run, job)] = (job, now)
            todo = [job for job in todo if all(job is not other for other, _ in flying.values())]
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                (job, start), (row, curve), now = flying.pop(future), future.result(), time.perf_counter()
                rows.append(row)
                curves += curve
                save(out, suite, rows, curves)
                done, busy = done + job["cost"], busy + now - start
                ahead = sum(j["cost"] for j in todo) * busy / done
                ahead += sum(max(0.0, j["cost"] * busy / done - (now - t)) for j, t in flying.values())
                took, left = (now - began) / 60, ahead / workers / 60
                print(f"{job['run']:16s} loss {row['loss']:.4f} in {row['train_seconds']:6.1f} s; {len(todo)} more, "
                      f"{took:.1f} min gone, ETA {left:.1f} min", flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=SUITES, default="small")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="folder of the tables")
    parser.add_argument("--budget-minutes", type=float, default=math.inf, help="start no run expected to end later")
    parser.add_argument("--only", default="", help="train only runs whose name holds this, such as n7k or -s0")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="processes, one core each")
    args = parser.parse_args()
    run_suite(SUITES[args.suite], args.out, args.workers, 60 * args.budget_minutes, args.only)


if __name__ == "__main__":
    main()
