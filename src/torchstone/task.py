"""What is to be learned (`Task`) and what a model is fed with (`InputSpec`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

TaskKind = Literal["binary", "multiclass", "multilabel", "regression"]
OutputKind = Literal["logits", "log_probabilities", "probabilities", "values"]


@dataclass(frozen=True)
class Task:
    """What is to be learned.

    Args:
        kind: `binary` and `multiclass` (one class per sample), `multilabel` (each label yes or no)
            or `regression` (one or more numbers).
        targets: the names of the target columns; one, but for multilabel and several-number regression.
        classes: the names of the classes in the order of the model's outputs (for binary: negative,
            positive); the names of the labels for multilabel; empty for regression.
    """

    kind: TaskKind
    targets: tuple[str, ...]
    classes: tuple[str, ...] = ()

    @property
    def is_classification(self) -> bool:
        """Whether a sample has exactly one of several classes."""
        return self.kind in ("binary", "multiclass")

    @property
    def outputs(self) -> int:
        """How many numbers a model gives for a sample (binary: two, unless its loss asks for one)."""
        return len(self.targets) if self.kind == "regression" else len(self.classes)

    def to_json(self) -> dict[str, Any]:
        """The task as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Task:
        """The inverse of `to_json`."""
        return cls(values["kind"], tuple(values["targets"]), tuple(values["classes"]))


@dataclass(frozen=True)
class InputSpec:
    """What a model is fed with: one float32 tensor of shape `(batch, *shape)`.

    For a table the row is `[numeric columns and indicators | one-hot block | one-hot block ...]`.

    Args:
        shape: the shape of one sample, such as `(108,)` for a table or `(1, 28, 28)` for a grey picture.
        numeric: how many of a table's leading inputs are numeric (scaled columns, then 0/1 indicators).
        categories: the widths of the one-hot blocks that follow, in order.
        edges: for each numeric input the inner and outer quantiles of the training rows in the model's
            input units, ascending and distinct, for piecewise-linear embeddings; fewer than two where
            the input is not spread (indicators, constants).
    """

    shape: tuple[int, ...]
    numeric: int = 0
    categories: tuple[int, ...] = ()
    edges: tuple[tuple[float, ...], ...] = ()

    @property
    def is_table(self) -> bool:
        """Whether the inputs are the columns of a table."""
        return bool(self.numeric or self.categories)
