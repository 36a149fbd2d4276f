"""Lazy layers: they get their shapes from the first batch, before the optimizer asks for parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from torchstone.training.preflight.findings import preflight_error
from torchstone.training.preflight.layers import explain_refusal
from torchstone.training.preflight.trial import no_trace


def initialise_lazy(module: nn.Module, inputs: Any) -> None:
    """Runs a module that has lazy layers once, so that all its parameters have shapes.

    Args:
        module: the network, on its device.
        inputs: of a batch, on the same device.

    Raises:
        PreflightError: the module refuses the inputs.
    """
    if not any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
        return
    refused = None
    with no_trace(module), torch.no_grad():
        module.eval()
        try:
            module(inputs)
        except Exception as error:  # told below, outside of what is put back
            refused = error
    if refused is not None:
        raise preflight_error([explain_refusal(module, inputs, refused)])
