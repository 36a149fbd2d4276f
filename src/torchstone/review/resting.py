"""Detectors of what is the same at each step look at some stretches only, once a program runs steadily."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torchstone.review.detector import Detector

if TYPE_CHECKING:
    from torchstone.review.stream import Event, Stream

SETTLED = 256
"""After so many steps a loop does what it will always do."""

PERIOD = 512
"""Then they rest for so many steps, and each time for twice as many, up to ..."""

LONGEST = 4096
"""... so many, ..."""

STRETCH = 48
"""... and look at so many in between."""

_FAMILIES = ("TS1", "TS2", "TS3")
"""Gradients, modes, losses: what a loop does wrongly it does at each of its steps."""

_LASTING = frozenset({"end", "crash", "mode", "schedule", "saved", "dropout"})
"""Who asks for one of these, or for batches and epochs, puts things together over a whole run."""


def may_rest(detector: Detector) -> bool:
    """Whether a detector loses nothing when it begins anew later."""
    kinds = {name[3:] for name in dir(detector) if name.startswith("on_")}
    spanning = any(kind in _LASTING or kind.startswith(("epoch", "batch", "schedule")) for kind in kinds)
    return detector.code.startswith(_FAMILIES) and not spanning


class Rest:
    """Sends detectors to rest and wakes them; they begin anew then, as they would in the middle of a run.

    Args:
        stream: of the program.
        detectors: those that may rest.
        anew: makes such a detector anew; None for one that is not to come back.
    """

    def __init__(
        self, stream: Stream, detectors: list[Detector], anew: Callable[[Detector], Detector | None]
    ) -> None:
        self._stream, self._detectors, self._anew = stream, detectors, anew
        self._asleep = False
        self._until, self._period = SETTLED, PERIOD
        self._woken = False

    def on_optimizer_made(self, event: Event) -> None:
        """Something new begins: all look again."""
        self._woken = self._asleep

    def on_state_loaded(self, event: Event) -> None:
        """The same."""
        self._woken = self._asleep

    def stepped(self) -> None:
        """A step was done."""
        # What is paused begins again first.
        if (self._stream.step >= self._until or self._woken) and not self._stream.paused:
            if self._asleep:
                self._wake()
            else:
                self._sleep()

    def lasts(self, steps: int) -> bool:
        """Whether they rest for more than so many steps from now."""
        return self._asleep and not self._woken and self._stream.step + steps < self._until

    def _sleep(self) -> None:
        for detector in self._detectors:
            self._stream.drop(detector)
        self._asleep = True
        self._until = self._stream.step + self._period
        self._period = min(2 * self._period, LONGEST)

    def _wake(self) -> None:
        made = [self._anew(detector) for detector in self._detectors]
        self._detectors = [detector for detector in made if detector is not None]
        for detector in self._detectors:
            self._stream.subscribe(detector)
        self._asleep = False
        self._until = self._stream.step + (SETTLED if self._woken else STRETCH)
        if self._woken:
            self._period = PERIOD
        self._woken = False
