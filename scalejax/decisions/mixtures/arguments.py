"""The arguments of a mixture problem, checked and shaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.errors import DecisionError, suggest
from ..question import numbers
from .program import Targets


def path_of(targets: Targets, given: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Given inputs with a leading path axis, "path" that counts them, and whether there is only one."""
    inputs = targets.inputs()
    domains = {n: law.domains[n] for law in targets.laws for n in law.inputs}
    for name in inputs:
        if name not in given:
            raise DecisionError(f"optimal_mixture() needs a value for {name!r} of the law: pass {name}=...")
    arrays, lengths = {}, {}
    for name, value in given.items():
        if name not in inputs and name != "D":
            raise DecisionError(f"optimal_mixture() got {name}=, which no law here knows; {suggest(name, inputs)}")
        array = numbers(name, value)
        if name in domains and not np.all(domains[name].contains(array)):
            raise DecisionError(f"{name}={value!r} must be {domains[name].support}.")
        vector = 1 if name in domains and domains[name].axis else 0
        if array.ndim > vector + 1:
            raise DecisionError(f"{name}={value!r} must be one value or a list of them.")
        arrays[name] = array
        if array.ndim == vector + 1:
            lengths[name] = len(array)
    if len(set(lengths.values())) > 1:
        raise DecisionError(f"A path needs lists of one length; got {', '.join(f'{n} ({k})' for n, k in lengths.items())}.")
    count = next(iter(lengths.values()), 1)
    spread = {n: a if n in lengths else np.broadcast_to(a, (count, *a.shape)) for n, a in arrays.items() if n in inputs}
    return {"given": spread, "path": np.zeros(count)}, not lengths


def mixtures(trained: Any, size: int) -> np.ndarray:
    """(mixtures, domains) that were trained, checked."""
    h = numbers("trained", trained)
    if h.ndim != 2 or h.shape[1] != size or not len(h) or (h < 0).any() or not np.allclose(h.sum(axis=1), 1, atol=1e-6):
        raise DecisionError(f"trained= must hold mixtures (mixtures, {size}) whose weights are 0 or more and sum to one.")
    return h


def limits(
    names: tuple[str, ...], count: int, caps: Any, floors: Any, available: Any, tokens: Any, epochs: float
) -> tuple[np.ndarray, np.ndarray]:
    """Floors and caps, (domains, path)."""
    size = len(names)

    def row(what: str, value: Any, unnamed: float) -> np.ndarray:
        if isinstance(value, Mapping):
            for name in value:
                if name not in names:
                    raise DecisionError(f"{what} names {name!r}, which is not a domain; {suggest(str(name), names)}")
            value = [value.get(name, unnamed) for name in names]
        array = numbers(what, value)
        if array.shape not in ((), (size,)) or not (array >= 0).all():
            raise DecisionError(f"{what}={value!r} must be one number of 0 or more, or one for each of the {size} domains.")
        return np.broadcast_to(array, size)[:, None]

    low, high = row("floors", floors, 0.0), np.minimum(row("caps", caps, 1.0), 1.0)
    if available is not None:
        tokens = None if tokens is None else numbers("tokens", tokens)
        if tokens is None or tokens.ndim > 1 or not (tokens > 0).all() or not epochs > 0:
            raise DecisionError("available= caps the weights by epochs x available / tokens: give tokens= (or D=) and epochs= above 0.")
        high = np.minimum(high, epochs * row("available", available, np.inf) / np.atleast_1d(tokens))
    low, high = (np.ascontiguousarray(np.broadcast_to(a, (size, count))) for a in (low, high))
    if (low > high).any():
        i = int(np.argmax((low > high).any(axis=1)))
        raise DecisionError(
            f"Domain {names[i]} has the floor {low[i].max():g} above its cap {high[i].min():g}; lower one or raise the other."
        )
    if (high.sum(axis=0) < 1 - 1e-12).any():
        total, most = float(high.sum(axis=0).min()), names[int(np.argmin(high.min(axis=1)))]
        raise DecisionError(
            f"The caps sum to {total:.4g}, so no mixture can reach one (the smallest is that of {most}); raise caps, epochs or available "
            "tokens, or train on fewer tokens."
        )
    if (low.sum(axis=0) > 1 + 1e-12).any():
        raise DecisionError(f"The floors sum to {float(low.sum(axis=0).max()):.4g}, above one; lower them.")
    return low, high


def by_target(targets: Targets, what: str, value: Any, default: float) -> np.ndarray:
    """One number for every target."""
    if value is None:
        return np.full(targets.outputs, default)
    if isinstance(value, Mapping):
        for name in value:
            if name not in targets.names:
                raise DecisionError(f"{what} names {name!r}; {suggest(name, targets.names)}")
        value = [value.get(name, 0.0) for name in targets.names]
    array = numbers(what, value)
    if array.shape != (targets.outputs,) or not np.isfinite(array).all():
        raise DecisionError(f"{what}={value!r} must hold one finite number for each of the {targets.outputs} targets.")
    return array


def importance(targets: Targets, weights: Any, worst: bool) -> np.ndarray:
    """Weights of the targets, on the simplex; for the worst case, factors."""
    array = by_target(targets, "weights", weights, 1.0 if worst else 1.0 / targets.outputs)
    if (array < 0).any() or (not worst and abs(array.sum() - 1) > 1e-6):
        raise DecisionError(f"weights={np.round(array, 6).tolist()} must be 0 or more and sum to one (they sum to {array.sum():.6g}).")
    return array


def nonnegative(what: str, value: Any) -> float:
    """One number of 0 or more."""
    number = numbers(what, value)
    if number.ndim or not 0 <= number < np.inf:
        raise DecisionError(f"{what}={value!r} must be one number of 0 or more.")
    return float(number)


def prior_of(names: tuple[str, ...], prior: Any) -> np.ndarray:
    """Weights to stay near."""
    if prior is None:
        return np.full(len(names), 1.0 / len(names))
    array = numbers("prior", list(prior.values()) if isinstance(prior, Mapping) else prior)
    if array.shape != (len(names),) or not (array > 0).all() or abs(array.sum() - 1) > 1e-6:
        raise DecisionError(f"prior={prior!r} must hold a positive weight for each of the {len(names)} domains that sum to one.")
    return array
