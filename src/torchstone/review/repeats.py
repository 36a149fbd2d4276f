"""What a program does again at each step: lines, with what they cost."""

from __future__ import annotations

from statistics import median

_STEPS = 8
"""So often one after the other."""

_FEWEST = 4
"""So often where several optimizers take turns, each of which has steps of its own."""

_KEPT = 256


class Repeat:
    """One thing that was seen in steps that were looked at in full."""

    def __init__(self) -> None:
        self.times = 0
        """How often it was seen."""
        self.steps: list[int] = []
        """The first steps in which it was seen."""
        self._seconds: dict[int, float] = {}

    def add(self, step: int, seconds: float) -> None:
        """It was seen."""
        self.times += 1
        if step in self._seconds or len(self._seconds) < _KEPT:
            self._seconds[step] = self._seconds.get(step, 0.0) + seconds
        if len(self.steps) < 2 * _STEPS and step not in self.steps[-1:]:
            self.steps.append(step)

    @property
    def seconds(self) -> float:
        """What it takes in the middle one of these steps; the first ones take longer."""
        return median(self._seconds.values())

    @property
    def times_a_step(self) -> int:
        """How often it is done in a step."""
        return max(1, round(self.times / len(self._seconds)))

    def at_each_step(self, optimizers: int) -> bool:
        """Whether it was seen in steps one after the other.

        Steps that follow each other are asked for as those that are looked at later lie at round numbers,
        where a program does what it does now and then.

        Args:
            optimizers: so many take turns.
        """
        needed, run = max(_FEWEST, _STEPS // max(1, optimizers)), 1
        for before, step in zip(self.steps, self.steps[1:], strict=False):
            run = run + 1 if step - before <= optimizers else 1
            if run >= needed:
                return True
        return False
