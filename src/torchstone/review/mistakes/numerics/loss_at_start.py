"""The first loss of an untrained model is far above that of guessing.

## What it does
Compares the loss of the first batch with what a model loses that knows nothing yet: `ln(classes)` for
cross-entropy, `ln 2` for `binary_cross_entropy_with_logits`, the variance of the targets for the mean squared
error. Reports a loss that is more than 2 above the first two, or more than ten times the third. Only outputs
that come right from a linear layer or a convolution are looked at: those that are divided by a temperature
are meant to be far apart. Weights that were loaded are not untrained. Losses that are too low are not told:
a model that was trained before and one that sees its targets look alike here.

## Why is this bad?
Such a model is sure of wrong answers. Its first steps, which are the largest, are spent on taking that back,
and gradients are large and one-sided in the meantime. The usual causes are weights of the last layer that are
too large, inputs that were not scaled, and targets far from zero where the last bias could be their mean.

## References
- [A recipe for training neural networks: verify the loss at init](https://karpathy.github.io/2019/04/25/recipe/)
- [CS231n: look for the correct loss at chance](https://cs231n.github.io/neural-networks-3/#sanitycheck)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS610"
NAME = "loss-at-start"
SEVERITY: Severity = "advice"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 256), nn.ReLU(), nn.Linear(256, 10))
        nn.init.normal_(model[2].weight)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(5):
            x, y = torch.randn(64, 8), torch.randint(10, (64,))
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)  # TS610
            loss.backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 256), nn.ReLU(), nn.Linear(256, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(5):
        x, y = torch.randn(64, 8), torch.randint(10, (64,))
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    """,
)

_ABOVE = 2.0
"""Logits with a deviation of s cost about s^2/2 more than guessing; the usual starts give s near 1."""

_TIMES = 10.0
"""A model that gives zero for standardised targets has a loss of their variance."""

_LEAST = 32
"""So many targets make a mean that says something."""

_LAST = ("Addmm", "Mm", "Bmm", "Linear", "Convolution")
_SHAPES = ("View", "UnsafeView", "Transpose", "Permute", "Squeeze", "Reshape", "ToCopy", "Slice", "Clone")


class Watch(Detector):
    """Looks at the losses of the first step."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._seen: set[Any] = set()
        self._trained = False
        self._judged = False
        """A model was called without gradients: the targets may be its."""

    def on_state_loaded(self, event: Event) -> None:
        """A model that knows something."""
        self._trained = True

    @sampled
    def on_forward(self, event: Event) -> None:
        """A model that may give targets, as in reinforcement learning and distillation."""
        if event.root and not event.recording:
            self._judged = True

    @sampled
    def on_loss(self, event: Event) -> None:
        """The first loss of each line."""
        if self.stream.step > 0 or self._trained or not event.result.requires_grad:
            return
        expected = _EXPECTED.get(event.name)
        if self._judged and event.name == "mse_loss":
            return
        if expected is None or event.place in self._seen or not _is_plain(event):
            return
        self._seen.add(event.place)
        told = expected(event)
        if told is not None:
            words, usual, fix = told
            loss = float(event.result.detach())
            self.found(
                f"The first loss is {loss:.3g}, where {words}",
                why="the model is sure of wrong answers, and its first steps are spent on taking that back",
                place=event.place,
                fix=fix,
                loss=loss,
                expected=usual,
            )


def _is_plain(event: Event) -> bool:
    """Whether a loss is the mean over many targets, for what a layer gave."""
    plain = ("weight", "pos_weight", "size_average", "reduce")
    options = event.options
    if options.get("reduction", "mean") != "mean" or any(options.get(name) is not None for name in plain):
        return False
    node = event.subject.grad_fn
    while node is not None and node.name().startswith(_SHAPES) and node.next_functions:
        node = node.next_functions[0][0]
    return node is not None and node.name().startswith(_LAST) and event.result.numel() == 1


def _of_classes(event: Event) -> tuple[str, float, str] | None:
    outputs, targets = event.subject, event.targets
    classes = outputs.shape[1] if outputs.dim() > 1 else 0
    count = targets.numel() // (classes or 1) if targets.is_floating_point() else targets.numel()
    if not targets.is_floating_point():
        count = int((targets != event.options.get("ignore_index", -100)).sum())
    if classes < 2 or count < _LEAST:
        return None
    return _above(event, math.log(classes), f"guessing among {classes} classes costs {math.log(classes):.3g}")


def _of_logits(event: Event) -> tuple[str, float, str] | None:
    if event.targets.numel() < _LEAST:
        return None
    return _above(event, math.log(2), f"guessing costs ln 2 = {math.log(2):.3g}")


def _above(event: Event, usual: float, words: str) -> tuple[str, float, str] | None:
    loss = float(event.result.detach())
    if not usual + _ABOVE < loss < math.inf:
        return None
    return words, usual, "Make the weights of the last layer smaller at first, or scale what goes into it."


def _of_numbers(event: Event) -> tuple[str, float, str] | None:
    targets, loss = event.targets.detach(), float(event.result.detach())
    if targets.shape != event.subject.shape or len(targets) < _LEAST or targets.requires_grad:
        return None
    variance = float(targets.float().var(0, unbiased=False).mean())
    if not variance > 0 or not _TIMES * variance < loss < math.inf:
        return None
    words = f"always giving the targets' mean costs their variance, {variance:.3g}"
    return words, variance, "Scale the targets, or begin with their mean as the last bias."


_EXPECTED = {
    "cross_entropy": _of_classes,
    "binary_cross_entropy_with_logits": _of_logits,
    "mse_loss": _of_numbers,
}
