"""Separators, quoting, headers, encodings and parts of text tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from torchstone.config import DataConfig, SplitConfig
from torchstone.data import sources
from torchstone.data.tables import TextOptions, read_batches_of, read_table

ROWS = [(f"n{index % 3}", 20 + index, "é" if index % 2 else "b") for index in range(30)]


def _text(separator: str, header: bool = True) -> str:
    lines = ["name,age,class".replace(",", separator)] * header
    return "\n".join(lines + [separator.join(map(str, row)) for row in ROWS]) + "\n"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_separator_and_encoding_are_found_and_said(tmp_path: Path, separator: str, encoding: str) -> None:
    path = tmp_path / "table.txt"
    path.write_bytes(_text(separator).encode(encoding))
    table = read_table(path, TextOptions())
    assert table.frame.columns == ["name", "age", "class"]
    assert table.frame.rows() == [(name, str(age), kind) for name, age, kind in ROWS]
    assert table.lines.tolist() == list(range(2, 32))
    assert "separated" in table.notes[0]
    assert "with a header line" in table.notes[0]


def test_without_a_header_columns_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(_text(",", header=False), encoding="utf-8")
    samples = sources.load(path, DataConfig(target="-1"))
    assert samples.features.columns == ["column_1", "column_2"]
    assert samples.row_of[0] == 1
    assert sources.load(path, DataConfig(header=True)).features.columns == ["n0", "20"]


def test_quotes_blank_lines_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b'a,b\r\n"x, ""y""",1\r\n\r\n"two\r\nlines",2\r\n z ,3')
    table = read_table(path, TextOptions())
    assert table.frame.rows() == [('x, "y"', "1"), ("two\nlines", "2"), (" z ", "3")]
    assert table.lines.tolist() == [2, 4, 6]


def test_inches_are_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('pipe,length\n5" wide,1\n6" wide,2\n7 wide,3\n')
    assert read_table(path, TextOptions()).frame["pipe"].to_list() == ['5" wide', '6" wide', "7 wide"]


def test_parts_are_the_whole_whatever_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "a,b\n" + "".join(f'"x{index}\ny, é",{index}\n\n' for index in range(200)), encoding="utf-8"
    )
    whole = read_table(path, TextOptions())
    monkeypatch.setattr("torchstone.data.text_reading._BLOCK", 57)
    parts = list(read_batches_of(path, TextOptions(",", None, True), 7))
    assert pl.concat([part.frame for part in parts]).equals(whole.frame)
    assert [line for part in parts for line in part.lines.tolist()] == whole.lines.tolist()


def test_gzip_several_files_and_order_of_columns(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "1.csv.gz").write_bytes(gzip.compress(b"a,b,y\n1,2,u\n3,4,v\n"))
    (tmp_path / "2.csv").write_bytes(b"b,a,y\n6,5,u\n8,7,v\n")
    samples = sources.load([str(tmp_path / "1.csv.gz"), str(tmp_path / "2.csv")])
    assert samples.features["a"].to_list() == [1.0, 3.0, 5.0, 7.0]
    assert samples.place(2).endswith("2.csv:2")


def test_given_splits(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,part,y\n1,train,0\n2,Test,1\n3,valid,1\n4,,0\n")
    samples = sources.load(tmp_path / "a.csv", DataConfig(), SplitConfig(split_column="part"))
    assert samples.given_split is not None
    assert samples.given_split.tolist() == [0, 2, 1, -1]
    assert samples.features.columns == ["a"]


def test_group_and_time_columns(tmp_path: Path) -> None:
    rows = "".join(f"{index},{index // 5},{index * 7 % 11},{index % 2}\n" for index in range(40))
    (tmp_path / "a.csv").write_text("moment,shop,x,y\n" + rows)
    samples = sources.load(tmp_path / "a.csv", DataConfig(), SplitConfig(group="shop"))
    assert samples.kinds == {"moment": "identifier", "shop": "identifier", "x": "numeric"}
    samples = sources.load(tmp_path / "a.csv", DataConfig(), SplitConfig(time="moment"))
    assert samples.features["moment"].dtype == pl.Float64


def test_missing_values_are_counted_and_said(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("age,town,kept,y\n30,?,1,a\n,Bonn,2,b\nNA,Ulm,3,a\n41,,5,b\n")
    notes = sources.load(str(path), DataConfig(), SplitConfig()).notes
    assert "Missing values: age 2, town 2." in notes
