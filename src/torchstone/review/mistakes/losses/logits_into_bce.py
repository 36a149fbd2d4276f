"""`BCELoss` is given raw scores instead of probabilities.

## What it does
Follows the output of the model to `nn.BCELoss` or `F.binary_cross_entropy` and reports it when it comes
straight from a linear or convolutional layer, with or without a clamp.

A watched run names the values outside of [0, 1] where the loss fails, and reports scores of a layer that a
clamp before the loss cuts often.

## Why is this bad?
The loss takes logarithms of values that must lie in [0, 1]. Raw scores outside stop the run with an
error, at best; a clamp hides it and cuts the gradient of every score outside.

## References
- [BCELoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Severity
from torchstone.review import graphs
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.outputs import misfits
from torchstone.review.syntax.training import is_shown_once

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS303"
NAME = "logits-into-bce"
SEVERITY: Severity = "error"
INVOLVES = ("BCELoss|binary_cross_entropy",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
        criterion = nn.BCELoss()
        output = model(torch.randn(4, 8)).clamp(0, 1)
        loss = criterion(output.squeeze(1), torch.tensor([0.0, 1.0, 1.0, 0.0]))  # TS303
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
    criterion = nn.BCELoss()
    output = model(torch.randn(4, 8))
    loss = criterion(output.squeeze(1), torch.tensor([0.0, 1.0, 1.0, 0.0]))
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at each binary cross-entropy of probabilities."""
    for call, first, others in misfits(file, "binary_cross_entropy", {"linear"}):
        yield file.finding(
            CODE,
            NAME,
            "advice" if not others and is_shown_once(file, call.node) else SEVERITY,
            call.node,
            "binary cross-entropy needs probabilities, and is given the raw scores of a layer",
            why="scores outside [0, 1] stop the run; use BCEWithLogitsLoss, or apply a sigmoid",
            related=(
                first.file.related(first.node, "the scores come from this layer, without a sigmoid"),
                *(file.related(other.node, "and reaches this loss too") for other in others),
            ),
        )


_LAYERS = ("Addmm", "Convolution")
_SQUASHING = ("Sigmoid", "Softmax")
_BY_CHANCE = 0.05
"""Of the values behind a clamp, less than this share may lie at its bounds by chance."""


class Watch(Detector):
    """Looks at values outside of [0, 1] where the loss fails, and at clamps that hide them."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._clamped: Counter[Any] = Counter()

    @sampled
    def on_loss_began(self, event: Event) -> None:
        """On an accelerator the failure comes later, and nothing can be read any more."""
        if event.name == "binary_cross_entropy" and event.subject.is_cuda:
            self._outside(event)

    def on_loss_failed(self, event: Event) -> None:
        """Values outside stop the run."""
        if event.name == "binary_cross_entropy":
            self._outside(event)

    def _outside(self, event: Event) -> None:
        if not graphs.readable(event.subject):
            return
        low, high = (float(value) for value in event.subject.detach().aminmax())
        if math.isfinite(low + high) and not 0 <= low <= high <= 1:
            self._tell(event, f"is given values from {low:.3g} to {high:.3g}", values=[low, high])

    @sampled
    def on_loss(self, event: Event) -> None:
        """A layer's scores behind a clamp that many of them run into, seen twice."""
        if event.name != "binary_cross_entropy":
            return
        share = _at_bounds(event.subject)
        if share < _BY_CHANCE:
            made = graphs.operation(graphs.origin(event.subject))
            if made in _SQUASHING:
                self.right(event.place)
            elif made:  # without a graph, as in an evaluation, nothing is said
                self.doubt(event.place)
            return
        self._clamped[event.place] += 1
        if self._clamped[event.place] >= 2:
            self._tell(event, "is given the clamped scores of a layer", at_bounds=round(share, 3))

    def _tell(self, event: Event, words: str, **evidence: Any) -> None:
        self.found(
            f"Binary cross-entropy needs probabilities, and {words}",
            why="scores outside [0, 1] stop the run, and a clamp cuts their gradients",
            place=event.place,
            fix="Use `BCEWithLogitsLoss`, or apply a sigmoid.",
            shape=list(event.subject.shape),
            **evidence,
        )


def _at_bounds(outputs: Any) -> float:
    """The share of scores of a layer that a clamp brought to its bounds; 0 for all else."""
    clamp = graphs.origin(outputs)
    if clamp is None or clamp.name() != "ClampBackward1" or not graphs.readable(outputs):
        return 0.0
    if graphs.operation(graphs.behind(clamp)) not in _LAYERS:
        return 0.0
    values, low, high = outputs.detach(), clamp._saved_min, clamp._saved_max
    held = [values <= low] if low is not None else []
    held += [values >= high] if high is not None else []
    return sum(float(each.float().mean()) for each in held)
