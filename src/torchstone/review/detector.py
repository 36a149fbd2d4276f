"""What looks for one mistake while a program runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from torchstone.finding import Finding, Fix, Related

if TYPE_CHECKING:
    from torchstone.review.gradients import Gradients
    from torchstone.review.leaves import Neglected
    from torchstone.review.naming import Names
    from torchstone.review.parts import Parts
    from torchstone.review.places import Place
    from torchstone.review.ranks import Ranks
    from torchstone.review.stream import Stream
    from torchstone.review.watcher import Watcher


Handler = TypeVar("Handler", bound=Callable[..., None])


def sampled(handler: Handler) -> Handler:
    """Marks a method that works in sampled steps only, so that it costs nothing in others."""
    handler.only_sampled = True  # type: ignore[attr-defined]
    return handler


class Detector:
    """Looks for the mistake of the file that it stands in, under `mistakes/`.

    A method `on_<kind>(event)` gets the events of that kind (see `events/`). Nothing that it is given may be
    kept but weakly, changed, or computed on in a way that draws random numbers; what costs more than a
    look is done in sampled steps only (`self.stream.sampled`, or the mark `sampled` on the method).
    """

    OPTION: ClassVar[str] = ""
    """The option of `torchstone watch` without which it is not looked for."""

    AFTER: ClassVar[tuple[str, ...]] = ()
    """Kinds of events without which there is nothing to look for: before one of them has come, no other is
    told but the end."""

    PAUSES: ClassVar[frozenset[str]] = frozenset()
    """Kinds of events that it need not be told of in the pauses of a loop that does the same at each step
    (see `pausing.py`)."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.stream: Stream = watcher.stream
        """Where the events come from."""
        module = sys.modules[type(self).__module__]
        self.code: str = module.CODE
        self.name: str = module.NAME
        self.severity: Any = module.SEVERITY

    @property
    def gradients(self) -> Gradients:
        """Whose gradients came, were cleared and were used."""
        return self.watcher.gradients

    @property
    def ranks(self) -> Ranks:
        """This process among those that train together."""
        return self.watcher.ranks

    @property
    def neglected(self) -> Neglected:
        """Which tensors get gradients that nobody uses."""
        return self.watcher.neglected

    @property
    def parts(self) -> Parts:
        """Where modules were made and parts put into them."""
        return self.watcher.parts

    @property
    def names(self) -> Names:
        """What things are called in the user's program."""
        return self.watcher.names

    def found(
        self,
        message: str,
        *,
        why: str,
        place: Place | None,
        fix: str | None = None,
        related: tuple[tuple[Place | None, str], ...] = (),
        cause: Any = None,
        severity: Any = None,
        **evidence: Any,
    ) -> None:
        """Reports the mistake, once for each cause.

        Args:
            message: what is wrong, by the program's own names.
            why: why it matters.
            place: the line to change.
            fix: what to do.
            related: other lines that take part, each with a few words.
            cause: what makes two findings the same one; default: the place.
            severity: another than the mistake's.
            **evidence: numbers, shapes, names that were seen; `step` is added.
        """
        # Not needed to read source, which has to start fast.
        from torchstone.review.places import extent_of, shown

        extent = None if place is None else extent_of(place)
        self.watcher.report(
            Finding(
                code=self.code,
                name=self.name,
                severity=severity or self.severity,
                message=message,
                why=why,
                file=None if place is None else shown(place.file),
                line=None if place is None else place.line,
                column=None if extent is None else extent.column,
                end_line=None if extent is None else extent.end_line,
                end_column=None if extent is None else extent.end_column,
                evidence={"step": self.stream.step, **evidence},
                fix=None if fix is None else Fix(fix),
                related=tuple(
                    Related(shown(other.file), other.line, extent_of(other).column, words)
                    for other, words in related
                    if other is not None
                ),
            ),
            cause if cause is not None else place,
        )

    def right(self, place: Place | None, needed: int = 3) -> None:
        """Says that a line, being executed, does not have the mistake: a finding in its source is withdrawn.

        Args:
            place: the line, as a finding of the rule for source names it.
            needed: so often this has to be said, and `doubt` never, before that is done.
        """
        self.watcher.verdicts.right(self.code, place, needed)

    def doubt(self, place: Place | None) -> None:
        """Says that a line which was executed may have the mistake."""
        self.watcher.verdicts.doubt(self.code, place)


def detector_of(module: Any) -> type[Detector] | None:
    """The detector that a mistake's file defines; None for a mistake that only source shows."""
    held = (each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Detector))
    return next((each for each in held if each.__module__ == module.__name__), None)
