"""What a loss was computed from: the tensors at the ends of its graph, and those that nobody trains."""

from __future__ import annotations

import gc
import sys
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchstone.review.gradients import Gradients
    from torchstone.review.stream import Event, Stream

_MOST_NODES = 50_000
"""A larger graph is not walked."""

_MOST_WATCHED = 64
"""So many neglected tensors are followed."""

_MEASURED = 32
"""Of so many parameters the gradients are measured."""

_NUMBERS = 64
"""So many first numbers of a tensor tell whether it was changed."""


def leaves(event: Event) -> list[Any]:
    """The tensors that a `backward` event will give gradients; one walk for all that ask."""
    known = event.values.get("leaves")
    if known is None:
        known = event.values["leaves"] = [] if event.inputs is not None else _walk(event.subject)
    found: list[Any] = known
    return found


def _walk(tensor: Any) -> list[Any]:
    start = getattr(tensor, "grad_fn", None)
    waiting, seen, found = [start], {start}, []
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        if type(node).__name__ == "AccumulateGrad":
            found.append(node.variable)
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
        if len(seen) > _MOST_NODES:
            return []
    return found


@dataclass
class _Sight:
    """A neglected tensor, by a reference that does not keep it."""

    tensor: weakref.ref[Any]
    numbers: Any
    steps: set[int]


class Neglected:
    """Follows tensors that get gradients while no optimizer holds them and nothing else changes them."""

    def __init__(self, stream: Stream, gradients: Gradients) -> None:
        self._stream = stream
        self._gradients = gradients
        self._sights: dict[int, _Sight] = {}

    def look(self, event: Event, times: int) -> list[Any]:
        """The tensors that were seen so at backward passes of so many steps; to be asked in sampled steps."""
        counts: list[tuple[Any, int]] | None = event.values.get("neglected")
        if counts is None:
            held = [account.identities(one) for one, account in list(self._gradients.accounts.items())]
            free = [leaf for leaf in leaves(event) if not any(id(leaf) in own for own in held)]
            counts = [(leaf, self._seen(leaf)) for leaf in free[:_MOST_WATCHED]]
            event.values["neglected"] = counts
        return [leaf for leaf, count in counts if count >= times]

    def _seen(self, leaf: Any) -> int:
        known = self._sights.get(id(leaf))
        if known is None or known.tensor() is not leaf:
            if known is None and len(self._sights) >= 16 * _MOST_WATCHED:
                return 0
            known = self._sights[id(leaf)] = _Sight(weakref.ref(leaf), numbers_of(leaf), set())
        elif known.numbers != numbers_of(leaf):
            known.numbers = None  # it is trained in a way of its own
        if len(known.steps) < 8:
            known.steps.add(self._stream.step)
        return 0 if known.numbers is None else len(known.steps)


def numbers_of(tensor: Any) -> Any:
    """Some numbers of a tensor, to be compared with later ones; None where there are none."""
    plain = tensor.detach()
    if type(plain).__module__.split(".")[0] != "torch" or plain.is_sparse or plain.is_meta:
        return None
    if not plain.is_contiguous() or plain.untyped_storage().size() == 0:  # its memory may be let go for now
        return None
    return tuple(plain.view(-1)[:_NUMBERS].tolist())


def gradient_lengths(event: Event, dimensions: int = 0) -> list[tuple[Any, float]]:
    """The length of the gradients of some parameters, spread over an optimizer's; waits for the device.

    Args:
        event: of the optimizer; what one detector has measured, another one does not measure again.
        dimensions: that a parameter must have to be measured.
    """
    held = [one for group in event.subject.param_groups for one in group["params"] if one.grad is not None]
    held = [one for one in held if one.dim() >= dimensions]
    some = held[:: max(1, len(held) // _MEASURED)]
    some = [one for one in some if not one.grad.is_sparse and not one.is_meta]
    known: dict[int, float] = event.values.setdefault("lengths", {})
    for one in some:
        if id(one) not in known:
            known[id(one)] = float(one.grad.norm())
    return [(one, known[id(one)]) for one in some]


def abandoned(optimizer: Any) -> bool:
    """Whether no module, nor anything else by a name, has any of an optimizer's parameters; takes a while."""
    held = [parameter for group in optimizer.param_groups for parameter in group["params"]][:4]
    return not any(
        type(owner) is dict and any(value is parameter for value in owner.values())
        for parameter in held
        for owner in gc.get_referrers(parameter)
    )


def is_wrapped(tensor: Any) -> bool:
    """Whether a tensor stands for many inside of `torch.func`, and must not leave it."""
    inside: bool = sys.modules["torch"]._C._functorch.is_functorch_wrapped_tensor(tensor)
    return inside
