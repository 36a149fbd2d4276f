"""What the graph behind a tensor tells: the operation that made it. Nothing is computed or kept."""

from __future__ import annotations

import re
from typing import Any

_LOOKS = re.compile(
    r"(View|ReshapeAlias|UnsafeView|Squeeze|Unsqueeze|Transpose|Permute|T|Select|Slice|Clone|Expand|ToCopy|"
    r"Alias|Index|IndexSelect|Gather|Unbind|Narrow|Cat|Stack|Split|SplitWithSizes|Flatten|Unflatten|"
    r"Contiguous|AsStrided|MaskedSelect)Backward\d+"
)
"""Operations that only look at values, choose or copy them."""

_SHAPELESS = re.compile(r"(Clone|ToCopy|Alias|Contiguous)Backward\d+")
"""Those of them that leave every dimension as it is."""

_MOST = 16
_LARGEST_DIMENSION = 1 << 32


def origin(tensor: Any, *, same_shape: bool = False) -> Any:
    """The node of the operation that made a tensor's values, behind all that only looks at them.

    Args:
        tensor: a tensor.
        same_shape: passes only what keeps the dimensions.

    Returns:
        The node; None for a tensor without a graph.
    """
    node = getattr(tensor, "grad_fn", None)
    looks = _SHAPELESS if same_shape else _LOOKS
    for _ in range(_MOST):
        if node is None or not looks.fullmatch(node.name()):
            return node
        node = node.next_functions[0][0] if node.next_functions else None
    return None


def behind(node: Any) -> Any:
    """The node of what a node was computed from, behind all that only looks at values."""
    node = node.next_functions[0][0] if node.next_functions else None
    for _ in range(_MOST):
        if node is None or not _LOOKS.fullmatch(node.name()):
            return node
        node = node.next_functions[0][0] if node.next_functions else None
    return None


def operation(node: Any) -> str:
    """What a node is called without the rest of its class: `Softmax`, `Sigmoid`, `Addmm`; empty for None."""
    return "" if node is None else re.sub(r"Backward\d*$", "", node.name())


def shape(node: Any) -> tuple[int, ...] | None:
    """The shape of what a node computed; None where this torch does not tell."""
    told = getattr(node, "_input_metadata", None)
    return tuple(told[0].shape) if told else None


def dimension(node: Any) -> int | None:
    """The dimension that a softmax went over, counted from 0; None where it is not known."""
    sizes, held = shape(node), getattr(node, "_saved_dim", None)
    if sizes is None or not isinstance(held, int):
        return None
    held = held - (1 << 64) if held > _LARGEST_DIMENSION else held  # torch shows -1 without its sign
    return held + len(sizes) if held < 0 else held


def leaves_unit(tensor: Any) -> bool:
    """Whether a value lies outside of 0 and 1: then no softmax or sigmoid made it; waits for the device."""
    if not readable(tensor) or not tensor.is_floating_point():
        return False
    low, high = (float(value) for value in tensor.detach().aminmax())
    return low < -1e-3 or high > 1 + 1e-3


def readable(tensor: Any) -> bool:
    """Whether the values of a tensor may be looked at: a plain one that is no stand-in, with values."""
    kind = type(tensor)
    return (
        kind.__module__.startswith("torch")
        and kind.__name__ in ("Tensor", "Parameter")
        and not tensor.is_meta
        and str(tensor.layout) == "torch.strided"
        and tensor.numel() > 0
    )
