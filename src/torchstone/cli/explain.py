"""`torchstone explain`: what a mistake is, why it is bad and what to write instead."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter


def explain(code: str | None = None, /, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Explain a mistake that check finds, or list all of them.

    For example:

      torchstone explain
      torchstone explain TS101
      torchstone explain missing-zero-grad

    Args:
        code: The code or the name of a mistake; none for the list.
        json: Print one JSON document on stdout.
    """
    from torchstone.cli.console import output_console, print_json
    from torchstone.errors import UsageError, did_you_mean
    from torchstone.review import pages
    from torchstone.review.catalogue import find_mistake, load_catalogue

    if code is None:
        if json:
            print_json({"version": 1, "mistakes": [pages.to_json(mistake) for mistake in load_catalogue()]})
        else:
            _print_list()
        return
    mistake = find_mistake(code)
    if mistake is None:
        known = [word for other in load_catalogue() for word in (other.code, other.name)]
        near = did_you_mean(code, known)
        hint = "List them with: torchstone explain"
        raise UsageError(f'There is no mistake "{code}". {near}'.rstrip(), hint=hint)
    if json:
        print_json({"version": 1, "mistakes": [pages.to_json(mistake)]})
        return
    console = output_console()
    if not console.is_terminal:
        sys.stdout.write(pages.page(mistake).rstrip() + "\n")
        return
    from rich.markdown import Markdown

    console.print(Markdown(pages.page(mistake), code_theme="ansi_dark"))


def _print_list() -> None:
    from rich.table import Table

    from torchstone.cli.console import output_console
    from torchstone.review.catalogue import load_catalogue

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("code", "name", "severity", "found by", "fix"):
        table.add_column(column, no_wrap=True)
    table.add_column("what is wrong")
    styles = {"error": "red", "warning": "yellow", "advice": "cyan"}
    for mistake in load_catalogue():
        style = styles[mistake.severity]
        fix = "yes" if mistake.can_fix else ""
        severity = f"[{style}]{mistake.severity}[/]"
        found = ", ".join(command.split()[0] for command in mistake.found_by)
        table.add_row(mistake.code, mistake.name, severity, found, fix, mistake.title.replace("`", ""))
    output_console().print(table)
