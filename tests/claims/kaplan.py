"""Kaplan et al. 2020 and what builds on it."""

from __future__ import annotations

from scalejax import laws

from .claim import Claim

_SET = "kaplan2020"

CLAIMS = [
    Claim(
        "kaplan",
        "L(N) at 1e8, 1e9, 1e10 parameters, nats/token",
        [2.82996, 2.37564, 1.99425],
        lambda: [laws.kaplan_params(N, **laws.kaplan_params.published[_SET]) for N in (1e8, 1e9, 1e10)],
        5e-6,
    ),
]
