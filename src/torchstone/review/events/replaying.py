"""A call of a module that is made once more, under full instrumentation, to see where a bad value came from.

A detector asks for it when it has seen a value that is not finite; until then nothing here runs, and
`install` has nothing to replace. What the call changes is put back: buffers, random states, and what the
user's code reaches; a call of which that cannot be said is not made (see `review/reach.py`). Nothing is
printed, no gradient is stored, and compiled modules are run as they were written.
"""

from __future__ import annotations

import contextlib
import math
import random
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from torchstone.review.calls import Call
from torchstone.review.crashes import tensors
from torchstone.review.places import Place, is_users
from torchstone.review.reach import Reach, written_back
from torchstone.review.silence import silence
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

_MOST_VALUES = 200_000_000
"""Of so many parameters copies are made, where the user's code may write into them."""


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


def random_state() -> Tensor:
    """The state of torch's generator on the CPU."""
    return torch.get_rng_state()


def is_random_state(state: Tensor) -> bool:
    """Whether that is the present state: nothing was drawn since."""
    return torch.equal(state, torch.get_rng_state())


def is_transformed() -> bool:
    """Whether this is inside of a transform such as `torch.func.grad`."""
    inside: Any = torch._C._functorch
    return inside.peek_interpreter_stack() is not None


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
    """

    def __init__(self, batch: int | None) -> None:
        super().__init__()
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
            self.note(name, tensors((args, kwargs or {})), tensors(made), _place(sys._getframe(1)))
        return result

    def note(self, name: str, given: list[Tensor], made: list[Tensor], place: Place | None) -> None:
        """Takes account of an operation."""
        module = self.modules[-1] if self.modules else None
        for tensor in made:
            self._note_nodes(tensor, given, (name, module, place))
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
        place = _place(sys._getframe(1))
        for tensor in made:
            name = "forward" if tensor.grad_fn is None else _plain(tensor.grad_fn.name())
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
        ranges = [_range(tensor) for tensor in given if tensor.is_floating_point() and tensor is not made]
        rows = self._rows(made)
        return Operation(
            name, module, place, ranges[:4], nan, rows, dtype=str(made.dtype).removeprefix("torch.")
        )

    def _of_input(self, tensor: Tensor) -> Operation:
        known = self._known.get(id(tensor))
        if known is not None:
            return known[1]
        if not bool(tensor.isnan().any()) and not isinstance(tensor, nn.Parameter):
            return MASK  # infinities of a constant
        return Operation("", None, None, nan=True, holder=tensor, rows=self._rows(tensor))

    def _rows(self, tensor: Tensor) -> list[int]:
        if self._batch is None or tensor.dim() < 1 or tensor.shape[0] != self._batch:
            return []
        bad = ~tensor.detach().reshape(self._batch, -1).isfinite().all(1)
        return [int(row) for row in bad.nonzero().flatten()[:16]]

    def _note_nodes(self, tensor: Tensor, given: list[Tensor], told: Any) -> None:
        """The nodes that came to be since the inputs."""
        waiting = [tensor.grad_fn] if tensor.grad_fn is not None else []
        before = {one.grad_fn for one in given if one is not tensor}
        while waiting:
            node = waiting.pop()
            if node in self.nodes or node in before or hasattr(node, "variable"):
                continue
            self.nodes[node] = told
            waiting.extend(behind for behind, _ in node.next_functions if behind is not None)


def _place(frame: FrameType | None) -> Place | None:
    """The user's line in a replayed call; what called for the replay is no part of it."""
    while frame is not None and frame.f_code is not replay.__code__:
        if is_users(frame.f_code.co_filename):
            return Place(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None


def _range(tensor: Tensor) -> dict[str, Any]:
    values = tensor.detach()
    finite = values[values.isfinite()]
    whole = {"shape": list(tensor.shape), "bad": values.numel() - finite.numel()}
    if finite.numel() and not tensor.is_complex():
        whole |= {"least": float(finite.min()), "greatest": float(finite.max())}
    return whole


def _plain(name: str) -> str:
    """`log` for `LogBackward0`."""
    head = name.split("::")[-1].partition("Backward")[0]
    return head[:1].lower() + head[1:]


class Changes(Tracer):
    """Follows the operations that change a tensor in place, instead of values that are not finite."""

    def __init__(self, batch: int | None) -> None:
        super().__init__(batch)
        self.made: list[tuple[int, str, Place | None]] = []
        """Storage, operation and line of each change."""
        self.storages: dict[Any, set[int]] = {}
        """What the operation of each node was given and made."""
        self._alive: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = tensors((args, kwargs or {}))
        versions = [tensor._version for tensor in given]
        result = func(*args, **(kwargs or {}))
        name, place = getattr(func, "__name__", ""), _place(sys._getframe(1))
        if name in ("__get__", "__set__"):
            return result
        made = tensors(result)
        self._alive += made
        for tensor, version in zip(given, versions, strict=True):
            if tensor._version != version:
                self.made.append((_storage(tensor), name, place))
        for tensor in made:
            self._note_nodes(tensor, given, (name, self.modules[-1] if self.modules else None, place))
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
        for node in _nodes([tensor.grad_fn for tensor in tensors(values) if tensor.grad_fn is not None])
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


def replay(module: Any, args: Any, kwargs: Any, state: Any, kind: type[Tracer] = Tracer) -> tuple[Any, Any]:
    """Calls a module once more, inside of `put_back`.

    Args:
        module: what was called.
        args: what it was given.
        kwargs: likewise.
        state: of the random generator, as `random_state` gave it; None for the present one.
        kind: what is followed.

    Returns:
        What was seen, and the output.
    """
    module = getattr(module, "_orig_mod", module)
    given = tensors((args, kwargs))
    tracer = kind(given[0].shape[0] if given and given[0].dim() else None)
    with torch.enable_grad(), _following(tracer), torch.compiler.set_stance("force_eager"):
        if state is not None:
            torch.set_rng_state(state)
        with tracer:
            output = module(*args, **kwargs)
    return tracer, output


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
    nodes = _nodes([tensor.grad_fn for tensor, _ in pairs])
    for node in nodes:
        node.register_hook(_looking(node, found))
    leaves = [node.variable for node in nodes if hasattr(node, "variable")]
    if not pairs or not leaves:
        return None, False
    torch.autograd.grad([t for t, _ in pairs], leaves, [g for _, g in pairs], allow_unused=True)
    if not found:
        return None, False
    node, made, given = found[0]
    name, module, place = tracer.nodes.get(node, (_plain(node.name()), None, None))
    saved = [_range(tensor) for tensor in given if tensor.is_floating_point()]
    rows = next((rows for rows in map(tracer._rows, made) if rows), [])
    nan = any(bool(tensor.isnan().any()) for tensor in made)
    return Operation(name, module, place, saved[:4], nan, rows), False


def _nodes(first: list[Any]) -> list[Any]:
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


@contextlib.contextmanager
def _following(tracer: Tracer) -> Iterator[None]:
    """Inside, the tracer knows which module is at work."""
    before, thread = vars(nn.Module)["__call__"], threading.get_ident()

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != thread:
            return before(self, *args, **kwargs)
        tracer.modules.append(self)
        try:
            output = before(self, *args, **kwargs)
            with torch._C.DisableTorchFunction():
                tracer.called(self, tensors((args, kwargs)), tensors(output))
        finally:
            tracer.modules.pop()
        return output

    type.__setattr__(nn.Module, "__call__", call)
    try:
        yield
    finally:
        type.__setattr__(nn.Module, "__call__", before)


def undoing(call: Call) -> Reach:
    """What a call changes; where that is not clean, it is not made once more."""
    module = call.module()
    reach = Reach(getattr(module, "_orig_mod", module), call.held, again=True)
    everywhere = vars(torch.nn.modules.module)
    if any(
        hooks
        for name, hooks in everywhere.items()
        if re.fullmatch(r"_global_(forward|backward)_(pre_)?hooks", name)
    ):
        reach.refuse("all modules have a hook")
    if reach.writes and sum(one.numel() for one in reach.module.parameters()) > _MOST_VALUES:
        reach.refuse("it may write into its parameters, which are too many to be copied")
    return reach


@contextlib.contextmanager
def put_back(reach: Reach) -> Iterator[None]:
    """What happens inside to the module and to what it reaches, and to random states, is undone."""
    module = reach.module
    numpy = sys.modules.get("numpy")
    states = random.getstate(), None if numpy is None else numpy.random.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    own = [*module.buffers(), *(module.parameters() if reach.writes else ())]
    undo = [written_back(tensor) for tensor in own if tensor.layout == torch.strided]
    preserving = vars(torch.autograd)["_unsafe_preserve_version_counter"]
    with contextlib.ExitStack() as stack:
        for tensor in (*own, *reach.tensors):
            if not tensor.is_inference():
                # Else the graph of the program would take it for changed.
                stack.enter_context(preserving(tensor))
        stack.enter_context(reach.put_back())
        stack.enter_context(_other_buffers(module))
        try:
            with torch.random.fork_rng(devices=devices), silence():
                yield
        finally:
            random.setstate(states[0])
            if numpy is not None:
                numpy.random.set_state(states[1])
            for each in undo:
                each()


@contextlib.contextmanager
def _other_buffers(module: Any) -> Iterator[None]:
    """Inside, a module has copies of its buffers: a graph would take its own for changed."""
    before = [(part._buffers, dict(part._buffers)) for part in module.modules()]
    made: dict[int, Tensor] = {}
    for held, own in before:
        for name, buffer in own.items():
            if buffer is not None:
                held[name] = made.setdefault(id(buffer), buffer.detach().clone())
    try:
        yield
    finally:
        for held, own in before:
            held.clear()
            held.update(own)
