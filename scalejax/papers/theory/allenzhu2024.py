"""Facts as bits: what synthetic data hold, and what a model has learnt of them from its losses on names and values."""

from __future__ import annotations

import math
from typing import Any

from .an2024 import bits


def knowledge_bits(
    names: float, keys: float, pool: float, length: float, alphabet: float, values: float, *, N_0: float, p1: Any = None,
    p2: Any = 0.0, p3: Any = 0.0,
) -> Any:  # fmt: skip
    r"""Bits that a model has learnt of random facts (name, key, value), at least, from its losses.

        N log2(N_0 / e^p1) + N K log2(D^C / e^p2) + K D log2(T^L / (D e^p3))

    Args:
        names: N, how many names have facts; N_0: names to choose from.
        keys: K, keys of every name.
        pool: D, different values of a key.
        length: L, tokens of a chunk of a value; alphabet: T, tokens to choose from.
        values: C, chunks of a value.
        p1: mean over names of the sum of losses on their tokens, in nats; p2: the same over values, given name and key; p3: over the
            strings of the pools. By default those of a model that knows everything, which still cannot say which name comes next: ln N,
            0 and 0. Then these are the bits of the data.

    Returns:
        Bits; divided by parameters the capacity ratio, at most R of `laws.knowledge_capacity`.

    Example:
        >>> import scalejax as sj
        >>> sj.papers.knowledge_bits(1024, 4, 16, 2, 8, 1, N_0=2**20)  # 1024 names of 10 bits with 4 values of 4 bits, 64 strings of 2
        26752.0

    References: Allen-Zhu and Li 2024, arXiv:2404.05405, theorem on bit complexity.
    """
    of_names = names * (math.log2(N_0) - bits(math.log(names) if p1 is None else p1))
    of_values = names * keys * (values * math.log2(pool) - bits(p2))
    return of_names + of_values + keys * pool * (length * math.log2(alphabet) - math.log2(pool) - bits(p3))


def biography_bits(
    people: float, *, names: float = 400 * 400 * 1000, attributes: float | None = None, p1: Any = None, p2: Any = 0.0
) -> Any:
    r"""Bits that a model has learnt of synthetic biographies, at least, from its losses.

        N log2(N_0 / e^p1) + N log2(S_0 / e^p2)

    Args:
        people: N, how many biographies.
        names: N_0, full names to choose from; 400 first, 400 middle and 1000 last ones by default.
        attributes: S_0, the product of the numbers of values of all attributes; by default the paper's: 2 genders, 12 x 28 x 200 dates and
            200 places of birth, 300 universities, 100 fields, 263 employers with their places.
        p1: mean over people of the sum of losses on the tokens of their name, in nats; p2: the same on their attributes, given the name. By
            default those of a model that knows everything: ln N and 0.

    Returns:
        Bits; divided by parameters the capacity ratio, at most R of `laws.knowledge_capacity`.

    Example:
        >>> import scalejax as sj
        >>> f"{sj.papers.biography_bits(10_000_000):.3g}"  # ten million times 4 bits of a name and 47.6 of attributes
        '5.16e+08'

    References: Allen-Zhu and Li 2024, arXiv:2404.05405, section 2.
    """
    S_0 = 2 * (12 * 28 * 200) * 200 * 300 * 100 * 263 if attributes is None else attributes
    return people * (math.log2(names) - bits(math.log(people) if p1 is None else p1) + math.log2(S_0) - bits(p2))
