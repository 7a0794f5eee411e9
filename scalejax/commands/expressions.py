"""Arithmetic that the command line reads, evaluated without running code: on columns of a table, and in the arguments of priors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..core.arithmetic import parse, value
from ..core.errors import ScalejaxError, suggest
from ..core.lazy import whole


def source(text: str) -> str | Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """A column name as it is, or a function for arithmetic on columns."""
    return expression(text) if any(sign in text for sign in "*/+()") else text


def expression(text: str) -> Callable[[Mapping[str, np.ndarray]], Any]:
    """Arithmetic and one comparison on columns."""
    tree = parse(text, f"{text!r} is not arithmetic on columns; write for instance flops/(6*params).")

    def evaluate(columns: Mapping[str, np.ndarray]) -> Any:
        try:
            return value(tree, columns, None, f"{text!r} may use columns, numbers, + - * / ** and one comparison only.")
        except KeyError as error:
            raise ScalejaxError(f"{text!r} uses {error}, which is not a column; {suggest(error.args[0], columns)}") from None
        except (ArithmeticError, TypeError) as error:
            raise ScalejaxError(f"{text!r} cannot be computed: {error}; look at the columns and constants that it uses.") from None

    return evaluate


def distribution(text: str) -> Any:
    """A distribution of NumPyro, such as "LogNormal(log(0.35), 0.2)" or "TruncatedNormal(0.5, 0.1, low=0)"."""
    from ..core.numeric.precision import double

    return double(_distribution)(text)


def _distribution(text: str) -> Any:
    wrong = f"{text!r} is not a distribution with numbers as arguments; write for instance LogNormal(-1, 0.3)."
    tree = parse(text, wrong)
    try:
        made = value(tree, {}, _make, wrong)
    except KeyError:
        raise ScalejaxError(wrong) from None
    except ScalejaxError:
        raise
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ScalejaxError(f"{text!r} is not a distribution: {error}") from None
    if isinstance(made, float | str | np.ndarray):
        raise ScalejaxError(wrong)
    return made


def _make(name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
    """The logarithm, or a distribution whose arguments are in its range."""
    dist = whole("numpyro.distributions")

    if name == "log":
        return math.log(*args, **keywords)
    known = [n for n in dir(dist) if n[0].isupper() and callable(getattr(dist, n))]
    if name not in known:
        raise ScalejaxError(f"NumPyro has no distribution {name!r}; {suggest(name, known)}")
    make = getattr(dist, name)
    make(*args, **keywords, validate_args=True)
    return make(*args, **keywords)
