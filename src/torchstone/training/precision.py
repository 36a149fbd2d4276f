"""Mixed precision: in which type the forward pass computes, and the scaler that float16 needs.

Micikevicius et al., "Mixed Precision Training" (2018). Weights and optimizer states stay float32.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from torchstone.errors import ConfigError


def choose_precision(name: str, device: torch.device) -> torch.dtype | None:
    """The type that `name` means on `device`; None for plain float32.

    `auto` is bfloat16 on a GPU that computes in it, and float32 elsewhere.
    """
    if name == "auto":
        has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_bfloat16 else None
    known = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in known:
        raise ConfigError(f'precision: expected auto, {", ".join(known)}, got "{name}".')
    return known[name]


def autocast(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[Any]:
    """The context for forward pass and loss; may be entered again and again. Does nothing for None."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)


def build_scaler(device: torch.device, dtype: torch.dtype | None) -> torch.amp.GradScaler | None:
    """What keeps small float16 gradients from becoming zero; bfloat16 has the range to do without.

    The scaler waits for the device once a step, to see whether a gradient overflowed: the price of float16.
    """
    return torch.amp.GradScaler(device.type) if dtype is torch.float16 else None
