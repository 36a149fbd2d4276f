"""A column of the inputs is the same number in every row.

## What it does
A watched run looks at the tables that a model is trained on, and reports a column that held one number, other
than -1, 0 and 1, in all rows of a pass. Source does not show it. Inputs that are NaN or infinite are told as
`nan-origin`, with the samples that hold them.

## Why is this bad?
A column that never changes says nothing. Most often a missing value was filled in, or another column than the
one that was meant was read.

## References
- [Removing features with low variance](https://scikit-learn.org/stable/modules/feature_selection.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example

if TYPE_CHECKING:
    from torchstone.review.epochs import Epoch
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS416"
NAME = "bad-feature"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        rows = torch.randn(100, 4)
        rows[:, 2] = 0.37
        loader = DataLoader(TensorDataset(rows, torch.randn(100, 1)), batch_size=20)  # TS416
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    rows = torch.randn(100, 4)
    rows[:, 2] = 1.0  # for the intercept
    loader = DataLoader(TensorDataset(rows, torch.randn(100, 1)), batch_size=20)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    """,
)

_MOST_COLUMNS = 64
"""A table with more columns is likely a picture, or words, and its edge may be empty."""

_FEWEST_ROWS = 64


class Watch(Detector):
    """Looks at the inputs that a model is trained on."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._table: Epoch | None = None
        """The pass over a table whose columns are compared."""
        self._constant: dict[int, float] = {}
        self._rows = 0

    def on_batch(self, event: Event) -> None:
        """Its inputs."""
        epoch = event.epoch
        inputs: Any = event.samples.inputs if epoch.number == 0 else None
        usual = inputs is not None and not inputs.is_sparse and inputs.is_floating_point() and len(inputs)
        if usual and inputs.dim() == 2 and inputs.device.type == "cpu":
            self._compare(epoch, inputs)

    def _compare(self, epoch: Epoch, inputs: Any) -> None:
        """Which columns are one number so far."""
        if epoch.batches == 1 and 3 <= inputs.shape[1] <= _MOST_COLUMNS:
            self._table, self._rows = epoch, 0
            self._constant = dict(enumerate(inputs[0].tolist()))
        if self._table is not epoch or not self._constant:
            return
        least, most = (bound.tolist() for bound in inputs.detach().aminmax(dim=0))
        self._rows += len(inputs)
        self._constant = {
            column: value
            for column, value in self._constant.items()
            if least[column] == value == most[column]
        }

    def on_epoch_ended(self, event: Event) -> None:
        """Judges the columns of a pass that was trained on."""
        epoch: Epoch = event.epoch
        if self._table is not epoch:
            return
        self._table = None
        odd = {column: value for column, value in self._constant.items() if value not in (-1.0, 0.0, 1.0)}
        filled = len(set(odd.values())) < len(odd) or len(odd) < len(self._constant)  # an empty background
        if epoch.trains and odd and not filled and self._rows >= _FEWEST_ROWS and epoch.batches > 1:
            column, value = next(iter(odd.items()))
            self.found(
                f"Column {column} of the inputs is {value:.6g} in all {self._rows} rows of a pass",
                why="a column that never changes says nothing, and is often another one than was meant",
                place=epoch.shown,
                fix=f"Look where column {column} comes from, or leave it out.",
                columns=sorted(odd),
                value=value,
                rows=self._rows,
            )
