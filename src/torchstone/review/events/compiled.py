"""Compiled code: inside of it, PyTorch is as if nobody watched.

A compiled module is told as `forward` (see `forward.py`) when it was called: at its border.
"""

from __future__ import annotations

import functools
import importlib
import sys
from typing import Any

import torch

from torchstone.review.places import calling_frame
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
    from torch._dynamo import eval_frame

    context: Any = eval_frame._TorchDynamoContext
    module: Any = eval_frame.OptimizedModule
    made, called = context.__init__, module.__call__

    def enter() -> Any:
        stream.suspend()
        return stream.resume

    @functools.wraps(made)
    def make(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        self.enter_exit_hooks.append(enter)

    @functools.wraps(called)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if stream.quiet:
            return called(self, *args, **kwargs)
        inside = self._orig_mod
        if stream.names is not None:
            stream.names.know(inside, calling_frame())
        recording = torch.is_grad_enabled()
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
            training=inside.training,
            recording=recording,
        )
        return output

    stream.replace(context, "__init__", make)
    stream.replace(module, "__call__", call)
