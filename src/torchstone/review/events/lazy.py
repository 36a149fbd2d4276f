"""Parameters of lazy layers, which have no shape before their first forward: nothing is told of them.

They refuse all of a tensor's methods but a few, which torch knows by identity; these are known by what was
put in their place, too.
"""

from __future__ import annotations

from typing import Any

from torch.nn import parameter

from torchstone.review.stream import Stream


class _Allowed(list[Any]):
    """The methods that are not refused, and what stands for one of them."""

    def __contains__(self, method: object) -> bool:
        while not super().__contains__(method):
            if not hasattr(method, "__wrapped__"):
                return False
            method = method.__wrapped__
        return True


def install(stream: Stream) -> None:
    """Replaces the list of methods."""
    owner: Any = vars(parameter)["UninitializedTensorMixin"]
    stream.replace(owner, "_allowed_methods", _Allowed(owner._allowed_methods), always=True)
