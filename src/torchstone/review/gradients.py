"""Whose gradients came, were cleared and were used, and in which order: kept for all detectors at once."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from torchstone.review.detector import sampled
from torchstone.review.objects import ByIdentity, is_module, is_number, is_tensor
from torchstone.review.pausing import STEADY

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event, Stream

_PROBED = 8
"""So many parameters of an optimizer are looked at to see whether a backward pass gave it gradients."""

_PASSES = 64
"""So many calls of modules are kept in mind at once."""


class Pass:
    """A module that was called since the last backward pass.

    Args:
        module: it.
        place: where.
        recording: gradients were recorded.
        attached: its output has a history.
        root: the program itself called it, not another module.
    """

    __slots__ = ("attached", "module", "place", "recording", "root")

    def __init__(self, event: Event) -> None:
        self.module = weakref.ref(event.subject)
        self.place = event.place
        self.recording: bool = event.recording
        self.attached = any(one.grad_fn is not None for one in tensors(event.output))
        self.root: bool = event.root

    @property
    def learns(self) -> bool:
        """Whether the module has parameters that want gradients."""
        module = self.module()
        return module is not None and any(one.requires_grad for one in module.parameters())


class Account:
    """What happened to the gradients of one optimizer. Times are those of `Gradients.now`; 0 is never."""

    def __init__(self) -> None:
        self.gave = 0
        """A backward pass ended that gave it gradients."""
        self.gave_first = 0
        self.gave_place: Place | None = None
        self.cleared = 0
        """`zero_grad` was called on it, or on a module that has its parameters."""
        self.cleared_place: Place | None = None
        self.began = 0
        """Its step began; with a closure, gradients may come before the step ends."""
        self.stepped = 0
        """Its step ended."""
        self.stepped_first = 0
        self.stepped_before = 0
        """The step before the last one ended."""
        self.steps = 0
        self._identities: frozenset[int] = frozenset()
        self._groups = 0
        self._shares: ByIdentity[bool] = ByIdentity()
        self._probed: list[weakref.ref[Any]] = []
        self._before: list[tuple[int, int] | None] = []

    def identities(self, optimizer: Any) -> frozenset[int]:
        """The identities of the optimizer's parameters."""
        groups = len(optimizer.param_groups)
        if groups != self._groups:
            self._groups = groups
            held = list(parameters(optimizer))
            self._identities = frozenset(id(one) for one in held)
            self._probed = [weakref.ref(one) for one in held[:: max(1, len(held) // _PROBED)]]
        return self._identities

    def shares(self, optimizer: Any, module: Any) -> bool:
        """Whether a module has a parameter of the optimizer."""
        known = self._shares.get(module)
        if known is None:
            own = self.identities(optimizer)
            known = any(id(parameter) in own for parameter in module.parameters())
            self._shares[module] = known
        return known

    def look(self, optimizer: Any) -> None:
        """Which gradients are there, before a backward pass."""
        if len(optimizer.param_groups) != self._groups:
            self.identities(optimizer)
        self._before = [_identity(reference()) for reference in self._probed]

    def took(self) -> bool:
        """Whether gradients came since the last look."""
        before, self._before = self._before, []
        for reference, old in zip(self._probed, before, strict=False):
            new = _identity(reference())
            if new is not None and new != old:
                return True
        return False


def _identity(parameter: Any) -> tuple[int, int] | None:
    """What tells a parameter's gradient from another one, and from itself after a change."""
    gradient = None if parameter is None else parameter.grad
    return None if gradient is None else (id(gradient), gradient._version)


class Gradients:
    """Keeps an account for each optimizer of the program; detectors are told of an event after it."""

    PAUSES = STEADY

    def __init__(self, stream: Stream) -> None:
        self.now = 0
        """Counts events."""
        self.backward = 0
        """The last backward pass, of anything, ended."""
        self.computed = 0
        """`torch.autograd.grad` was last called."""
        self.forward = 0
        """A module was last called by the program itself, with gradients recorded."""
        self.passes: list[Pass] = []
        """The calls of modules since the last backward pass, in sampled steps: those by the program itself,
        and those by other modules that recorded no gradients."""
        self.accounts: ByIdentity[Account] = ByIdentity()
        self._known: dict[int, tuple[weakref.ref[Any], Account]] = {}
        self._stream = stream
        stream.left_out.append(self._left_out)
        self._last = 0
        """A step last ended."""

    def of(self, optimizer: Any) -> Account:
        """The account of an optimizer."""
        known = self._known.get(id(optimizer))  # asked for several times a step
        if known is not None and known[0]() is optimizer:
            return known[1]
        account = self.accounts[optimizer] = Account()
        self._known = {key: held for key, held in self._known.items() if held[0]() is not None}
        self._known[id(optimizer)] = weakref.ref(optimizer), account
        return account

    def each(self) -> list[tuple[Any, Account]]:
        """The optimizers with their accounts."""
        found = [(reference(), account) for reference, account in self._known.values()]
        return [(optimizer, account) for optimizer, account in found if optimizer is not None]

    def owners(self, held: list[Any]) -> list[tuple[Any, Account]]:
        """The optimizers that have one of some parameters, with their accounts."""
        wanted = {id(parameter) for parameter in held}
        return [
            (optimizer, account)
            for optimizer, account in self.each()
            if not wanted.isdisjoint(account.identities(optimizer))
        ]

    def trains(self, module: Any) -> bool:
        """Whether an optimizer has a parameter of a module."""
        return any(account.shares(optimizer, module) for optimizer, account in self.each())

    def _left_out(self, steps: int) -> None:
        """So many steps were made in a pause, of the one optimizer that makes them."""
        for _, account in self._known.values():
            if account.stepped == self._last:
                account.steps += steps

    def on_optimizer_made(self, event: Event) -> None:
        """A new account."""
        self.of(event.subject)

    def on_forward_began(self, event: Event) -> None:
        """A module is called."""
        if event.recording:
            self.now += 1
            self.forward = self.now

    @sampled
    def on_forward(self, event: Event) -> None:
        """A module was called."""
        if (event.root or not event.recording) and len(self.passes) < _PASSES:
            self.passes.append(Pass(event))

    def on_backward(self, event: Event) -> None:
        """Gradients will come."""
        for reference, account in self._known.values():
            optimizer = reference()
            if optimizer is not None:
                account.look(optimizer)

    def on_backward_ended(self, event: Event) -> None:
        """Who was given some."""
        self.now += 1
        self.backward = self.now
        self.passes.clear()
        for _, account in self._known.values():
            if account.took():
                account.gave = self.now
                account.gave_first = account.gave_first or self.now
                if self._stream.sampled or account.gave_place is None:
                    account.gave_place = event.place or account.gave_place

    def on_gradient(self, event: Event) -> None:
        """Gradients that are returned."""
        self.now += 1
        self.computed = self.now

    def on_cleared(self, event: Event) -> None:
        """Whose gradients are gone."""
        self.now += 1
        subject = event.subject
        known = id(subject) in self._known
        cleared = (
            [(subject, self.of(subject))]
            if known or not is_module(subject)
            else [
                (optimizer, account)
                for optimizer, account in self.each()
                if account.shares(optimizer, subject)
            ]
        )
        for _, account in cleared:
            account.cleared = self.now
            if self._stream.sampled or account.cleared_place is None:
                account.cleared_place = event.place or account.cleared_place

    def on_step_began(self, event: Event) -> None:
        """An optimizer is at work."""
        self.now += 1
        self.of(event.subject).began = self.now

    def on_step_ended(self, event: Event) -> None:
        """An optimizer has used its gradients."""
        self.now += 1
        account = self.of(event.subject)
        account.steps += 1
        account.stepped_before, account.stepped = account.stepped, self.now
        self._last = self.now
        account.stepped_first = account.stepped_first or self.now


def tensors(value: Any, depth: int = 3) -> list[Any]:
    """The tensors in nested tuples, lists and dictionaries."""
    if is_tensor(value):
        return [value]
    kind = type(value)
    if issubclass(kind, dict):
        value = list(value.values())
    elif not issubclass(kind, (list, tuple)):
        return []
    if not depth:
        return []
    return [tensor for part in value for tensor in tensors(part, depth - 1)]


def parameters(optimizer: Any) -> Iterator[Any]:
    """All parameters of an optimizer."""
    return (parameter for group in optimizer.param_groups for parameter in group["params"])


def rate_of(group: Any) -> float | None:
    """The rate of a group of parameters; None where the optimizer has no such thing."""
    rate = group.get("lr")
    if is_tensor(rate):
        return float(rate) if is_number(rate) else None
    return float(rate) if isinstance(rate, int | float) else None


def has_no_gradient(optimizer: Any) -> bool:
    """Whether no parameter of an optimizer has a gradient other than zero; waits for the device."""
    gradients = (parameter.grad for parameter in parameters(optimizer))
    return not any(bool(_values(one).any()) for one in gradients if one is not None)


def _values(gradient: Any) -> Any:
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def versions(optimizer: Any) -> list[Any]:
    """Of some gradients, spread over the optimizer's parameters: which tensor, how often it was changed."""
    held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    gradients = [one.grad for one in held[:: max(1, len(held) // _PROBED)]]
    return [None if one is None else (id(one), one._version) for one in gradients]


def way_back(loss: Any, most: int = 20_000, stop: Callable[[str], Any] = lambda name: False) -> Iterator[Any]:
    """The nodes of the graph behind a tensor, each once; those of leaves have their tensor as `variable`.

    Args:
        loss: a tensor.
        most: so many nodes at the most; `None` follows where there are more.
        stop: whether it goes no further behind a node of a name.
    """
    waiting = [loss.grad_fn] if loss.grad_fn is not None else []
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        yield node
        if len(seen) > most:
            yield None
            return
        if stop(node.name()):
            continue
        for behind, _ in node.next_functions:
            if behind is not None and behind not in seen:
                seen.add(behind)
                waiting.append(behind)
