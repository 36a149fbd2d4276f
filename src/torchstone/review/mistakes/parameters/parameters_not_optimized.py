"""The model in the training loop is not the one whose parameters the optimizer holds.

## What it does
Reports a loop that goes back through one model and steps an optimizer that was made from the parameters of
another one, which takes no part in the loop.

## Why is this bad?
The model that computes the loss never changes, and the one that the optimizer holds gets no gradients. The
program runs, and nothing is learned.

## References
- [Constructing an optimizer](https://docs.pytorch.org/docs/stable/optim.html#constructing-it)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.training import called, has, inside, may_touch, optimized_models, stepped
from torchstone.review.syntax.values import Value

CODE = "TS502"
NAME = "parameters-not-optimized"
SEVERITY: Severity = "warning"
MENTIONS = ("parameters",)
INVOLVES = ("backward", "step")

BAD = (
    Example(
        """
        import torch
        from torch import nn

        small, large = 4, 64
        first = nn.Sequential(nn.Linear(4, small), nn.ReLU(), nn.Linear(small, 1))
        second = nn.Sequential(nn.Linear(4, large), nn.ReLU(), nn.Linear(large, 1))
        optimizer = torch.optim.SGD(first.parameters(), lr=0.1)
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            loss = nn.functional.mse_loss(second(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()  # TS502
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    small, large = 4, 64
    first = nn.Sequential(nn.Linear(4, small), nn.ReLU(), nn.Linear(small, 1))
    second = nn.Sequential(nn.Linear(4, large), nn.ReLU(), nn.Linear(large, 1))
    optimizer = torch.optim.SGD(second.parameters(), lr=0.1)
    for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
        loss = nn.functional.mse_loss(second(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    """,
)

_HARMLESS = {"parameters", "train", "eval", "zero_grad", "state_dict"}


def check(file: File) -> Iterator[Finding]:
    """Looks at each optimizer step in a loop."""
    if "parameters" not in file.index.calls_by_name or not file.source.complete:
        return
    for seen in events(file):
        for step in seen:
            if step.event.kind == "step" and step.loops and step.event.target is not None:
                forward = _stranger(step, step.loops[-1], seen)
                if forward is not None:
                    yield _finding(file, step, forward)


def _stranger(step: Seen, loop: Loop, seen: list[Seen]) -> Seen | None:
    """The forward of another model, when the optimizer's own takes no part in the loop."""
    optimizer = step.event.target
    assert optimizer is not None  # noqa: S101 (asked by the caller)
    models = optimized_models(optimizer)
    here = inside(loop, seen)
    if len(models) != 1 or not optimizer.sure or not has(here, "backward") or has(here, "gradient"):
        return None
    model = models[0]
    if not _is_plain(model) or any(each.event.kind == "opaque" and may_touch(each, model) for each in here):
        return None
    forwards = [each for each in here if each.event.kind == "forward" and each.event.target is not None]
    if not forwards or any(_is_related(each.event.target, model) for each in forwards):
        return None
    steps = [each.event.target for each in here if each.event.kind == "step"]
    if any(other is None or not other.may_be(optimizer) for other in steps) or _is_mentioned(
        model, loop, here
    ):
        return None
    return forwards[0]


def _is_plain(model: Value) -> bool:
    """Whether a model is made by one assignment to a name, from no other model."""
    if model.call is None or model.frame is None or len(model.keys) != 1:
        return False
    parent = model.frame.file.index.parents.get(model.call)
    if not isinstance(parent, ast.Assign) or not all(isinstance(t, ast.Name) for t in parent.targets):
        return False
    return not any(
        value is not None and value.kind in ("module", "instance", "sequence")
        for part in ast.walk(model.call)
        if isinstance(part, ast.Name)
        for value in (model.frame.value(part),)
    )


def _is_related(other: Value | None, model: Value) -> bool:
    """Whether a model may be the optimizer's, hold it or be a part of it."""
    return other is None or other.may_be(model) or not other.sure or not _is_plain(other)


def _is_mentioned(model: Value, loop: Loop, here: list[Seen]) -> bool:
    """Whether the function of the loop names the model for more than its mode or gradients."""
    assert model.call is not None and model.frame is not None  # noqa: S101, PT018 (asked before)
    if model.frame.file is not loop.frame.file or any(each.calls for each in here):
        return True
    index = loop.frame.file.index
    assignment = index.parents[model.call]
    names = {t.id for t in getattr(assignment, "targets", ()) if isinstance(t, ast.Name)}
    for use in ast.walk(loop.frame.scope.node):
        if isinstance(use, ast.Name) and use.id in names and isinstance(use.ctx, ast.Load):
            parent = index.parents[use]
            if not isinstance(parent, ast.Attribute) or parent.attr not in _HARMLESS:
                return True
    return False


def _finding(file: File, step: Seen, forward: Seen) -> Finding:
    optimizer = step.event.target
    assert optimizer is not None and optimizer.call is not None  # noqa: S101, PT018 (asked before)
    name, model = stepped(step), called(forward)
    held = ast.unparse(optimizer.call.args[0])
    related = [forward.event.frame.file.related(forward.event.node, f"`{model}` computes the loss")]
    if optimizer.frame is not None:
        related.append(optimizer.frame.file.related(optimizer.call, f"`{name}` holds `{held}`"))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        step.place(file),
        f"`{name}` steps on `{held}`, but the loss of this loop comes from `{model}`",
        why="the model that is used never changes",
        fix=Fix(f"Make `{name}` from the parameters of `{model}`."),
        related=tuple(related),
    )
