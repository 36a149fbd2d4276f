"""Numbers as people read them, and axes with round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from numbers import Real
from typing import Any

DASH = "–"
"""What stands for a number that is not there."""


def finite(values: Iterable[Any]) -> list[float]:
    """The numbers among the values (those of numpy too), without None, NaN and infinities."""
    return [float(v) for v in values if isinstance(v, Real) and math.isfinite(v)]


def number(value: Any, digits: int = 3) -> str:
    """A number with about `digits` significant digits; a dash where there is none."""
    if not finite([value]):
        return DASH
    value = float(value)
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e15 or size < 1e-4:
        return f"{value:.{digits - 1}e}"
    if size >= 10 ** (digits + 1) or (value.is_integer() and size >= 1):
        return f"{value:,.0f}"
    places = max(0, digits - 1 - math.floor(math.log10(size)))
    return f"{value:,.{places}f}"


def percent(value: Any, places: int = 1) -> str:
    """A share as a percentage, such as `86.0 %`; a dash where there is none."""
    return f"{100 * float(value):.{places}f}\u00a0%" if finite([value]) else DASH


def seconds(value: Any) -> str:
    """A time span, such as `8.7 s`, `74 s`, `12 min` or `3 h 20 min`; a dash where there is none."""
    if not finite([value]):
        return DASH
    value = float(value)
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between two ends, about `count` of them; at least one.

    >>> ticks(0, 1)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return [low]
    raw = span / count
    if raw < 1e-300:
        return [low]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999), power * 10)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    places = max(12, 12 - math.floor(math.log10(step)))
    return [round(place * step, places) for place in range(first, last + 1)] or [low]


def tick_labels(values: list[float]) -> list[str]:
    """The ticks of one axis with the same number of decimals; thousands as k where they are many."""
    largest = max((abs(value) for value in values), default=0.0)
    if len(values) == 1:  # no step says how many decimals tell it apart
        return [f"{values[0]:,.6g}" if largest < 1e6 else f"{values[0]:,.10g}"]
    step = min((b - a for a, b in pairwise(values)), default=largest or 1.0)
    if largest and (largest < 1e-4 or largest >= 1e7):
        digits = min(max(1, math.floor(math.log10(largest)) - math.floor(math.log10(step or largest))), 6)
        return [f"{value:.{digits}e}" if value else "0" for value in values]
    if largest >= 10_000 and all(float(value / 1000).is_integer() for value in values):
        return [f"{value / 1000:,.0f}k" if value else "0" for value in values]
    places = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 2
    return [f"{value:,.{min(places, 6)}f}" for value in values]


def padded(values: Iterable[Any], share: float = 0.04) -> tuple[float, float]:
    """The ends of an axis that holds the values, with a little room; (0, 1) where there is none."""
    known = finite(values)
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if low == high:
        room = abs(low) * 0.1 or 0.5
        return low - room, high + room
    room = share * (high - low)
    return low - room, high + room
