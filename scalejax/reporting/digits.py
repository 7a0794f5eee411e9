"""Numbers with as many digits as their uncertainty leaves them."""

from __future__ import annotations

import math

import numpy as np

from ..core.table import number

WIDE = 4.0  # fold, of an interval whose ends are rounded each by itself
NOTHING = 1e-3  # of the upper end of an interval: less is as good as zero
LARGE = 1e6  # numbers from here on are written with an exponent


def estimate(value: float, low: float, high: float) -> tuple[str, str, str]:
    """A value and the ends of its interval: the width has two digits, and all three end where it ends.

    >>> estimate(475.59, 60.2, 1012.7), estimate(1.81723, 1.7612, 1.8704), estimate(0.4, 1.4852e-10, 0.62)
    (('480', '60', '1000'), ('1.817', '1.761', '1.870'), ('0.40', '0.00', '0.62'))
    """
    if not np.isfinite([value, low, high]).all() or high <= low:
        return number(value, 4), number(low, 3), number(high, 3)
    if low > NOTHING * high and high > WIDE * low:  # known by its order of magnitude: no common last digit
        return plain(value, 2), plain(low, 2), plain(high, 2)
    last = 1 - math.floor(math.log10((high - low) / 2))  # decimals of two digits of half the width
    return tuple(_ending(one, last) for one in (value, low, high))  # type: ignore[return-value]


def interval(low: float, high: float) -> str:
    """The ends of an interval, as far as its width tells them.

    >>> interval(0.3312, 0.3674)
    '0.331 to 0.367'
    """
    _, first, second = estimate((low + high) / 2, low, high)
    return f"{first} to {second}"


def plain(value: float, digits: int) -> str:
    """A number with so many significant digits and no others.

    >>> plain(475.59, 2), plain(3.4e2, 2), plain(1.4852e-10, 2)
    ('480', '340', '1.5e-10')
    """
    if value == 0 or not math.isfinite(value):
        return number(value, digits)
    return _ending(value, digits - 1 - math.floor(math.log10(abs(value))))


def _ending(value: float, decimals: int) -> str:
    """A number with its last digit at this place after the point, or before it."""
    rounded = round(value, decimals)
    if rounded and (abs(rounded) >= LARGE or abs(rounded) < 1e-4):
        significant = max(decimals + math.floor(math.log10(abs(rounded))), 0)
        return f"{rounded:.{min(significant, 15)}e}".replace("e+", "e").replace("e-0", "e-")
    return f"{rounded:.{max(decimals, 0)}f}"
