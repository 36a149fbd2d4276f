"""A minimal network: one hidden layer with ReLU, the guide's SimpleNN for any input."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from torchstone.task import InputSpec, Task

RECIPE: dict[str, Any] = {
    "epochs": 10,
    "optimizer": "adamw",
    "lr": 1e-3,
    "weight_decay": 0.01,
    "scheduler": "cosine",
    "patience": 0,
}


def recipe(task: Task, rows: int) -> dict[str, Any]:
    """What differs from `RECIPE` for many rows: batches small enough for ten epochs to be enough steps."""
    return {"batch_size": 128, "lr": 2e-3} if rows >= 20_000 else {}


def accepts(spec: InputSpec) -> str | None:
    """None: every input is flattened."""
    return None


def build(task: Task, spec: InputSpec, outputs: int, hidden: int = 128) -> nn.Module:
    """The module: `(B, *spec.shape)` to `(B, outputs)`.

    Args:
        task: what is to be learned; the module is the same for all.
        spec: what it is fed with.
        outputs: how many numbers it gives for a sample.
        hidden: the width of the hidden layer.
    """
    return nn.Sequential(
        nn.Flatten(), nn.Linear(math.prod(spec.shape), hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )
