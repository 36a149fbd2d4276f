"""What is computed from tensors that a detector follows, for a few steps from the first of them on.

`derived`: subject the result; `name` of the operation, `operands`. A detector follows a tensor by adding its
identity to `stream.followed`; only gradients that `torch.autograd.grad` returned can be followed.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from torchstone.review.stream import Stream

_STEPS = 10
_OPERATORS = ("add", "radd", "iadd", "sub", "rsub", "isub", "mul", "rmul", "truediv", "pow")
_NAMED = ("norm", "sum", "mean", "pow", "square", "sqrt", "abs", "relu", "clamp", "flatten", "reshape", "add")
_METHODS = (*(f"__{name}__" for name in _OPERATORS), *_NAMED, "view", "sub", "mul", "div")
_FUNCTIONS = (*_NAMED, "sub", "mul", "div")


def install(stream: Stream) -> None:
    """Replaces nothing yet: most programs never ask for a gradient itself."""
    stream.follow = functools.partial(_begin, stream)


def _begin(stream: Stream) -> None:
    """Replaces operators and methods of tensors, and functions of torch."""
    stream.follow = None
    for owner, names in ((Tensor, _METHODS), (torch, _FUNCTIONS), (torch.linalg, ("norm", "vector_norm"))):
        for name in names:
            told = _telling(stream, name.strip("_"), getattr(owner, name))
            stream.replace(owner, name, told, until=stream.step + _STEPS)


def _telling(stream: Stream, name: str, original: Any) -> Any:
    followed = stream.followed

    @functools.wraps(original)
    def computing(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if followed and not stream.quiet and isinstance(result, Tensor):
            operands = args[:2]
            if any(id(one) in followed for one in operands):
                stream.emit("derived", result, name=name, operands=operands)
        return result

    return computing
