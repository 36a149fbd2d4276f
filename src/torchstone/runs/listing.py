"""The runs of a folder, as they stand. Imports no torch, so that listing is quick."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from torchstone.errors import RunError, RunPathError
from torchstone.runs.directory import DEFAULT_PARENT, RunDirectory, is_run
from torchstone.runs.process import is_gone


def list_runs(folder: str | os.PathLike[str] = DEFAULT_PARENT) -> list[dict[str, Any]]:
    """What each run is and how it ended.

    Args:
        folder: what holds the runs' folders, or a run.

    Returns:
        For each run, the oldest first: `path`, `name`, `status` (`running`, `finished`, `stopped`, `failed`,
        `damaged`; a run whose process is no more counts as stopped), `problem` (why it failed or cannot be
        read), `started`, `seconds`, `data`, `task`, `model`, `result` (the record of its best epoch),
        `evaluations` (`{split: {metric: value}}`). What a run does not know is None.

    Raises:
        RunPathError: there is no such folder.
    """
    parent = Path(folder)
    if not parent.is_dir():
        hint = (
            "Give the folder that holds them, as in: torchstone runs DIR"
            if parent == DEFAULT_PARENT
            else None
        )
        what = "is no folder" if parent.exists() else "does not exist"
        raise RunPathError(f"{parent} {what}, so there are no runs to list.", hint=hint)
    paths = [parent] if is_run(parent) else sorted(path for path in parent.iterdir() if is_run(path))
    return sorted(map(_described, paths), key=lambda run: run["started"] or "")


def _described(path: Path) -> dict[str, Any]:
    directory = RunDirectory(path)
    try:
        manifest = directory.read_object(directory.manifest_path)
    except RunError as error:
        manifest = {"status": "damaged", "error": error.message}
    status = manifest.get("status")
    if status == "running" and is_gone(manifest.get("process")):
        status = "stopped"
    if status not in ("running", "finished", "stopped", "failed", "damaged"):
        manifest["error"], status = f"{directory.manifest_path} has no status that is known.", "damaged"
    evaluations, problem = _evaluations(directory)
    return {
        "path": str(path),
        "name": directory.name,
        "status": status,
        "problem": manifest.get("error") or problem,
        "started": manifest.get("started"),
        "seconds": manifest.get("seconds"),
        "data": _entry(manifest.get("data"), "name"),
        "task": _entry(manifest.get("task"), "kind"),
        "model": _entry(manifest.get("model"), "name"),
        "result": manifest.get("result"),
        "evaluations": evaluations,
    }


def _entry(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else value


def _evaluations(directory: RunDirectory) -> tuple[dict[str, dict[str, float]], str | None]:
    """The metrics' values by split, and what is wrong with the files."""
    found: dict[str, dict[str, float]] = {}
    problem = None
    for path in sorted(directory.evaluations_path.glob("*.json")):
        try:
            metrics = json.loads(path.read_bytes())["metrics"]
            found[path.stem] = {name: _entry(value, "value") for name, value in metrics.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            problem = f"{path} is damaged."
    return found, problem
