"""How far a step moves the weights of an optimizer, measured on a few small ones."""

from __future__ import annotations

import weakref
from typing import Any

_FEW = 4
"""So many weights are looked at."""

_SMALLEST = 16
_LARGEST = 1_000_000
"""Weights with fewer or more numbers are not copied."""

_EMPTY = 1e-3
"""Weights that are smaller on average begin at nothing: any step is large for them."""


class Updates:
    """Copies a few weights before a step, and compares them afterwards."""

    def __init__(self) -> None:
        self._before: list[tuple[weakref.ref[Any], int, Any, float]] = []

    def began(self, optimizer: Any) -> None:
        """Before a step: copies weights that have a gradient."""
        held = [
            one
            for group in optimizer.param_groups
            if group.get("lr", 1)
            for one in group["params"]
            if one.grad is not None and not one.grad.is_sparse and one.dim() > 1 and not one.is_meta
        ]
        fitting = [one for one in held if _SMALLEST <= one.numel() <= _LARGEST and one.is_floating_point()]
        self._before = []
        for weight in sorted(fitting, key=lambda one: int(one.numel()))[:_FEW]:
            copy = weight.detach().clone()
            self._before.append((weakref.ref(weight), weight._version, copy, float(weight.grad.norm())))

    def ended(self) -> list[tuple[Any, float, float]]:
        """After it: each weight, how far it moved for its own length, and the length of its gradient."""
        found = []
        for reference, version, copy, gradient in self._before:
            weight = reference()
            # A step in compiled code is told when it is over: nothing is written in between.
            if weight is None or weight._version == version:
                continue
            length = float(copy.norm())
            if length / copy.numel() ** 0.5 > _EMPTY:
                found.append((weight, float((weight.detach() - copy).norm()) / length, gradient))
        self._before = []
        return found
