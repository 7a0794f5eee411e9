"""A law's values as one compiled program: where a call of the law, operation by operation, would compile each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..numeric.precision import double
from ..numeric.programs import compiled
from .law import Law


@double
def values_at(law: Law, inputs: Mapping[str, Any], params: Mapping[str, Any]) -> np.ndarray:
    """The law at checked inputs and parameters, which broadcast as in a call of it."""
    floats = ({n: np.asarray(v, dtype=np.float64) for n, v in given.items()} for given in (inputs, params))
    return np.asarray(_values(law, *floats))


@compiled(0, once=True)
def _values(law: Law, inputs: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
    return law.function(*(inputs[n] for n in law.inputs), **dict(law.bound), **{n: params[n] for n in law.parameters})
