"""Simulated runs from a law with known parameters: the ground truth that fits are tested on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from ..errors import DataError
from ..runs import Runs
from .law import Law


def simulate(
    law: Law,
    params: Mapping[str, Any],
    *,
    noise: float = 0.0,
    seed: int = 0,
    on: Literal["log", "linear"] = "log",
    **inputs: Any,
) -> Runs:
    """Runs that follow `law` at `params`, with independent normal noise.

    Args:
        law: any law.
        params: a value for every parameter.
        noise: standard deviation, of the logarithm (`on="log"`, so 0.01 is one per cent) or of the value itself (`on="linear"`).
        seed: of the noise.
        on: where the noise is added.
        **inputs: an array for every input, shape (n,) or (n, k); numbers are repeated for all runs.

    Returns:
        Runs with the inputs and the law's output as columns.

    Raises:
        LawError, DataError: if inputs or parameters do not fit the law.

    Example:
        >>> import scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> runs = sj.simulate(law, law.published["besiroglu2024"], N=[1e8, 1e9], D=2e10, noise=0.01)
        >>> len(runs)
        2
    """
    law.check_inputs(inputs)
    law.check_params(params)
    if noise < 0 or on not in ("log", "linear"):
        raise DataError(f"noise={noise}, on={on!r}: noise must not be negative and on is 'log' or 'linear'.")
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in inputs.items()}
    lengths = {name: len(a) for name, a in arrays.items() if a.ndim}
    if len(set(lengths.values())) > 1:
        raise DataError(f"The inputs have different lengths {lengths}; give one value a run, or one number for all.")
    n = max(lengths.values(), default=1)
    arrays = {name: np.full(n, float(a)) if a.ndim == 0 else a for name, a in arrays.items()}
    for name, values in arrays.items():
        domain = law.domains[name]
        if not np.all(domain.contains(values)):
            raise DataError(f"Input {name!r} of law {law.name!r} must be {domain.support}; look at the values given.")
    output = np.asarray(law(*(arrays[name] for name in law.inputs), **params))
    shock = noise * np.random.default_rng(seed).standard_normal(output.shape)
    return Runs({**arrays, law.output: output * np.exp(shock) if on == "log" else output + shock})
