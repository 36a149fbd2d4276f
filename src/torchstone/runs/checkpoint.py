"""Checkpoints of a run: written whole or not at all, and known by their checksums."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from torchstone.errors import RunError
from torchstone.runs import durable, nested
from torchstone.runs.directory import RunDirectory, unwritable
from torchstone.runs.tensors import read_tensors, store_tensors

VERSION = 1
_CHECKSUMS = "checksums.json"
_STATE = "state"


@dataclass
class Checkpoint:
    """All that a run was at a step.

    Args:
        step: optimizer steps done.
        weights: tensors on the CPU, by file (`model`, `optimizer`, ...) and name.
        state: everything else.
        notes: what is to be said about it, such as a newer checkpoint that was damaged.
    """

    step: int
    weights: dict[str, dict[str, Tensor]]
    state: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def save(
    directory: RunDirectory,
    step: int,
    weights: Mapping[str, Mapping[str, Tensor]],
    state: Mapping[str, Any],
    keep: int = 2,
) -> Path:
    """Makes a checkpoint; only then are older ones removed.

    Checkpoints of later steps belong to a past that was gone back on, and are removed too.

    Args:
        directory: the run.
        step: optimizer steps done.
        weights: tensors by file and name; each file becomes `<file>.safetensors`.
        state: values that `nested.flatten` knows.
        keep: how many checkpoints stay, this one among them.

    Returns:
        The checkpoint's folder, `checkpoints/<step>`.

    Raises:
        RunError: it cannot be written; the checkpoints before are still there.
    """
    if _STATE in weights:
        raise ValueError(f'weights: "{_STATE}" is the name of the file of the state')
    parent = directory.checkpoints_path
    folder, aside = parent / str(step), parent / f".writing-{step}-{os.getpid()}"
    try:
        aside.mkdir(parents=True, exist_ok=True)
        _write(aside, weights, dict(state))
        _put(aside, folder)
    except OSError as error:
        raise unwritable(folder, error) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    try:
        _remove_others(parent, step, keep)
    except OSError as error:
        raise unwritable(parent, error) from None
    return folder


def load(directory: RunDirectory, step: int | None = None) -> Checkpoint:
    """A checkpoint whose checksums hold.

    Args:
        directory: the run.
        step: which one; None for the newest that is whole. Damaged ones are passed over, and said in `notes`.

    Raises:
        RunError: there is none, or none that is whole.
    """
    steps = list_steps(directory)
    if step is not None and step not in steps:
        known = f"Those of steps {', '.join(map(str, steps))} are there." if steps else None
        raise RunError(f"{directory.path} has no checkpoint of step {step}.", hint=known)
    notes: list[str] = []
    for candidate in steps[::-1] if step is None else [step]:
        folder = directory.checkpoints_path / str(candidate)
        problem = _problem(folder)
        if problem is None:
            try:
                return Checkpoint(candidate, *_read(folder), notes)
            except RunError as error:
                problem = error.message.rstrip(".")
        notes.append(f"The checkpoint of step {candidate} is damaged ({problem}) and was passed over.")
    if not notes:
        raise RunError(f"{directory.path} has no checkpoint.", hint="It was stopped before the first one.")
    raise RunError(f"{directory.path} has no checkpoint that is whole.\n" + "\n".join(notes))


def list_steps(directory: RunDirectory) -> list[int]:
    """The steps that have a checkpoint, damaged or not, in order."""
    return _steps(directory.checkpoints_path)


def flatten_optimizer(state_dict: Mapping[str, Any]) -> tuple[dict[str, Tensor], Any]:
    """An optimizer's state as tensors by path, such as `state/0/exp_avg` (not copies), and JSON."""
    return nested.flatten(dict(state_dict))


def restore_optimizer(tensors: Mapping[str, Tensor], json: Any) -> dict[str, Any]:
    """The inverse of `flatten_optimizer`, with the dtypes and shapes as they were.

    Raises:
        RunError: a tensor is missing.
    """
    restored = nested.unflatten(tensors, json)
    if not isinstance(restored, dict):
        raise RunError("The stored state of an optimizer is damaged: it is no dictionary.")
    return restored


def load_optimizer(optimizer: Optimizer, state_dict: Mapping[str, Any]) -> None:
    """Loads an optimizer's state with the dtypes it was saved with.

    `Optimizer.load_state_dict` casts state to the dtype of its parameter, so that float32 moments of bfloat16
    weights would lose their last bits.

    Args:
        optimizer: of the same parameters, in the same order.
        state_dict: as `optimizer.state_dict()` gave it.

    Raises:
        ValueError: it is the state of other parameters; from torch.
    """
    optimizer.load_state_dict(dict(state_dict))
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    indices = [index for group in state_dict["param_groups"] for index in group["params"]]
    for index, parameter in zip(indices, parameters, strict=True):
        for name, saved in state_dict["state"].get(index, {}).items():
            optimizer.state[parameter][name] = _uncast(optimizer.state[parameter].get(name), saved)


def _uncast(loaded: Any, saved: Any) -> Any:
    """`saved` where torch put `loaded`; what torch did not cast stays as torch left it."""
    if isinstance(loaded, Tensor) and isinstance(saved, Tensor):
        if loaded.dtype == saved.dtype:
            return loaded
        return saved.to(loaded.device, copy=True)
    if isinstance(saved, list) and isinstance(loaded, list) and len(saved) == len(loaded):
        return [_uncast(*pair) for pair in zip(loaded, saved, strict=True)]
    return loaded


def _write(folder: Path, weights: Mapping[str, Mapping[str, Tensor]], state: dict[str, Any]) -> None:
    """Writes the files, the checksums of all others last."""
    tensors, values = nested.flatten(state)
    for name, named in {**weights, _STATE: tensors}.items():
        store_tensors(folder / f"{name}.safetensors", named)
    durable.write_bytes(folder / f"{_STATE}.json", json.dumps(values, allow_nan=False).encode())
    files = {
        path.name: {"size": path.stat().st_size, "sha256": durable.sha256(path)}
        for path in sorted(folder.iterdir())
    }
    checksums = json.dumps({"version": VERSION, "files": files}, indent=2) + "\n"
    durable.write_bytes(folder / _CHECKSUMS, checksums.encode())


def _put(aside: Path, folder: Path) -> None:
    """Gives a whole checkpoint its name; one of the same step makes way."""
    if folder.exists():
        _remove(folder, before=lambda: aside.rename(folder))
    else:
        aside.rename(folder)
    durable.sync_folder(folder.parent)


def _remove(folder: Path, before: Any = None) -> None:
    """Renames a folder, so that half of it is never taken for a checkpoint, then removes it."""
    gone = folder.with_name(f".removing-{folder.name}-{os.getpid()}")
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    if before is not None:
        before()
    shutil.rmtree(gone)


def _remove_others(parent: Path, step: int, keep: int) -> None:
    older = [other for other in _steps(parent) if other < step]
    later = [other for other in _steps(parent) if other > step]
    for other in [*later, *older[: max(len(older) - max(keep, 1) + 1, 0)]]:
        _remove(parent / str(other))
    for leftover in [*parent.glob(".writing-*"), *parent.glob(".removing-*")]:  # of a process that was killed
        shutil.rmtree(leftover)


def _steps(parent: Path) -> list[int]:
    if not parent.is_dir():
        return []
    return sorted(int(path.name) for path in parent.iterdir() if path.name.isdecimal() and path.is_dir())


def _problem(folder: Path) -> str | None:
    """What is wrong with a checkpoint's files; None when they are as they were written."""
    try:
        checksums = json.loads((folder / _CHECKSUMS).read_bytes())
        if checksums["version"] != VERSION:
            return f"version {checksums['version']} is unknown"
        for name, expected in checksums["files"].items():
            size = (folder / name).stat().st_size
            if size != expected["size"]:
                return f"{name} has {size} bytes instead of {expected['size']}"
            if durable.sha256(folder / name) != expected["sha256"]:
                return f"the checksum of {name} is wrong"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{_CHECKSUMS} cannot be read"
    return None


def _read(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    files = {path.stem: read_tensors(path) for path in sorted(folder.glob("*.safetensors"))}
    try:
        values = json.loads((folder / f"{_STATE}.json").read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"{_STATE}.json cannot be read: {error}.") from None
    state: dict[str, Any] = nested.unflatten(files.pop(_STATE, {}), values)
    return files, state
