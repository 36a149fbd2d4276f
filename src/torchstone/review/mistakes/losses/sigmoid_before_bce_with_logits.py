"""`BCEWithLogitsLoss` is given probabilities instead of raw scores.

## What it does
Follows the output of the model to `nn.BCEWithLogitsLoss` or `F.binary_cross_entropy_with_logits` and
reports it when its last operation is a sigmoid or a softmax.

A watched run looks at the graph of what the loss is given, through views and copies, and at its values.

## Why is this bad?
The loss applies the sigmoid itself. Applied twice, predictions stay between 0.5 and 0.73: the loss has a
floor and the gradients vanish. Nothing fails.

## References
- [BCEWithLogitsLoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Severity
from torchstone.review import graphs
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.outputs import misfits
from torchstone.review.syntax.training import is_shown_once

if TYPE_CHECKING:
    from torchstone.review.stream import Event

CODE = "TS302"
NAME = "sigmoid-before-bce-with-logits"
SEVERITY: Severity = "error"
INVOLVES = ("WithLogits|with_logits", "oftmax|igmoid")

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
        criterion = nn.BCEWithLogitsLoss()
        output = model(torch.randn(4, 8)).squeeze(1)
        loss = criterion(output, torch.tensor([0.0, 1.0, 1.0, 0.0]))  # TS302
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    criterion = nn.BCEWithLogitsLoss()
    output = model(torch.randn(4, 8)).squeeze(1)
    loss = criterion(output, torch.tensor([0.0, 1.0, 1.0, 0.0]))
    probabilities = torch.sigmoid(output)
    """,
)

_KINDS = {"sigmoid": "a sigmoid", "softmax": "a softmax"}


def check(file: File) -> Iterator[Finding]:
    """Looks at each binary cross-entropy with logits."""
    for call, first, others in misfits(file, "binary_cross_entropy_with_logits", _KINDS):
        kind = _KINDS[first.kind]
        yield file.finding(
            CODE,
            NAME,
            "advice" if not others and is_shown_once(file, call.node) else SEVERITY,
            call.node,
            f"the loss applies the sigmoid itself, and is given the output of {kind}",
            why="after two sigmoids predictions stay between 0.5 and 0.73 and gradients vanish",
            evidence={"operation": first.kind},
            related=(
                first.file.related(first.node, f"{kind} is applied here; leave it out while training"),
                *(file.related(other.node, "and reaches this loss too") for other in others),
            ),
        )


class Watch(Detector):
    """Looks at the graph and, in sampled steps, at the values of what the loss is given."""

    @sampled
    def on_loss(self, event: Event) -> None:
        """The last operation is a sigmoid or a softmax, and the values are within 0 and 1."""
        if event.name != "binary_cross_entropy_with_logits":
            return
        kind = graphs.operation(graphs.origin(event.subject)).lower()
        if graphs.leaves_unit(event.subject):
            self.right(event.place)
            return
        if kind not in _KINDS or not graphs.readable(event.subject):
            self.doubt(event.place)
            return
        low, high = (float(value) for value in event.subject.detach().aminmax())
        if not 0 <= low <= high <= 1:
            return
        self.found(
            f"The loss applies the sigmoid itself, and is given the output of {_KINDS[kind]}",
            why="after two sigmoids predictions stay between 0.5 and 0.73 and gradients vanish",
            place=event.place,
            fix=f"Leave the {kind} out while training: give the loss the raw scores.",
            operation=kind,
            shape=list(event.subject.shape),
            values=[low, high],
        )
