"""The command line: one file per command, each parses, calls `torchstone.api` and prints."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts import App

_NOT_COMMANDS = ("__init__", "checking", "console", "flags", "watching")
COMMANDS = sorted(
    name[:-3]
    for name in os.listdir(os.path.dirname(__file__))
    if name.endswith(".py") and name[:-3] not in _NOT_COMMANDS
)
"""The names of the commands: each is a function of that name in the file of that name."""


def _app(*, overview: bool) -> App:
    """The command line, its commands by import path, so that each costs the import of its own file only.

    Args:
        overview: for `torchstone --help`: with the first sentence of each, read without importing it.
    """
    from cyclopts import App

    import torchstone

    app = App(
        name="torchstone",
        help="Train PyTorch models in one command, and find the mistakes in any PyTorch program.",
        version=torchstone.__version__,
        help_format="rich",
        suppress_keyboard_interrupt=False,  # `run` says that it was interrupted
    )
    for command in COMMANDS:
        path = f"torchstone.cli.{command}:{command}"
        if overview:
            app.command(path, name=command, help=_first_sentence(command))
        else:
            app.command(path, name=command)
    return app


def _first_sentence(command: str) -> str:
    """The first sentence of a command's docstring."""
    import ast

    with open(os.path.join(os.path.dirname(__file__), f"{command}.py"), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == command)
    text = ast.get_docstring(next(functions)) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


def main() -> None:
    """Run the command line of this process and exit with its status."""
    if sys.argv[1:2] in (["check"], ["watch"]) and not sys.flags.safe_path and sys.path[0] == os.getcwd():
        # As without `python -m`: what we import is not to be a file of the folder that we are used in.
        sys.path[0] = os.path.dirname(sys.executable)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; a user's mistake gives a message and a status, no traceback.

    Args:
        arguments: the words after `torchstone`.

    Returns:
        The exit status: 0 good, 1 the run failed or something was found, 2 usage or input, 75 stopped and
        resumable, 130 stopped by Ctrl-C and 143 by SIGTERM with nothing to resume.
    """
    from contextlib import nullcontext

    from torchstone.errors import TorchstoneError
    from torchstone.interruption import signal_of, termination_raises

    # A watched script finds the signal's handler as python would leave it.
    handling = nullcontext() if arguments[:1] == ["watch"] else termination_raises()
    try:
        with handling:
            return _run(arguments)
    except TorchstoneError as error:
        from torchstone.cli.console import print_error

        print_error(error)
        return error.status
    except KeyboardInterrupt as interruption:
        number = signal_of(interruption)
        sys.stderr.write(f"Stopped by {number.name}. Nothing is half written: give the same command again.\n")
        return 128 + number
    except BrokenPipeError:
        # The reader (head, less) went away; keep the interpreter from complaining while it flushes.
        sys.stdout = None
        return 0


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["check"]:
        from torchstone.cli import checking

        if (status := checking.quick(arguments[1:])) is not None:
            return status
    if arguments[:1] == ["watch"]:
        from torchstone.cli.watch import split

        arguments = ["watch", *split(arguments[1:])]
    return _run_framework(arguments)


def _run_framework(arguments: list[str]) -> int:
    """Run a command through the command framework, which takes a tenth of a second to import."""
    from cyclopts import CycloptsError

    import torchstone
    from torchstone.errors import MissingExtraError, UsageError

    app = _app(overview=not arguments or arguments[0] in ("--help", "-h"))
    try:
        status = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except ModuleNotFoundError as error:
        if error.name not in torchstone.TRAIN_PACKAGES:
            raise
        raise MissingExtraError(error.name, "train") from None
    except CycloptsError as error:
        words = next((word for word in arguments if word in COMMANDS), "")
        hint = f"See: torchstone {words} --help".replace("  ", " ")
        raise UsageError(str(error), hint=hint) from None
    return status if isinstance(status, int) else 0
