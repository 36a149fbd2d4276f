"""What a run shows: the plan before the first step, warnings, the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console

from torchstone.config import to_toml
from torchstone.data.samples import Samples
from torchstone.evaluation.restore import Restored
from torchstone.finding import Finding
from torchstone.flow.record import count_parameters
from torchstone.reporting import terminal
from torchstone.reporting.html import write_report
from torchstone.run import Run
from torchstone.runs.directory import RunDirectory
from torchstone.task import Task


def show_findings(findings: Sequence[Finding]) -> None:
    """Prints findings on stderr."""
    if findings:
        terminal.print_findings(Console(stderr=True), findings)


def add_findings(run: Run, findings: Sequence[Finding]) -> None:
    """Adds what was found beside a run to it, its directory and its report, and prints it on stderr."""
    run.findings = [*run.findings, *findings]
    show_findings(findings)
    if run.path is None:
        return
    directory = RunDirectory(run.path)
    directory.write_json(directory.findings_path, [finding.to_json() for finding in run.findings])
    if run.restored is None:
        write_fit_report(run)
    else:
        write_run_report(run, run.context.samples)


def show_plan(restored: Restored, samples: Samples, device: str, notes: Sequence[str]) -> None:
    """Prints on stderr what is going to be trained on what."""
    training = restored.config.training
    terminal.print_plan(
        Console(stderr=True),
        data=samples.name,
        task=restored.task,
        split=restored.manifest["split"],
        model=restored.config.model.model,
        parameters=count_parameters(restored.module),
        device=device,
        columns=_kinds(restored) if samples.is_table else None,
        left_out=restored.preprocessing.columns_left_out,
        shape=None if samples.is_table else restored.spec.shape,
        training={
            "epochs": training.epochs,
            "batch size": training.batch_size,
            "optimizer": training.optimizer,
            "lr": training.lr,
            "seed": training.seed,
        },
        notes=notes,
        out=str(restored.path),
    )


def write_run_report(run: Run, samples: Samples) -> None:
    """Writes `report.html` into a run that was made from data."""
    restored = run.restored
    if restored is None or run.path is None:
        raise ValueError("only a run that was made from data and kept has this report")
    columns: dict[str, Any] | None = None
    if samples.is_table:
        columns = {"used": _kinds(restored), "left_out": restored.preprocessing.columns_left_out}
    write_report(
        RunDirectory(run.path),
        task=restored.task,
        history=run.records,
        evaluations={name: evaluation.to_json() for name, evaluation in run.evaluations.items()},
        title=samples.name,
        columns=columns,
        findings=run.findings,
        config=to_toml(restored.config),
        manifest=restored.manifest,
        model={**restored.manifest["model"], "summary": str(restored.module)},
        notes=run.notes,
        monitor=restored.config.training.monitor,
        best_epoch=run.best_epoch,
        pictures=_pictures(samples),
    )


def write_fit_report(run: Run) -> None:
    """Writes `report.html` into a run of `ts.fit`: curves always, metrics where the task is known."""
    directory = RunDirectory(run.directory())
    manifest = directory.read_json(directory.manifest_path)
    evaluation = run.evaluations.get("val") or run.evaluations.get("test")
    model = {**(manifest.get("model") or {}), "summary": str(run.module)}
    write_report(
        directory,
        task=None if evaluation is None else Task.from_json(evaluation.task),
        history=run.records,
        evaluations={name: measured.to_json() for name, measured in run.evaluations.items()},
        title=str(model.get("name") or "fit"),
        findings=run.findings,
        config=directory.config_path.read_text(encoding="utf-8"),
        manifest=manifest,
        model=model,
        notes=run.notes,
        best_epoch=run.best_epoch,
    )


def _kinds(restored: Restored) -> dict[str, str]:
    """The columns that are inputs and their kinds."""
    kinds: dict[str, str] = getattr(restored.preprocessing, "kinds", {})
    return kinds


def _pictures(samples: Samples) -> np.ndarray | None:
    features = samples.features
    if isinstance(features, np.ndarray) and features.ndim == 4 and features.dtype == np.uint8:
        return features
    return None
