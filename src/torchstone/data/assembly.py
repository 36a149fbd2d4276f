"""From raw tables to Samples: target, split, kinds of columns and typed values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from torchstone.config import DataConfig, SplitConfig
from torchstone.data.columns import (
    LEFT_OUT,
    check_overrides,
    guess_columns,
    unknown_column,
)
from torchstone.data.conversion import clean
from torchstone.data.raw_table import check_flat
from torchstone.data.reading import Reading
from torchstone.data.samples import Samples
from torchstone.data.tables import (
    RawTable,
    TextOptions,
    find_paths,
    read_batches_of,
    read_table,
    same_columns,
)
from torchstone.errors import DataError

_MISSING_SHOWN = 6

_TARGET_NAMES = ("target", "label", "class", "y")
_SPLIT_WORDS = {
    "train": 0, "training": 0, "tr": 0,
    "val": 1, "valid": 1, "validation": 1, "dev": 1, "eval": 1,
    "test": 2, "testing": 2, "te": 2, "holdout": 2,
}  # fmt: skip


def text_options(config: DataConfig) -> TextOptions:
    """What the configuration says about text tables."""
    return TextOptions(config.separator, config.encoding, config.header)


def assemble(tables: Sequence[RawTable], config: DataConfig, split: SplitConfig) -> Samples:
    """Samples of one table in one or more parts, with the rows of `--val` and `--test` files after them.

    Raises:
        DataError: columns differ between files or are not there; values that do not fit their column.
    """
    for table in tables:
        check_flat(table.frame, table.name)
    tables = same_columns(tables)
    columns = tables[0].frame.columns
    targets, notes = find_targets(columns, config.target)
    sizes = [sum(len(table.lines) for table in tables)]
    for number, path in ((1, config.val), (2, config.test)):
        more, told = _separate(path, ("", "validation", "test")[number], tables[0], config)
        tables += more
        notes += told
        sizes.append(sum(len(table.lines) for table in more))
    given = np.repeat(np.arange(3, dtype=np.int8), sizes) if sum(sizes) > sizes[0] else None
    frame = _stacked(tables)
    rows = _Rows(tables)
    targets_frame, told = _target_columns(frame.select(targets), given, tables, sizes)
    notes = [note for table in tables for note in table.notes] + notes + told
    if split.split_column is not None:
        given, told = _split_column(frame, split.split_column, targets, rows, given)
        notes += told
    left = [name for name in columns if name not in targets and name != split.split_column]
    header = tables[0].header
    return _samples(frame.select(left), targets_frame, rows, given, columns, header, config, split, notes)


def load_files(data: Any, config: DataConfig, split: SplitConfig) -> Samples:
    """Samples of one or more files of tables.

    Raises:
        DataError: a file is not there or cannot be read, or see `assemble`.
    """
    paths = find_paths(data)
    options = text_options(config)
    first = read_table(paths[0], options)
    if first.dialect is not None:
        # The other parts are read with or without a header as the first.
        options = TextOptions(config.separator, config.encoding, first.header)
    return assemble([first, *(read_table(path, options) for path in paths[1:])], config, split)


def file_batches(data: Any, options: TextOptions, rows: int) -> Iterator[RawTable]:
    """The raw tables of one or more files in parts of at most `rows` rows."""
    for path in find_paths(data):
        yield from read_batches_of(path, options, rows)


def find_targets(columns: Sequence[str], asked: Sequence[str]) -> tuple[list[str], list[str]]:
    """The target columns, and what must be said of the choice.

    Args:
        columns: all columns in order.
        asked: names or negative places counted from the end; empty: a column called target, label, class or y
            in any case, else the last.

    Raises:
        DataError: there is no such column; the nearest name is offered.
    """
    if asked:
        found = [_one_target(name, columns) for name in asked]
        told = [f'Target: "{name}".' for name, word in zip(found, asked, strict=True) if name != word]
        return list(dict.fromkeys(found)), told
    for word in _TARGET_NAMES:
        for name in columns:
            if name.lower() == word:
                return [name], [f'Target: column "{name}", by its name; --target names another.']
    return [columns[-1]], [f'Target: the last column, "{columns[-1]}"; --target names another.']


def _one_target(name: str, columns: Sequence[str]) -> str:
    if name in columns:
        return name
    if name.startswith("-") and name[1:].isdecimal() and 1 <= int(name[1:]) <= len(columns):
        return columns[int(name)]
    if name.startswith("-") and name[1:].isdecimal():
        raise DataError(f"--target={name}: the table has {len(columns)} columns.", hint="-1 is the last one.")
    raise unknown_column(name, columns, f"--target {name}")


def _separate(
    path: str | None, what: str, first: RawTable, config: DataConfig
) -> tuple[list[RawTable], list[str]]:
    """The tables of `--val` or `--test` with the columns of the first, and what must be said."""
    if path is None:
        return [], []
    options = TextOptions(config.separator, config.encoding, first.header if first.dialect else config.header)
    tables, notes = [], []
    for file in find_paths(path):
        table = read_table(file, options)
        if not table.header and table.frame.width != first.frame.width:
            raise DataError(
                f"{file} has {table.frame.width} columns, {first.name} has {first.frame.width}.",
                hint=f"The {what} file needs the same columns in the same order, the target included.",
            )
        missing = [name for name in first.frame.columns if name not in table.frame.columns]
        if missing:
            raise DataError(
                f"{file} has no column {', '.join(missing[:5])}.",
                hint=f"The {what} file needs all columns of {first.name}, the target included; rows without "
                "a target are for `torchstone predict`.",
            )
        extra = [name for name in table.frame.columns if name not in first.frame.columns]
        notes += [f"{file.name}: column {', '.join(extra)} is not in {first.name} and is ignored."] * bool(
            extra
        )
        notes.append(f"{file.name}: {len(table.lines)} rows for {what}.")
        frame = table.frame.select(first.frame.columns)
        tables.append(RawTable(table.name, frame, table.lines, table.dialect, table.notes))
    return tables, notes


def _stacked(tables: Sequence[RawTable]) -> pl.DataFrame:
    """All rows; a column that has different types in different files is read as strings."""
    frames = [
        table.frame.with_columns(clean(column) for column in table.frame if column.dtype == pl.Duration)
        for table in tables
    ]
    for name in frames[0].columns:
        dtypes = {frame.schema[name] for frame in frames}
        mixed = len(dtypes - {pl.Null}) > 1 and not all(dtype.is_numeric() for dtype in dtypes)
        if mixed or (
            any(isinstance(dtype, pl.Enum | pl.Categorical) for dtype in dtypes) and len(dtypes) > 1
        ):
            frames = [frame.with_columns(pl.col(name).cast(pl.String)) for frame in frames]
    return pl.concat(frames, how="vertical_relaxed")


class _Rows:
    """Where each row was read."""

    def __init__(self, tables: Sequence[RawTable]) -> None:
        self.files = list(dict.fromkeys(table.name for table in tables))
        numbers = [self.files.index(table.name) for table in tables]
        self.file_of = np.repeat(np.array(numbers, dtype=np.int32), [len(table.lines) for table in tables])
        self.row_of = np.concatenate([table.lines for table in tables]).astype(np.int64)

    def place(self, index: int) -> str:
        return f"{self.files[int(self.file_of[index])]}:{int(self.row_of[index])}"


def _target_columns(
    targets: pl.DataFrame, given: np.ndarray | None, tables: Sequence[RawTable], sizes: list[int]
) -> tuple[pl.DataFrame, list[str]]:
    """The raw targets without blanks at the edges; labels of separate files matched to the training's."""
    cleaned = pl.DataFrame([clean(targets[name]) for name in targets.columns])
    if given is None:
        return cleaned, []
    columns, notes = [], []
    for column in cleaned.get_columns():
        known = column.head(sizes[0]).drop_nulls().unique()
        if column.dtype == pl.String and known.cast(pl.Float64, strict=False).null_count():
            trimmed = column.str.strip_suffix(".").str.strip_chars()
            matched = (~column.is_in(known.implode())) & trimmed.is_in(known.implode())
            matched = matched.fill_null(False)
            if count := int(matched.sum()):
                example = column.filter(matched)[0]
                notes.append(
                    f'{count} labels such as "{example}" end in a dot and were matched to '
                    f'training labels such as "{trimmed.filter(matched)[0]}".'
                )
            column = column.zip_with(~matched, trimmed)
        columns.append(column)
    return pl.DataFrame(columns), notes


def _split_column(
    frame: pl.DataFrame, name: str, targets: list[str], rows: _Rows, given: np.ndarray | None
) -> tuple[np.ndarray, list[str]]:
    if name not in frame.columns:
        raise unknown_column(name, frame.columns, f"--split-column {name}")
    if name in targets:
        raise DataError(f'Column "{name}" cannot be both target and split.', hint="Name another --target.")
    if given is not None:
        raise DataError(
            "The data comes split twice: by --split-column and by --test or --val.", hint="Give one of them."
        )
    words = clean(frame[name].cast(pl.String)).str.to_lowercase()
    numbers = [-1 if word is None else _SPLIT_WORDS.get(word, -2) for word in words.to_list()]
    split = np.array(numbers, dtype=np.int8)
    if (split == -2).any():
        index = int(np.flatnonzero(split == -2)[0])
        raise DataError(
            f'{rows.place(index)}: column "{name}" says "{frame[name][index]}", which is no split.',
            hint="The split column says train, val or test for each row.",
        )
    counts = [int((split == number).sum()) for number in range(3)]
    told = f'Split by column "{name}": {counts[0]} train, {counts[1]} val, {counts[2]} test'
    unsaid = int((split == -1).sum())
    return split, [f"{told}{f', {unsaid} to be split' if unsaid else ''}."]


def _samples(
    features: pl.DataFrame,
    targets: pl.DataFrame,
    rows: _Rows,
    given: np.ndarray | None,
    columns: list[str],
    header: bool,
    config: DataConfig,
    split: SplitConfig,
    notes: list[str],
) -> Samples:
    missing = tuple(config.missing)
    overrides = {_override_name(name, columns): kind for name, kind in config.columns.items()}
    taken = dict.fromkeys(targets.columns, "the target")
    if split.split_column is not None:
        taken[split.split_column] = "the split column"
    check_overrides(overrides, features.columns, taken)
    for flag, name in (("group", split.group), ("time", split.time)):
        if name is not None and name not in features.columns:
            raise unknown_column(name, features.columns, f"--{flag} {name}", taken)
    if split.group is not None and split.group not in overrides:
        overrides[split.group] = "identifier"
        notes.append(f'Column "{split.group}" groups the rows and is no input.')
    features = features.select(clean(column, missing) for column in features.get_columns())
    guesses = guess_columns(features, overrides)
    if split.time is not None and guesses[split.time].kind == "identifier":
        guesses[split.time] = guess_columns(features, {**overrides, split.time: "numeric"})[split.time]
    kinds = {name: guess.kind for name, guess in guesses.items()}
    if split.time is not None and kinds[split.time] == "constant" and split.time not in overrides:
        value = (
            "no value at all"
            if features[split.time].drop_nulls().is_empty()
            else "the same value in all rows"
        )
        raise DataError(
            f'--time {split.time}: column "{split.time}" has {value}, so there is no place to cut.',
            hint="Choose another column, or leave --time out.",
        )
    notes += [guess.note for guess in guesses.values() if guess.note]
    if not set(kinds.values()) - set(LEFT_OUT):
        raise DataError(
            f"{', '.join(rows.files[:3])}: no column is left to learn from besides the target "
            f"{', '.join(targets.columns)}."
            + "".join(f"\n{name} is left out: {LEFT_OUT[kind]}." for name, kind in kinds.items()),
            hint="Check --separator and --target, or say what a column is with --columns name=kind.",
        )
    reading = Reading(
        columns=tuple(columns),
        targets=tuple(targets.columns),
        kinds=kinds,
        forms={name: guess.form for name, guess in guesses.items() if guess.form},
        missing=missing,
        column_missing={name: guess.missing for name, guess in guesses.items() if guess.missing},
        header=header,
        separator=config.separator,
        encoding=config.encoding,
    )
    typed, told = reading.typed(features, rows.place)
    return Samples(
        name=rows.files[0].rsplit("/", 1)[-1],
        features=typed,
        target=targets,
        files=rows.files,
        file_of=rows.file_of,
        row_of=rows.row_of,
        given_split=given,
        kinds=kinds,
        reading=reading,
        notes=notes + told + _missing_note(typed, kinds),
    )


def _missing_note(typed: pl.DataFrame, kinds: Mapping[str, str]) -> list[str]:
    """In which inputs values are missing, and how many; none where all are there."""
    counts = {name: typed[name].null_count() for name in typed.columns if kinds[name] not in LEFT_OUT}
    gaps = sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])
    if not gaps:
        return []
    shown = ", ".join(f"{name} {counts[name]:,}" for name in gaps[:_MISSING_SHOWN])
    further = f" and {len(gaps) - _MISSING_SHOWN} more columns" if len(gaps) > _MISSING_SHOWN else ""
    return [f"Missing values: {shown}{further}."]


def _override_name(name: str, columns: list[str]) -> str:
    negative = name not in columns and name.startswith("-") and name[1:].isdecimal()
    return columns[int(name)] if negative and 1 <= int(name[1:]) <= len(columns) else name
