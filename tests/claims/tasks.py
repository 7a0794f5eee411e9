"""Tasks: ladders of parameters, tokens, loss and accuracy, direct laws, pass rates, metrics and noise of benchmarks."""

from __future__ import annotations

import numpy as np

import scalejax as sj
from scalejax import laws, papers, studies

from .claim import Claim, Unchecked

# What the library has of each paper.
PROVIDES = {
    "task_ladder": ("studies.ladder", "chain", "laws.llama3_accuracy", "laws.chinchilla", "laws.log_sigmoid_accuracy"),
    "direct_log_accuracy": ("laws.direct_accuracy", "laws.direct_accuracy_compute", "laws.direct_pass_at_k"),
    "bleu_log_law": ("laws.translation_log_law", "formulas.pretraining_gain", "papers.translation_alignment"),
    "passuntil": ("laws.pass_rate", "papers.pass_until", "papers.emergence"),
    "mc_metric_chain": ("papers.choice_metrics", "papers.score_correlations"),
    "bigbench_metrics": ("papers.score_shape",),
    "eval_variance": ("papers.benchmark_noise",),
    "probability_calibration": ("papers.calibration_error", "papers.temperature", "papers.platt"),
    "interval_calibration": ("papers.recalibrated_quantiles", "papers.conformal_width", "papers.combined_quantiles", "backtest"),
}

# Ladders

LADDER = sj.chain(loss=laws.chinchilla, accuracy=(laws.llama3_accuracy, {"nll": "loss"}))
TASKS = ("mmlu", "hellaswag", "arc_challenge", "arc_easy", "piqa", "commonsense_qa", "social_iqa", "openbook_qa")
LARGE = {"N": 13_202_396_160.0, "D": 5_000_088_518_656.0}  # 13B-5T, as the authors' script has it
# step1_main.csv, step2_main.csv and chained_main.csv of the authors: what the 13B model shows, and what is predicted for it.
LOSS = [0.748827, 0.660934, 0.715725, 0.511391, 0.898789, 0.811583, 0.956851, 1.263199]
FORECAST_LOSS = [0.750156, 0.653177, 0.783324, 0.593105, 0.874795, 0.661728, 0.991574, 1.275007]
ACCURACY = [0.516140, 0.831906, 0.638055, 0.871717, 0.829597, 0.741032, 0.615967, 0.486400]
THROUGH_LOSS = [0.513756, 0.841567, 0.603024, 0.819384, 0.807461, 0.717276, 0.633747, 0.457223]
CHAINED = [0.512680, 0.853036, 0.526710, 0.772416, 0.820804, 0.776089, 0.599482, 0.448648]


def sets(task: str) -> tuple[dict[str, float], dict[str, float]]:
    key = f"bhagia2024_{task}"
    return dict(laws.chinchilla.published[key]), dict(laws.llama3_accuracy.published[key])


def losses() -> list[float]:
    return [laws.chinchilla(**LARGE, **sets(task)[0]) for task in TASKS]


def accuracies(at: list[float]) -> list[float]:
    return [laws.llama3_accuracy(loss, **sets(task)[1]) for task, loss in zip(TASKS, at, strict=True)]


def chained() -> list[float]:
    return [LADDER(**LARGE, **sets(task)[0], **sets(task)[1]) for task in TASKS]


def missed(ours: list[float], shown: list[float]) -> float:
    """Mean relative error, in percent."""
    return 100 * float(np.mean(np.abs(np.divide(ours, shown) - 1)))


def ladder_compute() -> list[float]:
    """FLOPs of the 16 runs, of 7B-4T, and their shares of 7B-4T and 13B-5T in percent."""
    N = np.repeat([190354176.0, 371262464.0, 758220288.0, 1279395840.0], 4)
    small = float(np.sum(sj.costs.six_nd(N, 20 * N * np.tile([1.0, 2, 5, 10], 4))))
    large = [float(sj.costs.six_nd(6887575552.0, 3945065873408.0)), float(sj.costs.six_nd(**LARGE))]
    return [small / 1e21, large[0] / 1e23, 100 * small / large[0], 100 * small / large[1]]


# variance.csv: Winogrande, BoolQ, CommonsenseQA, OpenBookQA, ARC-Easy, ARC-Challenge, MMLU, Social IQa, PIQA, HellaSwag.
LOSS_SD = [0.0115221, 0.0067838, 0.0055640, 0.0047268, 0.0045300, 0.0036641, 0.0025552, 0.0024351, 0.0019476, 0.0006953]
ACCURACY_ERROR = [-0.236710, 0.042875, -0.009967, -0.081932, -0.044921, -0.075880, 0.002681, 0.047326, -0.022750, 0.010541]

ROUNDED = "constants of three or four digits move the prediction by up to 0.002"
LADDERS = [
    Claim("task_ladder", "loss of eight tasks predicted for 13B-5T, bits per byte", FORECAST_LOSS, losses, 1.5e-3, note=ROUNDED),
    Claim("task_ladder", "accuracy of eight tasks at the losses that are predicted for 13B-5T", CHAINED,
          lambda: accuracies(FORECAST_LOSS), 7e-4, note=ROUNDED),
    Claim("task_ladder", "accuracy of eight tasks at the losses that 13B-5T shows", THROUGH_LOSS, lambda: accuracies(LOSS), 7e-4,
          note=ROUNDED),
    Claim("task_ladder", "accuracy of eight tasks predicted for 13B-5T from parameters and tokens", CHAINED, chained, 2e-3, note=ROUNDED),
    Claim("task_ladder", "mean error of the predicted accuracy of 13B-5T, points", 4.2,
          lambda: 100 * float(np.mean(np.abs(np.subtract(chained(), ACCURACY)))), 0.05),
    Claim("task_ladder", "mean relative errors of loss, and of accuracy at the loss shown, 13B-5T, %", [6.6, 3.5],
          lambda: [missed(losses(), LOSS), missed(accuracies(LOSS), ACCURACY)], 0.05),
    Claim("task_ladder", "compute of the ladder in 1e21 FLOPs, of 7B-4T in 1e23; the ladder in % of 7B-4T and of 13B-5T",
          [5.2, 1.6, 3.2, 1.3], ladder_compute, 0.05),
    Claim("task_ladder", "correlation of the scatter of the last checkpoints' loss with the error of accuracy at the loss, 7B-4T", 0.821,
          lambda: studies.proxy_calibration(LOSS_SD, np.abs(ACCURACY_ERROR)).pearson, 5e-4),
    Unchecked("task_ladder", "constants of the 7B-4T, compute-only and C4 variants", "the per-checkpoint tables are not public here"),
    Unchecked("task_ladder", "error of 5.81 points of a 32B-6T target", "its runs are not public here"),
]  # fmt: skip

# Pass rates, and emergence as a matter of the metric

SIZES = np.geomspace(3e7, 2.4e9, 7)


def bend(rate) -> float:
    return float(np.sign(papers.emergence(SIZES, rate).bend))


def bends() -> list[float]:
    """Signs of the bend: two steps; five steps; two ways of unequal exponents."""
    steps = [laws.pass_rate(SIZES, c=c, alpha=a) for c, a in ((30.0, 0.15), (1e3, 0.4), (1e5, 0.6), (10.0, 0.1), (300.0, 0.3))]
    ways = 1 - (1 - laws.pass_rate(SIZES, c=20.0, alpha=0.05)) * (1 - laws.pass_rate(SIZES, c=1e5, alpha=0.5))
    return [bend(steps[0] * steps[1]), bend(np.prod(steps, axis=0)), bend(ways)]


def emergent() -> list[float]:
    """Breakthroughness of one token's rate and of 40 tokens right at once; how far their exponents and their bends differ."""
    one = laws.pass_rate(SIZES, c=100.0, alpha=0.3)
    found = [papers.emergence(SIZES, rate) for rate in (one, one**40)]
    shape = papers.score_shape([one, one**40]).breakthroughness
    return [float(shape[1] > 5 * shape[0]), found[1].alpha - found[0].alpha, found[1].bend - found[0].bend]


PASSES = [
    Claim("passuntil", "signs of the bend of log(-log rate): tasks of two and of five steps, and two ways to the answer",
          [1.0, 1.0, -1.0], bends, 0.0, kind="identity"),
    Claim("passuntil", "40 tokens right at once look broken where one does not (1); difference of their exponents and bends",
          [1.0, 0.0, 0.0], emergent, 1e-8, kind="identity",
          note="emergence is in the metric: the coordinates are the same but for log 40"),
    Unchecked("passuntil", "HumanEval of a 2.4B model predicted within 0.05 %", "its pass rates are not public"),
]  # fmt: skip

# Metrics of multiple choice, shape of scores, noise


def links() -> list[float]:
    """Accuracy of an item of four options with 0.4 on the right one, the rest spread and in one; share of items whose rank correlation with
    compute the exponential changes."""
    items = papers.choice_metrics(np.log([[0.4, 0.2, 0.2, 0.2], [0.4, 0.6 - 2e-6, 1e-6, 1e-6]]), [0, 0])
    rng = np.random.default_rng(0)
    compute = np.geomspace(1e18, 1e24, 12)
    logp = -5 + 0.3 * np.log(compute)[:, None] * rng.uniform(0, 0.2, 50) + rng.standard_normal((12, 50))
    before, after = (papers.score_correlations(m, compute).values["values"] for m in (logp, np.exp(logp)))
    return [*items.accuracy, float(np.mean(np.abs(before - after) > 1e-12))]


def shapes() -> list[float]:
    """Linearity and breakthroughness of a straight line of five scores; is one token more linear, and 40 tokens more broken?"""
    one = laws.pass_rate(SIZES, c=100.0, alpha=0.3)
    found = papers.score_shape([one, one**40])
    line = papers.score_shape(np.linspace(0.2, 0.6, 5))
    broken = float(found.breakthroughness[1] > found.breakthroughness[0])
    return [line.linearity, line.breakthroughness, float(found.linearity[0] > found.linearity[1]), broken]


# Scores of one model, with the standard errors and items of the harness, as the data of arXiv:2512.08894 have them.
SCORED = ((0.1697952218430034, 1172), (0.404040404040404, 2376), (0.26110336586337385, 10042), (0.20900446341936735, 5153))
STDERR = [0.010971775, 0.010069062, 0.004383385, 0.005664699]

METRICS = [
    Claim("mc_metric_chain", "accuracy at 0.4 on the right of four options, the rest spread or in one; items whose ranks exp changes",
          [1.0, 0.0, 0.0], links, 0.0, kind="exact"),
    Claim("bigbench_metrics", "linearity and breakthroughness of a straight line of five; one token is more linear, many more broken",
          [0.8, 4.0, 1.0, 1.0], shapes, 1e-9, kind="exact"),
    Claim("eval_variance", "standard errors of ARC-Challenge, ARC-Easy, HellaSwag and LAMBADA by their items", STDERR,
          lambda: [papers.benchmark_noise([p, p], items=n).item_sd for p, n in SCORED], 6e-6,
          note="the harness divides by n - 1: 0.04 % more at 1172 items"),
    Claim("bleu_log_law", "alignment of halves of both languages, the source alone, the target alone", [1.0, 0.7, 0.8],
          lambda: [papers.translation_alignment(*p) for p in ((0.5, 0.5), (1.0, 0.0), (0.0, 1.0))], 1e-12),
    Unchecked("bleu_log_law", "errors of predicted BLEU up to 0.061", "its scores are not public"),
    Unchecked("mc_metric_chain", "shares of items with correlations above 0.75, orders of metrics", "the scores of items are not public"),
    Unchecked("bigbench_metrics", "about 5 % of the tasks break through", "the results of the tasks are not public here"),
    Unchecked("eval_variance", "seed variance and monotonicity of 13 benchmarks", "the ten seeds are not public"),
    Unchecked("direct_log_accuracy", "mean relative error 1.96 % beside 6.67 % and 6.35 % in two stages", "its runs are not public here"),
    Unchecked("probability_calibration", "calibration of image classifiers by depth and width", "their outputs are not public here"),
]  # fmt: skip

CLAIMS = [*LADDERS, *PASSES, *METRICS]
