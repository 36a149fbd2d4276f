"""Parameters of which each process holds a part, such as those of FSDP: their values are left alone.

To compute with one, all processes have to take part: looked at by one of them, it would wait for the others
for ever. So no step is looked at in full any more, and only what needs no values is seen: order and modes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchstone.review.detector import sampled

if TYPE_CHECKING:
    from torchstone.review.stream import Event, Stream


class Sharding:
    """Keeps a stream from values as soon as an optimizer has parameters that are parts of others."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def on_optimizer_made(self, event: Event) -> None:
        """What it was given."""
        self._look(event.subject)

    @sampled
    def on_step_began(self, event: Event) -> None:
        """The same for one that was made before watching began."""
        self._look(event.subject)

    def _look(self, optimizer: Any) -> None:
        held = (one for group in getattr(optimizer, "param_groups", ()) for one in group["params"])
        if not self._stream.blind and any(is_part(one) for one in held):
            self._stream.blind = True
            self._stream.look(False)


def is_part(tensor: Any) -> bool:
    """Whether a tensor is this process's part of one that several hold."""
    return type(tensor).__module__.startswith("torch.distributed")
