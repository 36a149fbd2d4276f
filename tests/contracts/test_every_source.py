"""What holds for every module on the shelf of data sources."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

import pytest

from torchstone.data import sources

TESTS = Path(__file__).parents[1] / "data" / "sources"


@pytest.mark.parametrize("source", sources.sources(), ids=lambda source: source.__name__.rpartition(".")[2])
def test_a_source_is_complete(source: ModuleType) -> None:
    assert source.__doc__
    assert list(inspect.signature(source.matches).parameters) == ["data"]
    assert list(inspect.signature(source.load).parameters) == ["data", "config", "split"]
    if hasattr(source, "batches"):
        assert list(inspect.signature(source.batches).parameters) == ["data", "options", "rows"]
    for stranger in (None, 5, object(), {1, 2}, b"bytes"):
        assert not source.matches(stranger)
    assert (TESTS / f"test_{source.__name__.rpartition('.')[2]}.py").is_file()


@pytest.mark.parametrize(
    "data", ["digits", "x.csv", "torchvision:MNIST", {"a": [1]}, [[1.0, 2.0]], ([[1.0]], [1])]
)
def test_one_source_takes_each_kind_of_data(data: object) -> None:
    assert sum(source.matches(data) for source in sources.sources()) == 1
