"""The tables of a report: the figures of the evaluation, and the values that columns are sorted by."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from torchstone.reporting import tables
from torchstone.reporting.measured import metric_label
from torchstone.reporting.scales import number
from torchstone.reporting.tables import Table
from torchstone.task import Task


def _evaluation(run: Any, split: str = "val") -> tuple[Task, dict[str, Any]]:
    values = json.loads((run.path / "evaluations" / f"{split}.json").read_text())
    return Task.from_json(values["task"]), values


def _texts(table: Table | None) -> list[list[str]]:
    assert table is not None
    assert all(len(row) == len(table.heads) for row in table.rows)
    return [[cell.text for cell in row] for row in table.rows]


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("binary", ["accuracy", "roc_auc", "f1", "log_loss"]),
        ("hostile", ["accuracy", "f1_macro", "roc_auc", "log_loss"]),
        ("multilabel", ["subset_accuracy", "f1_macro", "roc_auc", "hamming_loss"]),
        ("last", ["mae", "rmse", "r2", "median_absolute_error"]),
    ],
)
def test_the_figures_at_the_top_are_those_of_the_task(
    runs: dict[str, Any], name: str, keys: list[str]
) -> None:
    task, evaluation = _evaluation(runs[name])
    tiles = tables.tiles(task, evaluation)
    assert [tile["name"] for tile in tiles] == [metric_label(key) for key in keys]
    for key, tile in zip(keys, tiles, strict=True):
        measured = evaluation["metrics"][key]
        assert float(tile["value"].replace(",", "")) == pytest.approx(measured["value"], rel=6e-3)
        assert number(measured["low"]) in tile["interval"]


def test_metrics_stand_beside_those_of_other_splits(runs: dict[str, Any]) -> None:
    _, test = _evaluation(runs["hostile"], "test")
    _, val = _evaluation(runs["hostile"], "val")
    found = tables.metric_rows(test, [val])
    assert found["other_splits"] == ["validation"]
    rows = {row["name"]: row for row in found["metric_rows"] + found["more_metric_rows"]}
    assert len(rows) == len(test["metrics"])
    for key, measured in test["metrics"].items():
        row = rows[metric_label(key)]
        assert row["value"] == number(measured["value"], 4)
        assert row["others"] == [number(val["metrics"][key]["value"], 4)]
    assert rows["Log loss"]["better"] == "lower"
    assert rows["Accuracy"]["better"] == "higher"
    assert {row["name"] for row in found["more_metric_rows"]} >= {metric_label("f1_micro")}
    assert rows["Accuracy"]["strip"].startswith("<svg")
    assert rows["Log loss"]["strip"] == ""


def test_each_class_has_its_row_and_numbers_sort_as_numbers(runs: dict[str, Any]) -> None:
    task, evaluation = _evaluation(runs["hostile"], "test")
    table = tables.classes(task, evaluation)
    rows = _texts(table)
    assert table is not None
    assert table.name == "Each class"
    assert [row[0] for row in rows] == list(task.classes)
    support = [sum(row) for row in evaluation["confusion"]]
    predicted = [sum(row[at] for row in evaluation["confusion"]) for at in range(3)]
    assert [cell.value for cell in (row[4] for row in table.rows)] == support
    assert [cell.value for cell in (row[5] for row in table.rows)] == predicted
    assert not table.long
    assert tables.classes(task, {}) is None


def test_labels_are_called_labels_and_many_are_folded(runs: dict[str, Any]) -> None:
    table = tables.classes(*_evaluation(runs["multilabel"]))
    assert table is not None
    assert (table.name, [row[0] for row in _texts(table)]) == ("Each label", ["tall", "old"])
    many = {"per_class": [{"class": str(place), "support": 1} for place in range(13)]}
    folded = tables.classes(Task("multiclass", ("y",), tuple("abc")), many)
    assert folded is not None
    assert folded.long
    assert _texts(folded)[0][1] == "–"


def test_the_most_confused_pairs_stand_first_where_there_is_no_matrix() -> None:
    names = tuple(f"c{place}" for place in range(31))
    counts = [[0] * 31 for _ in names]
    counts[3][4], counts[5][1], counts[2][2] = 12345, 7, 99
    table = tables.confused(Task("multiclass", ("y",), names), {"confusion": counts})
    assert _texts(table) == [["c3", "c4", "12,345"], ["c5", "c1", "7"]]
    few = Task("multiclass", ("y",), names[:3])
    assert tables.confused(few, {"confusion": [row[:3] for row in counts[:3]]}) is None


def test_other_thresholds_stand_beside_the_usual_one(runs: dict[str, Any]) -> None:
    _, evaluation = _evaluation(runs["binary"])
    choices = evaluation["threshold"]["choices"]
    table = tables.thresholds(evaluation)
    rows = _texts(table)
    assert table is not None
    assert [head.text for head in table.heads] == ["", "usual", "best F1", "best balance"][: 1 + len(choices)]
    assert rows[0] == ["threshold", *(number(choice["threshold"]) for choice in choices)]
    assert next(row for row in rows if row[0] == "Recall")[1] == number(choices[0]["recall"])
    assert tables.thresholds({"threshold": {"choices": choices[:1]}}) is None


def test_every_epoch_has_its_row_though_epochs_record_different_things() -> None:
    table = tables.history([{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "val_loss": math.nan}])
    assert table is not None
    assert [head.text for head in table.heads] == ["epoch", "train loss", "val loss"]
    assert _texts(table) == [["1", "0.5000", "–"], ["2", "–", "–"]]
    assert [cell.value for cell in table.rows[1]] == [2, "", ""]
    assert tables.history([]) is None


def test_the_epochs_of_a_real_run_are_its_history(runs: dict[str, Any]) -> None:
    run = runs["hostile"]
    table = tables.history(run.records)
    assert table is not None
    losses = [head.text for head in table.heads].index("val loss")
    assert [row[losses].value for row in table.rows] == run.history["val_loss"].to_list()


def test_the_facts_are_those_of_the_manifest(runs: dict[str, Any]) -> None:
    manifest = json.loads((runs["hostile"].path / "manifest.json").read_text())
    facts = dict(tables.facts(manifest))
    split = manifest["split"]
    counts = f"{split['train']} training, {split['val']} validation, {split['test']} test"
    assert facts["split"] == f"{split['method']}: {counts}"
    assert facts["seed"] == "0"
    assert facts["torch"] == manifest["versions"]["torch"]
    assert tables.facts({}) == []
