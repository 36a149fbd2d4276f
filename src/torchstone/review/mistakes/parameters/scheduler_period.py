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
import re
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.crashes import Crash
from torchstone.review.detector import Detector
from torchstone.review.gradients import rate_of
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.modes import loader_of
from torchstone.review.syntax.schedules import given, has_schedules, is_batch_loop, rounds, schedule_steps
from torchstone.review.syntax.training import has, inside, receiver
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

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

_FALLING = {"StepLR", "MultiStepLR", "ExponentialLR", "PolynomialLR", "LinearLR"}
"""Schedules that never rise again (a warm-up does not fall)."""

_NOTHING = 1e-3
"""A rate that fell to this part of the first one trains no more."""

_SOME = 5
"""So many batches an epoch tell apart what is done with each batch and what is done once an epoch."""

_MOST = 1000
"""So many schedules are followed."""

_MANY = 64
"""Of so many schedulers those are forgotten that are gone."""


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


@dataclass
class _Rate:
    """How often a scheduler was stepped, and its optimizer.

    Args:
        kind: of the scheduler.
        horizon: after so many of its steps the schedule is over; 0 where it has no end.
        first: the rate that it began with.
        made: where.
        moves: it was stepped so often.
        place: where.
        steps: of its optimizer.
        loader: the identity of the loader of the first step.
        epoch: of that loader, in which the last step was.
        epochs: of that loader that had steps.
    """

    kind: str
    horizon: int
    first: float
    made: Place | None
    moves: int = 0
    place: Place | None = None
    steps: int = 0
    loader: int = 0
    epoch: int = 0
    epochs: int = 0
    found: bool = False


class Watch(Detector):
    """Compares how often a scheduler is stepped with its horizon."""

    AFTER = ("schedule_made",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._schedulers: ByIdentity[_Rate] = ByIdentity()
        self._optimizers: ByIdentity[list[_Rate]] = ByIdentity()
        self._rates: list[tuple[weakref.ref[Any], _Rate]] = []
        """With their optimizers."""
        self._epochs: ByIdentity[int] = ByIdentity()
        self._current = (0, 0)
        self._crashed = False

    def on_schedule_made(self, event: Event) -> None:
        """Its horizon."""
        scheduler, kind = event.subject, type(event.subject).__name__
        horizon = getattr(scheduler, _HORIZONS[kind][1], 0) if kind in _HORIZONS else 0
        if not horizon and kind not in _FALLING:
            return
        if len(self._rates) >= _MANY:
            self._let_go()
        if len(self._rates) >= _MOST:
            return
        first = rate_of(event.optimizer.param_groups[0]) or 0.0
        rate = _Rate(kind, int(horizon or 0), first, event.place)
        self._rates.append((weakref.ref(event.optimizer), rate))
        self._schedulers[scheduler] = rate
        self._optimizers.setdefault(event.optimizer, []).append(rate)

    def _let_go(self) -> None:
        """Forgets what was right and is over, as in a search over many models."""
        wrong = {
            rate.made: rate
            for _, rate in self._rates
            if rate.horizon and (_repeats(rate) or _for_batches(rate))
        }
        self._rates = [
            (optimizer, rate)
            for optimizer, rate in self._rates
            if optimizer() is not None or wrong.get(rate.made) is rate
        ]

    def on_epoch_began(self, event: Event) -> None:
        """A loader begins anew."""
        self._epochs[event.subject] = self._epochs.get(event.subject, 0) + 1

    def on_batch(self, event: Event) -> None:
        """The loader that the next step's batch is from."""
        if event.subject is not None:
            self._current = (id(event.subject), self._epochs.get(event.subject, 0))

    def on_schedule(self, event: Event) -> None:
        """Counts the scheduler's steps."""
        rate = self._schedulers.get(event.subject)
        if rate is not None:
            rate.moves += 1
            rate.place = rate.place or event.place

    def on_step_ended(self, event: Event) -> None:
        """Counts the optimizer's; when the second epoch has begun, the first is judged."""
        for rate in self._optimizers.get(event.subject, ()):
            rate.steps += 1
            loader, epoch = self._current
            if not loader or rate.loader not in (0, loader) or (rate.loader and epoch == rate.epoch):
                continue
            rate.loader, rate.epoch, rate.epochs = loader, epoch, rate.epochs + 1
            if rate.epochs == 2:
                self._judge_first(rate, rate_of(event.subject.param_groups[0]) or 0.0)

    def _judge_first(self, rate: _Rate, now: float) -> None:
        if not _each_batch(rate, rate.steps - 1):
            return
        if rate.kind == "CosineAnnealingLR" and rate.moves >= 2 * rate.horizon:
            what = f"its `T_max` of {rate.horizon} is over {rate.moves // rate.horizon} times"
        elif rate.kind in _FALLING and rate.first > 0 and now <= _NOTHING * rate.first:
            what = f"the rate has fallen from {rate.first:g} to {now:.2g}"
        else:
            return
        self._tell(
            rate,
            f"`{rate.kind}` is stepped with each batch: when the first epoch ends, {what}",
            "the schedule counts epochs: the rate is wrong for nearly all of the training",
            "Step the scheduler once an epoch, or count its horizon in batches.",
        )

    def on_crash(self, event: Event) -> None:
        """A schedule that was stepped beyond its end says so itself."""
        self._crashed = True
        crash = Crash(event.subject)
        if re.search(r"Tried to step \d+ times. The specified number of total steps is", crash.text):
            self.found(
                f"`OneCycleLR` is stepped more often than it was made for: {crash.text}",
                why="its total must be the number of all batches of all epochs",
                place=crash.place,
                fix="Give `total_steps=epochs * len(loader)` and step it once a batch.",
            )

    def on_end(self, event: Event) -> None:
        """Compares the horizon with the whole training."""
        for _, rate in self._rates:
            if self._crashed or not rate.horizon:
                continue
            if _repeats(rate):
                self._tell(
                    rate,
                    f"`{rate.kind}` ends after {rate.horizon} steps, the number of epochs, but was "
                    f"stepped with each of {rate.moves} batches",
                    "the rate went up and down again many times",
                    "Step the scheduler once an epoch, or count its horizon in batches.",
                )
            elif _for_batches(rate):
                self._tell(
                    rate,
                    f"`{rate.kind}` was made for {rate.horizon} steps, as many as there were batches, but "
                    f"was stepped only {rate.moves} times, once an epoch",
                    "the rate hardly moved",
                    "Step the scheduler after each batch, or count its horizon in epochs.",
                )

    def _tell(self, rate: _Rate, message: str, why: str, fix: str) -> None:
        if rate.found:
            return
        rate.found = True
        self.found(
            message,
            why=why,
            place=rate.place,
            fix=fix,
            related=((rate.made, "the schedule is made here"),),
            scheduler=rate.kind,
            horizon=rate.horizon,
            moves=rate.moves,
            steps=rate.steps,
            epochs=rate.epochs,
        )


def _each_batch(rate: _Rate, steps: int) -> bool:
    return rate.moves >= _SOME and 0.9 * steps <= rate.moves <= steps + 1


def _repeats(rate: _Rate) -> bool:
    """Whether the horizon of a cosine is the number of epochs, and it was stepped with each batch."""
    of_epochs = rate.horizon == rate.epochs >= 3 and rate.moves >= 2 * rate.horizon
    return of_epochs and rate.kind == "CosineAnnealingLR" and _each_batch(rate, rate.steps)


def _for_batches(rate: _Rate) -> bool:
    """Whether the horizon is the number of batches, and the scheduler was stepped once an epoch."""
    each_epoch = rate.epochs >= 2 and abs(rate.moves - rate.epochs) <= 1
    return (
        each_epoch and rate.steps >= _SOME * rate.moves and abs(rate.horizon - rate.steps) <= rate.steps / 50
    )
