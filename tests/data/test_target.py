"""What is to be learned, found from the target."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from torchstone.config import DataConfig
from torchstone.data import sources
from torchstone.data.target import encode_target, read_target
from torchstone.errors import DataError

X = np.random.default_rng(0).normal(size=(40, 3))
CASES: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "truth values": ([True, False] * 20, "binary", ("false", "true")),
    "plus and minus one": ([-1, 1] * 20, "binary", ("-1", "1")),
    "one and two": ([1.0, 2.0] * 20, "binary", ("1", "2")),
    "words": (["no", "yes"] * 20, "binary", ("no", "yes")),
    "from zero on": (list(range(10)) * 4, "multiclass", tuple(map(str, range(10)))),
    "from one on": (list(range(1, 6)) * 8, "multiclass", tuple(map(str, range(1, 6)))),
    "from three on": ([3, 4, 5, 6] * 10, "regression", ()),
    "wide gaps": ([0, 10, 20, 30] * 10, "regression", ()),
    "decimals": ([0.5, 1.5] * 20, "regression", ()),
    "many numbers": (list(range(40)), "regression", ()),
}


@pytest.mark.parametrize("name", CASES)
def test_task(name: str) -> None:
    values, kind, classes = CASES[name]
    target = read_target(sources.load((X, np.array(values))), DataConfig())
    assert (target.task.kind, target.task.classes) == (kind, classes)
    assert len(target.values) == 40
    assert target.present.all()


def test_several_columns() -> None:
    labels = np.stack([np.arange(40) % 2, np.arange(40) % 3 == 0], axis=1).astype(int)
    target = read_target(sources.load((X, labels)), DataConfig())
    assert target.task.kind == "multilabel"
    assert target.values.dtype == np.float32
    assert (target.values == labels).all()
    target = read_target(sources.load((X, labels + 0.5)), DataConfig())
    assert target.task.kind == "regression"
    assert target.values.shape == (40, 2)


def test_the_task_can_be_set() -> None:
    samples = sources.load((X, np.array([3, 4, 5, 6] * 10)))
    assert read_target(samples, DataConfig(task="multiclass")).task.classes == ("3", "4", "5", "6")
    with pytest.raises(DataError, match="two classes"):
        read_target(samples, DataConfig(task="binary"))


def test_rows_without_a_target_are_left_out_and_said() -> None:
    frame = pl.DataFrame({"a": range(0, 80, 2), "y": ["u", "v", None, "u"] * 10})
    target = read_target(sources.load(frame), DataConfig())
    assert target.present.sum() == 30
    assert (target.values[~target.present] == -1).all()
    assert any("10 of 40 rows" in note for note in target.notes)


def test_new_targets_follow_the_classes() -> None:
    task = read_target(sources.load((X, np.array(["<=50K", ">50K"] * 20))), DataConfig()).task
    values, present = encode_target(pl.DataFrame({"target": [" >50K. ", "<=50K", None]}), task)
    assert values.tolist() == [1, 0, -1]
    assert present.tolist() == [True, True, False]
    with pytest.raises(DataError, match=r"row 2.*70K"):
        encode_target(pl.DataFrame({"target": ["<=50K", "70K"]}), task)


def test_nan_targets_name_their_rows() -> None:
    values = np.linspace(0, 1, 40)
    values[7] = np.nan
    with pytest.raises(DataError, match=r"NaN or infinite.*:8"):
        read_target(sources.load((X, values)), DataConfig())


@pytest.mark.parametrize(("unit", "words"), [(1e300, "too large to be squared"), (1e-300, "squares")])
def test_numbers_that_have_no_squares_are_refused(unit: float, words: str) -> None:
    values = np.linspace(1, 2, 40)
    with pytest.raises(DataError, match=words):
        read_target(sources.load((X, values * unit)), DataConfig())
    assert read_target(sources.load((X, values * unit**0.4)), DataConfig()).task.kind == "regression"
