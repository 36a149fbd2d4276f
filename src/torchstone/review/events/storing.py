"""State that is saved and loaded.

`state_taken`: after `state_dict` of a module, subject the module; `state`. `state_loaded`: before
`load_state_dict`, subject the module; `state`. `state_load_ended`: after it, where it did not fail; `state`,
`result` (the missing and unexpected keys). `saved`: after `torch.save`, subject what was saved; `file`.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Replaces `state_dict` and `load_state_dict` of `nn.Module`, and `torch.save`."""
    load, save, take = nn.Module.load_state_dict, torch.save, nn.Module.state_dict

    @functools.wraps(take)
    def state_dict(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        result = take(self, *args, **kwargs)
        if not args and kwargs.get("destination") is None:  # it calls itself for the parts of a module
            stream.emit("state_taken", self, state=result)
        return result

    @functools.wraps(load)
    def load_state_dict(self: nn.Module, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        stream.emit("state_loaded", self, state=state_dict)
        result = load(self, state_dict, *args, **kwargs)
        stream.emit("state_load_ended", self, state=state_dict, result=result)
        return result

    @functools.wraps(save)
    def told_save(obj: Any, f: Any, *args: Any, **kwargs: Any) -> Any:
        result = save(obj, f, *args, **kwargs)
        stream.emit("saved", obj, file=f)
        return result

    stream.replace(nn.Module, "state_dict", state_dict)
    stream.replace(nn.Module, "load_state_dict", load_state_dict)
    stream.replace(torch, "save", told_save)
