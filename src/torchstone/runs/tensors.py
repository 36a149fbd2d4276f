"""Named tensors in a safetensors file, which any program reads without running code from it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from torchstone.errors import RunError
from torchstone.runs import durable
from torchstone.runs.directory import unwritable

_COMPLEX = "torchstone.complex"
"""The entry of the metadata that names the complex tensors, which are stored as pairs of real numbers."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes a safetensors file, whole or not at all.

    Args:
        path: the file; its folder exists.
        tensors: by name, of any dtype and on any device. Tensors that share memory are each written in full.

    Raises:
        RunError: it cannot be written; what was there before is still there.
    """
    try:
        store_tensors(path, tensors)
    except OSError as error:
        raise unwritable(path, error) from None


def store_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """As `write_tensors`.

    Raises:
        OSError: it cannot be written.
        RunError: a value is none that a file of tensors can hold.
    """
    stored, complex_names = _storable(tensors)
    aside = durable.aside_of(path)
    try:
        aside.touch(exist_ok=False)
        mode = aside.stat().st_mode & 0o777  # what the umask gives; the library would choose its own
        # one entry at most: safetensors writes several in an order that differs from run to run
        save_file(stored, aside, {_COMPLEX: json.dumps(complex_names)} if complex_names else None)
        aside.chmod(mode)
        durable.sync_file(aside)
        aside.replace(path)
    except SafetensorError as error:
        raise _as_os_error(error, path) from None
    finally:
        aside.unlink(missing_ok=True)
    durable.sync_folder(path.parent)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, on the CPU, in memory of their own.

    Raises:
        RunError: the file is missing or damaged.
    """
    if not path.is_file():
        raise RunError(f"{path} cannot be read: there is no such file.")
    try:
        with safe_open(path, "pt") as file:
            complex_names = set(json.loads((file.metadata() or {}).get(_COMPLEX, "[]")))
            # a copy: the file's own memory changes or goes with the file, and is aligned by chance
            found = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (SafetensorError, ValueError) as error:
        raise RunError(f"{path} is damaged: {error}.") from None
    return {
        name: torch.view_as_complex(tensor) if name in complex_names else tensor
        for name, tensor in found.items()
    }


def _storable(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Contiguous CPU tensors that share no memory, and the names of those that were complex."""
    stored: dict[str, Tensor] = {}
    complex_names: list[str] = []
    memories: set[int] = set()
    for name, value in tensors.items():
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
            kind = f"{value.layout} tensor" if isinstance(value, Tensor) else type(value).__name__
            raise RunError(f"{name} cannot be stored: it is a {kind}, and only dense tensors can.")
        tensor = value.detach().cpu().resolve_conj().resolve_neg()
        if tensor.is_complex():
            complex_names.append(name)
            tensor = torch.view_as_real(tensor)
        tensor = tensor.contiguous()
        if tensor.untyped_storage().data_ptr() in memories:
            tensor = tensor.clone()
        memories.add(tensor.untyped_storage().data_ptr())
        stored[name] = tensor
    return stored, complex_names


def _as_os_error(error: SafetensorError, path: Path) -> OSError:
    """The system's error in one of safetensors, which names it in words only."""
    number = re.search(r"os error (\d+)", str(error))
    if number is None:
        return OSError(str(error))
    return OSError(int(number[1]), os.strerror(int(number[1])), str(path))
