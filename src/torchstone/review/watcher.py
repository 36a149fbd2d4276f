"""A program that is watched: hook points, detectors, and what they find."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torchstone.finding import Finding, Severity
from torchstone.review.agreement import without_ignored
from torchstone.review.arrival import when_imported
from torchstone.review.catalogue import load_catalogue
from torchstone.review.consumption import Consumption
from torchstone.review.detector import Detector
from torchstone.review.gradients import Gradients
from torchstone.review.leaves import Neglected
from torchstone.review.mistake import Mistake
from torchstone.review.naming import Names
from torchstone.review.overfitting import Overfitting
from torchstone.review.parts import Parts
from torchstone.review.pausing import Pausing
from torchstone.review.probing import Probes
from torchstone.review.ranks import Ranks
from torchstone.review.report import SEVERITIES, Report, place_of
from torchstone.review.resting import Rest, may_rest
from torchstone.review.spawned import Spawned
from torchstone.review.stream import Stream
from torchstone.review.verdicts import Verdicts

_WORTH_TELLING = 30.0
"""Seconds; of a shorter run its shares say little, as its first steps are seen in full and start things."""


_OF_DATA = "TS4"
"""What one batch that comes again and again says nothing about."""


class StoppedByFinding(BaseException):
    """Ends the program at a finding, where that was asked for with `stop_on`; says which and where."""


class Watcher:
    """Watches the PyTorch of this process from `start` to `stop`.

    Args:
        codes: the mistakes that are looked for; None for all that a run can show.
        on_finding: is told of each finding when it is made, unless a comment at its line lets it pass.
        stop_on: the least severity of a finding that ends the program at once.
        folder: shared with the other processes of a distributed program, where their parent made one.
        budget: the share of the time that looking at steps in full may take in a long run.
        thorough: look at every step in full, and call the model once more at a few of them.
        overfit: give the first batch of the training loader again and again, for so many steps: the one
            thing that changes what a program does.
    """

    def __init__(
        self,
        *,
        codes: frozenset[str] | None = None,
        on_finding: Callable[[Finding], None] | None = None,
        stop_on: Severity | None = None,
        folder: Path | None = None,
        budget: float = 0.02,
        thorough: bool = False,
        overfit: int | None = None,
    ) -> None:
        self.names = Names()
        self.stream = Stream(self._failed, self.names, budget=budget, thorough=thorough)
        self.gradients = Gradients(self.stream)
        self.neglected = Neglected(self.stream, self.gradients)
        self.parts = Parts()
        self.consumption = Consumption(self.stream, self.names)
        self.ranks = Ranks(folder)
        self.probes = Probes(on=thorough)
        self.spawned = Spawned(codes)
        self.verdicts = Verdicts()
        self.findings: list[Finding] = []
        self.elsewhere: list[Finding] = []
        """What the other processes that train with this one have found, in the last one of them."""
        self.failures: list[str] = []
        self.overfitting = None if overfit is None else Overfitting(self.stream, overfit)
        self._broken: set[str] = set()
        self._thorough = thorough
        self._causes: set[Any] = set()
        self._on_finding = on_finding
        self._stopping = () if stop_on is None else SEVERITIES[: SEVERITIES.index(stop_on) + 1]
        self._detectors = [
            detector
            for mistake in load_catalogue()
            if mistake.detector is not None and (codes is None or mistake.code in codes)
            if thorough or mistake.detector.OPTION != "--thorough"
            if overfit is None or not mistake.code.startswith(_OF_DATA)
            if (detector := self._made(mistake)) is not None
        ]
        self._process = os.getpid()
        self._crashed = False

    def _made(self, mistake: Mistake) -> Detector | None:
        """The detector of a mistake; None where it cannot be made."""
        try:
            return None if mistake.detector is None else mistake.detector(self)
        except Exception as error:
            self._failed(mistake.code, error)
            return None

    def _anew(self, detector: Detector) -> Detector | None:
        """Another detector of the same mistake, unless this one failed."""
        if detector.code in self._broken:
            return None
        return type(detector)(self)

    def start(self) -> None:
        """Begins, as soon as the program imports torch."""
        if not self._thorough:
            rest = Rest(self.stream, [one for one in self._detectors if may_rest(one)], self._anew)
            self.stream.pausing = Pausing(self.stream, rest)
            self.stream.subscribe(self.stream.pausing)  # it ends a pause before others are told of anything
            self.stream.subscribe(rest)
        for bookkeeper in (self.gradients, self.parts, self.ranks, self.spawned, self.consumption):
            self.stream.subscribe(bookkeeper)
        if self._thorough:
            self.stream.subscribe(self.probes)
        for detector in self._detectors:
            self.stream.subscribe(detector)
        if self.overfitting is not None:
            self.stream.subscribe(self.overfitting)
            self.stream.repeating = self.overfitting.is_done
        self.stream.at_end(when_imported("torch", self._install))
        if hasattr(os, "register_at_fork"):
            itself = weakref.ref(self)  # what is registered stays for ever
            os.register_at_fork(after_in_child=lambda: _leave(itself()))

    def _install(self) -> None:
        # Imported by name, as reading source must work where there is no torch.
        importlib.import_module("torchstone.review.events").install_all(self.stream)

    def stop(self, error: BaseException | None = None) -> Report:
        """Ends; PyTorch is afterwards what it was.

        Args:
            error: what ended the program, where it failed.
        """
        if error is not None:
            self.crashed(error)
        self.stream.emit("end")
        self.stream.close()
        if not self.is_child():
            try:
                self._gather(failed=self._crashed)
            except Exception as fault:
                self._failed("what joins processes", fault)
        return self.report_so_far()

    def crashed(self, error: BaseException) -> None:
        """Tells what ended the program."""
        self._crashed = True
        self.stream.emit("crash", error)

    def _gather(self, *, failed: bool) -> None:
        """Takes what other processes of the program found."""
        self.stream.step += self.spawned.steps()
        for finding in self.spawned.findings():
            self._add(finding, ending=True)
        self._tell_other_ranks(failed)

    def _tell_other_ranks(self, failed: bool) -> None:
        """Gives the findings to the other processes that train with this one; the last one has them all."""
        self.ranks.tell("findings", [finding.to_json() for finding in self.findings])
        self.ranks.end(failed)
        if self.ranks.last:
            for rank, told in self.ranks.heard("findings").items():
                if rank != self.ranks.rank:
                    self.elsewhere += [Finding.from_json(values) for values in told]
        self.ranks.clean()

    def report_so_far(self) -> Report:
        """What was found, the worst first."""
        notes = list(self.failures)
        if self.overfitting is not None:
            words = self.overfitting.verdict().words
            notes.append(f"--overfit-batch: {words}.")
        if self.stream.crowded:
            notes.append(
                f"Two threads trained at once: only the first {self.stream.step} steps were watched."
            )
        if self.stream.elapsed() > _WORTH_TELLING:
            notes += self._consumed()
            share = self.stream.spent / self.stream.elapsed()
            notes.append(f"Detectors took {share:.1%} of the time, hook points aside.")
        return Report(
            findings=sorted(self.findings, key=_order),
            notes=notes,
            steps=self.stream.step,
            disproved=self.verdicts.disproved(self._broken),
        )

    def _consumed(self) -> list[str]:
        try:
            return self.consumption.lines()
        except Exception as error:
            self._failed("what counts memory", error)
            return []

    def report(self, finding: Finding, cause: Any) -> None:
        """Takes a finding, the first of its cause."""
        if (finding.code, cause) in self._causes:
            return
        self._causes.add((finding.code, cause))
        if self.ranks.world > 1:
            finding = replace(finding, evidence={**finding.evidence, "rank": self.ranks.rank})
            if not self.ranks.claim(f"{finding.code} {finding.file}:{finding.line}"):
                return  # another process has said it
        self._add(finding)

    def _add(self, finding: Finding, *, ending: bool = False) -> None:
        self.findings.append(finding)
        stops = finding.severity in self._stopping and not ending
        if (self._on_finding is None and not stops) or not without_ignored([finding]):
            return
        if self._on_finding is not None:
            self._on_finding(finding)
        if stops:
            where = f", {finding.file}:{finding.line}" if finding.file else ""
            raise StoppedByFinding(f"{finding.code}{where}")

    def _failed(self, owner: Any, error: Exception) -> None:
        """A detector of ours failed: the program goes on, and one line says so."""
        part = owner.code if isinstance(owner, Detector) else owner
        part = part if isinstance(part, str) else type(part).__name__
        self._broken.add(part)
        words = f"torchstone: {part} stopped watching: {type(error).__name__}: {error}"
        self.failures.append(words)
        with contextlib.suppress(Exception):  # the program may have put anything there
            sys.stderr.write(f"{words}\n")

    def is_child(self) -> bool:
        """Whether this process was forked from the one that is watched."""
        return os.getpid() != self._process

    def leave(self) -> None:
        """In a child process nothing is watched: its parent reports."""
        if not self.stream.closed:
            self.stream.close()
            self.findings.clear()


def _leave(watcher: Watcher | None) -> None:
    if watcher is not None:
        watcher.leave()


def _order(finding: Finding) -> Any:
    return (SEVERITIES.index(finding.severity), *place_of(finding))
