"""Random numbers that are seeded.

`seeded`: before `torch.manual_seed`; `seed`. Our own loop seeds too, which is not told.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import torch

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Replaces `torch.manual_seed`."""
    original = torch.manual_seed

    @functools.wraps(original)
    def manual_seed(seed: Any) -> Any:
        if not str(sys._getframe(1).f_globals.get("__name__")).startswith("torchstone."):
            stream.emit("seeded", seed=seed)
        return original(seed)

    stream.replace(torch, "manual_seed", manual_seed)
