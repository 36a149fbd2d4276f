"""Random numbers that are seeded.

`seeded`: before `torch.manual_seed`; `seed`.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Replaces `torch.manual_seed`."""
    original = torch.manual_seed

    @functools.wraps(original)
    def manual_seed(seed: Any) -> Any:
        stream.emit("seeded", seed=seed)
        return original(seed)

    stream.replace(torch, "manual_seed", manual_seed)
