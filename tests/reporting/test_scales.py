"""Numbers as they are written in reports, and round ticks."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchstone.reporting.scales import DASH, finite, number, padded, percent, seconds, tick_labels, ticks

ANY = st.floats(-1e307, 1e307)
USUAL = st.floats(-1e12, 1e12, allow_nan=False)


def _read(text: str) -> float:
    return float(text.replace(",", ""))


@given(ANY, st.integers(2, 6))
def test_a_number_reads_back_within_its_digits(value: float, digits: int) -> None:
    read = _read(number(value, digits))
    assert abs(read - value) <= 0.5001 * 10.0 ** (1 - digits) * abs(value)


@given(ANY, st.integers(2, 6))
def test_a_number_is_short_whatever_its_size(value: float, digits: int) -> None:
    assert len(number(value, digits)) <= 21


@given(ANY)
def test_a_number_and_its_negative_differ_by_the_sign(value: float) -> None:
    assert number(-abs(value)).removeprefix("-") == number(abs(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0, "0"), (-0.0, "0"), (1, "1"), (30162, "30,162"), (0.86049, "0.860"), (1234.56, "1,235")],
)
def test_usual_numbers(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "0.5"])
def test_what_is_no_number_is_a_dash(value: object) -> None:
    assert number(value) == percent(value) == seconds(value) == DASH


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.float16(0.5)])
def test_numbers_of_numpy_are_numbers(value: np.floating) -> None:
    assert (number(value), percent(value), seconds(value)) == ("0.500", "50.0\u00a0%", "0.5 s")


@given(st.floats(0, 1), st.integers(0, 3))
def test_a_share_reads_back_as_a_percentage(share: float, places: int) -> None:
    text = percent(share, places)
    assert re.fullmatch(r"\d+(\.\d+)?\u00a0%", text)
    assert abs(float(text[:-2]) - 100 * share) <= 0.5001 * 10**-places


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.0 s"),
        (8.74, "8.7 s"),
        (74.2, "74 s"),
        (119.4, "119 s"),
        (720, "12 min"),
        (3 * 3600 + 20 * 60, "3 h 20 min"),
    ],
)
def test_time_spans(value: float, text: str) -> None:
    assert seconds(value) == text


@given(st.floats(0, 1e7))
def test_a_time_span_reads_back(value: float) -> None:
    units = {"s": 1, "min": 60, "h": 3600}
    parts = re.findall(r"([\d.]+) (h|min|s)\b", seconds(value))
    read = sum(float(count) * units[unit] for count, unit in parts)
    assert abs(read - value) <= (0.0501 if value < 9.9 else 0.501 if value < 119 else 30.001)


@given(st.floats(0, 1e7))
def test_no_sixty_minutes_in_an_hour(value: float) -> None:
    assert " 60 min" not in seconds(value) or "h" not in seconds(value)


@given(st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=2), st.booleans())))
def test_finite_keeps_only_numbers(values: list[object]) -> None:
    assert all(math.isfinite(value) for value in finite(values))


@given(USUAL, USUAL)
def test_ticks_lie_between_the_ends_in_order(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    found = ticks(low, high)
    room = 1e-6 * (high - low) + 1e-9 * max(abs(low), abs(high))
    assert found == sorted(found)
    assert all(low - room <= value <= high + room for value in found)
    assert 1 <= len(found) <= 12


@pytest.mark.parametrize("power", [-290, -30, -14, -12, -6, 0, 6, 30, 300])
def test_ticks_of_an_axis_of_any_size_are_apart(power: int) -> None:
    found = ticks(0.0, 10.0**power)
    assert len(found) >= 4
    assert all(second > first for first, second in pairwise(found))


@pytest.mark.parametrize("ends", [(0.0, 5e-324), (-1.7e308, 1.7e308), (1.0, 1.0), (2.0, math.nan)])
def test_ticks_of_strange_ends_are_finite(ends: tuple[float, float]) -> None:
    assert all(math.isfinite(value) for value in ticks(*ends))


@given(USUAL, st.floats(1e-3, 1e9))
def test_each_tick_has_a_label_of_its_own(low: float, span: float) -> None:
    found = ticks(low, low + span)
    labels = tick_labels(found)
    assert len(labels) == len(found)
    if span > 1e-3 * abs(low):
        assert len(set(labels)) == len(found)


@given(st.lists(st.one_of(st.none(), ANY, st.just(math.nan), st.just(math.inf))))
def test_an_axis_holds_its_values(values: list[float | None]) -> None:
    low, high = padded(values)
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low < high
    assert all(low <= value <= high for value in finite(values))


@pytest.mark.parametrize(
    ("value", "label"),
    [(0.35, "0.35"), (1.25, "1.25"), (1234.5, "1,234.5"), (7.0, "7"), (0.0, "0"), (-0.125, "-0.125")],
)
def test_the_only_tick_of_an_axis_keeps_its_decimals(value: float, label: str) -> None:
    assert tick_labels([value]) == [label]


@given(USUAL)
def test_the_only_tick_of_an_axis_reads_back(value: float) -> None:
    assert _read(tick_labels([value])[0]) == pytest.approx(value, rel=1e-5)
