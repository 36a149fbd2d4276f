"""What changes tensors in place in a call that is made once more, and what the backward pass needed of them.

A detector asks for it when the backward pass has failed; `install` has nothing to replace.
"""

from __future__ import annotations

import sys
from types import CodeType
from typing import Any

from torch import Tensor

from torchstone.review.crashes import tensors
from torchstone.review.events.tracing import Tracer, nodes_behind, place_within
from torchstone.review.places import Place
from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Nothing is replaced; see above."""


class Changes(Tracer):
    """Follows the operations that change a tensor in place, instead of values that are not finite."""

    def __init__(self, batch: int | None, end: CodeType) -> None:
        super().__init__(batch, end)
        self.made: list[tuple[int, str, Place | None]] = []
        """Storage, operation and line of each change."""
        self.storages: dict[Any, set[int]] = {}
        """What the operation of each node was given and made."""
        self._alive: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = tensors((args, kwargs or {}))
        versions = [tensor._version for tensor in given]
        result = func(*args, **(kwargs or {}))
        name, place = getattr(func, "__name__", ""), place_within(sys._getframe(1), self.end)
        if name in ("__get__", "__set__"):
            return result
        made = tensors(result)
        self._alive += made
        for tensor, version in zip(given, versions, strict=True):
            if tensor._version != version:
                self.made.append((_storage(tensor), name, place))
        for tensor in made:
            self.note_nodes(tensor, given, (name, self.modules[-1] if self.modules else None, place))
            if tensor.grad_fn is not None:
                storages = self.storages.setdefault(tensor.grad_fn, set())
                storages.update(_storage(one) for one in (*given, *made))
        return result

    def called(self, module: Any, given: list[Tensor], made: list[Tensor]) -> None:
        """Operations are enough."""

    def of(self, node: Any) -> tuple[str, Place | None] | None:
        """The operation that changed what a node needs, and its line."""
        storages = self.storages.get(node)
        found = [(name, place) for storage, name, place in self.made if storages and storage in storages]
        return found[-1] if found else None


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def changed_nodes(values: Any) -> list[Any]:
    """The nodes behind tensors that need what was changed in place."""
    return [
        node
        for node in nodes_behind([tensor.grad_fn for tensor in tensors(values) if tensor.grad_fn is not None])
        if _is_changed(node)
    ]


def _is_changed(node: Any) -> bool:
    try:
        for name in dir(node):
            if name.startswith("_saved_"):
                getattr(node, name)
    except RuntimeError as error:
        return "inplace operation" in str(error)
    return False


def parameters_of(node: Any) -> list[Tensor]:
    """The leaves that a node works on, directly or through a view."""
    near = [behind for behind, _ in node.next_functions if behind is not None]
    near += [behind for each in near for behind, _ in each.next_functions if behind is not None]
    return [each.variable for each in near if hasattr(each, "variable")]
