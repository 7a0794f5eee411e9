"""Model functions of the NIST nonlinear regression reference problems.

Source: NIST Statistical Reference Datasets (StRD), nonlinear regression,
National Institute of Standards and Technology (US government, public domain).
``problems.json`` beside this file holds each problem's data, its two starting
points and its certified values; ``MODELS`` maps a problem's name to the
function that predicts its response.

Two things to know:

* Nelson has two predictors, and its model is for ``log(y)``: the file holds
  the plain ``y``, and ``RESPONSES`` names the transform to apply to it first.
* Rat43: NIST prints 9 degrees of freedom, but its certified residual standard
  deviation and standard errors are those of 15 observations less 4
  parameters; ``problems.json`` says 11.
"""

import jax.numpy as jnp


def misra1a(x, *, b1, b2):
    return b1 * (1 - jnp.exp(-b2 * x))


def misra1b(x, *, b1, b2):
    return b1 * (1 - (1 + b2 * x / 2) ** (-2))


def misra1c(x, *, b1, b2):
    return b1 * (1 - (1 + 2 * b2 * x) ** (-0.5))


def misra1d(x, *, b1, b2):
    return b1 * b2 * x / (1 + b2 * x)


def chwirut(x, *, b1, b2, b3):
    return jnp.exp(-b1 * x) / (b2 + b3 * x)


def lanczos(x, *, b1, b2, b3, b4, b5, b6):
    return b1 * jnp.exp(-b2 * x) + b3 * jnp.exp(-b4 * x) + b5 * jnp.exp(-b6 * x)


def gauss(x, *, b1, b2, b3, b4, b5, b6, b7, b8):
    return b1 * jnp.exp(-b2 * x) + b3 * jnp.exp(-(((x - b4) / b5) ** 2)) + b6 * jnp.exp(-(((x - b7) / b8) ** 2))


def danwood(x, *, b1, b2):
    return b1 * x**b2


def kirby2(x, *, b1, b2, b3, b4, b5):
    return (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2)


def cubic_over_cubic(x, *, b1, b2, b3, b4, b5, b6, b7):
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def nelson(x1, x2, *, b1, b2, b3):
    """Predicts ``log(y)``, not ``y``."""
    return b1 - b2 * x1 * jnp.exp(-b3 * x2)


def mgh17(x, *, b1, b2, b3, b4, b5):
    return b1 + b2 * jnp.exp(-x * b4) + b3 * jnp.exp(-x * b5)


def roszman1(x, *, b1, b2, b3, b4):
    return b1 - b2 * x - jnp.arctan(b3 / (x - b4)) / jnp.pi


def enso(x, *, b1, b2, b3, b4, b5, b6, b7, b8, b9):
    turn = 2 * jnp.pi * x
    return (
        b1
        + b2 * jnp.cos(turn / 12)
        + b3 * jnp.sin(turn / 12)
        + b5 * jnp.cos(turn / b4)
        + b6 * jnp.sin(turn / b4)
        + b8 * jnp.cos(turn / b7)
        + b9 * jnp.sin(turn / b7)
    )


def mgh09(x, *, b1, b2, b3, b4):
    return b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4)


def rat42(x, *, b1, b2, b3):
    return b1 / (1 + jnp.exp(b2 - b3 * x))


def mgh10(x, *, b1, b2, b3):
    return b1 * jnp.exp(b2 / (x + b3))


def eckerle4(x, *, b1, b2, b3):
    return (b1 / b2) * jnp.exp(-0.5 * ((x - b3) / b2) ** 2)


def rat43(x, *, b1, b2, b3, b4):
    return b1 / (1 + jnp.exp(b2 - b3 * x)) ** (1 / b4)


def bennett5(x, *, b1, b2, b3):
    return b1 * (b2 + x) ** (-1 / b3)


MODELS = {
    "Misra1a": misra1a,
    "Chwirut2": chwirut,
    "Chwirut1": chwirut,
    "Lanczos3": lanczos,
    "Gauss1": gauss,
    "Gauss2": gauss,
    "DanWood": danwood,
    "Misra1b": misra1b,
    "Kirby2": kirby2,
    "Hahn1": cubic_over_cubic,
    "Nelson": nelson,
    "MGH17": mgh17,
    "Lanczos1": lanczos,
    "Lanczos2": lanczos,
    "Gauss3": gauss,
    "Misra1c": misra1c,
    "Misra1d": misra1d,
    "Roszman1": roszman1,
    "ENSO": enso,
    "MGH09": mgh09,
    "Thurber": cubic_over_cubic,
    "BoxBOD": misra1a,
    "Rat42": rat42,
    "MGH10": mgh10,
    "Eckerle4": eckerle4,
    "Rat43": rat43,
    "Bennett5": bennett5,
}

RESPONSES = {"Nelson": jnp.log}
