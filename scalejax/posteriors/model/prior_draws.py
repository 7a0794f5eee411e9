"""Draws from the joint prior: the priors of all parameters, and what is known of the outputs' level."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...core.errors import FitError
from ...core.numeric.batching import traced
from ...core.numeric.programs import compiled
from .coordinates import unconstrained
from .density import Evidence, Model
from .many import sets
from .mode import locate
from .nuts import Settings, nuts, sites

_TOGETHER = 1000  # proposals at a time, at most
_NUMBERS = 2**22  # outputs computed at a time
_ROUNDS = 64  # of proposals; where they do not suffice the level is sampled by NUTS
_SETTINGS, _CHAINS, _THIN, _ACCEPT = Settings(300), 4, 5, 0.95

Sites = dict[str, np.ndarray]


def from_prior(model: Model, evidence: Evidence, count: int, seed: int) -> Sites:
    """All sites at `count` independent draws of the joint prior, with a leading draw axis.

    Draws of the parameters' priors are kept with the probability that the level has there (it is 1 at most). Where hardly any is kept, as
    with many groups, chains of NUTS sample the joint prior instead, every fifth draw of which is taken.
    """
    size = int(np.clip(_NUMBERS // max(np.size(evidence.target), 1), 1, _TOGETHER))
    kept: list[Sites] = []
    found, best, most = 0, None, -np.inf
    for tried in range(1, _ROUNDS + 1):
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), tried), size)
        drawn, level, coins = jax.tree.map(np.asarray, _proposals(model, keys, evidence))
        chosen = np.flatnonzero(np.log(coins) < level)  # false where the law has no value
        kept.append({name: v[chosen] for name, v in drawn.items()})
        found += len(chosen)
        if found >= count:
            return {name: np.concatenate([part[name] for part in kept])[:count] for name in drawn}
        level = np.where(np.isnan(level), -np.inf, level)
        if level.max() > most:
            most, best = level.max(), {name: v[[np.argmax(level)]] for name, v in drawn.items()}
        if found * _ROUNDS < count * tried // 4:
            break
    if best is None:
        raise FitError("The law's output is not finite at any draw of the priors; give narrower priors=.")
    return _by_chains(model, evidence, best, count, seed)


def _by_chains(model: Model, evidence: Evidence, start: Sites, count: int, seed: int) -> Sites:
    """Sites at thinned draws of chains that start at these sites; the runs count only by their level."""
    blind = evidence._replace(weight=np.zeros_like(evidence.weight))
    many = sets(blind, blind.target[None])
    place, groups, _ = locate(model, many, [unconstrained(model, blind, start)])
    each = -(-count // _CHAINS)
    trace, place = nuts(model, _SETTINGS, place, groups, many, chains=_CHAINS, draws=_THIN * each, accept=_ACCEPT, seed=seed)
    z = trace.z[::_THIN, 0].reshape(each * _CHAINS, -1)[:count]
    place, groups = jax.tree.map(lambda part: part[0], (place, groups))
    return {name: np.asarray(v) for name, v in sites(model, place, groups, blind, z).items()}


@compiled(0)
def _proposals(model: Model, keys: Any, evidence: Evidence) -> tuple[Any, Any, Any]:
    """Sites drawn from the priors of the parameters, the level's log density there, and a uniform number for each."""
    from numpyro import handlers

    traced("prior")

    def one(key: Any) -> tuple[Any, Any, Any]:
        first, second = jax.random.split(key)
        trace = handlers.trace(handlers.seed(model, first)).get_trace(evidence)
        drawn = {name: site["value"] for name, site in trace.items() if not site.get("is_observed")}
        return drawn, model.log_level(model.params(drawn, evidence), evidence), jax.random.uniform(second)

    return jax.vmap(one)(keys)


@compiled(0)
def outputs(model: Model, evidence: Evidence, drawn: Any, key: Any) -> Any:
    """Simulated targets (draws, rows, ...) at every draw of the sites."""

    def one(drawn: Any, key: Any) -> Any:
        predicted = model.located(model.params(drawn, evidence), drawn, evidence)
        return model.likelihood.distribution(drawn, predicted, evidence.rows).sample(key)

    count = jnp.shape(next(iter(drawn.values())))[0]
    return jax.vmap(one)(drawn, jax.random.split(key, count))
