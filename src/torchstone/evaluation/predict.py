"""Predictions for new data: as a frame, or streamed to a file of any size."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl
import torch

from torchstone.data.samples import Samples
from torchstone.data.sources import BATCH_ROWS, read_batches
from torchstone.data.table_preprocessing import TablePreprocessing, unseen_notes
from torchstone.data.tables import find_paths, is_path
from torchstone.errors import UsageError
from torchstone.evaluation.outputs import model_outputs
from torchstone.evaluation.restore import Restored
from torchstone.metrics import ScoredRows

Device = torch.device | str | None

_TEXT_WRITERS: dict[str, Callable[[pl.DataFrame, IO[bytes], bool], None]] = {
    ".csv": lambda frame, file, first: frame.write_csv(file, include_header=first),
    ".tsv": lambda frame, file, first: frame.write_csv(file, include_header=first, separator="\t"),
    ".jsonl": lambda frame, file, first: frame.write_ndjson(file),
    ".ndjson": lambda frame, file, first: frame.write_ndjson(file),
}


def predict(restored: Restored, data: Any, *, device: Device = None, threshold: float = 0.5) -> pl.DataFrame:
    """Predictions for all rows of new data, in their order.

    Args:
        restored: the model.
        data: what `torchstone.data.sources.load` takes; the target may be missing.
        device: where to compute; where the module is by default.
        threshold: a probability above it counts as a yes, for binary and multilabel.

    Returns:
        see `predict_frame`.

    Raises:
        DataError: the data cannot be read, lacks a column, or a value does not fit its column.
    """
    return pl.concat(list(_frames(restored, data, device, threshold, BATCH_ROWS, [])))


def predict_frame(
    restored: Restored, samples: Samples, *, device: Device = None, threshold: float = 0.5, first: int = 1
) -> pl.DataFrame:
    """Predictions for samples that were read as the training data was.

    Args:
        restored: the model.
        samples: the rows.
        device: where to compute; where the module is by default.
        threshold: a probability above it counts as a yes, for binary and multilabel.
        first: the id of the first row.

    Returns:
        `id` (rows counted from `first`), the data's own identifiers under their names (one called `id` takes
        the number's place), and `prediction` with `probability_<class>` for each class; for
        multilabel `prediction_<label>` (0 or 1) and `probability_<label>` for each label; for regression
        `prediction`, or `prediction_<target>` where there are several targets.
    """
    task = restored.task
    outputs = model_outputs(restored, restored.preprocessing.encode(samples), device=device)
    columns: dict[str, Any] = {"id": np.arange(first, first + len(samples), dtype=np.int64)}
    columns |= _identifiers(samples)
    if task.kind == "regression":
        names = ["prediction"] if len(task.targets) == 1 else [f"prediction_{name}" for name in task.targets]
        return pl.DataFrame(columns | {name: outputs[:, i] for i, name in enumerate(names)})
    targets = np.zeros(outputs.shape if task.kind == "multilabel" else len(outputs), dtype=np.int64)
    predicted = ScoredRows(task, targets, outputs, threshold).predicted
    if task.kind == "multilabel":
        columns |= {f"prediction_{name}": predicted[:, i] for i, name in enumerate(task.classes)}
    else:
        columns["prediction"] = pl.Series([task.classes[int(place)] for place in predicted], dtype=pl.String)
    columns |= {f"probability_{name}": outputs[:, i] for i, name in enumerate(task.classes)}
    return pl.DataFrame(columns)


def _identifiers(samples: Samples) -> dict[str, pl.Series]:
    """The columns of a table that are identifiers, by which predictions can be joined to their rows."""
    if not isinstance(samples.features, pl.DataFrame):
        return {}
    names = [name for name, kind in samples.kinds.items() if kind == "identifier"]
    return {name: samples.features[name] for name in names if name in samples.features.columns}


def predict_file(
    restored: Restored,
    data: Any,
    output: str | Path | None,
    *,
    device: Device = None,
    threshold: float = 0.5,
    rows: int = BATCH_ROWS,
) -> dict[str, Any]:
    """Predictions for new data, part by part, so that data and output may be larger than memory.

    Args:
        restored: the model.
        data: what `torchstone.data.sources.load` takes; the target may be missing.
        output: a file ending in .csv, .tsv, .parquet, .jsonl or .ndjson, written aside and renamed when it is
            whole; None: CSV on the standard output.
        device: where to compute; where the module is by default.
        threshold: a probability above it counts as a yes, for binary and multilabel.
        rows: how many rows are in memory at once.

    Returns:
        {"version", "run", "data", "output", "rows", "notes"}.

    Raises:
        DataError: the data cannot be read, lacks a column, or a value does not fit its column.
        UsageError: the output's name says no known format, it is a file of the data, or it cannot be written.
    """
    path = None if output is None else Path(output)
    if path is not None and path.suffix.lower() not in (*_TEXT_WRITERS, ".parquet"):
        raise UsageError(
            f"{path}: predictions cannot be written as {path.suffix}."
            if path.suffix
            else f"{path}: the name has no ending that says the format.",
            hint=f"Give a name that ends in {', '.join(_TEXT_WRITERS)} or .parquet.",
        )
    if path is not None:
        _refuse_own_input(path, data)
    notes: list[str] = []
    frames = _frames(restored, data, device, threshold, rows, notes)
    count = _to_stdout(frames) if path is None else _to_file(frames, path)
    return {
        "version": 1,
        "run": None if restored.path is None else str(restored.path),
        "data": [str(each) for each in data] if isinstance(data, list) else str(data),
        "output": None if path is None else str(path),
        "rows": count,
        "notes": list(dict.fromkeys(notes)),
    }


def _refuse_own_input(path: Path, data: Any) -> None:
    """Raises UsageError where the predictions would replace a file that they are made from."""
    if not is_path(data) or not path.exists():
        return
    for source in find_paths(data):
        if path.samefile(source):
            raise UsageError(
                f"{path} is the data itself; the predictions would replace it.",
                hint="Give another place with -o FILE.",
            )


def _frames(
    restored: Restored, data: Any, device: Device, threshold: float, rows: int, notes: list[str]
) -> Iterator[pl.DataFrame]:
    """Predictions part by part; what must be said about the data is added to `notes`."""
    first = 1
    unseen: Counter[str] = Counter()
    for samples in read_batches(data, restored.reading, rows, root=restored.config.data.root):
        notes += samples.notes
        yield predict_frame(restored, samples, device=device, threshold=threshold, first=first)
        if isinstance(restored.preprocessing, TablePreprocessing):
            unseen.update(restored.preprocessing.unseen(samples))
        first += len(samples)
    notes += unseen_notes(unseen)


def _to_stdout(frames: Iterator[pl.DataFrame]) -> int:
    count = 0
    for place, frame in enumerate(frames):
        sys.stdout.write(frame.write_csv(include_header=place == 0))
        count += len(frame)
    sys.stdout.flush()
    return count


def _to_file(frames: Iterator[pl.DataFrame], path: Path) -> int:
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        count = (
            _write_parquet(frames, aside)
            if path.suffix.lower() == ".parquet"
            else _write_text(frames, aside, path)
        )
        os.replace(aside, path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}.", hint="Give another place with -o FILE."
        ) from error
    finally:
        if aside.is_file():
            aside.unlink()
    return count


def _write_text(frames: Iterator[pl.DataFrame], aside: Path, path: Path) -> int:
    write, count = _TEXT_WRITERS[path.suffix.lower()], 0
    with aside.open("wb") as file:
        for place, frame in enumerate(frames):
            with _polars_as_os_errors():
                write(frame, file, place == 0)
            count += len(frame)
        file.flush()
        os.fsync(file.fileno())
    return count


def _write_parquet(frames: Iterator[pl.DataFrame], aside: Path) -> int:
    """Streams frames into one Parquet file; polars pulls them one at a time."""
    from polars.io.plugins import register_io_source

    aside.open("wb").close()  # a folder that cannot be written to is an OSError here, not one of polars
    first = next(frames)
    count = 0
    failed: list[BaseException] = []

    def parts(*_: Any) -> Iterator[pl.DataFrame]:
        nonlocal count
        try:
            frame: pl.DataFrame | None = first
            while frame is not None:
                count += len(frame)
                yield frame
                frame = next(frames, None)
        except Exception as error:
            failed.append(error)  # polars would turn it into an error of its own
            raise

    try:
        with _polars_as_os_errors():
            register_io_source(parts, schema=first.schema).sink_parquet(aside)
    except Exception:
        if failed:
            raise failed[0] from None
        raise
    return count


@contextmanager
def _polars_as_os_errors() -> Iterator[None]:
    """Inside, what polars says of a file that it cannot write is the system's error, as for other files."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
