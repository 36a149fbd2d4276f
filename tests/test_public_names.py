"""The public names of the package: frozen, complete, lazy and documented."""

from __future__ import annotations

import inspect
import subprocess
import sys
import types

import pytest

import torchstone

# To change one of these is a decision: it is in other people's programs.
NAMES = [
    "Callback",
    "Classifier",
    "ConfigError",
    "DataError",
    "Evaluation",
    "Finding",
    "Interrupted",
    "MissingExtraError",
    "ModelError",
    "PreflightError",
    "Regressor",
    "Report",
    "Run",
    "RunError",
    "TorchstoneError",
    "TrainingError",
    "UsageError",
    "check",
    "evaluate",
    "fit",
    "list_models",
    "list_runs",
    "load",
    "predict",
    "resume",
    "train",
    "watch",
]


def test_the_names_are_frozen() -> None:
    assert torchstone.__all__ == NAMES


def test_the_names_are_sorted_and_distinct() -> None:
    assert list(torchstone.__all__) == sorted(set(torchstone.__all__))


@pytest.mark.parametrize("name", torchstone.__all__)
def test_a_name_is_importable_and_documented(name: str) -> None:
    value = getattr(torchstone, name)
    if isinstance(value, str):  # __version__
        return
    documentation = inspect.getdoc(value)
    assert documentation, name
    assert documentation.splitlines()[0].strip().endswith((".", ":")), documentation.splitlines()[0]


def test_nothing_public_is_left_out() -> None:
    """A name without underscore in the package is listed, or a module of its own."""
    for name in torchstone.__all__:
        getattr(torchstone, name)
    public = {name for name, value in vars(torchstone).items() if not name.startswith("_")}
    modules = {name for name in public if isinstance(getattr(torchstone, name), types.ModuleType)}
    assert public - modules - {"annotations", "TYPE_CHECKING", "TRAIN_PACKAGES", "Any"} <= set(
        torchstone.__all__
    )


def test_dir_shows_the_names() -> None:
    assert set(torchstone.__all__) <= set(dir(torchstone))


def test_an_unknown_name_is_an_attribute_error_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match="trian"):
        _ = torchstone.trian  # type: ignore[attr-defined]


def test_a_verb_is_a_function_even_after_its_module_was_imported() -> None:
    """No sub-module hides a public name, in whatever order things are imported."""
    program = (
        "import pkgutil, importlib, torchstone\n"
        "for module in pkgutil.iter_modules(torchstone.__path__, 'torchstone.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "import types\n"
        "names = [n for n in torchstone.__all__ if isinstance(getattr(torchstone, n), types.ModuleType)]\n"
        "assert not names, names"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
