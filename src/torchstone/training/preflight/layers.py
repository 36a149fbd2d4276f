"""Which layer refuses its input, and what it expected."""

from __future__ import annotations

import traceback
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from torchstone.finding import Finding
from torchstone.training.preflight.findings import described, mistake


def explain_refusal(module: nn.Module, inputs: Any, error: Exception) -> Finding:
    """The finding for an error that a module's forward raised.

    The forward is run once more with hooks that note the path; they are removed again.

    Args:
        module: the network.
        inputs: what it was called with.
        error: what it raised.
    """
    path, layer, given = _where(module, inputs)
    name = f"{path} ({type(layer).__name__})" if path else type(layer).__name__
    first = next((item for item in given if isinstance(item, Tensor)), None)
    expected = None if first is None else _expected(layer, first)
    seen = described(given[0] if len(given) == 1 else list(given))
    if expected is not None:
        wanted, fix = expected
        return mistake(
            "TS316",
            f"{name} expects {wanted}, but gets {seen}.",
            fix,
            module=path,
            expected=wanted,
            seen=seen,
        )
    place = _own_line(error)
    return mistake(
        "TS000",
        f"{name} refuses its input {seen}: {type(error).__name__}: {error}{place}",
        f"Call the module with one batch of inputs ({described(inputs)}) and mend what it raises.",
        module=path,
        seen=seen,
    )


def _where(module: nn.Module, inputs: Any) -> tuple[str, nn.Module, tuple[Any, ...]]:
    """The deepest module that was at work when the error was raised, its path and its inputs."""
    names = {id(part): name for name, part in module.named_modules()}
    running: list[tuple[nn.Module, tuple[Any, ...]]] = []
    failed: list[tuple[nn.Module, tuple[Any, ...]]] = []

    def enter(part: nn.Module, args: tuple[Any, ...]) -> None:
        running.append((part, args))

    def leave(part: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        running.pop()

    handles = [part.register_forward_pre_hook(enter) for part in module.modules()]
    handles += [part.register_forward_hook(leave) for part in module.modules()]
    try:
        with torch.no_grad():
            module(inputs)
    except Exception:  # the same error again, this time with the path
        failed = list(running)
    finally:
        for handle in handles:
            handle.remove()
    part, args = failed[-1] if failed else (module, (inputs,))
    return names.get(id(part), ""), part, args


def _expected(layer: nn.Module, value: Tensor) -> tuple[str, str] | None:
    """What a layer of torch expects and how to give it, where `value` is not that; else None."""
    weight = getattr(layer, "weight", None)
    if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        return _expected_by_embedding(layer, value)
    if isinstance(layer, nn.Linear):
        if value.shape[-1:] != (layer.in_features,):
            last = value.shape[-1] if value.ndim else "none"
            flat = value[0].numel() if value.ndim > 1 else 0
            more = " Put nn.Flatten() in front of it." if flat == layer.in_features else ""
            return (
                f"{layer.in_features} numbers in the last axis (in_features={layer.in_features})",
                f"Give it in_features={last}, or inputs with {layer.in_features} numbers.{more}",
            )
    elif isinstance(layer, _ConvNd):
        axes = len(layer.kernel_size)
        if value.ndim not in (axes + 1, axes + 2):
            return (
                f"{axes + 2} axes: batch, channels and {axes} more",
                "Add the missing axis (unsqueeze(1) makes one channel), or flatten less before it.",
            )
        if value.shape[-axes - 1] != layer.in_channels:
            seen = value.shape[-axes - 1]
            return (
                f"{layer.in_channels} channels (in_channels={layer.in_channels})",
                f"Give it in_channels={seen}, or move the channels to the second axis.",
            )
    elif isinstance(layer, nn.modules.batchnorm._BatchNorm):
        if value.ndim > 1 and value.shape[1] != layer.num_features:
            return (
                f"{layer.num_features} features in the second axis",
                f"Give it num_features={value.shape[1]}.",
            )
    elif isinstance(layer, nn.LayerNorm):
        wanted = tuple(layer.normalized_shape)
        if tuple(value.shape[-len(wanted) :]) != wanted:
            return f"last axes of shape {wanted}", f"Give it normalized_shape={tuple(value.shape[1:])}."
    elif isinstance(layer, nn.RNNBase) and value.shape[-1] != layer.input_size:
        return (
            f"{layer.input_size} numbers in the last axis (input_size={layer.input_size})",
            f"Give it input_size={value.shape[-1]}.",
        )
    if isinstance(weight, Tensor) and weight.dtype != value.dtype:
        dtype = str(weight.dtype).removeprefix("torch.")
        return f"{dtype} inputs, as its weights are", f"Convert the inputs: X.to(torch.{dtype})."
    if isinstance(weight, Tensor) and weight.device != value.device:
        return f"inputs on {weight.device}", "Move inputs and module to the same device."
    return None


def _expected_by_embedding(layer: nn.Embedding | nn.EmbeddingBag, value: Tensor) -> tuple[str, str] | None:
    if value.is_floating_point():
        return "whole numbers (int64), places in its table", "Give indices as integers: X.long()."
    if value.numel() and not 0 <= int(value.min()) <= int(value.max()) < layer.num_embeddings:
        return (
            f"indices from 0 to {layer.num_embeddings - 1}, not {int(value.min())} to {int(value.max())}",
            f"Give it num_embeddings={int(value.max()) + 1}, or map the indices to 0 ... n - 1.",
        )
    return None


def _own_line(error: Exception) -> str:
    """The line of the user's own code where an error was raised, below the message."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "/torch/" not in frame.filename and "/torchstone/" not in frame.filename
    ]
    return f"\n  at {frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line}" if frames else ""
