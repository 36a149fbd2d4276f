"""A schedule counts epochs but is stepped for each batch, or counts batches but is stepped for each epoch.

## What it does
Compares what a scheduler was made to count (`T_max=epochs`, `total_steps=epochs * len(loader)`, a step size
of 30 epochs) with the loop that steps it.

## Why is this bad?
A schedule of 30 epochs that is stepped for each batch is over within the first epoch: the rate is near zero
(or back up, for a cosine) long before training ends. One of thousands of batches that is stepped for each
epoch hardly moves.

## References
- [How to adjust learning rate](https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate)
- [OneCycleLR](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.modes import loader_of
from torchstone.review.syntax.schedules import given, has_schedules, is_batch_loop, rounds, schedule_steps
from torchstone.review.syntax.training import has, inside, receiver
from torchstone.review.syntax.values import Value

CODE = "TS509"
NAME = "scheduler-period"
SEVERITY: Severity = "error"
MENTIONS = ("step", "chedul")

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        epochs = 30
        loader = DataLoader(TensorDataset(torch.randn(64, 4), torch.randn(64, 1)), batch_size=8)
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
        for epoch in range(epochs):
            for x, y in loader:
                optimizer.zero_grad()
                nn.functional.mse_loss(model(x), y).backward()
                optimizer.step()
                scheduler.step()  # TS509
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    epochs = 30
    loader = DataLoader(TensorDataset(torch.randn(64, 4), torch.randn(64, 1)), batch_size=8)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    for epoch in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        scheduler.step()
    """,
)

_TORCH = "torch.optim.lr_scheduler."
_HORIZONS = {
    "CosineAnnealingLR": (1, "T_max"),
    "OneCycleLR": (2, "total_steps"),
    "PolynomialLR": (1, "total_iters"),
    "LinearLR": (3, "total_iters"),
}
_SHORT = 100
"""A step size or horizon that, counted in batches, is over before training has begun."""


def check(file: File) -> Iterator[Finding]:
    """Looks at each step of a scheduler in a loop of epochs."""
    if not has_schedules(file):
        return
    for seen, position in schedule_steps(file):
        step = seen[position]
        scheduler = step.event.target
        if scheduler is None or scheduler.cls is not None or not scheduler.sure or scheduler.call is None:
            continue
        if scheduler.frame is None or not _is_plain(step):
            continue
        found = _too_often(step, scheduler) or _too_seldom(step, scheduler, seen)
        if found is not None:
            yield _finding(file, step, scheduler, *found)


def _is_plain(step: Seen) -> bool:
    """Whether the scheduler steps in each round of its innermost loop, and is not told where it is."""
    if not step.loops or getattr(step.event.node, "args", None):
        return False
    around = set(step.loops[-1].frame.file.index.ancestors(step.loops[-1].node))
    return all(branch.node in around for branch, _ in step.branches)


# Stepped for each batch


def _too_often(step: Seen, scheduler: Value) -> tuple[str, str] | None:
    if len(step.loops) < 2 or not is_batch_loop(step.loops[-1]):
        return None
    epochs = rounds(step.loops[-2])
    if epochs is None or is_batch_loop(step.loops[-2]):
        return None
    counted = _epochs_counted(scheduler, step.loops[-2], epochs)
    if counted is None or _one_batch(step.loops[-1]):
        return None
    return (
        f"is made for epochs ({counted}) but steps for each batch",
        "its end is reached after few batches",
    )


def _one_batch(loop: Loop) -> bool:
    """Whether a loader gives all data as one batch, so that batches are epochs."""
    assert isinstance(loop.node, ast.For | ast.AsyncFor)  # noqa: S101 (asked before)
    loader = loader_of(loop.frame, loop.node.iter)
    size = given(loader.call, 1, "batch_size") if loader is not None and loader.call is not None else None
    return size is not None and "len(" in ast.unparse(size)


def _epochs_counted(scheduler: Value, loop: Loop, epochs: ast.expr) -> str | None:
    """The argument by which a schedule surely counts epochs."""
    call, frame = scheduler.call, scheduler.frame
    assert call is not None and frame is not None  # noqa: S101, PT018 (asked before)
    kind = (scheduler.name or "").removeprefix(_TORCH)
    horizon = given(call, *_HORIZONS[kind]) if kind in _HORIZONS else None
    if horizon is not None and _same(frame, horizon, loop.frame, epochs):
        return f"{_HORIZONS[kind][1]}={ast.unparse(horizon)}"
    decay = _number(frame, given(call, 1 if kind == "ExponentialLR" else 2, "gamma"))
    if kind == "StepLR":
        size = _number(frame, given(call, 1, "step_size"))
        default = given(call, 2, "gamma") is None
        if size is not None and size <= _SHORT and (default or (decay is not None and decay <= 0.5)):
            return f"step_size={size:g}"
    if kind == "MultiStepLR":
        milestones, rounds_of = given(call, 1, "milestones"), _number(loop.frame, epochs)
        numbers = [_number(frame, each) for each in getattr(milestones, "elts", ())]
        if numbers and rounds_of and all(n is not None and n < min(rounds_of, 1000) for n in numbers):
            return f"milestones={ast.unparse(milestones)}" if milestones is not None else None
    return None


def _same(frame: Frame, one: ast.expr, other_frame: Frame, other: ast.expr) -> bool:
    """Whether two expressions surely are one number: the same name or attribute, or equal constants."""
    if isinstance(one, ast.Constant) or isinstance(other, ast.Constant):
        first, second = _number(frame, one), _number(other_frame, other)
        return first is not None and first == second and first <= _SHORT
    if not isinstance(one, ast.Name | ast.Attribute) or ast.unparse(one) != ast.unparse(other):
        return False
    return "epoch" in ast.unparse(one).lower()


def _number(frame: Frame, node: ast.expr | None) -> float | None:
    value = frame.value(node) if node is not None else None
    constant = value.constant if value is not None and value.kind == "constant" else None
    return float(constant) if isinstance(constant, int | float) else None


# Stepped for each epoch


def _too_seldom(step: Seen, scheduler: Value, seen: list[Seen]) -> tuple[str, str] | None:
    loop = step.loops[-1]
    if is_batch_loop(loop) or rounds(loop) is None or len(step.loops) != 1:
        return None
    if not _has_batches(loop, inside(loop, seen)):
        return None
    counted = _batches_counted(scheduler)
    others = [each for each in seen if each.event.kind == "scheduler" and each is not step]
    if counted is None or any(scheduler.may_be(each.event.target) for each in others):
        return None
    return (f"is made for batches ({counted}) but steps once in an epoch", "the rate hardly leaves its start")


def _has_batches(loop: Loop, here: list[Seen]) -> bool:
    """Whether the optimizer steps in a loop over batches within the loop."""
    steps = [each for each in here if each.event.kind == "step"]
    return has(here, "step") and any(
        is_batch_loop(inner) for each in steps for inner in each.loops if inner is not loop
    )


def _batches_counted(scheduler: Value) -> str | None:
    """The argument by which a schedule surely counts batches of all epochs."""
    call, frame = scheduler.call, scheduler.frame
    assert call is not None and frame is not None  # noqa: S101, PT018 (asked before)
    kind = (scheduler.name or "").removeprefix(_TORCH)
    if kind == "OneCycleLR":
        per_epoch = given(call, 4, "steps_per_epoch")
        if per_epoch is not None and _counts_batches(frame, per_epoch):
            return f"steps_per_epoch={ast.unparse(per_epoch)}"
    if kind in _HORIZONS:
        horizon, name = given(call, *_HORIZONS[kind]), _HORIZONS[kind][1]
    elif (scheduler.name or "").startswith("transformers.get_"):
        horizon, name = given(call, 2, "num_training_steps"), "num_training_steps"
    else:
        return None
    if horizon is None or not _counts_batches(frame, horizon):
        return None
    return f"{name}={ast.unparse(horizon)}"


def _counts_batches(frame: Frame, node: ast.expr, depth: int = 0) -> bool:
    """Whether a number has the length of a loader in it: `len(loader) * epochs`."""
    if isinstance(node, ast.Name) and depth < 3:
        bindings = frame.file.reaching(frame.scope).of(node) or ()
        values = [b.value for b in bindings if b.kind == "assign" and not b.path and b.value is not None]
        return len(values) == len(bindings) == 1 and _counts_batches(frame, values[0], depth + 1)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _counts_batches(frame, node.left, depth) or _counts_batches(frame, node.right, depth)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "len" and len(node.args) == 1:
        value = frame.value(node.args[0])
        return value is not None and value.kind == "loader"
    return False


def _finding(file: File, step: Seen, scheduler: Value, message: str, why: str) -> Finding:
    assert scheduler.call is not None and scheduler.frame is not None  # noqa: S101, PT018 (asked before)
    name = receiver(step.event.node)
    often = "each batch" in message
    where = "after the loop over batches" if often else "in the loop over batches"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        step.place(file),
        f"`{name}` {message}",
        why=why,
        fix=Fix(f"Call `{name}.step()` {where}, or let the schedule count what it is stepped for."),
        related=(scheduler.frame.file.related(scheduler.call, "the schedule is made here"),),
    )
