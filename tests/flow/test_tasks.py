"""What a loss says about outputs and targets, and the metrics that follow from it."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sklearn import metrics as reference
from torch import Tensor, nn

import torchstone as ts
from torchstone.flow.tasks import Meaning, meaning_of

torch.manual_seed(0)
X = torch.randn(200, 6)
CLASSES = X[:, :3].argmax(1)
LABELS = (X[:, :2] > 0).float()
NUMBERS = X[:, :1] + 0.1 * torch.randn(200, 1)


def fit(targets: Tensor, outputs: int, loss: Any, **asked: Any) -> ts.Run:
    torch.manual_seed(1)
    net = nn.Linear(6, outputs)
    data = (X[:150], targets[:150]), (X[150:], targets[150:])
    asked = {"optimizer": lambda p: torch.optim.Adam(p, 0.05), "epochs": 3, "quiet": True, **asked}
    return ts.fit(net, *data, loss=loss, **asked)


@pytest.mark.parametrize(
    ("loss", "meaning"),
    [
        (nn.CrossEntropyLoss(ignore_index=7), Meaning("classes", "logits", 7)),
        (functools.partial(F.cross_entropy, ignore_index=2), Meaning("classes", "logits", 2)),
        (F.nll_loss, Meaning("classes", "log_probabilities", -100)),
        (nn.BCELoss(), Meaning("labels", "probabilities")),
        (functools.partial(F.mse_loss), Meaning("numbers", "values")),
        (lambda outputs, targets: outputs.mean(), None),
        (None, None),
    ],
)
def test_what_a_loss_tells_survives_json(loss: Any, meaning: Meaning | None) -> None:
    found = meaning_of(loss)
    assert found == meaning
    assert Meaning.from_json(None if found is None else found.to_json()) == meaning


def test_metrics_by_name_are_scikit_learns() -> None:
    run = fit(CLASSES, 3, nn.CrossEntropyLoss(), metrics=["accuracy", "f1_macro"], keep="last")
    wanted, predicted, last = CLASSES[150:], run.predict(X[150:]).argmax(1), run.records[-1]
    assert last["val_accuracy"] == pytest.approx(reference.accuracy_score(wanted, predicted))
    assert last["val_f1_macro"] == pytest.approx(reference.f1_score(wanted, predicted, average="macro"))


def test_accuracy_is_computed_for_classes_without_being_asked() -> None:
    assert "val_accuracy" in fit(CLASSES, 3, nn.CrossEntropyLoss()).history.columns
    assert "val_accuracy" not in fit(NUMBERS, 1, nn.MSELoss()).history.columns
    assert "val_accuracy" not in fit(CLASSES, 3, nn.CrossEntropyLoss(), metrics=[]).history.columns


def test_metrics_of_ones_own_by_name() -> None:
    def largest_error(outputs: Tensor, targets: Tensor) -> Tensor:
        assert outputs.shape == targets.shape == (50, 1)
        return (outputs - targets).abs().max()

    own = {"metrics": {"largest_error": largest_error}, "monitor": "largest_error"}
    run = fit(NUMBERS, 1, nn.MSELoss(), epochs=6, **own)
    errors = run.history["val_largest_error"].to_list()
    assert run.best["val_largest_error"] == min(errors)  # an error is better when lower


def test_the_direction_of_a_metric_can_be_said() -> None:
    def surprise(outputs: Tensor, targets: Tensor) -> float:
        return float((outputs - targets).abs().mean())

    surprise.higher_is_better = False  # type: ignore[attr-defined]
    run = fit(NUMBERS, 1, nn.MSELoss(), metrics={"surprise": surprise}, monitor="surprise")
    assert run.best["val_surprise"] == run.history["val_surprise"].min()


def test_a_monitored_metric_is_computed_without_being_asked() -> None:
    run = fit(NUMBERS, 1, nn.MSELoss(), monitor="r2")
    assert run.best["val_r2"] == run.history["val_r2"].max()


@pytest.mark.parametrize(
    ("targets", "outputs", "loss", "kind", "key"),
    [
        (CLASSES, 3, nn.CrossEntropyLoss(), "multiclass", "accuracy"),
        (CLASSES % 2, 2, nn.CrossEntropyLoss(), "binary", "roc_auc"),
        (LABELS[:, :1], 1, nn.BCEWithLogitsLoss(), "binary", "roc_auc"),
        (LABELS, 2, nn.BCEWithLogitsLoss(), "multilabel", "f1_macro"),
        (NUMBERS, 1, nn.MSELoss(), "regression", "r2"),
        (X[:, :2], 2, nn.L1Loss(), "regression", "mae"),
    ],
)
def test_the_task_and_its_metrics_follow_from_the_loss(
    targets: Tensor, outputs: int, loss: nn.Module, kind: str, key: str
) -> None:
    run = fit(targets, outputs, loss)
    evaluation = ts.evaluate(run, "val")
    assert evaluation.task["kind"] == kind
    assert evaluation.rows == 50
    interval = evaluation.metrics[key]
    assert interval["low"] <= interval["value"] <= interval["high"]


def test_ignored_targets_are_not_measured() -> None:
    targets = torch.where(torch.arange(200) % 5 == 0, -100, CLASSES)
    run = fit(targets, 3, nn.CrossEntropyLoss())
    assert ts.evaluate(run, "val").rows == 40


def test_segmentation_has_a_loss_and_no_metric() -> None:
    pictures, masks = torch.randn(40, 1, 8, 8), torch.randint(0, 3, (40, 8, 8))
    net = nn.Conv2d(1, 3, 3, padding=1)
    asked = {"loss": nn.CrossEntropyLoss(), "optimizer": torch.optim.Adam, "epochs": 1, "quiet": True}
    run = ts.fit(net, (pictures, masks), (pictures, masks), **asked)
    assert run.history["val_loss"].is_not_nan().all()
    assert "val_accuracy" not in run.history.columns
    with pytest.raises(ts.ConfigError, match="not known"):
        ts.evaluate(run, "val")
