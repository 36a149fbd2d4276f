"""A model with dropout or batch normalisation is evaluated in training mode.

## What it does
Follows the mode of each model through the program, and reports a forward pass over validation or test
data, with no backward pass and no step, of a model that has such layers and was never put into evaluation
mode.

A watched run looks at each whole pass over a loader without a backward pass or a step, of a model that was
trained or loaded: in training mode, called once a batch and fed with the batch. Passes whose outputs are
thrown away (for running statistics), and those right before which training mode was asked for, are meant.

## Why is this bad?
Dropout removes part of the signal, and batch normalisation uses the batch's own statistics and changes
its running ones by the evaluation data. The numbers that decide on the model are wrong, and evaluating
changes it.

## References
- [Module.eval](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.passes import Look, Pass, PassDetector
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.file import File
from torchstone.review.syntax.modes import Observation, forwards, has_mode_layers, is_held_out
from torchstone.review.syntax.training import called, inside

CODE = "TS201"
NAME = "missing-eval"
SEVERITY: Severity = "error"
INVOLVES = ("Dropout|BatchNorm|RReLU|Transformer|torchvision",)

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        data = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
        train_loader, test_loader = DataLoader(data, batch_size=8), DataLoader(data, batch_size=8)
        model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in train_loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        correct = 0
        with torch.no_grad():
            for x, y in test_loader:
                correct += (model(x).argmax(1) == y).sum().item()  # TS201
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    train_set = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
    test_set = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
    train_loader, test_loader = DataLoader(train_set, batch_size=8), DataLoader(test_set, batch_size=8)
    model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    correct = 0
    model.eval()
    with torch.no_grad():
        for x, y in test_loader:
            correct += (model(x).argmax(1) == y).sum().item()
    """,
)

_ON_PURPOSE = ("mc", "monte", "uncertain", "bayes", "update_bn", "calibrat")


def check(file: File) -> Iterator[Finding]:
    """Looks at each forward in a loop over held-out data."""
    training = {"backward", "step", "gradient", "update"}
    for observation in forwards(file):
        seen = observation.seen
        if not seen.loops or observation.modes() != {"train"} or not is_held_out(seen.loops[-1]):
            continue
        loop = seen.loops[-1]
        if any(each.event.kind in training for root in events(file) for each in inside(loop, root)):
            continue
        if has_mode_layers(observation.model) and not _meant(observation):
            yield _finding(file, observation)


def _meant(observation: Observation) -> bool:
    names = [call.scope.name.lower() for call in observation.seen.calls]
    names.append(observation.seen.event.frame.scope.name.lower())
    return any(word in name for name in names for word in _ON_PURPOSE)


def _finding(file: File, observation: Observation) -> Finding:
    seen = observation.seen
    name = called(seen)
    loop = seen.loops[-1]
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        seen.place(file),
        f"`{name}` is evaluated in training mode: dropout and batch normalisation behave as in training",
        why="the numbers are wrong, and batch normalisation learns from the evaluation data",
        fix=Fix(f"Call `{name}.eval()` before this loop and `{name}.train()` before training goes on."),
        related=(loop.frame.file.related(loop.node, "this loop evaluates"),),
    )


class Watch(PassDetector):
    """Looks at each whole pass over a loader in which nothing was trained."""

    def judge(self, seen: Pass, look: Look, module: Any) -> None:
        """A module that was in training mode, called once for each batch; more often is Monte Carlo."""
        if look.training or look.layers:
            self.doubt(look.place)
        elif seen.batches > 1:
            self.right(look.place, 1)
        if not look.training or not look.layers or look.told or look.times != seen.batches:
            return
        if any(word in name for name in look.functions for word in _ON_PURPOSE):
            return
        name = self.names.module(module)
        learns = any("Norm" in layer for layer in look.layers)
        self.found(
            f"`{name}` was evaluated in training mode: {', '.join(look.layers)} behaved as in training",
            why="the numbers are wrong, and batch normalisation learns from the evaluation data"
            if learns
            else "the numbers are wrong: the model is not evaluated as it will be used",
            place=look.place,
            fix=f"Call `{name}.eval()` before this loop and `{name}.train()` before training goes on.",
            related=((seen.place, "this loop evaluates"),),
            layers=look.layers,
            batches=seen.batches,
        )
