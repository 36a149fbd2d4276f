"""What a report says in words: the verdict, the baseline, and what the curves mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from torchstone.reporting.scales import percent
from torchstone.reporting.sentences import (
    baseline,
    calibration_remark,
    split_name,
    training_remark,
    verdict,
)
from torchstone.task import Task

BINARY = Task("binary", ("income",), ("<=50K", ">50K"))
PRICES = Task("regression", ("price",))


def _history(*losses: tuple[float, float | None]) -> list[dict[str, Any]]:
    return [
        {"epoch": epoch, "train_loss": train, "val_loss": val, "seconds": 2.0}
        for epoch, (train, val) in enumerate(losses, start=1)
    ]


def _evaluation(key: str, value: float | None, low: float | None = None, high: float | None = None) -> Any:
    return {"split": "test", "rows": 16281, "metrics": {key: {"value": value, "low": low, "high": high}}}


FALLING = _history((3.0, 3.0), (2.0, 2.0), (1.0, 1.0))


def test_a_classifier_is_told_by_its_accuracy_with_the_interval() -> None:
    evaluation = _evaluation("accuracy", 0.8604, 0.855, 0.8658)
    said = verdict("adult", BINARY, "tabm", evaluation, FALLING, 2).text.replace("\u00a0", " ")
    assert said == (
        "adult · binary · tabm: 86.0 % of 16,281 test rows right (95 %: 85.5–86.6); "
        "trained 3 epochs in 6.0 s, best at epoch 2."
    )


def test_a_regression_is_told_by_its_mean_error_in_its_own_units() -> None:
    evaluation = _evaluation("mae", 31234.5, 30000.0, 32500.0)
    said = verdict("housing", PRICES, "tabm", evaluation, FALLING, None, took=75).text.replace("\u00a0", " ")
    assert said == (
        "housing · regression · tabm: price predicted with a mean error of 31,234 over 16,281 test rows "
        "(95 %: 30,000–32,500); trained 3 epochs in 75 s."
    )


@pytest.mark.parametrize(
    ("targets", "what"),
    [(("a", "b"), "a and b predicted"), (("a", "b", "c"), "3 numbers predicted")],
)
def test_several_numbers_are_named_or_counted(targets: tuple[str, ...], what: str) -> None:
    said = verdict("t", Task("regression", targets), "m", _evaluation("mae", 1.0), FALLING, 1).text
    assert what in said


def test_labels_are_told_by_the_rows_that_are_wholly_right() -> None:
    task = Task("multilabel", ("a", "b"), ("a", "b"))
    said = verdict("t", task, "m", _evaluation("subset_accuracy", 0.5), FALLING, 1).text
    assert "50.0\u00a0% of 16,281 test rows with every label right; trained" in said


def test_what_was_not_measured_is_said() -> None:
    said = verdict("digits", BINARY, "mlp", None, FALLING[:1], 1)
    assert said.text.replace("\u00a0", " ") == (
        "digits · binary · mlp: Trained 1 epoch in 2.0 s. No rows were measured."
    )
    assert verdict("d", None, "Gan", None, [], None).text == "d · Gan: Not trained. No rows were measured."
    nothing = verdict("d", BINARY, "m", _evaluation("accuracy", None), FALLING, 1).text
    assert "– of 16,281" in nothing
    assert "95 %" not in nothing


@pytest.mark.parametrize(
    ("split", "name"),
    [("val", "validation"), ("test", "test"), ("train", "training"), ("new.csv", "new.csv")],
)
def test_splits_are_called_by_their_names(split: str, name: str) -> None:
    assert split_name(split) == name


def _classes(accuracy: float | None, *support: int) -> dict[str, Any]:
    return {
        "metrics": {"accuracy": {"value": accuracy}},
        "per_class": [{"class": name, "support": n} for name, n in zip(BINARY.classes, support, strict=True)],
    }


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        (0.875, "the model makes 50 % fewer mistakes than that."),
        (1.0, "the model makes no mistake on them."),
        (0.75, "the model is no better than that."),
        (0.5, "the model is no better than that."),
        (None, "the model is no better than that."),
    ],
)
def test_a_classifier_is_held_against_the_most_frequent_class(accuracy: float | None, said: str) -> None:
    text = (baseline(BINARY, _classes(accuracy, 750, 250)) or "").replace("\u00a0", " ")
    assert text.startswith("Always answering “<=50K” would be right for 75.0 % of these rows")
    assert text.endswith(said)


def test_a_single_class_cannot_be_beaten() -> None:
    assert (baseline(BINARY, _classes(1.0, 10, 0)) or "").endswith("no better than that.")


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.8, "the model explains 80.0 %"),
        (0.0, "always answering the mean of these rows would be no worse."),
        (-0.5, "R² is -0.500: always answering the mean"),
    ],
)
def test_a_regression_is_held_against_the_mean(share: float, said: str) -> None:
    text = baseline(PRICES, {"metrics": {"r2": {"value": share}}})
    assert said in (text or "").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("task", "evaluation"),
    [
        (None, {}),
        (BINARY, None),
        (BINARY, _classes(0.5, 0, 0)),
        (PRICES, {"metrics": {"r2": {"value": float("nan")}}}),
        (Task("multilabel", ("a", "b"), ("a", "b")), _classes(0.5, 3, 4)),
    ],
)
def test_where_a_baseline_says_nothing_there_is_none(task: Task | None, evaluation: Any) -> None:
    assert baseline(task, evaluation) is None


def test_the_baseline_of_a_real_run_is_the_share_of_its_largest_class(runs: dict[str, Any]) -> None:
    values = json.loads((runs["hostile"].path / "evaluations" / "test.json").read_text())
    task = Task.from_json(values["task"])
    support = [sum(row) for row in values["confusion"]]
    text = baseline(task, values) or ""
    assert percent(max(support) / sum(support)) in text
    assert task.classes[support.index(max(support))] in text


@pytest.mark.parametrize(
    ("history", "best", "said"),
    [
        ([], None, "There is no record of an epoch."),
        (FALLING[:1], 1, "One epoch says little"),
        (FALLING, 3, "epoch 3 (1), the last: it was still improving, and more epochs may help (RESUME)."),
        (
            _history((3, 3), (2, 1), (1, 1.5)),
            2,
            "best at epoch 2 (1); the one after it brought nothing better. "
            "The training loss fell on while the validation loss rose: it was learning rows by heart.",
        ),
        (_history((3, 1), (3, 1.01), (3, 1.01)), 1, "epoch 1 (1); the 2 after it brought nothing better."),
        (
            _history((3, 3), (2, 1), (1, 1.5)),
            None,
            "The last weights were kept. The validation loss was lowest "
            "at epoch 2 (1), and 1.500 at the end.",
        ),
        (_history((3, None), (2, None)), None, "No validation loss, so no epoch is known to be the best"),
    ],
)
def test_what_the_curves_say(history: list[dict[str, Any]], best: int | None, said: str) -> None:
    text = training_remark(history, "val_loss", best, "RESUME")
    assert said in text
    if not said.endswith("heart."):
        assert "by heart" not in text


@pytest.mark.parametrize(
    ("monitor", "name"),
    [
        ("val_loss", "validation loss"),
        ("train_loss", "training loss"),
        ("accuracy", "validation Accuracy"),
        ("val_roc_auc", "validation ROC AUC"),
        ("my_metric", "validation my metric"),
    ],
)
def test_what_was_best_is_called_by_its_name(monitor: str, name: str) -> None:
    assert f"The {name} was best at epoch 2" in training_remark(FALLING, monitor, 2, "RESUME")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (0.01, "can be taken at their word"),
        (0.2, "with a grain of salt"),
        (None, "80 % come true"),
        (float("nan"), "80 % come true"),
    ],
)
def test_what_a_calibration_error_means(error: float | None, said: str) -> None:
    text = calibration_remark(error)
    assert said in text
    assert (error is None or error != error) or percent(error) in text
