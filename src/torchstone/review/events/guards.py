"""When nothing is looked at: inside of `torch.func`, and under modes of the program's own.

There, tensors are not what the program computes with in the end, or somebody counts each operation.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import _get_current_function_mode_stack
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from torchstone.review.stream import Stream

_HARMLESS = ("torchstone.", "torch.utils._device")
"""Modes of these modules hide nothing: our own, and the one of `torch.set_default_device`."""


def install(stream: Stream) -> None:
    """Tells the stream how to see that, and how to switch the recording of gradients off."""
    transformed = torch._C._functorch.peek_interpreter_stack
    dispatching, overriding = torch._C._len_torch_dispatch_stack, torch._C._len_torch_function_stack

    def hidden() -> bool:
        if transformed() is not None:
            return True
        return bool(dispatching() or overriding()) and _is_foreign()

    stream.hidden = hidden
    stream.recording, stream.record = torch.is_grad_enabled, torch._C._set_grad_enabled


def _is_foreign() -> bool:
    overriding: Any = _get_current_function_mode_stack
    modes = (*overriding(), *_get_current_dispatch_mode_stack())
    return any(not type(mode).__module__.startswith(_HARMLESS) for mode in modes)
