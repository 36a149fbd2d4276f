"""Parquet and Arrow files keep their types; a file that is no such thing is told by what it holds."""

from __future__ import annotations

import datetime
import io
from pathlib import Path

import polars as pl
import pytest

from torchstone.data.binary_reading import is_binary_table, read_binary, stream_binary
from torchstone.errors import DataError

FRAME = pl.DataFrame(
    {
        "size": [1.5, None, 4.5, 6.0, 7.5],
        "count": pl.Series([1, 2, 3, 4, 5], dtype=pl.Int16),
        "sold": [True, False, None, True, True],
        "day": [datetime.date(2020, 1, day) for day in range(1, 6)],
        "colour": pl.Series(["red", "blue", "red", None, "red"], dtype=pl.Categorical),
        "name": ["Ann", "Bob", "Zoë", "", "x"],
    }
)


def _write(path: Path, kind: str, frame: pl.DataFrame = FRAME) -> Path:
    {"parquet": frame.write_parquet, "arrow": frame.write_ipc, "stream": frame.write_ipc_stream}[kind](path)
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [("t.parquet", "parquet"), ("t.pq", "parquet"), ("t.arrow", "arrow"), ("t.feather", "arrow"),
     ("t.ipc", "arrow"), ("t.arrows", "stream"), ("t.arrow", "stream"), ("t.parquet", "arrow")],
)  # fmt: skip
def test_columns_keep_their_types(tmp_path: Path, name: str, kind: str) -> None:
    table = read_binary(_write(tmp_path / name, kind))
    assert table.frame.schema == FRAME.schema
    assert table.frame.equals(FRAME)
    assert table.lines.tolist() == [1, 2, 3, 4, 5]  # rows, since there are no lines
    assert table.header


@pytest.mark.parametrize("kind", ["parquet", "arrow", "stream"])
@pytest.mark.parametrize("rows", [1, 2, 5, 100])
def test_parts_are_the_whole(tmp_path: Path, kind: str, rows: int) -> None:
    parts = list(stream_binary(_write(tmp_path / "t.arrow", kind), rows))
    assert all(part.frame.height <= rows for part in parts)
    assert pl.concat([part.frame for part in parts]).equals(FRAME)
    assert [line for part in parts for line in part.lines.tolist()] == [1, 2, 3, 4, 5]


def test_what_is_binary_is_seen_by_name_and_by_first_bytes(tmp_path: Path) -> None:
    assert is_binary_table(Path("not-there.parquet"))
    assert not is_binary_table(Path("not-there.csv"))
    assert is_binary_table(_write(tmp_path / "no-ending", "parquet"))
    assert is_binary_table(_write(tmp_path / "wrong.csv", "arrow"))
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    assert not is_binary_table(tmp_path / "text.csv")


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_text_table_under_a_binary_name_is_said_to_be_text(
    tmp_path: Path, suffix: str, encoding: str
) -> None:
    path = tmp_path / f"table{suffix}"
    path.write_bytes("name,size\nJörg,1\nZoë,2\n".encode(encoding))
    for read in (read_binary, lambda path: list(stream_binary(path, 10))):
        with pytest.raises(DataError) as caught:
            read(path)
        assert caught.value.message == f"{path} holds text, not what its name says ({suffix})."
        assert ".csv" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04" + b"workbook" * 9, "Excel workbook), not Parquet or Arrow"),
        (bytes(range(256)) * 9, "is a binary file, not Parquet or Arrow"),
        (b"PAR1 this is none", "cannot be read as Parquet or Arrow: it is damaged or cut off"),
        (b"ARROW1 nor is this", "cannot be read as Parquet or Arrow: it is damaged or cut off"),
    ],
)
def test_what_it_is_instead_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_binary(path)
    assert said in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("kind", ["parquet", "arrow", "stream"])
def test_a_file_whose_end_is_missing_is_damaged(tmp_path: Path, kind: str) -> None:
    path = _write(tmp_path / "t.parquet", kind)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(DataError, match="damaged or cut off") as caught:
        read_binary(path)
    assert caught.value.status == 2


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.parquet", "parquet")
    path.chmod(0)
    try:
        with path.open("rb"):
            pytest.skip("this user may read everything")
    except PermissionError:
        pass
    with pytest.raises(DataError, match="Permission denied"):
        read_binary(path)


def test_no_rows_and_no_columns(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        read_binary(_write(tmp_path / "a.parquet", "parquet", FRAME.clear()))
    with pytest.raises(DataError, match="no rows"):
        list(stream_binary(tmp_path / "a.parquet", 10))
    with pytest.raises(DataError, match="no columns"):
        read_binary(_write(tmp_path / "b.parquet", "parquet", pl.DataFrame()))


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([[1, 2], [3]]),
        pl.Series([{"x": 1}, {"x": 2}]),
        pl.Series([[1.0, 2.0]] * 2, dtype=pl.Array(pl.Float64, 2)),
    ],
)
def test_a_column_of_many_values_a_row_is_named(tmp_path: Path, column: pl.Series) -> None:
    path = _write(tmp_path / "t.parquet", "parquet", pl.DataFrame({"y": [0, 1], "inside": column}))
    with pytest.raises(DataError, match=r'column "inside" holds .*not one value a row'):
        read_binary(path)


def test_a_file_that_pyarrow_wrote_is_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pyarrow.table({"a": [1, 2, None], "b": ["x", "y", "z"]})
    parquet.write_table(arrow, tmp_path / "t.parquet")
    assert read_binary(tmp_path / "t.parquet").frame.rows() == [(1, "x"), (2, "y"), (None, "z")]


def test_a_pandas_frame_is_read_as_it_was_written(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    content = io.BytesIO()
    pandas.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}).to_parquet(content)
    (tmp_path / "t.parquet").write_bytes(content.getvalue())
    assert read_binary(tmp_path / "t.parquet").frame["a"].to_list() == [1.5, 2.5]
