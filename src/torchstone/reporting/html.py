"""`report.html`: a run on one page, one file that loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torchstone
from torchstone.finding import Finding
from torchstone.reporting import page, tables
from torchstone.reporting.panels import Panel, importance_panel, result_panels, training_panels
from torchstone.reporting.sentences import baseline, may_improve, split_name, training_remark, verdict
from torchstone.reporting.usage import resume_command, usage
from torchstone.reporting.worst import worst_section
from torchstone.task import Task

if TYPE_CHECKING:
    from pathlib import Path

    from torchstone.runs.directory import RunDirectory

_SEVERITIES = ("error", "warning", "advice")


@dataclass
class Report:
    """What a report is made of.

    Args:
        task: what was to be learned; None for a run of `ts.fit` that has no task, of which only the training
            is told.
        history: one record per epoch.
        evaluations: evaluations as JSON values (`Evaluation.to_json`), by split.
        title: how the data is called, such as `adult`.
        importance: the columns by importance, as `Evaluation.importance`. Default: those of the evaluations.
        columns: `{"used": {name: kind}, "left_out": {name: reason}}` of a table.
        findings: what was found before and during training.
        config: the text of `config.toml`.
        manifest: the run's manifest.
        model: `{"name", "parameters", "summary"}`.
        notes: what was found out about the data, one sentence each.
        monitor: the value that decided which epoch is best.
        best_epoch: that epoch.
        pictures: the pixels of all samples, uint8 `(N, channels, H, W)`, when they are pictures; the worst
            ones are shown.
        path: the run directory, as commands name it.
    """

    task: Task | None
    history: Sequence[Mapping[str, Any]] = ()
    evaluations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    title: str = "data"
    importance: Sequence[Mapping[str, Any]] | None = None
    columns: Mapping[str, Mapping[str, str]] | None = None
    findings: Sequence[Finding] = ()
    config: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    monitor: str = "val_loss"
    best_epoch: int | None = None
    pictures: Any = None
    path: str = "RUN"

    @property
    def evaluation(self) -> Mapping[str, Any] | None:
        """The evaluation that the report tells of: test where it was read, else validation."""
        if self.task is None:
            return None
        for name in ("test", "val", *self.evaluations):
            if name in self.evaluations and self.evaluations[name].get("rows"):
                return self.evaluations[name]
        return None


def write_report(directory: RunDirectory, **content: Any) -> Path:
    """Writes `report.html` into a run.

    Args:
        directory: the run.
        content: the fields of `Report`, `task` at least; `path` is the run's own.

    Returns:
        The file.

    Raises:
        RunError: it cannot be written.
    """
    report = Report(**{"path": str(directory.path), **content})
    return directory.write_text(directory.report_path, render(report))


def render(report: Report) -> str:
    """The report as HTML text."""
    style, script = page.resource("report.css"), page.resource("report.js")
    return page.template("report").render(
        version=torchstone.__version__,
        style=style,
        script=script,
        policy=page.policy(script),
        **_opening(report),
        **_results(report),
        **_columns(report),
        **_usage(report),
        **_details(report),
    )


def _opening(report: Report) -> dict[str, Any]:
    """The head of the page: the verdict, what it means, findings."""
    model = str(report.model.get("name") or "model")
    seconds, evaluation = report.manifest.get("seconds"), report.evaluation
    remarks = [baseline(report.task, evaluation)]
    if evaluation is not None:
        remarks += evaluation.get("notes") or []
    findings = sorted(report.findings, key=lambda finding: _SEVERITIES.index(finding.severity))
    return {
        "title": report.title,
        "run_name": report.path.replace("\\", "/").rstrip("/").rpartition("/")[2],
        "started": str(report.manifest.get("started") or "")[:16].replace("T", " "),
        "verdict": verdict(
            report.title, report.task, model, evaluation, report.history, report.best_epoch, seconds
        ),
        "remarks": [remark for remark in remarks if remark],
        "findings": findings,
        "findings_title": _findings_title(findings),
    }


def _findings_title(findings: Sequence[Finding]) -> str:
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in _SEVERITIES}
    parts = []
    for severity, count in counts.items():
        plural = "s" if count > 1 and severity != "advice" else ""
        parts += [f"{count} {severity}{plural}"] if count else []
    return " and ".join(parts)


def _results(report: Report) -> dict[str, Any]:
    """Training curves, metrics, their charts, the worst rows."""
    evaluation = report.evaluation
    resume = resume_command(report.path, report.manifest, _more_epochs(report))
    found: dict[str, Any] = {
        "training_panels": training_panels(report.history, report.monitor, report.best_epoch),
        "training_remark": training_remark(report.history, report.monitor, report.best_epoch, resume),
        "measured": None,
        "worst": None,
        "tiles": [],
    }
    if evaluation is None or report.task is None:
        return found
    main = str(evaluation.get("split"))
    others = [other for name, other in report.evaluations.items() if name != main and other.get("rows")]
    about = _about(main, report.manifest, report.best_epoch)
    return {
        **found,
        **tables.metric_rows(evaluation, others),
        "measured": {"rows": f"{evaluation['rows']:,}", "split": split_name(main), "about": about},
        "tiles": tables.tiles(report.task, evaluation),
        "result_panels": result_panels(report.task, evaluation),
        "confused": tables.confused(report.task, evaluation),
        "thresholds": tables.thresholds(evaluation),
        "class_table": tables.classes(report.task, evaluation),
        "worst": worst_section(report.task, evaluation, _importance(report), report.pictures),
    }


def _about(split: str, manifest: Mapping[str, Any], best_epoch: int | None) -> str:
    if split == "val" and best_epoch is None:
        return "The model was not trained on these rows, and no epoch was chosen by them."
    if split == "val":
        return (
            "The model was not trained on these rows, but the best epoch was chosen by them, "
            "so the figures may be a little too good."
        )
    if split == "test":
        readings = len(manifest.get("test_readings") or [])
        if readings > 1:
            return (
                f"These rows were not trained on, but they have been measured {readings} times: if something "
                "was chosen by what was seen, the figures are a little too good."
            )
        return (
            "Neither training nor any choice has seen these rows: expect this on new rows of the same kind."
        )
    return "Rows that were given after training."


def _importance(report: Report) -> Sequence[Mapping[str, Any]]:
    if report.importance is not None:
        return report.importance
    found = [evaluation.get("importance") for evaluation in report.evaluations.values()]
    return next((importance for importance in found if importance), [])


def _columns(report: Report) -> dict[str, Any]:
    """Importance, and which columns were used."""
    importance: Panel | None = importance_panel(_importance(report))
    if not report.columns:
        return {"importance": importance, "columns": None}
    kinds: dict[str, list[str]] = {}
    for name, kind in (report.columns.get("used") or {}).items():
        kinds.setdefault(kind, []).append(name)
    left_out = list((report.columns.get("left_out") or {}).items())
    return {"importance": importance, "columns": {"used": list(kinds.items()), "left_out": left_out}}


def _more_epochs(report: Report) -> int:
    """Twice the epochs so far, as a round number."""
    count = max(len(report.history), 1) * 2
    return count if count < 20 else -(-count // 10) * 10


def _usage(report: Report) -> dict[str, Any]:
    return usage(
        report.path,
        report.manifest,
        named=_is_named(report),
        more_epochs=_more_epochs(report),
        is_table=bool(report.columns),
        test_read="test" in report.evaluations,
        may_improve=may_improve(report.history, report.best_epoch),
    )


def _is_named(report: Report) -> bool:
    """Whether the model is one of ours; else its class is the user's, and needs their file."""
    return ".py:" not in str(report.model.get("name"))


def _details(report: Report) -> dict[str, Any]:
    """What belongs at the end: notes, model, configuration, versions, every epoch."""
    parameters = report.model.get("parameters")
    return {
        "notes": report.notes,
        "model": {
            "name": str(report.model.get("name") or "model"),
            "parameters": f"{parameters:,}" if isinstance(parameters, int) else "unknown",
            "summary": report.model.get("summary"),
        },
        "config": report.config,
        "facts": tables.facts(report.manifest),
        "history_table": tables.history(report.history),
    }
