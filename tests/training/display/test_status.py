"""The words and numbers of a progress display."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchstone.training.display.status import Status, duration, label, number, rate, sparkline


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0264, "0.0264"),
        (4.5371, "4.537"),
        (1.2e-5, "1.2e-05"),
        (123.456, "123.5"),
        (31234.5, "31,234"),
        (2e7, "2.0e+07"),
        (0.0, "0.0000"),
        (-0.5, "-0.5000"),
        (math.nan, "nan"),
        (math.inf, "inf"),
    ],
)
def test_numbers_keep_their_width(value: float, text: str) -> None:
    assert number(value) == text


@given(st.floats(-1e12, 1e12))
def test_a_number_is_short_and_reads_back(value: float) -> None:
    text = number(value)
    assert len(text) <= 9
    assert abs(float(text.replace(",", "")) - value) <= max(6e-5, 0.051 * abs(value))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0:00"), (7.9, "0:07"), (151, "2:31"), (3751, "1:02:31"), (360000, "100:00:00")],
)
def test_time_as_a_clock_shows_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_words() -> None:
    assert (label("val_roc_auc"), label(None), rate(11331.7)) == ("val roc auc", "", "11,332 samples/s")


def test_a_sparkline_rises_and_falls_with_its_values() -> None:
    assert sparkline([0.0, 1.0, 0.5]) == "▁█▅" or sparkline([0.0, 1.0, 0.5]) == "▁█▄"
    assert sparkline([1.0, 1.0]) == "▁▁"
    assert sparkline([1.0]) == sparkline([]) == sparkline([math.nan, 1.0]) == ""
    assert len(sparkline(list(range(100)))) == 24
    assert sparkline([0.0, *range(100)])[-1] == "█"  # the latest ones


@pytest.mark.parametrize(
    ("epoch", "step", "steps", "fraction"),
    [(1, 0, 10, 0.0), (1, 5, 10, 0.125), (4, 10, 10, 1.0), (3, 0, None, 0.5), (4, 99, 10, 1.0)],
)
def test_the_share_that_is_done(epoch: int, step: int, steps: int | None, fraction: float) -> None:
    assert Status(epoch, 4, step, steps).fraction == fraction


@pytest.mark.parametrize(("higher", "best"), [(True, (0.9, 2)), (False, (0.3, 3))])
def test_the_best_epoch_goes_by_the_direction_of_the_metric(higher: bool, best: tuple[float, int]) -> None:
    status = Status(4, 9, 0, 1, monitored=[0.5, 0.9, 0.3, math.nan], higher_is_better=higher)
    assert status.best == best
    assert not status.is_best


def test_nothing_is_best_where_nothing_is_known() -> None:
    assert Status(1, 9, 0, 1).best is None
    assert Status(1, 9, 0, 1, monitored=[math.nan]).best is None
    assert Status(2, 9, 0, 1, monitored=[0.5, 0.4]).is_best


def test_the_time_left_is_a_bound_where_training_may_stop_early() -> None:
    assert Status(1, 4, 1, 10, left=12.3).remaining == "0:12 left"
    assert Status(1, 4, 1, 10, left=12.3, patience=5).remaining == "at most 0:12 left"
    assert Status(1, 4, 1, 10).remaining == ""
    assert Status(4, 4, 10, 10, left=0.0).remaining == ""
