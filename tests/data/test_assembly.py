"""From files to samples: which column is the target, which rows are in which part, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from torchstone.config import DataConfig, SplitConfig
from torchstone.data import sources
from torchstone.data.assembly import find_targets
from torchstone.data.samples import Samples
from torchstone.data.split import make_split
from torchstone.data.target import Target, read_target
from torchstone.errors import DataError

HEAD = "size,colour,kind\n"


def _rows(first: int, count: int) -> str:
    return "".join(
        f"{row * 1.5},{('red', 'blue')[row // 2 % 2]},{'ab'[row % 2]}\n"
        for row in range(first, first + count)
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three parts of one table, of 20, 10 and 5 rows."""
    for name, first, count in (("part-1.csv", 0, 20), ("part-2.csv", 20, 10), ("part-10.csv", 30, 5)):
        (tmp_path / name).write_text(HEAD + _rows(first, count))
    return tmp_path


def _load(data: object, split: SplitConfig | None = None, **config: object) -> Samples:
    return sources.load(data, DataConfig(**config), split or SplitConfig())  # type: ignore[arg-type]


def _sizes(samples: Samples) -> list[float]:
    return samples.features["size"].to_list()


def test_several_files_are_one_table_in_the_order_given(folder: Path) -> None:
    samples = _load([str(folder / "part-2.csv"), str(folder / "part-1.csv")])
    assert _sizes(samples) == [row * 1.5 for row in [*range(20, 30), *range(20)]]
    assert samples.place(0) == f"{folder / 'part-2.csv'}:2"
    assert samples.place(9).endswith("part-2.csv:11")
    assert samples.place(10).endswith("part-1.csv:2")
    assert samples.given_split is None


def test_a_glob_is_all_its_files_in_the_order_of_their_names(folder: Path) -> None:
    samples = _load(str(folder / "part-*.csv"))
    assert samples.place(0).endswith("part-1.csv:2")
    assert samples.place(20).endswith("part-10.csv:2")  # as text, "part-1." before "part-10" before "part-2"
    assert samples.place(25).endswith("part-2.csv:2")
    assert len(samples) == 35
    with pytest.raises(DataError, match="No file matches"):
        _load(str(folder / "piece-*.csv"))


def test_columns_in_another_order_are_put_in_the_first_file_s(folder: Path) -> None:
    frame = pl.read_csv(folder / "part-2.csv").select("kind", "colour", "size")
    frame.write_csv(folder / "part-2.csv")
    samples = _load([str(folder / "part-1.csv"), str(folder / "part-2.csv")])
    assert _sizes(samples) == [row * 1.5 for row in range(30)]


def test_files_of_different_kinds_are_one_table(folder: Path) -> None:
    pl.read_csv(folder / "part-2.csv").write_parquet(folder / "part-2.parquet")
    (folder / "part-10.csv").write_text((HEAD + _rows(30, 5)).replace(",", ";"))
    samples = _load([str(folder / name) for name in ("part-1.csv", "part-2.parquet", "part-10.csv")])
    assert _sizes(samples) == [row * 1.5 for row in range(35)]
    assert samples.place(25).endswith("part-2.parquet:6")  # rows, not lines


def test_parts_without_a_header_are_read_without_one_all(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("1,x,a\n2,y,b\n" * 5)
    (tmp_path / "2.csv").write_text("u,w,a\nv,z,b\n")  # alone it might be taken for names
    samples = _load([str(tmp_path / "1.csv"), str(tmp_path / "2.csv")], columns={"column_1": "categorical"})
    assert samples.features.columns == ["column_1", "column_2"]
    assert len(samples) == 12


def test_a_part_with_other_columns_is_named(folder: Path) -> None:
    (folder / "part-2.csv").write_text((HEAD + _rows(20, 10)).replace("colour", "color"))
    with pytest.raises(DataError, match=r'part-2\.csv has no column "colour"'):
        _load(str(folder / "part-*.csv"))
    frame = pl.read_csv(folder / "part-1.csv").with_columns(extra=pl.lit(1))
    frame.write_csv(folder / "part-2.csv")
    with pytest.raises(DataError, match=r'part-2\.csv has a column "extra" more'):
        _load(str(folder / "part-*.csv"))


# Data that comes split.


def test_rows_of_test_and_val_files_are_in_their_parts(folder: Path) -> None:
    samples = _load(folder / "part-1.csv", val=str(folder / "part-2.csv"), test=str(folder / "part-10.csv"))
    assert samples.given_split is not None
    assert samples.given_split.tolist() == [0] * 20 + [1] * 10 + [2] * 5
    assert "part-2.csv: 10 rows for validation." in samples.notes
    assert "part-10.csv: 5 rows for test." in samples.notes
    split = make_split(samples, _target(samples), SplitConfig(), 0)
    assert [index.tolist() for index in (split.train, split.val, split.test)] == [
        list(range(20)), list(range(20, 30)), list(range(30, 35)),
    ]  # fmt: skip


def _target(samples: Samples) -> Target:
    return read_target(samples, DataConfig())


def test_a_test_file_may_be_a_glob_and_have_more_columns(folder: Path) -> None:
    for name in ("part-2.csv", "part-10.csv"):
        pl.read_csv(folder / name).with_columns(weight=pl.lit(1)).write_csv(folder / name)
    samples = _load(folder / "part-1.csv", test=str(folder / "part-*0.csv"))
    assert samples.given_split is not None
    assert samples.given_split.tolist() == [0] * 20 + [2] * 5
    assert "weight" not in samples.features.columns
    assert any("weight is not in" in note and "ignored" in note for note in samples.notes)


def test_a_test_file_without_the_target_is_refused(folder: Path) -> None:
    pl.read_csv(folder / "part-2.csv").drop("kind").write_csv(folder / "new.csv")
    with pytest.raises(DataError, match=r"new\.csv has no column kind") as caught:
        _load(folder / "part-1.csv", test=str(folder / "new.csv"))
    assert "torchstone predict" in (caught.value.hint or "")


def test_a_test_file_without_a_header_needs_as_many_columns(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("1,2,a\n3,4,b\n" * 5)
    (tmp_path / "test.csv").write_text("1,2\n")
    with pytest.raises(DataError, match=r"test\.csv has 2 columns, .*train\.csv has 3"):
        _load(tmp_path / "train.csv", test=str(tmp_path / "test.csv"))


def test_labels_that_end_in_a_dot_are_those_of_training_and_said(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("age,income\n" + "30,<=50K\n50, >50K\n" * 5)
    (tmp_path / "test.csv").write_text("age,income\n31, <=50K.\n51,>50K. \n52,>50K\n")
    samples = _load(tmp_path / "train.csv", test=str(tmp_path / "test.csv"))
    assert isinstance(samples.target, pl.DataFrame)
    assert samples.target["income"].tail(3).to_list() == ["<=50K", ">50K", ">50K"]
    assert any(note.startswith("2 labels such as") and "dot" in note for note in samples.notes)


def test_numbers_that_end_in_a_dot_stay_numbers(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("age,price\n" + "".join(f"{row},{row}.5\n" for row in range(20)))
    (tmp_path / "test.csv").write_text("age,price\n3,7.\n4,8\n")
    samples = _load(tmp_path / "train.csv", test=str(tmp_path / "test.csv"))
    assert not any("dot" in note for note in samples.notes)
    assert _target(samples).values.reshape(-1)[-2:].tolist() == [7.0, 8.0]


def test_adult_as_it_is_published(shared_data: Path) -> None:
    folder = shared_data / "tabular" / "adult"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    samples = _load(folder / "adult.data", test=str(folder / "adult.test"), target="-1")
    assert samples.given_split is not None
    assert np.bincount(samples.given_split).tolist() == [32561, 0, 16281]
    assert isinstance(samples.target, pl.DataFrame)
    assert set(samples.target.to_series()) == {"<=50K", ">50K"}


# The split column.


def _parted(folder: Path, words: list[str]) -> Path:
    path = folder / "parted.csv"
    rows = (f"{row * 1.5},{word},{'ab'[row % 2]}\n" for row, word in enumerate(words))
    path.write_text("size,part,kind\n" + "".join(rows))
    return path


def test_the_split_column_parts_the_rows_and_is_no_input(tmp_path: Path) -> None:
    words = ["train", " Training", "VAL", "dev", "valid", "test", "holdout", "train"]
    samples = _load(_parted(tmp_path, words), SplitConfig(split_column="part"))
    assert samples.given_split is not None
    assert samples.given_split.tolist() == [0, 0, 1, 1, 1, 2, 2, 0]
    assert samples.features.columns == ["size"]
    assert 'Split by column "part": 3 train, 3 val, 2 test.' in samples.notes


def test_rows_that_the_split_column_leaves_open_are_counted(tmp_path: Path) -> None:
    samples = _load(_parted(tmp_path, ["train", "", "test", "NA", "train"]), SplitConfig(split_column="part"))
    assert samples.given_split is not None
    assert samples.given_split.tolist() == [0, -1, 2, -1, 0]
    assert 'Split by column "part": 2 train, 0 val, 1 test, 2 to be split.' in samples.notes


@pytest.mark.parametrize(
    ("split", "config", "said"),
    [
        ({"split_column": "prat"}, {}, 'Did you mean "part"'),
        ({"split_column": "kind"}, {}, "both target and split"),
        ({"split_column": "part"}, {"test": "SELF"}, "split twice"),
    ],
)
def test_a_split_column_that_cannot_be_one(
    tmp_path: Path, split: dict[str, str], config: dict[str, str], said: str
) -> None:
    path = _parted(tmp_path, ["train", "test"] * 4)
    config = {key: str(path) for key in config}
    with pytest.raises(DataError) as caught:
        _load(path, SplitConfig(**split), **config)  # type: ignore[arg-type]
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_a_word_that_is_no_part_is_named_by_its_row(tmp_path: Path) -> None:
    path = _parted(tmp_path, ["train", "test", "tset"])
    with pytest.raises(DataError, match=r'parted\.csv:4: column "part" says "tset"'):
        _load(path, SplitConfig(split_column="part"))


# The target.


@pytest.mark.parametrize(
    ("columns", "asked", "target", "said"),
    [
        (["a", "b", "c"], [], "c", 'the last column, "c"'),
        (["a", "Target", "c"], [], "Target", "by its name"),
        (["class", "label", "c"], [], "label", "by its name"),
        (["a", "b", "c"], ["b"], "b", None),
        (["a", "b", "c"], ["-1"], "c", '"c"'),
        (["a", "b", "c"], ["-3"], "a", '"a"'),
        (["a", "-1", "c"], ["-1"], "-1", None),  # a name before a place
    ],
)
def test_the_target_is_found_and_said(
    columns: list[str], asked: list[str], target: str, said: str | None
) -> None:
    found, notes = find_targets(columns, asked)
    assert found == [target]
    assert (not notes) if said is None else (said in notes[0])


def test_several_targets_keep_their_order_and_a_repeated_one_counts_once() -> None:
    assert find_targets(["a", "b", "c"], ["c", "a", "-1"])[0] == ["c", "a"]


@pytest.mark.parametrize(
    ("asked", "said"), [("colr", 'Did you mean "colour"'), ("-4", "3 columns"), ("4", "colour")]
)
def test_a_target_that_is_not_there(asked: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        find_targets(["size", "colour", "kind"], [asked])
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_a_table_with_nothing_to_learn_from_says_why(tmp_path: Path) -> None:
    path = tmp_path / "ids.csv"
    path.write_text("id,same,kind\n" + "".join(f"row-{row:04d}x,1,{'ab'[row % 2]}\n" for row in range(60)))
    with pytest.raises(DataError, match="no column is left to learn from") as caught:
        _load(path)
    assert "same is left out: constant" in caught.value.message
    assert "--columns" in (caught.value.hint or "")


def test_a_column_of_numbers_here_and_words_there_is_read_as_text(tmp_path: Path) -> None:
    pl.DataFrame({"code": [1, 2] * 10, "kind": ["a", "b"] * 10}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"code": ["x", "y"] * 10, "kind": ["a", "b"] * 10}).write_parquet(tmp_path / "2.parquet")
    samples = _load([str(tmp_path / "1.parquet"), str(tmp_path / "2.parquet")])
    assert set(samples.features["code"].cast(pl.String)) == {"1", "2", "x", "y"}
    assert samples.kinds["code"] == "categorical"
