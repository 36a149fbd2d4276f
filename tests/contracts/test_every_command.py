"""What every command must do; a new file is held to it by being there."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys

import pytest

from torchstone.cli import COMMANDS, _app, run


@pytest.mark.parametrize("command", COMMANDS)
def test_its_file_holds_a_function_of_its_name_with_an_example(command: str) -> None:
    module = importlib.import_module(f"torchstone.cli.{command}")
    function = getattr(module, command)
    documentation = inspect.getdoc(function) or ""
    assert documentation.splitlines()[0].endswith(".")
    examples = re.findall(r"^ +torchstone (\S+)", documentation, re.MULTILINE)
    assert examples
    assert set(examples) == {command}
    assert (module.__doc__ or "").startswith(f"`torchstone {command}")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_has_a_help_text(command: str) -> None:
    for argument in _app(overview=False)[command].assemble_argument_collection(parse_docstring=True):
        if argument.name != "*":
            assert argument.parameter.help, argument.name


@pytest.mark.parametrize("command", COMMANDS)
def test_it_knows_json_and_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = {
        name
        for argument in _app(overview=False)[command].assemble_argument_collection()
        for name in argument.names
    }
    assert "--json" in names
    assert run([command, "--help"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "--json" in shown.out
    assert f"torchstone {command}" in shown.out


@pytest.mark.parametrize("command", COMMANDS)
def test_a_mistyped_flag_is_status_2(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    # What follows the script of `watch` is the script's own.
    assert run([command, "--jsno", "x"] if command == "watch" else [command, "x", "--jsno"]) == 2
    shown = capsys.readouterr()
    assert "error: " in shown.err
    assert "--jsno" in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_its_help_imports_no_torch(command: str) -> None:
    """An import of torch costs more than a second, and users ask for help often."""
    program = (
        "import sys; from torchstone.cli import run; status = run(sys.argv[1:]); "
        "sys.exit(status or 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, command, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
