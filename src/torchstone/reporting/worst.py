"""The rows, or pictures, with the largest loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from torchstone.reporting.pictures import data_address
from torchstone.reporting.scales import finite, number, percent
from torchstone.task import Task

_SHOWN, _FEATURES, _PICTURES = 8, 5, 18


def worst_section(
    task: Task, evaluation: Mapping[str, Any], importance: Sequence[Mapping[str, Any]], pictures: Any
) -> dict[str, Any] | None:
    """What the template says about the worst rows; None where there are none.

    Args:
        task: what was to be learned.
        evaluation: the evaluation (JSON values).
        importance: the columns by importance, which come first.
        pictures: uint8 `(N, 1 or 3, H, W)` when the samples are pictures.
    """
    rows = evaluation.get("worst") or []
    if not rows:
        return None
    wrong = [row for row in rows if task.kind != "regression" and row.get("target") != row.get("prediction")]
    is_sure = task.kind != "regression" and not wrong
    section: dict[str, Any] = {
        "title": "Where it is least sure" if is_sure else "Where it is most wrong",
        "about": "The rows with the largest loss. Look here for wrong labels, and for what the columns do "
        "not say.",
        "pictures": None,
        "heads": ["loss"] if task.kind == "regression" else ["sure of it", "loss"],
        "features": any(row.get("features") for row in rows),
        "parts": [[], []],
    }
    if pictures is not None and getattr(pictures, "ndim", 0) == 4 and pictures.shape[1] in (1, 3):
        section["about"] = "The pictures with the largest loss. Look here for wrong labels."
        section["pictures"] = [_picture(row, pictures) for row in rows[:_PICTURES]]
        return section
    order = [str(row.get("column")) for row in importance]
    shown = [_row(row, task, order) for row in rows]
    section["parts"] = [shown[:_SHOWN], shown[_SHOWN:]]
    return section


def _row(row: Mapping[str, Any], task: Task, order: Sequence[str]) -> dict[str, Any]:
    features = row.get("features") or {}
    names = [name for name in order if name in features] + [name for name in features if name not in order]
    told = [(name, _value(features[name])) for name in names]
    numbers = (
        [] if task.kind == "regression" else [_figure(row.get("confidence"), percent(row.get("confidence")))]
    )
    return {
        "place": _place(row.get("place")),
        "target": _value(row.get("target")),
        "prediction": _value(row.get("prediction")),
        "wrong": task.kind != "regression" and row.get("target") != row.get("prediction"),
        "numbers": [*numbers, _figure(row.get("loss"), number(row.get("loss")))],
        "first": told[:_FEATURES],
        "rest": told[_FEATURES:],
    }


def _picture(row: Mapping[str, Any], pictures: Any) -> dict[str, Any]:
    target, prediction = _value(row.get("target")), _value(row.get("prediction"))
    confidence = row.get("confidence")
    return {
        "picture": data_address(pictures[int(row["index"])]),
        "alt": f"{target} taken for {prediction}",
        "target": target,
        "prediction": prediction,
        "probability": percent(confidence, 0) if finite([confidence]) else "",
        "place": _place(row.get("place")),
    }


def _figure(value: Any, text: str) -> dict[str, Any]:
    return {"text": text, "value": value if finite([value]) else ""}


def _place(place: Any) -> str:
    return PurePath(str(place or "")).name


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(_value, value)) or "–"
    return number(value, 4) if isinstance(value, float) else str(value)
