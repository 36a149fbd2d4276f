"""Every row of a text table with its line, whole or in parts; a bad row is named by its line."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from torchstone.data import text_reading
from torchstone.data.raw_table import RawTable, TextOptions
from torchstone.data.text_reading import inspect, read_text, stream_text
from torchstone.errors import DataError


def _file(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def _read(folder: Path, text: str, **options: object) -> RawTable:
    return read_text(_file(folder, text), TextOptions(**options))  # type: ignore[arg-type]


def _refused(folder: Path, text: str, **options: object) -> DataError:
    with pytest.raises(DataError) as caught:
        _read(folder, text, **options)
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("a,b,c\n1,2,3\n4,5\n", 3, 2),
        ("a,b,c\n1,2,3\n4,5,6,7\n", 3, 4),
        ("a,b,c\n\n\n1,2,3\n\n4,5\n", 6, 2),  # blank lines count
        ('a,b,c\n1,"x\ny",3\n4,5\n', 4, 2),  # a cell of two lines does
        ("a,b,c\r\n1,2,3\r\n4,5\r\n", 3, 2),
        ('a,b,c\n1,"x ""y""",3\n4,5,6,7\n', 3, 4),
        ("1,2,3\n4,5\n", 2, 2),  # without a header line
    ],
)
def test_a_ragged_row_is_named_by_its_line(tmp_path: Path, text: str, line: int, found: int) -> None:
    error = _refused(tmp_path, text)
    assert f"table.csv, line {line}: expected 3 fields" in error.message
    assert f"found {found}." in error.message
    assert "comma" in (error.hint or "")
    assert error.status == 2


def test_a_ragged_row_far_down_is_named_by_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_reading, "_BLOCK", 1000)  # so that the file is many blocks
    rows = "".join(f"{row},{row % 7}\n" for row in range(5000))
    assert "line 4003:" in _refused(tmp_path, f"a,b\n{rows[: rows.index('4001,')]}4001\n4002,1\n").message


def test_a_quote_that_is_never_closed_is_named_by_its_line(tmp_path: Path) -> None:
    error = _refused(tmp_path, 'a,b\n1,"x"\n2,"y\n3,"z"\n4,"u"\n')
    assert "line 3" in error.message
    assert "quote" in f"{error.message} {error.hint}"


@pytest.mark.parametrize("text", ["a,b\n", "a,b", "a,b\n\n \n"])
def test_a_header_without_rows(tmp_path: Path, text: str) -> None:
    error = _refused(tmp_path, text)
    assert "column names but no rows" in error.message
    assert "--no-header" in (error.hint or "")
    assert _read(tmp_path, text, header=False).frame.rows() == [("a", "b")]


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    assert 'columns 1 and 3 have the same name "a"' in _refused(tmp_path, "a,b,a\n1,2,3\n").message


def test_every_cell_is_text_as_it_is_written(tmp_path: Path) -> None:
    table = _read(tmp_path, "code,when,flag,none\n007,2020-01-01,true,\n1e3,01/02/2020,FALSE,NA\n")
    assert set(table.frame.dtypes) == {pl.String}
    assert table.frame.rows()[1] == ("1e3", "01/02/2020", "FALSE", "NA")
    assert table.frame["code"][0] == "007"


def test_a_name_that_is_missing_is_the_column_s_place(tmp_path: Path) -> None:
    """R and pandas write the index of rows under an empty name."""
    assert _read(tmp_path, ",size,kind\n0,1.5,a\n1,2.5,b\n").frame.columns == ["column_1", "size", "kind"]


def test_rows_know_their_lines_whatever_is_between_them(tmp_path: Path) -> None:
    table = _read(tmp_path, '\n\na,b\n1,2\n\n"3\n\n",4\n   \n5,6')
    assert table.frame["b"].to_list() == ["2", "4", "6"]
    assert table.lines.tolist() == [4, 6, 10]


def test_rows_with_blanks_before_their_quotes_know_their_lines_too(tmp_path: Path) -> None:
    """They are read one by one."""
    table = _read(tmp_path, 'who, age\n"Doe, John", 1\n\n "Roe, Jane", 2\n "Poe,\nEdgar", 3\n Moe, 4\n')
    assert table.frame["who"].to_list() == ["Doe, John", "Roe, Jane", "Poe,\nEdgar", "Moe"]
    assert table.lines.tolist() == [2, 4, 5, 7]


@pytest.mark.parametrize(
    ("given", "text"),
    [("tab", "a\tb\n1\t2\n"), ("\\t", "a\tb\n1\t2\n"), ("semicolon", "a;b\n1;2\n"), ("pipe", "a|b\n1|2\n")],
)
def test_a_separator_may_be_given_by_name(tmp_path: Path, given: str, text: str) -> None:
    assert _read(tmp_path, text, separator=given).frame.rows() == [("1", "2")]


def test_a_separator_of_two_characters_is_refused(tmp_path: Path) -> None:
    assert "must be one character" in _refused(tmp_path, "a::b\n1::2\n", separator="::").message


def test_what_was_found_out_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "people.tsv"
    path.write_text("30\tBonn\n41\tUlm\n")
    note = inspect(path, TextOptions()).note
    assert note == "people.tsv: tab separated, UTF-8, without a header line (columns column_1 to column_2)."


def _table(rows: int) -> str:
    return "a,b\n" + "".join(f'"x{row}\ny, é",{row}\n\n' for row in range(rows))


@pytest.mark.parametrize("block", [7, 64, 1 << 23])
@pytest.mark.parametrize("rows", [1, 13, 10_000])
def test_parts_of_a_stream_are_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, rows: int
) -> None:
    path = _file(tmp_path, _table(60))
    whole = read_text(path, TextOptions())
    monkeypatch.setattr(text_reading, "_BLOCK", block)
    parts = list(stream_text(path, TextOptions(), rows))
    assert all(1 <= part.frame.height <= rows for part in parts)
    assert pl.concat([part.frame for part in parts]).equals(whole.frame)
    assert [line for part in parts for line in part.lines.tolist()] == whole.lines.tolist()
    assert {part.notes[0] for part in parts} == {whole.notes[0]}


def test_a_stream_without_rows_is_refused_as_a_whole_table_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        list(stream_text(_file(tmp_path, "a,b\n"), TextOptions(), 10))


def test_a_ragged_row_of_a_stream_comes_after_the_rows_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_reading, "_BLOCK", 64)
    path = _file(tmp_path, "a,b\n" + "1,2\n" * 100 + "3\n")
    parts = stream_text(path, TextOptions(), 10)
    seen = [next(parts).frame.height for _ in range(6)]
    with pytest.raises(DataError, match="line 102"):
        list(parts)
    assert sum(seen) >= 40


def test_new_data_with_another_separator_than_training_is_read(tmp_path: Path) -> None:
    """The separator of the training file is tried, not forced."""
    path = _file(tmp_path, "a;b\n1,5;x\n2,5;y\n")
    parts = list(stream_text(path, TextOptions(separator=","), 10))
    assert parts[0].frame.columns == ["a", "b"]


def test_a_damaged_gzip_file_is_one_message(tmp_path: Path) -> None:
    from torchstone.data.tables import read_table

    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(_table(50).encode())[:-20])
    with pytest.raises(DataError, match=r"table\.csv\.gz cannot be read"):
        read_table(path, TextOptions())


@pytest.mark.parametrize(
    "name", ["adult/adult.data", "titanic/train.csv", "wine-quality/winequality-red.csv"]
)
def test_real_tables_have_as_many_rows_as_lines(shared_data: Path, name: str) -> None:
    path = shared_data / "tabular" / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    table = read_text(path, TextOptions())
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert table.frame.height == len(lines) - table.header
    assert table.lines[0] == 1 + table.header
