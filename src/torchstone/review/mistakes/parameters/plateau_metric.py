"""`ReduceLROnPlateau` gets no metric, the epoch, or a metric that it takes the wrong way round.

## What it does
Reports a step of `ReduceLROnPlateau` without a metric or with the number of the epoch, and one that gets
an accuracy in mode "min" (the default) or a loss in mode "max".

## Why is this bad?
In mode "min" a rising accuracy is no progress: the rate is cut every few epochs while the model still
learns, and training stands still. The epoch's number only ever rises, so it does the same. Without a metric
the call fails.

## References
- [ReduceLROnPlateau](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.crashes import Crash
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.places import locals_of
from torchstone.review.syntax.file import File
from torchstone.review.syntax.schedules import PLATEAU, given
from torchstone.review.syntax.training import receiver
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS510"
NAME = "plateau-metric"
SEVERITY: Severity = "error"
MENTIONS = ("step",)
INVOLVES = ("ReduceLROnPlateau",)

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.optim.lr_scheduler import ReduceLROnPlateau

        model = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scheduler = ReduceLROnPlateau(optimizer, patience=3)
        x, y = torch.randn(8, 4), torch.randint(2, (8,))
        for epoch in range(30):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            accuracy = (model(x).argmax(dim=1) == y).float().mean().item()
            scheduler.step(accuracy)  # TS510
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = ReduceLROnPlateau(optimizer, mode="max", patience=3)
    x, y = torch.randn(8, 4), torch.randint(2, (8,))
    for epoch in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        accuracy = (model(x).argmax(dim=1) == y).float().mean().item()
        scheduler.step(accuracy)
    """,
)

_HIGHER = {"acc", "accuracy", "accuracies", "acc1", "accs", "f1", "auc", "auroc", "iou", "miou", "bleu"}
_HIGHER |= {"psnr", "ssim", "map", "dice", "r2", "precision", "recall", "correct", "reward"}
_LOWER = {"loss", "losses", "err", "error", "mse", "rmse", "mae", "nll", "perplexity", "ppl", "wer", "cer"}
_SAME_WORTH = {"item", "mean", "cpu", "detach", "float", "numpy", "compute"}

_SEEN = 50
"""So many first numbers are looked at."""


def check(file: File) -> Iterator[Finding]:
    """Looks at each step of a scheduler that surely waits for a plateau."""
    if "ReduceLROnPlateau" not in file.source.text and not file.index.calls_by_name.get("step"):
        return
    for call in file.index.calls_by_name.get("step", ()):
        scheduler = file.value(call.func.value) if isinstance(call.func, ast.Attribute) else None
        if scheduler is None or scheduler.kind != "scheduler" or scheduler.name != PLATEAU:
            continue
        if scheduler.cls is not None or scheduler.call is None or _told_apart(file, call):
            continue
        yield from _wrong(file, call, scheduler)


def _told_apart(file: File, call: ast.Call) -> bool:
    """Whether the code asks which kind of scheduler it has before it steps."""
    for above in file.index.ancestors(call):
        if isinstance(above, ast.Try):
            return True
        if isinstance(above, ast.If | ast.IfExp | ast.Match):
            test = ast.unparse(above.subject if isinstance(above, ast.Match) else above.test).lower()
            if any(word in test for word in ("plateau", "isinstance", "sched", "type(")):
                return True
    return False


def _wrong(file: File, call: ast.Call, scheduler: Value) -> Iterator[Finding]:
    name = receiver(call)
    metric = given(call, 0, "metrics")
    if metric is None:
        if not call.args and not call.keywords:
            message = f"`{name}.step()` needs the metric that should not stand still"
            yield _finding(
                file, call, scheduler, message, "the call stops with a TypeError", "Pass the metric."
            )
        return
    text = ast.unparse(metric)
    if _is_epoch(file, metric):
        message = f"`{name}` gets the epoch's number `{text}` as its metric"
        yield _finding(file, call, scheduler, message, "it only ever rises", "Pass a validation loss.")
        return
    mode = _mode(scheduler)
    direction = _direction(file, metric)
    if mode is None or direction is None or mode == direction:
        return
    better = "higher" if direction == "max" else "lower"
    message = f'`{name}` is in mode "{mode}", but `{text}` is better when {better}'
    why = "progress is taken for a plateau, and the rate is cut while the model still learns"
    yield _finding(file, call, scheduler, message, why, f'Make the scheduler with `mode="{direction}"`.')


def _mode(scheduler: Value) -> str | None:
    assert scheduler.call is not None  # noqa: S101 (asked by the caller)
    if any(keyword.arg is None for keyword in scheduler.call.keywords):
        return None
    node = given(scheduler.call, 1, "mode")
    if node is None:
        starred = any(isinstance(each, ast.Starred) for each in scheduler.call.args)
        return None if starred else "min"
    return node.value if isinstance(node, ast.Constant) and node.value in ("min", "max") else None


def _is_epoch(file: File, metric: ast.expr) -> bool:
    """Whether a metric is the variable of a loop over a range."""
    if not isinstance(metric, ast.Name):
        return False
    bindings = file.reaching(file.index.scope_of(metric)).of(metric) or ()
    iterables = [binding.value for binding in bindings]
    return bool(iterables) and all(
        binding.kind == "for" and isinstance(each, ast.Call) and ast.unparse(each.func) in ("range", "trange")
        for binding, each in zip(bindings, iterables, strict=True)
    )


def _direction(file: File, metric: ast.expr, depth: int = 0) -> str | None:
    """Whether a metric is better when it is higher ("max") or lower ("min"), by its name."""
    if isinstance(metric, ast.Call):
        function = metric.func
        if isinstance(function, ast.Attribute) and function.attr in _SAME_WORTH and not metric.args:
            return _direction(file, function.value, depth)
        if isinstance(function, ast.Name) and function.id in ("float", "sum") and len(metric.args) == 1:
            return _direction(file, metric.args[0], depth)
        return None
    if isinstance(metric, ast.BinOp) and isinstance(metric.op, ast.Div):
        return _direction(file, metric.left, depth)
    if isinstance(metric, ast.Subscript) and isinstance(metric.slice, ast.Constant):
        key = metric.slice.value
        return _by_name(key) if isinstance(key, str) else _direction(file, metric.value, depth)
    if isinstance(metric, ast.Attribute):
        return _by_name(metric.attr)
    if not isinstance(metric, ast.Name) or _turned(file, metric):
        return None
    return _by_name(metric.id)


def _turned(file: File, metric: ast.Name) -> bool:
    """Whether what a name stands for may be turned round: `-accuracy`, `1 - accuracy`."""
    for binding in file.index.scope_of(metric).bindings.get(metric.id, ()):
        for part in ast.walk(binding.value) if binding.value is not None else ():
            if isinstance(part, ast.USub | ast.Sub):
                return True
    return False


def _by_name(name: str) -> str | None:
    parts = set(re.split(r"_+|(?<=[a-z])(?=[A-Z])|(?<=[a-z])(?=\d{2})", name))
    words = {part.lower() for part in parts}
    higher, lower = words & _HIGHER, words & _LOWER
    if higher and lower:
        return None
    if words & {"neg", "negative", "minus", "inv", "inverse"}:
        return None
    return "max" if higher else "min" if lower else None


def _finding(file: File, call: ast.Call, scheduler: Value, message: str, why: str, fix: str) -> Finding:
    assert scheduler.call is not None and scheduler.frame is not None  # noqa: S101, PT018 (asked before)
    made = scheduler.frame.file.related(scheduler.call, "the scheduler is made here")
    return file.finding(CODE, NAME, SEVERITY, call, message, why=why, fix=Fix(fix), related=(made,))


@dataclass
class _Plateau:
    """What a scheduler was given.

    Args:
        names: of the variables, None where it cannot be known.
        values: the numbers.
    """

    names: list[str | None]
    values: list[float]


class Watch(Detector):
    """Looks at the numbers that a ReduceLROnPlateau is given."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._plateaus: ByIdentity[_Plateau] = ByIdentity()

    def on_schedule(self, event: Event) -> None:
        """One number more."""
        scheduler, metric = event.subject, event.metric
        if type(scheduler).__name__ != "ReduceLROnPlateau" or not isinstance(metric, int | float):
            return
        seen = self._plateaus.setdefault(scheduler, _Plateau([], []))
        if len(seen.values) >= _SEEN:
            return
        seen.names.append(_named(metric, event.frame))
        seen.values.append(metric)
        mode = scheduler.mode
        wrong = _counted(seen.values) or self._wrong_way(seen, mode)
        if wrong is None or len(seen.values) < 2:
            return
        other = "max" if mode == "min" else "min"
        self.found(
            f'ReduceLROnPlateau in mode "{mode}" is given {wrong}',
            why="the rate is cut while the model gets better",
            place=event.place,
            fix=f'Give it what the mode is for, or make it with `mode="{other}"`.',
            values=list(seen.values),
            mode=mode,
        )

    def _wrong_way(self, seen: _Plateau, mode: str) -> str | None:
        name = seen.names[0]
        if name is None or any(other != name for other in seen.names):
            return None
        words = set(re.findall(r"[a-z]+\d*", name.lower()))
        higher, lower = words & _HIGHER, words & _LOWER
        # What is negative was turned round.
        if lower == higher or (higher and lower) or min(seen.values) < 0:
            return None
        if mode == "min" and higher and seen.values[-1] > seen.values[0]:
            return f"`{name}`, which is better when it is higher"
        if mode == "max" and lower and seen.values[-1] < seen.values[0]:
            return f"`{name}`, which is better when it is lower"
        return None

    def on_crash(self, event: Event) -> None:
        """Stepped without a metric."""
        crash = Crash(event.subject)
        if isinstance(event.subject, TypeError) and re.search(
            r"ReduceLROnPlateau\.step\(\) missing 1 required positional argument", crash.text
        ):
            self.found(
                "ReduceLROnPlateau is stepped without the metric that it follows",
                why="it cuts the rate when the metric stands still, so it has to be told the metric",
                place=crash.place,
                fix="Call `scheduler.step(validation_loss)`.",
            )


def _counted(values: list[float]) -> str | None:
    """What shows that it is the number of the epoch."""
    whole = all(type(value) is int for value in values)
    if len(values) >= 3 and whole and all(b - a == 1 for a, b in pairwise(values)):
        return f"the number of the epoch ({', '.join(map(str, values))} ...)"
    return None


def _named(metric: Any, frame: Any) -> str | None:
    """The one local variable that is the number."""
    if frame is None:
        return None
    names = [name for name, value in locals_of(frame).items() if value is metric]
    return names[0] if len(names) == 1 else None
