"""What `torchstone check` does, without the command framework: an editor and a commit hook wait for it.

The framework costs more to import than a file to check. `quick` reads plain arguments itself; whatever it
does not understand (help, a mistyped flag, a missing value) goes to the framework, which has the messages.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from torchstone.review.paths import CheckOptions
    from torchstone.review.reading import Content
    from torchstone.review.report import Report

Format = Literal["terminal", "concise", "json", "sarif", "github", "html"]
Severity = Literal["error", "warning", "advice"]


def _flag(default: Any, text: str, kind: Any, short: str | None = None) -> Any:
    """A flag: its default, its help and its type; lists are repeated or separated by commas."""
    metadata = {"help": text, "kind": kind, "short": short}
    if default is list:
        return field(default_factory=list, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class CheckFlags:
    """The flags of `torchstone check`; the command line is made from this list."""

    select: list[str] = _flag(
        list, "Look only for these: codes, beginnings of codes (TS1), names, or all.", list
    )
    ignore: list[str] = _flag(list, "Do not look for these.", list)
    extend_select: list[str] = _flag(list, "Look for these as well, such as advice.", list)
    exclude: list[str] = _flag(list, "Glob patterns of further files and folders to leave out.", list)
    format: Format = _flag("terminal", "How findings are shown.", Format)
    json: bool = _flag(False, "The same as --format json.", bool)
    output: str | None = _flag(None, "Write them to this file.", str, "-o")
    statistics: bool = _flag(False, "Show how often each mistake was found.", bool)
    fix: bool = _flag(False, "Bring in the fixes that never change what is meant.", bool)
    unsafe_fixes: bool = _flag(False, "Bring in all fixes.", bool)
    diff: bool = _flag(False, "Show what the fixes would change, and change nothing.", bool)
    baseline: str | None = _flag(None, "Let the findings in this file pass.", str)
    write_baseline: str | None = _flag(None, "Write all findings to this file, for --baseline.", str)
    changed_since: str | None = _flag(
        None, "Only lines that were changed since a branch left this revision of git.", str
    )
    stdin_filename: str | None = _flag(None, "Check the text on stdin, as if it were this file.", str)
    config: str | None = _flag(None, "The settings file, in place of the nearest pyproject.toml.", str)
    fail_on: Severity | None = _flag(None, "The least severity that makes the status 1.", Severity)
    exit_zero: bool = _flag(False, "End with status 0 whatever is found.", bool)
    force_exclude: bool = _flag(False, "Leave excluded files out even if they are named.", bool)
    no_gitignore: bool = _flag(False, "Check what .gitignore files leave out too.", bool)
    no_cache: bool = _flag(False, "Neither take results from .torchstone_cache nor keep them there.", bool)
    jobs: int | None = _flag(None, "Number of processes. Default: as many as are worth while.", int, "-j")
    quiet: bool = _flag(False, "Say nothing but the findings.", bool, "-q")


def quick(arguments: Sequence[str]) -> int | None:
    """Runs the command when the arguments are plain; None when the command framework has to read them."""
    parsed = parse(arguments)
    return None if parsed is None else perform(*parsed)


def parse(arguments: Sequence[str]) -> tuple[list[str], CheckFlags] | None:
    """Paths and flags, None when there is anything else."""
    known = {name: flag for flag in fields(CheckFlags) for name in names_of(flag)}
    paths, values = list[str](), dict[str, Any]()
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("-") or word == "-":
            paths.append(word)
            continue
        name, equals, text = word.partition("=")
        flag = known.get(name)
        if flag is None:
            return None
        if flag.metadata["kind"] is bool:
            if equals:
                return None
            values[flag.name] = True
            continue
        if not equals:
            if not waiting or waiting[0].startswith("-"):
                return None
            text = waiting.pop(0)
        if not _store(values, flag, text):
            return None
    return paths, CheckFlags(**values)


def names_of(flag: Field[Any]) -> list[str]:
    """How a flag is written."""
    long = f"--{flag.name.replace('_', '-')}"
    return [long, flag.metadata["short"]] if flag.metadata["short"] else [long]


def _store(values: dict[str, Any], flag: Field[Any], text: str) -> bool:
    """Whether the text is a value of the flag; it is kept then."""
    kind = flag.metadata["kind"]
    if kind is list:
        values.setdefault(flag.name, []).append(text)
    elif kind is int:
        if not text.isdecimal():
            return False
        values[flag.name] = int(text)
    elif kind is str or text in get_args(kind):
        values[flag.name] = text
    else:
        return False
    return True


def perform(paths: Sequence[str], flags: CheckFlags) -> int:
    """Checks, prints and gives the exit status.

    Args:
        paths: files and folders; `-` for stdin; none for the current folder.
        flags: what was asked.
    """
    # Not through `torchstone.api`, whose other verbs cost a short check several milliseconds.
    from torchstone.review.paths import Options, check_content, check_paths

    _refuse_what_contradicts(paths, flags)
    name = flags.stdin_filename or ("stdin.py" if "-" in paths else None)
    if name is not None:
        content = _stdin(name)
        report = check_content(content.text, name, Options(**_options(flags)))
        return _shown(report, flags, content, name)
    report = check_paths(paths or ["."], Options(**_options(flags)))
    return _shown(report, flags, None, None)


def _refuse_what_contradicts(paths: Sequence[str], flags: CheckFlags) -> None:
    from torchstone.errors import UsageError

    if flags.jobs == 0:
        raise UsageError("--jobs must be at least 1.")
    if flags.stdin_filename is not None and [path for path in paths if path != "-"]:
        raise UsageError("--stdin-filename checks the text on stdin: give no paths with it.")
    if "-" in paths and len(paths) > 1:
        raise UsageError("- is the text on stdin: give no other paths with it.")
    if flags.write_baseline and (flags.fix or flags.unsafe_fixes or flags.diff or flags.changed_since):
        raise UsageError("--write-baseline takes down what is there: it goes with no fix, diff or revision.")
    if flags.statistics and _format(flags) in ("sarif", "github", "html"):
        raise UsageError(f"--statistics does not go with --format {_format(flags)}.")


def _options(flags: CheckFlags) -> CheckOptions:
    fix: Literal["none", "safe", "unsafe"] = "safe" if flags.fix or flags.diff else "none"
    return {
        "select": _words(flags.select) or None,
        "extend_select": _words(flags.extend_select),
        "ignore": _words(flags.ignore),
        "exclude": _words(flags.exclude),
        "force_exclude": flags.force_exclude or None,
        "respect_gitignore": False if flags.no_gitignore else None,
        "config": flags.config,
        "jobs": flags.jobs,
        "cache": not flags.no_cache,
        "fix": "unsafe" if flags.unsafe_fixes else fix,
        "write": not flags.diff,
        "baseline": flags.baseline,
        "write_baseline": flags.write_baseline,
        "changed_since": flags.changed_since,
        "fail_on": flags.fail_on,
    }


def _words(values: Sequence[str]) -> list[str]:
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


def _stdin(name: str) -> Content:
    from torchstone.errors import UsageError
    from torchstone.review.reading import UnreadableError, decode

    try:
        return decode(sys.stdin.buffer.read(), name)
    except UnreadableError as error:
        raise UsageError(f"The text on stdin cannot be read: {error.message}.") from None


def _format(flags: CheckFlags) -> Format:
    return "json" if flags.json else flags.format


def _shown(report: Report, flags: CheckFlags, stdin: Content | None, name: str | None) -> int:
    """Prints the report and gives the exit status."""
    if flags.diff:
        _print(_diffs(report), sys.stdout)
        if not flags.quiet:
            fixed = f"{report.fixed} fix{'' if report.fixed == 1 else 'es'} would be brought in.\n"
            _print(fixed if report.changes else "No fixes to bring in.\n", sys.stderr)
        return int(not flags.exit_zero and (bool(report.changes) or report.failed))
    if stdin is not None and (flags.fix or flags.unsafe_fixes):
        # An editor takes the text from stdout, so the findings have to go elsewhere.
        text = report.texts.get(os.path.normpath(name or ""), stdin.text)
        sys.stdout.buffer.write(stdin.encode(text))
        sys.stdout.buffer.flush()
        _print(_rendered(report, flags, sys.stderr), sys.stderr)
    elif flags.output is not None:
        _write(flags.output, _rendered(report, flags, None))
        if not flags.quiet:
            _print(_summary(report), sys.stderr)
    else:
        _print(_rendered(report, flags, sys.stdout), sys.stdout)
        if not flags.quiet and _format(flags) not in ("terminal", "concise"):
            _print("".join(f"{note}\n" for note in report.notes), sys.stderr)
    return int(not flags.exit_zero and report.failed)


def _rendered(report: Report, flags: CheckFlags, stream: Any) -> str:
    """The report in the format that was asked for."""
    form = _format(flags)
    if form == "json":
        from torchstone.review.output import json

        return json.render(report, statistics=flags.statistics)
    if form == "sarif":
        from torchstone.review.output import sarif

        return sarif.render(report)
    if form == "github":
        from torchstone.review.output import github

        return github.render(report)
    if form == "html":
        from torchstone.review.output import html

        return html.render(report)
    from torchstone.review.output import terminal

    colour = stream is not None and _has_colour(stream)
    if flags.statistics:
        return terminal.render_statistics(report, colour=colour)
    if form == "concise":
        from torchstone.review.output import concise

        closing = "" if flags.quiet else terminal.summary(report, colour=colour)
        return concise.render(report) + closing
    is_terminal = stream is not None and stream.isatty()
    text = terminal.render(report, colour=colour, width=_width(), wrap=is_terminal)
    return text.removesuffix(terminal.summary(report, colour=colour)) if flags.quiet else text


def _summary(report: Report) -> str:
    from torchstone.review.output.terminal import summary

    return summary(report)


def _diffs(report: Report) -> str:
    """The changes of all files as one unified diff."""
    import difflib

    parts = []
    for file, old, new in report.changes:
        lines = difflib.unified_diff(
            old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{file}", f"b/{file}"
        )
        missing = "\n\\ No newline at end of file\n"
        parts += [line if line.endswith(("\n", "\r")) else line + missing for line in lines]
    return "".join(parts)


def _has_colour(stream: Any) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"


def _width() -> int:
    import shutil

    return min(shutil.get_terminal_size((100, 24)).columns, 120)


def _print(text: str, stream: Any) -> None:
    """Writes a text in whatever encoding the stream has."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _write(path: str, text: str) -> None:
    from torchstone.errors import UsageError

    aside = f"{path}.{os.getpid()}.tmp"
    try:
        with open(aside, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(text)
        os.replace(aside, path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
