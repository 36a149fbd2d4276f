"""What is to be learned: the task found from the target columns, and the targets as numbers."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from torchstone.config import DataConfig
from torchstone.data.conversion import FALSE, TRUE, clean, is_infinite, to_booleans, to_numbers
from torchstone.data.samples import Samples
from torchstone.errors import DataError
from torchstone.task import Task

MOST_WHOLE_CLASSES = 20
"""Whole numbers with at most so many different values, from 0 or 1 on, are taken for labels of classes."""
_NEGATIVE = frozenset(
    ["negative", "neg", "false", "no", "n", "f", "off", "0", "-1", "absent", "normal", "healthy"]
)
_POSITIVE = frozenset(
    ["positive", "pos", "true", "yes", "y", "t", "on", "1", "+1", "present", "abnormal", "sick"]
)
_SHOWN = 5
_LARGEST = 1e150
"""Targets beyond it, and differences below its inverse, have squares that no float64 holds."""
_log = logging.getLogger("torchstone")


@dataclass
class Target:
    """The targets of all samples as numbers.

    Args:
        task: what is to be learned.
        values: classification: int64 `(N,)` indices into `task.classes`, -1 where missing; multilabel:
            float32 `(N, labels)` of 0 and 1; regression: float64 `(N, targets)`, NaN where missing.
        present: bool `(N,)`; False where the target is missing: such rows are left out of every split.
        notes: what was found out and must be said.
    """

    task: Task
    values: np.ndarray
    present: np.ndarray
    notes: list[str] = field(default_factory=list)


def read_target(samples: Samples, config: DataConfig) -> Target:
    """Finds the task (unless the configuration sets it) and the targets.

    Raises:
        DataError: no target, all of it missing, one class, NaN or infinite targets, or targets that do not
            fit the task; names columns and rows.
    """
    if samples.target is None or not samples.target.width:
        raise DataError(f"{samples.name} has no target.", hint="Name the target column with --target.")
    columns = [clean(samples.target[name]) for name in samples.target.columns]
    for column in columns:
        _require_values(column, samples)
    task, notes = _find_task(columns, config.task, samples)
    values, present = encode_target(samples.target, task, samples.place)
    if task.kind == "regression":
        _require_spread(values, task, samples)
    if count := int((~present).sum()):
        notes.append(f"{count} of {len(samples)} rows have no target and are left out.")
    return Target(task, values, present, notes)


def encode_target(
    target: pl.DataFrame, task: Task, place: Callable[[int], str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The targets of new data as numbers, by the task's classes.

    Labels match their class after trimming blanks and one trailing dot, and however a number is written.

    Args:
        target: the columns `task.targets`.
        task: what was learned.
        place: says where a row was read, for errors; default: its number counted from 1.

    Returns:
        The values as in `Target`, and a bool array `(N,)` that says where they are present.

    Raises:
        DataError: a label that training did not know or a value that is no number; names the rows.
    """
    place = place or (lambda index: f"row {index + 1}")
    columns = [clean(target[name]) for name in task.targets]
    if task.is_classification:
        return _class_indices(columns[0], task.classes, place)
    if task.kind == "multilabel":
        labels = [_yes_or_no(column, place) for column in columns]
        values = np.stack([label.fill_null(False).to_numpy() for label in labels], axis=1).astype(np.float32)
    else:
        numbers = [_finite_numbers(column, place) for column in columns]
        values = np.stack([number.fill_null(np.nan).to_numpy() for number in numbers], axis=1)
    missing = np.stack([column.is_null().to_numpy() for column in columns], axis=1)
    return values, np.logical_not(missing.any(axis=1))


def _require_values(column: pl.Series, samples: Samples) -> None:
    if column.null_count() == len(column):
        raise DataError(
            f'{samples.name}: target "{column.name}" is missing in all {len(column)} rows.',
            hint="Name another column with --target; rows without a target are for `torchstone predict`.",
        )
    bad = is_infinite(column)
    if column.dtype.is_float():
        bad |= column.is_nan().fill_null(False)
    if bad.any():
        raise _rows_error(column, bad, "NaN or infinite", samples.place)


def _require_spread(values: np.ndarray, task: Task, samples: Samples) -> None:
    for name, column in zip(task.targets, values.T, strict=True):
        known = column[~np.isnan(column)]
        if 0 < np.ptp(known) < 1 / _LARGEST:
            raise DataError(
                f'{samples.name}: the values of target "{name}" lie within {np.ptp(known):.3g}; '
                "the squares of their differences are 0.",
                hint="Give it in a smaller unit, so that its numbers are larger.",
            )


def _find_task(columns: list[pl.Series], asked: str, samples: Samples) -> tuple[Task, list[str]]:
    if len(columns) > 1:
        return _find_joint_task(columns, asked, samples)
    column = columns[0]
    numbers = _numbers_or_none(column)
    kind, why = (asked, "as asked") if asked != "auto" else _guess_task(column, numbers, samples)
    if kind == "regression":
        if _finite_numbers(column, samples.place).drop_nulls().n_unique() == 1:
            raise DataError(
                f'{samples.name}: target "{column.name}" is {column.drop_nulls()[0]} in all rows.',
                hint="There is nothing to learn: name another --target.",
            )
        return Task("regression", (column.name,)), [f'Task: regression of "{column.name}" ({why}).']
    if kind == "multilabel":
        return Task("multilabel", (column.name,), (column.name,)), ["Task: multilabel (as asked)."]
    classes = _class_names(column, numbers)
    _require_classes(column, classes, kind, samples)
    kind = kind if asked != "auto" else "binary" if len(classes) == 2 else "multiclass"
    shown = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
    note = f'Task: {kind} classification of "{column.name}", {len(classes)} classes: {shown} ({why}).'
    return Task("binary" if kind == "binary" else "multiclass", (column.name,), tuple(classes)), [note]


def _guess_task(column: pl.Series, numbers: pl.Series | None, samples: Samples) -> tuple[str, str]:
    """The task of one target column and the reason."""
    if numbers is None:
        _require_few_words(column, samples)
        return "classes", "found from its words"
    values = numbers.drop_nulls().cast(pl.Float64)
    if column.dtype == pl.Boolean:
        return "classes", "found from its truth values"
    if not bool((values == values.floor()).all()):
        return "regression", "found from its decimal numbers"
    ordered: list[float] = values.unique().sort().to_list()
    distinct = len(ordered)
    if distinct > MOST_WHOLE_CLASSES:
        return "regression", f"found from its {distinct} different numbers"
    if distinct <= 2 or _like_labels(ordered):
        more = "" if distinct <= 2 else "; --task regression takes them as numbers"
        return "classes", f"found from its {distinct} whole numbers{more}"
    reason = f"found from its {distinct} whole numbers from {ordered[0]:.0f} to {ordered[-1]:.0f}"
    return "regression", f"{reason}; --task multiclass takes them as classes"


def _like_labels(values: list[float]) -> bool:
    """Whether numbers look like labels: they count from 0 or 1 on, with few gaps."""
    return values[0] in (0, 1) and len(values) >= 0.7 * (values[-1] - values[0] + 1)


def _find_joint_task(columns: list[pl.Series], asked: str, samples: Samples) -> tuple[Task, list[str]]:
    names = tuple(column.name for column in columns)
    if asked in ("binary", "multiclass"):
        raise DataError(
            f"--task {asked} has one target, {len(names)} are given: {', '.join(names)}.",
            hint="Several targets are a multilabel task (0 and 1) or a regression of several numbers.",
        )
    if asked == "multilabel" or (asked == "auto" and all(_is_yes_or_no(column) for column in columns)):
        for column in columns:
            _yes_or_no(column, samples.place)
        return Task("multilabel", names, names), [
            f"Task: multilabel, {len(names)} labels: {', '.join(names)}."
        ]
    for column in columns:
        _finite_numbers(column, samples.place)
    return Task("regression", names), [f"Task: regression of {len(names)} numbers: {', '.join(names)}."]


def _numbers_or_none(column: pl.Series) -> pl.Series | None:
    """The numbers of a column of nothing else, None for words."""
    if isinstance(column.dtype, pl.Enum | pl.Categorical):
        return None
    numbers = to_numbers(column)
    return numbers if numbers.null_count() == column.null_count() else None


def _require_few_words(column: pl.Series, samples: Samples) -> None:
    values = column.drop_nulls()
    unread = values.filter(to_numbers(values).is_null()) if column.dtype == pl.String else values
    if len(unread) <= 0.05 * len(values) and values.n_unique() > MOST_WHOLE_CLASSES:
        _finite_numbers(column, samples.place)
    distinct = values.n_unique()
    if len(values) >= 20 and distinct > 0.5 * len(values):
        raise DataError(
            f'{samples.name}: target "{column.name}" has {distinct} different words in {len(values)} rows, '
            f'such as "{values[0]}": that is no class to learn.',
            hint="Name another column with --target.",
        )


def _require_classes(column: pl.Series, classes: list[str], kind: str, samples: Samples) -> None:
    if len(classes) == 1:
        raise DataError(
            f'{samples.name}: target "{column.name}" has one class, "{classes[0]}", in all rows.',
            hint="Training needs at least two classes: name another --target, or add rows of another class.",
        )
    if kind == "binary" and len(classes) != 2:
        raise DataError(
            f'--task binary needs two classes, target "{column.name}" has {len(classes)}: '
            f"{', '.join(classes[:10])}{', ...' if len(classes) > 10 else ''}.",
            hint="Use --task multiclass, or make two classes of them in the data.",
        )


def _class_names(column: pl.Series, numbers: pl.Series | None) -> list[str]:
    """The classes in order: as an Enum says, numbers by size, words negative first, else natural."""
    if isinstance(column.dtype, pl.Enum):
        there = set(column.drop_nulls().cast(pl.String).to_list())
        return [name for name in column.dtype.categories.to_list() if name in there]
    if column.dtype == pl.Boolean or numbers is None:
        names = column.cast(pl.String).drop_nulls().unique().to_list()
        return sorted(names, key=_natural_order)
    return _number_names(numbers.drop_nulls().unique().sort()).to_list()


def _natural_order(name: str) -> tuple[Any, ...]:
    lower = name.lower()
    sign = 0 if lower in _NEGATIVE else 2 if lower in _POSITIVE else 1
    parts = re.split(r"(\d+)", name)
    return sign, [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts], name


def _number_names(numbers: pl.Series) -> pl.Series:
    """Numbers as words, whole ones without a point."""
    return numbers.cast(pl.String).str.strip_suffix(".0")


def _class_indices(
    column: pl.Series, classes: tuple[str, ...], place: Callable[[int], str]
) -> tuple[np.ndarray, np.ndarray]:
    known = pl.Enum(classes)
    words = column.cast(pl.String)
    found = words.cast(known, strict=False)
    if found.null_count() > column.null_count():
        trimmed = words.str.strip_suffix(".").str.strip_chars().cast(known, strict=False)
        if count := trimmed.len() - trimmed.null_count() - (found.len() - found.null_count()):
            _log.info("%d labels of %s matched after trimming a trailing dot.", count, column.name)
        numbers = _number_names(to_numbers(column)).cast(known, strict=False)
        codes = [series.to_physical().cast(pl.Int64) for series in (found, trimmed, numbers)]
        indices = pl.select(pl.coalesce(codes)).to_series()
    else:
        indices = found.to_physical().cast(pl.Int64)
    unknown = column.is_not_null() & indices.is_null()
    if unknown.any():
        shown = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
        raise _rows_error(column, unknown, f"none of the classes {shown}", place)
    return indices.fill_null(-1).to_numpy(), column.is_not_null().to_numpy()


def _is_yes_or_no(column: pl.Series) -> bool:
    values = column.drop_nulls().cast(pl.String).str.to_lowercase().str.strip_suffix(".0").unique().to_list()
    return set(values) <= TRUE | FALSE


def _yes_or_no(column: pl.Series, place: Callable[[int], str]) -> pl.Series:
    words = column if column.dtype == pl.Boolean else column.cast(pl.String).str.strip_suffix(".0")
    labels = to_booleans(words)
    wrong = column.is_not_null() & labels.is_null()
    if wrong.any():
        raise _rows_error(column, wrong, "neither 0 nor 1", place)
    return labels


def _finite_numbers(column: pl.Series, place: Callable[[int], str]) -> pl.Series:
    numbers = to_numbers(column).cast(pl.Float64)
    infinite = is_infinite(column) | numbers.is_infinite().fill_null(False)
    if column.dtype.is_float():
        infinite |= column.is_nan().fill_null(False)
    if infinite.any():
        raise _rows_error(column, infinite, "NaN or infinite", place)
    wrong = column.is_not_null() & numbers.is_null()
    if wrong.any():
        raise _rows_error(column, wrong, "no number", place)
    large = (numbers.abs() > _LARGEST).fill_null(False)
    if large.any():
        raise _rows_error(column, large, "too large to be squared", place)
    return numbers


def _rows_error(column: pl.Series, rows: pl.Series, what: str, place: Callable[[int], str]) -> DataError:
    indices = np.flatnonzero(rows.to_numpy())
    shown = ", ".join(f'{place(int(index))} "{column[int(index)]}"' for index in indices[:_SHOWN])
    more = f" and {len(indices) - _SHOWN} more" if len(indices) > _SHOWN else ""
    return DataError(
        f'Target "{column.name}" is {what} in {len(indices)} of {len(column)} rows: {shown}{more}.',
        hint="Mend these rows or leave them out; an empty field is a missing target, which is left out.",
    )
