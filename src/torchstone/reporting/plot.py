"""The history of a run as a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torchstone.errors import MissingExtraError
from torchstone.reporting.history import column, epochs, loss_lines, metric_keys
from torchstone.reporting.measured import metric_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_history(
    history: Sequence[Mapping[str, Any]],
    *,
    metrics: Sequence[str] | None = None,
    best_epoch: int | None = None,
    title: str | None = None,
) -> Figure:
    """Losses and metrics over the epochs, a panel for the losses and one for each metric.

    Args:
        history: one record per epoch.
        metrics: keys such as `accuracy`; default: all validation metrics of the history.
        best_epoch: is marked.
        title: above the figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ModuleNotFoundError:
        raise MissingExtraError("matplotlib", "plot") from None

    keys = metric_keys(history) if metrics is None else [f"val_{key.removeprefix('val_')}" for key in metrics]
    panels: list[tuple[str, list[tuple[str, str]]]] = [
        ("loss", loss_lines(history)),
        *((metric_label(key[4:]), [("validation", key)]) for key in keys),
    ]
    figure = Figure(figsize=(4.8 * len(panels), 3.6), layout="constrained")
    numbers = epochs(history)
    for axes, (name, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for label, key in lines:
            values = [float("nan") if v is None else float(v) for v in column(history, key)]
            if any(v == v for v in values):
                axes.plot(numbers, values, label=label, marker="o" if len(numbers) == 1 else None)
        if best_epoch is not None:
            axes.axvline(best_epoch, color="0.6", linestyle=":", label=f"best: epoch {best_epoch}")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
    if title:
        figure.suptitle(title)
    return figure
