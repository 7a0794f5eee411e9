"""Distillation, training in many places, in private and by growth, and what answers cost."""

from __future__ import annotations

import numpy as np

import scalejax as sj
from scalejax import costs, laws, papers

from .claim import Claim, Unchecked

# What the library has of each paper.
PROVIDES = {
    "distillation": ("laws.distilled", "costs.distillation", "chain"),
    "diloco": ("laws.diloco", "laws.diloco_slope", "laws.diloco_sum", "laws.diloco_lr", "laws.diloco_batch", "papers.replica_seconds"),
    "dp_training": ("papers.privacy_delta", "papers.noise_multiplier", "papers.noise_batch_ratio", "papers.private_losses"),
    "kinetics": ("papers.answer_flops", "papers.sparse_answer_flops"),
    "gstack_growth": ("laws.growth_tokens",),
}

# Distillation

_ALONE = laws.chinchilla_outer.published["busbridge2025"]
_TAUGHT = laws.distilled.published["busbridge2025"]
_STUDENT = sj.chain(L_T=(laws.chinchilla_outer, {"N": "N_T", "D": "D_T"}), Lt=laws.chinchilla_outer, loss=laws.distilled)
_CONSTANTS = {
    called: (_TAUGHT if stage.name == "loss" else _ALONE)[own] for stage in _STUDENT.stages for own, called in stage.parameters
}  # fmt: skip


def student(N: float, D: float, L_T: float) -> list[float]:
    """Loss with a teacher, and without."""
    Lt = laws.chinchilla_outer(N, D, **_ALONE)
    return [laws.distilled(N, D, L_T, Lt, **_TAUGHT), Lt]


def exponent(constants) -> float:
    """Growth of the best size with compute under 6 N D."""
    N = sj.allocate((laws.chinchilla_outer, constants), compute=[1e20, 1e22]).N
    return float(np.log(N[1] / N[0]) / np.log(100))


def paid_teacher() -> list[float]:
    """1 for every budget at which the best teacher and tokens beat training 1e9 parameters alone for all of it."""
    budgets = [1e20, 1e21, 1e22, 1e23]
    best = sj.allocate(
        (_STUDENT, _CONSTANTS), compute=budgets, cost=costs.distillation, N=1e9, over=("D", "N_T", "D_T"),
        bounds={"D": (1e8, 1e15), "N_T": (1e8, 1e12), "D_T": (1e9, 1e15)},
    )  # fmt: skip
    return [float(v) for v in best.loss < laws.chinchilla_outer(1e9, np.array(budgets) / 6e9, **_ALONE)]


# DiLoCo: table 4, losses of data-parallel training and of M = 1, 2, 4, 8.

_SIZES = np.array([35e6, 90e6, 180e6, 335e6, 550e6, 1.3e9, 2.4e9])
_LOSSES = np.array(
    [
        [3.485, 3.482, 3.508, 3.554, 3.621],
        [3.167, 3.162, 3.182, 3.213, 3.265],
        [2.950, 2.943, 2.957, 2.981, 3.019],
        [2.784, 2.777, 2.788, 2.808, 2.841],
        [2.653, 2.645, 2.657, 2.673, 2.698],
        [2.460, 2.451, 2.464, 2.472, 2.493],
        [2.326, 2.317, 2.323, 2.332, 2.351],
    ]
)
_REPLICAS = np.array([1.0, 2.0, 4.0, 8.0])
_KEYS = ("dp", "one", "two", "four", "eight")


def joint() -> list[float]:
    N, M = (v.ravel() for v in np.meshgrid(_SIZES, _REPLICAS, indexing="ij"))
    runs = sj.read_runs({"N": N, "M": M, "loss": _LOSSES[:, 1:].ravel()}, N="N", M="M", loss="loss")
    found = sj.fit(laws.diloco, runs, fix={"C": 0.0}, loss=sj.squared(), starts=16).params
    return [found["alpha"], found["beta"]]


def predicted(N: float) -> float:
    return laws.diloco(N, 1.0, **laws.diloco.published["dp"])


def crossings() -> list[float]:
    """Sizes in billions from which M = 2, 4 and 8 are better than data-parallel training."""
    base = (laws.diloco, laws.diloco.published["dp"])
    found = [sj.break_even((laws.diloco, laws.diloco.published[key]), base, "N", (1e8, 1e12), M=1.0).values for key in _KEYS[2:]]
    return [float(v[0]) / 1e9 for v in found]


def table_off() -> float:
    """Largest relative difference of the published lines from the losses that they were fitted to."""
    lines = [laws.diloco(_SIZES, 2.0, **laws.diloco.published[key]) for key in _KEYS]  # for one M each: whatever is given, beta is 0
    return float(np.abs(np.stack(lines, axis=1) / _LOSSES - 1).max())


# Kinetics: lengths of 32 answers of Qwen3 8B to one question of AIME 2024, and the prompt's, in the authors' tables.

_ANSWERS = np.array(
    [
        6025, 5327, 5299, 5462, 6927, 7964, 5898, 8054, 5085, 4687, 6451, 5030, 4531, 6922, 5955, 7185, 6670, 5428, 6651, 5302, 7406, 7069,
        6280, 5855, 4827, 5968, 4974, 5582, 5272, 3816, 5746, 6968,
    ]
)  # fmt: skip
_QWEN3_8B = {"P": 8.19e9, "d_attn": 32 * 128 * 36, "d_kv": 8 * 128 * 36}


def answered(n: int) -> list[float]:
    """Mean teraFLOPs of computing, and of memory in their currency."""
    both = [np.mean(papers.answer_flops(L_p=140, L_o=_ANSWERS, n=n, **_QWEN3_8B, intensity=rate)) / 1e12 for rate in (0.0, 562.5)]
    return [both[0], both[1] - both[0]]


def grown() -> list[float]:
    """Billions of tokens before stacking."""
    N, D = np.array([8e9, 7e9, 13e9, 70e9]), np.array([15e12, 2e12, 2e12, 2e12])
    return laws.growth_tokens(N, costs.six_nd(N, D), **laws.growth_tokens.published["du2024"]) / 1e9


CLAIMS = [
    Claim(
        "distillation", "losses with a teacher and without: (143M, 3.7e9, 1.8953), (546M, 98.5e9, 1.9318), (1.82B, 38.9e9, 2.1689), "
        "(7.75B, 512e9, 2.0)", [2.5917, 2.8496, 2.2985, 2.3246, 2.2288, 2.2446, 2.0098, 1.9329],
        lambda: [
            *student(143e6, 3.7e9, 1.8953), *student(546e6, 98.5e9, 1.9318), *student(1.82e9, 38.9e9, 2.1689), *student(7.75e9, 512e9, 2.0),
        ], 5e-5, kind="identity", note="the printed constants by hand: the paper prints no losses",
    ),
    Claim(
        "distillation", "exponent of the best size, of supervised training and of the student's own term", [0.513, 0.664],
        lambda: [exponent(_ALONE), exponent({"E": 1.0, "q": _TAUGHT["gamma"], **{k: _TAUGHT[k] for k in ("A", "alpha", "B", "beta")}})],
        1e-3, note="a unit of the last digit: it follows from exponents of three digits",
    ),
    Claim(
        "distillation", "one student of 1B whose teacher must be trained: distillation better at 1e20, 1e21, 1e22, 1e23 FLOPs",
        [0, 0, 0, 0], paid_teacher, 0.0, kind="paper", slow=True,
    ),
    Unchecked(
        "distillation", "a teacher that is there is better up to a budget that grows with the student",
        "so for students of 1B, 3B and 10B; for 0.3B the losses differ by 0.003 nats or less, which three digits do not decide",
    ),
    Unchecked(
        "distillation", "errors below 1 % for the paper's own runs", "the runs are not public; points read off its figures have no source"
    ),
    Claim(
        "diloco", "exponents of size and replicas from table 4", [-0.0985, 0.0116], joint, 1.5e-4, kind="repro",
        note="from nominal sizes, which the paper's fit did not have",
    ),
    Claim("diloco", "largest relative error of the lines at the losses of table 4: below 0.01", 0.005, table_off, 0.005, kind="repro"),
    Claim(
        "diloco", "data-parallel loss of 4B and 10B by the line without offset; 2.224 and 2.090 were measured", [2.204, 2.020],
        lambda: [predicted(4e9), predicted(10e9)], 5e-4, kind="identity", note="the printed constants by hand",
    ),
    Claim(
        "diloco", "billions of parameters from which M = 2, 4, 8 beat data-parallel training", [2.5, 4.0, 9.6], crossings, 0.05,
        kind="identity",
    ),
    Unchecked(
        "diloco", "held-out residuals of the four forms (table 13)",
        "the start was chosen by the residual itself, and exact sizes are not printed",
    ),
    Claim(
        "dp_training", "noise multiplier for (1, 1e-5): one step of 1 %, and 25 of 0.1 %; expected in tests of the paper's accountant",
        [0.67379294682, 3.20956502598 / 6],
        lambda: [papers.noise_multiplier(1.0, 1e-5, 0.01, 1), papers.noise_multiplier(1.0, 1e-5, 1e-3, 25)],
        1e-6, kind="exact", note="both on grids; printed for a sensitivity of 6 in the second case",
    ),
    Unchecked(
        "dp_training", "private models at least ten times smaller than others; compute beyond which nothing is gained; 1e3 to 1e5 tokens a "
        "parameter", "the surface of losses is not public in a form that can be cited",
    ),
    Unchecked(
        "dp_training", "VaultGemma: noise multiplier 0.614 for (2, 1.1e-10), batch 518K, 100k steps; its loss within 1 %",
        "the number of sequences is not stated: 9.1e9 give 0.621, 1.27e10 give 0.598; its surface of losses is not public",
    ),
    Claim(
        "kinetics", "teraFLOPs of computing and of memory, Qwen3 8B, question 2 of AIME 2024: 1, 2 and 32 answers",
        [108.823162436928, 1582.255889568, 217.646324873856, 3095.341045056, 3482.341197981696, 48487.895709696],
        lambda: [*answered(1), *answered(2), *answered(32)], 1e-8, kind="exact",
    ),
    Unchecked(
        "kinetics", "up to three times the cost by choices of compute alone; 60 and 5 points gained by sparsity",
        "they rest on all generations, of which the public tables hold the costs of some",
    ),
    Claim(
        "gstack_growth", "billions of tokens before growth: Llama 3 8B of 15e12, Llama 2 7B, 13B and 70B of 2e12",
        [6.58, 11.11, 15.84, 42.48], grown, 5e-3,
    ),
    Unchecked("gstack_growth", "54.6 % fewer FLOPs for the loss of 300e9 tokens", "300 / 194 is no computation; the curves are not public"),
]  # fmt: skip
