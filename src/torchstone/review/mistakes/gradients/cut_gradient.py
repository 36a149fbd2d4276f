"""The way from the parameters to the loss is cut, so nothing is learned.

## What it does
Follows a loss from its backward pass to where it comes from, and reports it when every way is cut: by
`detach()`, `.data`, `.item()`, `torch.tensor(...)`, NumPy, argmax, rounding or a comparison.

## Why is this bad?
A cut ends the graph. `backward()` stops with "does not require grad", and the usual remedy, a loss that is
made to require gradients, only hides it: no gradient reaches the parameters and the model never changes.

## References
- [Autograd mechanics](https://docs.pytorch.org/docs/stable/notes/autograd.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.gradients import Source, gradient_sources
from torchstone.review.syntax.training import loss_of

CODE = "TS107"
NAME = "cut-gradient"
SEVERITY: Severity = "error"
MENTIONS = ("backward",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in [(torch.randn(8, 4), torch.randint(0, 2, (8,)))] * 3:
            optimizer.zero_grad()
            predicted = model(x).argmax(1).float()  # TS107
            loss = nn.functional.mse_loss(predicted, y.float())
            loss.requires_grad_()
            loss.backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in [(torch.randn(8, 4), torch.randint(0, 2, (8,)))] * 3:
        optimizer.zero_grad()
        output = model(x)
        loss = nn.functional.cross_entropy(output, y)
        loss.backward()
        optimizer.step()
        print((output.argmax(1) == y).float().mean())
    """,
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x in [torch.randn(8, 4)] * 3:
        soft = model(x).sigmoid()
        hard = soft + (soft.round() - soft).detach()
        optimizer.zero_grad()
        hard.sum().backward()
        optimizer.step()
    """,
)


def check(file: File) -> Iterator[Finding]:
    """Looks at what each backward goes back through."""
    if not file.index.calls_by_name.get("backward"):
        return
    done: set[int] = set()
    for seen in events(file):
        for each in seen:
            if each.event.kind != "backward":
                continue
            cut = _cut(each)
            if cut is not None and id(cut.node) not in done:
                done.add(id(cut.node))
                yield _finding(file, cut, each)


def _cut(backward: Seen) -> Source | None:
    """Where the graph of a loss ends, when no way leads on to parameters."""
    loss = loss_of(backward)
    found = gradient_sources(backward.event.frame, loss, loss=True) if loss is not None else None
    if not found or any(source.kind not in ("cut", "data") for source in found):
        return None
    return next((source for source in found if source.kind == "cut"), None)


def _finding(file: File, cut: Source, backward: Seen) -> Finding:
    own = cut.frame.file is file
    place = cut.node if own else backward.place(file)
    text = ast.unparse(cut.node)
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    related = [backward.event.frame.file.related(backward.event.node, "the backward pass")]
    if not own:
        related.insert(0, cut.frame.file.related(cut.node, "the graph ends here"))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        place,
        f"`{shown}` cuts the graph between the parameters and the loss: no gradient reaches them",
        why="the parameters do not move",
        fix=Fix("Compute the loss from the model's output by operations that gradients pass."),
        related=tuple(related),
    )
