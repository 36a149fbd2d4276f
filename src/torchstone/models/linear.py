"""One linear layer: logistic regression for classes, linear regression for numbers."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from torchstone.task import InputSpec, Task

RECIPE: dict[str, Any] = {
    "epochs": 30,
    "optimizer": "adamw",
    "lr": 0.01,
    "weight_decay": 0.01,
    "scheduler": "cosine",
    "patience": 0,
}
"""The cosine ends at a learning rate of zero, so that training ends in a minimum without early stopping."""


def accepts(spec: InputSpec) -> str | None:
    """None: every input is flattened."""
    return None


def build(task: Task, spec: InputSpec, outputs: int) -> nn.Module:
    """The module: `(B, *spec.shape)` to `(B, outputs)`."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(spec.shape), outputs))
