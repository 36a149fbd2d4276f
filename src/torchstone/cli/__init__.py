"""The command line: one file per command, each parses, calls `torchstone.api` and prints."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from cyclopts import App, CycloptsError

import torchstone
from torchstone.cli.console import error_console, print_error
from torchstone.errors import MissingExtraError, TorchstoneError

_NOT_COMMANDS = ("__init__", "console", "flags")
COMMANDS = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in _NOT_COMMANDS)
"""The names of the commands: each is a function of that name in the file of that name."""


def _app(*, overview: bool) -> App:
    """The command line, its commands by import path, so that each costs the import of its own file only.

    Args:
        overview: for `torchstone --help`: with the first sentence of each, read without importing it.
    """
    app = App(
        name="torchstone",
        help="Train PyTorch models in one command.",
        version=torchstone.__version__,
        help_format="rich",
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
    tree = ast.parse((Path(__file__).parent / f"{command}.py").read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == command)
    text = ast.get_docstring(next(functions)) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


def main() -> None:
    """Run the command line of this process and exit with its status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; a user's mistake gives a message and a status, no traceback.

    Args:
        arguments: the words after `torchstone`.

    Returns:
        The exit status: 0 good, 1 the run failed, 2 usage or input, 75 stopped and resumable,
        130 interrupted.
    """
    app = _app(overview=not arguments or arguments[0] in ("--help", "-h"))
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except TorchstoneError as error:
        print_error(error)
        return error.status
    except ModuleNotFoundError as error:
        if error.name not in torchstone.TRAIN_PACKAGES:
            raise
        print_error(MissingExtraError(error.name, "train"))
        return MissingExtraError.status
    except CycloptsError as error:
        words = next((word for word in arguments if word in COMMANDS), "")
        print_error(TorchstoneError(str(error), hint=f"See: torchstone {words} --help".replace("  ", " ")))
        return 2
    except KeyboardInterrupt:
        error_console().print("Interrupted.")
        return 130
    except BrokenPipeError:
        # The reader (head, less) went away; keep the interpreter from complaining while it flushes.
        sys.stdout = None
        return 0
    return 0
