"""Where the command line prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from torchstone.errors import TorchstoneError


_WITHOUT_END = 100_000
"""The width of a line where there is no terminal: nothing is cut or wrapped."""


def output_console() -> Console:
    """The console of results."""
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    return Console(soft_wrap=not is_terminal, width=None if is_terminal else _WITHOUT_END)


def error_console() -> Console:
    """The console of progress, warnings and errors."""
    from rich.console import Console

    return Console(stderr=True)


def print_error(error: TorchstoneError) -> None:
    """Print an error as `error: message` and its hint below; for preflight errors every finding."""
    from rich.text import Text

    from torchstone.reporting.characters import visible

    message, hint = visible(as_flags(error.message)), visible(as_flags(error.hint or ""))
    text = Text("error: ", style="bold red").append(message, style="not bold default")
    if hint:
        text.append(f"\n{hint}", style="not bold dim")
    error_console().print(text, soft_wrap=True, highlight=False)


def as_flags(text: str) -> str:
    """A message that names options as Python does, in the words of the command line.

    `epochs: expected ...` becomes `--epochs: expected ...`, and `device="cpu"` becomes `--device cpu`.
    """
    from torchstone.config import SECTION_OF

    def flag(name: str) -> str:
        return f"--{name.replace('_', '-')}"

    names = "|".join(SECTION_OF)
    text = re.sub(rf"^({names}): ", lambda found: f"{flag(found[1])}: ", text, flags=re.MULTILINE)
    assigned = rf"(?<![\w.-])({names})=(?:\"([^\"\n]*)\"|([\w.]+))"
    return re.sub(assigned, lambda found: f"{flag(found[1])} {found[2] or found[3] or ''}".rstrip(), text)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
