"""Laws of hyper-parameters: learning rate, batch, weight decay and time-scale from size, data and compute."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import jax.numpy as jnp

from ...core.laws.domains import Positive, Real
from ...core.laws.law import Published, law
from ...core.numeric.powers import power, product
from .. import ranges
from ..scale.power_product import COEFFICIENT, POWER

_STEP_LAW = "Li et al. 2025, arXiv:2503.04715"
_PF_DAY = 8.64e19  # FLOPs
_SEQUENCE = 2048  # tokens, the unit of batches in the papers that count sequences
_LR = Positive(1e-5, 1e2)
_TOKENS = "tokens"


@law(
    output="lr",
    reference=f"{_STEP_LAW}, eq. 1; Bjorck et al. 2024, arXiv:2409.19913",
    linear=("c",),
    N=ranges.N,
    D=ranges.D,
    c=_LR,
    a=POWER,
    b=POWER,
    published={
        "step_law": Published(
            {"c": 1.79, "a": -0.713, "b": 0.307},
            "dense and mixture-of-experts models, 60M to 1B non-embedding parameters, 2B to 100B tokens, final rate 1e-5, tuned batch",
            f"{_STEP_LAW}, eq. 1", "verified",
        ),
        "bjorck2024": Published(
            {"c": 1.3192e-5, "a": -0.23, "b": -0.32},
            "50M to 2.7B parameters, fixed batch. No unit of N and D is known for which c gives plausible rates: use the powers only",
            "arXiv:2409.19913 as transcribed in arXiv:2503.04715, table 1", "recalled",
        ),
    },
)  # fmt: skip
def lr_params_tokens(N, D, *, c, a, b):
    r"""Best peak learning rate from parameters and tokens.

        eta(N, D) = c N^a D^b

    Symbols: N non-embedding parameters; D tokens; eta peak learning rate of AdamW. a < 0 in all papers; b > 0 if the batch is tuned with it
    (Step Law), b < 0 at a fixed batch (Bjorck et al.): never compare the two. Along D = r N the rate falls as N^(a + b).

    Example:
        >>> from scalejax import laws
        >>> f"{laws.lr_params_tokens(1e9, 1e11, **laws.lr_params_tokens.published['step_law']):.4e}"
        '1.6325e-03'
    """
    return product(c, (N, a), (D, b))


@law(
    output="lr",
    reference="Bjorck et al. 2024, arXiv:2409.19913",
    linear=("B_0",),
    D=ranges.D,
    B_0=_LR,
    beta=Positive(0.05, 1.0),
)
def lr_horizon(D, *, B_0, beta):
    r"""Best learning rate of one model from its token horizon, at a fixed batch.

        eta(D) = B_0 D^-beta

    Symbols: D tokens; eta peak learning rate. beta is 0.32 for all sizes together and about 0.3 from 760M parameters on, so that ten times
    the tokens want half the rate; `studies.rescaled` moves one tuned rate to another horizon without any fit.

    Example:
        >>> from scalejax import laws
        >>> round(laws.lr_horizon(1e10, B_0=1.0, beta=0.32) / laws.lr_horizon(1e11, B_0=1.0, beta=0.32), 2)
        2.09
    """
    return B_0 * power(D, -beta)


@law(
    output="lr",
    reference="Bi et al. 2024, arXiv:2401.02954",
    linear=("c",),
    C=ranges.C,
    c=_LR,
    p=POWER,
    published={
        "deepseek": Published(
            {"c": 0.3118, "p": -0.125},
            "multi-step schedule, 1e17 to 2e19 FLOPs; C = M D with M = 72 n_layer d^2 + 12 n_layer d l_seq FLOPs a token",
            "arXiv:2401.02954, eq. 1; other transcriptions print c = 0.3188 and 0.3318", "printed",
        ),
        "moonlight": Published({"c": 0.0127, "p": -0.057}, "Muon and AdamW, FLOPs", "arXiv:2502.16982", "printed"),
    },
)  # fmt: skip
def lr_compute(C, *, c, p):
    r"""Best peak learning rate from compute alone.

        eta(C) = c C^p

    Symbols: C FLOPs of training; eta peak learning rate; p < 0. Its N and D are the compute-optimal ones.

    Example:
        >>> from scalejax import laws
        >>> f"{laws.lr_compute(1e20, **laws.lr_compute.published['deepseek']):.3e}"
        '9.860e-04'
    """
    return product(c, (C, p))


@law(
    output="lr",
    reference="Porian et al. 2024, arXiv:2406.19146",
    linear=("c",),
    N=ranges.N,
    c=_LR,
    p=POWER,
    published={
        "porian2024": Published(
            {"c": 3.7, "p": -0.36}, "5M to 900M parameters at 20 tokens a parameter, constant rate after warm-up",
            "arXiv:2406.19146 as transcribed in arXiv:2503.04715, table 1", "printed",
        ),
    },
)  # fmt: skip
def lr_params(N, *, c, p):
    r"""Best peak learning rate from parameters, at a fixed number of tokens a parameter.

        eta(N) = c N^p

    Symbols: N parameters; eta peak learning rate; p < 0.

    Example:
        >>> from scalejax import laws
        >>> f"{laws.lr_params(1e9, **laws.lr_params.published['porian2024']):.2e}"
        '2.13e-03'
    """
    return product(c, (N, p))


@law(
    output="lr",
    reference="Kaplan et al. 2020, arXiv:2001.08361, appendix D.6",
    linear=("intercept", "slope"),
    N=Positive(1e5, 1e9, unit="non-embedding parameters"),
    intercept=Positive(3.2e-3, 3e-2),
    slope=Positive(1e-5, 1.5e-4),
    published={
        "kaplan2020": Published(
            {"intercept": 0.003239, "slope": 0.0001395}, "WebText2, Adam, up to 1.5B parameters", "arXiv:2001.08361, eq. D.1", "printed"
        )
    },
)
def lr_log_params(N, *, intercept, slope):
    r"""Learning rate that falls with the logarithm of the size: the rule of thumb of Kaplan et al.

        eta(N) = intercept - slope ln N

    Symbols: N non-embedding parameters; eta peak learning rate. It reaches 0 at N = exp(intercept / slope), 1.2e10 as published, and means
    nothing near there.

    Example:
        >>> from scalejax import laws
        >>> round(laws.lr_log_params(1e8, **laws.lr_log_params.published["kaplan2020"]), 6)
        0.000669
    """
    return intercept - slope * jnp.log(N)


@law(
    output="batch",
    reference=f"{_STEP_LAW}, eq. 1; Bergsma et al. 2025, arXiv:2505.13738",
    linear=("c",),
    D=ranges.D,
    c=COEFFICIENT,
    d=POWER,
    published={
        "step_law": Published(
            {"c": 0.58, "d": 0.571}, "60M to 1B parameters, 2B to 100B tokens; batch in tokens", f"{_STEP_LAW}, eq. 1", "verified"
        ),
        "power_lines": Published(
            {"c": 0.0306 * _SEQUENCE, "d": 0.383}, "111M to 3.3B parameters; printed for sequences of 2,048 tokens, here in tokens",
            "arXiv:2505.13738, figure 1; the exponent is traced, the factor is not", "recalled",
        ),
    },
)  # fmt: skip
def batch_tokens(D, *, c, d):
    r"""Best batch from the tokens of the run, whatever the size of the model.

        B(D) = c D^d

    Symbols: D tokens; B tokens of a batch.

    Example:
        >>> from scalejax import laws
        >>> f"{laws.batch_tokens(1e11, **laws.batch_tokens.published['step_law']):.4e}"
        '1.1077e+06'
    """
    return product(c, (D, d))


@law(
    output="batch",
    reference="Bi et al. 2024, arXiv:2401.02954",
    linear=("c",),
    C=ranges.C,
    c=COEFFICIENT,
    p=POWER,
    published={
        "deepseek": Published(
            {"c": 0.292, "p": 0.3271}, "1e17 to 2e19 FLOPs counted as in `lr_compute`; in tokens", "arXiv:2401.02954, eq. 1", "printed"
        ),
        "moonlight": Published({"c": 0.0065, "p": 0.4138}, "Muon and AdamW; batch in tokens", "arXiv:2502.16982", "printed"),
        "kaplan2020": Published(
            {"c": 2e6 * _PF_DAY**-0.24, "p": 0.24}, "compute-efficient training, B_e = 2.0e6 tokens at 1 PF-day of C_min",
            "arXiv:2001.08361, appendix A", "printed",
        ),
    },
)  # fmt: skip
def batch_compute(C, *, c, p):
    r"""Best batch from compute alone.

        B(C) = c C^p

    Symbols: C FLOPs of training; B tokens of a batch.

    Example:
        >>> from scalejax import laws
        >>> f"{laws.batch_compute(1e20, **laws.batch_compute.published['deepseek']):.4e}"
        '1.0171e+06'
    """
    return product(c, (C, p))


@law(
    output="batch",
    reference="Porian et al. 2024, arXiv:2406.19146",
    linear=("c",),
    N=ranges.N,
    c=COEFFICIENT,
    p=POWER,
    published={
        "porian2024": Published(
            {"c": 0.7576, "p": 0.703}, "5M to 900M parameters at 20 tokens a parameter; batch in tokens",
            "arXiv:2406.19146 as transcribed in arXiv:2503.04715, table 1", "printed",
        ),
    },
)  # fmt: skip
def batch_params(N, *, c, p):
    r"""Best batch from parameters, at a fixed number of tokens a parameter.

        B(N) = c N^p

    Symbols: N parameters; B tokens of a batch.

    Example:
        >>> from scalejax import laws
        >>> f"{laws.batch_params(1e9, **laws.batch_params.published['porian2024']):.1e}"
        '1.6e+06'
    """
    return product(c, (N, p))


_POWER_LINES = {
    "power_lines": Published(
        {"c_tau": 1.084, "m_tau": -0.527}, "111M to 3.3B parameters, maximal update parametrisation, linear decay to zero",
        "arXiv:2505.13738, figure 1", "printed",
    )
}  # fmt: skip
_C_TAU = Positive(1e-2, 1e2)
_M_TAU = Real(-1.5, 0.5)


@law(
    output="tau",
    reference="Bergsma et al. 2025, arXiv:2505.13738",
    linear=("c_tau",),
    TPP=Positive(1.0, 2e3, unit="tokens/parameter"),
    c_tau=_C_TAU,
    m_tau=_M_TAU,
    published=_POWER_LINES,
)
def timescale(TPP, *, c_tau, m_tau):
    r"""Best time-scale of AdamW's moving average of updates, as a share of the run.

        tau(TPP) = c_tau TPP^m_tau,    tau = B / (eta lambda D)

    Symbols: TPP = D / N tokens a parameter; tau share of the run over which the weights average their updates; B batch and D tokens in one
    unit; eta peak learning rate; lambda weight decay.

    Example:
        >>> from scalejax import laws
        >>> round(laws.timescale(20.0, **laws.timescale.published["power_lines"]), 4)
        0.2236
    """
    return product(c_tau, (TPP, m_tau))


@law(
    output="weight_decay",
    reference="Bergsma et al. 2025, arXiv:2505.13738",
    N=ranges.N,
    D=ranges.D,
    B=Positive(1e4, 1e8, unit=_TOKENS),
    lr=Positive(1e-5, 1e-1),
    c_tau=_C_TAU,
    m_tau=_M_TAU,
    published=_POWER_LINES,
)
def weight_decay(N, D, B, lr, *, c_tau, m_tau):
    r"""Best weight decay of AdamW, from the time-scale that it should give.

        lambda = B / (eta D tau),    tau = c_tau (D / N)^m_tau

    Symbols: N parameters; D tokens of the run; B tokens of a batch; eta (`lr`) peak learning rate; lambda weight decay, coupled to the rate
    as in AdamW's eta lambda w. At fixed N and D it grows in proportion to B.

    Example:
        >>> from scalejax import laws
        >>> law = laws.weight_decay
        >>> round(law(1e9, 2e10, 1e6, 2e-3, **law.published["power_lines"]), 4)
        0.1118
    """
    return jnp.exp(jnp.log(B) - jnp.log(lr) - jnp.log(D)) / product(c_tau, (D, m_tau), (N, -m_tau))


# Papers that print powers without the factor, which depends on the set-up anyway: scale a tuned value with `studies.rescaled`.
hyperparameter_exponents: Mapping[str, Published] = MappingProxyType(
    {
        "scion_lr": Published({"B": 0.62, "D": -0.56}, "learning rate of Scion by batch and tokens", "arXiv:2510.03871", "printed"),
        "scion_batch": Published({"D": 0.45}, "best batch of Scion", "arXiv:2510.03871", "printed"),
        "scion_lr_at_best_batch": Published({"D": -0.28}, "learning rate of Scion at its best batch", "arXiv:2510.03871", "printed"),
        "horizon_lr": Published({"N": -0.23, "D": -0.32}, "learning rate at a fixed batch", "arXiv:2409.19913", "printed"),
        "effective_depth_lr": Published(
            {"depth": -1.5}, "learning rate by effective depth, multi-path networks", "arXiv:2602.07494", "printed"
        ),
        "power_lines_batch": Published({"D": 0.383}, "best batch by tokens", "arXiv:2505.13738", "printed"),
        "power_lines_critical_batch": Published({"D": 0.462}, "critical batch by the fewest tokens", "arXiv:2505.13738", "printed"),
    }
)
