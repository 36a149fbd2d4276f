"""A trial of a module that leaves no trace: buffers, modes, gradients and random states are put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer

from torchstone.training.randomness import random_states, set_random_states


@contextmanager
def no_trace(*modules: nn.Module) -> Iterator[None]:
    """Inside, modules may be run in any mode; afterwards they and the random states are as before."""
    tensor = next((p for module in modules for p in module.parameters()), None)
    device = torch.device("cpu") if tensor is None else tensor.device
    parts = [part for module in modules for part in module.modules()]
    modes = [(part, part.training) for part in parts]
    buffers = [
        (part, name, buffer, _copy(buffer)) for part in parts for name, buffer in part._buffers.items()
    ]
    gradients = [(p, p.grad) for module in modules for p in module.parameters()]
    states = random_states(device)
    try:
        yield
    finally:
        set_random_states(states, device)
        for part, name, buffer, copied in buffers:
            part._buffers[name] = buffer
            if buffer is not None and copied is not None:
                with torch.no_grad():
                    buffer.copy_(copied)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for part, mode in modes:
            part.training = mode


def _copy(buffer: Tensor | None) -> Tensor | None:
    if buffer is None or isinstance(buffer, UninitializedBuffer):
        return None
    return buffer.detach().clone()
