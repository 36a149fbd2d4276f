"""The model cannot learn one batch by heart, although it is given nothing else.

## What it does
With `torchstone watch --overfit-batch train.py` the script's own loop is given the first batch of its
training loader at every step, until the loss has fallen to a tenth (beyond the least value that label
smoothing or soft targets leave), or for 300 steps (`--overfit-steps`). Then the run ends, and it is said
from what to what the loss fell; the exit status is 0 if it fell so far, 1 if it did not, 2 where that says
nothing. Reported is a loss that has stopped falling above that. Nothing is said of losses that are below
zero, or whose targets are drawn anew at each step, and of several losses that work against each other.

This is the one thing that changes a run: have the script write its checkpoints elsewhere.

## Why is this bad?
A handful of samples can be learned by nearly every model. Where they cannot, no amount of data and time will
help: something between the inputs and the optimizer is wrong, such as a cut gradient, a rate that is far off,
outputs that cannot take the values of the targets, or inputs and targets that do not belong together. So the
test takes a minute and rules most mistakes out.

## References
- [A recipe for training neural networks: overfit one batch](https://karpathy.github.io/2019/04/25/recipe/)
- [CS231n: overfit a tiny subset of data](https://cs231n.github.io/neural-networks-3/#sanitycheck)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchstone.finding import Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example

if TYPE_CHECKING:
    from torchstone.review.stream import Event

CODE = "TS612"
NAME = "cannot-overfit-batch"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        torch.manual_seed(0)
        data = torch.utils.data.TensorDataset(torch.randn(256, 8), 5 + 2 * torch.randn(256, 1))
        loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
        # A sigmoid cannot give what is above 1.
        model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1), nn.Sigmoid())
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for epoch in range(5):
            for x, y in loader:
                optimizer.zero_grad()
                nn.functional.mse_loss(model(x), y).backward()  # TS612
                optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    data = torch.utils.data.TensorDataset(torch.randn(256, 8), 5 + 2 * torch.randn(256, 1))
    loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(5):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    """,
)


class Watch(Detector):
    """Reports a loss that did not fall on a batch that was repeated."""

    OPTION = "--overfit-batch"

    AFTER = ("repeated",)

    def on_end(self, event: Event) -> None:
        """The run has said what it can say."""
        overfitting = self.watcher.overfitting
        verdict = None if overfitting is None else overfitting.verdict()
        if verdict is None or verdict.outcome != "stuck":
            return
        self.found(
            verdict.words[0].upper() + verdict.words[1:],
            why="what cannot learn a few samples by heart cannot learn many: something between the inputs "
            "and the optimizer is wrong, whatever the data are like",
            place=verdict.place,
            fix="Look at the outputs beside the targets, at the rate, and at which parameters get gradients.",
            first=verdict.first,
            last=verdict.last,
            steps=verdict.steps,
        )
