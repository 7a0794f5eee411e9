"""NumPyro's NUTS for all chains of all data sets in one compiled program, in the coordinates of `coordinates`.

The valleys of scaling laws are a thousand times longer than wide. Around the mode with its Hessian every direction has unit width, so that
the warm-up has little to learn and a draw costs a few gradients. Where groups have few runs the mode may lie at the narrow end of a valley:
a warm-up that labours is used to widen the coordinates, and then repeated. Chains are a `Walk`, which goes on when asked to. The evidence
is an argument: data sets of one shape share the program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from ...core.numeric.batching import traced
from ...core.numeric.programs import compiled
from .coordinates import Groups, Place, energy, transport
from .density import Evidence, Model
from .mode import SETS, local

_DEPTH = (6, 10)  # of the tree, at most, in the warm-up and after it
_LABOUR = 20  # steps a draw at the end of the warm-up, from which on the coordinates are looked at again
_WIDE = 4.0  # variance of a coordinate that should have 1
_WIDENED = 2  # times at most
_PIECE = 100  # steps in one program

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Settings:
    """Choices of the sampler that a program is compiled for.

    Attributes:
        warmup: steps in which the step size and the widths are adapted.
    """

    warmup: int = 300


class Trace(NamedTuple):
    """What NUTS returned, each (draws, sets, chains, ...): coordinates z, divergences, energies and leapfrog steps."""

    z: np.ndarray
    diverging: np.ndarray
    energy: np.ndarray
    steps: np.ndarray


def _kernel(
    model: Model, settings: Settings, accept: Any, arguments: tuple[Any, ...], start: Any, key: Any
) -> tuple[Any, Callable[[Any], Any]]:  # fmt: skip
    """Initial state of one chain, and the function that moves it on."""
    from numpyro.infer.hmc import hmc

    def potential(place: Place, groups: tuple[Groups, ...], evidence: Evidence) -> Callable[[Any], Any]:
        def of(z: Any) -> Any:
            w, slope = place.forward(z)
            return energy(model, groups, evidence, w) - slope

        return of

    begin, move = hmc(potential_fn_gen=potential, algo="NUTS")
    state = begin(
        start, num_warmup=settings.warmup, step_size=0.5, target_accept_prob=accept, max_tree_depth=_DEPTH,
        model_args=arguments, rng_key=key,
    )  # fmt: skip
    return state, lambda state: move(state, arguments, {})


@compiled(0, 1, once=True)
def _begin(model: Model, settings: Settings, accept: Any, z: Any, value: Any, slope: Any, seed: Any) -> Any:
    from numpyro.infer.util import ParamInfo

    def one(z: Any, value: Any, slope: Any, key: Any) -> Any:
        return _kernel(model, settings, accept, (None, None, None), ParamInfo(z, value, slope), key)[0]

    return jax.vmap(one)(z, value, slope, jax.random.split(jax.random.key(seed), len(z)))


@compiled(0, 1, 2)
def _advance(
    model: Model, settings: Settings, count: int, accept: Any, states: Any, place: Place, groups: tuple[Groups, ...], evidence: Evidence
) -> Any:  # fmt: skip
    traced("nuts")
    from numpyro.infer.util import ParamInfo

    def chain(state: Any, place: Place, groups: tuple[Groups, ...], evidence: Evidence) -> Any:
        # A first state is needed to tell NumPyro the settings; nobody reads it, so the compiler leaves it out.
        first = ParamInfo(state.z, state.potential_energy, state.z_grad)
        return _kernel(model, settings, accept, (place, groups, evidence), first, state.rng_key)[1](state)

    def draw(states: Any, _: Any) -> Any:
        states = jax.vmap(chain, in_axes=(0, 0, 0, SETS))(states, place, groups, evidence)
        return states, Trace(states.z, states.diverging, states.energy, states.num_steps)

    return jax.lax.scan(draw, states, None, length=count)


class Walk:
    """Chains of all data sets on their way: every call of `steps` goes on where the last one ended.

    Args:
        z: (sets, chains, size) where they begin; None: spread as the coordinates say.
    """

    def __init__(
        self, model: Model, settings: Settings, place: Place, groups: tuple[Groups, ...], evidence: Evidence, *, chains: int, accept: float,
        seed: int, z: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        sets, size = place.center.shape
        z = np.random.default_rng(seed).standard_normal((sets, chains, size)) if z is None else z
        value, slope = _potential(local(model, groups, evidence), place, z)
        self.place, self.accept, self.shape = place, accept, (sets, chains)
        self._states = _begin(model, settings, accept, z.reshape(-1, size), value.reshape(-1), slope.reshape(-1, size), seed)
        # One axis of all chains traces in half the time of two nested ones.
        each, groups, inputs, target = jax.tree.map(
            lambda v: np.repeat(v, chains, axis=0), (place, groups, evidence.inputs, evidence.target)
        )
        self._advance = partial(_advance, model, settings, _PIECE, accept)
        self._arguments = each, groups, evidence._replace(inputs=inputs, target=target)
        self._ready = Trace(*(np.zeros((0, sets, chains)),) * 4)

    def steps(self, count: int, tell: Tell | None = None) -> Trace:
        """The next `count` steps; programs run `_PIECE` of them at a time, and `tell` is called with the number after each."""
        pieces = [self._ready] if len(self._ready.steps) else []
        while sum(len(piece.steps) for piece in pieces) < count:
            self._states, piece = self._advance(self._states, *self._arguments)
            pieces.append(Trace(*(np.asarray(part).reshape(_PIECE, *self.shape, *part.shape[2:]) for part in piece)))
            if tell:
                tell(_PIECE)
        whole = joined(pieces)
        self._ready = Trace(*(part[count:] for part in whole))
        return Trace(*(part[:count] for part in whole))


def joined(traces: Sequence[Trace]) -> Trace:
    """Steps one after the other."""
    return Trace(*(np.concatenate(parts) for parts in zip(*traces, strict=True)))


def warmed(
    model: Model, settings: Settings, place: Place, groups: tuple[Groups, ...], evidence: Evidence, *, chains: int, accept: float,
    seed: int, z: np.ndarray | None = None, tell: Tell | None = None,
) -> tuple[Walk, int]:  # fmt: skip
    """Chains after their warm-up, in coordinates that were widened where it laboured, and the gradients that it took."""
    spent = 0
    for attempt in range(_WIDENED + 1):
        walk = Walk(model, settings, place, groups, evidence, chains=chains, accept=accept, seed=seed, z=z)
        learned = walk.steps(settings.warmup, tell)
        spent += int(learned.steps.sum())
        second = Trace(*(part[settings.warmup // 2 :] for part in learned))
        wider = widened(place, second.z) if attempt < _WIDENED and second.steps.mean() > _LABOUR else None
        if wider is None:
            break
        place, z = wider, None
    return walk, spent


def nuts(
    model: Model, settings: Settings, place: Place, groups: tuple[Groups, ...], evidence: Evidence, *, chains: int, draws: int,
    accept: float, seed: int,
) -> tuple[Trace, Place]:  # fmt: skip
    """Draws of all chains of all data sets after the warm-up, and their coordinates; `accept` is the target acceptance."""
    walk, _ = warmed(model, settings, place, groups, evidence, chains=chains, accept=accept, seed=seed)
    return walk.steps(draws), walk.place


def widened(place: Place, z: np.ndarray) -> Place | None:
    """Coordinates with unit width also where draws z (draws, sets, chains, size) are more than twice as wide; None where none is."""
    pooled = np.moveaxis(z, 1, 0).reshape(z.shape[1], -1, z.shape[3])
    centred = pooled - pooled.mean(axis=1, keepdims=True)
    variances, axes = np.linalg.eigh(np.swapaxes(centred, 1, 2) @ centred / centred.shape[1])
    wide = variances > _WIDE
    return place._replace(root=place.root @ (axes * np.sqrt(np.where(wide, variances, 1.0))[:, None, :])) if wide.any() else None


def _potential(local: Callable[[np.ndarray], Any], place: Place, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sampler's potential and its gradient at z (sets, chains, size), by the program that the mode was found with."""
    y = np.einsum("bij,bcj->bci", place.root, z)
    bend, reach = place.bend[:, None], np.asarray(place.reach)[:, None]
    root = np.sqrt(1 + (y / reach) ** 2)
    w, rate = place.center[:, None] + y + bend * reach**2 * (root - 1), 1 + bend * y / root
    parts = [local(w[:, chain]) for chain in range(z.shape[1])]
    value, slope = (np.stack([part[i] for part in parts], axis=1) for i in (0, 1))
    slope = slope * rate - bend / root**3 / rate
    return value - np.sum(np.log(rate), axis=2), np.einsum("bij,bci->bcj", place.root, slope)


@compiled(0, once=True)
def sites(model: Model, place: Place, groups: tuple[Groups, ...], evidence: Evidence, z: Any) -> dict[str, Any]:
    """All sites, computed ones included, of draws z (draws, size) of one data set."""
    from numpyro.infer.util import constrain_fn

    def one(z: Any) -> dict[str, Any]:
        inner, _ = transport(model, groups, evidence, place.forward(z)[0])
        return constrain_fn(model, (evidence,), {}, inner, return_deterministic=True)

    return jax.vmap(one)(z)
