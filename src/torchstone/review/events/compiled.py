"""Compiled code: inside of it, PyTorch is as if nobody watched.

A compiled module is told as `forward` (see `forward.py`) when it was called: at its border. An optimizer that
steps inside of compiled code is told as `step_ended` alone.
"""

from __future__ import annotations

import functools
import gc
import importlib
import sys
import weakref
from types import CodeType
from typing import Any

import torch

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Lets every compiled function begin by taking the replacements away, and end by bringing them back."""
    original = torch.compile
    done: list[bool] = []

    def prepare() -> None:
        if not done and not stream.closed:
            done.append(True)
            _enter_and_leave(stream)

    @functools.wraps(original)
    def compile(*args: Any, **kwargs: Any) -> Any:  # noqa: A001 - torch's name
        importlib.import_module("torch._dynamo")  # what torch.compile does itself
        prepare()
        with stream.suspended():  # it takes hold of the module's own `__call__`
            return original(*args, **kwargs)

    stream.replace(torch, "compile", compile)
    if "torch._dynamo.eval_frame" in sys.modules:
        prepare()


def _enter_and_leave(stream: Stream) -> None:
    from torch._dynamo import eval_frame, trace_rules

    trace_rules.add("torchstone.review")  # it would compile what is done when compiled code ends
    context: Any = eval_frame._TorchDynamoContext
    module: Any = eval_frame.OptimizedModule
    made, called = context.__init__, module.__call__
    entered: list[weakref.ref[Any]] = []

    def enter() -> Any:
        before = [] if stream.quiet else _versions(stream)
        stream.suspend()

        def leave() -> None:  # Dynamo looks at each function that is called here
            stream.resume()
            for optimizer, parameter, version in before:
                if parameter._version != version:  # it stepped inside: its beginning was not seen
                    stream.emit("step_ended", optimizer)
                    stream.advance(optimizer)

        return leave

    inner = [one for one in enter.__code__.co_consts if isinstance(one, CodeType)]
    for code in (*inner, Stream.resume.__code__, Stream._put.__code__, *stream.codes_of_switches()):
        eval_frame.skip_code(code)

    @functools.wraps(made)
    def make(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        begin_with(self)

    def begin_with(one: Any) -> None:
        if not isinstance(one, eval_frame.DisableContext):
            one.enter_exit_hooks.append(enter)
            entered.append(weakref.ref(one))

    def forget() -> None:
        for one in filter(None, (reference() for reference in entered)):
            one.enter_exit_hooks.remove(enter)

    @functools.wraps(called)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if stream.quiet:
            return called(self, *args, **kwargs)
        inside = self._orig_mod
        stream.know(inside)
        recording = torch.is_grad_enabled()
        stream.called(inside, recording)
        stream.emit("forward_began", inside, args=args, kwargs=kwargs, recording=recording)
        with stream.suspended():
            output = called(self, *args, **kwargs)
        stream.emit(
            "forward",
            inside,
            args=args,
            kwargs=kwargs,
            output=output,
            root=True,
            training=getattr(inside, "training", True),
            recording=recording,
        )
        return output

    for one in gc.get_objects():
        if issubclass(type(one), context):  # compiled before watching began
            begin_with(one)
    stream.at_end(forget)
    stream.replace(context, "__init__", make, always=True)
    stream.replace(module, "__call__", call)


def _versions(stream: Stream) -> list[tuple[Any, torch.Tensor, int]]:
    """One parameter of each optimizer, with its version."""
    try:
        firsts = [(one, next(iter(one.param_groups[0]["params"]), None)) for one in list(stream.optimizers)]
        return [(one, first, first._version) for one, first in firsts if first is not None]
    except Exception as error:  # an optimizer that is not complete, or has a class of its own
        stream.overlook(error)
        return []
