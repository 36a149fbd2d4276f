"""The sections of the configuration as flags: one flag a key, with its help, choices and default."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

from cyclopts import Parameter, Token

from torchstone.config import SECTIONS


def section_flags(section: str) -> type[Any]:
    """A dataclass whose fields are the keys of a section, None where a flag is not given.

    The values are checked by `torchstone.config`, so that a flag, a keyword and a line of `config.toml`
    get the same message; here they are only read from text.
    """
    fields = []
    for key, info in SECTIONS[section].model_fields.items():
        annotation: Any = info.annotation
        if get_origin(annotation) is dict:  # written as name=value, and repeated
            annotation = list[str]
        is_number = bool({int, float} & set(_alternatives(annotation)))
        help_text = (info.description or "").replace("\n", " ")
        if info.default is not None and info.default not in ([], {}, "auto", "none", False):
            help_text += f" Default: {info.default}."
        parameter = Parameter(
            help=help_text,
            show_default=False,
            negative_iterable=(),
            converter=number if is_number else None,
        )
        fields.append((key, Annotated[annotation | None, parameter], dataclasses.field(default=None)))
    # The module is named because cyclopts does not look inside classes of the standard library.
    return dataclasses.make_dataclass(f"{section.title()}Flags", fields, namespace={"__module__": __name__})


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """The types of a union without None; those of a choice of texts and numbers count as text."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return () if str in kinds else kinds


def number(kind: Any, tokens: Sequence[Token]) -> int | float:
    """A number as it is written: 3.5 is no whole number, and is not rounded to one.

    Raises:
        ValueError: it is none.
    """
    whole = float not in _alternatives(kind)
    try:
        return int(tokens[0].value) if whole else float(tokens[0].value)
    except ValueError:
        wanted = "a whole number" if whole else "a number"
        raise ValueError(f'Expected {wanted}, got "{tokens[0].value}".') from None


def given(*sections: Any) -> dict[str, Any]:
    """The keys that were given, with their values."""
    return {
        key: value
        for section in sections
        if section is not None
        for key, value in vars(section).items()
        if value is not None
    }
