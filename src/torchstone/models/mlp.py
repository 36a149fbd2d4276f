"""A multilayer perceptron with layer normalisation and dropout, for tables and small arrays."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

from torch import nn

from torchstone.task import InputSpec, Task

RECIPE: dict[str, Any] = {
    "epochs": 30,
    "optimizer": "adamw",
    "lr": 1e-3,
    "weight_decay": 0.01,
    "scheduler": "cosine",
    "patience": 0,
}


def accepts(spec: InputSpec) -> str | None:
    """None: every input is flattened."""
    return None


def build(
    task: Task, spec: InputSpec, outputs: int, hidden: int = 256, layers: int = 2, dropout: float = 0.1
) -> nn.Module:
    """The module: `(B, *spec.shape)` to `(B, outputs)`.

    Args:
        task: what is to be learned; the module is the same for all.
        spec: what it is fed with.
        outputs: how many numbers it gives for a sample.
        hidden: the width of the hidden layers.
        layers: the number of hidden layers.
        dropout: the share of hidden numbers set to zero in training.

    Raises:
        ValueError: there is no hidden layer.
    """
    if layers < 1:
        raise ValueError(f"layers must be at least 1, got {layers}")
    parts: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    width = math.prod(spec.shape)
    for number in range(layers):
        parts[f"linear{number}"] = nn.Linear(width, hidden)
        parts[f"norm{number}"] = nn.LayerNorm(hidden)
        parts[f"activation{number}"] = nn.ReLU()
        parts[f"dropout{number}"] = nn.Dropout(dropout)
        width = hidden
    parts["output"] = nn.Linear(width, outputs)
    return nn.Sequential(parts)
