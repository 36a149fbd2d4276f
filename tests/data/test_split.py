"""Rows are divided once, by the seed alone, and nothing that belongs together is torn apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchstone.config import DataConfig, SplitConfig
from torchstone.data import sources
from torchstone.data.samples import Samples
from torchstone.data.split import LEAST_ROWS, Split, make_split
from torchstone.data.target import read_target
from torchstone.errors import ConfigError, DataError


def divide(data: Any, seed: int = 0, **options: Any) -> tuple[Samples, Split]:
    config = SplitConfig(**options)
    samples = sources.load(data, DataConfig(), config)
    return samples, make_split(samples, read_target(samples, DataConfig()), config, seed)


def table(rows: int, seed: int = 0, **columns: Any) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {"a": rng.normal(size=rows), **columns, "target": rng.permutation(["yes", "no"] * rows)[:rows]}
    )


def parts(split: Split) -> tuple[set[int], set[int], set[int]]:
    return set(split.train.tolist()), set(split.val.tolist()), set(split.test.tolist())


def check_partition(split: Split, rows: int) -> None:
    train, val, test = parts(split)
    assert len(train) + len(val) + len(test) == rows
    assert train | val | test == set(range(rows))
    for part in (split.train, split.val, split.test):
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()


def test_iris_is_stratified_80_10_10() -> None:
    samples, split = divide("iris")
    assert split.method == "stratified 80/10/10, seed 0"
    assert [len(part) for part in (split.train, split.val, split.test)] == [120, 15, 15]
    target = read_target(samples, DataConfig())
    for part, share in ((split.train, 40), (split.val, 5), (split.test, 5)):
        assert np.bincount(target.values[part]).tolist() == [share] * 3
    check_partition(split, 150)


def test_shares_of_uneven_classes_stay() -> None:
    words = ["common"] * 900 + ["less"] * 90 + ["seldom"] * 10
    samples, split = divide((np.arange(3000.0).reshape(1000, 3), np.array(words)))
    values = read_target(samples, DataConfig()).values
    assert np.bincount(values[split.train]).tolist() == [720, 72, 8]
    assert np.bincount(values[split.val]).tolist() == [90, 9, 1]
    assert np.bincount(values[split.test]).tolist() == [90, 9, 1]


def test_numbers_are_divided_at_random() -> None:
    _, split = divide("diabetes")
    assert split.method == "random 80/10/10, seed 0"
    assert [len(split.val), len(split.test)] == [44, 44]
    check_partition(split, 442)


def test_a_seed_repeats_and_another_differs() -> None:
    _, first = divide("iris", seed=3)
    _, again = divide("iris", seed=3)
    _, other = divide("iris", seed=4)
    assert parts(first) == parts(again)
    assert parts(first) != parts(other)
    assert first.hash == again.hash != other.hash


def test_the_hash_is_of_the_rows_of_each_part() -> None:
    def of(train: list[int], val: list[int], test: list[int], method: str = "") -> str:
        arrays = [np.array(part, dtype=np.int64) for part in (train, val, test)]
        return Split(arrays[0], arrays[1], arrays[2], method).hash

    assert of([0, 1], [2], [3]) == of([0, 1], [2], [3], "told otherwise")
    assert (
        len({of([0, 1], [2], [3]), of([0], [1, 2], [3]), of([0, 1], [3], [2]), of([0, 1, 2], [], [3])}) == 4
    )
    assert len(of([0], [1], [2])) == 64


def test_the_hash_of_iris_stays_from_version_to_version() -> None:
    assert divide("iris")[1].hash == "29841f4ccbbe7ae0e57ba148cda33516474887f1de24f8f85a87e5cd342a1e23"


def test_the_caller_s_random_state_is_left_alone() -> None:
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    divide("iris", seed=9)
    assert np.random.random() == expected


@given(
    st.lists(st.integers(0, 4), min_size=LEAST_ROWS, max_size=120),
    st.floats(0.05, 0.4),
    st.floats(0.0, 0.4),
    st.integers(0, 2**31 - 1),
)
@settings(max_examples=60, deadline=None)
def test_any_classes_make_a_partition_where_each_class_trains(
    classes: list[int], val: float, test: float, seed: int
) -> None:
    labels = np.array([f"class {number}" for number in [*classes, 0, 1]])
    rows = len(labels)
    samples, split = divide(
        (np.arange(2.0 * rows).reshape(rows, 2), labels), seed, val_fraction=val, test_fraction=test
    )
    check_partition(split, rows)
    assert set(labels[split.train]) == set(labels)
    room = rows - len(set(labels))
    assert len(split.val) == min(max(1, round(val * rows)), room)
    assert (len(split.test) == 0) == (test == 0 or len(split.val) == room)
    assert len(samples) == rows


@given(
    st.lists(st.integers(0, 11), min_size=40, max_size=150).filter(lambda groups: len(set(groups)) > 3),
    st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_a_group_is_never_in_two_parts(groups: list[int], seed: int) -> None:
    frame = table(len(groups), seed, person=[f"p{number}" for number in groups])
    _, split = divide(frame, seed, group="person")
    check_partition(split, len(groups))
    people = [set(frame["person"].gather(part)) for part in (split.train, split.val, split.test)]
    assert all(people)
    assert not people[0] & people[1]
    assert not people[0] & people[2]
    assert not people[1] & people[2]


def test_groups_are_no_input_and_keep_the_shares_where_they_can() -> None:
    frame = table(1000, person=[f"p{row % 100}" for row in range(1000)])
    _, split = divide(frame, group="person")
    assert split.left_out == {"person": "groups of the split"}
    assert split.method == 'groups of "person" kept together 80/10/10, seed 0'
    assert [len(part) for part in (split.train, split.val, split.test)] == [800, 100, 100]


def test_rows_without_a_group_are_groups_of_their_own() -> None:
    people = [None if row % 2 else f"p{row % 20}" for row in range(400)]
    frame = table(400, person=people)
    _, split = divide(frame, group="person")
    check_partition(split, 400)
    alone = [sum(people[row] is None for row in part) for part in (split.train, split.val, split.test)]
    assert sum(alone) == 200
    assert min(alone) > 0


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(DataError, match=r'"person" has 2 groups, too few for 3 parts'):
        divide(table(40, person=["u", "v"] * 20), group="person")


def test_the_oldest_train_and_the_newest_test() -> None:
    days = np.random.default_rng(1).permutation(300)
    frame = table(300, day=days)
    _, split = divide(frame, time="day")
    check_partition(split, 300)
    assert days[split.train].max() < days[split.val].min()
    assert days[split.val].max() < days[split.test].min()
    assert [len(part) for part in (split.train, split.val, split.test)] == [240, 30, 30]
    assert split.time == "day"
    assert split.method == 'by time ("day") 80/10/10'
    assert divide(frame, 8, time="day")[1].hash == split.hash


def test_dates_cut_too_and_one_moment_stays_together() -> None:
    days = [f"2024-{1 + row % 12:02d}-15" for row in range(240)]
    _, split = divide(table(240, day=days), time="day")
    months = [{days[row] for row in part} for part in (split.train, split.val, split.test)]
    assert max(months[0]) < min(months[1]) <= max(months[1]) < min(months[2])
    check_partition(split, 240)


def test_rows_without_a_time_train_and_it_is_said() -> None:
    days = [None if row < 7 else float(row) for row in range(100)]
    _, split = divide(table(100, day=days), time="day")
    assert set(range(7)) <= set(split.train.tolist())
    assert any(note.startswith('7 rows have no "day"') for note in split.notes)


def test_times_that_cannot_be_cut_are_refused() -> None:
    with pytest.raises(DataError, match=r'"day" has 2 different times: no place to cut'):
        divide(table(100, day=[1.5, 2.5] * 50), time="day")
    with pytest.raises(DataError, match="text that was not read as dates or numbers"):
        divide(table(100, day=["soon", "late"] * 50), time="day")


def test_a_split_column_is_kept() -> None:
    words = ["train", "Train ", "val", "test", "training", "valid", "test", "train"] * 10
    _, split = divide(table(80, part=words), split_column="part")
    assert split.method == "given with the data"
    assert split.left_out == {"part": "says the split"}
    said = [{words[row].strip().lower() for row in part} for part in (split.train, split.val, split.test)]
    assert said == [{"train", "training"}, {"val", "valid"}, {"test"}]
    check_partition(split, 80)


def test_what_a_split_column_lacks_is_cut_from_training() -> None:
    words = ["train"] * 80 + ["test"] * 20
    _, split = divide(table(100, part=words), split_column="part")
    assert split.test.tolist() == list(range(80, 100))
    assert len(split.val) == 8
    assert split.method == "test given, validation stratified 10 % of the other rows, seed 0"
    _, other = divide(table(100, part=words), 1, split_column="part")
    assert other.test.tolist() == split.test.tolist()
    assert other.val.tolist() != split.val.tolist()


def test_a_word_that_is_no_part_names_its_row() -> None:
    with pytest.raises(DataError, match=r':3: column "part" says "perhaps"'):
        divide(table(20, part=["train", "train", "perhaps", *["test"] * 17]), split_column="part")


def test_rows_without_a_target_are_in_no_part() -> None:
    frame = pl.DataFrame({"a": np.arange(80) + 0.5, "target": ["u", "v", None, "u"] * 20})
    _, split = divide(frame)
    inside = np.concatenate([split.train, split.val, split.test])
    assert len(inside) == 60
    assert not any(row % 4 == 2 for row in inside.tolist())


def test_the_least_that_can_be_divided() -> None:
    _, split = divide(table(LEAST_ROWS))
    assert [len(part) for part in (split.train, split.val, split.test)] == [8, 1, 1]
    with pytest.raises(DataError, match=r"9 rows with a target are too few .* at least 10"):
        divide(table(LEAST_ROWS - 1))


def test_no_test_part_when_none_is_wanted() -> None:
    _, split = divide("iris", test_fraction=0)
    assert split.method == "stratified 90/10/0, seed 0"
    assert len(split.test) == 0
    check_partition(split, 150)


def test_contradictions_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"0\.5 and test_fraction 0\.5 leave no rows"):
        divide("iris", val_fraction=0.5, test_fraction=0.5)
    with pytest.raises(ConfigError, match="cannot be used together"):
        divide(table(50, day=range(50), person=["u", "v", "w", "x", "y"] * 10), group="person", time="day")
    with pytest.raises(DataError, match="persn") as caught:
        divide(table(50, person=["u", "v", "w", "x", "y"] * 10), group="persn")
    assert "person" in str(caught.value.hint)
