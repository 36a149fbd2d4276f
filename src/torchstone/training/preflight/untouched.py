"""Running a module without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from torchstone.training.modes import Modes
from torchstone.training.randomness import random_states, set_random_states


@contextmanager
def untouched(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Inside, do with the module what you like; afterwards it is as before, and so are the random states.

    Args:
        module: parameters, buffers, gradients, modes and other attributes are put back. Not seen is what the
            module changes in place elsewhere, such as in a list that it keeps.
        device: whose random state is put back with those of the CPU.
    """
    states, modes = random_states(device), Modes(module)
    attributes = [(part, _attributes(part)) for part in module.modules()]
    held = [*module.parameters(), *module.buffers()]
    tensors = [
        (
            tensor,
            None if is_lazy(tensor) else tensor.detach().clone(),
            tensor.grad if tensor.is_leaf else None,
        )
        for tensor in held
    ]
    try:
        yield
    finally:
        for part, before in attributes:
            _put_back(part, before)
        with torch.no_grad():
            for tensor, content, gradient in tensors:
                if content is not None and not torch.equal(tensor, content):
                    tensor.copy_(content)
                if tensor.is_leaf:
                    tensor.grad = gradient
        modes.restore()
        set_random_states(states, device)


def device_of(module: nn.Module, inputs: Any) -> torch.device:
    """Where the module is; where the inputs are when it holds no tensor."""
    tensors = [*module.parameters(), *module.buffers(), *all_tensors(inputs)]
    return tensors[0].device if tensors else torch.device("cpu")


def copied(value: Any) -> Any:
    """Tensors in nested lists, tuples and dicts as copies, for a module that changes its inputs in place."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad) if type(value) is Tensor else value
    if type(value) in (list, tuple):
        return type(value)(copied(item) for item in value)
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    return value


def all_tensors(value: Any) -> list[Tensor]:
    """The tensors in nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for item in values for tensor in all_tensors(item)]


def _attributes(part: nn.Module) -> dict[str, Any]:
    """A module's attributes; of parameters, buffers and submodules a copy of the table."""
    if isinstance(part, torch.jit.ScriptModule):
        return {}
    found = dict(part.__dict__)
    return {key: (value, dict(value)) if key in _TABLES else value for key, value in found.items()}


_TABLES = ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks")


def _put_back(part: nn.Module, before: dict[str, Any]) -> None:
    if not before:
        return
    for key in part.__dict__.keys() - before.keys():
        del part.__dict__[key]
    for key, value in before.items():
        if key not in _TABLES:
            part.__dict__[key] = value
            continue
        table, content = value
        table.clear()
        table.update(content)
        part.__dict__[key] = table
