"""Which charts a report shows, what they draw and what their captions say."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from torchstone.evaluation.thresholds import thresholds
from torchstone.metrics import ScoredRows
from torchstone.reporting.panels import (
    MOST_CLASSES,
    Panel,
    importance_panel,
    result_panels,
    training_panels,
)
from torchstone.task import Task

HISTORY = [
    {"epoch": 1, "train_loss": 2.0, "val_loss": 2.5, "val_accuracy": 0.25, "lr": 0.1},
    {"epoch": 2, "train_loss": 1.0, "val_loss": 1.5, "val_accuracy": 0.75, "lr": 0.05},
    {"epoch": 3, "train_loss": 0.5, "val_loss": 1.75, "val_accuracy": 0.625, "lr": 0.01},
]


def _evaluation(run: Any, split: str = "val") -> tuple[Task, dict[str, Any]]:
    values = json.loads((run.path / "evaluations" / f"{split}.json").read_text())
    return Task.from_json(values["task"]), values


def _titles(panels: list[Panel]) -> list[str]:
    return [panel.title for panel in panels]


def _lines(svg: str) -> list[list[tuple[float, float]]]:
    paths = list(ElementTree.fromstring(svg).iter("path"))
    drawn = [p.get("d", "") for p in paths if re.fullmatch(r"line tone\d", p.get("class", ""))]
    found = [[(float(x), float(y)) for x, y in re.findall(r"([-\d.]+) ([-\d.]+)", d)] for d in drawn]
    return [points for points in found if len(points) > 1]  # without the pieces of the legend


def test_losses_the_monitored_metric_and_the_learning_rate() -> None:
    panels = training_panels(HISTORY, "accuracy", 2)
    assert _titles(panels) == ["Loss", "Accuracy on validation rows", "Learning rate"]
    losses = _lines(panels[0].svg)
    assert [len(points) for points in losses] == [3, 3]
    assert "training ends at 0.500, validation ends at 1.75" in panels[0].svg
    assert "best: epoch 2" in panels[0].svg
    assert panels[1].caption == "0.7500 at the best epoch."


def test_without_a_best_epoch_none_is_marked() -> None:
    panels = training_panels(HISTORY, "val_loss", None)
    assert "best: epoch" not in panels[0].svg
    assert panels[1].caption == "0.6250 at the last epoch."


def test_what_was_not_recorded_is_not_shown() -> None:
    assert training_panels([], "val_loss", None) == []
    assert _titles(training_panels([{"epoch": 1, "train_loss": 1.0}], "val_loss", 1)) == ["Loss"]
    nothing = [{"epoch": 1, "train_loss": None, "val_loss": float("nan")}]
    assert training_panels(nothing, "val_loss", 1) == []


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("hostile", ["Confusion matrix", "ROC curve", "Precision and recall",
                     "Can its probabilities be believed?"]),
        ("binary", ["Confusion matrix", "ROC curve", "Precision and recall", "Effect of the threshold",
                    "Can its probabilities be believed?"]),
        ("multilabel", ["ROC curve", "Precision and recall"]),
        ("last", ["Predicted and true", "Residuals", "How large the errors are"]),
    ],
)  # fmt: skip
def test_real_runs_have_the_charts_of_their_task(runs: dict[str, Any], name: str, titles: list[str]) -> None:
    panels = result_panels(*_evaluation(runs[name]))
    assert _titles(panels) == titles
    for panel in panels:
        ElementTree.fromstring(panel.svg)
        assert not re.search(r"\b(nan|None|inf)\b", panel.svg + panel.caption)


def test_the_class_of_a_single_curve_and_of_the_threshold_is_named(runs: dict[str, Any]) -> None:
    panels = {panel.title: panel for panel in result_panels(*_evaluation(runs["binary"]))}
    assert "The class is “k2”." in panels["ROC curve"].caption
    assert "called “k2” when" in panels["Effect of the threshold"].caption


def test_many_classes_have_no_matrix_and_the_curves_of_the_worst() -> None:
    names = tuple(f"c{place}" for place in range(MOST_CLASSES + 1))
    curve = {"x": [0.0, 0.5, 1.0], "y": [0.0, 0.75, 1.0], "area": 0.75}
    evaluation = {
        "confusion": np.eye(len(names), dtype=int).tolist(),
        "per_class": [{"class": name, "f1": place / 40, "support": 3} for place, name in enumerate(names)],
        "curves": {"roc": [{"class": name, **curve} for name in names], "precision_recall": []},
        "metrics": {"roc_auc": {"value": 0.75}},
    }
    panels = result_panels(Task("multiclass", ("y",), names), evaluation)
    assert _titles(panels) == ["ROC curve"]
    assert len(_lines(panels[0].svg)) == 3
    assert "lowest F1" in panels[0].caption
    shown = {t.text for t in ElementTree.fromstring(panels[0].svg).iter("text")}
    assert {"c0", "c1", "c2"} <= shown


def _threshold_panel(scores: list[float], targets: list[int]) -> tuple[Panel, dict[str, Any]]:
    task = Task("binary", ("y",), ("no", "yes"))
    outputs = np.stack([1 - np.array(scores), np.array(scores)], axis=1)
    scored = ScoredRows(task, np.array(targets), outputs)
    values = {
        "task": task.to_json(),
        "threshold": thresholds(scored, {}),
        "per_class": [
            {"class": "no", "support": targets.count(0)}, {"class": "yes", "support": targets.count(1)}
        ],
    }  # fmt: skip
    return next(p for p in result_panels(task, values) if p.title == "Effect of the threshold"), values


def test_where_no_row_is_above_the_threshold_no_precision_is_drawn() -> None:
    """It would fall to 0 at the end, though the rows just before are all right."""
    panel, values = _threshold_panel([0.1, 0.3, 0.6, 0.8, 0.85], [0, 0, 1, 1, 1])
    effect = values["threshold"]["effect"]
    assert effect["precision"][-1] == 0  # as metrics count it
    precision, recall = _lines(panel.svg)
    above = sum(threshold < 0.85 for threshold in effect["threshold"])
    assert len(precision) == above
    assert len(recall) == len(effect["threshold"])
    floor = max(y for _, y in recall)
    assert min(y for _, y in recall) == precision[-1][1]  # it ends at 1
    assert all(y < floor for _, y in precision)


def test_a_precision_that_is_truly_zero_is_drawn() -> None:
    """The highest score is of a row of the other class."""
    panel, values = _threshold_panel([0.1, 0.3, 0.6, 0.9], [0, 1, 1, 0])
    precision, recall = _lines(panel.svg)
    assert precision[-1][1] == max(y for _, y in recall)
    assert len(precision) == sum(threshold < 0.9 for threshold in values["threshold"]["effect"]["threshold"])


def test_the_importance_of_columns_is_told_with_the_most_important_first() -> None:
    rows = [
        {"column": f"c{i}", "drop": 1 / (i + 1), "deviation": 0.01, "metric": "accuracy"} for i in range(25)
    ]
    panel = importance_panel(rows)
    assert panel is not None
    assert "the most important is c0" in panel.svg
    assert "The 5 least important are not shown." in panel.caption
    shown = [t.text for t in ElementTree.fromstring(panel.svg).iter("text") if t.get("class") == "key"]
    assert shown == [f"c{i}" for i in range(20)]
    assert importance_panel([]) is None
