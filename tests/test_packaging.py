"""What is declared about the package holds together."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import torchstone

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines]


def pins() -> dict[str, Requirement]:
    """The tested set, by name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_each_dependency_is_pinned_within_its_range(requirement: Requirement) -> None:
    pin = pins()[canonicalize_name(requirement.name)]
    (version,) = (specifier.version for specifier in pin.specifier)
    assert version in requirement.specifier


def test_the_core_needs_no_torch() -> None:
    core = {Requirement(line).name for line in PROJECT["dependencies"]}
    assert core.isdisjoint({"torch", "numpy", "polars", "scikit-learn"})
    assert {"torch", "torchvision"} <= {Requirement(line).name for line in EXTRAS["train"]}


def test_the_version_is_the_package_s() -> None:
    assert importlib.metadata.version("torchstone") == torchstone.__version__
    assert f"## {torchstone.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_types_are_published() -> None:
    assert Path(torchstone.__file__).with_name("py.typed").exists()


def test_continuous_integration_is_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "exec make test"


def test_make_without_a_new_enough_python_says_what_to_do(tmp_path: Path) -> None:
    arguments = ["make", "quickstart", "PYTHON=", f"VENV={tmp_path / 'environment'}"]
    result = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "Python 3.11 or newer" in result.stderr
