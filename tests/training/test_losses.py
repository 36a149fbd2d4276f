from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from torchstone.errors import ConfigError
from torchstone.task import Task
from torchstone.training.losses import balanced_weights, build_loss, output_kind, outputs_for, shape_targets

BINARY = Task("binary", ("y",), ("no", "yes"))
THREE = Task("multiclass", ("y",), ("a", "b", "c"))
LABELS = Task("multilabel", ("a", "b"), ("a", "b"))
NUMBERS = Task("regression", ("u", "v"))


@pytest.mark.parametrize(
    ("task", "name", "outputs", "kind"),
    [
        (BINARY, None, 2, "logits"),
        (BINARY, "bcewithlogitsloss", 1, "logits"),
        (BINARY, "BCELoss", 1, "probabilities"),
        (THREE, None, 3, "logits"),
        (THREE, "NLLLoss", 3, "log_probabilities"),
        (THREE, "MultiMarginLoss", 3, "logits"),
        (LABELS, None, 2, "logits"),
        (NUMBERS, None, 2, "values"),
        (NUMBERS, "huberloss", 2, "values"),
    ],
)
def test_a_loss_takes_the_targets_and_outputs_that_are_made_for_it(
    task: Task, name: str | None, outputs: int, kind: str
) -> None:
    loss = build_loss(name, task)
    values = {
        "multilabel": np.array([[0, 1], [1, 1], [0, 0]], dtype=np.float32),
        "regression": np.array([[0.5, 1], [1, 2], [3, 4]]),
    }.get(task.kind, np.array([0, 1, 1]))
    targets = shape_targets(values, task, loss)
    assert outputs_for(task, loss) == outputs
    assert output_kind(loss, task) == kind
    given = torch.rand(3, outputs).log_softmax(1) if kind == "log_probabilities" else torch.rand(3, outputs)
    assert loss(given, targets).isfinite()


def test_targets_have_the_type_that_the_loss_wants() -> None:
    assert shape_targets(np.array([0, 2]), THREE, nn.CrossEntropyLoss()).dtype is torch.int64
    one = shape_targets(np.array([0, 1]), BINARY, nn.BCEWithLogitsLoss())
    assert (one.dtype, tuple(one.shape)) == (torch.float32, (2, 1))
    assert tuple(shape_targets(np.array([1.0, 2.0]), NUMBERS, nn.MSELoss()).shape) == (2, 1)


def test_class_weights_and_label_smoothing_are_torchs_own() -> None:
    weights = torch.tensor([1.0, 2.0, 3.0])
    loss = build_loss(None, THREE, class_weights=weights, label_smoothing=0.1)
    outputs, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 2, 1])
    expected = nn.CrossEntropyLoss(weight=weights, label_smoothing=0.1)(outputs, targets)
    assert loss(outputs, targets) == expected
    one = build_loss("BCEWithLogitsLoss", BINARY, class_weights=torch.tensor([0.5, 2.0]))
    assert one.pos_weight.tolist() == [4.0]
    assert build_loss(None, LABELS, class_weights=torch.tensor([3.0, 1.0])).pos_weight.tolist() == [3.0, 1.0]


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    values = np.array([0] * 7 + [1] * 2 + [2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=values)
    assert balanced_weights(values, THREE).numpy() == pytest.approx(expected)
    assert balanced_weights(np.array([0, 0, 1]), THREE).tolist() == [0.75, 1.5, 1.0]
    assert balanced_weights(np.array([[1, 0], [0, 0], [0, 1.0]]), LABELS).tolist() == [2.0, 2.0]
    assert balanced_weights(np.array([[1.0]]), NUMBERS) is None


@pytest.mark.parametrize(
    ("name", "keywords", "expected"),
    [
        ("CrossEntropy", {}, 'Did you mean "CrossEntropyLoss"'),
        ("MSELoss", {}, "no loss for a multiclass"),
        (None, {"arguments": {"ignore_idx": 3}}, 'Did you mean "ignore_index"'),
        ("MultiMarginLoss", {"arguments": {"p": 7}}, "is not possible"),
        ("NLLLoss", {"label_smoothing": 0.1}, "label_smoothing"),
    ],
)
def test_what_cannot_be_is_a_config_error(name: str | None, keywords: dict, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        build_loss(name, THREE, **keywords)


def test_arguments_reach_the_loss() -> None:
    assert build_loss("HuberLoss", NUMBERS, arguments={"delta": 2.0}).delta == 2.0
    assert build_loss(None, THREE, arguments={"weight": [1, 2, 3]}).weight.tolist() == [1, 2, 3]
