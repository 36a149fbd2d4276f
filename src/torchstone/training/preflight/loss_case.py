"""A loss with the outputs and targets it is about to be called with."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch.nn.functional as F
from torch import nn

from torchstone.task import Task

Kind = Literal["cross_entropy", "nll", "bce", "bce_logits", "squared", "absolute", "own"]

_KINDS: dict[Any, Kind] = {
    nn.CrossEntropyLoss: "cross_entropy",
    F.cross_entropy: "cross_entropy",
    nn.NLLLoss: "nll",
    F.nll_loss: "nll",
    nn.BCELoss: "bce",
    F.binary_cross_entropy: "bce",
    nn.BCEWithLogitsLoss: "bce_logits",
    F.binary_cross_entropy_with_logits: "bce_logits",
    nn.MSELoss: "squared",
    F.mse_loss: "squared",
    nn.SmoothL1Loss: "squared",
    F.smooth_l1_loss: "squared",
    nn.HuberLoss: "squared",
    F.huber_loss: "squared",
    nn.L1Loss: "absolute",
    F.l1_loss: "absolute",
}


@dataclass
class LossCase:
    """What is checked before and while a loss is called.

    Args:
        module: the network, for messages.
        loss: a module of torch.nn, a function, or the user's own.
        outputs: of the network; of an ensemble with its members as samples.
        targets: as many.
        ignore_index: the class of targets that do not count.
        task: what is learned, where that is known.
    """

    module: nn.Module
    loss: Callable[..., Any]
    outputs: Any
    targets: Any
    ignore_index: int = -100
    task: Task | None = None
    given: Any = field(init=False)
    """The outputs as the network gave them."""

    def __post_init__(self) -> None:
        self.given = self.outputs

    @property
    def kind(self) -> Kind:
        """What the loss is."""
        loss: Any = self.loss
        while isinstance(loss, functools.partial):
            loss = loss.func
        return _KINDS.get(type(loss) if isinstance(loss, nn.Module) else loss, "own")

    @property
    def name(self) -> str:
        """The loss as messages call it."""
        loss: Any = self.loss
        while isinstance(loss, functools.partial):
            loss = loss.func
        return type(loss).__name__ if isinstance(loss, nn.Module) else getattr(loss, "__name__", "the loss")
