"""Which operation is to blame where two calls of a model differ that should not: what each made, in turn.

Only `--thorough` asks for it (see `comparing.py`), and `install` has nothing to replace.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from torchstone.review.crashes import tensors
from torchstone.review.events.probing import call
from torchstone.review.events.tracing import place_within
from torchstone.review.places import Place
from torchstone.review.stream import Stream

_MOST_VALUES = 50_000_000
"""Of so many numbers a trace keeps copies; a larger model's operations are not looked at."""

Given = tuple[Any, Any]
Judge = Callable[[Tensor, Tensor], "bool | None"]


def install(stream: Stream) -> None:
    """Nothing is replaced; see above."""


@dataclass
class Culprit:
    """The operation in which what should stay apart comes together.

    Args:
        name: of the operation.
        module: that it ran in; None for outside of any.
        place: the user's line.
        change: how much of the output's largest value changed.
    """

    name: str
    module: Any
    place: Place | None
    change: float = 0.0


class _Operations(TorchFunctionMode):
    """Inside, each operation is told, with what it was given and made, and the module that it ran in."""

    def __init__(self) -> None:
        super().__init__()
        self.modules: list[Any] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        made = tensors([args[0]] if name == "__setitem__" else result)
        if made:
            self.note(name, tensors((args, kwargs or {})), made)
        return result

    def note(self, name: str, given: list[Tensor], made: list[Tensor]) -> None:
        """Takes account of an operation."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        super().__enter__()  # type: ignore[no-untyped-call]
        self._call = before = vars(nn.Module)["__call__"]

        def called(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            self.modules.append(module)
            try:
                return before(module, *args, **kwargs)
            finally:
                self.modules.pop()

        type.__setattr__(nn.Module, "__call__", called)
        return self

    def __exit__(self, *error: Any) -> None:
        type.__setattr__(nn.Module, "__call__", self._call)
        super().__exit__(*error)  # type: ignore[no-untyped-call]


class _Record(_Operations):
    """Keeps what each operation made."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[str, list[Tensor]]] = []
        self.whole = True
        self._values = 0

    def note(self, name: str, given: list[Tensor], made: list[Tensor]) -> None:
        """Takes account of an operation."""
        self._values += sum(one.numel() for one in made)
        self.whole = self.whole and self._values <= _MOST_VALUES
        if self.whole:
            self.made.append((name, [one.clone() for one in made]))


class _Comparison(_Operations):
    """Compares what each operation makes with what it made in an earlier call, until one is to blame.

    Args:
        record: of the earlier call.
        mixes: whether a result has together what should be apart; None where it cannot be told.
    """

    def __init__(self, record: _Record, mixes: Judge) -> None:
        super().__init__()
        self.culprit: Culprit | None = None
        self._earlier = iter(record.made)
        self._mixes = mixes
        self._known: dict[int, bool | None] = {}
        self._alive: list[Tensor] = []
        self._lost = not record.whole

    def note(self, name: str, given: list[Tensor], made: list[Tensor]) -> None:
        """Takes account of an operation."""
        earlier = next(self._earlier, None)
        if self._lost or earlier is None or earlier[0] != name or len(earlier[1]) != len(made):
            self._lost = True
            return
        fine = all(self._known.get(id(one), False) is False for one in given)
        self._alive += made
        for one, before in zip(made, earlier[1], strict=True):
            self._known[id(one)] = mixed = self._mixes(before, one)
            if mixed and fine and self.culprit is None:
                module = self.modules[-1] if self.modules else None
                self.culprit = Culprit(name, module, place_within(sys._getframe(1), call.__code__))

    @property
    def found(self) -> Culprit | None:
        """What is to blame; None where the two calls took different ways."""
        return None if self._lost else self.culprit


def blame(module: Any, first: Given, second: Given, mixes: Judge) -> Culprit | None:
    """The operation of two calls that is to blame; None where they took different ways."""
    record = _Record()
    call(module, *first, record)
    comparison = _Comparison(record, mixes)
    call(module, *second, comparison)
    return comparison.found


def share(one: Tensor, other: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    scale = float(one.abs().max()) or 1.0
    return float((one - other).abs().max()) / scale
