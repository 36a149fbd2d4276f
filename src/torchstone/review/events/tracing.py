"""What is followed through the operations of a call and of its backward pass: values that are not finite.

A detector asks for it when it has seen one (see `replaying.py`); until then nothing here runs, and `install`
has nothing to replace.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from torchstone.review.crashes import tensors
from torchstone.review.places import Place, is_users, spot_of
from torchstone.review.stream import Stream
from torchstone.review.syntax.knowledge import words

_MASKING = frozenset(
    words(
        "masked_fill masked_fill_ full full_like new_full fill_ where __setitem__ tensor as_tensor scatter "
        "scatter_ index_fill index_fill_ masked_scatter clone contiguous"
    )
)
"""Operations that write what they are told to write: an infinity of theirs is meant."""

_MOST_NODES = 20_000


def install(stream: Stream) -> None:
    """Nothing is replaced; see above."""


@dataclass
class Operation:
    """Where a value that is not finite came from.

    Args:
        name: of the operation.
        module: that it ran in; None for outside of any.
        place: the user's line.
        inputs: name or position, least and greatest finite value, and number of those that are not finite.
        nan: whether it made NaN, and not infinities alone.
        rows: the samples of the batch that are bad, where they can be told.
        holder: the tensor that held it already, where no operation made it.
        dtype: of the result.
    """

    name: str
    module: Any
    place: Place | None
    inputs: list[dict[str, Any]] = field(default_factory=list)
    nan: bool = False
    rows: list[int] = field(default_factory=list)
    holder: Tensor | None = None
    dtype: str = ""


MASK = Operation("mask", None, None)
"""Stands for infinities that are meant."""


def is_bad(tensor: Any) -> bool:
    """Whether a tensor has a value that is not finite; waits for the device."""
    with torch.no_grad():
        return tensor.is_floating_point() and bool(tensor.numel()) and not bool(tensor.isfinite().all())


def any_bad(held: list[Tensor]) -> bool:
    """The same for many tensors, with one wait for each of their kinds."""
    kinds: dict[Any, list[Tensor]] = {}
    for tensor in held:
        if tensor.is_floating_point() and tensor.numel() and tensor.layout == torch.strided:
            kinds.setdefault((tensor.dtype, tensor.device), []).append(tensor.detach())
    # The sum of squares is fast; where it is too large for its type, it is no proof yet.
    with torch.no_grad():
        sums = [torch.stack(torch._foreach_norm(group)).sum() for group in kinds.values()]
        doubtful = [
            group
            for group, value in zip(kinds.values(), sums, strict=True)
            if not math.isfinite(value.item())
        ]
        return any(is_bad(tensor) for group in doubtful for tensor in group)


class Tracer(TorchFunctionMode):
    """Follows values that are not finite through the operations of a call.

    Args:
        batch: the number of samples, where it is known.
        end: the code that calls for the replay, which is no part of it.
    """

    def __init__(self, batch: int | None, end: CodeType) -> None:
        super().__init__()
        self.end = end
        self.modules: list[Any] = []
        self.nodes: dict[Any, tuple[str, Any, Place | None]] = {}
        """The operation that each node of the graph belongs to."""
        self._batch = batch
        self._known: dict[int, tuple[Tensor, Operation]] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name not in ("__get__", "__set__", "backward", "requires_grad_"):
            made = [args[0]] if name == "__setitem__" else result
            self.note(
                name, tensors((args, kwargs or {})), tensors(made), place_within(sys._getframe(1), self.end)
            )
        return result

    def note(self, name: str, given: list[Tensor], made: list[Tensor], place: Place | None) -> None:
        """Takes account of an operation."""
        module = self.modules[-1] if self.modules else None
        for tensor in made:
            self.note_nodes(tensor, given, (name, module, place))
            if id(tensor) in self._known or not is_bad(tensor):
                continue
            if name.endswith("_") or not any(one is tensor for one in given):
                self._known[id(tensor)] = tensor, self._origin(name, given, tensor, module, place)

    def origin(self, tensor: Tensor) -> Operation | None:
        """Where a result got a bad value from; None if it has none."""
        known = self._known.get(id(tensor))
        return None if known is None or known[1] is MASK else known[1]

    def called(self, module: Any, given: list[Tensor], made: list[Tensor]) -> None:
        """Takes account of a module, for what its operations did not show."""
        place = place_within(sys._getframe(1), self.end)
        for tensor in made:
            name = "forward" if tensor.grad_fn is None else plain(tensor.grad_fn.name())
            self.note(name, given, [tensor], place)

    def _origin(
        self, name: str, given: list[Tensor], made: Tensor, module: Any, place: Place | None
    ) -> Operation:
        nan = bool(made.isnan().any())
        earlier = [self._of_input(tensor) for tensor in given if is_bad(tensor) and tensor is not made]
        told = [operation for operation in earlier if operation is not MASK]
        if told:
            return told[0]
        if not nan and (earlier or (name in _MASKING and not bool((made == math.inf).any()))):
            return MASK
        ranges = [range_of(tensor) for tensor in given if tensor.is_floating_point() and tensor is not made]
        rows = self.rows(made)
        return Operation(
            name, module, place, ranges[:4], nan, rows, dtype=str(made.dtype).removeprefix("torch.")
        )

    def _of_input(self, tensor: Tensor) -> Operation:
        known = self._known.get(id(tensor))
        if known is not None:
            return known[1]
        if not bool(tensor.isnan().any()) and not isinstance(tensor, nn.Parameter):
            return MASK  # infinities of a constant
        return Operation("", None, None, nan=True, holder=tensor, rows=self.rows(tensor))

    def rows(self, tensor: Tensor) -> list[int]:
        """The samples that have a bad value, where a result has a row for each."""
        if self._batch is None or tensor.dim() < 1 or tensor.shape[0] != self._batch:
            return []
        bad = ~tensor.detach().reshape(self._batch, -1).isfinite().all(1)
        return [int(row) for row in bad.nonzero().flatten()[:16]]

    def note_nodes(self, tensor: Tensor, given: list[Tensor], told: Any) -> None:
        """The nodes that came to be since the inputs."""
        waiting = [tensor.grad_fn] if tensor.grad_fn is not None else []
        before = {one.grad_fn for one in given if one is not tensor}
        while waiting:
            node = waiting.pop()
            if node in self.nodes or node in before or hasattr(node, "variable"):
                continue
            self.nodes[node] = told
            waiting.extend(behind for behind, _ in node.next_functions if behind is not None)


def place_within(frame: FrameType | None, end: CodeType) -> Place | None:
    """The user's line in a call that a code of ours makes; what called for that is no part of it."""
    while frame is not None and frame.f_code is not end:
        if is_users(frame.f_code.co_filename):
            return spot_of(frame)
        frame = frame.f_back
    return None


def range_of(tensor: Tensor) -> dict[str, Any]:
    """The shape of a tensor, its least and greatest finite value, and how many are not finite."""
    values = tensor.detach()
    finite = values[values.isfinite()]
    whole = {"shape": list(tensor.shape), "bad": values.numel() - finite.numel()}
    if finite.numel() and not tensor.is_complex():
        whole |= {"least": float(finite.min()), "greatest": float(finite.max())}
    return whole


def plain(name: str) -> str:
    """`log` for `LogBackward0`."""
    head = name.split("::")[-1].partition("Backward")[0]
    return head[:1].lower() + head[1:]


def trace_back(
    tracer: Tracer, output: Any, gradients: list[tuple[int, Any]]
) -> tuple[Operation | None, bool]:
    """Goes back from a replayed output.

    Args:
        tracer: of the replay.
        output: its output.
        gradients: position among the tensors of the output, and the gradient that came to it.

    Returns:
        The operation whose backward made the first bad gradient, and whether one came bad already.
    """
    held = tensors(output)
    pairs = [(held[i], grad) for i, grad in gradients if i < len(held) and held[i].grad_fn is not None]
    pairs = [(tensor, grad) for tensor, grad in pairs if grad is not None and grad.shape == tensor.shape]
    if any(is_bad(grad) for _, grad in pairs):
        return None, True
    found: list[tuple[Any, list[Tensor], list[Tensor]]] = []
    nodes = nodes_behind([tensor.grad_fn for tensor, _ in pairs])
    for node in nodes:
        node.register_hook(_looking(node, found))
    leaves = [node.variable for node in nodes if hasattr(node, "variable")]
    if not pairs or not leaves:
        return None, False
    torch.autograd.grad([t for t, _ in pairs], leaves, [g for _, g in pairs], allow_unused=True)
    if not found:
        return None, False
    node, made, given = found[0]
    name, module, place = tracer.nodes.get(node, (plain(node.name()), None, None))
    saved = [range_of(tensor) for tensor in given if tensor.is_floating_point()]
    rows = next((rows for rows in map(tracer.rows, made) if rows), [])
    nan = any(bool(tensor.isnan().any()) for tensor in made)
    return Operation(name, module, place, saved[:4], nan, rows), False


def nodes_behind(first: list[Any]) -> list[Any]:
    """Some nodes of a graph, and those that they are computed from."""
    waiting, seen = list(first), dict.fromkeys(first)
    while waiting and len(seen) < _MOST_NODES:
        for behind, _ in waiting.pop().next_functions:
            if behind is not None and behind not in seen:
                seen[behind] = None
                waiting.append(behind)
    return list(seen)


def _looking(node: Any, found: list[Any]) -> Callable[[Any, Any], None]:
    """A hook that looks whether a node makes a bad gradient of good ones."""
    inputs = saved_by(node)

    def look(made: Any, given: Any) -> None:
        if found:
            return
        grads = [one for one in made if one is not None]
        if any(is_bad(one) for one in grads) and not any(one is not None and is_bad(one) for one in given):
            found.append((node, [one.detach() for one in grads], inputs))

    return look


def saved_by(node: Any) -> list[Tensor]:
    """What an operation kept for its backward pass."""
    held = []
    for name in dir(node):
        if name.startswith("_saved_"):
            with contextlib.suppress(RuntimeError):
                value = getattr(node, name)
                held += [value.detach()] if isinstance(value, Tensor) else []
    return held
