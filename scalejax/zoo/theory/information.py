"""Information in bits: what parameters store of data and of facts, and what one modality tells of another."""

from __future__ import annotations

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.law import law
from ...core.laws.published import Published
from .. import ranges


@law(
    reference="An et al. 2024, arXiv:2411.00660",
    linear=("H", "eta"),
    N=ranges.N,
    D=ranges.D,
    H=Positive(1.0, 20.0, unit="bits/token"),
    eta=Positive(1e-2, 10.0, unit="bits/parameter"),
)
def information_capacity(N, D, *, H, eta):
    r"""Loss in bits when parameters store what the model has learnt of its data: the first law of information capacity.

        L(N, D) = H - eta N / D,    that is   eta N = D (H - L)

    Symbols: N parameters; D training tokens; H entropy of the raw data in bits/token before learning; L the mean loss over the D tokens in
    bits/token; eta the information capacity in bits/parameter. Both sides of the second form are bits.

    Note: L is the mean over training (what arithmetic coding with the growing model would need), not the final loss. Losses in nats/token
    are divided by ln 2 first: `sj.papers.bits`. eta of a single run: `sj.papers.stored_information`.

    Example:
        >>> from scalejax import laws
        >>> round(laws.information_capacity(1e9, 1e9, H=8.0, eta=2.0), 6)
        6.0
    """
    return H - eta * (N / D)


@law(
    output="information",
    reference="Henighan et al. 2020, arXiv:2010.14701, section on mutual information",
    linear=("lam",),
    N=ranges.N,
    lam=Real(0.0, 20.0, unit="nats/image"),
    N_c=Positive(1e3, 1e8, unit="parameters"),
)
def mutual_information(N, *, lam, N_c):
    r"""Mutual information between an image and its caption that a model of a given size has found.

        I(N) = lambda log(N / N_c)

    Symbols: N non-embedding parameters; I = L(text) - L(text | image) in nats; lambda (`lam`) nats for every factor e of N; N_c the size
    below which the model finds none. The share of the text's loss that the image explains is I / L(text), the paper's "infogain".

    Example:
        >>> import math
        >>> from scalejax import laws
        >>> round(laws.mutual_information(math.e * 1e6, lam=2.0, N_c=1e6), 6)
        2.0
    """
    return lam * jnp.log(N / N_c)


@law(
    output="bits",
    reference="Allen-Zhu and Li 2024, arXiv:2404.05405",
    P=ranges.N,
    H=Positive(1e6, 1e14, unit="bits"),
    R=Positive(0.1, 5.0, unit="bits/parameter"),
    published={
        "allenzhu2024": Published(
            dict(R=2.0), context="1000 exposures of each fact, 16 or 8 bits a weight", source="abstract", status="printed"
        ),
        "allenzhu2024_rare": Published(
            dict(R=1.0), context="100 exposures of each fact", source="result on 100 exposures", status="recalled"
        ),
        "allenzhu2024_int4": Published(dict(R=0.7), context="4 bits a weight", source="result on quantisation", status="recalled"),
    },
)  # fmt: skip
def knowledge_capacity(P, H, *, R):
    r"""Facts in bits that a model can have learnt: all that there are, up to a number of bits for every parameter.

        bits(P, H) = min(R P, H)

    Symbols: P all parameters, embeddings included; H bits of all facts in the data, `papers.biography_bits` for synthetic ones; R bits a
    parameter, which falls with fewer exposures and with fewer than 8 bits a weight.
    R is an upper bound, the largest ratio of bits learnt to parameters among many models, not a mean: read it off the models on which H
    is no limit. The parameters that H bits need are H / R. A mixture of 32 experts has R lower by 1.3 for all its parameters.

    Example:
        >>> from scalejax import laws
        >>> laws.knowledge_capacity(7e9, 1e12, **laws.knowledge_capacity.published["allenzhu2024"])
        14000000000.0
    """
    return jnp.minimum(R * P, H)
