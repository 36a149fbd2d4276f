"""Frames in memory."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from torchstone.config import DataConfig, SplitConfig
from torchstone.data import sources
from torchstone.data.samples import Samples
from torchstone.data.target import read_target
from torchstone.errors import DataError

FRAME = pl.DataFrame(
    {
        "size": [1.5, None, 2.5, 4.0] * 10,
        "colour": ["red", "blue", None, "red"] * 10,
        "good": [True, False, True, True] * 10,
        "y": ["u", "v", "u", "v"] * 10,
    }
)


@pytest.mark.parametrize("form", ["polars", "lazy", "pandas", "arrow", "dict", "parquet", "feather", "pair"])
def test_one_table_in_every_form(tmp_path: Path, form: str) -> None:
    data = {
        "polars": lambda: FRAME,
        "lazy": FRAME.lazy,
        "pandas": lambda: FRAME.to_pandas(),
        "arrow": FRAME.to_arrow,
        "dict": FRAME.to_dict,
        "parquet": lambda: FRAME.write_parquet(tmp_path / "t.parquet") or tmp_path / "t.parquet",
        "feather": lambda: FRAME.write_ipc(tmp_path / "t.feather") or str(tmp_path / "*.feather"),
        "pair": lambda: (FRAME.drop("y"), FRAME["y"]),
    }[form]()
    samples = sources.load(data)
    assert samples.kinds == {"size": "numeric", "colour": "categorical", "good": "boolean"}
    assert samples.features.equals(FRAME.drop("y"))
    assert read_target(samples, DataConfig()).values.tolist() == [0, 1] * 20
    if form != "pair":
        parts = list(sources.read_batches(data, samples.reading, 7, with_target=True))
        assert Samples.joined(parts).features.equals(samples.features)


def test_pandas_categories_and_odd_frames() -> None:
    frame = pd.DataFrame({0: pd.Categorical(["b", "a"] * 10), "x": range(0, 40, 2), "y": [0, 1] * 10})
    samples = sources.load(frame)
    assert samples.kinds == {"0": "categorical", "x": "numeric"}
    with pytest.raises(DataError, match="holds List"):
        sources.load(pl.DataFrame({"a": [[1], [2]], "y": [0, 1]}))


@pytest.mark.parametrize(
    ("split", "columns", "words"),
    [
        (SplitConfig(group="y"), {}, '--group y: column "y" is the target.'),
        (SplitConfig(time="y"), {}, '--time y: column "y" is the target.'),
        (SplitConfig(), {"y": "drop"}, '--columns y=drop: column "y" is the target.'),
        (
            SplitConfig(split_column="part"),
            {"part": "drop"},
            '--columns part=drop: column "part" is the split column.',
        ),
        (SplitConfig(), {"zz": "numeric"}, '--columns zz=numeric: there is no column "zz".'),
        (SplitConfig(time="day"), {}, 'column "day" has the same value in all rows'),
        (SplitConfig(time="none"), {}, 'column "none" has no value at all'),
    ],
)
def test_a_column_that_cannot_be_used_is_said_to_be_what_it_is(
    split: SplitConfig, columns: dict[str, str], words: str
) -> None:
    frame = FRAME.with_columns(
        part=pl.Series(["train", "test"] * 20), day=pl.lit("2026-01-01"), none=pl.lit(None, pl.String)
    )
    with pytest.raises(DataError) as raised:
        sources.load(frame, DataConfig(target=["y"], columns=columns), split)
    assert words in raised.value.message
    assert raised.value.message.count("column") <= 2 + ("split column" in words)


def test_each_missing_column_is_quoted_by_itself() -> None:
    reading = sources.load(FRAME).reading
    with pytest.raises(DataError, match='there are no columns "size", "colour"'):
        list(sources.read_batches(FRAME.select("good"), reading))


def test_spans_of_time_in_different_units_are_joined(tmp_path: Path) -> None:
    spans = pl.Series("x", [timedelta(seconds=second) for second in range(1, 41)])
    for part, unit in (("1", "us"), ("2", "ms")):
        FRAME.with_columns(spans.cast(pl.Duration(unit))).write_parquet(tmp_path / f"{part}.parquet")  # type: ignore[arg-type]
    samples = sources.load(
        str(tmp_path / "1.parquet"), DataConfig(target=["y"], test=str(tmp_path / "2.parquet"))
    )
    assert samples.features["x"].to_list() == [float(second) for second in range(1, 41)] * 2
