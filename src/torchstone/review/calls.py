"""Calls of modules that can be made once more, from what is still there of their inputs."""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any

from torchstone.review.objects import is_tensor

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event

_COLLECTIVE = frozenset(
    {
        "DistributedDataParallel",
        "FSDPModule",
        "FullyShardedDataParallel",
        "PipelineParallel",
        "SyncBatchNorm",
    }
)
"""Modules whose calls wait for other processes."""


class Call:
    """A call of a module by the program, kept weakly."""

    __slots__ = ("args", "gradients", "held", "kwargs", "module", "place", "state")

    def __init__(self, event: Event, state: Any) -> None:
        self.module = weakref.ref(event.subject)
        self.args = _weak(event.args)
        self.kwargs = _weak(event.kwargs)
        self.state = state
        self.place: Place | None = None
        self.gradients: list[tuple[int, Any]] = []
        self.held: Any = None

    def hold(self) -> None:
        """Keeps what it was given alive, to the end of a backward pass."""
        self.held = _strong(self.args), _strong(self.kwargs)

    def let_go(self) -> None:
        """Keeps nothing alive."""
        self.held = None
        self.gradients.clear()

    def can_be_made(self) -> bool:
        """Whether all that it was given is held, unchanged, and no other process has to take part."""
        module = self.module()
        if module is None or self.held is None or _is_lost(self.held):
            return False
        classes = {base.__name__ for part in module.modules() for base in type(part).__mro__}
        return _COLLECTIVE.isdisjoint(classes)


class _Lost:
    """Stands for what is gone, or was changed since."""


class _Weak:
    """A tensor, or an object, that is not kept alive."""

    __slots__ = ("_reference", "_version")

    def __init__(self, value: Any) -> None:
        self._reference = weakref.ref(value)
        self._version = None
        if is_tensor(value):
            with contextlib.suppress(RuntimeError):  # made for inference
                self._version = value._version

    def get(self) -> Any:
        value = self._reference()
        changed = self._version is not None and value is not None and value._version != self._version
        return _Lost() if value is None or changed else value


def _weak(value: Any) -> Any:
    """A value with its tensors and objects held weakly."""
    kind = type(value)
    if kind is tuple:
        return tuple([_weak(each) for each in value])
    if kind is dict:
        return {key: _weak(each) for key, each in value.items()} if value else value
    if is_tensor(value):
        return _Weak(value)
    if value is None or issubclass(kind, (bool, int, float, str, bytes)):
        return value
    if kind is list:
        return [_weak(each) for each in value]
    try:
        return _Weak(value)
    except TypeError:
        return value if type(value).__module__ == "torch" else _Lost()


def _strong(value: Any) -> Any:
    if isinstance(value, _Weak):
        return value.get()
    if type(value) in (list, tuple):
        return type(value)(_strong(each) for each in value)
    if type(value) is dict:
        return {key: _strong(each) for key, each in value.items()}
    return value


def _is_lost(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return any(_is_lost(each) for each in value)
    return isinstance(value, _Lost)
