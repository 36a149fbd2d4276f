"""Errors for the user: what was wrong, where, what was expected and what to do next.

Every error that a user can cause is a `TorchstoneError`. The command line prints it without a traceback
and ends with its `status`; from Python it is an ordinary exception.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchstone.finding import Finding


class TorchstoneError(Exception):
    """A mistake that the user can mend; `status` is the exit status of the command line.

    Args:
        message: what was wrong and where; may have several lines.
        hint: what to do next, in one or two sentences; printed below the message.
    """

    status = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(TorchstoneError):
    """An argument or an input that cannot be used."""

    status = 2


class ConfigError(UsageError):
    """A configuration value, flag or keyword that is unknown or out of range."""


class DataError(UsageError):
    """Data that cannot be read or cannot be trained on; names file, row and column where it can."""


class ModelError(UsageError):
    """A model that cannot be found, built or loaded."""


class PreflightError(UsageError):
    """The model's output does not fit task, loss or data; found before the first step.

    Args:
        findings: the mistakes that were found, errors first.
    """

    def __init__(self, message: str, *, findings: list[Finding], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


class RunError(TorchstoneError):
    """A run directory that cannot be written, read or continued."""


class RunPathError(RunError, UsageError):
    """A folder that is no run, or that cannot be used for one."""

    status = 2


class TrainingError(TorchstoneError):
    """Training could not go on, for example because the loss became NaN.

    Args:
        history: the records of the epochs that were finished.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, history: Iterable[dict[str, Any]] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.history = list(history)


class Interrupted(TorchstoneError):
    """Training was stopped by a signal and can be resumed.

    Args:
        history: one record per finished epoch.
    """

    status = 75

    def __init__(
        self, message: str, *, hint: str | None = None, history: list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.history = history or []


class MissingExtraError(UsageError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} is not installed.", hint=f'Install it with: pip install "torchstone[{extra}]"'
        )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest known names as a sentence, `""` when none is near.

    >>> did_you_mean("incom", ["income", "age"])
    'Did you mean "income"?'
    """
    names = list(known)
    lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), list(lower), n=3, cutoff=0.6)
    if not near:
        return ""
    quoted = [f'"{lower[name]}"' for name in near]
    return f"Did you mean {' or '.join(quoted)}?"
