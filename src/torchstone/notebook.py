"""`%load_ext torchstone`: the cell magic `%%watch` sees the mistakes of what runs in a cell."""

from __future__ import annotations

import shlex
from typing import Any

_SWITCHES = {"--thorough": "thorough", "--quiet": "quiet", "-q": "quiet"}
_CODES = {"--select": "select", "--extend-select": "extend_select", "--ignore": "ignore"}
_KNOWN = "--select, --extend-select, --ignore, --stop-on, --budget, --thorough or --quiet."


def load_ipython_extension(shell: Any) -> None:
    """Adds the magic to an IPython shell."""

    def watch(line: str, cell: str) -> None:
        """Runs a cell and says which mistakes it makes: `%%watch [FLAGS]`, those of `torchstone watch`."""
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
        UsageError: a word that is no flag, or a value that it cannot have.
    """
    from torchstone.errors import UsageError

    options: dict[str, Any] = {}
    words = iter(shlex.split(line))
    for word in words:
        flag, given, value = word.partition("=")
        if word in _SWITCHES:
            options[_SWITCHES[word]] = True
            continue
        if flag not in (*_CODES, "--stop-on", "--budget"):
            raise UsageError(f"%%watch has no flag {word}.", hint=_KNOWN)
        value = value if given else next(words, "")
        if flag in _CODES:
            options[_CODES[flag]] = value.split(",")
        else:
            options[flag[2:].replace("-", "_")] = _number(value) if flag == "--budget" else value
    return options


def _number(value: str) -> float:
    from torchstone.errors import UsageError

    try:
        return float(value)
    except ValueError:
        raise UsageError(f"--budget must be a number, and is {value!r}.") from None
