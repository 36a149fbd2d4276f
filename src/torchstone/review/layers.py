"""The layers of a module that behave in training as they do not in evaluation."""

from __future__ import annotations

from typing import Any


def mode_layers(module: Any) -> list[Any]:
    """The dropout and batch normalisation layers of a module, and their like, that have an effect."""
    return [part for part in module.modules() if has_mode(part)]


def has_mode(part: Any) -> bool:
    """Whether a layer does another thing in training mode than in evaluation mode."""
    kinds = {kind.__name__ for kind in type(part).__mro__}
    if "_DropoutNd" in kinds:
        return bool(part.p > 0)
    if "_NormBase" in kinds:
        return part.running_mean is not None
    if "MultiheadAttention" in kinds or "RNNBase" in kinds:
        many = getattr(part, "num_layers", 2) > 1
        return many and bool(getattr(part, "dropout", 0) > 0)
    return "RReLU" in kinds


def kinds_of(layers: list[Any], most: int = 3) -> list[str]:
    """What such layers are called, each class once."""
    return sorted({type(layer).__name__ for layer in layers})[:most]
