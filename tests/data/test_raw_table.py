"""What every reader of tables checks: names, rows, and one value a cell."""

from __future__ import annotations

import datetime

import numpy as np
import polars as pl
import pytest

from torchstone.data import sources
from torchstone.data.dialect import Dialect
from torchstone.data.raw_table import RawTable, check_flat, check_names, check_not_empty
from torchstone.errors import DataError


def _table(frame: pl.DataFrame, dialect: Dialect | None = None) -> RawTable:
    return RawTable("people.csv", frame, np.arange(frame.height) + 1, dialect)


def test_names_of_their_own_pass() -> None:
    check_names(["a", "A", "a ", "column_1", "^", "$", "^a", "b$", ""], "people.csv")


@pytest.mark.parametrize(
    ("names", "places", "name"),
    [(["a", "b", "a"], (1, 3), "a"), (["x", "y", "z", "z"], (3, 4), "z"), (["é", "é"], (1, 2), "é")],
)
def test_two_columns_of_one_name_are_told_by_place(
    names: list[str], places: tuple[int, int], name: str
) -> None:
    with pytest.raises(DataError) as caught:
        check_names(names, "people.csv")
    first, second = places
    assert caught.value.message == f'people.csv: columns {first} and {second} have the same name "{name}".'
    assert caught.value.hint


def test_a_name_that_polars_takes_for_a_pattern_is_refused() -> None:
    """`frame.select("^.*$")` would be all columns."""
    frame = pl.DataFrame({"a": [1], "b": [2]})
    assert frame.select("^.*$").width == 2
    for check in (
        lambda: check_names(["a", "^.*$"], "t.csv"),
        lambda: check_flat(frame.rename({"b": "^.*$"}), "t.csv"),
    ):
        with pytest.raises(DataError, match=r"t\.csv: a column is called"):
            check()  # type: ignore[no-untyped-call]


def test_no_columns_and_no_rows_are_told_apart() -> None:
    with pytest.raises(DataError, match=r"people\.csv has no columns"):
        check_not_empty(_table(pl.DataFrame()))
    with pytest.raises(DataError, match=r"people\.csv has column names but no rows"):
        check_not_empty(_table(pl.DataFrame(schema={"a": pl.String})))
    table = _table(pl.DataFrame({"a": [None]}))
    assert check_not_empty(table) is table  # a missing value is a row


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([[1], [2, 3]], None),
        ([[1, 2], [3, 4]], pl.Array(pl.Int64, 2)),
        ([{"x": 1}, {"x": 2}], None),
        ([object(), object()], pl.Object),
    ],
)
def test_a_cell_of_several_values_is_refused_by_its_column(values: list[object], dtype: object) -> None:
    frame = pl.DataFrame({"fine": [1, 2], "nested": pl.Series(values, dtype=dtype)})  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r'people\.csv: column "nested" holds'):
        check_flat(frame, "people.csv")


def test_cells_of_one_value_pass() -> None:
    frame = pl.DataFrame(
        {
            "number": [1.5, None],
            "word": ["a", None],
            "flag": [True, False],
            "day": [datetime.date(2020, 1, 1), None],
            "span": [datetime.timedelta(hours=1), None],
            "nothing": [None, None],
        }
    )
    assert check_flat(frame, "people.csv") is frame


def test_only_a_text_table_without_a_header_has_no_names_of_its_own() -> None:
    frame = pl.DataFrame({"column_1": ["a"]})
    assert _table(frame).header
    assert _table(frame, Dialect(",", '"', True, ("a",))).header
    assert not _table(frame, Dialect(",", '"', False, ("a",))).header


def test_the_checks_hold_for_frames_in_memory_too() -> None:
    with pytest.raises(DataError, match='column "inside"'):
        sources.load(pl.DataFrame({"inside": [[1], [2]], "y": ["a", "b"]}))
