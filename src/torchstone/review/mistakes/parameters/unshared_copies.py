"""Two copies of a module take the two sides of a comparison, begin equal, and drift apart.

## What it does
Looks in the first steps for two modules of the same class that begin with the same weights, are both trained,
take different inputs of the same shape, and whose outputs are subtracted from each other on the way to the
loss. When their weights are not the same any more, that is reported.

## Why is this bad?
In a siamese net both sides are one net: a distance means something only when the same function maps both
inputs. `copy.deepcopy` makes a second net that is equal until the first step. From then on equal inputs
have different outputs, and each half learns from half of the data.

## References
- [Signature verification using a siamese time delay neural network](https://papers.nips.cc/paper_files/paper/1993/hash/288cc0ff022877bd3df94bc9360b9c5d-Abstract.html)
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review import graphs
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import way_back
from torchstone.review.leaves import numbers_of
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS512"
NAME = "unshared-copies"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import copy

        import torch
        from torch import nn

        torch.manual_seed(0)
        left = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
        right = copy.deepcopy(left)
        optimizer = torch.optim.SGD([*left.parameters(), *right.parameters()], lr=0.1)
        for step in range(6):
            one, other, alike = torch.randn(8, 6), torch.randn(8, 6), torch.rand(8).round()
            distance = (left(one) - right(other)).norm(dim=1)  # TS512
            loss = (alike * distance + (1 - alike) * torch.relu(1 - distance)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in range(6):
        one, other, alike = torch.randn(8, 6), torch.randn(8, 6), torch.rand(8).round()
        distance = (net(one) - net(other)).norm(dim=1)
        loss = (alike * distance + (1 - alike) * torch.relu(1 - distance)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    """,
)

_STEPS = 10
"""In the first steps two copies that are not one drift apart."""

_TIMES = 2
_MOST = 64
_NODES = 2_000


@dataclass
class _Call:
    """A call of a module that has parts, since the last backward pass.

    Args:
        module: it.
        given: the identity of the tensor that it was called with.
        shape: of that.
        number: of the operation that made its output, as autograd counts.
        place: where.
    """

    module: weakref.ref[Any]
    given: int
    shape: tuple[int, ...]
    number: int
    place: Place | None


class Watch(Detector):
    """Compares modules of one class that are called beside each other."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._calls: list[_Call] = []
        self._pairs: dict[tuple[int, int], int] = {}
        """Of pairs that were equal when they were first called: how often they differed since."""

    @sampled
    def on_forward(self, event: Event) -> None:
        """A module with parts is called with one tensor and gives one."""
        module, output = event.subject, event.output
        if self.stream.step >= _STEPS or not event.recording or not module._modules or event.kwargs:
            return
        node = output.grad_fn if is_tensor(output) else None
        if node is None or len(event.args) != 1 or not is_tensor(event.args[0]):
            return
        given = event.args[0]
        if len(self._calls) < _MOST:
            call = _Call(weakref.ref(module), id(given), tuple(given.shape), node._sequence_nr(), event.place)
            self._calls.append(call)

    @sampled
    def on_backward(self, event: Event) -> None:
        """Which of them are compared, and whether they are still equal."""
        calls, self._calls = self._calls, []
        if self.stream.step >= _STEPS:
            return
        pairs = [
            (one, other)
            for number, one in enumerate(calls)
            for other in calls[number + 1 :]
            if one.given != other.given and one.shape == other.shape and _are_alike(one, other)
        ]
        compared = _subtracted(event.subject) if pairs else set()
        for one, other in pairs:
            if (one.number, other.number) in compared or (other.number, one.number) in compared:
                self._judge(event, one, other)

    def _judge(self, event: Event, one: _Call, other: _Call) -> None:
        left, right = one.module(), other.module()
        if left is None or right is None:
            return
        key = id(left), id(right)
        if key not in self._pairs:
            # What began differently was not meant to be one.
            self._pairs[key] = 0 if _are_equal(left, right) else -_STEPS
        elif not _are_equal(left, right):
            self._pairs[key] += 1
        if self._pairs[key] < _TIMES or not (self.gradients.trains(left) and self.gradients.trains(right)):
            return
        names = f"`{self.names.module(left)}` and `{self.names.module(right)}`"
        self.found(
            f"{names} were equal at the start, take the two sides of a difference, and drift apart",
            why="a distance means something only when the same net maps both inputs",
            place=other.place,
            fix="Call one module for both inputs.",
            related=((one.place, "the other side"), (event.place, "each is trained by its own side")),
            cause=key,
            module=type(left).__name__,
            input_shape=list(one.shape),
        )


def _are_alike(one: _Call, other: _Call) -> bool:
    """Whether two calls are of two modules of one class that share nothing."""
    left, right = one.module(), other.module()
    if left is None or right is None or left is right or type(left) is not type(right):
        return False
    first, second = list(left.parameters()), list(right.parameters())
    if not first or [tuple(each.shape) for each in first] != [tuple(each.shape) for each in second]:
        return False
    return {id(each) for each in first}.isdisjoint(id(each) for each in second)


def _are_equal(left: Any, right: Any) -> bool:
    """Whether the weights of two modules, which are no constants, have the same first numbers."""
    pairs = list(zip(left.parameters(), right.parameters(), strict=True))
    told = [(numbers_of(one), numbers_of(other)) for one, other in pairs]
    if any(one is None or other is None for one, other in told):
        return False
    return all(one == other for one, other in told) and any(len(set(one)) > 1 for one, _ in told)


def _subtracted(loss: Any) -> set[tuple[int, int]]:
    """The numbers of each two operations behind a loss whose results are subtracted from each other."""
    found = set()
    for node in way_back(loss, _NODES):
        if node is None:
            break
        if graphs.operation(node) != "Sub" or len(node.next_functions) < 2:
            continue
        sides = [side for side, _ in node.next_functions[:2]]
        if None not in sides:
            found.add((sides[0]._sequence_nr(), sides[1]._sequence_nr()))
    return found
