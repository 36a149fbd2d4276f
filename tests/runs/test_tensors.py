"""Tensors and nested values on the disk, and back exactly."""

from __future__ import annotations

import math
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from torchstone.errors import RunError
from torchstone.runs import durable, nested
from torchstone.runs.tensors import read_tensors, store_tensors, write_tensors

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.int64,
    torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.bool, torch.complex64, torch.complex128,
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_comes_back_as_it_was(dtype: torch.dtype, tmp_path: Path) -> None:
    numbers = torch.tensor([[0.0, 1.0, 0.0], [1.5, 2.0, 1.0]])
    tensors = {
        "matrix": numbers.to(dtype).T,
        "scalar": numbers[1, 1].to(dtype),
        "none": numbers[:0].to(dtype),
    }
    if dtype.is_complex:
        tensors["conjugate"] = (tensors["matrix"] * 1j).conj()
    write_tensors(tmp_path / "a.safetensors", tensors)
    found = read_tensors(tmp_path / "a.safetensors")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == dtype
        assert found[name].shape == tensor.shape
        assert found[name].tolist() == tensor.tolist()


def test_other_programs_read_the_file(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", {"weight": torch.ones(2, 3)})
    assert torch.equal(load_file(tmp_path / "a.safetensors")["weight"], torch.ones(2, 3))


def test_tied_tensors_are_each_written(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    write_tensors(tmp_path / "a.safetensors", {"a": whole, "b": whole, "part": whole[2:4]})
    found = read_tensors(tmp_path / "a.safetensors")
    assert found["a"].tolist() == found["b"].tolist() == whole.tolist()
    assert found["part"].tolist() == [2.0, 3.0]
    found["a"].zero_()
    assert found["b"].sum() == 15


def test_what_was_read_does_not_change_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.ones(1000)})
    found = read_tensors(path)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert found["a"].sum() == 1000


def test_the_mode_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_tensors(tmp_path / "a.safetensors", {"a": torch.ones(1)})
    finally:
        os.umask(before)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("content", [b"", b"no tensors", b"\xff" * 100, None])
def test_a_damaged_file_is_said(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:-7] if content is None else content)
    with pytest.raises(RunError, match="is damaged"):
        read_tensors(path)
    path.unlink()
    with pytest.raises(RunError, match="no such file"):
        read_tensors(path)


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written"):
        write_tensors(tmp_path / "gone" / "a.safetensors", {"a": torch.ones(1)})
    with pytest.raises(OSError, match="No such file"):
        store_tensors(tmp_path / "gone" / "a.safetensors", {"a": torch.ones(1)})


@pytest.mark.skipif(os.name == "nt", reason="has no limit of file sizes")
def test_a_file_that_cannot_grow_leaves_the_one_before(tmp_path: Path) -> None:
    import resource
    import signal

    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    write_tensors(tmp_path / "a.safetensors", {"a": torch.ones(1)})
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(RunError, match=r"cannot be written: File too large.*MB free"):
            write_tensors(tmp_path / "a.safetensors", {"a": torch.ones(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert read_tensors(tmp_path / "a.safetensors")["a"].numel() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_sparse_tensor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="weight cannot be stored"):
        write_tensors(tmp_path / "a.safetensors", {"weight": torch.ones(2, 2).to_sparse()})


def test_a_file_is_whole_or_as_before(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    durable.write_bytes(path, b"one")
    durable.write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert durable.sha256(path) == "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
    with pytest.raises(OSError, match="directory"):
        durable.write_bytes(tmp_path, b"three")
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


VALUES: list[Any] = [
    None, True, 7, 2**70, 0.1, -math.inf, "text", b"\x00\xff", 1 + 2j, (), [], {}, (1, (2, [3])),
    {1: 2, "1": 3},
    {(1, 2): "pair", None: 0, 1.5: 1}, {"$": "tag"}, {"$": "tensor", "value": "x"}, {1, 2}, frozenset({3}),
    Counter({30: 1, 60: 2}), np.float32(0.1), np.int64(-5), np.bool_(True),
    torch.bfloat16, torch.device("cpu"),
    {"a/b": 1, "a": {"b": 2}},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_nested_values_come_back_with_their_types(value: Any) -> None:
    found = through_json({"x": value, "list": [value]})
    assert found == {"x": value, "list": [value]}
    assert type(found["x"]) is type(value)


def through_json(value: Any) -> Any:
    import json

    tensors, values = nested.flatten(value)
    return nested.unflatten(tensors, json.loads(json.dumps(values, allow_nan=False)))


def test_nan_arrays_and_random_states() -> None:
    assert math.isnan(through_json([math.nan])[0])
    generator = np.random.RandomState(3)
    generator.normal()
    state = through_json({"numpy": generator.get_state(legacy=False), "python": random.getstate()})
    other = np.random.RandomState()
    other.set_state(state["numpy"])
    assert other.normal() == generator.normal()
    assert state["python"] == random.getstate()
    for array in (np.array(3.0), np.zeros((2, 0), np.int16), np.arange(4, dtype=">i4")):
        found = through_json(array)
        assert found.shape == array.shape
        assert np.array_equal(found, array)


def test_tensors_are_known_by_their_path() -> None:
    one, two = torch.ones(()), torch.zeros(2)
    tensors, _ = nested.flatten({"state": {0: {"step": one}}, "a/b": two, "a": {"b": one}})
    assert list(tensors) == ["state/0/step", "a/b", "a/b#2"]
    assert tensors["state/0/step"].data_ptr() == one.data_ptr()
    assert through_json({"a/b": two, "a": {"b": one}})["a"]["b"].shape == ()


def test_what_cannot_be_stored_or_is_missing_is_said() -> None:
    with pytest.raises(RunError, match=r"object at a/0"):
        nested.flatten({"a": [object()]})
    with pytest.raises(RunError, match="damaged"):
        nested.unflatten({}, {"$": "tensor", "value": "gone"})
    with pytest.raises(RunError, match="damaged"):
        nested.unflatten({}, {"$": "strange", "value": 1})
