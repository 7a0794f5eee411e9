"""Llama 3: the optimal number of tokens, and benchmark accuracy in two stages."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...core.errors import DecisionError
from ...core.laws.domains import Positive, Real, Unit
from ...core.laws.formula import formula
from ...core.laws.law import Published, law
from ...core.numeric.powers import power
from .. import ranges

_LLAMA3 = "Grattafiori et al. 2024, arXiv:2407.21783, section 3.2.1"


@law(
    output="D",
    reference=_LLAMA3,
    linear=("A",),
    C=ranges.C,
    A=Positive(1e-6, 1e6),
    alpha=Positive(0.05, 1.0),
    published={
        "llama3_figure": Published(
            {"A": 0.299, "alpha": 0.537},
            "tokens from FLOPs; isoFLOP minima of 6e18 to 1e22 FLOPs, 40M to 16B parameters",
            "arXiv:2407.21783, label of figure 3",
            "verified",
        ),
        "llama3_text": Published(
            {"A": 0.29, "alpha": 0.53},
            "the same, rounded. Do not predict with it: at 3.8e25 FLOPs it gives 1.05e13 tokens, the figure's 1.63e13",
            "arXiv:2407.21783, text",
            "verified",
        ),
    },
)
def llama3_tokens(C, *, A, alpha):
    r"""Compute-optimal number of training tokens.

        D*(C) = A C^alpha

    Symbols: C training FLOPs; D* tokens. The size follows as N* = C / (6 D*). To get A and alpha from isoFLOP runs use `sj.isoflop`.

    Note: the paper's text writes N*(C) and calls it the number of training tokens; it is D* here.

    Example:
        >>> from scalejax import laws
        >>> f"{laws.llama3_tokens(3.8e25, **laws.llama3_tokens.published['llama3_figure']):.4g}"
        '1.629e+13'
    """
    return A * power(C, alpha)


@law(
    output="nll",
    reference=_LLAMA3,
    linear=("s", "t"),
    C=ranges.C,
    s=Real(-1.0, 0.5),
    t=Real(-5.0, 25.0),
)
def llama3_nll(C, *, s, t):
    r"""First stage: normalised negative log-likelihood of a benchmark's correct answers, from compute.

        NLL(C) = s log10 C + t

    Symbols: C training FLOPs of a compute-optimal model; NLL nats per character of the correct answer; s, t in its unit (s < 0: it falls).

    Example:
        >>> from scalejax import laws
        >>> round(laws.llama3_nll(1e22, s=-0.2, t=5.5), 6)
        1.1
    """
    return s * jnp.log10(C) + t


@law(
    output="accuracy",
    reference=_LLAMA3,
    linear=("r",),
    nll=Positive(0.05, 5.0, zero=True, unit="nats/character"),
    L_0=Unit(),
    r=Unit(),
    k=Positive(0.5, 50.0),
    x_0=Positive(0.05, 5.0),
    published="llama3.toml",
)
def llama3_accuracy(nll, *, L_0, r, k, x_0):
    r"""Second stage: accuracy of a benchmark from the normalised negative log-likelihood of its correct answers.

        accuracy(NLL) = L_0 + K / (1 + exp(k (NLL - x_0))),   K = r (1 - L_0)

    Symbols: L_0 accuracy of a model that knows nothing; r the share of what is left above it that can be learned, so that L_0 + K, the
    accuracy at best, is at most 1; x_0 the NLL halfway; k steepness, per nat/character.

    Note: the paper names no constants. A sigmoid that rises with its argument has -k here: k is the positive magnitude, as accuracy falls
    with NLL. `formulas.two_stage` chains it with `llama3_nll`.

    Bhagia et al. 2024, arXiv:2412.04403, write the same sigmoid as a / (1 + exp(-k (L - L0))) + b of the task loss L in bits per byte:
    L_0 = a + b, L_0 + K = b. Their ladder is the chain of `chinchilla` and this law with the published sets of one name,
    `sj.chain(loss=laws.chinchilla, accuracy=(laws.llama3_accuracy, {"nll": "loss"}))`; `studies.ladder` fits and extrapolates it.

    Example:
        >>> from scalejax import laws
        >>> round(laws.llama3_accuracy(0.7, L_0=0.25, r=0.8, k=10.0, x_0=0.7), 6)
        0.55
    """
    return L_0 + r * (1 - L_0) * jax.nn.sigmoid(-k * (nll - x_0))


@formula
def two_stage(first, second, through=None, **inputs):
    r"""Prediction through an intermediate quantity, with the uncertainty of both stages: compute -> loss -> accuracy.

        y = g(f(x; theta_1); theta_2),    theta_1, theta_2 drawn from the uncertainty of each fit

    Llama 3 predicts benchmarks so (compute -> normalised loss of the correct answer -> accuracy), Gadre et al. the mean error of tasks
    (N, D -> loss -> error). The second law may be fitted to runs that the first never saw, such as older, larger models. With
    kind="run" `derive` sends the noise of a new run about the first law through the second, and adds the noise about the second; the two
    are taken as independent.

    Args:
        first, second: the two laws at their parameters: `derive` gives them from {"first": source, "second": source}.
        through: the input of the second law that the first predicts; default the first law's output, or the only input.
        inputs: a number or an array for every input of the first law, and for every other one of the second. An input that both have has
            one value for both; where they differ, write a function of your own.

    Returns:
        Predictions of both laws by the names of their outputs; the first is called after `through` if they are alike.

    Example:
        >>> import scalejax as sj
        >>> loss = (sj.laws.llama3_nll, {"s": -0.2, "t": 5.5})
        >>> accuracy = (sj.laws.llama3_accuracy, {"L_0": 0.25, "r": 0.8, "k": 10.0, "x_0": 0.7})
        >>> found = sj.derive({"first": loss, "second": accuracy}, sj.formulas.two_stage, C=1e24)
        >>> round(found.accuracy, 4)
        0.55

    References: Grattafiori et al. 2024, arXiv:2407.21783, section 3.2.1; Gadre et al. 2024, arXiv:2403.08540.
    """
    f, g = first.law, second.law
    link = through or (f.output if f.output in g.inputs else g.inputs[0] if len(g.inputs) == 1 else None)
    if link is None:
        raise DecisionError(f"Law {f.name!r} predicts {f.output!r}, and {g.name!r} takes {', '.join(g.inputs)}; say which with through=...")
    if link not in g.inputs:
        raise DecisionError(f"Law {g.name!r} has no input {link!r}; it takes {', '.join(g.inputs)}.")
    others = [n for n in g.inputs if n != link]
    if set(inputs) != {*f.inputs, *others}:
        needed, got = (", ".join(sorted(names)) or "none" for names in ({*f.inputs, *others}, inputs))
        raise DecisionError(f"These stages take the inputs {needed}; got {got}.")
    middle = f(**{n: inputs[n] for n in f.inputs})
    last = g(**{link: middle}, **{n: inputs[n] for n in others})
    name = link if f.output == g.output else f.output
    return {f"first_{name}" if name == g.output else name: middle, g.output: last}
