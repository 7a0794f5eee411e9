"""Data quality: filtering, pruning, noisy and synthetic data, collapse, losses from losses, decisions between recipes, merging."""

from __future__ import annotations

import numpy as np

import scalejax as sj
from scalejax import laws, papers, studies

from .claim import Claim, Unchecked

# What the library has of each paper.
PROVIDES = {
    "data_filtering_utility": (
        "laws.filtering_utility",
        "laws.filtering_pool",
        "laws.filtering_pool_code",
        "laws.filtering_effective_data",
        "papers.best_pools",
    ),
    "data_pruning_beyond_power": ("formulas.pruning_frontier",),
    "noisy_image_worth": ("laws.noisy_images", "papers.cheapest_images"),
    "meta_learning_ppl": ("laws.few_shot_power_law", "formulas.prediction_horizon", "equivalent"),
    "projektor": ("papers.fit_projection", "papers.project_performance", "papers.transport_distance", "papers.nearest_mixture"),
    "datadecide": ("studies.decision_accuracy", "laws.single_step_accuracy", "formulas.two_stage", "break_even"),
    "loss_to_loss": (
        "laws.loss_to_loss",
        "laws.kaplan_irreducible",
        "laws.loss_to_error",
        "studies.translate",
        "studies.fit_link",
        "studies.pair_runs",
    ),
    "scalable_data_ablation": ("studies.proxy_calibration",),
    "tale_of_tails": ("laws.tail_cut", "laws.collapse_generations", "papers.tail_error", "papers.tail_constants"),
    "model_collapse_regression": ("laws.collapse_regression", "papers.collapsed_ridge"),
    "concept_frequency_loglinear": ("laws.concept_frequency", "equivalent"),
    "intrinsic_dataset_properties": ("laws.intrinsic_dimension_loss", "papers.intrinsic_dimension", "papers.label_sharpness"),
    "humanlike_visual_experience": ("laws.visual_experience", "allocate"),
    "map_pareto_merging": ("papers.quadratic_surface", "papers.merging_front", "statistics.undominated"),
}

_M = 12.8e6
_ONE = {"a": 0.022, "b": 0.13106060606060607, "tau": 3.0, "d": 0.1}  # where the authors' scripts are evaluated; no fit of this law
_VECTORS = {**_ONE, "b": np.asarray([_ONE["b"]]), "tau": np.asarray([_ONE["tau"]])}
_TMARS = laws.filtering_pool_code.published["tmars"]
_LINKS = laws.loss_to_loss.published
_CORPORA = ("proof_pile_2", "slimpajama", "smollm", "starcoder")
_ITEMS = 1_000_000


def _pools_grow() -> bool:
    """The best of the nested unions never shrinks with samples seen, and grows from 32M to 640M, in both forms of the law."""
    budgets = [3.2e7, 6.4e7, 1.28e8, 6.4e8]
    counts = [papers.best_pools(budgets, _M, **_TMARS, law=law).count for law in (laws.filtering_pool, laws.filtering_pool_code)]
    return all((np.diff(c) >= 0).all() and c[0] == 1 and c[-1] > 1 for c in counts)


def _integrated(epochs: int, steps: int = 1_000_000) -> float:
    """Error after so many epochs from the law's differential equation, in ln n: the excess falls by the share b_k d ln n in every step."""
    excess = _ONE["a"] ** -_ONE["b"]  # at n = 1, in the law's units of 1e5 samples
    marks = np.log(np.concatenate([[1.0], _M / 1e5 * np.arange(1, epochs + 1)]))
    for k, width in enumerate(np.diff(marks)):
        excess *= (1 - _ONE["b"] * 2 ** (-k / _ONE["tau"]) * width / steps) ** steps
    return float(excess + _ONE["d"])


def _on_the_grids() -> list[float]:
    b, tau = (np.asarray(_TMARS[name]) for name in ("b", "tau"))
    grids = np.linspace(0.005, 0.5, 100), np.linspace(1, 10, 100)
    return [*(np.abs(v[:, None] - grid).min(axis=1).max() for v, grid in zip((b, tau), grids, strict=True)), _TMARS["a"], _TMARS["d"]]


def _epoch_by_epoch() -> float:
    """Error after 640M samples of all four buckets: epochs are four times as long, and so are half-lives."""
    b, tau = (np.asarray(_TMARS[name]) for name in ("b", "tau"))
    marks = np.minimum(4 * _M * np.arange(1, 14), 6.4e8)
    y = _TMARS["d"] + (_TMARS["a"] * marks[0] / 1e5) ** -b.mean()
    for k in range(1, len(marks)):
        y *= (marks[k] / marks[k - 1]) ** -np.mean(b * 2 ** (-k / (4 * tau)))
    return float(y)


def _never_hurts() -> bool:
    """More repetitions never raise the loss of `data_constrained`: no double descent."""
    D = np.geomspace(1e9, 1e13, 60)
    values = laws.data_constrained.published["muennighoff2023"]
    return bool(all((np.diff(laws.data_constrained(N, D, 1e9, **values)) <= 1e-13).all() for N in (1e8, 8e8, 1e10)))


def _same_run() -> list[float]:
    """FineWeb-Edu's loss at 1e21 FLOPs, from the prediction for FineWeb, taken to the other four corpora."""
    L_0 = sj.equivalent((laws.loss_to_loss, _LINKS["train_fineweb"]), "L_0", like=2.3315, bounds={"L_0": (1.98, 5.0)}).value
    return [laws.loss_to_loss(L_0, **_LINKS[f"train_{corpus}"]) for corpus in _CORPORA]


def _own_link() -> list[float]:
    L = np.linspace(2.2, 4.0, 12)
    link = studies.fit_link(L, L, E_0=1.9, E_1=1.9)
    return [link.K, link.kappa]


def _frontier_exponent(form: str) -> float:
    """d log N / d log C of the compute-optimal size of a law carried over with kappa = 1.1."""
    law, N, D = getattr(laws, form), np.logspace(8, 10, 6), np.logspace(10, 11, 6)
    base = {
        "kaplan_irreducible": laws.kaplan_irreducible.published["fineweb_edu"],
        "chinchilla": {"A": 2517.506178, "B": 7160.559683, "E": 2.002191409, "alpha": 0.454019228, "beta": 0.44947219},
    }[form]
    loss = laws.loss_to_loss(law(N, D, **base), K=0.63, kappa=1.1, E_0=base["E"], E_1=0.85)
    found = studies.translate((law, base), sj.read_runs({"N": N, "D": D, "loss": loss}), E_1=0.85, replicates=2)
    sizes = sj.allocate((found.law, found.params), compute=np.asarray([1e19, 1e22])).inputs["N"]
    return float(np.log(sizes[1] / sizes[0]) / np.log(1e3))


def _tail_slope(beta: float) -> float:
    """Log-log slope between 1e3 and 1e4 samples, with the mass of the items that the finite sum leaves out."""
    T = np.asarray([1e3, 1e4])
    rest = papers.tail_constants(beta).B * _ITEMS ** (1 - beta)
    return float(np.diff(np.log(papers.tail_error(T, _ITEMS, beta, items=_ITEMS) + rest))[0] / np.log(10.0))


def _plateaus(beta: float) -> float:
    """Plateau with the tail cut after rank 500, over that with twice as many items."""
    rest = papers.tail_constants(beta).B * _ITEMS ** (1 - beta)
    low, high = papers.tail_error(1e12, [500, 1000], beta, items=_ITEMS) + rest
    return float(low / high)


def _crossover(beta: float, k: float = 1000.0) -> float:
    """Samples at which the error of all items, a sum, is the plateau of items cut after rank k, another; over the closed form."""
    found = papers.tail_constants(beta)
    rest = found.B * _ITEMS ** (1 - beta)
    plateau = papers.tail_error(1e15, k, beta, items=_ITEMS) + rest
    T = found.crossover(k, beta) * np.geomspace(0.8, 1.25, 9)
    error = papers.tail_error(T, _ITEMS, beta, items=_ITEMS) + rest
    return float(np.exp(np.interp(np.log(plateau), np.log(error[::-1]), np.log(T[::-1]))) / found.crossover(k, beta))


def _chains(d: int = 8, T: int = 40, chains: int = 4000) -> np.ndarray:
    """Mean squared error of least squares on labels from n earlier fits, with fresh inputs for every fit, over the law."""
    rng, errors = np.random.default_rng(0), []
    w = np.zeros((chains, d))  # less the truth
    for n in range(5):
        X = rng.standard_normal((chains, T, d))
        inverse = np.linalg.pinv(X)
        if n in (0, 1, 4):
            last = w + np.einsum("cdt,ct->cd", inverse, rng.standard_normal((chains, T)))
            errors.append(np.mean(np.sum(last**2, axis=1)))
        w = w + np.einsum("cdt,ct->cd", inverse, 0.5 * rng.standard_normal((chains, T)))
    return errors / laws.collapse_regression(float(T), float(T), np.array([0.0, 1.0, 4.0]), float(d), sigma=1.0, sigma_0=0.5)


def _switch() -> list[float]:
    """Jump of value and of slope in log n at the switch, and the distance from a power law with q_2 = 0."""
    values, n_s, step = {"A": 3.0, "alpha": 0.4, "q_2": -0.08}, 50.0, 1e-6
    x = n_s * np.exp(step * np.asarray([-2.0, -1.0, 0.0, 1.0, 2.0]))
    e = np.log(laws.few_shot_power_law(x, **values, n_s=n_s))
    n = np.logspace(0, 4, 9)
    straight = laws.few_shot_power_law(n, **{**values, "q_2": 0.0}, n_s=n_s) / laws.m1(n, beta=3.0, c=0.4) - 1
    return [e[3] - e[1] + 2 * step * 0.4, (e[4] - e[2] - e[2] + e[0]) / (2 * step), np.abs(straight).max()]


def _least_runs(T: int) -> tuple[int, float]:
    """The smallest number of merged models from which a quadratic surface is fitted, and 1 - c'c / T of a c of halves from it."""
    c = np.random.default_rng(T).uniform(size=(40, T))
    for n in range(1, 40):
        try:
            found = papers.quadratic_surface(c[:n], 1 - (c[:n] ** 2).mean(axis=1, keepdims=True))
        except sj.DataError:
            continue
        return n, float(np.ravel(found.predict(np.full((1, T), 0.5)))[0])
    raise AssertionError("no surface was fitted")


def _projected() -> list[float]:
    """Stage 2 at both sizes, and far from them on a curve that is linear in log N; less the truth."""
    V = {N: 0.1 + 0.07 * np.log(N) for N in (1e4, 4e4, 1e8)}
    return [float(papers.project_performance(N, 1e4, 4e4, V[1e4], V[4e4]) - V[N]) for N in V]


def _generations(n) -> np.ndarray:
    return laws.collapse_regression(600.0, 600.0, np.asarray(n, dtype=float), 300.0, sigma=1.0, sigma_0=0.5)


FILTERING = [
    Claim("data_filtering_utility", "error after 6.4M, 12.8M, 32M, 64M, 128M, 640M samples of a 12.8M bucket, paper's form",
          [1.056146, 0.973114, 0.897546, 0.862062, 0.846818, 0.843318],
          lambda: laws.filtering_utility(np.asarray([6.4e6, 12.8e6, 3.2e7, 6.4e7, 1.28e8, 6.4e8]), _M, **_ONE), 5.1e-7, "exact"),
    Claim("data_filtering_utility", "error after 10 epochs from dy/dn = -(y - d) b_k / n, 1e6 Euler steps an epoch",
          _integrated(10), lambda: laws.filtering_utility(10 * _M, _M, **_ONE), 1e-6, "exact"),
    Claim("data_filtering_utility", "the same in the authors' code, whose floor fades: 32M, 128M, 640M samples",
          [0.888891, 0.832353, 0.828453],
          lambda: laws.filtering_pool_code(np.asarray([3.2e7, 1.28e8, 6.4e8]), _M, np.ones((3, 1)), **_VECTORS), 5.1e-7, "exact"),
    Claim("data_filtering_utility", "the best number of buckets grows with the samples seen", True, _pools_grow, 0, "identity",
          note="constants of the authors' repository, ImageNet; one bucket at 32M samples, two at 640M"),
    Claim("data_filtering_utility", "b and tau of four buckets: distance from the authors' grids (0.005 to 0.5, 1 to 10, 100 values); a "
          "and d, which they held", [0.0, 0.0, 0.025, 0.1], _on_the_grids, 1e-12, "exact"),
    Claim("data_filtering_utility", "all four buckets, 640M samples: the authors' form, epoch by epoch, over the law", 1.0,
          lambda: _epoch_by_epoch() / laws.filtering_pool_code(6.4e8, _M, np.ones(4), **_TMARS), 1e-12, "exact"),
    Unchecked("data_filtering_utility", "keeping 10 % is overtaken by no filtering beyond about 450M samples",
              "the constants of unfiltered data, and the curves, are not in the authors' repository"),
    Unchecked("data_pruning_beyond_power", "with a good metric the exponent of the envelope exceeds that of random subsets and grows",
              "the error curves are not public; simulated curves show it in the tests"),
    Unchecked("score_pruning_limits", "random pruning is not beaten at 30 % kept or less", "the paper's curves are not public"),
    Unchecked("data_selection_scaling", "some methods decline as the pool grows", "the scores are not among the public data used here"),
    Unchecked("repeated_random_sampling", "random re-sampling beats most selection at high compression", "the curves are not public"),
    Unchecked("scalable_data_ablation", "averages of models predict models of unions", "the perplexities are not public"),
]  # fmt: skip

REPETITION = [
    Claim("repeated_data_double_descent", "a law with saturating data never rises with repetition", True, _never_hurts, 0, "identity",
          note="so that `data_constrained` cannot show the paper's effect, a loss that rises and falls again"),
    Unchecked("repeated_data_double_descent", "800M parameters with 0.1 % of the data repeated 100 times equal 400M",
              "the losses are not public; `equivalent` gives the size for a loss"),
    Unchecked("token_crisis", "size, parameters and objective matter, quality and FLOPs little", "the runs are not public"),
    Unchecked("one_epoch", "one epoch is 1.9 to 3.3 times as fast as ten", "the curves are not public"),
]  # fmt: skip

WORTH = [
    Unchecked("noisy_image_worth", "a clean ImageNet image is worth 1.5 to 1.75 noisy ones at sigma = 0.2",
              "the table of FID is an image in the authors' repository"),
    Unchecked("synthetic_images", "exponents of synthetic images are below those of real ones", "the repository has checkpoints alone"),
    Unchecked("deliberate_practice", "3.4 and 8 times fewer samples", "the curves are not public"),
    Unchecked("rephrasing_web", "about 3 times faster pre-training", "the curves are not public"),
    Unchecked("cauker", "synthetic curves are monotone, real ones are not", "the accuracies are not public; see `monotone_trend`"),
    Unchecked("concept_frequency_loglinear", "log-linear trend over 34 models and 5 training sets",
              "binned scores are in the authors' repository, not among the public data used here"),
    Unchecked("long_tail_knowledge", "rare questions need about 1e18 parameters", "recalled; the accuracies are not public"),
    Unchecked("intrinsic_dataset_properties", "K_F = 0.106, d_data = 19, d_repr = 24 of CIFAR-10 classes 0 and 1",
              "the images and their sample are not at hand"),
    Claim("humanlike_visual_experience", "accuracy of 2.5e9 parameters, 20,000 hours, 952 pixels, per cent", 53.2,
          lambda: laws.visual_experience(2e4, 2.5e9, 952.0, **laws.visual_experience.published["finetuning_logs"]), 0.05),
    Unchecked("humanlike_visual_experience", "the four coefficients and R2 = 0.9487", "the logs are not among the public data used here"),
    Unchecked("imitation_learning_data", "power laws in environments and objects", "the scores appear in a figure only"),
    Unchecked("datastore_scaling", "no saturation up to 1.4e12 tokens", "no table of results is public"),
    Unchecked("generative_retrieval_scaling", "larger is not better at 8.8M passages", "the table is not at hand; see `monotone_trend`"),
    Unchecked("accuracy_on_the_curve", "a quadratic beats a line under subpopulation shift", "the accuracies are not public"),
]  # fmt: skip

COLLAPSE = [
    Claim("tale_of_tails", "log-log slope before the plateau for beta = 3/2 and 2, from the sum over items", [-1 / 3, -1 / 2],
          lambda: [_tail_slope(1.5), _tail_slope(2.0)], 1e-3, note="asymptotic; next terms are of relative order 1/T"),
    Claim("tale_of_tails", "plateau with the tail cut at k over that at 2k is 2^(beta - 1): beta = 3/2, 2, 3", [2**0.5, 2.0, 4.0],
          lambda: [_plateaus(b) for b in (1.5, 2.0, 3.0)], 0.01, note="asymptotic; next terms are of relative order 1/k"),
    Claim("tale_of_tails", "crossover T*, where the error of all items meets the plateau of a tail cut after rank 1000, from the sums over "
          "items: beta = 3/2, 2, 3, over the closed form", [1.0, 1.0, 1.0], lambda: [_crossover(b) for b in (1.5, 2.0, 3.0)], 0.01,
          note="asymptotic; next terms are of relative order 1/k"),
    Claim("tale_of_tails", "plateau after 1, 2, 5 generations over the first", [1.0, 2.0, 5.0],
          lambda: laws.collapse_generations(1e300, 1e6, np.asarray([1.0, 2.0, 5.0]), A=1.0, B=1.0, beta=2.0)
          / laws.collapse_generations(1e300, 1e6, 1.0, A=1.0, B=1.0, beta=2.0), 1e-12, "identity",
          note="the linear growth is the paper's; simulated chains of samples grow more slowly, see the tests"),
    Claim("model_collapse_regression", "(E_n - E_0) / (E_1 - E_0) for n = 2, 3, 7", [2.0, 3.0, 7.0],
          lambda: (_generations([2, 3, 7]) - _generations(0)) / (_generations(1) - _generations(0)), 1e-9, "identity"),
    Claim("model_collapse_regression", "E_n for d = 300, T = T_0 = 600, sigma = 1, sigma_0 = 1/2, n = 0, 1, 4",
          [300 / 299, 375 / 299, 600 / 299], lambda: _generations([0, 1, 4]), 1e-12, "corrected",
          note="stated as sigma^2 + n sigma_0^2 = 1, 1.25, 2, which is the limit of large d; finite samples have d / (T - d - 1)"),
    Claim("model_collapse_regression", "E_n of simulated chains of regressions over the law's, d = 8, T = T_0 = 40, n = 0, 1, 4",
          [1.0, 1.0, 1.0], _chains, 0.03, note="4,000 chains: the tolerance is about three standard errors"),
]  # fmt: skip

FEW = [
    Claim("meta_learning_ppl", "jump of value and slope at the switch; distance from a power law for q_2 = 0", [0.0, 0.0, 0.0], _switch,
          [1e-12, 1e-6, 1e-13], "exact", note="the slope is a difference over 1e-6, which leaves curvature times that step"),
    Unchecked("meta_learning_ppl", "37 % and 33 % better estimates, 76 % and 91 % less over-estimation", "the curves are not public"),
    Claim("projektor", "stage 2 at both sizes and on a log-linear curve, less the truth", [0.0, 0.0, 0.0], _projected, 1e-13, "exact"),
    Claim("map_pareto_merging", "least evaluations for 1, 2, 3, 4 coefficients, (T + 1)(T + 2) / 2, and 0.75, a quadratic elsewhere, "
          "from so many", [[3, 6, 10, 15], [0.75] * 4], lambda: np.transpose([_least_runs(T) for T in (1, 2, 3, 4)]), 1e-8, "exact"),
]  # fmt: skip

DECISIONS = [
    Unchecked("datadecide", "ranking at 150M decides about 80 % of pairs at 1B; no law beats it",
              "the results are on a hub that is not among the public data used here; mixtures of another paper are in the tests"),
]  # fmt: skip

LOSSES = [
    Claim("loss_to_loss", "predictions at 1e21 FLOPs for ProofPile 2, SlimPajama, SmolLM, StarCoder from that for FineWeb, 2.3315",
          [1.4045, 2.1448, 1.7026, 0.9292], _same_run, 1e-4,
          note="all five come from one loss of FineWeb-Edu, 2.1263; tolerance: half a digit of these and of 2.3315"),
    Claim("loss_to_loss", "K and kappa of a corpus with itself", [1.0, 1.0], _own_link, 1e-10, "identity"),
    Claim("loss_to_loss", "exponent of the compute-optimal size after translation: Kaplan's form, Chinchilla's",
          [0.455581299 / (0.41289807 + 0.455581299), 0.44947219 / (0.454019228 + 0.44947219)],
          lambda: [_frontier_exponent(form) for form in ("kaplan_irreducible", "chinchilla")], 1e-6, "exact",
          note="that of the reference: kappa cancels"),
    Unchecked("loss_to_loss", "K and kappa of the five corpora from 529 runs; actual losses at 1e21 FLOPs",
              "the authors' sweep is not among the public data used here"),
    Unchecked("loss_to_loss", "extrapolates to 20 times the largest fitting budget",
              "the authors' sweep is not among the public data used here; another paper's 7B runs are in the tests"),
]  # fmt: skip

CLAIMS = [*FILTERING, *REPETITION, *WORTH, *COLLAPSE, *FEW, *DECISIONS, *LOSSES]
