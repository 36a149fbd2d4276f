"""Categories: those of training have places, rare ones share one, unseen ones are counted."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import polars as pl
import pytest

from torchstone.config import DataConfig
from torchstone.data import categorical_encoder, sources
from torchstone.data.categorical_encoder import CategoricalColumn
from torchstone.data.table_preprocessing import TablePreprocessing, unseen_notes

TOWNS = pl.Series("town", ["Bonn"] * 6 + ["Ulm"] * 4 + ["Trier", None])


def _fitted(column: pl.Series = TOWNS) -> CategoricalColumn:
    fitted = CategoricalColumn.fit(column)
    assert isinstance(fitted, CategoricalColumn)
    return fitted


def test_each_category_has_its_place() -> None:
    column = _fitted()
    assert column.input_names == ["town = Bonn", "town = Ulm", "town is rare", "town is missing"]
    new = pl.Series("town", ["Ulm", "Bonn", "Trier", "Jena", None])
    assert column.encode(new).tolist() == [1, 0, 2, 2, 3]


def test_rows_with_values_that_training_never_had_are_counted() -> None:
    column = _fitted()
    assert column.unseen(TOWNS) == 0  # the rare one was seen, a missing value is none
    assert column.unseen(pl.Series("town", ["Jena", "Trier", None, "Jena", "bonn", "Ulm"])) == 3
    assert column.unseen(pl.Series("town", [], dtype=pl.String)) == 0


def test_whole_numbers_as_floats_are_the_categories_of_training() -> None:
    column = _fitted(pl.Series("code", [1, 2, 3] * 5))
    assert column.unseen(pl.Series("code", [1.0, 3.0, float("nan"), None, 4.0])) == 1


def test_the_json_values_are_the_column() -> None:
    column = _fitted()
    again = CategoricalColumn.from_json(json.loads(json.dumps(column.to_json())))
    assert again == column
    assert again.unseen(pl.Series("town", ["Jena", "Trier"])) == 1


def test_a_run_of_an_earlier_version_counts_where_it_can() -> None:
    values = _fitted().to_json()
    del values["seen"]
    assert CategoricalColumn.from_json(values).unseen(pl.Series("town", ["Jena"])) == 0  # may have been rare
    values |= {"rare": False}
    assert CategoricalColumn.from_json(values).unseen(pl.Series("town", ["Jena"])) == 1


def test_too_many_rare_categories_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(categorical_encoder, "MOST_RARE", 3)
    names = pl.Series("name", ["a", "b"] * 10 + [f"n{place}" for place in range(4)])
    column = _fitted(names)
    assert column.seen is None
    assert column.rare
    assert column.unseen(pl.Series("name", ["new"])) == 0


def test_the_rows_of_a_table_are_counted_column_by_column() -> None:
    frame = pl.DataFrame(
        {
            "town": ["Bonn", "Ulm", "Jena"] * 20,
            "sex": ["m", "f"] * 30,
            "size": [1.5 * (row % 7) for row in range(60)],
            "y": ["no", "yes"] * 30,
        }
    )
    samples = sources.load(frame, DataConfig(target=["y"]))
    fitted = TablePreprocessing.fit(samples, np.arange(0, 60, 3))  # Bonn alone
    assert "town" in fitted.columns_left_out  # constant in its training rows
    fitted = TablePreprocessing.fit(samples, np.flatnonzero(frame["town"].to_numpy() != "Jena"))
    assert fitted.unseen(samples) == {"town": 20}
    again = TablePreprocessing.from_json(json.loads(json.dumps(fitted.to_json())))
    assert again.unseen(samples) == {"town": 20}


def test_what_is_said_of_unseen_values() -> None:
    assert unseen_notes({}) == []
    (note,) = unseen_notes(Counter({"town": 1234, "sex": 1}))
    assert note.startswith('Values never seen in training: "town" in 1,234 rows, "sex" in 1 row;')
