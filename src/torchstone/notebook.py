"""`%load_ext torchstone`: the cell magic `%%watch` sees the mistakes of what runs in a cell."""

from __future__ import annotations

import shlex
from typing import Any

_FLAGS = {"--select": "select", "--ignore": "ignore", "--stop-on": "stop_on"}


def load_ipython_extension(shell: Any) -> None:
    """Adds the magic to an IPython shell."""

    def watch(line: str, cell: str) -> None:
        """Runs a cell and says which mistakes it makes: `%%watch [--select CODES] [--ignore CODES]`."""
        from torchstone.review.session import Session

        session = Session(**_options(line))
        with session:
            result = shell.run_cell(cell)
            if result.error_in_exec is not None:  # shown by IPython already
                session.crashed(result.error_in_exec)

    shell.register_magic_function(watch, "cell", "watch")


def _options(line: str) -> dict[str, Any]:
    """The keywords that the words behind `%%watch` stand for.

    Raises:
        UsageError: a word that is no flag.
    """
    from torchstone.errors import UsageError

    options: dict[str, Any] = {}
    words = iter(shlex.split(line))
    for word in words:
        if word in ("-q", "--quiet"):
            options["quiet"] = True
            continue
        flag, _, value = word.partition("=")
        if flag not in _FLAGS:
            raise UsageError(f"%%watch has no flag {word}.", hint="--select, --ignore, --stop-on or --quiet.")
        value = value or next(words, "")
        options[_FLAGS[flag]] = value if flag == "--stop-on" else value.split(",")
    return options
