"""Rules that carry hyper-parameters over to another batch, width, depth or horizon, as functions that compose.

A rule takes settings, a mapping of name to value, and returns new ones: `lr`, `weight_decay`, `beta1`, `beta2`, `momentum`, `eps`, `ema`,
`batch`, ... It changes what it knows of, leaves the rest, and refuses results that no optimiser takes. A rule for a factor and then
for another is the same as applying it once for their product.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.errors import DecisionError

Settings = Mapping[str, float]


def adam_batch_rule(settings: Settings, kappa: float) -> dict[str, float]:
    r"""Adam or AdamW at kappa times the batch: the square-root rule.

        lr <- sqrt(kappa) lr,  1 - beta <- kappa (1 - beta) for beta1 and beta2,  eps <- eps / sqrt(kappa),  batch <- kappa batch

    Args:
        settings: any of "lr", "beta1", "beta2", "eps", "batch", among others.
        kappa: new batch over old.

    Raises:
        DecisionError: if a beta would not be positive: kappa (1 - beta) must stay below 1.

    Example:
        >>> moved = adam_batch_rule({"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}, 4)
        >>> {name: round(value, 10) for name, value in moved.items()}
        {'lr': 0.002, 'beta1': 0.6, 'beta2': 0.996, 'eps': 5e-09}

    Note: it holds where noise dominates the gradient, far below the critical batch; compare `laws.surge_lr`.

    References: Malladi et al. 2022, arXiv:2205.10287.
    """
    return _moved(settings, kappa, {"lr": 0.5, "eps": -0.5, "batch": 1.0}, ("beta1", "beta2"))


def rmsprop_batch_rule(settings: Settings, kappa: float) -> dict[str, float]:
    r"""RMSProp at kappa times the batch.

        lr <- sqrt(kappa) lr,  1 - beta <- kappa (1 - beta),  eps <- eps / sqrt(kappa),  batch <- kappa batch

    Args:
        settings: any of "lr", "beta" (or "beta2"), "eps", "batch", among others.
        kappa: new batch over old.

    Raises:
        DecisionError: if beta would not be positive.

    Example:
        >>> round(rmsprop_batch_rule({"lr": 1e-3, "beta": 0.99}, 9)["beta"], 10)
        0.91

    References: Malladi et al. 2022, arXiv:2205.10287.
    """
    return _moved(settings, kappa, {"lr": 0.5, "eps": -0.5, "batch": 1.0}, ("beta", "beta2"))


def sgd_batch_rule(settings: Settings, kappa: float, *, scale_momentum: bool = False) -> dict[str, float]:
    r"""SGD at kappa times the batch: the linear rule.

        lr <- kappa lr,  batch <- kappa batch;    scale_momentum:  1 - momentum <- kappa (1 - momentum)

    Args:
        settings: any of "lr", "momentum", "batch", among others.
        kappa: new batch over old.
        scale_momentum: keep the time that the momentum averages over in examples, instead of in steps. The effective rate
            lr / (1 - momentum) then stays as it was.

    Raises:
        DecisionError: if the momentum would become negative.

    Example:
        >>> sgd_batch_rule({"lr": 0.1, "momentum": 0.9, "batch": 256}, 2)
        {'lr': 0.2, 'momentum': 0.9, 'batch': 512.0}

    References: Malladi et al. 2022, arXiv:2205.10287 (for contrast with Adam); McCandlish et al. 2018, arXiv:1812.06162.
    """
    return _moved(settings, kappa, {"lr": 1.0, "batch": 1.0}, ("momentum",) if scale_momentum else ())


def ema_batch_rule(settings: Settings, kappa: float, *, first_order: bool = False) -> dict[str, float]:
    r"""Moving average of a model's weights at kappa times the batch; compose it with the rule of the optimiser.

        rho <- rho^kappa    (first_order:  1 - rho <- kappa (1 - rho), the same for rho near 1)

    Args:
        settings: "ema", the decay rho of the average, in (0, 1); the rest is left, also the batch.
        kappa: new batch over old.
        first_order: use the linear form.

    Raises:
        DecisionError: if there is no "ema" in (0, 1), or the linear form makes it negative.

    Example:
        >>> round(ema_batch_rule({"ema": 0.996}, 6)["ema"], 6)
        0.976239

    References: Busbridge et al. 2023, arXiv:2307.13813.
    """
    kappa = _factor("kappa", kappa)
    rho = settings.get("ema", math.nan)
    if not 0 < rho < 1:
        raise DecisionError(f"ema_batch_rule() needs settings with an 'ema' between 0 and 1, got {settings.get('ema')!r}.")
    if first_order:
        return _moved(settings, kappa, {}, ("ema",))
    return {**settings, "ema": rho**kappa}


def half_life(ema: float, batch: float) -> float:
    r"""Examples after which a moving average has forgotten half: batch ln 2 / (-ln ema). `ema_batch_rule` keeps it.

    Args:
        ema: decay a step, in (0, 1). batch: examples a step.

    Example:
        >>> round(half_life(0.999, 256.0))
        177357
    """
    if not 0 < ema < 1:
        raise DecisionError(f"ema={ema!r} must lie between 0 and 1.")
    return batch * math.log(2) / -math.log(ema)


def adamw_timescale(*, batch: Any, lr: Any, weight_decay: Any, D: Any) -> Any:
    r"""Share of the run over which AdamW's weights average their updates.

        tau = B / (eta lambda D)

    Args:
        batch: B and D tokens of the run, in one unit; D one epoch's tokens for the time-scale in epochs of Wang and Aitchison.
        lr: eta, peak learning rate. weight_decay: lambda, as in w <- w - eta lambda w.
        D: see batch.

    Example:
        >>> round(adamw_timescale(batch=5e5, lr=1e-3, weight_decay=0.1, D=2e10), 4)
        0.25

    References: Wang and Aitchison 2024, arXiv:2405.13698; Bergsma et al. 2025, arXiv:2505.13738.
    """
    return batch / (lr * weight_decay * D)


def timescale_rule(settings: Settings, **new: float) -> dict[str, float]:
    r"""Weight decay that keeps AdamW's time-scale when learning rate, batch or tokens change.

        lambda <- lambda (B' / B) (eta / eta') (D / D')

    Args:
        settings: "weight_decay", and the old value of everything that is new.
        **new: new values of "lr", "batch" and "D", any of them; for `steps` give batch and D.

    Returns:
        Settings with the new values and the new weight decay. With lr moved by sqrt(B' / B) it is the rule
        lambda <- lambda sqrt(B' / B) D / D' of small public training runs.

    Raises:
        DecisionError: if a value is missing, unknown or not positive.

    Example:
        >>> old = {"lr": 1e-3, "batch": 5e5, "D": 1e10, "weight_decay": 0.1}
        >>> round(timescale_rule(old, batch=2e6, lr=2e-3, D=4e10)["weight_decay"], 10)  # 0.1 * sqrt(4) / 4
        0.05

    References: Bergsma et al. 2025, arXiv:2505.13738; Wang and Aitchison 2024, arXiv:2405.13698.
    """
    powers = {"lr": -1.0, "batch": 1.0, "D": -1.0}
    for name in ("weight_decay", *new):
        if name not in settings or (name in new and name not in powers):
            raise DecisionError(f"timescale_rule() needs settings with 'weight_decay' and the old value of lr, batch or D; not {name!r}.")
    ratios = {name: _factor(name, value) / _factor(name, settings[name]) for name, value in new.items()}
    change = math.prod(ratio ** powers[name] for name, ratio in ratios.items())
    return {**settings, **{k: float(v) for k, v in new.items()}, "weight_decay": settings["weight_decay"] * change}


def width_rule(settings: Settings, r: float, *, q: float | None = None) -> dict[str, float]:
    r"""Hidden matrices at r times the width under the maximal update parametrisation, for Adam.

        lr <- lr / r,  init_var <- init_var / r,  output_mult <- output_mult / r;    q given:  weight_decay <- weight_decay r^(2 q - 1)

    Args:
        settings: any of "lr", "init_var", "output_mult" and "weight_decay" of hidden matrices. Embeddings, biases and gains keep all theirs
            (and take no weight decay): pass them through no rule.
        r: new width over old.
        q: power of the width in the top singular value, sigma ~ sqrt(lr / weight_decay) width^q, which the weight decay then keeps: 0.75 in
            LLaMA-style models, so that weight_decay <- weight_decay sqrt(r). Measure it by a fit of
            `power_product("ratio", "width", output="sigma")`.

    Raises:
        DecisionError: if r is not positive.

    Example:
        >>> moved = width_rule({"lr": 1e-2, "init_var": 1.0, "weight_decay": 0.1}, 4, q=0.75)
        >>> {name: round(value, 6) for name, value in moved.items()}
        {'lr': 0.0025, 'init_var': 0.25, 'weight_decay': 0.2}

    References: Yang et al. 2022, arXiv:2203.03466, table 8; Fan et al. 2025, arXiv:2510.15262 (weight decay).
    """
    powers = {"lr": -1.0, "init_var": -1.0, "output_mult": -1.0, "width": 1.0}
    return _moved(settings, r, powers if q is None else {**powers, "weight_decay": weight_decay_power(q)}, ())


def weight_decay_power(q: float, lr_power: float = -1.0) -> float:
    r"""Power of the width with which the weight decay must grow so that top singular values keep their size.

        sqrt(lr / weight_decay) width^q constant:    weight_decay ~ width^(2 q + lr_power)

    Args:
        q: power of the width in the top singular value. lr_power: that in the learning rate, -1 for hidden matrices.

    Example:
        >>> weight_decay_power(0.75)
        0.5

    References: Fan et al. 2025, arXiv:2510.15262.
    """
    return 2 * q + lr_power


def depth_rule(settings: Settings, r: float) -> dict[str, float]:
    r"""Residual networks at r times the depth: branches shrink with the square root, and the learning rate stays.

        branch_scale <- branch_scale / sqrt(r)

    Args:
        settings: "branch_scale", the factor of every residual branch; the rest is left.
        r: new depth over old.

    Raises:
        DecisionError: if r is not positive.

    Example:
        >>> depth_rule({"lr": 1e-3, "branch_scale": 1.0}, 4)
        {'lr': 0.001, 'branch_scale': 0.5}

    References: Bordelon et al. 2023, arXiv:2309.16620.
    """
    return _moved(settings, r, {"branch_scale": -0.5, "depth": 1.0}, ())


def rescaled(value: Any, exponents: Mapping[str, float], **ratios: Any) -> Any:
    r"""A tuned value elsewhere on a power law of which only the powers are known.

        y' = y prod_i (x_i' / x_i)^p_i

    Args:
        value: y, tuned. exponents: quantity to its power, such as `studies.hyperparameter_exponents["horizon_lr"]`.
        **ratios: new over old of the quantities that change; the others stay.

    Raises:
        DecisionError: if a ratio is not positive, or has no power.

    Example:
        Ten times the tokens at a fixed batch want half the learning rate:

        >>> round(rescaled(1e-3, {"N": -0.23, "D": -0.32}, D=10), 6)
        0.000479

    References: Bjorck et al. 2024, arXiv:2409.19913; Filatov et al. 2025, arXiv:2510.03871.
    """
    for name in ratios:
        if name not in exponents:
            raise DecisionError(f"rescaled() has no power of {name!r}; it has those of {', '.join(exponents)}.")
    moved = value * np.exp(sum(exponents[name] * np.log(_factor(name, ratio)) for name, ratio in ratios.items()))
    return moved if np.ndim(moved) else float(moved)


def _moved(settings: Settings, kappa: float, powers: Mapping[str, float], decays: tuple[str, ...]) -> dict[str, float]:
    """Settings times powers of kappa, and decays whose distance from 1 grows with kappa."""
    kappa = _factor("kappa", kappa)
    out = dict(settings)
    for name, power in powers.items():
        if name in out:
            out[name] = out[name] * kappa**power
    for name in decays:
        if name in out:
            out[name] = 1 - kappa * (1 - out[name])
            if not 0 < out[name] < 1:
                raise DecisionError(
                    f"{name}={settings[name]:g} would become {out[name]:g} for a factor of {kappa:g}: the rule holds for factors below "
                    f"{1 / (1 - settings[name]):g}."
                    if settings[name] < 1
                    else f"{name}={settings[name]:g} must lie below 1."
                )
    return out


def _factor(name: str, value: Any) -> Any:
    if not (np.all(np.isfinite(value)) and np.all(np.asarray(value) > 0)):
        raise DecisionError(f"{name}={value!r} must be a positive number.")
    return value
