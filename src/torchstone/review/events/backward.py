"""Gradients that are computed.

`backward`: before `torch.autograd.backward`, subject the first tensor; `retain_graph`, `create_graph`,
`inputs`, `autocast` (in sampled steps, whether it runs inside of autocast). `backward_ended`: after it.
`gradient`: after `torch.autograd.grad`, subject the first output; `inputs`, `create_graph`, `result`.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Replaces `torch.autograd.backward`, which `Tensor.backward` calls, and `torch.autograd.grad`."""
    original, original_grad = torch.autograd.backward, torch.autograd.grad

    @functools.wraps(original)
    def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
        if stream.quiet:
            return original(tensors, *args, **kwargs)
        first = _first(tensors)
        told = {
            "retain_graph": kwargs.get("retain_graph", args[1] if len(args) > 1 else None),
            "create_graph": kwargs.get("create_graph", args[2] if len(args) > 2 else False),
            "inputs": kwargs.get("inputs"),
            "autocast": stream.sampled
            and (torch.is_autocast_enabled("cuda") or torch.is_autocast_enabled("cpu")),
        }
        stream.emit("backward", first, **told)
        stream.backwards += 1
        try:
            result = original(tensors, *args, **kwargs)
        finally:
            stream.backwards -= 1
        stream.emit("backward_ended", first, **told)
        return result

    @functools.wraps(original_grad)
    def grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if stream.quiet:
            return original_grad(outputs, inputs, *args, **kwargs)
        stream.backwards += 1
        try:
            result = original_grad(outputs, inputs, *args, **kwargs)
        finally:
            stream.backwards -= 1
        create = kwargs.get("create_graph", args[2] if len(args) > 2 else False)
        if stream.follow is not None and not create and not stream.quiet:
            try:
                stream.follow()
            except Exception as error:
                stream.fail(error)
        stream.emit("gradient", _first(outputs), inputs=inputs, create_graph=create, result=result)
        return result

    stream.replace(torch.autograd, "backward", backward)
    stream.replace(torch.autograd, "grad", grad)


def _first(tensors: Any) -> Any:
    if isinstance(tensors, torch.Tensor):
        return tensors
    return next(iter(tensors), None) if isinstance(tensors, list | tuple) else None
