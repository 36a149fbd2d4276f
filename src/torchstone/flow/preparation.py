"""The first stages: source, split, preprocessing. Nothing is trained here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchstone.config import TrainConfig
from torchstone.data import sources
from torchstone.data.checks import check_data
from torchstone.data.preprocessing import Preprocessing, TargetScaling, fit_preprocessing, load_preprocessing
from torchstone.data.rows import Rows
from torchstone.data.samples import Samples
from torchstone.data.split import Split, make_split
from torchstone.data.target import Target, read_target
from torchstone.errors import DataError, RunError
from torchstone.finding import Finding
from torchstone.flow import planning
from torchstone.runs.directory import RunDirectory
from torchstone.runs.durable import sha256
from torchstone.task import Task


@dataclass
class Prepared:
    """The data after the first stages: divided and encoded.

    Args:
        config: the configuration with nothing left open.
        samples: the raw rows.
        target: what is to be learned, and the targets of all rows.
        split: which rows are for what.
        preprocessing: fitted on the training rows.
        rows: all rows as the model sees them.
        scaling: of a regression's targets.
        findings: what was found about the data.
    """

    config: TrainConfig
    samples: Samples
    target: Target
    split: Split
    preprocessing: Preprocessing
    rows: Rows
    scaling: TargetScaling
    findings: list[Finding]

    @property
    def task(self) -> Task:
        """What is to be learned."""
        return self.target.task

    @property
    def notes(self) -> list[str]:
        """What must be said about the data."""
        return [*self.samples.notes, *self.target.notes, *self.split.notes]


def read(data: Any, config: TrainConfig) -> Samples:
    """The samples of DATA, or of the configuration's own source where none is given.

    Raises:
        DataError: there is no data, or it cannot be read.
    """
    source = config.source if data is None else data
    if isinstance(source, list) and not source:
        raise DataError(
            "No data was given.",
            hint="Give a file, a built-in name such as digits, or the object that the run was trained on.",
        )
    return sources.load(source, config.data, config.split)


def own_samples(data: Any, config: TrainConfig, directory: RunDirectory) -> Samples:
    """The samples of a run that goes on or is measured.

    Raises:
        DataError: they are not where they were; says how to tell the run where they are now.
    """
    try:
        return read(data, config)
    except DataError as error:
        moved = f"If they moved, change source in {directory.config_path}, or measure with --data FILE."
        hint = f"{error.hint} {moved}" if error.hint else moved
        raise DataError(f"The data of {directory.path} cannot be read: {error.message}", hint=hint) from None


def prepare(samples: Samples, config: TrainConfig, directory: RunDirectory | None = None) -> Prepared:
    """Split, then preprocessing fitted on training rows alone, then rows as the model sees them.

    Args:
        samples: the raw rows.
        config: what was asked.
        directory: a run that goes on or is measured; its preprocessing is used, none is fitted.

    Raises:
        DataError: the data cannot be trained on.
        RunError: the data is not the run's any more.
    """
    target = read_target(samples, config.data)
    if directory is not None:
        split = make_split(samples, target, config.split, config.training.seed)
        return _as_before(samples, target, split, config, directory)
    prepared = divide_and_encode(samples, target, config)
    prepared.findings += check_data(samples, target, prepared.split)
    return prepared


def divide_and_encode(samples: Samples, target: Target, config: TrainConfig) -> Prepared:
    """The same without checks, for targets that are known already."""
    split = make_split(samples, target, config.split, config.training.seed)
    preprocessing = fit_preprocessing(samples, split.train, left_out=split.left_out, time=split.time)
    scaling = TargetScaling()
    if target.task.kind == "regression":
        scaling = TargetScaling.fit(target.values, split.train)
    resolved = planning.resolve(config, target.task, preprocessing.spec, len(split.train))
    rows = preprocessing.encode(samples)
    return Prepared(resolved, samples, target, split, preprocessing, rows, scaling, [])


def _as_before(
    samples: Samples, target: Target, split: Split, config: TrainConfig, directory: RunDirectory
) -> Prepared:
    """The data of a run, encoded as in its training."""
    manifest = directory.read_object(directory.manifest_path)
    stored = directory.read_object(directory.preprocessing_path)
    try:
        same_task = Task.from_json(manifest["task"]) == target.task
        same_rows = same_task and manifest["split"]["hash"] == split.hash
        same_content = _same_content(manifest["data"]["files"], file_hashes(samples))
        preprocessing = load_preprocessing(stored["features"])
        scaling = TargetScaling.from_json(stored["target"]["scaling"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{directory.path} is damaged: manifest.json and preprocessing.json do not say {error}."
        ) from None
    if not same_rows or not same_content:
        what = "its rows or targets" if not same_rows else "the content of its files"
        raise RunError(
            f"{samples.name} is not the data that {directory.path} was trained on any more: {what} changed.",
            hint="Bring back the run's data, train a new run, or measure this one on new rows with --data.",
        )
    findings = [Finding.from_json(values) for values in directory.read_json(directory.findings_path)]
    rows = preprocessing.encode(samples)
    return Prepared(config, samples, target, split, preprocessing, rows, scaling, findings)


def file_hashes(samples: Samples) -> dict[str, str | None]:
    """The SHA-256 of each file that samples come from; None for what is no file."""
    return {name: sha256(Path(name)) if Path(name).is_file() else None for name in samples.files}


def _same_content(before: dict[str, str | None], now: dict[str, str | None]) -> bool:
    """Whether files hold what they held, wherever they are now; what is no file has no content to compare."""
    return list(before.values()) == list(now.values())
