"""What is put in the place of a function of PyTorch, and whose error it is where something fails there."""

from __future__ import annotations

import functools
import signal
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from torchstone.review.places import is_users


class Builtin:
    """Stands for a function that is not written in Python, which is no method where a class has it."""

    _original: Any
    _name: str

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # for `isinstance`
        return BuiltinFunctionType

    def __eq__(self, other: object) -> bool:
        return _behind(other) is self._original  # it stands in tables of those who override it

    def __hash__(self) -> int:
        return hash(self._original)

    def __repr__(self) -> str:
        return repr(self._original)

    def __reduce_ex__(self, protocol: Any) -> Any:
        told = self._original.__reduce_ex__(protocol)
        return self._name if isinstance(told, str) else told

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memory: Any) -> Any:
        return self


def standing(owner: Any, name: str, before: Any, value: Any) -> Any:
    """What is to be put in the place of a function.

    Args:
        owner: a class or module.
        name: what it is called there.
        before: what was there.
        value: what works in its place.
    """
    if not isinstance(value, FunctionType):
        return value
    if isinstance(owner, ModuleType) and isinstance(before, BuiltinFunctionType):
        # A class of its own, as calling it then is as fast as calling the function.
        one = type("Builtin", (Builtin,), {"__call__": staticmethod(value)})()
        functools.update_wrapper(one, before)
        one._original, one._name, one.__module__ = _behind(before), name, owner.__name__
        return one
    # Pickle looks for functions by these names.
    value.__module__ = owner.__name__ if isinstance(owner, ModuleType) else owner.__module__
    value.__qualname__ = name if isinstance(owner, ModuleType) else f"{owner.__qualname__}.{name}"
    return value


def _behind(one: Any) -> Any:
    return one._original if issubclass(type(one), Builtin) else one


def is_of_signal(error: BaseException) -> bool:
    """Whether the program's own handler of a signal raised it: one may come at any time."""
    codes = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    told = error.__traceback__
    while codes and told is not None:
        if told.tb_frame.f_code in codes:
            return True
        told = told.tb_next
    return False


def _code(handler: Any) -> CodeType | None:
    while isinstance(handler, functools.partial):
        handler = handler.func
    if callable(handler) and not hasattr(handler, "__code__"):
        handler = type(handler).__call__
    code = getattr(handler, "__code__", None)
    return code if isinstance(code, CodeType) else None


def is_of_program(error: BaseException) -> bool:
    """Whether the program's own objects raised it, in a property or an operator, or as they have no hash."""
    if isinstance(error, TypeError) and str(error).startswith("unhashable type"):
        return True  # torch puts modules into sets
    told = error.__traceback__
    while told is not None:
        if is_users(told.tb_frame.f_code.co_filename):
            return True
        told = told.tb_next
    return False
