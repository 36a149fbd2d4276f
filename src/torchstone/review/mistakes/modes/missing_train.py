"""Training goes on in evaluation mode after the first validation.

## What it does
Follows the mode of each model through the rounds of the epoch loop, and reports a training forward that
runs in the evaluation mode which an earlier round's validation left behind.

## Why is this bad?
From the second epoch on dropout is off and batch normalisation uses frozen statistics: the model
overfits, or learns with statistics of its first epoch. Nothing fails.

## References
- [Module.train](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train)
"""

from __future__ import annotations

from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Related, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.file import File
from torchstone.review.syntax.modes import Mark, Observation, forwards, has_mode_layers
from torchstone.review.syntax.training import called, has, inside

CODE = "TS202"
NAME = "missing-train"
SEVERITY: Severity = "error"
INVOLVES = ("Dropout|BatchNorm|RReLU|Transformer|torchvision", "eval|train", "backward")

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        data = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
        train_loader, test_loader = DataLoader(data, batch_size=8), DataLoader(data, batch_size=8)
        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model.train()
        for epoch in range(2):
            for x, y in train_loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()  # TS202
                optimizer.step()
            model.eval()
            with torch.no_grad():
                correct = sum((model(x).argmax(1) == y).sum().item() for x, y in test_loader)
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    data = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
    train_loader, test_loader = DataLoader(data, batch_size=8), DataLoader(data, batch_size=8)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(2):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            correct = sum((model(x).argmax(1) == y).sum().item() for x, y in test_loader)
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at each forward of a training loop."""
    for observation in forwards(file):
        seen = observation.seen
        if not seen.loops or seen.recording == "off":
            continue
        mark = observation.left_over()
        first = {mark.mode for mark in observation.rounds[0][1]}
        if mark is None or first != {"train"} or "unknown" in observation.modes():
            continue
        here = [each for root in events(file) for each in inside(seen.loops[-1], root)]
        if has(here, "backward") and has(here, "step") and has_mode_layers(observation.model) is True:
            yield _finding(file, observation, mark)


def _finding(file: File, observation: Observation, mark: Mark) -> Finding:
    seen = observation.seen
    name = called(seen)
    related: tuple[Related, ...] = ()
    if mark.setter is not None:
        related = (mark.setter.frame.file.related(mark.setter.node, "evaluation mode is set here"),)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        seen.place(file),
        f"`{name}` trains in evaluation mode from the second round on: nothing sets `{name}.train()` again",
        why="dropout stays off and batch normalisation keeps frozen statistics",
        fix=Fix(f"Call `{name}.train()` at the start of each epoch."),
        related=related,
    )
