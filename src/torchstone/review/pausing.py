"""Stretches of steps that are not looked at, once a loop does the same at each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchstone.review.resting import Rest
    from torchstone.review.stream import Event, Stream

STEADY = frozenset(
    {
        "batch",
        "backward",
        "backward_ended",
        "cleared",
        "clipped",
        "forward",
        "forward_began",
        "loss",
        "step_began",
        "step_ended",
    }
)
"""The events of a loop's every step."""

_BEFORE, _AFTER = 1, 3
"""Around a step that is looked at in full so many others are told of, too."""

_SETTLED = 8
"""After anything else than the steps of a loop, so many steps are told of before a pause."""

_SEVERAL = 64
"""The same after a step of another optimizer than the last one: theirs may take turns."""

_MOST_MODULES = 16


class Pausing:
    """Begins and ends pauses, in which detectors that name kinds of events in `PAUSES` are not told of these.

    A pause begins and ends where a step calls its first module. So what is left out are whole rounds of
    forward pass, backward pass, step and `zero_grad`, in whichever order a loop has them: what is told is a
    loop of fewer rounds. It ends at once when anything happens that is no part of such a round: a pass over
    a loader begins or ends, a mode is set, a module is called that was not called before, or otherwise.

    Args:
        stream: of the program.
        rest: whose detectors are not paused, but at rest meanwhile.
    """

    def __init__(self, stream: Stream, rest: Rest) -> None:
        self._stream, self._rest = stream, rest
        self._since = 0
        """The step at which the pause began."""
        self._steady = _SETTLED
        """The step from which on there may be a pause."""
        self._known: dict[int, tuple[bool, bool]] = {}
        """By identity of a module that the program calls, whether it was in training mode and recorded."""
        self._most = 0
        """So many modules the program called at the most in a step."""
        self._optimizer = 0
        """The identity of the one that made the last step."""

    def called(self, module: Any, number: int, recording: bool) -> None:
        """The program calls a module, after so many others since the last step."""
        if not number:
            self._turn()
        how = (getattr(module, "training", True), recording)
        if self._stream.paused:
            if number >= self._most or self._known.get(id(module)) != how:
                self._disturb()
        elif len(self._known) < _MOST_MODULES:
            self._known[id(module)] = how
            self._most = max(self._most, number + 1)

    def stepped(self, optimizer: Any) -> None:
        """An optimizer made a step."""
        if id(optimizer) != self._optimizer:
            self._optimizer = id(optimizer)
            self._disturb(_SEVERAL)
        self._rest.stepped()

    def _turn(self) -> None:
        """A step calls its first module: the next one is told, or not."""
        stream = self._stream
        near = not _AFTER <= stream.step % stream.gap < stream.gap - _BEFORE
        pause = not near and stream.step >= self._steady and self._rest.lasts(_BEFORE)
        if pause != stream.paused:
            self._begin() if pause else self._end()

    def _begin(self) -> None:
        self._since = self._stream.step
        self._stream.pause(True)

    def _end(self) -> None:
        for told in self._stream.left_out:
            told(self._stream.step - self._since)
        self._stream.pause(False)

    def _disturb(self, settled: int = _SETTLED) -> None:
        """Something else happened: a pause ends now, or, in the middle of a round, with it."""
        self._steady = self._stream.step + settled
        self._known.clear()
        self._most = 0
        if self._stream.paused and not self._stream.calls:
            self._end()

    def on_epoch_began(self, event: Event) -> None:
        """A pass over a loader, perhaps to evaluate."""
        self._disturb()

    on_epoch_ended = on_mode = on_state_loaded = on_saved = on_epoch_began
    on_optimizer_made = on_registered = on_gradient = on_end = on_crash = on_epoch_began
