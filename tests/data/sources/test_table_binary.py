"""Parquet and Arrow files."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from torchstone.config import DataConfig
from torchstone.data import sources
from torchstone.data.samples import Samples
from torchstone.errors import DataError


def test_a_damaged_parquet_file(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        sources.load(tmp_path / "t.parquet")


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_types_are_kept_and_parts_are_the_whole(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    frame = pl.DataFrame({"size": [1.5, 2.0, 4.5] * 30, "colour": ["a", "b", None] * 30, "y": [0, 1, 1] * 30})
    (frame.write_parquet if suffix == "parquet" else frame.write_ipc)(path)
    samples = sources.load(path)
    assert samples.features.equals(frame.drop("y"))
    assert samples.place(89).endswith(":90")
    parts = list(sources.read_batches(str(path), samples.reading, 40))
    assert [len(part) for part in parts] == [40, 40, 10]
    assert Samples.joined(parts).features.equals(samples.features)


def test_a_parquet_file_tests_what_a_text_table_trains(tmp_path: Path) -> None:
    frame = pl.DataFrame({"size": [1.5, 2.0, 4.5] * 10, "y": ["u", "v", "u"] * 10})
    frame.write_csv(tmp_path / "train.csv")
    frame.write_parquet(tmp_path / "test.parquet")
    samples = sources.load(tmp_path / "train.csv", DataConfig(test=str(tmp_path / "test.parquet")))
    assert samples.features["size"].to_list() == [1.5, 2.0, 4.5] * 20
    assert samples.given_split is not None
    assert samples.given_split.tolist() == [0] * 30 + [2] * 30
