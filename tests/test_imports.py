"""What starting up costs: which libraries are imported, and which are not, until they are needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "jinja2",
    "matplotlib",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "safetensors",
    "scipy",
    "sklearn",
    "tensorboard",
    "torch",
    "torchvision",
}


def imported_by(program: str) -> set[str]:
    """The heavy libraries that a fresh interpreter has imported after `program`."""
    report = "\nimport json, sys\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program + report], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return HEAVY & set(json.loads(result.stdout.splitlines()[-1]))


def test_help_imports_nothing_heavy() -> None:
    assert imported_by("from torchstone.cli import run; assert run(['--help']) == 0") == set()


@pytest.mark.parametrize(
    "command", ["check", "explain", "train", "evaluate", "predict", "resume", "runs", "models"]
)
def test_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    assert imported_by(f"from torchstone.cli import run; assert run([{command!r}, '--help']) == 0") == set()


def test_a_mistyped_command_imports_nothing_heavy() -> None:
    assert imported_by("from torchstone.cli import run; assert run(['trian', 'digits']) == 2") == set()


def test_the_package_imports_nothing_heavy() -> None:
    assert imported_by("import torchstone") == set()


@pytest.mark.parametrize("leaf", ["config", "errors", "finding", "task"])
def test_a_leaf_imports_nothing_heavy(leaf: str) -> None:
    assert imported_by(f"import torchstone.{leaf}") == set()


def test_training_imports_no_optional_library() -> None:
    """What fit and train need is there; scikit-learn (a second), matplotlib and pandas wait for their use.

    Only the estimators need scikit-learn to be defined.
    """
    found = imported_by(
        "import torchstone\n"
        "for name in set(torchstone.__all__) - {'Classifier', 'Regressor'}: getattr(torchstone, name)"
    )
    assert (
        found & {"sklearn", "scipy", "matplotlib", "pandas", "pyarrow", "torchvision", "tensorboard"} == set()
    )
