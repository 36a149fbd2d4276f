"""Parts that are put into modules.

`registered`: before, subject the module; `name`, `part` (a module, a parameter or None), `before` (what had
the name).
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Registers torch's hooks; both say nothing about what is put in."""

    def module(owner: nn.Module, name: str, part: Any) -> None:
        stream.emit("registered", owner, name=name, part=part, before=owner._modules.get(name))

    def parameter(owner: nn.Module, name: str, part: Any) -> None:
        stream.emit("registered", owner, name=name, part=part, before=owner._parameters.get(name))

    for handle in (
        register_module_module_registration_hook(module),
        register_module_parameter_registration_hook(parameter),
    ):
        stream.at_end(handle.remove)
