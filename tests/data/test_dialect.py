"""How a text table is written is found out: separator, quotes, and whether the first line names columns."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from torchstone.data.dialect import Dialect, find_dialect
from torchstone.data.raw_table import TextOptions
from torchstone.data.tables import read_table
from torchstone.errors import DataError


def _dialect(folder: Path, text: str, **given: object) -> Dialect:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return find_dialect(path, "utf-8", **given)  # type: ignore[arg-type]


def _rows(folder: Path, text: str) -> list[tuple[str, ...]]:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return read_table(path, TextOptions()).frame.rows()


@pytest.mark.parametrize(
    ("separator", "text"),
    [
        (",", "age,town\n30,Bonn\n41,Ulm\n"),
        (";", "size;price\n1,5;2,75\n3,25;4,5\n"),  # decimal commas, one in each field
        ("\t", "name\tnote\nAnn\tyes, indeed\nBob\tno; never\n"),
        ("|", "a|b|c\n1,2|3;4|5\n6,7|8;9|0\n"),
        (",", "when,what\n2020-01-01 10:30,a;b\n2020-01-02 11:45,c;d\n"),
    ],
)
def test_the_separator_is_the_one_that_divides_rows_alike(tmp_path: Path, separator: str, text: str) -> None:
    assert _dialect(tmp_path, text).separator == separator


def test_a_stated_separator_is_not_guessed(tmp_path: Path) -> None:
    text = "a b,c\n1 2,3\n4 5,6\n"
    assert _dialect(tmp_path, text).first == ("a b", "c")
    assert _dialect(tmp_path, text, separator=" ").first == ("a", "b,c")


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("age,town\n30,Bonn\n41,Ulm\n", True),
        ("30,Bonn\n41,Ulm\n", False),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", False),  # iris.data
        ("name,colour\nAnn,red\nBob,blue\n", True),  # text alone, no name turns up again
        ("yes,no\nno,yes\nyes,yes\n", False),  # text alone, and its own values below it
        ("day,kind\n2020-01-01,a\n2020-01-02,a\n", True),
        ("2020-01-01,a\n2020-01-02,b\n", False),
        ("1980,1990,2000\n5,6,7\n8,9,10\n", False),  # years as names cannot be told from values
        ("a,b\n", True),
    ],
)
def test_whether_the_first_line_names_the_columns(tmp_path: Path, text: str, header: bool) -> None:
    assert _dialect(tmp_path, text).header is header


@pytest.mark.parametrize("stated", [True, False])
def test_a_stated_header_is_not_guessed(tmp_path: Path, stated: bool) -> None:
    for text in ("age,town\n30,Bonn\n", "30,Bonn\n41,Ulm\n"):
        assert _dialect(tmp_path, text, header=stated).header is stated


def test_quotes_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    text = 'who,says\n"Doe, John","a ""b"" c"\nRoe,"two\nlines"\n'
    assert _dialect(tmp_path, text).quote == '"'
    assert _rows(tmp_path, text) == [("Doe, John", 'a "b" c'), ("Roe", "two\nlines")]


def test_names_with_a_comma_in_every_row_are_one_field(tmp_path: Path) -> None:
    """Without quotes these rows divide alike too, into three fields."""
    rows = "".join(f'"Doe{row}, John",{row}\n' for row in range(20))
    assert _dialect(tmp_path, rows).first == ("Doe0, John", "0")
    assert _rows(tmp_path, rows)[3] == ("Doe3, John", "3")
    assert _rows(tmp_path, '"name, first",age\n' + rows)[3] == ("Doe3, John", "3")


def test_addresses_of_two_lines_are_one_field(tmp_path: Path) -> None:
    """Without quotes each of these lines has two fields too."""
    rows = "".join(f'"Main Street {row},\nUlm",{row}\n' for row in range(20))
    assert _rows(tmp_path, "address,age\n" + rows)[2] == ("Main Street 2,\nUlm", "2")


def test_inches_and_quoted_words_are_ordinary_characters(tmp_path: Path) -> None:
    inches = 'pipe,length\n5" wide,1\n6" wide,2\n7" wide,3\n'
    assert _rows(tmp_path, inches) == [('5" wide', "1"), ('6" wide', "2"), ('7" wide', "3")]
    said = "text\tstars\n" + "".join(f'"Great" film, number {row}\t{row % 5}\n' for row in range(30))
    assert _rows(tmp_path, said)[7] == ('"Great" film, number 7', "2")


def test_names_are_trimmed_and_a_byte_order_mark_is_no_part_of_them(tmp_path: Path) -> None:
    assert _dialect(tmp_path, "\ufeff age , town \n30,Bonn\n").first == ("age", "town")


def test_white_space_alone_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no line with a value"):
        _dialect(tmp_path, " \t \n\n  \n")


_CELL = st.text(st.sampled_from("abcxyz ,;\"'\n0123456789é"), min_size=1, max_size=8).filter(
    lambda cell: cell.strip() == cell
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(_CELL, _CELL, _CELL), min_size=1, max_size=12), separator=st.sampled_from(",;\t|")
)
def test_what_the_csv_module_writes_is_read_as_it_was(
    tmp_path: Path, rows: list[tuple[str, str, str]], separator: str
) -> None:
    path = tmp_path / "written.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([("first", "second", "third"), *rows])
    table = read_table(path, TextOptions(separator=separator, header=True))
    assert table.frame.columns == ["first", "second", "third"]
    assert table.frame.rows() == rows
