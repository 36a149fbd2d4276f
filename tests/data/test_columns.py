"""How columns are recognised."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from torchstone.data.columns import guess_columns
from torchstone.data.conversion import clean, convert, to_booleans, to_numbers

N = 60
CASES: dict[str, tuple[list[Any], str]] = {
    "decimals": ([f"{index / 7:.3f}" for index in range(N)], "numeric"),
    "decimal commas": ([f"{index},5" for index in range(N)], "numeric"),
    "with missing": (["NA", "?", " ", "null", *map(str, range(0, 2 * N, 2))], "numeric"),
    "one odd mark": (["-", *map(str, range(0, 2 * N, 2))], "numeric"),
    "counting": ([str(index) for index in range(5, N)], "identifier"),
    "few words": (["red", "green"] * N, "categorical"),
    "leading zeros": ([f"0{index % 9}" for index in range(N)], "categorical"),
    "half numbers": ([str(index % 9) for index in range(N)] + ["x", "y"] * 10, "categorical"),
    "truth": (["True", "false"] * N, "boolean"),
    "zero and one": (["0", "1"] * N, "numeric"),
    "dates": ([f"2026-01-{1 + index % 28:02}" for index in range(N)], "datetime"),
    "moments": ([f"{1 + index % 12}/28/2026 10:{index % 60:02}" for index in range(N)], "datetime"),
    "sentences": ([f"this is the text of row {index}" for index in range(N)], "text"),
    "codes": ([f"K{index}-{index * 7}" for index in range(N)], "identifier"),
    "same": (["x"] * N, "constant"),
    "nothing": (["NA", ""] * N, "constant"),
    "flag": (["x", None] * N, "categorical"),
    "typed dates": ([date(2026, 1, 1 + index % 28) for index in range(N)], "datetime"),
    "typed truth": ([True, False] * N, "boolean"),
    "typed numbers": ([index * 0.5 for index in range(N)], "numeric"),
}


@pytest.mark.parametrize("name", CASES)
def test_kind(name: str) -> None:
    values, kind = CASES[name]
    assert guess_columns(pl.DataFrame({"x": values}))["x"].kind == kind


@pytest.mark.parametrize(
    ("name", "kind"), [("customer_id", "identifier"), ("passengerId", "identifier"), ("paid", "numeric")]
)
def test_whole_numbers_in_a_column_called_id(name: str, kind: str) -> None:
    frame = pl.DataFrame({name: [str(index * 37 % 1009) for index in range(N)]})
    assert guess_columns(frame)[name].kind == kind


def test_overrides_win() -> None:
    frame = pl.DataFrame({"x": ["1", "2", "3"], "when": ["03.01.2026", "04.01.2026", None]})
    guesses = guess_columns(frame, {"x": "categorical", "when": "datetime"})
    assert guesses["x"].kind == "categorical"
    assert guesses["when"].form == "%d.%m.%Y"


def test_guesses_that_must_be_said() -> None:
    frame = pl.DataFrame(
        {"x": [f"{index % 9}" for index in range(N)] + ["x", "y"], "d": ["01/02/2026", "03/04/2026"] * 31}
    )
    notes = [guess.note for guess in guess_columns(frame).values()]
    assert '"x": taken as categorical' in notes[0]
    assert 'Column "x"' in notes[0]
    assert "month/day/year" in notes[1]


def test_typed_columns() -> None:
    numbers, unread = convert(clean(pl.Series("x", ["1", " 2.5", "NA", "oops", "inf"])), "numeric")
    assert numbers.to_list() == [1.0, 2.5, None, None, None]
    assert unread.to_list() == [False, False, False, True, False]
    numbers, _ = convert(pl.Series("x", [0, 1, 2]), "numeric", None, ["0"])
    assert numbers.to_list() == [None, 1.0, 2.0]
    commas, _ = convert(
        pl.Series("x", ["1.234,5", "3"]),
        "numeric",
        guess_columns(pl.DataFrame({"x": ["1.234,5", "3"]}))["x"].form,
    )
    assert commas.to_list() == [1234.5, 3.0]
    moments, unread = convert(pl.Series("x", ["2026-01-02", "x"]), "datetime", "%Y-%m-%d")
    assert moments.to_list() == [datetime(2026, 1, 2), None]
    assert unread.to_list() == [False, True]
    words, _ = convert(pl.Series("x", [1.0, 2.5, None]), "categorical")
    assert words.to_list() == ["1", "2.5", None]
    assert to_booleans(pl.Series(["Yes", "n", "1", "0.0", "maybe"])).to_list() == [
        True,
        False,
        True,
        False,
        None,
    ]
    assert to_numbers(pl.Series(["1e3", "x"])).to_list() == [1000.0, None]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_span_of_time_is_a_number_of_seconds(unit: Any) -> None:
    spans = pl.Series("x", [timedelta(seconds=1.5), None, timedelta(days=-1)] * 7, dtype=pl.Duration(unit))
    assert guess_columns(spans.to_frame())["x"].kind == "numeric"
    for kind in ("numeric", "categorical"):
        typed, unread = convert(clean(spans), kind)
        assert typed.cast(pl.Float64).to_list()[:3] == [1.5, None, -86400.0]
        assert not unread.any()
