"""A call of a module that is made once more, under full instrumentation, to see where a bad value came from.

A detector asks for it when it has seen a value that is not finite; until then nothing here runs, and
`install` has nothing to replace. What the call changes is put back: buffers, random states, and what the
user's code reaches; a call of which that cannot be said is not made (see `review/reach.py`). Nothing is
printed, no gradient is stored, and compiled modules are run as they were written.
"""

from __future__ import annotations

import contextlib
import random
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from torchstone.review.calls import Call
from torchstone.review.crashes import tensors
from torchstone.review.events.tracing import Tracer
from torchstone.review.reach import Reach, written_back
from torchstone.review.silence import silence
from torchstone.review.stream import Stream

_MOST_VALUES = 200_000_000
"""Of so many parameters copies are made, where the user's code may write into them."""


def install(stream: Stream) -> None:
    """Nothing is replaced; see above."""


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
    samples = given[0].shape[0] if given and given[0].dim() else None
    tracer = kind(samples, replay.__code__)
    with torch.enable_grad(), _following(tracer), torch.compiler.set_stance("force_eager"):
        if state is not None:
            torch.set_rng_state(state)
        with tracer:
            output = module(*args, **kwargs)
    return tracer, output


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
