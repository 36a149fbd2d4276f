"""Losses by name for a task, and the shape of targets that each wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torchstone.errors import ConfigError, did_you_mean
from torchstone.task import OutputKind, Task, TaskKind
from torchstone.training.named import BAD_VALUE, argument_names, check_arguments, refused

_FITTING: dict[TaskKind, dict[str, OutputKind]] = {
    "binary": {
        "CrossEntropyLoss": "logits",
        "NLLLoss": "log_probabilities",
        "MultiMarginLoss": "logits",
        "BCEWithLogitsLoss": "logits",
        "BCELoss": "probabilities",
    },
    "multiclass": {
        "CrossEntropyLoss": "logits",
        "NLLLoss": "log_probabilities",
        "MultiMarginLoss": "logits",
    },
    "multilabel": {
        "BCEWithLogitsLoss": "logits",
        "BCELoss": "probabilities",
        "MultiLabelSoftMarginLoss": "logits",
    },
    "regression": {"MSELoss": "values", "L1Loss": "values", "SmoothL1Loss": "values", "HuberLoss": "values"},
}
"""The losses of torch.nn that fit each task, the default first, and what they take a model's outputs for."""

_ONE_OUTPUT = (nn.BCEWithLogitsLoss, nn.BCELoss)
"""With these a binary model has one output, about the positive class."""


def build_loss(
    name: str | None,
    task: Task,
    *,
    arguments: Mapping[str, Any] | None = None,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> nn.Module:
    """A loss that fits the task.

    Args:
        name: a class of torch.nn, in any case; None: cross-entropy for classes, binary cross-entropy for
            labels, squared error for numbers.
        task: what is learned.
        arguments: further arguments of the class.
        class_weights: float `(classes,)`; for labels `(L,)`, the weight of each label's yes.
        label_smoothing: share of the target spread over all classes (Szegedy et al. 2016).

    Raises:
        ConfigError: the loss is unknown, does not fit, has no such argument or refuses a value.
    """
    fitting = _FITTING[task.kind]
    lower = {known.lower(): known for known in fitting}
    found = next(iter(fitting)) if name is None else lower.get(str(name).lower())
    if found is None:
        raise ConfigError(
            f'loss: "{name}" is no loss for a {task.kind} task. {did_you_mean(str(name), fitting)}'.strip(),
            hint=f"Losses for it: {', '.join(fitting)}.",
        )
    kind = getattr(nn, found)
    known = argument_names(kind, without=("size_average", "reduce", "reduction"))
    keywords = check_arguments("loss_arguments", kind, arguments or {}, known)
    if label_smoothing:
        if "label_smoothing" not in known:
            raise ConfigError(
                f"label_smoothing: {found} has none.", hint="Use CrossEntropyLoss, or set it to 0."
            )
        keywords["label_smoothing"] = label_smoothing
    if class_weights is not None:
        keywords.update(_weight_argument(kind, task, known, class_weights))
    for key in ("weight", "pos_weight"):
        if isinstance(keywords.get(key), list | tuple):
            keywords[key] = torch.tensor(keywords[key], dtype=torch.float32)
    try:
        loss: nn.Module = kind(**keywords)
    except BAD_VALUE as error:
        raise refused("loss", kind, keywords, error) from error
    return loss


def _weight_argument(kind: Any, task: Task, known: list[str], weights: Tensor) -> dict[str, Tensor]:
    weights = weights.float()
    if task.kind == "multilabel" and "pos_weight" in known:
        return {"pos_weight": weights}
    if issubclass(kind, nn.BCEWithLogitsLoss):
        return {"pos_weight": (weights[1] / weights[0]).reshape(1)}
    if "weight" in known and not issubclass(kind, nn.BCELoss):
        return {"weight": weights}
    raise ConfigError(
        f"class_weights: {kind.__name__} takes none for a {task.kind} task.", hint="Set them to none."
    )


def balanced_weights(values: np.ndarray, task: Task) -> Tensor | None:
    """Weights that give every class the same say: samples / (classes * samples of the class).

    Args:
        values: the training targets: int64 `(N,)` class indices, or float `(N, L)` labels.
        task: what is learned.

    Returns:
        float32 `(classes,)`, 1 for a class without samples; for labels `(L,)`: no's per yes; None for
        regression.
    """
    if task.kind == "regression":
        return None
    if task.kind == "multilabel":
        yes = np.clip(values.sum(axis=0), 1, None)
        return torch.tensor((len(values) - yes) / yes, dtype=torch.float32).clamp(min=1e-3)
    counts = np.bincount(values.astype(np.int64), minlength=len(task.classes))
    weights = np.where(counts > 0, len(values) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 1.0)
    return torch.tensor(weights, dtype=torch.float32)


def outputs_for(task: Task, loss: nn.Module) -> int:
    """How many numbers a model must give for a sample."""
    return 1 if task.kind == "binary" and isinstance(loss, _ONE_OUTPUT) else task.outputs


def output_kind(loss: nn.Module, task: Task) -> OutputKind:
    """What the model's outputs are when it is trained with this loss."""
    default: OutputKind = "values" if task.kind == "regression" else "logits"
    return _FITTING[task.kind].get(type(loss).__name__, default)


def shape_targets(values: np.ndarray, task: Task, loss: nn.Module) -> Tensor:
    """Targets as the loss wants them.

    Args:
        values: int64 `(N,)` class indices, float `(N, L)` labels or float `(N, T)` numbers.
        task: what is learned.
        loss: from `build_loss`.

    Returns:
        int64 `(N,)` for classes; float32 `(N, 1)` for one binary output, `(N, L)` for labels, `(N, T)` for
        numbers.
    """
    if task.is_classification:
        classes = torch.tensor(values, dtype=torch.int64)
        return classes.float().unsqueeze(1) if outputs_for(task, loss) == 1 else classes
    return torch.tensor(values, dtype=torch.float32).reshape(len(values), -1)
