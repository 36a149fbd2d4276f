"""The runs of a folder in an order that helps to choose one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torchstone.errors import ConfigError, did_you_mean
from torchstone.metrics import METRICS
from torchstone.runs.listing import list_runs


def newest_or_best(directory: str | Path, sort: str | None) -> list[dict[str, Any]]:
    """The runs of a folder, see `torchstone.list_runs`.

    Args:
        directory: the folder.
        sort: a metric; of validation, so that the test rows choose nothing. None: the newest first.
    """
    runs = list_runs(directory)[::-1]
    if sort is None:
        return runs
    key = sort.removeprefix("val_")
    if key not in METRICS:
        raise ConfigError(
            f'--sort: there is no metric "{sort}". {did_you_mean(key, METRICS)}'.strip(),
            hint=f"Known: {', '.join(METRICS)}.",
        )
    sign = -1.0 if METRICS[key].higher_is_better else 1.0

    def place(run: dict[str, Any]) -> tuple[bool, float]:
        value = run["evaluations"].get("val", {}).get(key)
        return value is None, 0.0 if value is None else sign * value

    return sorted(runs, key=place)
