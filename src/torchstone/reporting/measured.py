"""What metrics are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torchstone.metrics import METRICS

FOLDED = ("_micro", "_weighted")
"""Averages that say little beside the macro one; shown on request."""


def metric_label(key: str) -> str:
    """A metric's name in reports; an unknown key with spaces for underscores."""
    if key == "loss":
        return "loss"
    return METRICS[key].label if key in METRICS else key.replace("_", " ")


def is_folded(key: str) -> bool:
    """Whether a metric is one of the averages that are shown on request."""
    return key.endswith(FOLDED)


def value_of(evaluation: Mapping[str, Any], key: str) -> float | None:
    """The value of a metric of an evaluation (JSON values)."""
    value = ((evaluation.get("metrics") or {}).get(key) or {}).get("value")
    return None if value is None else float(value)
