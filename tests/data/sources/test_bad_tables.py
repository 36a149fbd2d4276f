"""What cannot be read gives one clear message that names the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from torchstone.config import DataConfig, SplitConfig
from torchstone.data import sources
from torchstone.data.target import read_target
from torchstone.errors import DataError, TorchstoneError

ROWS = "".join(f"{index % 7},{index * 1.5},{'ab'[index % 2]}\n" for index in range(40))
GOOD = "size,weight,kind\n" + ROWS

BAD: dict[str, tuple[bytes, dict[str, Any], list[str]]] = {
    "empty": (b"", {}, ["empty"]),
    "only blank lines": (b"\n\n  \n", {}, ["empty"]),
    "header only": (b"a,b,c\n", {}, ["no rows"]),
    "too many fields": (GOOD.encode() + b"1,2,a,4\n", {}, ["line 42", "expected 3", "found 4"]),
    "too few fields": (b"a,b,c\n1,2,x\n\n3,4\n5,6,y\n", {}, ["line 4", "expected 3", "found 2"]),
    "quote never closed": (b'a,b\n1,"x"\n2,"y\n3,z\n4,"u"\n', {}, ["line 3"]),
    "binary": (bytes(range(256)) * 20, {}, ["binary"]),
    "workbook": (b"PK\x03\x04" + b"abc" * 50, {}, ["Excel"]),
    "parquet called csv": (b"PAR1" + b"\0" * 40, {}, ["Parquet"]),
    "names twice": (b"a,b,a\n1,2,3\n4,5,6\n", {}, ["same name", '"a"']),
    "mixed column": (
        b"a,b\n" + b"".join(b"%d,%s\n" % (row, b"xy"[row % 2 :]) for row in range(99)) + b"oops,x\n",
        {},
        ['Column "a"', ":101", "oops", "--missing"],
    ),
    "unknown target": (GOOD.encode(), {"target": "kinds"}, ["kinds", 'Did you mean "kind"']),
    "target beyond the columns": (GOOD.encode(), {"target": "-9"}, ["3 columns"]),
    "unknown column": (GOOD.encode(), {"columns": {"wait": "numeric"}}, ["wait", "weight"]),
    "unknown kind": (GOOD.encode(), {"columns": {"size": "number"}}, ["number", "numeric"]),
    "unknown encoding": (GOOD.encode(), {"encoding": "utf-9"}, ["utf-9"]),
    "long separator": (GOOD.encode(), {"separator": "::"}, ["one character"]),
    "one class": (b"a,y\n" + b"1,yes\n2,yes\n" * 9, {}, ["one class", "yes"]),
    "target all missing": (b"a,y\n" + b"1,\n2,NA\n" * 9, {}, ["missing in all 18"]),
    "infinite target": (b"a,y\n" + b"1,0.5\n2,1.5\n" * 9 + b"3,inf\n", {}, ["infinite", ":20"]),
    "target of names": (
        b"a,y\n" + b"".join(b"%d,n%d\n" % (row % 3, row) for row in range(40)), {}, ["40 different"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_message(tmp_path: Path, name: str) -> None:
    content, options, parts = BAD[name]
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    config = DataConfig(**options)
    with pytest.raises(TorchstoneError) as caught:
        read_target(sources.load(path, config), config)
    assert caught.value.status == 2
    for part in parts:
        assert part in str(caught.value)


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    (tmp_path / "adult.csv").write_text(GOOD)
    with pytest.raises(TorchstoneError, match=r'Did you mean "adult.csv"'):
        sources.load(tmp_path / "adlut.csv")
    with pytest.raises(TorchstoneError, match=r"is a folder(.|\n)*adult.csv"):
        sources.load(str(tmp_path))
    with pytest.raises(TorchstoneError, match="No file matches"):
        sources.load(str(tmp_path / "*.tsv"))
    with pytest.raises(TorchstoneError, match=r'Did you mean "digits"'):
        sources.load("digitz")
    with pytest.raises(TorchstoneError, match="cannot be read from"):
        sources.load(7)


def test_files_with_other_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "b.csv").write_text(GOOD.replace("weight", "mass"))
    with pytest.raises(TorchstoneError, match=r'b.csv has no column "weight"'):
        sources.load(str(tmp_path / "*.csv"))
    with pytest.raises(TorchstoneError, match=r"b.csv has no column weight"):
        sources.load(tmp_path / "a.csv", DataConfig(test=str(tmp_path / "b.csv")))


def test_split_column_with_a_word_that_is_no_part(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,part,y\n1,train,0\n2,tset,1\n")
    with pytest.raises(TorchstoneError, match=r":3.*tset"):
        sources.load(path, DataConfig(), SplitConfig(split_column="part"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=300), st.text('ab1,;."\n\r\t é?-', max_size=200).map(str.encode)))
def test_whatever_the_file_holds_it_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzz.csv"
    path.write_bytes(content)
    try:
        samples = sources.load(path)
    except TorchstoneError:
        return
    assert len(samples) == samples.features.shape[0] > 0
    assert (np.diff(samples.row_of) > 0).all()


def test_a_file_of_page_breaks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"\x0c\n\x0c")
    with pytest.raises(DataError, match="no line with a value"):
        sources.load(str(path))


@pytest.mark.parametrize("name", ["^($", "^$", "^x.*$"])
def test_a_column_whose_name_is_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"{name},y\n1,a\n2,b\n")
    with pytest.raises(DataError, match="stand for patterns of names"):
        sources.load(str(path))
    with pytest.raises(DataError, match="stand for patterns of names"):
        sources.load(pl.DataFrame({name: [1, 2], "y": ["a", "b"]}))
