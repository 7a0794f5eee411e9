"""Hoffmann et al. 2022: the law, approach 1, and fits of the law that others report."""

from __future__ import annotations

from math import log

import numpy as np

import scalejax as sj
from scalejax import laws

from .claim import Claim, Unchecked

# What the library has of each paper.
PROVIDES = {
    "chinchilla": ("laws.chinchilla", "laws.chinchilla_outer", "laws.chinchilla_product", "formulas.elasticity_of_substitution"),
    "chinchilla_approach1_envelope": ("envelope",),
}

LAW = laws.chinchilla
SETS = LAW.published
HOFFMANN = SETS["hoffmann2022"]
BUDGETS = (1e21, 5.76e23, 3.8e25)
OPTIMUM = "at the optimum of a budget D = C / 6N, where the loss is flat in N"


def size_exponent(p):
    """a of N* = G (C/6)^a, closed form."""
    return p["beta"] / (p["alpha"] + p["beta"])


def line(p) -> list[float]:
    """a, G and gamma of N* = G (C/6)^a and L* - E ~ C^-gamma, from optima at two budgets."""
    best = sj.allocate((LAW, p), compute=[1e20, 1e22])
    a = log(best.N[1] / best.N[0]) / log(100)
    gamma = -log((best.loss[1] - p["E"]) / (best.loss[0] - p["E"])) / log(100)
    return [a, best.N[0] / (1e20 / 6) ** a, gamma]


def plan(p, field: str, compute=BUDGETS):
    return getattr(sj.allocate((LAW, p), compute=list(compute)), field)


def best_loss(p):
    """Loss at the optimum of every budget, closed form."""
    g, a = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"])), size_exponent(p)
    return [p["E"] + (p["A"] * g ** -p["alpha"] + p["B"] * g ** p["beta"]) * (C / 6) ** (-p["alpha"] * a) for C in BUDGETS]


def size_share() -> float:
    """Share of A N^-alpha in the reducible loss of the best run for 1e23 FLOPs."""
    best = sj.allocate((LAW, HOFFMANN), compute=1e23)
    return HOFFMANN["A"] * best.N ** -HOFFMANN["alpha"] / (best.loss - HOFFMANN["E"])


def sigma_in_closed_form(N: float, D: float, p) -> float:
    of_n, of_d = p["alpha"] * p["A"] * N ** -p["alpha"], p["beta"] * p["B"] * D ** -p["beta"]
    return 1 / (1 + (p["beta"] * of_n + p["alpha"] * of_d) / (of_n + of_d))


def data_term(beta: float) -> float:
    """What 1e11 tokens leave to learn, with this beta."""
    few, endless = (LAW(1e9, D, **{**HOFFMANN, "beta": beta}) for D in (1e11, 1e60))
    return few - endless


def gadre(name: str, law=LAW):
    runs = sj.datasets.load("gadre_overtraining")
    return sj.fit(law, runs.where(runs["train_set"] == name))


# Table 3 of the paper, without the row of 67B parameters
TABLE_3 = {
    "N": [4e8, 1e9, 1e10, 1.75e11, 2.8e11, 5.2e11, 1e12, 1e13],
    "C": [1.92e19, 1.21e20, 1.23e22, 3.85e24, 9.9e24, 3.43e25, 1.27e26, 1.3e28],
}


def slope(x, y) -> float:
    """Exponent of a power law through points."""
    runs = sj.read_runs({"C": x, "D": y})
    return sj.fit(laws.llama3_tokens, runs, loss=sj.squared(), starts=64).params["alpha"]


CHINCHILLA = [
    Claim("chinchilla", "E, A, B of the TeX source", [1.69337, 406.401, 410.723], lambda: [HOFFMANN[n] for n in ("E", "A", "B")],
          [5e-6, 5e-4, 5e-4]),
    Claim("chinchilla", "a, G, gamma of the TeX constants", [0.4565, 1.3000, 0.1548], lambda: line(HOFFMANN), 5e-5),
    Claim("chinchilla", "best N at 1e21, 5.76e23, 3.8e25 FLOPs", [2.217e9, 4.036e10, 2.732e11], lambda: plan(HOFFMANN, "N"),
          [5e5, 5e6, 5e7]),
    Claim("chinchilla", "best D there", [7.518e10, 2.379e12, 2.318e13], lambda: plan(HOFFMANN, "D"), [5e6, 5e8, 5e9]),
    Claim("chinchilla", "tokens per parameter there", [33.91, 58.93, 84.83], lambda: plan(HOFFMANN, "D") / plan(HOFFMANN, "N"), 5e-3),
    Claim("chinchilla", "best loss there", [2.29549, 1.91841, 1.81101], lambda: plan(HOFFMANN, "loss"), 5.1e-6, note=OPTIMUM),
    Claim("chinchilla", "loss at the printed N there", [2.29549, 1.91841, 1.81101],
          lambda: [LAW(N, C / (6 * N), **HOFFMANN) for N, C in zip((2.217e9, 4.036e10, 2.732e11), BUDGETS, strict=True)], 5.1e-6,
          note=OPTIMUM),
    Claim("chinchilla", "closed-form best loss and the numeric one", best_loss(HOFFMANN), lambda: plan(HOFFMANN, "loss"), 1e-10, "exact"),
    Claim("chinchilla", "share of parameters in the reducible loss at the optimum is a", size_exponent(HOFFMANN), size_share, 1e-7,
          "exact"),
    Claim("chinchilla", "C(L) inverts L(C): FLOPs over 1e21", 1.0,
          lambda: sj.allocate((LAW, HOFFMANN), loss=best_loss(HOFFMANN)[0]).compute / 1e21, 1e-9, "exact"),
    Claim("chinchilla", "elasticity of substitution at 70e9 parameters, 1.4e12 tokens", sigma_in_closed_form(70e9, 1.4e12, HOFFMANN),
          lambda: sj.derive((LAW, HOFFMANN), sj.formulas.elasticity_of_substitution, N=70e9, D=1.4e12).value, 1e-10, "exact"),
    Claim("chinchilla", "a and b of approach 3", [0.46, 0.54], lambda: [line(HOFFMANN)[0], 1 - line(HOFFMANN)[0]], 5e-3, "paper"),
    Claim("chinchilla", "factor on the data term at 1e11 tokens when beta is rounded to 0.28", 1.13,
          lambda: data_term(0.28) / data_term(HOFFMANN["beta"]), 5e-3),
    Claim("chinchilla", "Apple's fit (N/1e6, D/1e9) at 1e8 parameters, 1e10 tokens",
          1.9051 + 4.0005 * 100**-0.3511 + 1.0509 * 10**-0.4587, lambda: LAW(1e8, 1e10, **SETS["scalefit_mse"]), 3e-4,
          note="the tolerance is that of four-digit constants"),
    *(
        Claim("chinchilla", f"E, alpha, beta of {name}, Huber on logs", stated,
              lambda name=name: [gadre(name).params[n] for n in ("E", "alpha", "beta")], 5e-6, "repro", data="gadre_overtraining",
              slow=True)
        for name, stated in (
            ("c4_original", [1.62002, 0.25257, 0.26223]), ("rpj", [1.72024, 0.24308, 0.27301]),
            ("rw_original", [1.70134, 0.22259, 0.28977]),
        )
    ),
    *(
        Claim("chinchilla", f"outer exponent q of {name}", stated, lambda name=name: gadre(name, laws.chinchilla_outer).params["q"], 5e-4,
              "repro", data="gadre_overtraining", slow=True)
        for name, stated in (("c4_original", 0.353), ("rpj", 0.395), ("rw_original", 0.355))
    ),
    Unchecked("chinchilla", "80 % intervals of approach 3: a 0.454 to 0.455, b 0.542 to 0.543",
          "the runs of Hoffmann et al. are not public"),
    Unchecked("chinchilla", "Farseer, OLMo ladder and DataDecide fits of third parties",
          "these runs are not among the public data used here"),
    Unchecked("chinchilla", "Apple's 217 points: least-squares and Huber fits",
          "that table is not among the public data used here; only the fits are"),
    Unchecked("chinchilla", "the paper's tiny intervals would need about 600,000 runs",
          "the paper does not print which ratio of widths it takes"),
]  # fmt: skip

APPROACH_1 = [
    Claim("chinchilla_approach1_envelope", "table 3: tokens of 400M, 1B, 10B, 175B, 280B, 520B, 1T, 10T parameters from their FLOPs",
          [8.0e9, 2.02e10, 2.051e11, 3.7e12, 5.9e12, 1.10e13, 2.12e13, 2.162e14],
          lambda: [C / sj.costs.six_nd(N, 1.0) for N, C in zip(TABLE_3["N"], TABLE_3["C"], strict=True)],
          [5e7, 5e7, 8.4e8, 5e10, 5e10, 5e10, 5e10, 8.4e11], "paper",
          note="10B and 10T: FLOPs have three digits, tokens four, and the tolerance is that of the FLOPs"),
    Claim("chinchilla_approach1_envelope", "table 3: tokens of 67B parameters at 5.76e23 FLOPs", 1.43e12,
          lambda: 5.76e23 / sj.costs.six_nd(67e9, 1.0), 5e9, "corrected", note="printed 1.5e12, the only row that is not C / 6N"),
    Unchecked("chinchilla_approach1_envelope", "about 20 tokens per parameter", "too round to check; the rows give 20 to 22"),
    Claim("chinchilla_approach1_envelope", "exponent b of table 3's rows", 0.50,
          lambda: slope(TABLE_3["C"], np.asarray(TABLE_3["C"]) / (6 * np.asarray(TABLE_3["N"]))), 5e-3, "paper", slow=True),
    Unchecked("chinchilla_approach1_envelope", "MassiveText: a 0.488 to 0.502, b 0.501 to 0.512", "the training curves are not public"),
]  # fmt: skip

AGENTS = [
    Unchecked(
        "agents_world_models",
        "a and b of world models and behaviour cloning",
        "recalled, not traced to the paper's table; its runs are not public",
    ),
]

FINDINGS = [
    Unchecked("masked_diffusion_lm", "16 times the compute for equal loss", "recalled; the runs are not public"),
    Unchecked("ul2r_savings", "half the compute at 540B", "the scores behind the curves are not public"),
]

CLAIMS = [*CHINCHILLA, *APPROACH_1, *AGENTS, *FINDINGS]
