"""What can be wrong with data before anything is trained: findings that name columns and counts.

Statistics are those of training rows. Of validation and test rows only hashes of features are compared; the
targets of test rows are not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from torchstone.data.columns import LEFT_OUT, guess_column
from torchstone.data.giveaway import giveaways
from torchstone.finding import Finding, Fix
from torchstone.task import Task

if TYPE_CHECKING:
    from torchstone.data.samples import Samples
    from torchstone.data.split import Split
    from torchstone.data.target import Target

LEAST_CLASS_ROWS = 10
"""Training rows of a class below which it is said to be rare."""

LEAST_VAL_ROWS = 50
"""Validation rows below which their metrics say little."""


def check_data(samples: Samples, target: Target, split: Split) -> list[Finding]:
    """Warnings about data and split.

    Args:
        samples: all samples.
        target: their targets; only those of training rows are read.
        split: which rows are for what.
    """
    findings = [*_overlap(samples, split), *_rare_classes(samples, target, split)]
    if samples.is_table:
        used = [
            name
            for name, kind in samples.kinds.items()
            if kind not in LEFT_OUT and name not in split.left_out and name != split.time
        ]
        findings += _giveaways(samples, target, split, used)
        findings += _identifiers(samples, used)
    if 0 < len(split.val) < LEAST_VAL_ROWS:
        findings.append(_small_validation(samples, len(split.val), target.task))
    return findings


def _overlap(samples: Samples, split: Split) -> Iterator[Finding]:
    """Rows of validation and test that stand in training too, more often than training rows repeat."""
    hashes = _row_hashes(samples)
    train = hashes[split.train]
    known, counts = np.unique(train, return_counts=True)
    repeated = float(counts[counts > 1].sum() / max(len(train), 1))
    for name, rows in (("validation", split.val), ("test", split.test)):
        if not len(rows):
            continue
        shared = int(np.isin(hashes[rows], known).sum())
        expected = repeated * len(rows)
        if shared <= max(3.0, expected + 4 * np.sqrt(expected + 1)):
            continue
        yield Finding(
            "TS403",
            "train-evaluation-overlap",
            "warning",
            f"{shared} of {len(rows)} {name} rows are identical to training rows; the data's own repetitions "
            f"would make about {round(expected)}.",
            why=f"What was trained on is known, so the {name} figures are too good.",
            file=samples.files[0],
            evidence={"split": name, "shared": shared, "rows": len(rows), "expected": round(expected, 1)},
            fix=Fix(
                "Take the shared rows out of one side, or keep what belongs together with --group COLUMN."
            ),
        )


def _row_hashes(samples: Samples) -> np.ndarray:
    """A number for each row that is the same for identical rows."""
    features = samples.features
    if isinstance(features, pl.DataFrame):
        return features.hash_rows(seed=0).to_numpy()
    flat = np.ascontiguousarray(features).reshape(len(features), -1)
    return np.array(
        [int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8).digest(), "little") for row in flat],
        dtype=np.uint64,
    )


def _giveaways(samples: Samples, target: Target, split: Split, used: list[str]) -> Iterator[Finding]:
    what = f'the target "{target.task.targets[0]}"'
    for name, share in giveaways(samples, target, split.train, used).items():
        yield Finding(
            "TS411",
            "target-in-features",
            "warning",
            f'Column "{name}" alone tells {share:.2%} of {what} of the training rows.',
            why="A copy of the target is not known when a prediction is needed.",
            file=samples.files[0],
            evidence={"column": name, "share": round(share, 4), "rows": len(split.train)},
            fix=Fix(
                f"If the column is made from the target, leave it out: --columns {name}=drop "
                f'(columns={{"{name}": "drop"}}).'
            ),
        )


def _identifiers(samples: Samples, used: list[str]) -> Iterator[Finding]:
    """Columns that look like identifiers and were asked to be inputs."""
    features = samples.features
    assert isinstance(features, pl.DataFrame)  # noqa: S101 - asked for tables alone
    for name in used:
        column = features[name]
        if column.n_unique() < 0.9 * len(column):
            continue
        if guess_column(column.cast(pl.String)).kind != "identifier":
            continue
        yield Finding(
            "TS000",
            "identifier-as-feature",
            "warning",
            f'Column "{name}" looks like an identifier ({column.n_unique()} different values in '
            f"{len(column)} "
            "rows) and is used as an input.",
            why="A model can learn rows by heart from it, and it says nothing about new rows.",
            file=samples.files[0],
            evidence={"column": name, "distinct": column.n_unique(), "rows": len(column)},
            fix=Fix(f"Leave it out: --columns {name}=drop."),
        )


def _rare_classes(samples: Samples, target: Target, split: Split) -> Iterator[Finding]:
    if not target.task.is_classification:
        return
    counts = np.bincount(target.values[split.train], minlength=len(target.task.classes))
    rare = {
        name: int(count)
        for name, count in zip(target.task.classes, counts, strict=True)
        if count < LEAST_CLASS_ROWS
    }
    if rare:
        listed = ", ".join(f"{name} ({count})" for name, count in list(rare.items())[:10])
        yield Finding(
            "TS000",
            "rare-class",
            "warning",
            f"Classes with fewer than {LEAST_CLASS_ROWS} training rows: {listed}.",
            why="So few rows teach a class hardly, and its metrics vary by chance.",
            file=samples.files[0],
            evidence={"classes": rare},
            fix=Fix("Gather more rows, merge classes, or read the metrics of these classes with care."),
        )


def _small_validation(samples: Samples, rows: int, task: Task) -> Finding:
    chance = 100 / (2 * np.sqrt(rows)) * 1.96
    reach = f", an accuracy by about ±{chance:.0f} points" if task.is_classification else ""
    return Finding(
        "TS000",
        "small-validation",
        "warning",
        f"Only {rows} validation rows: metrics on them vary by chance{reach}.",
        why="What is chosen by them, an epoch or a model, is chosen by chance too.",
        file=samples.files[0],
        evidence={"rows": rows},
        fix=Fix("Give more rows to validation (--val-fraction 0.2), or read the metrics with care."),
    )
