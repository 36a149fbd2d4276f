"""The published tables as they are: what is found out without being told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from torchstone.config import DataConfig
from torchstone.data import sources
from torchstone.data.target import read_target

TABLES = {
    # file: (options, rows, features, task, classes, some kinds)
    "titanic/train.csv": (
        {"target": "Survived"}, 891, 11, "binary", ("0", "1"),
        {"PassengerId": "identifier", "Name": "text", "Sex": "categorical", "Age": "numeric"},
    ),
    "titanic/titanic_seaborn.csv": (
        {"target": "survived"}, 891, 14, "binary", ("0", "1"), {"alive": "boolean", "adult_male": "boolean"},
    ),
    "bank-marketing/bank-additional-full.csv": (
        {}, 41188, 20, "binary", ("no", "yes"), {"job": "categorical", "nr.employed": "numeric"},
    ),
    "california-housing/housing.csv": (
        {"target": "median_house_value"}, 20640, 9, "regression", (),
        {"total_bedrooms": "numeric", "ocean_proximity": "categorical"},
    ),
    "ames-housing/AmesHousing.csv": (
        {}, 2930, 81, "regression", (),
        {"Order": "identifier", "PID": "identifier", "MS SubClass": "categorical", "Lot Frontage": "numeric"},
    ),
    "wine-quality/*.csv": ({}, 6497, 11, "regression", (), {"column_1": "numeric"}),
    "heart-disease/processed.cleveland.data": (
        {}, 303, 13, "multiclass", ("0", "1", "2", "3", "4"), {"column_12": "numeric"},
    ),
    "pima-diabetes/pima-indians-diabetes.csv": ({}, 768, 8, "binary", ("0", "1"), {"column_7": "numeric"}),
    "german-credit/german.csv": ({}, 1000, 20, "binary", ("1", "2"), {"column_1": "categorical"}),
    "horse-colic/horse-colic.csv": (
        {"target": "-5"}, 300, 27, "binary", ("1", "2"), {"column_4": "numeric", "column_25": "categorical"},
    ),
    "diamonds/diamonds.csv": ({"target": "price"}, 53940, 9, "regression", (), {"cut": "categorical"}),
    "penguins/penguins.csv": (
        {"target": "species"}, 344, 6, "multiclass", ("Adelie", "Chinstrap", "Gentoo"),
        {"sex": "categorical"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("file", TABLES)
def test_a_published_table_is_read_as_it_is_meant(shared_data: Path, file: str) -> None:
    options, rows, features, task, classes, kinds = TABLES[file]
    config = DataConfig(**options)
    samples = sources.load(str(shared_data / "tabular" / file), config)
    target = read_target(samples, config)
    assert (len(samples), samples.features.shape[1]) == (rows, features)
    assert (target.task.kind, target.task.classes) == (task, classes)
    assert target.present.all()
    assert {name: samples.kinds[name] for name in kinds} == kinds


def test_adult_with_its_test_file_matches_the_dotted_labels(shared_data: Path) -> None:
    folder = shared_data / "tabular" / "adult"
    config = DataConfig(test=str(folder / "adult.test"))
    samples = sources.load(str(folder / "adult.data"), config)
    target = read_target(samples, config)
    assert samples.given_split is not None
    assert Counter(samples.given_split.tolist()) == {0: 32561, 2: 16281}
    assert target.task.classes == ("<=50K", ">50K")
    assert np.bincount(target.values).tolist() == [37155, 11687]
    assert any("16281 labels" in note for note in samples.notes)
    assert samples.features["column_2"].null_count() == 2799  # the "?" of both files
    assert samples.place(32561).endswith("adult.test:1")


def test_missing_guises_become_null(shared_data: Path) -> None:
    bank = shared_data / "tabular" / "bank-marketing" / "bank-additional.csv"
    assert sources.load(bank, DataConfig(missing=["unknown"])).features["default"].null_count() == 803
    pima = shared_data / "tabular" / "pima-diabetes" / "pima-indians-diabetes.csv"
    zeros = sources.load(pima, DataConfig(missing=["0"]))
    assert zeros.features["column_5"].null_count() == 374
    assert zeros.target is not None
    assert zeros.target["column_9"].null_count() == 0  # class 0 stays
    heart = shared_data / "tabular" / "heart-disease" / "processed.cleveland.data"
    assert sources.load(heart).features.null_count().sum_horizontal().item() == 6


def test_quotes_within_messages_are_ordinary_characters(shared_data: Path) -> None:
    path = shared_data / "text" / "sms-spam" / "SMSSpamCollection"
    samples = sources.load(path, DataConfig(target="Label", columns={"SMS": "categorical"}))
    assert len(samples) == 5574
    assert read_target(samples, DataConfig()).task.classes == ("ham", "spam")


def test_rows_know_their_lines_also_after_cells_of_several_lines(shared_data: Path) -> None:
    path = shared_data / "text" / "womens-ecommerce" / "WomensClothingE-CommerceReviews.csv"
    samples = sources.load(path, DataConfig(target="Rating"))
    lines = path.read_text(encoding="utf-8").split("\n")
    assert len(samples) == 23486
    for index in (0, 5000, 23485):
        assert lines[int(samples.row_of[index]) - 1].startswith(f"{index},")
    assert samples.kinds["Review Text"] == "text"


@pytest.mark.parametrize("rows", [100, 10_000])
def test_a_table_read_in_parts_is_the_table(shared_data: Path, rows: int) -> None:
    path = str(shared_data / "tabular" / "titanic" / "train.csv")
    whole = sources.load(path, DataConfig(target="Survived"))
    parts = list(sources.read_batches(path, whole.reading, rows, with_target=True))
    joined = type(whole).joined(parts)
    assert max(len(part) for part in parts) <= rows
    assert joined.features.equals(whole.features)
    assert joined.target is not None
    assert joined.target.equals(whole.target)
    assert (joined.row_of == whole.row_of).all()
