"""The program's objects: what they are and how they are remembered, without asking them anything.

A class of the program's own may answer to every attribute, fail at any, or be equal to others.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator, MutableMapping, MutableSet
from typing import Any, TypeVar, overload

Value = TypeVar("Value")
Other = TypeVar("Other")


class _Unknown:
    """Stands for a class of torch's before torch is there."""


_tensor: type | None = None
_module: type | None = None


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor; asked very often, and does not import torch."""
    kind = type(value)
    return kind is _tensor or (_tensor or _learn()[0]) in kind.__mro__


def is_number(value: Any) -> bool:
    """Whether a value is a tensor of one real number, as a loss usually is."""
    return is_tensor(value) and value.numel() == 1 and not value.is_complex()


def is_module(value: Any) -> bool:
    """Whether a value is a module of torch."""
    return (_module or _learn()[1]) in type(value).__mro__


def _learn() -> tuple[type, type]:
    global _tensor, _module
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "Tensor") or not hasattr(torch, "nn"):
        return _Unknown, _Unknown
    _tensor, _module = torch.Tensor, torch.nn.Module
    return torch.Tensor, torch.nn.Module


def is_one_of(value: Any, *kinds: type) -> bool:
    """`isinstance` that does not ask the value what it would like to be."""
    return issubclass(type(value), kinds)


def attributes(value: Any) -> dict[str, Any]:
    """What an instance holds by name; empty where that cannot be told."""
    try:
        held = object.__getattribute__(value, "__dict__")
    except Exception:
        return {}
    return held if type(held) is dict else {}


class ByIdentity(MutableMapping[Any, Value]):
    """Values for objects as long as these live, whatever they are equal to and whether they have a hash."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[_Reference, Value]] = {}
        itself = weakref.ref(self)

        def forget(reference: _Reference) -> None:
            one = itself()
            if one is not None:
                known = one._held.get(reference.number)
                if known is not None and known[0] is reference:
                    del one._held[reference.number]

        self._forget = forget

    def __getitem__(self, key: Any) -> Value:
        known = self._held.get(id(key))
        if known is None or known[0]() is not key:
            raise KeyError(type(key).__name__)
        return known[1]

    def __setitem__(self, key: Any, value: Value) -> None:
        known = self._held.get(id(key))
        if known is not None and known[0]() is key:
            self._held[id(key)] = known[0], value
        else:
            self._held[id(key)] = _Reference(key, self._forget), value

    def __delitem__(self, key: Any) -> None:
        if key not in self:
            raise KeyError(type(key).__name__)
        del self._held[id(key)]

    def __contains__(self, key: Any) -> bool:
        known = self._held.get(id(key))
        return known is not None and known[0]() is key

    def __iter__(self) -> Iterator[Any]:
        # Any of them may die meanwhile.
        found = [reference() for reference, _ in list(self._held.values())]
        return iter([one for one in found if one is not None])

    def __len__(self) -> int:
        return len(self._held)

    @overload
    def get(self, key: Any, /) -> Value | None: ...

    @overload
    def get(self, key: Any, /, default: Value | Other) -> Value | Other: ...

    def get(self, key: Any, /, default: Any = None) -> Any:
        """The value of an object, or another where it has none."""
        known = self._held.get(id(key))
        return known[1] if known is not None and known[0]() is key else default

    def clear(self) -> None:
        """Forgets all."""
        self._held.clear()


class Identities(MutableSet[Any]):
    """Objects as long as they live, whatever they are equal to and whether they have a hash."""

    def __init__(self) -> None:
        self._held: ByIdentity[None] = ByIdentity()

    def __contains__(self, one: Any) -> bool:
        return one in self._held

    def __iter__(self) -> Iterator[Any]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def add(self, one: Any) -> None:
        """Remembers an object."""
        self._held[one] = None

    def discard(self, one: Any) -> None:
        """Forgets an object."""
        self._held.pop(one, None)


class _Reference(weakref.ref[Any]):
    """Knows the identity of what it referred to."""

    __slots__ = ("number",)

    number: int

    def __new__(cls, one: Any, forget: Any) -> _Reference:
        made = super().__new__(cls, one, forget)
        made.number = id(one)
        return made
