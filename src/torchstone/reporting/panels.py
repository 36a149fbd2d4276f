"""Which charts a report shows, with titles and captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torchstone.reporting import charts
from torchstone.reporting.history import at_epoch, column, epochs, loss_lines, metric_keys, monitor_key
from torchstone.reporting.measured import metric_label, value_of
from torchstone.reporting.scales import DASH, finite, number
from torchstone.reporting.sentences import calibration_remark
from torchstone.task import Task

MOST_CLASSES = 30
"""Classes up to which the confusion matrix is drawn."""

_MOST_CURVES = 3
_MOST_COLUMNS = 20


@dataclass(frozen=True)
class Panel:
    """A chart with its words.

    Args:
        title: what it shows.
        svg: the picture.
        caption: what can be seen in it.
        wide, double: how many columns of the page it takes.
        scroll: it may be wider than the page.
    """

    title: str
    svg: str
    caption: str = ""
    wide: bool = False
    double: bool = False
    scroll: bool = False


def training_panels(
    history: Sequence[Mapping[str, Any]], monitor: str, best_epoch: int | None
) -> list[Panel]:
    """Losses, the monitored metric and the learning rate over the epochs."""
    numbers = [float(epoch) for epoch in epochs(history)]
    if not numbers:
        return []
    mark = None if best_epoch is None or len(numbers) == 1 else float(best_epoch)
    losses = [
        (name, column(history, key)) for name, key in loss_lines(history) if finite(column(history, key))
    ]
    panels = []
    if losses:
        ends = ", ".join(f"{name} ends at {number(finite(values)[-1])}" for name, values in losses)
        svg = charts.lines(
            numbers,
            losses[::-1],
            label=f"Loss over {len(numbers)} epochs: {ends}",
            y_name="loss",
            mark=mark,
            log=True,
        )
        caption = "Lower is better. Training loss is the mean over the epoch, with dropout and the like on."
        panels.append(Panel("Loss", svg, caption))
    keys = metric_keys(history)
    chosen = monitor_key(monitor)
    key = chosen if chosen in keys else next(iter(keys), None)
    if key is not None and (values := finite(column(history, key))):
        name = metric_label(key[4:])
        svg = charts.lines(
            numbers,
            [(name, column(history, key))],
            label=f"Validation {name} over {len(numbers)} epochs, "
            f"from {number(values[0])} to {number(values[-1])}",
            y_name=name,
            mark=mark,
        )
        at_best = values[-1] if mark is None else at_epoch(history, int(mark)).get(key)
        caption = f"{number(at_best, 4)} at the {'best' if mark is not None else 'last'} epoch."
        panels.append(Panel(f"{name} on validation rows", svg, caption))
    if finite(column(history, "lr")):
        svg = charts.lines(
            numbers,
            [("learning rate", column(history, "lr"))],
            label=f"Learning rate over {len(numbers)} epochs",
            y_name="learning rate",
        )
        panels.append(Panel("Learning rate", svg, "How far each step goes, at the end of each epoch."))
    return panels


def result_panels(task: Task, evaluation: Mapping[str, Any]) -> list[Panel]:
    """The charts of an evaluation (JSON values)."""
    if task.kind == "regression":
        found = (_residual_panels(summary) for summary in evaluation.get("residuals") or [])
        return [panel for panels in found for panel in panels]
    return [
        panel
        for panel in (
            _confusion(task, evaluation),
            *_curves(evaluation),
            _threshold(evaluation),
            _calibration(evaluation),
        )
        if panel is not None
    ]


def importance_panel(importance: Sequence[Mapping[str, Any]]) -> Panel | None:
    """How much each column is needed."""
    rows = [
        (str(row.get("column")), float(row.get("drop") or 0), float(row.get("deviation") or 0))
        for row in importance[:_MOST_COLUMNS]
    ]
    if not rows:
        return None
    metric = metric_label(str(importance[0].get("metric")))
    svg = charts.whiskers(
        rows,
        label=f"Importance of {len(rows)} columns; the most important is {rows[0][0]}",
        name=f"loss of {metric}",
    )
    more = (
        f" The {len(importance) - len(rows)} least important are not shown."
        if len(importance) > len(rows)
        else ""
    )
    caption = (
        f"How much {metric} gets worse when a column's values are shuffled among the rows; the line is the "
        f"deviation over repeats. Columns that say the same thing share their importance.{more}"
    )
    return Panel("Importance of the columns", svg, caption, double=True, scroll=True)


def _confusion(task: Task, evaluation: Mapping[str, Any]) -> Panel | None:
    counts = evaluation.get("confusion") or []
    if not counts or not 2 <= len(task.classes) <= MOST_CLASSES or len(counts) != len(task.classes):
        return None
    caption = (
        "Each row of the matrix is a true class. Blue is right, orange is wrong; darker is more of its row."
    )
    wide = len(task.classes) > 6
    return Panel("Confusion matrix", charts.matrix(task.classes, counts), caption, double=wide, scroll=True)


def _curves(evaluation: Mapping[str, Any]) -> list[Panel]:
    curves = evaluation.get("curves") or {}
    roc, precision = curves.get("roc") or [], curves.get("precision_recall") or []
    worst = _worst_classes(evaluation)
    panels = []
    if shown := _shown(roc, worst):
        svg = charts.curve(
            [(str(c["class"]), c["x"], c["y"]) for c in shown],
            label=f"ROC curve, area {number(value_of(evaluation, 'roc_auc'))}",
            x_name="false positive rate",
            y_name="true positive rate",
            diagonal=True,
        )
        area = number(value_of(evaluation, "roc_auc"))
        which = _which(shown, roc)
        text = f"Area {area}: the chance that a row of the class is ranked above a row that is not.{which}"
        panels.append(Panel("ROC curve", svg, text))
    if shown := _shown(precision, worst):
        svg = charts.curve(
            [(str(c["class"]), c["x"], c["y"]) for c in shown],
            label="Precision and recall, average precision "
            + number(value_of(evaluation, "average_precision")),
            x_name="recall",
            y_name="precision",
        )
        average = number(value_of(evaluation, "average_precision"))
        text = (
            f"Average precision {average}. Recall: the share of the class that is found. Precision: the "
            f"share of finds that are right.{_which(shown, precision)}"
        )
        panels.append(Panel("Precision and recall", svg, text))
    return panels


def _worst_classes(evaluation: Mapping[str, Any]) -> list[str]:
    rows = [row for row in evaluation.get("per_class") or [] if row.get("support")]
    return [str(row["class"]) for row in sorted(rows, key=lambda row: row.get("f1") or 0)]


def _shown(curves: Sequence[Mapping[str, Any]], worst: Sequence[str]) -> list[Mapping[str, Any]]:
    if len(curves) <= _MOST_CURVES:
        return list(curves)
    chosen = worst[:_MOST_CURVES]
    return [curve for curve in curves if str(curve["class"]) in chosen][:_MOST_CURVES]


def _which(shown: Sequence[Mapping[str, Any]], curves: Sequence[Mapping[str, Any]]) -> str:
    if len(curves) == 1:
        return f" The class is “{shown[0]['class']}”."
    return " Drawn are the classes with the lowest F1." if len(shown) < len(curves) else ""


def _threshold(evaluation: Mapping[str, Any]) -> Panel | None:
    effect = (evaluation.get("threshold") or {}).get("effect") or {}
    at = effect.get("threshold") or []
    if len(at) < 2:
        return None
    svg = charts.curve(
        [("precision", at, _precisions(evaluation, effect)), ("recall", at, effect["recall"])],
        label="Precision and recall over the threshold of the probability",
        x_name="threshold",
        y_name="share",
        mark=(0.5, "0.5"),
    )
    positive = (evaluation.get("task") or {}).get("classes", ["", ""])[-1]
    caption = f"A row is called “{positive}” when its probability is above the threshold."
    return Panel("Effect of the threshold", svg, caption)


def _precisions(
    evaluation: Mapping[str, Any], effect: Mapping[str, Sequence[float | None]]
) -> list[float | None]:
    """The precision at each threshold; None where no row is above it, so that there is none.

    Metrics count such a precision as 0. No row is above a threshold where recall is 0 and accuracy is the
    share of the rows that are not of the class.
    """
    precision = list(effect["precision"])
    counts = [float(row.get("support") or 0) for row in evaluation.get("per_class") or []]
    accuracy = effect.get("accuracy") or []
    if len(counts) != 2 or sum(counts) == 0 or len(accuracy) != len(precision):
        return precision
    negatives, room = counts[0] / sum(counts), 0.5 / sum(counts)
    return [
        None if recall == 0 and right is not None and abs(right - negatives) < room else value
        for value, recall, right in zip(precision, effect["recall"], accuracy, strict=True)
    ]


def _calibration(evaluation: Mapping[str, Any]) -> Panel | None:
    bins = [b for b in evaluation.get("calibration") or [] if b.get("rows")]
    if len(bins) < 1:
        return None
    error = value_of(evaluation, "ece")
    svg = charts.scatter(
        [b["confidence"] for b in bins],
        [b["accuracy"] for b in bins],
        label=f"Reliability diagram, expected calibration error {number(error)}",
        x_name="probability of the predicted class",
        y_name="share that was right",
        reference="diagonal",
        sizes=[float(b["rows"]) for b in bins],
    )
    return Panel("Can its probabilities be believed?", svg, calibration_remark(error))


def _residual_panels(summary: Mapping[str, Any]) -> list[Panel]:
    target = str(summary.get("target"))
    points = summary.get("points") or {}
    true, predicted = points.get("true") or [], points.get("predicted") or []
    panels = []
    if true:
        svg = charts.scatter(
            true,
            predicted,
            label=f"Predicted over true {target}, {len(true)} rows",
            x_name=f"true {target}",
            y_name=f"predicted {target}",
            reference="diagonal",
        )
        caption = f"{len(true):,} rows. On the dotted line a prediction is exact."
        panels.append(Panel("Predicted and true", svg, caption))
        errors = [p - t for p, t in zip(predicted, true, strict=True)]
        svg = charts.scatter(
            predicted,
            errors,
            label=f"Residuals over predicted {target}",
            x_name=f"predicted {target}",
            y_name="predicted - true",
            reference="zero",
        )
        caption = (
            "Above the dotted line a prediction is too high. A funnel means that large values are harder."
        )
        panels.append(Panel("Residuals", svg, caption))
    histogram = summary.get("histogram") or {}
    if histogram.get("counts"):
        svg = charts.histogram(
            histogram["edges"], histogram["counts"], label=f"Residuals of {target}", x_name="predicted - true"
        )
        deviation, mean = number(summary.get("deviation")), number(summary.get("mean"))
        caption = f"Mean {mean}, deviation {deviation}. The outermost bars hold what lies beyond them."
        panels.append(Panel("How large the errors are", svg, caption if deviation != DASH else ""))
    return panels
