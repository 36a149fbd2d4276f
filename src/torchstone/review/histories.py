"""Which graphs of operations were gone back through, and how their parts came into the next one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from torchstone.review.assignments import made_at
from torchstone.review.crashes import Crash, place_of, tensors
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import way_back
from torchstone.review.objects import is_tensor
from torchstone.review.places import locals_of

if TYPE_CHECKING:
    from torchstone.review.naming import Names
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

_MOST = 256
"""So many results, arguments and losses are kept in mind, by number."""


@dataclass
class Reuse:
    """What was gone back through twice.

    Args:
        how: a loss (`same`), an earlier loss in a later one (`sum`), a module's own result given to its next
            call (`carried`), an attribute of a module (`kept`), another result (`shared`), or not known.
        earlier: the first backward pass, or the line that the shared result comes from.
        place: the line that brought it into the second graph.
        name: of what is shared, where it is known.
    """

    how: Literal["same", "sum", "carried", "kept", "shared", "unknown"]
    earlier: Place | None = None
    place: Place | None = None
    name: str | None = None


class Histories:
    """Remembers results by the number that autograd gave their operations; keeps no tensor."""

    def __init__(self) -> None:
        self._count = 0
        self._done: dict[int, Place | None] = {}
        self._returned: dict[int, tuple[int, int, Place | None]] = {}
        self._given: dict[int, list[tuple[int, Place | None]]] = {}

    def gone_back(self, event: Event) -> None:
        """A backward pass ended."""
        self._count += 1
        node = getattr(event.subject, "grad_fn", None)
        if node is not None:
            _keep(self._done, node._sequence_nr(), event.place)

    def given(self, event: Event) -> None:
        """A module is called by the program."""
        for number in _numbers((*event.args, *event.kwargs.values())):
            calls = self._given.get(number, [])
            _keep(self._given, number, [*calls[-7:], (id(event.subject), event.place)])

    def returned(self, event: Event) -> None:
        """It returned."""
        for number in _numbers(event.output):
            _keep(self._returned, number, (id(event.subject), self._count, event.place))

    def reuse(self, crash: Crash, names: Names) -> Reuse:
        """How the graph of a loss comes to be gone back through twice."""
        loss = crash.backward_of()
        if loss is None or loss.grad_fn is None:
            return Reuse("unknown")
        first = loss.grad_fn._sequence_nr()
        if first in self._done:
            return Reuse("same", self._done[first])
        numbers = {node._sequence_nr() for node in way_back(loss) if node is not None}
        summed = next((number for number in sorted(self._done) if number in numbers), None)
        if summed is not None:
            return Reuse("sum", self._done[summed])
        shared = self._through_module(numbers)
        if shared is None or shared.place is None:
            shared = _through_attribute(names) or shared
        return shared or _variable(crash)

    def _through_module(self, numbers: set[int]) -> Reuse | None:
        old = [
            number
            for number in sorted(numbers & self._returned.keys(), reverse=True)
            if self._returned[number][1] < self._count
        ]
        for number in old:
            module, _, made = self._returned[number]
            calls = self._given.get(number, [])
            if len(calls) == 1 and calls[0][0] == module:
                return Reuse("carried", made, calls[0][1])
        for number in old:
            calls = self._given.get(number, [])
            return Reuse("shared", self._returned[number][2], calls[-1][1] if calls else None)
        return None


class FollowsGraphs(Detector):
    """A detector that is told how a graph came to be gone back through twice."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._histories = Histories()

    @sampled
    def on_forward_began(self, event: Event) -> None:
        """Results that are given on."""
        if event.recording:
            self._histories.given(event)

    @sampled
    def on_forward(self, event: Event) -> None:
        """Results that are made."""
        if event.root and event.recording:
            self._histories.returned(event)

    @sampled
    def on_backward_ended(self, event: Event) -> None:
        """A graph that is freed."""
        self._histories.gone_back(event)

    def on_crash(self, event: Event) -> None:
        """What the second pass has to do with the first."""
        crash = Crash(event.subject)
        if crash.kind == "second":
            self.explain(crash, self._histories.reuse(crash, self.names))

    def explain(self, crash: Crash, reuse: Reuse) -> None:
        """Reports it, if it is of the detector's kind."""
        raise NotImplementedError


def _through_attribute(names: Names) -> Reuse | None:
    """A tensor with a history that a module keeps as an attribute."""
    for root, called in names.roots():
        for path, module in root.named_modules():
            for name, value in vars(module).items():
                if not name.startswith("_") and any(one.grad_fn is not None for one in tensors(value)):
                    return Reuse("kept", name=f"{called}{'.' if path else ''}{path}.{name}")
    return None


def _variable(crash: Crash) -> Reuse:
    """A variable of the user's whose own history is gone."""
    for frame, line in reversed(crash.users):
        for name, value in locals_of(frame).items():
            if is_tensor(value) and value.grad_fn is not None and _is_freed(value.grad_fn):
                return Reuse("shared", made_at(frame, line, name), place_of((frame, line)), name)
    return Reuse("unknown")


def _is_freed(node: Any) -> bool:
    """Whether what an operation kept for its backward pass is gone."""
    try:
        for name in dir(node):
            if name.startswith("_saved_"):
                getattr(node, name)
    except RuntimeError as error:
        return "second time" in str(error)
    return False


def _numbers(values: Any) -> list[int]:
    if "torch" not in sys.modules:
        return []
    return [one.grad_fn._sequence_nr() for one in tensors(values) if one.grad_fn is not None]


def _keep(held: dict[int, Any], number: int, value: Any) -> None:
    held.pop(number, None)
    held[number] = value
    if len(held) > _MOST:
        del held[next(iter(held))]
