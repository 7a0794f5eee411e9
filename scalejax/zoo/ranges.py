"""Plausible ranges of the quantities that many laws share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.laws.domains import Positive

# Domains that several laws share, for `law(..., **shared)`. To a type checker their names might be those of law's own keywords, such as
# "output", whose values are no domains: hence Any.
Shared = Mapping[str, Any]

EXPONENT = Positive(0.05, 1.5)
N = Positive(1e6, 1e12, unit="parameters")
D = Positive(1e8, 1e13, unit="tokens")
C = Positive(1e16, 1e26, unit="FLOPs")
E = Positive(0.1, 5.0, unit="nats/token", zero=True)
