"""`torchstone watch SCRIPT`: run a script and see its mistakes."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

Severity = Literal["error", "warning", "advice"]
Format = Literal["terminal", "json", "sarif", "html"]


_CODES = ("--select", "--extend-select", "--ignore")
_WITH_VALUE = ("--format", "--output", "-o", "--fail-on", "--stop-on", "--budget", "--overfit-steps", *_CODES)
"""Flags whose value is the next word."""
_OVERFIT_STEPS = 300


def split(arguments: list[str]) -> list[str]:
    """The words after `watch`, with `--` before the script, so that what follows is the script's own."""
    waiting = iter(enumerate(arguments))
    for place, word in waiting:
        if word in ("-m", "--module"):
            return [*arguments[: place + 2], "--", *arguments[place + 2 :]]
        if word.startswith("--module=") or word == "--":
            return [*arguments[: place + 1], *(() if word == "--" else ("--",)), *arguments[place + 1 :]]
        if not word.startswith("-"):
            return [*arguments[:place], "--", *arguments[place:]]
        if word in _WITH_VALUE:
            next(waiting, None)
    return arguments


def watch(
    *command: str,
    module: Annotated[str | None, Parameter(name=("--module", "-m"))] = None,
    format: Format = "terminal",  # noqa: A002 - the same word as in `check`
    output: Annotated[str | None, Parameter(name=("--output", "-o"))] = None,
    select: Annotated[list[str] | None, Parameter(negative=())] = None,
    extend_select: Annotated[list[str] | None, Parameter(negative=())] = None,
    ignore: Annotated[list[str] | None, Parameter(negative=())] = None,
    fail_on: Severity | None = None,
    stop_on: Severity | None = None,
    budget: float = 2.0,
    thorough: Annotated[bool, Parameter(negative=())] = False,
    overfit_batch: Annotated[bool, Parameter(negative=())] = False,
    overfit_steps: int | None = None,
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"), negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Run a training script as python would, and see its mistakes while it runs.

    The script is not changed, and neither is what it computes. What it prints stays on stdout, findings go to
    stderr, and the exit status is the script's own.

    For example:

      torchstone watch train.py --epochs 3
      torchstone watch -m package.train --epochs 3
      torchstone watch --format html --output findings.html train.py

    Args:
        command: The script and its arguments.
        module: Run a module, as python -m does; its arguments follow.
        format: How findings are written at the end; html is a page of its own, with --output.
        output: Write them to this file.
        select: Look for these mistakes only: codes, beginnings of codes, or names, with commas.
        extend_select: Look for these too; advice is looked for only when it is asked for.
        ignore: Do not look for these.
        fail_on: The least severity that makes status 1 of the script's 0.
        stop_on: The least severity that ends the script at once.
        budget: Percent of the time of a long run that looking at steps in full may take, from 0 to 100.
        thorough: Look at every step in full, and call the model once more at a few, with other inputs.
        overfit_batch: Give the first batch of the training loader again and again, and say whether the loss
            fell: then the status is 0. This alone changes the run, which ends when that is known.
        overfit_steps: With --overfit-batch: end after so many steps at the most, 300 unless told.
        quiet: Say nothing but the findings at the end.
        json: The same as --format json.
    """
    from torchstone.cli.watching import Request, perform
    from torchstone.errors import UsageError
    from torchstone.review.selection import Layer
    from torchstone.review.session import share_of

    share = share_of(budget, "--budget")
    if overfit_steps is not None and not overfit_batch:
        hint = "torchstone watch --overfit-batch --overfit-steps 60 SCRIPT [ARGUMENTS]"
        raise UsageError("--overfit-steps says something only with --overfit-batch.", hint=hint)
    layer = Layer(_words(select) or None, _words(ignore), _words(extend_select))
    form = "json" if json else format
    overfit = (_OVERFIT_STEPS if overfit_steps is None else overfit_steps) if overfit_batch else None
    perform(
        Request(list(command), module, form, output, fail_on, stop_on, quiet, layer, share, thorough, overfit)
    )


def _words(given: list[str] | None) -> list[str]:
    return [word.strip() for value in given or () for word in value.split(",") if word.strip()]
