"""Whether a way leads back from the loss to a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


def reaches(loss: Tensor, parameters: Sequence[nn.Parameter]) -> bool:
    """Whether the loss depends on one of the parameters; looks at the graph, and runs it only in doubt.

    Reentrant checkpoints and functions of the user's own hide parameters from the graph; what they reach is
    seen in the gradients, which `untouched` puts back.
    """
    if not loss.requires_grad:
        return False
    wanted = {id(parameter) for parameter in parameters}
    stack, seen = [loss.grad_fn], set()
    while stack:
        node: Any = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if id(getattr(node, "variable", None)) in wanted:
            return True
        stack += [following for following, _ in node.next_functions]
    return _reaches_by_running(loss, parameters)


def _reaches_by_running(loss: Tensor, parameters: Sequence[nn.Parameter]) -> bool:
    for parameter in parameters:
        parameter.grad = None
    try:
        torch.autograd.backward(loss.sum())
    except RuntimeError:  # a broken graph is no proof; the first step will tell
        return True
    return any(parameter.grad is not None for parameter in parameters)
