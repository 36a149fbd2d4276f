"""The pre-commit hook and the GitHub action call a command that is there."""

from __future__ import annotations

from pathlib import Path

import yaml

from torchstone.cli.checking import parse

ROOT = Path(__file__).parents[2]


def test_the_hook_calls_check_with_flags_that_it_has() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    program, command, *flags = hook["entry"].split()
    assert (hook["id"], program, command) == ("torchstone-check", "torchstone", "check")
    assert parse(flags) is not None
    assert set(hook["types_or"]) == {"python", "jupyter", "markdown"}


def test_the_action_calls_check_with_flags_that_it_has() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    steps = action["runs"]["steps"]
    assert action["runs"]["using"] == "composite"
    script = steps[-1]["run"]
    flags = [word for word in script.split() if word.startswith("--")]
    assert flags
    for flag in flags:
        assert parse([flag, "terminal" if flag == "--format" else "x"]) or parse([flag])
    assert set(action["inputs"]) >= {"paths", "args", "changed-since", "version"}
    assert "${{" not in script, (
        "inputs reach the shell through the environment, so that they cannot be commands"
    )
