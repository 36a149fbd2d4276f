"""From a model's raw outputs to probabilities and predictions, and outputs for many batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from torchstone.task import OutputKind, Task


def probabilities(outputs: Tensor, task: Task, output_kind: OutputKind) -> Tensor:
    """What a model's outputs say about classes, as probabilities.

    Args:
        outputs: `(N, classes)`; binary also `(N,)` or `(N, 1)`, about the positive class; `(N, L)` for
            multilabel.
        task: binary, multiclass or multilabel.
        output_kind: what the outputs are: logits, log probabilities or probabilities.

    Returns:
        `(N, classes)` for classification (two columns for binary), `(N, L)` for multilabel; at least float32.

    Raises:
        ValueError: the task is regression, or the outputs have another shape.
    """
    if task.kind == "regression" or output_kind == "values":
        raise ValueError(f"a {task.kind} model whose outputs are {output_kind} has no probabilities")
    outputs = _at_least_float32(outputs)
    single = task.kind == "binary" and (outputs.ndim == 1 or outputs.shape[1:] == (1,))
    expected = (len(outputs), len(task.classes))
    if not single and tuple(outputs.shape) != expected:
        raise ValueError(
            f"outputs for {len(task.classes)} classes: expected {expected}, got {tuple(outputs.shape)}"
        )
    if single:
        return _two_columns(outputs.reshape(-1), output_kind)
    if output_kind == "probabilities":
        return outputs
    if output_kind == "log_probabilities":
        return outputs.exp()
    return outputs.sigmoid() if task.kind == "multilabel" else outputs.softmax(dim=1)


def _two_columns(positive: Tensor, output_kind: OutputKind) -> Tensor:
    """Outputs about the positive class `(N,)` as probabilities of both classes `(N, 2)`."""
    if output_kind == "logits":
        return torch.stack([(-positive).sigmoid(), positive.sigmoid()], dim=1)
    if output_kind == "log_probabilities":
        positive = positive.exp()
    return torch.stack([1 - positive, positive], dim=1)


def predictions(outputs: Tensor, task: Task, output_kind: OutputKind, threshold: float = 0.5) -> Tensor:
    """What a model predicts.

    Args:
        outputs: as for `probabilities`; for regression `(N,)` or `(N, targets)`.
        task: what was to be learned.
        output_kind: what the outputs are.
        threshold: binary and multilabel: yes when the probability is above this.

    Returns:
        int64 class indices `(N,)`; int64 0/1 labels `(N, L)` for multilabel; the values `(N, targets)` for
        regression.
    """
    if task.kind == "regression":
        return _at_least_float32(outputs).reshape(len(outputs), -1)
    probability = probabilities(outputs, task, output_kind)
    if task.kind == "multilabel":
        return (probability > threshold).long()
    if task.kind == "binary":
        return (probability[:, 1] > threshold).long()
    return probability.argmax(dim=1)


def predict_outputs(
    module: nn.Module,
    batches: Iterable[Any],
    device: torch.device | str | None = None,
    *,
    samples: int | None = None,
) -> Tensor:
    """A model's raw outputs for all batches, in their order.

    Args:
        module: called with each batch's inputs, in evaluation mode and without gradients; its modes and its
            device are afterwards as before.
        batches: the inputs of each batch, or objects that have them as `inputs`; sizes may differ.
        device: where to compute. Default: where the module is.
        samples: how many samples there are, so that the result is allocated once. Default: found at the end.

    Returns:
        The outputs `(samples, ...)` on the CPU; `(0,)` when there is no batch.

    Raises:
        ValueError: the batches have another number of samples than `samples`.
    """
    results: list[Tensor] = []
    whole: Tensor | None = None
    done = 0
    with evaluating(module, device) as place:
        for batch in batches:
            output = module(to_device(getattr(batch, "inputs", batch), place))
            if samples is None:
                results.append(output.cpu())
                continue
            if whole is None:
                whole = torch.empty((samples, *output.shape[1:]), dtype=output.dtype)
            if done + len(output) > samples:
                raise ValueError(f"expected outputs of {samples} samples, got more")
            whole[done : done + len(output)] = output
            done += len(output)
    if samples is None:
        return torch.cat(results) if results else torch.empty(0)
    if done != samples:
        raise ValueError(f"expected outputs of {samples} samples, got {done}")
    return torch.empty(0) if whole is None else whole


@contextmanager
def evaluating(module: nn.Module, device: torch.device | str | None = None) -> Iterator[torch.device]:
    """Puts a module in evaluation mode on a device, without gradients; restores mode and device of all parts.

    Args:
        module: the model; parts that were in evaluation mode on their own stay so afterwards.
        device: where it is moved. Default: where its first parameter is, the CPU when it has none.

    Yields:
        The device that inputs belong on.
    """
    tensor = next(module.parameters(), next(module.buffers(), None))
    before = torch.device("cpu") if tensor is None else tensor.device
    place = before if device is None else torch.device(device)
    modes = [(part, part.training) for part in module.modules()]
    try:
        if place != before:
            module.to(place)
        module.eval()
        with torch.no_grad():
            yield place
    finally:
        for part, mode in modes:
            part.training = mode
        if place != before:
            module.to(before)


def to_device(inputs: Any, device: torch.device) -> Any:
    """Tensors, also inside lists, tuples and mappings, on a device; anything else as it is."""
    if isinstance(inputs, Tensor):
        return inputs.to(device, non_blocking=True)
    if isinstance(inputs, Mapping):
        return {key: to_device(value, device) for key, value in inputs.items()}
    if isinstance(inputs, tuple) and hasattr(inputs, "_fields"):
        return type(inputs)(*(to_device(value, device) for value in inputs))
    if isinstance(inputs, list | tuple):
        return type(inputs)(to_device(value, device) for value in inputs)
    return inputs


def _at_least_float32(outputs: Tensor) -> Tensor:
    return outputs.float() if outputs.dtype in (torch.float16, torch.bfloat16) else outputs
