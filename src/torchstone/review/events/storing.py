"""State that is saved and loaded.

`state_loaded`: before `load_state_dict`, subject the module; `state`. `saved`: after `torch.save`, subject
what was saved; `file`.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Replaces `nn.Module.load_state_dict` and `torch.save`."""
    load, save = nn.Module.load_state_dict, torch.save

    @functools.wraps(load)
    def load_state_dict(self: nn.Module, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        stream.emit("state_loaded", self, state=state_dict)
        return load(self, state_dict, *args, **kwargs)

    @functools.wraps(save)
    def told_save(obj: Any, f: Any, *args: Any, **kwargs: Any) -> Any:
        result = save(obj, f, *args, **kwargs)
        stream.emit("saved", obj, file=f)
        return result

    stream.replace(nn.Module, "load_state_dict", load_state_dict)
    stream.replace(torch, "save", told_save)
