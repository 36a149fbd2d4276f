"""A live display on a terminal, redrawn in place by rich."""

from __future__ import annotations

from typing import IO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from torchstone.training.display.status import Status, duration, label, number, rate, sparkline


class Terminal:
    """Shows a bar, the losses and metrics, the speed and the time left.

    Args:
        file: the terminal.
    """

    pace = 0.1
    """Least seconds between two drawings: ten a second."""

    def __init__(self, file: IO[str]) -> None:
        self._console = Console(file=file)
        self._live: Live | None = None

    def start(self, status: Status) -> None:
        """Takes the lines below the cursor."""
        self._live = Live(_drawing(status), console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def draw(self, status: Status) -> None:
        """Draws anew."""
        if self._live is not None:
            self._live.update(_drawing(status), refresh=True)

    def epoch(self, status: Status) -> None:
        """Draws what the epoch gave."""
        self.draw(status)

    def end(self, status: Status, summary: str) -> None:
        """Gives the terminal back and leaves one line."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._console.print(Text(summary))


def _drawing(status: Status) -> RenderableType:
    head = Table.grid(padding=(0, 2))
    done = f"step {status.step:,}" + (f"/{status.steps:,}" if status.steps else "")
    bar = ProgressBar(total=1.0, completed=status.fraction, width=32)
    head.add_row(f"epoch {status.epoch}/{status.epochs}", bar, done, _pace(status))
    parts: list[RenderableType] = [head]
    values = _values(status)
    if values:
        parts.append(Text("  ".join(values)))
    if status.monitor and (best := status.best):
        text = f"best {label(status.monitor)} {number(best[0])} in epoch {best[1]}"
        if status.patience:
            text += f", {status.waited} of {status.patience} epochs without improvement"
        parts.append(Text(f"{text}  {sparkline(status.monitored)}", style="dim"))
    return Group(*parts)


def _values(status: Status) -> list[str]:
    latest = {key: value for key, value in status.latest.items() if key != "train_loss"}
    words = [f"{label(key)} {number(value)}" for key, value in latest.items()]
    loss = status.loss if status.loss is not None else status.latest.get("train_loss")
    return [f"train loss {number(loss)}", *words] if loss is not None else words


def _pace(status: Status) -> str:
    words = [rate(status.samples_per_second)] if status.samples_per_second else []
    words.append(duration(status.elapsed))
    return "  ".join([*words, status.remaining] if status.remaining else words)
