"""`NLLLoss` is given raw scores or probabilities instead of log-probabilities.

## What it does
Follows the output of the model to `nn.NLLLoss` or `F.nll_loss` and reports it when it comes straight from
a linear layer, a softmax or a sigmoid.

A watched run looks at the graph of what the loss is given, and whether the exponentials of a row sum to 1.
It also reports `nn.KLDivLoss` and `F.kl_div`, whose first argument are log-probabilities too, when that has
the rows of probabilities.

## Why is this bad?
The loss is only the negative of the target's value. Without log-softmax a model lowers it without end by
making every score large (or reaches -1 with probabilities), and does not learn to tell classes apart as
it should. Nothing fails.

## References
- [NLLLoss](https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html)
"""

from __future__ import annotations

import math
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

CODE = "TS304"
NAME = "nll-without-log-softmax"
SEVERITY: Severity = "error"
INVOLVES = ("NLLLoss|nll_loss",)

BAD = (
    Example(
        """
        import torch
        from torch import nn
        import torch.nn.functional as F

        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        output = model(torch.randn(4, 8))
        loss = F.nll_loss(output, torch.tensor([0, 1, 2, 0]))  # TS304
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    import torch.nn.functional as F

    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    output = F.log_softmax(model(torch.randn(4, 8)), dim=1)
    loss = F.nll_loss(output, torch.tensor([0, 1, 2, 0]))
    """,
)

_KINDS = {
    "linear": "the raw scores of a layer",
    "softmax": "the probabilities of a softmax",
    "sigmoid": "the output of a sigmoid",
}


def check(file: File) -> Iterator[Finding]:
    """Looks at each negative log-likelihood."""
    for call, first, others in misfits(file, "nll_loss", _KINDS):
        yield file.finding(
            CODE,
            NAME,
            "advice" if not others and is_shown_once(file, call.node) else SEVERITY,
            call.node,
            f"negative log-likelihood needs log-probabilities, and is given {_KINDS[first.kind]}",
            why="without log_softmax the loss falls and the model does not learn; use it, or cross-entropy",
            evidence={"operation": first.kind},
            related=(
                first.file.related(first.node, "the output comes from here"),
                *(file.related(other.node, "and reaches this loss too") for other in others),
            ),
        )


_ORIGINS = {
    "Addmm": "the raw scores of a layer",
    "Convolution": "the raw scores of a layer",
    "Softmax": "the probabilities of a softmax",
    "Sigmoid": "the output of a sigmoid",
}
_ROWS = 64
_NEARLY, _EXACTLY = 1e-2, 1e-3


class Watch(Detector):
    """Looks, in sampled steps, whether what the loss is given are logarithms of probabilities."""

    @sampled
    def on_loss(self, event: Event) -> None:
        """They come from a layer or a softmax, and their exponentials do not sum to 1."""
        if event.name == "kl_div":
            self._judge_divergence(event)
        if event.name != "nll_loss":
            return
        origin = graphs.operation(graphs.origin(event.subject))
        if not graphs.readable(event.subject):
            self.doubt(event.place)
            return
        values = event.subject.detach()
        rows = values[:_ROWS].float() if values.ndim > 1 else values.float()
        sums = rows.exp().sum(dim=1 if rows.ndim > 1 else 0)
        away = float(((sums - 1).abs() > _NEARLY).float().mean())
        low, high = (float(value) for value in sums.aminmax())
        if origin not in _ORIGINS or not math.isfinite(low + high) or away <= 1 / 2:
            if away == 0:
                self.right(event.place)
            else:
                self.doubt(event.place)
            return
        self.found(
            f"Negative log-likelihood needs log-probabilities, and is given {_ORIGINS[origin]}",
            why="without log_softmax the loss falls and the model does not learn",
            place=event.place,
            fix="Use `log_softmax` as the last operation, or cross-entropy on the raw scores.",
            operation=origin,
            shape=list(event.subject.shape),
            sums_of_exponentials=[low, high],
        )

    def _judge_divergence(self, event: Event) -> None:
        """Logarithms of probabilities are never above 0, and their rows do not sum to 1."""
        if event.subject.ndim < 2 or min(event.subject.shape) < 2 or not graphs.readable(event.subject):
            return
        values = event.subject.detach()[:_ROWS].float()
        axes = [axis for axis in {1, values.ndim - 1} if _are_shares(values, axis)]
        if not axes:
            return
        self.found(
            "The Kullback-Leibler divergence needs log-probabilities first, and is given probabilities",
            why="it takes them for logarithms: the loss is not a divergence, and can fall below 0",
            place=event.place,
            fix="Give it `log_softmax` of the scores; of the target it takes the probabilities.",
            operation=graphs.operation(graphs.origin(event.subject)),
            shape=list(event.subject.shape),
        )


def _are_shares(values: Any, axis: int) -> bool:
    """Whether values are not negative and sum to 1 over an axis."""
    return bool((values >= 0).all()) and bool(((values.sum(dim=axis) - 1).abs() < _EXACTLY).all())
