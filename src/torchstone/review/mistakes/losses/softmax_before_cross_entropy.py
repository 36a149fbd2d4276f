"""Cross-entropy is given probabilities instead of raw scores.

## What it does
Follows the output of the model to `nn.CrossEntropyLoss` or `F.cross_entropy` and reports it when its last
operation is a softmax or a sigmoid.

A watched run looks at the graph of what the loss is given, through views and copies, and at some of the
values: rows that sum to 1 over the classes.

## Why is this bad?
Cross-entropy applies `log_softmax` itself. Applied to probabilities it sees scores between 0 and 1: the
loss cannot fall near zero however right the model is, gradients are small, and training is slow or stops
early. Nothing fails.

## References
- [CrossEntropyLoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
"""

from __future__ import annotations

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

CODE = "TS301"
NAME = "softmax-before-cross-entropy"
SEVERITY: Severity = "error"
INVOLVES = ("CrossEntropyLoss|cross_entropy", "oftmax|oftmin|igmoid")

BAD = (
    Example(
        """
        import torch
        from torch import nn
        import torch.nn.functional as F

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden = nn.Linear(8, 16)
                self.output = nn.Linear(16, 3)

            def forward(self, x):
                x = F.relu(self.hidden(x))
                return F.softmax(self.output(x), dim=1)

        model = Net()
        criterion = nn.CrossEntropyLoss()
        loss = criterion(model(torch.randn(4, 8)), torch.tensor([0, 1, 2, 0]))  # TS301
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    import torch.nn.functional as F

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = nn.Linear(8, 16)
            self.output = nn.Linear(16, 3)

        def forward(self, x):
            return self.output(F.relu(self.hidden(x)))

    model = Net()
    criterion = nn.CrossEntropyLoss()
    scores = model(torch.randn(4, 8))
    loss = criterion(scores, torch.tensor([0, 1, 2, 0]))
    probabilities = F.softmax(scores, dim=1)
    """,
)

_KINDS = {"softmax": "a softmax", "sigmoid": "a sigmoid", "softmin": "a softmin"}


def check(file: File) -> Iterator[Finding]:
    """Looks at each cross-entropy."""
    for call, first, others in misfits(file, "cross_entropy", _KINDS):
        kind = _KINDS[first.kind]
        yield file.finding(
            CODE,
            NAME,
            "advice" if not others and is_shown_once(file, call.node) else SEVERITY,
            call.node,
            f"cross-entropy applies log-softmax itself, and is given the output of {kind}",
            why="on probabilities the loss cannot come near zero and its gradients are small",
            evidence={"operation": first.kind},
            related=(
                first.file.related(first.node, f"{kind} is applied here; leave it out while training"),
                *(file.related(other.node, "and reaches this loss too") for other in others),
            ),
        )


_ROWS = 64
_NEARLY = 1e-2


class Watch(Detector):
    """Looks at the graph and, in sampled steps, at the values of what cross-entropy is given."""

    @sampled
    def on_loss(self, event: Event) -> None:
        """The last operation is a softmax or a sigmoid, and the values are theirs."""
        if event.name != "cross_entropy":
            return
        kind = graphs.operation(graphs.origin(event.subject)).lower()
        if kind not in _KINDS or not _are_probabilities(event.subject, kind):
            if graphs.leaves_unit(event.subject):
                self.right(event.place)
            else:
                self.doubt(event.place)
            return
        self.found(
            f"Cross-entropy applies log-softmax itself, and is given the output of {_KINDS[kind]}",
            why="on probabilities the loss cannot come near zero and its gradients are small",
            place=event.place,
            fix=f"Leave the {kind} out while training: give the loss the raw scores.",
            operation=kind,
            shape=list(event.subject.shape),
        )


def _are_probabilities(outputs: Any, kind: str) -> bool:
    """Whether values are those of a softmax over the classes, or of a sigmoid."""
    axis = 1 if outputs.ndim > 1 else 0
    if not graphs.readable(outputs) or outputs.shape[axis] < 2:
        return False
    rows = outputs.detach()[:_ROWS] if outputs.ndim > 1 else outputs.detach()
    inside = bool((rows >= 0).all()) and bool((rows <= 1 + _NEARLY).all())
    if kind == "sigmoid" or not inside:
        return inside
    return bool(((rows.float().sum(dim=axis) - 1).abs() < _NEARLY).all())
