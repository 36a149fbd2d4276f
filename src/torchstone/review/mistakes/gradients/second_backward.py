"""A backward pass goes through a graph that an earlier one has freed.

## What it does
Explains the error that ended the program, under its traceback: whether the same loss was used twice, an
earlier loss is part of a later one, or a result was made once and used for several losses; with the line of
the first backward pass, or the line that made what is shared. A recurrent state that is carried from batch to
batch is told as TS114.

## Why is this bad?
`backward()` frees what the operations kept for it, so that a graph can be gone through once. The program
stops, and the error's advice, `retain_graph=True`, mostly hides the cause: each pass then goes through
all earlier batches, too.

## References
- [torch.Tensor.backward](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchstone.finding import Severity
from torchstone.review.crashes import Crash
from torchstone.review.histories import FollowsGraphs, Reuse
from torchstone.review.mistake import Example

if TYPE_CHECKING:
    from torchstone.review.places import Place

CODE = "TS113"
NAME = "second-backward"
SEVERITY: Severity = "error"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        encoder, head = nn.Sequential(nn.Linear(4, 8), nn.Tanh()), nn.Linear(8, 1)
        optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)
        features = encoder(torch.randn(16, 4))  # TS113
        for _ in range(3):
            optimizer.zero_grad()
            loss = head(features).square().mean()
            loss.backward()  # TS113
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    encoder, head = nn.Sequential(nn.Linear(4, 8), nn.Tanh()), nn.Linear(8, 1)
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)
    inputs = torch.randn(16, 4)
    for _ in range(3):
        optimizer.zero_grad()
        loss = head(encoder(inputs)).square().mean()
        loss.backward()
        optimizer.step()
    """,
)


class Watch(FollowsGraphs):
    """Explains the error that ended the program."""

    def explain(self, crash: Crash, reuse: Reuse) -> None:
        """Reports all but a state that is carried on."""
        if reuse.how in ("carried", "kept"):
            return  # TS114
        message, fix = _WORDS[reuse.how]
        self.found(
            message.format(name=f"`{reuse.name}`" if reuse.name else "a result"),
            why="the first pass has freed what the operations kept for it",
            place=crash.place,
            fix=fix,
            related=_related(reuse),
        )


_WORDS = {
    "same": (
        "This backward pass goes through a loss that was gone through before",
        "Call `backward()` once for each loss; add up losses before it where there are several.",
    ),
    "sum": (
        "The loss has an earlier loss in it, whose backward pass is done",
        "Add up numbers, `total += loss.item()`, and call `backward()` on the loss of the batch alone.",
    ),
    "shared": (
        "This loss is made from {name} of before the last backward pass, which has freed its graph",
        "Compute it anew for each backward pass, give it on with `detach()` where no gradient is to go "
        "further, or add up the losses and go back once.",
    ),
    "unknown": (
        "A part of this loss was gone through by an earlier backward pass",
        "Compute what the losses share anew for each backward pass, or add them up and go back once.",
    ),
}


def _related(reuse: Reuse) -> tuple[tuple[Place | None, str], ...]:
    if reuse.how in ("same", "sum"):
        return ((reuse.earlier, "the first backward pass"),)
    return ((reuse.earlier, "the result is made here"), (reuse.place, "and given on here"))
