"""The split into training, validation and test, made before anything is fitted.

A pure function of the samples, the options and the seed. Rows whose target is missing belong nowhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from torchstone.errors import ConfigError, DataError, did_you_mean

if TYPE_CHECKING:
    from torchstone.config import SplitConfig
    from torchstone.data.samples import Samples
    from torchstone.data.target import Target

LEAST_ROWS = 10
"""Rows with a target below which nothing can be cut."""

_TRIES = 100
"""Random assignments of groups of which the best is taken."""

_RARE_COMBINATION = 10
"""Combinations of labels seen less often share one stratum."""


@dataclass(frozen=True)
class Split:
    """Which samples train, validate and test.

    Args:
        train, val, test: sorted indices into Samples, int64.
        method: how it was made, in words, such as `stratified 80/10/10, seed 0`.
        left_out: columns that must not be features because they made the split, and why.
        time: the column that the rows were cut by; its later parts are never seen in training.
        notes: what must be said, one sentence each.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    method: str
    left_out: dict[str, str] = field(default_factory=dict)
    time: str | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the three index arrays, hexadecimal; equal exactly when the split is the same."""
        digest = hashlib.sha256()
        for part in (self.train, self.val, self.test):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part.astype("<i8").tobytes())
        return digest.hexdigest()


def make_split(samples: Samples, target: Target, config: SplitConfig, seed: int) -> Split:
    """Divide samples into training, validation and test.

    Parts that come with the data (a test file, a split column) are kept; what is missing is cut from the
    training rows: by time, by whole groups, else stratified by class (regression: at random).

    Args:
        samples: all samples.
        target: their targets; a sample whose target is missing is in no part.
        config: fractions, group and time column.
        seed: seed of the cut.

    Raises:
        DataError: too few rows or groups, or a column that is not there (the nearest name is offered).
        ConfigError: fractions that leave nothing to train on, group and time at once.
    """
    _check_config(config)
    given = _given_parts(samples)
    parts = np.where(given < 0, 0, given)
    wanted = _wanted(given, config)
    pool = np.flatnonzero(target.present & (parts == 0))
    notes: list[str] = []
    if wanted:
        sizes = _sizes(len(pool), wanted, samples.name)
        if config.time:
            cut = _by_time(_column(samples, config.time, "--time"), pool, sizes, config.time, notes)
            how = f'by time ("{config.time}")'
        elif config.group:
            groups = _groups(_column(samples, config.group, "--group"), pool)
            cut = _by_group(groups, _strata(target, pool), sizes, config.group, seed)
            how = f'groups of "{config.group}" kept together'
        else:
            cut = _stratified(_strata(target, pool), sizes, seed)
            how = "random" if target.task.kind == "regression" else "stratified"
        parts[pool] = cut
        method = _method(how, wanted, config, seed)
    else:
        method = "given with the data"
    parts[~target.present] = -1
    train, val, test = (np.flatnonzero(parts == part).astype(np.int64) for part in range(3))
    _check_parts(samples.name, given, wanted, (train, val, test))
    reasons = {config.group: "groups of the split", config.split_column: "says the split"}
    left_out = {column: reason for column, reason in reasons.items() if column}
    return Split(train, val, test, method, left_out, config.time, tuple(notes))


def _check_config(config: SplitConfig) -> None:
    if config.val_fraction + config.test_fraction >= 1:
        raise ConfigError(
            f"val_fraction {config.val_fraction:g} and test_fraction {config.test_fraction:g} leave no rows "
            "to train on; their sum must be below 1."
        )
    if config.group and config.time:
        raise ConfigError("--group and --time cannot be used together.", hint="Choose one of them.")


def _given_parts(samples: Samples) -> np.ndarray:
    """For each sample 0, 1 or 2 where the data says its part, else -1."""
    if samples.given_split is not None:
        return samples.given_split.astype(np.int8)
    return np.full(len(samples), -1, dtype=np.int8)


def _wanted(given: np.ndarray, config: SplitConfig) -> dict[int, float]:
    """The parts that must be cut, and their shares of the rows that can be cut."""
    shares = {1: config.val_fraction, 2: config.test_fraction}
    return {part: share for part, share in shares.items() if share > 0 and not np.any(given == part)}


def _sizes(rows: int, wanted: dict[int, float], name: str) -> dict[int, int]:
    if rows < LEAST_ROWS:
        raise DataError(
            f"{name}: {rows} rows with a target are too few to divide; at least {LEAST_ROWS} are needed.",
            hint="Give validation and test rows as files (--val, --test), or more data.",
        )
    return {part: max(1, round(share * rows)) for part, share in wanted.items()}


def _column(samples: Samples, name: str, option: str) -> pl.Series:
    if isinstance(samples.features, np.ndarray):
        raise DataError(f'{option} "{name}": {samples.name} is an array and has no columns.')
    columns = samples.features.columns
    if name not in columns:
        near = did_you_mean(name, columns)
        shown = ", ".join(columns[:10]) + (" ..." if len(columns) > 10 else "")
        raise DataError(
            f'{option}: {samples.name} has no column "{name}".', hint=near or f"Columns: {shown}."
        )
    return samples.features[name]


def _strata(target: Target, pool: np.ndarray) -> np.ndarray:
    """For each row of the pool the stratum within which it is drawn, int64 from 0 on without gaps."""
    values = target.values[pool]
    if target.task.kind == "regression":
        return np.zeros(len(pool), dtype=np.int64)
    if target.task.kind == "multilabel":
        _, combination, counts = np.unique(values, axis=0, return_inverse=True, return_counts=True)
        combination = combination.reshape(-1)
        values = np.where(counts[combination] < _RARE_COMBINATION, -1, combination)
    _, strata = np.unique(values, return_inverse=True)
    return strata.reshape(-1).astype(np.int64)


def _stratified(strata: np.ndarray, sizes: dict[int, int], seed: int) -> np.ndarray:
    """The part of each row; every stratum keeps at least one row for training."""
    shuffled = np.random.default_rng(seed).permutation(len(strata))
    by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]
    counts = np.bincount(strata)
    starts = np.cumsum(counts) - counts
    taken = np.zeros_like(counts)
    parts = np.zeros(len(strata), dtype=np.int8)
    for part, size in sizes.items():
        quotas = _quotas(counts, size, counts - taken - 1)
        for start, quota in zip(starts + taken, quotas, strict=True):
            parts[by_stratum[start : start + quota]] = part
        taken += quotas
    return parts


def _quotas(counts: np.ndarray, size: int, room: np.ndarray) -> np.ndarray:
    """How many rows of each stratum make a part of `size`: its share, rounded by largest remainders."""
    ideal = counts * (size / counts.sum())
    quotas = np.minimum(np.floor(ideal + 1e-9).astype(np.int64), np.maximum(room, 0))
    missing = min(size, int(np.maximum(room, 0).sum())) - int(quotas.sum())
    by_remainder = np.argsort(quotas - ideal, kind="stable")
    while missing > 0:
        open_strata = by_remainder[quotas[by_remainder] < room[by_remainder]][:missing]
        quotas[open_strata] += 1
        missing -= len(open_strata)
    return np.asarray(quotas)


def _groups(column: pl.Series, pool: np.ndarray) -> np.ndarray:
    """For each row of the pool the number of its group; a row without a group is one of its own."""
    values = column.gather(pool)
    numbers = values.rank("dense").to_numpy().astype(np.float64)
    alone = np.isnan(numbers)
    numbers[alone] = len(pool) + 1 + np.arange(int(alone.sum()))
    return np.asarray(np.unique(numbers, return_inverse=True)[1]).reshape(-1)


def _by_group(
    groups: np.ndarray, strata: np.ndarray, sizes: dict[int, int], name: str, seed: int
) -> np.ndarray:
    """The part of each row, groups whole: of many random assignments the one that spreads classes best."""
    count = int(groups.max()) + 1
    if count <= len(sizes):
        raise DataError(
            f'Column "{name}" has {count} group{"s" * (count > 1)}, too few for {len(sizes) + 1} parts.',
            hint="Choose a column with more values, or leave --group out.",
        )
    table = np.zeros((count, int(strata.max()) + 1))
    np.add.at(table, (groups, strata), 1)
    wanted = {part: size * table.sum(0) / len(groups) for part, size in sizes.items()}
    generator = np.random.default_rng(seed)
    best, best_badness = np.zeros(count, dtype=np.int8), np.inf
    for _ in range(_TRIES):
        parts = _cut_in_order(generator.permutation(count), table.sum(1), sizes)
        badness = sum(float(np.abs(table[parts == part].sum(0) - wanted[part]).sum()) for part in sizes)
        badness += len(groups) * int((table[parts == 0].sum(0) == 0).sum())  # a class that is never trained
        if badness < best_badness:
            best, best_badness = parts, badness
    return np.asarray(best[groups])


def _cut_in_order(shuffled: np.ndarray, sizes_of: np.ndarray, sizes: dict[int, int]) -> np.ndarray:
    """The part of each group when parts are filled one after the other, at least one group in each."""
    parts = np.zeros(len(shuffled), dtype=np.int8)
    start = 0
    for left, (part, size) in enumerate(sizes.items()):
        filled = np.cumsum(sizes_of[shuffled[start:]])
        taken = int(np.argmin(np.abs(filled - size))) + 1
        taken = min(taken, len(shuffled) - start - (len(sizes) - left))
        parts[shuffled[start : start + taken]] = part
        start += taken
    return parts


def _by_time(
    column: pl.Series, pool: np.ndarray, sizes: dict[int, int], name: str, notes: list[str]
) -> np.ndarray:
    """The part of each row: the oldest train, the newest test; rows of one moment stay together."""
    if not (column.dtype.is_temporal() or column.dtype.is_numeric()):
        raise DataError(
            f'--time: column "{name}" holds text that was not read as dates or numbers.',
            hint=f'If it holds dates: --columns "{name}=datetime".',
        )
    times = column.gather(pool).to_physical().cast(pl.Float64).to_numpy()
    unknown = int(np.isnan(times).sum())
    if unknown:
        notes.append(f'{unknown} rows have no "{name}"; they are taken for the oldest and train.')
    times = np.where(np.isnan(times), -np.inf, times)
    ordered = np.sort(times)
    parts = np.zeros(len(pool), dtype=np.int8)
    end = len(pool)
    for part in sorted(sizes, reverse=True):
        moment = ordered[max(end - sizes[part], 0)]
        inside = (times >= moment) & (parts == 0)
        parts[inside] = part
        end -= int(inside.sum())
    if end == 0 or any(not np.any(parts == part) for part in sizes):
        distinct = len(np.unique(ordered))
        raise DataError(
            f'Column "{name}" has {distinct} different time{"s" * (distinct > 1)}: no place to cut.',
            hint="Choose a finer column, other fractions, or leave --time out.",
        )
    return parts


def _method(how: str, wanted: dict[int, float], config: SplitConfig, seed: int) -> str:
    tail = "" if config.time else f", seed {seed}"
    if len(wanted) == 2 or (len(wanted) == 1 and 0 in (config.val_fraction, config.test_fraction)):
        val, test = (100 * wanted.get(part, 0.0) for part in (1, 2))
        return f"{how} {100 - val - test:g}/{val:g}/{test:g}{tail}"
    part, share = next(iter(wanted.items()))
    given, cut = ("test", "validation") if part == 1 else ("validation", "test")
    return f"{given} given, {cut} {how} {100 * share:g} % of the other rows{tail}"


def _check_parts(
    name: str, given: np.ndarray, wanted: dict[int, float], parts: tuple[np.ndarray, ...]
) -> None:
    for number, word in enumerate(("training", "validation", "test")):
        if len(parts[number]):
            continue
        if number == 0 or np.any(given == number):
            raise DataError(
                f"{name}: no {word} row has a target.",
                hint="Look at the target column of these rows; rows without a target cannot be used.",
            )
        if number in wanted:
            raise DataError(
                f"{name}: no row is left for {word}, because the only row of a class must train.",
                hint="If the target is a number or an identifier, set --task or --target.",
            )
