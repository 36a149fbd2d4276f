"""Where the command line prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from torchstone.errors import TorchstoneError


def output_console() -> Console:
    """The console of results."""
    from rich.console import Console

    return Console(soft_wrap=not sys.stdout.isatty())


def error_console() -> Console:
    """The console of progress, warnings and errors."""
    from rich.console import Console

    return Console(stderr=True)


def print_error(error: TorchstoneError) -> None:
    """Print an error as `error: message` and its hint below; for preflight errors every finding."""
    from rich.text import Text

    text = Text("error: ", style="bold red").append(error.message, style="not bold default")
    if error.hint:
        text.append(f"\n{error.hint}", style="not bold dim")
    error_console().print(text, soft_wrap=True, highlight=False)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
