"""Evaluation records a graph that nobody uses.

## What it does
Reports a forward pass of a model in evaluation mode over validation or test data, outside of
`torch.no_grad()` and `torch.inference_mode()`, when no backward pass follows in the loop.

A watched run reports a whole pass over a loader whose outputs have graphs that no backward pass uses.

## Why is this bad?
Every intermediate result is kept until the output is dropped: evaluation needs several times the memory
and more time, and outputs that are collected keep all of their graphs.

## References
- [no_grad](https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.passes import Look, Pass, PassDetector
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.file import File
from torchstone.review.syntax.modes import forwards, is_held_out
from torchstone.review.syntax.training import called, inside

CODE = "TS203"
NAME = "missing-no-grad"
SEVERITY: Severity = "warning"
INVOLVES = ("eval|train(",)

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        data = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
        test_loader = DataLoader(data, batch_size=8)
        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        model.eval()
        correct = 0
        for x, y in test_loader:
            correct += (model(x).argmax(1) == y).sum().item()  # TS203
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    data = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
    test_loader = DataLoader(data, batch_size=8)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in test_loader:
            correct += (model(x).argmax(1) == y).sum().item()
    """,
)

_GRADIENTS_MEANT = ("requires_grad", "set_grad_enabled", "autograd.grad")


def check(file: File) -> Iterator[Finding]:
    """Looks at each forward in a loop over held-out data."""
    training = {"backward", "step", "gradient", "update"}
    for observation in forwards(file):
        seen = observation.seen
        if seen.recording != "on" or not seen.loops or observation.modes() != {"eval"}:
            continue
        loop = seen.loops[-1]
        if not is_held_out(loop) or any(word in file.source.text for word in _GRADIENTS_MEANT):
            continue
        if any(each.event.kind in training for root in events(file) for each in inside(loop, root)):
            continue
        yield file.finding(
            CODE,
            NAME,
            SEVERITY,
            seen.place(file),
            f"evaluating `{called(seen)}` records graphs that nobody uses",
            why="evaluation takes several times the memory and more time",
            fix=Fix("Put the loop into `with torch.no_grad():`."),
            related=(loop.frame.file.related(loop.node, "this loop evaluates"),),
        )


class Watch(PassDetector):
    """Looks at each whole pass over a loader in which nothing was trained."""

    def judge(self, seen: Pass, look: Look, module: Any) -> None:
        """A module whose outputs all had a graph that no backward pass used."""
        if not look.recording or look.times < seen.batches:
            return
        self.found(
            f"Evaluating `{self.names.module(module)}` recorded graphs that nobody used",
            why="evaluation takes several times the memory and more time",
            place=look.place,
            fix="Put the loop into `with torch.no_grad():`.",
            related=((seen.place, "this loop evaluates"),),
            batches=seen.batches,
        )
