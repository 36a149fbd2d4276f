"""A module or a loss that fails on a batch: torch's words turned into what does not fit where."""

from __future__ import annotations

import math
import re
from typing import Any

from torch import Tensor, nn

from torchstone.finding import Finding
from torchstone.training.preflight.mistake import dtype, mistake, shape
from torchstone.training.preflight.route import Route
from torchstone.training.preflight.untouched import all_tensors, copied

_REFUSALS = (RuntimeError, ValueError, IndexError, AssertionError, NotImplementedError)
_ONE_SAMPLE = re.compile(r"more than 1 value per channel")
_DEVICE = re.compile(
    r"same device|expected device|Input type \(torch\.cuda|weight type \(torch\.cuda|is on cpu"
)
_DTYPE = re.compile(
    r"same dtype|should be the same|scalar type|share same datatype|not implemented for '|does not "
    r"match weight"
    r" dtype|Found dtype|target dtype|can't be cast|with two bool tensors|floating point type for target"
)
_SHAPE = re.compile(
    r"shape|size|dimension|channels|elements not|D input|must match|must be equal|out of range|D target"
)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)


def explained(error: Exception, module: nn.Module, inputs: Any) -> list[Finding]:
    """Why a forward pass failed; runs it again to see where. Nothing for an error of the user's own code.

    Args:
        error: what the first run raised.
        module: the module, in the mode in which it failed.
        inputs: what it was given.
    """
    kind = _kind(error)
    if kind is None:
        return []
    with Route(module) as route:
        try:
            module(copied(inputs))
        except Exception as again:
            error, kind = again, _kind(again)
        else:
            return []
    if kind is None:
        return []
    part, arguments = route.stack[-1] if route.stack else (module, (inputs,))
    tensors = all_tensors(arguments)
    return [_refused(kind, error, route, part, tensors)]


def explained_loss(error: Exception, name: str, outputs: Any, targets: Any) -> list[Finding]:
    """Why a loss failed on outputs and targets. Nothing for an error of the user's own code."""
    kind = _kind(error)
    if kind is None or not (isinstance(outputs, Tensor) and isinstance(targets, Tensor)):
        return []
    code = {"shape": "TS316", "dtype": "TS307", "device": "TS708", "one": "TS414"}[kind]
    seen = (
        f"outputs {outputs.device}, targets {targets.device}"
        if kind == "device"
        else f"outputs {shape(outputs)} {dtype(outputs)}, targets {shape(targets)} {dtype(targets)}"
    )
    return [
        mistake(
            code,
            f"{name} refuses what it gets: {seen}.",
            f"torch says: {_words(error)}",
            "Give outputs and targets the shapes and dtypes that the loss's documentation asks for.",
            outputs=list(outputs.shape),
            targets=list(targets.shape),
        )
    ]


def _kind(error: Exception) -> str | None:
    """What does not fit; None when the error says something else."""
    if not isinstance(error, _REFUSALS):
        return None
    text = str(error)
    for kind, pattern in (("one", _ONE_SAMPLE), ("device", _DEVICE), ("dtype", _DTYPE), ("shape", _SHAPE)):
        if pattern.search(text):
            return kind
    return None


def _refused(kind: str, error: Exception, route: Route, part: nn.Module, inputs: list[Tensor]) -> Finding:
    path, words = route.path(part), f"torch says: {_words(error)}"
    first = inputs[0] if inputs else None
    if kind == "one":
        return mistake(
            "TS414",
            f"{path} needs more than one value per channel, and got an input of shape {shape(first)}.",
            "Batch normalisation has no variance to divide by in a batch of one sample.",
            "Use a larger batch size; a last batch of one is left out by DataLoader(drop_last=True).",
        )
    weight = _weight(part)
    if kind == "device":
        places = ", ".join(sorted({str(tensor.device) for tensor in inputs}))
        return mistake(
            "TS708",
            f"{path} is on {weight.device} and its input on {places}."
            if weight is not None and str(weight.device) != places
            else f"{path} got tensors on different devices.",
            words,
            "Register tensors that the module makes itself with register_buffer, so that they move with it.",
        )
    if kind == "dtype":
        return _wrong_dtype(path, part, weight, first, words)
    way = route.way()
    return mistake(
        "TS316",
        f"{path} has a weight of shape {shape(weight)} and got an input of shape {shape(first)}."
        if weight is not None
        else f"{path} fails on an input of shape {shape(first)}.",
        f"{words}\nOn the way: {way}." if way else words,
        _shape_fix(part, first),
        path=path,
        weight=None if weight is None else list(weight.shape),
        input=None if first is None else list(first.shape),
    )


def _wrong_dtype(
    path: str, part: nn.Module, weight: Tensor | None, first: Tensor | None, words: str
) -> Finding:
    seen = "none" if first is None else dtype(first)
    if isinstance(part, nn.Embedding | nn.EmbeddingBag):
        expected, fix = "int64", "Give it indices: inputs.long()."
    else:
        expected = "float32" if weight is None else dtype(weight)
        call = {"float32": "inputs.float()", "float64": "inputs.double()"}.get(
            expected, f"inputs.to(torch.{expected})"
        )
        fix = f"Convert the inputs: {call}."
    return mistake(
        "TS317",
        f"{path} wants inputs of dtype {expected} and got {seen}.",
        words,
        fix,
        expected=expected,
        seen=seen,
    )


def _shape_fix(part: nn.Module, first: Tensor | None) -> str:
    """What to change, in the words of the layer."""
    sizes = () if first is None else tuple(first.shape)
    if isinstance(part, nn.Linear) and sizes:
        if len(sizes) > 2 and math.prod(sizes[1:]) == part.in_features:
            return "Flatten the samples first: put nn.Flatten() before it."
        return f"Make it nn.Linear({sizes[-1]}, {part.out_features}), or change what comes before it."
    if isinstance(part, _CONVOLUTIONS):
        axes, wanted = len(part.kernel_size), part.in_channels
        if len(sizes) == axes + 1 and wanted == 1:
            return "Give the samples a channel dimension: inputs.unsqueeze(1)."
        if len(sizes) == axes + 2 and sizes[1] != wanted and sizes[-1] == wanted:
            return "The channels come last here and must come second: inputs.movedim(-1, 1)."
        if len(sizes) == axes + 2 and sizes[1] != wanted:
            kind, kernel = type(part).__name__, part.kernel_size[0]
            return (
                f"Make it nn.{kind}({sizes[1]}, {part.out_channels}, {kernel}), or change what comes "
                f"before it."
            )
        return "Use a smaller kernel, more padding or fewer poolings before it, or larger inputs."
    if isinstance(part, nn.modules.batchnorm._BatchNorm) and len(sizes) > 1:
        return f"Make it {type(part).__name__}({sizes[1]}), of the kind for {len(sizes)}-dimensional inputs."
    if isinstance(part, _RECURRENT) and sizes:
        return f"Make its input_size {sizes[-1]}, or change what comes before it."
    if isinstance(part, nn.Embedding):
        return f"Its indices must be from 0 to {part.num_embeddings - 1}: make it larger, or mend the inputs."
    return "Make the shapes agree: print them in forward, just before this place."


def _weight(part: nn.Module) -> Tensor | None:
    for name in ("weight", "weight_ih_l0", "running_mean"):
        found = getattr(part, name, None)
        if isinstance(found, Tensor):
            return found
    return None


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:297]}..."
