"""`BCELoss` is given raw scores instead of probabilities.

## What it does
Follows the output of the model to `nn.BCELoss` or `F.binary_cross_entropy` and reports it when it comes
straight from a linear or convolutional layer, with or without a clamp.

## Why is this bad?
The loss takes logarithms of values that must lie in [0, 1]. Raw scores outside stop the run with an
error, at best; a clamp hides it and cuts the gradient of every score outside.

## References
- [BCELoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html)
"""

from __future__ import annotations

from collections.abc import Iterator

from torchstone.finding import Finding, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.outputs import misfits

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
            SEVERITY,
            call.node,
            "binary cross-entropy needs probabilities, and is given the raw scores of a layer",
            why="scores outside [0, 1] stop the run; use BCEWithLogitsLoss, or apply a sigmoid",
            related=(
                first.file.related(first.node, "the scores come from this layer, without a sigmoid"),
                *(file.related(other.node, "and reaches this loss too") for other in others),
            ),
        )
