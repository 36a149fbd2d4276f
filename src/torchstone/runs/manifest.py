"""`manifest.json`: with what, on what and from what a run was made, and how it ended."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import torch

from torchstone.runs.directory import RunDirectory
from torchstone.runs.process import this_process

VERSION = 1
PACKAGES = ("torchstone", "torch", "numpy", "polars", "safetensors", "scikit-learn", "torchvision")
Status = Literal["running", "finished", "stopped", "failed"]


def build_manifest(
    *,
    device: str | torch.device = "cpu",
    seed: int | None = None,
    command: Sequence[str] | None = None,
    folder: str | os.PathLike[str] = ".",
    **entries: Any,
) -> dict[str, Any]:
    """The manifest of a run that starts now.

    Args:
        device: where it trains.
        seed: the run's seed.
        command: the command line; None for this process's own.
        folder: the working folder, whose git commit is recorded if it has one.
        entries: what else belongs in it: `task`, `model`, `output_kind`, `split`, `data` ...; JSON values.

    Returns:
        JSON values, `status` among them as `running`.
    """
    return {
        "version": VERSION,
        "status": "running",
        "started": _now(),
        "ended": None,
        "seconds": None,
        **entries,
        "seed": seed,
        "command": list(sys.argv if command is None else command),
        "folder": str(Path(folder).resolve()),
        "process": this_process(),
        "git": git_state(folder),
        "versions": versions(),
        "machine": machine(device),
    }


def update_status(directory: RunDirectory, status: Status, **entries: Any) -> dict[str, Any]:
    """Writes how the run stands, with the time, and any further entries; gives the new manifest.

    Args:
        directory: the run.
        status: `finished`, `stopped` (can be resumed), `failed`, or `running` again.
        entries: what else is to be written in the manifest, such as `seconds=12.5` or `error="..."`.

    Raises:
        RunError: the manifest cannot be read or written.
    """
    manifest = directory.read_object(directory.manifest_path)
    manifest["status"] = status
    manifest["ended"] = None if status == "running" else _now()
    if status == "running":
        manifest["process"] = this_process()
    manifest.update(entries)
    directory.write_json(directory.manifest_path, manifest)
    return manifest


def versions() -> dict[str, str]:
    """The versions of Python and of the installed packages that a run's numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    if torch.version.cuda:
        found["cuda"] = torch.version.cuda
    return found


def machine(device: str | torch.device = "cpu") -> dict[str, Any]:
    """The machine as far as it can change a run's bits or its speed."""
    device = torch.device(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "device_name": name,
    }


def git_state(folder: str | os.PathLike[str] = ".") -> dict[str, Any] | None:
    """The commit of the working folder and whether files differ from it; None without git or a repository."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(folder: str | os.PathLike[str], *arguments: str) -> str | None:
    program = shutil.which("git")
    if program is None:
        return None
    try:
        result = subprocess.run(
            [program, "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # look, and leave no lock behind
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _cpu_model() -> str:
    """The processor's name; /proc on Linux, elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
