"""Preprocessing learns from training rows alone, has a place for everything, and survives as JSON."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from torchstone.config import DataConfig
from torchstone.data import sources
from torchstone.data.categorical_encoder import CategoricalColumn
from torchstone.data.numeric_encoders import NumericColumn
from torchstone.data.preprocessing import Preprocessing, fit_preprocessing, load_preprocessing
from torchstone.data.samples import Samples
from torchstone.data.table_preprocessing import TablePreprocessing
from torchstone.errors import DataError, RunError

TRAIN = np.arange(0, 200)
ROWS = 260


def mixed(seed: int = 0) -> dict[str, list[Any]]:
    """Columns of every kind, with missing values in each."""
    rng = np.random.default_rng(seed)
    start = datetime(2021, 3, 4, 5)

    def holes(values: list[Any]) -> list[Any]:
        return [None if hole else value for value, hole in zip(values, rng.random(ROWS) < 0.1, strict=True)]

    return {
        "size": holes(rng.normal(10, 5, ROWS).tolist()),
        "heavy": (rng.standard_cauchy(ROWS) * 1e3).tolist(),
        "colour": holes(rng.choice(["red", "green", "blue"], ROWS).tolist()),
        "open": holes((rng.random(ROWS) < 0.3).tolist()),
        "when": holes([start + timedelta(hours=int(hours)) for hours in rng.integers(0, 20000, ROWS)]),
        "target": rng.choice(["yes", "no"], ROWS).tolist(),
    }


def load(columns: dict[str, list[Any]], **kinds: str) -> Samples:
    return sources.load(pl.DataFrame(columns), DataConfig(columns=kinds))


def rows_of(preprocessing: Preprocessing, samples: Samples) -> torch.Tensor:
    return preprocessing.encode(samples).take(torch.arange(len(samples)))


def input_of(preprocessing: TablePreprocessing, samples: Samples, name: str) -> np.ndarray:
    return rows_of(preprocessing, samples)[:, preprocessing.input_names.index(name)].numpy()


def test_every_kind_has_its_inputs_in_order() -> None:
    samples = load(mixed())
    assert list(samples.kinds.values()) == ["numeric", "numeric", "categorical", "boolean", "datetime"]
    fitted = TablePreprocessing.fit(samples, TRAIN)
    assert fitted.input_names == [
        *("size", "heavy", "open", "when time", "when year", "when month", "when weekday", "when hour"),
        *("size is missing", "open is missing", "when is missing"),
        *("colour = blue", "colour = green", "colour = red", "colour is missing"),
    ]
    assert fitted.spec.shape == (len(fitted.input_names),)
    assert fitted.spec.numeric == 11
    assert fitted.columns_used == ["size", "heavy", "colour", "open", "when"]
    rows = rows_of(fitted, samples)
    assert rows.dtype == torch.float32
    assert torch.isfinite(rows).all()
    assert rows.abs().max() <= 3
    assert (rows[:, 11:].sum(1) == 1).all()


@given(st.integers(1, 10_000))
@settings(max_examples=25, deadline=None)
def test_values_outside_training_change_no_statistic(seed: int) -> None:
    columns, others = mixed(), mixed(seed)
    changed = {name: values[:200] + others[name][200:] for name, values in columns.items()}
    changed["size"][205], changed["colour"][206], changed["heavy"][207] = 1e12, "never seen", None
    first = fit_preprocessing(load(columns), TRAIN)
    second = fit_preprocessing(load(changed), TRAIN)
    assert json.dumps(first.to_json()).encode() == json.dumps(second.to_json()).encode()


def test_values_of_training_rows_do_change_statistics() -> None:
    columns = mixed()
    before = fit_preprocessing(load(columns), TRAIN).to_json()
    columns["size"][:20] = [99.0] * 20
    assert fit_preprocessing(load(columns), TRAIN).to_json() != before


def test_pictures_and_arrays_are_fitted_on_training_rows_too() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (60, 3, 5, 5), dtype=np.uint8)
    for features in (pictures, rng.normal(size=(60, 7, 4)), rng.normal(size=(60, 2, 5, 5))):
        changed = features.copy()
        changed[40:] = changed[40:] // 2
        labels = np.arange(60) % 2
        first, second = (
            fit_preprocessing(sources.load((values, labels)), np.arange(40)) for values in (features, changed)
        )
        assert json.dumps(first.to_json()) == json.dumps(second.to_json())


def test_pictures_have_mean_zero_and_deviation_one() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (50, 3, 6, 6), dtype=np.uint8)
    samples = sources.load((pictures, np.arange(50) % 2))
    fitted = fit_preprocessing(samples, np.arange(50))
    assert fitted.kind == "pictures"
    rows = rows_of(fitted, samples).double()
    assert torch.allclose(rows.mean((0, 2, 3)), torch.zeros(3).double(), atol=1e-6)
    assert torch.allclose(rows.std((0, 2, 3), correction=0), torch.ones(3).double(), atol=1e-6)
    expected = (pictures - pictures.mean((0, 2, 3), keepdims=True)) / pictures.std((0, 2, 3), keepdims=True)
    assert np.allclose(rows.numpy(), expected, atol=1e-5)


def test_pictures_of_another_shape_are_refused() -> None:
    labels = np.arange(20) % 2
    fitted = fit_preprocessing(sources.load((np.zeros((20, 1, 4, 4), dtype=np.uint8), labels)), np.arange(20))
    with pytest.raises(DataError, match=r"\(1, 5, 5\); in training they were \(1, 4, 4\)"):
        fitted.encode(sources.load((np.zeros((20, 1, 5, 5), dtype=np.uint8), labels)))
    with pytest.raises(DataError, match="were uint8 in training"):
        fitted.encode(sources.load((np.zeros((20, 1, 4, 4), dtype=np.float32), labels)))


def test_missing_values_of_an_array_name_their_sample() -> None:
    values = np.zeros((20, 3, 4))
    values[6, 1, 1] = np.nan
    with pytest.raises(DataError, match=r"1 of 20 samples hold NaN or infinite values: samples 6"):
        fit_preprocessing(sources.load((values, np.arange(20) % 2)), np.arange(20))


def test_a_missing_number_is_the_median_of_training_with_an_indicator() -> None:
    columns = mixed()
    samples = load(columns)
    fitted = TablePreprocessing.fit(samples, TRAIN)
    known = [value for value in columns["size"][:200] if value is not None]
    size = fitted.columns[0]
    assert isinstance(size, NumericColumn)
    assert size.fill == np.median(known)
    absent = np.array([value is None for value in columns["size"]])
    assert (input_of(fitted, samples, "size is missing") == absent).all()
    assert (input_of(fitted, samples, "size")[absent] == 0).all()
    assert (input_of(fitted, samples, "size")[~absent] != 0).mean() > 0.9


def test_missing_first_in_new_data_is_filled_without_an_indicator() -> None:
    columns = mixed()
    fitted = TablePreprocessing.fit(load(columns), TRAIN)
    assert "heavy is missing" not in fitted.input_names
    columns["heavy"][0] = None
    assert input_of(fitted, load(columns), "heavy")[0] == 0


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=60).filter(lambda v: len(set(v)) > 1))
@settings(max_examples=100, deadline=None)
def test_numbers_keep_their_order_within_three(values: list[float]) -> None:
    fitted = NumericColumn.fit(pl.Series("x", values, dtype=pl.Float64))
    assert isinstance(fitted, NumericColumn)
    encoded = fitted.encode_numbers(np.array(sorted(values)))
    assert (np.diff(encoded) >= 0).all()
    assert np.abs(encoded).max() <= 3
    assert list(fitted.edges) == sorted(set(fitted.edges))


def test_unseen_and_rare_categories_share_a_place() -> None:
    column = pl.Series("c", ["a"] * 10 + ["b"] * 5 + ["once", "single"])
    fitted = CategoricalColumn.fit(column)
    assert isinstance(fitted, CategoricalColumn)
    assert fitted.input_names == ["c = a", "c = b", "c is rare"]
    new = pl.Series("c", ["b", "once", "never seen", None, "a"])
    assert fitted.encode(new).tolist() == [1, 2, 2, 2, 0]


def test_without_rare_ones_an_unseen_category_is_the_most_frequent() -> None:
    fitted = CategoricalColumn.fit(pl.Series("c", ["a"] * 4 + ["b"] * 9 + [None] * 2))
    assert isinstance(fitted, CategoricalColumn)
    assert fitted.input_names == ["c = a", "c = b", "c is missing"]
    assert fitted.encode(pl.Series("c", ["a", "new", None])).tolist() == [0, 1, 2]


def test_more_categories_than_places_are_rare() -> None:
    words = [f"w{number:03d}" for number in range(400)]
    column = pl.Series("c", [word for place, word in enumerate(words) for _ in range(2 + (place < 100))])
    fitted = CategoricalColumn.fit(column)
    assert isinstance(fitted, CategoricalColumn)
    assert len(fitted.categories) == 255
    assert set(words[:100]) <= set(fitted.categories)
    assert fitted.width == 256
    assert fitted.encode(pl.Series("c", [words[399]])).tolist() == [255]


def test_new_categories_in_a_whole_table_are_encoded() -> None:
    columns = mixed()
    fitted = TablePreprocessing.fit(load(columns), TRAIN)
    columns["colour"] = ["violet"] * ROWS
    rows = rows_of(fitted, load(columns, colour="categorical"))
    assert (rows[:, 11:].sum(1) == 1).all()


def test_booleans_are_one_and_zero_and_the_share_where_missing() -> None:
    columns = mixed()
    samples = load(columns)
    fitted = TablePreprocessing.fit(samples, TRAIN)
    share = np.mean([value for value in columns["open"][:200] if value is not None])
    expected = [np.float32(share if value is None else value) for value in columns["open"]]
    assert input_of(fitted, samples, "open").tolist() == [float(value) for value in expected]


def test_points_in_time_become_their_parts() -> None:
    moments = [datetime(2024, 1, 1) + timedelta(days=day) for day in range(60)]
    samples = load({"when": moments, "target": ["u", "v"] * 30})
    fitted = TablePreprocessing.fit(samples, np.arange(60))
    # Neither the year nor the hour varies.
    assert fitted.input_names == ["when time", "when month", "when weekday"]
    weekday = input_of(fitted, samples, "when weekday")
    assert (weekday[:7] == weekday[7:14]).all()
    assert len(set(weekday.tolist())) == 7
    assert (np.diff(input_of(fitted, samples, "when time")) > 0).all()


def test_the_time_that_cuts_is_seen_as_what_comes_again() -> None:
    samples = load(mixed())
    fitted = TablePreprocessing.fit(samples, TRAIN, time="when")
    named = [name for name in fitted.input_names if name.startswith("when")]
    assert named == ["when month", "when weekday", "when hour", "when is missing"]
    fitted = TablePreprocessing.fit(samples, TRAIN, time="size")
    assert "rows were cut by it" in fitted.columns_left_out["size"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([5.0] * 200 + [6.0] * 60, "constant in the training rows"),
        (["same"] * 200 + ["other"] * 60, "constant in the training rows"),
        ([True] * 200 + [False] * 60, "constant in the training rows"),
        ([None] * 200 + [1.5, 2.5] * 30, "no value in the training rows"),
        ([datetime(2024, 1, 1)] * 200 + [datetime(2024, 1, 2)] * 60, "constant in the training rows"),
    ],
)
def test_columns_that_say_nothing_in_training_are_left_out(values: list[Any], reason: str) -> None:
    samples = load({**mixed(), "still": values})
    fitted = TablePreprocessing.fit(samples, TRAIN)
    assert fitted.columns_left_out == {"still": reason}
    assert "still" not in fitted.columns_used
    # What is left out need not be there later.
    again = load(mixed())
    assert torch.equal(rows_of(fitted, again), rows_of(fitted, samples))


def test_nothing_to_learn_from_says_why() -> None:
    samples = load({"x": [1.0] * 20 + [2.0] * 10, "target": ["u", "v"] * 15})
    with pytest.raises(DataError, match=r"x: constant in the training rows"):
        TablePreprocessing.fit(samples, np.arange(20))


def test_columns_left_out_by_the_split() -> None:
    fitted = TablePreprocessing.fit(load(mixed()), TRAIN, left_out={"colour": "groups of the split"})
    assert fitted.columns_left_out == {"colour": "groups of the split"}
    assert not any(name.startswith("colour") for name in fitted.input_names)


@pytest.mark.parametrize("data", ["mixed", "iris", "digits", "array", "pictures"])
def test_json_gives_equal_rows(data: str) -> None:
    rng = np.random.default_rng(2)
    labels = np.arange(ROWS) % 2
    if data == "mixed":
        samples = load(mixed())
    elif data == "array":
        samples = sources.load((rng.normal(3, 7, (ROWS, 5, 6)), labels))
    elif data == "pictures":
        samples = sources.load((rng.integers(0, 256, (ROWS, 3, 4, 4), dtype=np.uint8), labels))
    else:
        samples = sources.load(data)
    fitted = fit_preprocessing(samples, np.arange(len(samples)))
    loaded = load_preprocessing(json.loads(json.dumps(fitted.to_json())))
    assert type(loaded) is type(fitted)
    assert loaded.to_json() == fitted.to_json()
    assert loaded.spec == fitted.spec
    assert torch.equal(rows_of(loaded, samples), rows_of(fitted, samples))


def test_an_unknown_kind_of_preprocessing_is_refused() -> None:
    with pytest.raises(RunError, match='"sounds"'):
        load_preprocessing({"kind": "sounds"})


def test_a_column_that_is_not_there_is_named_with_the_nearest() -> None:
    columns = mixed()
    fitted = TablePreprocessing.fit(load(columns), TRAIN)
    columns["colours"] = columns.pop("colour")
    with pytest.raises(DataError, match=r'lacks the column "colour"') as caught:
        fitted.encode(load(columns))
    assert "colours" in str(caught.value.hint)
    assert fitted.extra_columns(list(columns)) == ["target", "colours"]


def test_a_row_is_encoded_the_same_alone_as_among_others() -> None:
    columns = mixed()
    samples = load(columns)
    kinds = samples.kinds
    fitted = TablePreprocessing.fit(samples, TRAIN)
    together = rows_of(fitted, samples)
    assert samples.reading is not None
    for row in (0, 101, 259):
        frame = pl.DataFrame(columns)[row : row + 1]
        (alone,) = sources.read_batches(frame, samples.reading, 10)
        assert kinds == samples.kinds
        assert torch.equal(rows_of(fitted, alone)[0], together[row])
