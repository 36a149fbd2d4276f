"""The history of a run as a figure."""

from __future__ import annotations

from torchstone.reporting.plot import plot_history


def test_a_panel_for_the_losses_and_one_for_each_metric() -> None:
    records = [
        {"epoch": e, "train_loss": 1.0 / e, "val_loss": 2.0 / e, "val_accuracy": 0.1 * e} for e in (1, 2, 3)
    ]
    losses, accuracy = plot_history(records, best_epoch=3, title="<b>$").axes
    drawn = {str(line.get_label()): list(line.get_ydata()) for line in losses.get_lines()}
    assert list(drawn) == ["training", "validation", "best: epoch 3"]
    assert drawn["validation"] == [2.0, 1.0, 2.0 / 3]
    assert list(accuracy.get_lines()[0].get_ydata()) == [0.1, 0.2, 0.1 * 3]


def test_the_losses_of_an_own_step_and_a_missing_value() -> None:
    records = [{"epoch": 1, "train_forger": 1.0, "train_critic": None}, {"epoch": 2, "train_forger": 2.0}]
    (axes,) = plot_history(records).axes
    assert [line.get_label() for line in axes.get_lines()] == ["forger"]
