"""TensorBoard: the run's numbers as TensorBoard reads them, in the run directory."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torchstone.training.callbacks import Callback, TrainContext

_LOG = logging.getLogger("torchstone")
_NAMES = {
    "loss": "loss/train_steps",
    "lr": "optimizer/learning_rate",
    "gradient_norm": "optimizer/gradient_norm",
    "samples_per_second": "speed/samples_per_second",
    "train_loss": "loss/train",
    "val_loss": "loss/val",
}
"""Where a number is filed; others go to `metrics/`."""

_PLACES = ("epoch", "step", "seconds")
"""Numbers of a record that are no results."""


class TensorBoard(Callback):
    """Writes losses, metrics, learning rate and the gradients' norm, and at the end the hyper-parameters.

    `tensorboard --logdir runs` shows them. Without the package tensorboard it does nothing, and says so once.

    Args:
        path: the folder; default: the run directory, and nothing is written where there is none.
        hyper_parameters: shown beside the results; nested mappings are written as `section.key`.
    """

    _missing_said = False

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        hyper_parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = None if path is None else Path(path)
        self.hyper_parameters = dict(hyper_parameters or {})
        self._writer: Any = None
        self._last: dict[str, Any] = {}

    def on_start(self, context: TrainContext) -> None:
        """Opens the file; after a resume what an earlier part wrote beyond this step is taken back."""
        folder = self.path or context.run_path
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self._say_missing()
            return
        step = context.state.step
        self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def on_log(self, context: TrainContext, record: dict[str, Any]) -> None:
        """The numbers of a step."""
        self._write(record, record["step"])

    def on_epoch_end(self, context: TrainContext, record: dict[str, Any]) -> None:
        """The numbers of an epoch; its learning rate and speed are known from its steps."""
        self._last = record
        self._write(
            {key: value for key, value in record.items() if key not in _NAMES or "loss" in key},
            record["step"],
        )
        if self._writer is not None:
            self._writer.flush()

    def on_end(self, context: TrainContext, error: BaseException | None) -> None:
        """The hyper-parameters, and the file is closed."""
        if self._writer is None:
            return
        self._write_hyper_parameters(context)
        self._writer.close()
        self._writer = None

    def _write(self, record: dict[str, Any], step: int) -> None:
        if self._writer is None:
            return
        for key, value in record.items():
            if key not in _PLACES and isinstance(value, int | float):
                self._writer.add_scalar(_name(key), value, step)

    def _write_hyper_parameters(self, context: TrainContext) -> None:
        """In the run's own file: `add_hparams` would make a folder of its own for each run."""
        from torch.utils.tensorboard.summary import hparams

        results = {
            _name(key): float(self._last[key]) for key in self._last if key.startswith(("val_", "train_"))
        }
        parameters = dict(_flat(self.hyper_parameters)) or {"epochs": context.settings.epochs}
        for summary in hparams(parameters, results):  # type: ignore[no-untyped-call]
            self._writer.file_writer.add_summary(summary)

    @classmethod
    def _say_missing(cls) -> None:
        if not TensorBoard._missing_said:
            TensorBoard._missing_said = True
            _LOG.warning(
                'No TensorBoard files are written: pip install "torchstone[train]" brings tensorboard.'
            )


def _name(key: str) -> str:
    return _NAMES.get(key, f"metrics/{key}")


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Hyper-parameters as TensorBoard takes them: numbers, texts, booleans by dotted name; no None."""
    flat: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, bool | int | float | str):
            flat.append((f"{prefix}{key}", value))
        elif value is not None:
            flat.append((f"{prefix}{key}", str(value)))
    return flat
