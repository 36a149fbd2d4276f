"""What is done with a finished run: load, evaluate, predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from torchstone.data import sources
from torchstone.data.samples import Samples
from torchstone.data.target import encode_target
from torchstone.errors import ConfigError, DataError, RunError
from torchstone.evaluation import evaluate as measuring
from torchstone.evaluation.evaluate import Evaluation
from torchstone.evaluation.importance import permutation_importance
from torchstone.evaluation.predict import predict_file
from torchstone.evaluation.restore import Restored, restore
from torchstone.finding import Finding
from torchstone.flow.lifetime import resumable
from torchstone.flow.preparation import Prepared, own_samples, prepare
from torchstone.flow.presentation import write_run_report
from torchstone.flow.record import keep_evaluation
from torchstone.run import Run
from torchstone.runs.directory import RunDirectory
from torchstone.runs.manifest import update_status
from torchstone.runs.metrics_log import MetricsLog
from torchstone.training.device import choose_device


def load(
    directory: RunDirectory, *, data: Any = None, net: nn.Module | None = None, device: str = "cpu"
) -> Run:
    """A run from its directory; see `torchstone.load`."""
    restored = restore(directory.path, net=net, device=str(choose_device(device)[0]))
    return Run(
        restored.module,
        read_history(directory),
        directory.path,
        restored,
        best=restored.manifest.get("result") or {},
        kept=restored.manifest.get("kept", "last"),
        evaluations=read_evaluations(directory),
        findings=[Finding.from_json(values) for values in directory.read_json(directory.findings_path)],
        notes=restored.manifest.get("notes", []),
        context=data,
    )


def read_history(directory: RunDirectory) -> list[dict[str, Any]]:
    """The history that a run has logged, one record per epoch."""
    records = MetricsLog(directory.metrics_path).read()
    return [record for record in records if record.pop("event", None) == "epoch"]


def read_evaluations(directory: RunDirectory) -> dict[str, Evaluation]:
    """The evaluations that a run holds, by split."""
    evaluations = {}
    for path in sorted(directory.evaluations_path.glob("*.json")):
        mend = "Remove it and evaluate the run again."
        try:
            evaluations[path.stem] = Evaluation.from_json(directory.read_object(path))
        except RunError as error:
            raise RunError(error.message, hint=mend) from None
        except (KeyError, TypeError, ValueError):
            raise RunError(f"{path} is damaged: it is not an evaluation.", hint=mend) from None
    return evaluations


def check_split(split: str) -> None:
    """Refuses what is no name of rows to measure on.

    Raises:
        ConfigError: it is neither `val` nor `test`.
    """
    if split not in ("val", "test"):
        raise ConfigError(
            f'split: expected "val" or "test", got {split!r}.',
            hint="Other samples are given as data: ts.evaluate(run, data=...).",
        )


def evaluate(
    run: Run, split: Literal["val", "test"] = "test", *, data: Any = None, device: str = "auto"
) -> Evaluation:
    """Measures a run; see `torchstone.evaluate`. Only here are the targets of test rows looked at."""
    check_split(split)
    restored = _restored(run)
    place, _ = choose_device(device)
    validation = run.evaluations.get("val")
    if data is not None:
        return _on_new_rows(restored, data, place, validation)
    prepared = own_data(run)
    indices = {"val": prepared.split.val, "test": prepared.split.test}[split]
    if not len(indices):
        raise DataError(f"The run has no {split} rows.", hint="Measure it on new rows with --data FILE.")
    targets, samples = prepared.target.values, prepared.samples
    evaluation = measuring.evaluate(
        restored,
        prepared.rows,
        targets,
        samples,
        indices,
        split,
        device=place,
        validation=validation if split == "test" else None,
    )
    if split == "val":
        evaluation.importance = permutation_importance(restored, samples, targets, indices, device=place)
    run.evaluations[split] = evaluation
    if run.path is not None:
        restored.manifest = keep_evaluation(RunDirectory(run.path), evaluation)
        write_run_report(run, samples)
    return evaluation


def complete(directory: RunDirectory, *, data: Any = None) -> Run:
    """Measures and reports a run whose training is done, with the weights that it ended with."""
    run = load(directory, data=data)
    prepared = own_data(run)
    with resumable(directory):
        _restored(run).manifest = update_status(directory, "running", error=None)
        if len(prepared.split.val):
            evaluate(run, "val")
        else:
            write_run_report(run, prepared.samples)
        update_status(directory, "finished")
    return run


def own_data(run: Run) -> Prepared:
    """The data that a run was trained on: still in memory, or read again and found to be the same."""
    if isinstance(run.context, Prepared):
        return run.context
    config = _restored(run).config
    directory = RunDirectory(run.directory())
    prepared = prepare(own_samples(run.context, config, directory), config, directory)
    run.context = prepared
    return prepared


def predict(run: Run, data: Any, *, output: str | Path | None = None, device: str = "auto") -> dict[str, Any]:
    """Predicts the rows of a file; see `torchstone.predict`."""
    return predict_file(_restored(run), data, output, device=choose_device(device)[0])


def _on_new_rows(
    restored: Restored, data: Any, device: torch.device, validation: Evaluation | None
) -> Evaluation:
    """Measures a run on rows that are not its own; nothing is written."""
    samples = Samples.joined(list(sources.read_batches(data, restored.reading, with_target=True)))
    assert samples.target is not None  # noqa: S101 - asked for with `with_target`
    values, present = encode_target(samples.target, restored.task, samples.place)
    rows = restored.preprocessing.encode(samples)
    indices = np.flatnonzero(present)
    if not len(indices):
        raise DataError(
            f"{samples.name} has no row with a target, so there is nothing to measure.",
            hint="Rows without a target are for `torchstone predict`.",
        )
    return measuring.evaluate(
        restored, rows, values, samples, indices, samples.name, device=device, validation=validation
    )


def _restored(run: Run) -> Restored:
    if run.restored is None:
        raise RunError(
            "This run was made from Python objects (ts.fit), not from a table or file.",
            hint="Use run.predict(inputs) and ts.evaluate(run, data=(X, y)).",
        )
    return run.restored
