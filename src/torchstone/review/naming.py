"""The names that modules and parameters have in the user's program."""

from __future__ import annotations

import weakref
from types import FrameType
from typing import Any

from torchstone.review.objects import attributes
from torchstone.review.places import locals_of

_MOST_ROOTS = 64
"""So many modules that are called on their own are known by name; more are a program's own containers."""


class Names:
    """What is called how: `net` for a module, `net.layers[0].weight` for a parameter. Keeps nothing alive."""

    def __init__(self) -> None:
        self._roots: dict[int, tuple[weakref.ref[Any], str]] = {}

    def is_root(self, module: Any) -> bool:
        """Whether it is known where a module is used, or no more can be known."""
        known = self._roots.get(id(module))
        return (known is not None and known[0]() is module) or len(self._roots) >= _MOST_ROOTS

    def know(self, module: Any, frame: FrameType | None) -> None:
        """Remembers what a module is called where it is used."""
        self._roots[id(module)] = (weakref.ref(module), variable(module, frame) or type(module).__name__)

    def roots(self) -> list[tuple[Any, str]]:
        """The modules that were called on their own and are alive, with their names."""
        found = [(root(), name) for root, name in self._roots.values()]
        return [(module, name) for module, name in found if module is not None]

    def module(self, module: Any) -> str:
        """The name of a module, or its class where it has none."""
        for root, name in self.roots():
            for path, part in root.named_modules():
                if part is module:
                    return name + written(path)
        return type(module).__name__

    def parameter(self, parameter: Any) -> str | None:
        """The name of a parameter or buffer; None where no known module has it."""
        for root, name in self.roots():
            for path, tensor in (*root.named_parameters(), *root.named_buffers()):
                if tensor is parameter:
                    return name + written(path)
        return None

    def parameters(self, parameters: list[Any], most: int = 5) -> list[str]:
        """The names of some of these parameters, those without one as their shapes."""
        unknown = "a parameter of shape "
        shown = [self.parameter(one) or f"{unknown}{tuple(one.shape)}" for one in parameters[:most]]
        return shown + ([f"and {len(parameters) - most} more"] if len(parameters) > most else [])


def written(path: str) -> str:
    """A path of torch, `layers.0.weight`, as Python would write it: `.layers[0].weight`."""
    parts = path.split(".") if path else []
    return "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in parts)


def variable(value: Any, frame: FrameType | None) -> str | None:
    """The name that a value has in a frame: a local variable, an attribute of `self`, a global one."""
    if frame is None:
        return None
    local = locals_of(frame)
    for name, held in local.items():
        if held is value and name != "self":
            return name
    owner = local.get("self")
    if owner is not None:
        held_by = attributes(owner)
        modules = held_by.get("_modules")
        inner = modules if isinstance(modules, dict) else {}  # the program may call anything so
        for name, held in (*held_by.items(), *inner.items()):
            if held is value:
                return f"self.{name}"
    return next((name for name, held in frame.f_globals.items() if held is value), None)
