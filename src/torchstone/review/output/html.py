"""The findings as one page for a browser, which loads nothing: for people who were not at the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torchstone
from torchstone.finding import Finding
from torchstone.reporting import page
from torchstone.reporting.charts import lines as line_chart
from torchstone.reporting.scales import finite, percent
from torchstone.reporting.scales import seconds as duration
from torchstone.review.excerpts import Excerpts
from torchstone.review.output.passages import Passage, change, passages
from torchstone.review.output.prose import explanation, prose, shown_value
from torchstone.review.report import CheckError, Report, WatchedRun
from torchstone.review.statistics import Count, count_by_mistake

_NOWHERE = "Of no line"
"""Stands above findings that name no file."""
_SAID_OTHERWISE = "source"
"""Whether source says the same, which `agreement` says in words."""
_MANY = 12
"""More files, or mistakes, than these stand in a list that can be opened."""


@dataclass
class _Shown:
    """A finding with what is drawn of it."""

    finding: Finding
    anchor: str
    is_known: bool
    message: str
    why: str
    fix: str
    evidence: list[tuple[str, str]]
    passages: list[Passage]
    change: list[tuple[str, int, str]]
    mends: str


@dataclass
class _File:
    """The findings of a file."""

    name: str
    anchor: str
    findings: list[_Shown] = field(default_factory=list)

    @property
    def counted(self) -> str:
        """How many there are."""
        return _counted(Report(findings=[shown.finding for shown in self.findings]))


def render(report: Report) -> str:
    """The page as HTML text."""
    explained = {code: told for code in _codes(report) if (told := explanation(code))}
    files = _files(report, set(explained))
    mistakes = _mistakes(count_by_mistake(report), files)
    return page.template("findings").render(
        version=torchstone.__version__,
        style=page.resource("report.css") + page.resource("findings.css"),
        policy=page.policy(),
        prose=prose,
        files=files,
        many_files=len(files) > _MANY,
        mistakes=mistakes,
        many_mistakes=len(mistakes) > _MANY,
        severities=[severity for severity, count in report.counts().items() if count],
        explained=explained,
        errors=[_error(error) for error in report.errors],
        notes=report.notes,
        run=report.run,
        **_head(report),
        **_run(report),
    )


def _codes(report: Report) -> list[str]:
    return sorted({finding.code for finding in report.findings})


def _head(report: Report) -> dict[str, Any]:
    """The title, what was found in a sentence, and the remarks below it."""
    run = report.run
    command = shlex.join(run.command) if run is not None else ""
    counted = _counted(report)
    if run is not None:
        where = f"in {_many(report.steps, 'step')} of {_script(run)}"
    else:
        where = f"in {_many(report.files, 'file')}"
    return {
        "title": f"{counted or 'No mistake'} {where}",
        "command": f"torchstone watch {command}" if run else "torchstone check",
        "counted": counted,
        "where": where,
        "remarks": list(_remarks(report)),
    }


def _script(run: WatchedRun) -> str:
    if run.command[:1] == ("-m",):
        return " ".join(run.command[:2])
    return run.command[0].replace("\\", "/").rpartition("/")[2] if run.command else "the program"


def _remarks(report: Report) -> Iterable[str]:
    if report.run is not None:
        if not report.steps:
            yield "No step of an optimizer was seen: of a training that was not reached, little can be said."
        unseen = sum("step" not in finding.evidence for finding in report.findings)
        if unseen:
            yield (
                f"{unseen} of {len(report.findings)} stand in the source alone: what they are about did not "
                "show, or did not run."
            )
    elif not report.files and not report.errors:
        yield "There was no Python file, notebook or Markdown page to check."
    if report.errors:
        broken = len({error.file for error in report.errors})
        yield f"{_many(broken, 'file')} could not be checked, or not as a whole."
    if report.fixed:
        yield (
            f"{_many(report.fixed, 'mistake')} were mended." if report.fixed > 1 else "1 mistake was mended."
        )
    if report.known:
        yield f"The baseline lets {report.known} more pass."


def _run(report: Report) -> dict[str, Any]:
    """The figures at the top, the picture, and the facts at the end."""
    counts, run = report.counts(), report.run
    tiles = [
        (_plural(severity, count), f"{count:,}", "", severity if count else "")
        for severity, count in counts.items()
        if count or severity != "advice"
    ]
    if run is None:
        tiles.append((_plural("file", report.files), f"{report.files:,}", "checked", ""))
        return {"tiles": tiles, "facts": [], "chart": None}
    tiles += [
        (_plural("step", report.steps), f"{report.steps:,}", "of optimizers, watched", ""),
        ("duration", duration(run.seconds), "from start to end", ""),
    ]
    if run.seconds > 0:
        tiles.append(("watching took", percent(run.spent / run.seconds), duration(run.spent), ""))
    facts = [
        ("script", run.command[0] if run.command[:1] != ("-m",) else f"module {' '.join(run.command[1:2])}"),
        ("arguments", shlex.join(run.command[2 if run.command[:1] == ("-m",) else 1 :]) or "none"),
        ("started", run.started),
        ("duration", duration(run.seconds)),
        ("end", run.ended or "The script came to its end."),
        *run.versions.items(),
        ("torchstone", torchstone.__version__),
    ]
    return {"tiles": tiles, "facts": facts, "chart": _chart(run)}


def _chart(run: WatchedRun) -> dict[str, str] | None:
    """The losses over the steps, where two numbers at least are known."""
    known = {line: finite(loss for _, loss in points) for line, points in run.losses.items()}
    known = {line: values for line, values in known.items() if len(values) > 1}
    if not known:
        return None
    series = {line: dict(run.losses[line]) for line in known}
    steps = sorted({step for points in series.values() for step in points})
    drawn = [(line, [points.get(step) for step in steps]) for line, points in series.items()]
    left_out = sum(len(run.losses[line]) - len(values) for line, values in known.items())
    caption = f"What backward() was called on at {' and '.join(known)}, at some of the steps."
    if left_out:
        caption += f" {left_out} of the values are no finite numbers and are left out."
    return {
        "title": "The loss while it ran",
        "svg": line_chart(
            steps, drawn, label="The loss over the steps", y_name="loss", x_name="step", log=True
        ),
        "caption": caption,
    }


def _files(report: Report, known: set[str]) -> list[_File]:
    """The findings by file, in the order of the report."""
    excerpts = Excerpts(report.texts)
    files: dict[str | None, _File] = {}
    for number, finding in enumerate(report.findings, start=1):
        file = files.get(finding.file)
        if file is None:
            file = files[finding.file] = _File(finding.file or _NOWHERE, f"file-{len(files) + 1}")
        file.findings.append(_drawn(finding, f"finding-{number}", finding.code in known, excerpts))
    return list(files.values())


def _drawn(finding: Finding, anchor: str, is_known: bool, excerpts: Excerpts) -> _Shown:
    changed = change(finding, excerpts)
    flag = "--fix" if finding.fix and finding.fix.safe else "--unsafe-fixes"
    return _Shown(
        finding=finding,
        anchor=anchor,
        is_known=is_known,
        message=_sentence(finding.message),
        why=_sentence(finding.why),
        fix=_sentence(finding.fix.description if finding.fix else ""),
        evidence=[
            (name.replace("_", " "), shown_value(value))
            for name, value in finding.evidence.items()
            if name != _SAID_OTHERWISE
        ],
        passages=passages(finding, excerpts),
        change=changed,
        mends=f"torchstone check {flag}" if changed else "",
    )


def _sentence(text: str) -> str:
    """A text that begins with a large letter, unless its first word is a name of the program's."""
    first = text.partition(" ")[0].rstrip(",:;")
    return text[:1].upper() + text[1:] if first.isalpha() else text


def _mistakes(counts: Sequence[Count], files: Sequence[_File]) -> list[tuple[Count, str]]:
    """How often each mistake was found, and where the first one is on the page."""
    first: dict[tuple[str, str], str] = {}
    for shown in (shown for file in files for shown in file.findings):
        first.setdefault((shown.finding.code, shown.finding.severity), shown.anchor)
    return [(count, first[count.code, count.severity]) for count in counts]


def _error(error: CheckError) -> tuple[str, str]:
    return (f"{error.file}:{error.line}" if error.line else error.file, error.message)


def _counted(report: Report) -> str:
    parts = [f"{count:,} {_plural(name, count)}" for name, count in report.counts().items() if count]
    return parts[0] if len(parts) == 1 else " and ".join([", ".join(parts[:-1]), parts[-1]]) if parts else ""


def _many(count: int, noun: str) -> str:
    return f"{count:,} {_plural(noun, count)}"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 or noun == "advice" else f"{noun}s"
