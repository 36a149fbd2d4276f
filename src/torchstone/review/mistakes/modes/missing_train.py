"""Training goes on in evaluation mode after the first validation.

## What it does
Follows the mode of each model through the rounds of the epoch loop, and reports a training forward that
runs in the evaluation mode which an earlier round's validation left behind.

A watched run reports steps on gradients of evaluation mode alone, after the model was evaluated in that mode.
A model that is in it from its first step on is meant so.

## Why is this bad?
From the second epoch on dropout is off and batch normalisation uses frozen statistics: the model
overfits, or learns with statistics of its first epoch. Nothing fails.

## References
- [Module.train](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train)
"""

from __future__ import annotations

import ast
import re
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Related, Severity
from torchstone.review.detector import Detector
from torchstone.review.layers import kinds_of, mode_layers
from torchstone.review.mistake import Example
from torchstone.review.passes import tensors
from torchstone.review.pausing import STEADY
from torchstone.review.syntax.arguments import whole
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop
from torchstone.review.syntax.file import File
from torchstone.review.syntax.modes import Mark, Observation, forwards, has_mode_layers
from torchstone.review.syntax.training import called, has, inside

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS202"
NAME = "missing-train"
SEVERITY: Severity = "error"
_FREEZES = re.compile(r"requires_grad(_\(False|\s*=\s*False)")
"""A program that freezes parts may leave them in evaluation mode on purpose."""

_MOST_MODULES = 32
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

    train_set = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
    test_set = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
    train_loader, test_loader = DataLoader(train_set, batch_size=8), DataLoader(test_set, batch_size=8)
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
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    train_set = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
    test_set = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
    loader, test_loader = DataLoader(train_set, batch_size=8), DataLoader(test_set, batch_size=8)
    model = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.5), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(1):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        model.eval()  # there is no second round
        with torch.no_grad():
            correct = sum((model(x).argmax(1) == y).sum().item() for x, y in test_loader)
    """,
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    train_set = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
    test_set = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
    loader, test_loader = DataLoader(train_set, batch_size=8), DataLoader(test_set, batch_size=8)
    model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
    for layer in model[:3]:
        layer.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        model.eval()  # what has a mode was trained before, and stays as it is
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
        if any(_runs_once(loop) for loop in seen.loops) or _FREEZES.search(file.source.text):
            continue
        here = [each for root in events(file) for each in inside(seen.loops[-1], root)]
        if has(here, "backward") and has(here, "step") and has_mode_layers(observation.model) is True:
            yield _finding(file, observation, mark)


def _runs_once(loop: Loop) -> bool:
    """Whether a loop surely has one round, as `range(1)`."""
    over = loop.node.iter if isinstance(loop.node, ast.For) else None
    if not isinstance(over, ast.Call) or not isinstance(over.func, ast.Name) or len(over.args) != 1:
        return False
    if over.func.id not in ("range", "trange"):
        return False
    return whole(loop.frame, over.args[0]) == 1


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


class _Window:
    """What one module did since the last step on its parameters.

    Args:
        module: it.
        layers: the classes of its layers that have a mode.
    """

    def __init__(self, module: Any, layers: list[str]) -> None:
        self.module = weakref.ref(module)
        self.layers = layers
        self.trained_by: dict[int, tuple[weakref.ref[Any], int, bool]] = {}
        """By identity of an optimizer: it, how many groups it had, and whether it trains the module."""
        self.told: Place | None = None
        """Where evaluation mode was set."""
        self.evaluated = False
        """It was called without gradients since: the mode was meant for that."""
        self.trained = False
        """It was stepped in training mode once."""
        self.kept = False
        """Its first step was in evaluation mode: that is meant."""
        self.calls: Place | None = None
        """Where it was called in evaluation mode, with gradients."""
        self.training = False
        """It was called in training mode too."""
        self.returned = False
        """Evaluation mode was set after it had been trained."""
        self.again: Place | None = None
        """Where it was called in training mode after that."""
        self.gave = False
        """A backward pass came after the call."""
        self.graphs = 0
        """Calls with gradients since a backward pass."""
        self.most = 0
        """So many of them there were at the most when it was trained in training mode."""
        self.passes = 0
        """Backward passes since evaluation mode was set."""
        self.surplus = False
        """Before the first of them, and no other, it was called more often: it was evaluated, with graphs."""
        self.steps = 0
        """Steps that used gradients of evaluation mode alone."""


class Watch(Detector):
    """Looks at each step: whether the forward passes since the one before were all in evaluation mode."""

    PAUSES = STEADY

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._windows: weakref.WeakKeyDictionary[Any, _Window] = weakref.WeakKeyDictionary()
        self._called: list[_Window] = []
        """Of modules that have such layers: those called for gradients since they were last stepped."""

    def on_mode(self, event: Event) -> None:
        """Evaluation mode is set."""
        if event.training:
            return
        for module, window in list(self._windows.items()):
            if module is event.subject or any(part is module for part in event.subject.modules()):
                window.told, window.evaluated = event.place, False
                window.passes, window.surplus = 0, False
                window.returned = window.trained

    def on_forward(self, event: Event) -> None:
        """In which mode, and whether for gradients."""
        if not event.root:
            return
        window = self._windows.get(event.subject)
        if window is None:
            if len(self._windows) >= _MOST_MODULES:
                return
            layers = kinds_of(mode_layers(event.subject))
            window = self._windows[event.subject] = _Window(event.subject, layers)
        if not window.layers:
            return
        if event.training:
            self._call(window)
            window.training = True
            if window.returned and self.stream.sampled:
                modes = [layer.training for layer in mode_layers(event.subject)]
                window.again = event.place if all(modes) else None
        elif any(tensor.requires_grad for tensor in tensors(event.output)):
            self._call(window)
            window.calls = event.place
        else:
            window.evaluated = True

    def on_backward(self, event: Event) -> None:
        """Whose gradients come."""
        for window in self._called:
            window.gave = window.calls is not None
            if window.training:
                window.most = max(window.most, window.graphs)
            else:
                many = window.graphs > window.most
                window.surplus = many if window.passes == 0 else window.surplus and not many
                window.passes += 1
            window.graphs = 0

    def on_gradient(self, event: Event) -> None:
        """Gradients that are returned, such as those of an attack."""
        for window in self._called:
            window.graphs = 0

    def _call(self, window: _Window) -> None:
        window.graphs += 1
        if not window.training and window.calls is None:
            self._called.append(window)

    def on_step_began(self, event: Event) -> None:
        """Judges the modules that this optimizer trains."""
        called, self._called = self._called, []
        for window in called:
            module = window.module()
            if module is None:
                continue
            if not _trains(event.subject, module, window):
                self._called.append(window)  # for the step of another optimizer
                continue
            if window.training:
                self.right(window.again)
                window.trained, window.steps = True, 0
            elif window.gave:
                self.doubt(window.calls)
                self._judge(event, module, window)
            window.training, window.calls, window.gave, window.again = False, None, False, None

    def _judge(self, event: Event, module: Any, window: _Window) -> None:
        evaluated = window.evaluated or (window.trained and window.surplus)
        if not evaluated or window.kept:
            window.kept = window.kept or not window.trained
            return
        if any(layer.training for layer in mode_layers(module)):
            return
        if not window.trained and not all(parameter.requires_grad for parameter in module.parameters()):
            return  # a frozen body that stays in evaluation mode while its head learns
        held = [list(layer.parameters()) for layer in mode_layers(module)]
        if all(own and not any(parameter.requires_grad for parameter in own) for own in held):
            return  # all that has a mode is frozen
        window.steps += 1
        if window.steps < 2:
            return
        name = self.names.module(module)
        self.found(
            f"`{name}` trains in evaluation mode: nothing set `{name}.train()` after it was evaluated",
            why="dropout stays off and batch normalisation keeps frozen statistics",
            place=window.calls,
            fix=f"Call `{name}.train()` at the start of each epoch.",
            related=((window.told, "evaluation mode is set here"),),
            cause=id(module),
            severity=None if window.trained else "warning",
            layers=window.layers,
        )


def _trains(optimizer: Any, module: Any, window: _Window) -> bool:
    """Whether an optimizer has at least half of what can be trained of a module."""
    known = window.trained_by.get(id(optimizer))
    groups = len(optimizer.param_groups)
    if known is not None and known[0]() is optimizer and known[1] == groups:
        return known[2]
    held = {id(one) for group in optimizer.param_groups for one in group["params"]}
    own = [id(one) for one in module.parameters() if one.requires_grad]
    trained = bool(own) and sum(one in held for one in own) * 2 >= len(own)
    window.trained_by[id(optimizer)] = weakref.ref(optimizer), groups, trained
    return trained
