"""Theories of what networks learn, represent and keep of their data."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from scalejax import laws, papers

from .claim import Claim, Unchecked

# What the library has of each paper.
PROVIDES = {
    "kan_scaling": ("papers.spline_error", "papers.spline_exponents"),
    "lottery_ensembling": ("laws.lottery_tickets", "formulas.ticket_crossover", "papers.simulate_tickets"),
    "superposition": (
        "papers.superposition_exponents", "papers.width_exponent", "papers.weak_superposition_loss", "papers.strong_superposition_loss",
        "papers.train_superposition", "laws.power_law",
    ),
    "hopfield_bound": ("papers.hopfield_energy", "papers.hopfield_descent"),
    "compositional_rates": ("papers.compositional_rate", "papers.kernel_error", "papers.composed_error"),
    "grokking_emergence": ("laws.generalisation_boundary", "papers.feature_survival"),
    "data_pruning_theory": ("papers.pruned_perceptron_error", "papers.simulate_pruned_perceptron"),
    "data_pruning_limits": ("papers.prune_regression", "papers.pruning_gap"),
    "multistage_nn": ("papers.multistage_fit",),
    "transformer_effective_theory": ("papers.tangent_by_group",),
}  # fmt: skip


def spline_slope() -> float:
    """Cubic splines on a smooth target, 64 to 128 intervals."""
    coarse, fine = (papers.spline_error(lambda x: jnp.exp(jnp.sin(2 * x)), G) for G in (64, 128))
    return float(np.log2(fine / coarse))


def ticket_exponent() -> float:
    k = np.array([1, 2, 4, 8, 16, 32])
    found = papers.simulate_tickets(k)
    return -float(np.polyfit(np.log(k), np.log(found.error - found.bias2), 1)[0])


def unpruned() -> list[float]:
    """Exponent of the error between 50 and 500 examples a weight, and the error times that number."""
    error = papers.pruned_perceptron_error(np.array([50.0, 500.0]))
    return [float(np.log10(error[0] / error[1])), float(500 * error[1])]


def strong_slopes() -> list[float]:
    """Exponents from 16 to 64 dimensions for three distributions of frequencies."""
    losses = np.array([[papers.strong_superposition_loss(m, n=2048, alpha=a) for m in (16, 64)] for a in (0.0, 1.2)])
    return list(-np.log(losses[:, 0] / losses[:, 1]) / np.log(4))


CLAIMS = [
    Claim("kan_scaling", "slope of the error of cubic splines in the grid", -4.0, spline_slope, 0.05, kind="exact"),
    Claim(
        "kan_scaling", "the exponents of the theories for cubic splines and 2 dimensions: KAN, arity, manifold", [4.0, 2.0, 2.0],
        lambda: [papers.spline_exponents(3.0, 2.0)[name] for name in ("kan", "arity", "manifold")], 1e-12, kind="identity",
    ),
    Claim("lottery_ensembling", "exponent of averages of networks on y = x^2", 1.0, ticket_exponent, 0.05, kind="exact"),
    Claim(
        "superposition", "exponent in the width that Chinchilla's of parameters, refitted, implies", 0.88,
        lambda: papers.width_exponent(laws.chinchilla.published["besiroglu2024"]["alpha"]), 5e-3,
        note="with alpha_N = 0.34 of the first fit it would be 0.86",
    ),
    Claim(
        "superposition", "slopes under strong superposition, for flat frequencies and i^-1.2", [-1.0, -1.0], strong_slopes, 0.02,
        kind="exact", note="the authors' trained models have -0.89 (linear) and -0.98 (power 1.2)",
    ),
    Unchecked("superposition", "0.9098, 476.08 and 16 offsets of language models", "the losses of the 27 models are in no public table"),
    Unchecked(
        "superposition", "slopes -1.0055, -0.984 and -0.8864 of trained toy models", "10,240 features take hours to train",
    ),
    Unchecked("hopfield_bound", "cross-entropy bounded by about 1, and N of order D^2", "their conditions hold for no public run"),
    Claim(
        "compositional_rates", "rates where the limit, g and h decide", [0.5, 0.1, 0.2],
        lambda: [papers.compositional_rate(*v)["deep"] for v in ((30.0, 9.0, 20.0, 5.0), (2.0, 9.0, 20.0, 5.0), (9.0, 1.0, 20.0, 5.0))],
        1e-12, kind="identity",
    ),
    Unchecked("compositional_rates", "slopes of trained networks", "measured on the authors' networks"),
    Unchecked(
        "grokking_emergence", "M log M pairs suffice", "asymptotic: up to 200 elements the simulated boundary grows faster",
    ),
    Claim(
        "data_pruning_theory", "no pruning: exponent of the error, and its constant for the widest margin, known since 1990", [1.0, 0.5005],
        unpruned, [0.005, 5e-5], kind="exact",
    ),
    Unchecked("data_pruning_theory", "ResNets on SVHN, CIFAR-10 and ImageNet", "no error curves are public"),
    Claim(
        "data_pruning_limits", "an example: loss that a score leaves with many data, as simulated, to that in closed form", 1.0,
        lambda: float(papers.prune_regression([20000], 0.2)[0] / papers.pruning_gap(0.2)), 0.02, kind="exact",
    ),
    Unchecked("data_pruning_limits", "random pruning is best for shares up to 0.3", "measured on the authors' networks"),
    Unchecked("multistage_nn", "errors of about 1e-16", "measured on trained networks; `multistage_fit` reaches 3e-14"),
    Unchecked("transformer_effective_theory", "training with the scaled rates", "the authors' models and runs are not public"),
]  # fmt: skip
