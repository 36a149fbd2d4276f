"""Where PyTorch can be seen at work: each module of this folder stands for one hook point.

It has a function `install(stream)`, which begins to emit events to the stream. Nothing here changes what a
program computes. These files alone of the reviewer import torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchstone.review.stream import Stream


def install_all(stream: Stream) -> None:
    """Installs every hook point of this folder; where one cannot be, nothing is watched."""
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        try:
            importlib.import_module(f"{__name__}.{name}").install(stream)
        except Exception as error:
            stream.fail(error, f"the hook point {name}")
            return
