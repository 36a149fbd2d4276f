"""Which epoch is best, and when to stop waiting for a better one.

The words are those of Prechelt, "Early Stopping - But When?" (1998) as Keras made them common: an improvement
is a change of the monitored value by more than `min_delta`; training stops after `patience` epochs without
one. The best epoch is the one with the best value, however small its lead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass
class Best:
    """The best epoch so far, and how long ago the last improvement was.

    Args:
        value: the monitored value of the best epoch; None before the first one with a number.
        epoch: the best epoch, counted from 1.
        step: optimizer steps done at its end.
        weights: a copy of the weights of that epoch, named as in `state_dict`.
        reference: the value that an improvement is measured against.
        waited: epochs since the last improvement.
    """

    value: float | None = None
    epoch: int = 0
    step: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    reference: float | None = None
    waited: int = 0

    def update(self, value: float, *, higher_is_better: bool, min_delta: float) -> bool:
        """Takes in an epoch's value; says whether it is the best so far. NaN never is.

        The caller notes epoch and weights when it is.
        """
        if math.isnan(value):
            self.waited += 1
            return False
        if _better(value, self.reference, higher_is_better, min_delta):
            self.reference, self.waited = value, 0
        else:
            self.waited += 1
        is_best = _better(value, self.value, higher_is_better, 0.0)
        if is_best:
            self.value = value
        return is_best

    def keep(self, weights: dict[str, Tensor], epoch: int, step: int) -> None:
        """Copies the weights of the best epoch, into the memory of the copy before."""
        self.epoch, self.step = epoch, step
        if self.weights.keys() != weights.keys():
            self.weights = {name: tensor.detach().clone() for name, tensor in weights.items()}
            return
        for name, tensor in weights.items():
            self.weights[name].copy_(tensor.detach())

    def to_json(self) -> dict[str, Any]:
        """All but the weights."""
        return {
            "value": self.value,
            "epoch": self.epoch,
            "step": self.step,
            "reference": self.reference,
            "waited": self.waited,
        }


def _better(value: float, than: float | None, higher_is_better: bool, by_more_than: float) -> bool:
    if than is None:
        return True
    gain = value - than if higher_is_better else than - value
    return gain > by_more_than
