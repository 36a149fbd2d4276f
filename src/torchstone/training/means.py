"""Weighted means of numbers that stay on the device until somebody looks.

A step only appends to a list: no operation on the device, no waiting for it. Reading brings all of them to
the host at once and adds them up in order and in double precision, so that the result does not depend on
when it was looked at: a resumed run gives the same bits as one that was never stopped.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Kept(NamedTuple):
    """A count that nobody needs yet: how many of `targets` are not `ignored`."""

    targets: Tensor
    ignored: int


Weight = float | Tensor | Kept


class Means:
    """Sums of values times weights, and of weights, by name."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.weights: dict[str, float] = {}
        self.pending: list[tuple[str, float | Tensor, Weight]] = []

    def add(self, name: str, value: float | Tensor, weight: Weight) -> None:
        """Takes in one value (a detached tensor with one element, or a number)."""
        self.pending.append((name, value, weight))

    def collect(self) -> dict[str, list[tuple[float, float]]]:
        """Waits for the device, adds up what is pending and gives it: name to (value, weight) in order.

        What has weight 0 (a batch whose targets are all ignored) counts for nothing, whatever its value.
        """
        pending, self.pending = self.pending, []
        values = _on_host([value for _, value, _ in pending])
        weights = _on_host(_counted([weight for _, _, weight in pending]))
        collected: dict[str, list[tuple[float, float]]] = {}
        for (name, _, _), value, weight in zip(pending, values, weights, strict=True):
            if weight == 0.0:
                continue
            self.sums[name] = self.sums.get(name, 0.0) + value * weight
            self.weights[name] = self.weights.get(name, 0.0) + weight
            collected.setdefault(name, []).append((value, weight))
        return collected

    def means(self) -> dict[str, float]:
        """The mean of each name over all that was collected."""
        return {name: self.sums[name] / weight for name, weight in self.weights.items()}

    def clear(self) -> None:
        """Begins anew."""
        self.sums, self.weights, self.pending = {}, {}, []

    def to_json(self) -> dict[str, Any]:
        """The sums so far; `collect` first."""
        return {"sums": dict(self.sums), "weights": dict(self.weights)}

    def load(self, state: dict[str, Any]) -> None:
        """The inverse of `to_json`."""
        self.sums, self.weights, self.pending = dict(state["sums"]), dict(state["weights"]), []


def _on_host(numbers: list[Any]) -> list[float]:
    """Numbers and one-element tensors as Python numbers, with one transfer for all tensors."""
    tensors = [number for number in numbers if isinstance(number, Tensor)]
    if not tensors:
        return [float(number) for number in numbers]
    device, double = tensors[0].device, tensors[0].device.type != "mps"  # MPS knows no float64
    kind = torch.float64 if double else torch.float32
    # stacking first converts all of them in one operation where they are of one type, the usual case
    if all(tensor.dtype == tensors[0].dtype and tensor.device == device for tensor in tensors):
        stacked = torch.stack([tensor.reshape(()) for tensor in tensors]).to(kind)
    else:
        stacked = torch.stack([tensor.reshape(()).to(device, kind) for tensor in tensors])
    moved = iter(stacked.tolist())
    return [next(moved) if isinstance(number, Tensor) else float(number) for number in numbers]


def _counted(weights: list[Weight]) -> list[float | Tensor]:
    """The weights with every deferred count made."""
    deferred = [weight for weight in weights if isinstance(weight, Kept)]
    if not deferred:
        return [weight for weight in weights if not isinstance(weight, Kept)]
    ignored = deferred[0].ignored
    nothing_ignored = not bool((torch.cat([kept.targets for kept in deferred]) == ignored).any())
    return [
        weight
        if not isinstance(weight, Kept)
        else float(weight.targets.numel())
        if nothing_ignored
        else (weight.targets != weight.ignored).sum()
        for weight in weights
    ]
