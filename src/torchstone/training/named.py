"""Classes of torch by name, and their arguments checked by name before they are made."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from torchstone.errors import ConfigError, did_you_mean


def find_class(option: str, name: str, known: Mapping[str, Any], where: str) -> Any:
    """The class called `name`, in any case.

    Args:
        option: the option that holds the name, for the message.
        name: what the user wrote.
        known: class names to classes.
        where: where the names come from, such as `torch.optim`.

    Raises:
        ConfigError: there is none; offers the nearest and lists all.
    """
    lower = {key.lower(): value for key, value in known.items()}
    found = lower.get(str(name).lower())
    if found is None:
        raise ConfigError(
            f'{option}: there is no "{name}" in {where}. {did_you_mean(str(name), known)}'.strip(),
            hint=f"Known: {', '.join(sorted(known))}.",
        )
    return found


def argument_names(kind: Any, without: Iterable[str] = ()) -> list[str]:
    """The keywords that a class takes, but for those in `without`."""
    hidden = {"self", *without}
    return [name for name in inspect.signature(kind).parameters if name not in hidden]


def check_arguments(option: str, kind: Any, arguments: Mapping[str, Any], known: list[str]) -> dict[str, Any]:
    """The arguments with lists as tuples (TOML and JSON know no tuples).

    Raises:
        ConfigError: names every argument that is not known, and the known ones.
    """
    unknown = [name for name in arguments if name not in known]
    if unknown:
        problems = [
            f'{option}: {kind.__name__} has no argument "{name}". {did_you_mean(name, known)}'.strip()
            for name in unknown
        ]
        raise ConfigError("\n".join(problems), hint=f"{kind.__name__} takes: {', '.join(known)}.")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()}


def refused(option: str, kind: Any, arguments: Mapping[str, Any], error: Exception) -> ConfigError:
    """What to raise when a class does not take the values it was given."""
    given = ", ".join(f"{name}={_shown(value)}" for name, value in arguments.items())
    return ConfigError(f"{option}: {kind.__name__}({given}) is not possible: {error}")


def _shown(value: Any) -> str:
    """A value as a message shows it: of a tensor its shape and dtype."""
    shape = getattr(value, "shape", None)
    if shape is None or not len(shape):
        return repr(value)
    return f"<{type(value).__name__.lower()} {tuple(shape)} {str(value.dtype).removeprefix('torch.')}>"


BAD_VALUE = (
    ArithmeticError,
    TypeError,
    ValueError,
    IndexError,
    AttributeError,
    RuntimeError,
    AssertionError,
    KeyError,
)
"""What torch raises for values that it cannot use, depending on the class."""
