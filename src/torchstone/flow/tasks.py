"""What a loss says about the task of a user's own module: which metrics it has, and how to measure it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchstone import metrics as known_metrics
from torchstone.data.batches import Batches
from torchstone.errors import ConfigError, did_you_mean
from torchstone.evaluation.evaluate import Evaluation, measure
from torchstone.flow.given import one_number
from torchstone.inference import evaluating, probabilities
from torchstone.metrics import ScoredRows
from torchstone.task import OutputKind, Task, TaskKind

Kind = Literal["classes", "labels", "numbers"]

_KINDS: dict[Any, tuple[Kind, OutputKind]] = {
    nn.CrossEntropyLoss: ("classes", "logits"),
    F.cross_entropy: ("classes", "logits"),
    nn.MultiMarginLoss: ("classes", "logits"),
    nn.NLLLoss: ("classes", "log_probabilities"),
    F.nll_loss: ("classes", "log_probabilities"),
    nn.BCEWithLogitsLoss: ("labels", "logits"),
    F.binary_cross_entropy_with_logits: ("labels", "logits"),
    nn.MultiLabelSoftMarginLoss: ("labels", "logits"),
    nn.BCELoss: ("labels", "probabilities"),
    F.binary_cross_entropy: ("labels", "probabilities"),
    nn.MSELoss: ("numbers", "values"),
    F.mse_loss: ("numbers", "values"),
    nn.L1Loss: ("numbers", "values"),
    F.l1_loss: ("numbers", "values"),
    nn.SmoothL1Loss: ("numbers", "values"),
    F.smooth_l1_loss: ("numbers", "values"),
    nn.HuberLoss: ("numbers", "values"),
    F.huber_loss: ("numbers", "values"),
}
_TASKS: dict[Kind, tuple[TaskKind, ...]] = {
    "classes": ("binary", "multiclass"),
    "labels": ("binary", "multilabel"),
    "numbers": ("regression",),
}
_LOWER_IS_BETTER = ("loss", "error", "mse", "rmse", "mae", "distance", "perplexity")

MetricFunction = Callable[[Tensor, Tensor], dict[str, float]]


@dataclass(frozen=True)
class Meaning:
    """What the targets and outputs of a user's own module are.

    Args:
        targets: `classes` (one of several), `labels` (each yes or no) or `numbers`.
        outputs: logits, log probabilities, probabilities or values.
        ignore_index: the class of targets that do not count.
    """

    targets: Kind
    outputs: OutputKind
    ignore_index: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The meaning as JSON values, for a run's manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any] | None) -> Meaning | None:
        """The inverse of `to_json`; None for None."""
        return None if values is None else cls(**values)


def meaning_of(loss: Any) -> Meaning | None:
    """What targets and outputs are, as the loss tells; None for a loss that is not of torch."""
    keywords: dict[str, Any] = {}
    while isinstance(loss, functools.partial):
        keywords = {**loss.keywords, **keywords}
        loss = loss.func
    found = _KINDS.get(type(loss) if isinstance(loss, nn.Module) else loss)
    if found is None:
        return None
    ignored = getattr(loss, "ignore_index", keywords.get("ignore_index", -100))
    return Meaning(*found, ignore_index=int(ignored) if found[0] == "classes" else None)


def task_of(meaning: Meaning | None, outputs: Any, targets: Any) -> Task | None:
    """The task that outputs and targets belong to; None where it is none of ours (segmentation, own losses).

    Args:
        meaning: what they are.
        outputs: `(N, ...)`.
        targets: `(N, ...)`.
    """
    if meaning is None or not isinstance(outputs, Tensor) or not isinstance(targets, Tensor):
        return None
    kind = meaning.targets
    width = outputs.shape[1] if outputs.ndim == 2 else 1
    if outputs.ndim not in (1, 2) or targets.ndim > 2:
        return None
    if kind == "numbers":
        return Task("regression", tuple(f"target_{i}" for i in range(width)) if width > 1 else ("target",))
    if kind == "labels" and width > 1:
        return Task("multilabel", tuple(f"label_{i}" for i in range(width)), tuple(map(str, range(width))))
    if kind == "labels":
        return Task("binary", ("target",), ("0", "1"))
    if outputs.ndim != 2 or targets.ndim != 1 or targets.is_floating_point():
        return None
    return Task("binary" if width == 2 else "multiclass", ("target",), tuple(map(str, range(width))))


def epoch_metrics(
    asked: Mapping[str, Callable[..., Any]] | Iterable[str] | None, meaning: Meaning | None, monitor: str
) -> tuple[MetricFunction | None, dict[str, bool]]:
    """The metrics of a run of `fit`.

    Args:
        asked: names of metrics, or functions of all validation outputs and targets by name; None: accuracy
            where the loss is one of classes.
        meaning: what outputs and targets are; None where the loss does not tell.
        monitor: what decides which epoch is best; a metric of the task is computed when it is monitored.

    Returns:
        A function of all outputs and targets, and for each key that can be monitored whether higher is
        better. A function of the user's is better when higher, unless it has an attribute
        `higher_is_better` or its name says loss, error, mse, rmse, mae, distance or perplexity.

    Raises:
        ConfigError: a name that is not known, or names for a loss that does not say what the outputs are.
    """
    own = dict(asked) if isinstance(asked, Mapping) else {}
    names = [] if isinstance(asked, Mapping) else [asked] if isinstance(asked, str) else list(asked or [])
    if asked is None and meaning is not None and meaning.targets == "classes":
        names = ["accuracy"]
    known = {} if meaning is None else _known(meaning.targets)
    _check_names(names, known, meaning is not None)
    if monitor.removeprefix("val_") in known and monitor.removeprefix("val_") not in (*names, *own):
        names.append(monitor.removeprefix("val_"))
    directions = {**known, **{name: _direction(name, function) for name, function in own.items()}}
    if not names and not own:
        return None, directions

    def compute(outputs: Tensor, targets: Tensor) -> dict[str, float]:
        values = _named(names, meaning, outputs, targets)
        return values | {name: one_number(name, function(outputs, targets)) for name, function in own.items()}

    return compute, directions


def measure_module(
    module: nn.Module, batches: Batches, meaning: Meaning | None, split: str, *, device: torch.device
) -> Evaluation | None:
    """All metrics of a module's task, with intervals.

    Args:
        module: the user's.
        batches: the samples to measure on.
        meaning: what outputs and targets are.
        split: how these samples are called.
        device: where to compute.

    Returns:
        The evaluation; None where outputs and targets are those of no task that has metrics.
    """
    if meaning is None:
        return None
    outputs, targets = [], []
    with evaluating(module, device) as place:
        for batch in batches.to(place).epoch(0):
            result = module(batch.inputs)
            if not isinstance(result, Tensor) or not isinstance(batch.targets, Tensor):
                return None
            outputs.append(result.cpu())
            targets.append(batch.targets.cpu())
    all_outputs, all_targets = torch.cat(outputs), torch.cat(targets)
    task = task_of(meaning, all_outputs, all_targets)
    if task is None:
        return None
    kept = _kept(meaning, all_targets)
    return measure(task, _scored(task, meaning, all_outputs[kept], all_targets[kept]), split)


def _known(kind: Kind) -> dict[str, bool]:
    """The metrics that tasks of a kind have, and whether higher is better."""
    return {
        key: metric.higher_is_better
        for key, metric in known_metrics.METRICS.items()
        if set(metric.tasks) & set(_TASKS[kind])
    }


def _check_names(names: list[str], known: Mapping[str, bool], has_kind: bool) -> None:
    if names and not has_kind:
        raise ConfigError(
            f"metrics: {', '.join(names)} cannot be computed, as the loss does not say what the outputs are.",
            hint="Give functions: metrics={'name': lambda outputs, targets: ...}.",
        )
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(
            f'metrics: there is no "{unknown[0]}" for this loss. {did_you_mean(unknown[0], known)}'.strip(),
            hint=f"Known: {', '.join(known)}. Functions of your own go in a dictionary by name.",
        )


def _direction(name: str, function: Any) -> bool:
    given = getattr(function, "higher_is_better", None)
    return bool(given) if given is not None else not any(word in name.lower() for word in _LOWER_IS_BETTER)


def _named(names: list[str], meaning: Meaning | None, outputs: Any, targets: Any) -> dict[str, float]:
    """Metrics by name; none where outputs and targets are not those of a task."""
    task = task_of(meaning, outputs, targets) if names else None
    if task is None or meaning is None:
        return {}
    kept = _kept(meaning, targets)
    scored = _scored(task, meaning, outputs[kept], targets[kept])
    keys = [name for name in names if name in known_metrics.known(task)]
    values = known_metrics.compute_draws(scored, np.ones((1, len(scored))), keys)
    return {key: float(value[0]) for key, value in values.items()}


def _kept(meaning: Meaning, targets: Tensor) -> Tensor:
    """Which targets count; those of a loss's `ignore_index` do not."""
    if meaning.ignore_index is None or targets.is_floating_point():
        return torch.ones(len(targets), dtype=torch.bool)
    return targets.reshape(len(targets), -1).ne(meaning.ignore_index).all(dim=1)


def _scored(task: Task, meaning: Meaning, outputs: Tensor, targets: Tensor) -> ScoredRows:
    if task.kind == "regression":
        values = outputs.double().reshape(len(outputs), -1).numpy()
        return ScoredRows(task, targets.double().reshape(len(targets), -1).numpy(), values)
    scores = probabilities(outputs, task, meaning.outputs).double().numpy()
    wanted = targets.long().reshape(len(targets)) if task.is_classification else targets
    return ScoredRows(task, wanted.numpy(), scores)
