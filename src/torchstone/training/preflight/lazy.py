"""Lazy layers: their shapes come from the first batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from torchstone.training.modes import Modes
from torchstone.training.preflight.crash import explained
from torchstone.training.preflight.mistake import refuse
from torchstone.training.preflight.untouched import copied


def initialise_lazy(module: nn.Module, inputs: Any) -> None:
    """Gives lazy layers (`nn.LazyLinear` ...) the shapes that a batch asks for; others are not run at all.

    Args:
        module: what is trained, on its device.
        inputs: of a batch, on the same device.

    Raises:
        PreflightError: a layer refuses what it gets.
    """
    if not any(is_lazy(tensor) for tensor in [*module.parameters(), *module.buffers()]):
        return
    modes = Modes(module)
    module.eval()  # no running statistics, no dropout
    try:
        with torch.no_grad():
            module(copied(inputs))
    except Exception as error:
        refuse(explained(error, module, inputs), error)
        raise
    finally:
        modes.restore()
