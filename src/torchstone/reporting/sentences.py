"""Results in plain words: the sentence that a report begins with, and what the curves and numbers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torchstone.reporting.history import at_epoch, column, epochs, monitor_key
from torchstone.reporting.measured import metric_label
from torchstone.reporting.scales import DASH, finite, number, percent, seconds
from torchstone.task import Task

SPLITS = {"val": "validation", "test": "test", "train": "training"}
"""What the splits are called."""


@dataclass(frozen=True)
class Verdict:
    """The first sentence of a report.

    Args:
        opening: what was trained on what, such as `adult · binary · tabm`.
        before: the text before the number.
        figure: the number that matters most.
        after: the text after it.
    """

    opening: str
    before: str
    figure: str
    after: str

    @property
    def text(self) -> str:
        """The whole sentence."""
        return f"{self.opening}: {self.before}{self.figure}{self.after}"


def split_name(split: Any) -> str:
    """The name of a split in running text: `val` is `validation`, new data keep theirs."""
    return SPLITS.get(str(split), str(split))


def verdict(
    title: str,
    task: Task | None,
    model: str,
    evaluation: Mapping[str, Any] | None,
    history: Sequence[Mapping[str, Any]],
    best_epoch: int | None,
    took: float | None = None,
) -> Verdict:
    """How good the run is, in one sentence.

    Args:
        title: how the data is called.
        task: what was to be learned, None when nobody said.
        model: its name.
        evaluation: the evaluation to tell of (JSON values), None when there is none.
        history: one record per epoch.
        best_epoch: the epoch whose weights were kept.
        took: seconds of training; None sums those of the history.
    """
    opening = " · ".join([title, *([task.kind] if task else []), model])
    trained = _trained(history, best_epoch, took)
    if evaluation is None or task is None:
        return Verdict(opening, "", trained[:1].upper() + trained[1:], ". No rows were measured.")
    before, key, after = _measure(task, evaluation)
    measured = (evaluation.get("metrics") or {}).get(key) or {}
    say = number if task.kind == "regression" else percent
    interval = _interval(measured, as_percent=task.kind != "regression")
    return Verdict(opening, before, say(measured.get("value")), f"{after}{interval}; {trained}.")


def _measure(task: Task, evaluation: Mapping[str, Any]) -> tuple[str, str, str]:
    """Text before the figure, the metric, text after it."""
    rows = f"{evaluation.get('rows') or 0:,} {split_name(evaluation.get('split'))} rows"
    if task.kind == "regression":
        what = " and ".join(task.targets) if len(task.targets) < 3 else f"{len(task.targets)} numbers"
        return f"{what} predicted with a mean error of ", "mae", f" over {rows}"
    if task.kind == "multilabel":
        return "", "subset_accuracy", f" of {rows} with every label right"
    return "", "accuracy", f" of {rows} right"


def _interval(measured: Mapping[str, Any], *, as_percent: bool) -> str:
    low, high = measured.get("low"), measured.get("high")
    if low is None or high is None or len(finite([low, high])) < 2:
        return ""
    if as_percent:
        return f" (95 %: {100 * low:.1f}–{100 * high:.1f})"
    return f" (95 %: {number(low)}–{number(high)})"


def _trained(history: Sequence[Mapping[str, Any]], best_epoch: int | None, took: float | None) -> str:
    if not history:
        return "not trained"
    count = epochs(history)[-1]
    total = sum(finite(column(history, "seconds"))) if took is None else took
    text = f"trained {count} epoch{'s' if count != 1 else ''}"
    text += f" in {seconds(total)}".replace(" s", "\u00a0s") if total else ""
    return text + (f", best at epoch {best_epoch}" if best_epoch is not None and count > 1 else "")


def baseline(task: Task | None, evaluation: Mapping[str, Any] | None) -> str | None:
    """How good it is to look at no column at all, beside the model; None where that says nothing."""
    metrics = (evaluation or {}).get("metrics") or {}
    if task is None:
        return None
    if task.kind == "regression":
        share = (metrics.get("r2") or {}).get("value")
        if share is None or not finite([share]):
            return None
        if share <= 0:
            return f"R² is {number(share)}: always answering the mean of these rows would be no worse."
        return (
            f"R² is {number(share)}: of the differences between rows (their variance) the model explains "
            f"{percent(share)}; always answering the mean would explain none."
        )
    counts = [float(row.get("support") or 0) for row in (evaluation or {}).get("per_class") or []]
    if not task.is_classification or sum(counts) == 0 or len(counts) != len(task.classes):
        return None
    share, name = max(counts) / sum(counts), task.classes[counts.index(max(counts))]
    accuracy = (metrics.get("accuracy") or {}).get("value")
    text = f"Always answering “{name}” would be right for {percent(share)} of these rows"
    if accuracy is None or accuracy <= share or share == 1:
        return f"{text}: the model is no better than that."
    if accuracy == 1:
        return f"{text}; the model makes no mistake on them."
    return f"{text}; the model makes {percent((accuracy - share) / (1 - share), 0)} fewer mistakes than that."


def training_remark(
    history: Sequence[Mapping[str, Any]], monitor: str, best_epoch: int | None, resume: str
) -> str:
    """What the curves say: still improving, done, or learning by heart.

    Args:
        history: one record per epoch.
        monitor: the value that decided which epoch is best.
        best_epoch: that epoch; None where the last weights were kept.
        resume: the command that goes on with the run.
    """
    numbers = epochs(history)
    if not numbers:
        return "There is no record of an epoch."
    if len(numbers) == 1:
        return "One epoch says little about where training was heading."
    if best_epoch is None:
        return _last_kept(history)
    value = number(at_epoch(history, best_epoch).get(monitor_key(monitor)), 4)
    reached = f"The {_monitor_name(monitor)} was best at epoch {best_epoch}" + (
        f" ({value})" if value != DASH else ""
    )
    after = numbers[-1] - best_epoch
    if after <= 0:
        return f"{reached}, the last: it was still improving, and more epochs may help ({resume})."
    brought = f"{reached}; the {after} after it" if after > 1 else f"{reached}; the one after it"
    text = f"{brought} brought nothing better."
    return f"{text} {_by_heart(history, best_epoch)}".strip()


def may_improve(history: Sequence[Mapping[str, Any]], best_epoch: int | None) -> bool:
    """Whether more epochs may help: the last one was the best, or the validation loss was not yet rising.

    Args:
        history: one record per epoch.
        best_epoch: the epoch whose weights were kept; None where the last weights were kept.
    """
    numbers = epochs(history)
    if best_epoch is not None:
        return not numbers or best_epoch >= numbers[-1]
    losses = _validation_losses(history)
    return not losses or not _by_heart(history, min(losses, key=lambda epoch: losses[epoch]))


def _validation_losses(history: Sequence[Mapping[str, Any]]) -> dict[int, Any]:
    """The validation loss of each epoch that has one."""
    values = zip(epochs(history), column(history, "val_loss"), strict=True)
    return {epoch: loss for epoch, loss in values if finite([loss])}


def _last_kept(history: Sequence[Mapping[str, Any]]) -> str:
    """What is to be said where no epoch was chosen."""
    losses = _validation_losses(history)
    if not losses:
        return "No validation loss, so no epoch is known to be the best; the last weights were kept."
    lowest = min(losses, key=lambda epoch: losses[epoch])
    return (
        f"The last weights were kept. The validation loss was lowest at epoch {lowest} "
        f"({number(losses[lowest], 4)}), and {number(losses[max(losses)], 4)} at the end."
    )


def _monitor_name(monitor: str) -> str:
    key = monitor_key(monitor)
    split, name = ("training", key[6:]) if key.startswith("train_") else ("validation", key[4:])
    return f"{split} {metric_label(name)}"


def _by_heart(history: Sequence[Mapping[str, Any]], best_epoch: int) -> str:
    """Whether the training loss went on falling while the validation loss rose."""
    best, last = at_epoch(history, best_epoch), history[-1]
    values = finite(record.get(key) for key in ("train_loss", "val_loss") for record in (best, last))
    if len(values) < 4:
        return ""
    train_then, train_now, val_then, val_now = values
    if train_now < train_then and val_now > 1.02 * val_then:
        return "The training loss fell on while the validation loss rose: it was learning rows by heart."
    return ""


def calibration_remark(error: float | None) -> str:
    """What an expected calibration error means."""
    if error is None or not finite([error]):
        return "Dots on the dotted line: of rows called 80 % likely, 80 % come true."
    judgement = "can be taken at their word" if error < 0.03 else "should be taken with a grain of salt"
    return (
        f"Predicted and observed shares differ by {percent(error)} on average: these probabilities "
        f"{judgement}. A dot below the dotted line is overconfident; its size is the number of rows."
    )
