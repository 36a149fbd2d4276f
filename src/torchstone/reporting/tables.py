"""The tables of a report: cells with text and, for numbers, the value that they are sorted by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torchstone.metrics import METRICS
from torchstone.reporting import charts
from torchstone.reporting.measured import is_folded, metric_label, value_of
from torchstone.reporting.panels import MOST_CLASSES
from torchstone.reporting.scales import DASH, finite, number, seconds
from torchstone.reporting.sentences import split_name
from torchstone.task import Task, TaskKind

_TILES: dict[TaskKind, tuple[str, ...]] = {
    "binary": ("accuracy", "roc_auc", "f1", "log_loss"),
    "multiclass": ("accuracy", "f1_macro", "roc_auc", "log_loss"),
    "multilabel": ("subset_accuracy", "f1_macro", "roc_auc", "hamming_loss"),
    "regression": ("mae", "rmse", "r2", "median_absolute_error"),
}
_LONG = 12
_CHOICES = {
    "default": "usual",
    "best_f1": "best F1",
    "f1": "best F1",
    "best_balanced_accuracy": "best balance",
    "balanced_accuracy": "best balance",
}


@dataclass(frozen=True)
class Cell:
    """A cell: its text, and its value where it is a number."""

    text: str
    number: bool = False
    value: Any = ""


@dataclass(frozen=True)
class Table:
    """A table with a name; `long` ones are folded."""

    name: str
    heads: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    long: bool = False


def _number(value: Any, text: str | None = None) -> Cell:
    return Cell(number(value) if text is None else text, True, "" if not finite([value]) else value)


def tiles(task: Task, evaluation: Mapping[str, Any]) -> list[dict[str, str]]:
    """The figures at the top."""
    found = []
    for key in _TILES[task.kind]:
        measured = (evaluation.get("metrics") or {}).get(key)
        if measured is None:
            continue
        low, high = measured.get("low"), measured.get("high")
        interval = f"95 %: {number(low)} to {number(high)}" if len(finite([low, high])) == 2 else ""
        value = measured.get("value")
        text = f"{value:.3f}" if finite([value]) and abs(value) >= 1 and abs(value) < 10 else number(value)
        found.append({"name": metric_label(key), "value": text, "interval": interval})
    return found


def metric_rows(evaluation: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The metrics with intervals, beside those of other splits."""
    metrics = evaluation.get("metrics") or {}
    ends = _strip_ends(metrics)
    rows = [
        {
            "folded": is_folded(key),
            "name": metric_label(key),
            "value": number(measured.get("value"), 4),
            "interval": _interval(measured),
            "strip": _strip(key, measured, ends),
            "others": [number(value_of(other, key), 4) for other in others],
            "better": "higher" if key not in METRICS or METRICS[key].higher_is_better else "lower",
        }
        for key, measured in metrics.items()
    ]
    return {
        "metric_rows": [row for row in rows if not row["folded"]],
        "more_metric_rows": [row for row in rows if row["folded"]],
        "strip_scale": None if ends is None else f"{ends[0]:g} to {ends[1]:g}",
        "other_splits": [split_name(other.get("split")) for other in others],
    }


def _on_strip(key: str) -> bool:
    """Whether a metric is a share that is better when higher, so that all such share one scale."""
    metric = METRICS.get(key)
    return metric is not None and metric.higher_is_better and (metric.low, metric.high) == (0.0, 1.0)


def _strip_ends(metrics: Mapping[str, Mapping[str, Any]]) -> tuple[float, float] | None:
    lows = finite(m.get(end) for key, m in metrics.items() if _on_strip(key) for end in ("low", "value"))
    return None if not lows else (min(0.9, int(min(lows) * 10) / 10), 1.0)


def _strip(key: str, measured: Mapping[str, Any], ends: tuple[float, float] | None) -> str:
    values = [measured.get(part) for part in ("value", "low", "high")]
    if ends is None or not _on_strip(key) or len(finite(values)) < 3:
        return ""
    value, low, high = finite(values)
    return charts.strip(value, low, high, ends)


def _interval(measured: Mapping[str, Any]) -> str:
    low, high = measured.get("low"), measured.get("high")
    return f"{number(low, 4)} to {number(high, 4)}" if len(finite([low, high])) == 2 else DASH


def classes(task: Task, evaluation: Mapping[str, Any]) -> Table | None:
    """Precision, recall and F1 of each class or label."""
    rows = evaluation.get("per_class") or []
    if not rows:
        return None
    heads = [
        Cell("class"),
        *(Cell(name, True) for name in ("precision", "recall", "F1", "rows", "predicted")),
    ]
    cells = [
        [
            Cell(str(row.get("class"))),
            *(_number(row.get(key)) for key in ("precision", "recall", "f1")),
            *(_number(row.get(key), f"{row.get(key) or 0:,.0f}") for key in ("support", "predicted")),
        ]
        for row in rows
    ]
    name = "Each label" if task.kind == "multilabel" else "Each class"
    return Table(name, heads, cells, long=len(rows) > _LONG)


def confused(task: Task, evaluation: Mapping[str, Any]) -> Table | None:
    """The pairs of classes that are confused most often, where there are too many classes for a matrix."""
    counts = evaluation.get("confusion") or []
    if len(task.classes) <= MOST_CLASSES or not counts:
        return None
    pairs = [
        (count, task.classes[row], task.classes[at])
        for row, of_row in enumerate(counts)
        for at, count in enumerate(of_row)
        if row != at and count
    ]
    if not pairs:
        return None
    rows = [
        [Cell(true), Cell(taken), _number(n, f"{n:,}")] for n, true, taken in sorted(pairs, reverse=True)[:12]
    ]
    return Table("Most often confused", [Cell("true"), Cell("taken for"), Cell("rows", True)], rows)


def thresholds(evaluation: Mapping[str, Any]) -> Table | None:
    """What other thresholds than one half would give."""
    choices = (evaluation.get("threshold") or {}).get("choices") or []
    if len(choices) < 2:
        return None
    heads = [Cell(""), *(Cell(_CHOICES.get(choice["name"], choice["name"]), True) for choice in choices)]
    keys = ("threshold", "accuracy", "balanced_accuracy", "precision", "recall", "f1")
    rows = [
        [
            Cell(key if key == "threshold" else metric_label(key)),
            *(_number(choice.get(key)) for choice in choices),
        ]
        for key in keys
    ]
    return Table("Other thresholds", heads, rows)


def history(records: Sequence[Mapping[str, Any]]) -> Table | None:
    """Every epoch."""
    if not records:
        return None
    keys = list(dict.fromkeys(key for record in records for key in record))
    heads = [Cell(key.replace("_", " "), place > 0) for place, key in enumerate(keys)]
    rows = [[_number(record.get(key), number(record.get(key), 4)) for key in keys] for record in records]
    return Table("Every epoch", heads, rows)


def facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Versions, machine, data and split."""
    found: list[tuple[str, str]] = []
    split, machine = manifest.get("split") or {}, manifest.get("machine") or {}
    if split.get("method"):
        counts = ", ".join(
            f"{split[part]:,} {split_name(part)}" for part in ("train", "val", "test") if part in split
        )
        found.append(("split", f"{split['method']}: {counts}"))
    if manifest.get("seed") is not None:
        found.append(("seed", str(manifest["seed"])))
    if finite([manifest.get("seconds")]):
        found.append(("trained for", seconds(manifest["seconds"])))
    found += [(name, str(version)) for name, version in (manifest.get("versions") or {}).items()]
    for key in ("platform", "cpu", "cpu_count", "threads", "device", "device_name"):
        if machine.get(key) is not None:
            found.append((key.replace("_", " "), str(machine[key])))
    git = manifest.get("git") or {}
    if git.get("commit"):
        found.append(("git commit", git["commit"] + (" with changes" if git.get("dirty") else "")))
    if manifest.get("command"):
        found.append(("command", " ".join(map(str, manifest["command"]))))
    return found
