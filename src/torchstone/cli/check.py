"""`torchstone check`: the mistakes in PyTorch programs, found by reading them."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from cyclopts import Parameter

from torchstone.cli.checking import CheckFlags, names_of, perform


def _flags() -> Any:
    """The flags as the command framework takes them, with their help."""
    made = []
    for flag in dataclasses.fields(CheckFlags):
        kind: Any = flag.metadata["kind"]
        kind = {list: list[str], int: int | None, str: str | None}.get(kind, kind)
        if flag.default is None:
            kind = kind | None
        # Negative forms are left out: there is one way to say each thing.
        parameter = Parameter(
            name=names_of(flag),
            help=flag.metadata["help"],
            negative=(),
            show_default=flag.name == "format",
        )
        default = (
            dataclasses.field(default_factory=list)
            if flag.metadata["kind"] is list
            else dataclasses.field(default=flag.default)
        )
        made.append((flag.name, Annotated[kind, parameter], default))
    # The module is named because cyclopts does not look inside classes of the standard library.
    return dataclasses.make_dataclass("Flags", made, namespace={"__module__": __name__})


_Flags = _flags()


def check(*paths: str, flags: Annotated[_Flags | None, Parameter(name="*")] = None) -> int:  # type: ignore[valid-type]
    """Find the mistakes in PyTorch programs by reading them.

    Python files, folders, notebooks and the Python blocks of Markdown. Nothing
    is imported or run. The status is 1 when something is found, or a file cannot
    be read.

    For example:

      torchstone check src
      torchstone check train.py --fix
      torchstone check . --changed-since origin/main --format github

    Args:
        paths: Files and folders; - for the text on stdin. Default: the current folder.
        flags: What is looked for and how it is shown.
    """
    return perform(paths, CheckFlags(**vars(flags)) if flags is not None else CheckFlags())
