"""A run: the trained module, its history and, when it is kept, its directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torchstone.errors import RunError
from torchstone.finding import Finding

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure
    from torch import Tensor, nn

    from torchstone.evaluation.evaluate import Evaluation
    from torchstone.evaluation.restore import Restored


@dataclass
class Run:
    """What a training gives, and what `ts.load` gives back.

    Args:
        module: the trained module, plain, with the weights that the run ended with.
        records: one dictionary per epoch; `history` is the same as a frame.
        path: the run directory, None when nothing was written.
        restored: what turns data into inputs and outputs into predictions; None for `ts.fit`, whose data
            are ready tensors.
        best: the record of the epoch whose weights the module has.
        kept: whether that is the epoch that was best on the validation rows, or the last one.
        evaluations: the evaluations so far, by split.
        findings: what was found before and during training.
        notes: what was found out about the data and must be said.
        context: what the run was made from, kept in memory so that it is not read again; None after `load`.
    """

    module: nn.Module
    records: list[dict[str, Any]] = field(repr=False)
    path: Path | None = None
    restored: Restored | None = field(default=None, repr=False)
    best: dict[str, Any] = field(default_factory=dict)
    kept: Literal["best", "last"] = "best"
    evaluations: dict[str, Evaluation] = field(default_factory=dict, repr=False)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    context: Any = field(default=None, repr=False)

    @property
    def history(self) -> pl.DataFrame:
        """One row per epoch: `epoch`, `step`, `train_loss`, `val_loss`, `val_<metric>`, `lr`, `seconds`."""
        import polars as pl

        return pl.DataFrame(self.records, infer_schema_length=None)

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics on the validation rows, each `{"value", "low", "high"}`; empty without validation."""
        return self.evaluations["val"].metrics if "val" in self.evaluations else {}

    def predict(self, data: Any) -> pl.DataFrame | Tensor:
        """Predictions for new data, in the order given.

        Args:
            data: for a run of `ts.train` a polars or pandas frame, a file, or an array; for a run of
                `ts.fit` inputs `(N, ...)` as a tensor, an array or nested lists, or `(X, y)`, a `Dataset` or
                a `DataLoader` that does not shuffle, whose targets are left alone.

        Returns:
            A frame with `id` (the rows counted from 1), the table's own identifiers, `prediction` and a
            `probability_<class>` for each class; for a run of `ts.fit` the module's outputs, a CPU tensor.

        Raises:
            DataError: a column is missing or holds another type than in training; inputs that the module
                refuses.
        """
        if self.restored is None:
            from torchstone.training.outputs import module_outputs

            return module_outputs(self.module, data)
        from torchstone.evaluation.predict import predict

        return predict(self.restored, data)

    @property
    def best_epoch(self) -> int | None:
        """The epoch that was chosen by its validation; None where the last weights were kept."""
        return self.best.get("epoch") if self.kept == "best" else None

    def plot(self) -> Figure:
        """Losses and metrics over the epochs, a matplotlib figure.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        from torchstone.reporting.plot import plot_history

        return plot_history(self.records, best_epoch=self.best_epoch)

    def directory(self) -> Path:
        """The run directory.

        Raises:
            RunError: the run was not kept.
        """
        if self.path is None:
            raise RunError("This run was not kept.", hint='Give out="runs/name" when training.')
        return self.path

    def summary(self) -> dict[str, Any]:
        """The run as one JSON document: path, best epoch, metrics, findings."""
        return {
            "version": 1,
            "run": str(self.path) if self.path else None,
            "epochs": len(self.records),
            "best": self.best,
            "kept": self.kept,
            "evaluations": {name: evaluation.to_json() for name, evaluation in self.evaluations.items()},
            "findings": [finding.to_json() for finding in self.findings],
            "notes": self.notes,
        }
