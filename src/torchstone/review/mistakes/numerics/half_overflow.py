"""Numbers of a training in float16 are too large, or too small, for float16.

## What it does
Looks at models that compute in float16, in steps here and there, and reports three things: a layer that gives
infinities for finite inputs, as its results are beyond 65504; a `GradScaler` that has lowered its scale below
1, as gradients are beyond 65504 even so; and gradients of which, without a scaler, most are the very smallest
numbers that float16 has, so that many others have become zero. Infinities that masks put in are left alone:
only layers with weights are looked at.

## Why is this bad?
float16 ends at 65504 and has nothing between 0 and 6e-8. What is beyond is infinite, and NaN one operation
later: a scaler then skips the step, each time. What is below is zero: in the paper that describes the format
for training, a network that trains well lost two thirds of its gradients so, and did not train without
a scaled loss.

## References
- [Mixed precision training, loss scaling](https://arxiv.org/abs/1710.03740)
- [Automatic mixed precision](https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity, is_tensor

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS606"
NAME = "half-overflow"
SEVERITY: Severity = "warning"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        class Energy(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(4, 64)
                self.second = nn.Linear(64, 2)
                nn.init.uniform_(self.second.weight)

            def forward(self, x):
                return self.second(2e4 * self.first(x).relu())  # TS606

        torch.manual_seed(0)
        model = Energy()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        scaler = torch.amp.GradScaler("cpu")
        for _ in range(20):
            x, y = torch.randn(32, 4), torch.randint(2, (32,))
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.float16):
                loss = nn.functional.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        """
    ),
    Example(
        """
        import torch
        from torch import nn

        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 1024)).half()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(20):
            x = 0.1 * torch.randn(64, 64).half()
            optimizer.zero_grad()
            outputs = model(x)
            (0.02 * (outputs - 0.01).square().mean()).backward()  # TS606
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(20):
        x = 0.1 * torch.randn(64, 64)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            outputs = model(x)
        loss = (outputs.float() - 0.01).square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    """,
)

_LARGEST = 65504
_QUANTUM = 2.0**-24
"""The distance of the smallest numbers of float16."""

_SMALLEST = 4 * _QUANTUM
"""Numbers up to here have two bits or fewer left."""

_SHARE = 0.5
"""Micikevicius and others (2018) show gradients of which two thirds are lost; there most of what is left is
so small as well. Where half of it is, much is lost."""

_LOOKS = 10
"""So many first backward passes are looked at: later ones may be small because the loss is met."""

_TIMES = 3
_WEIGHTS = 16
_LEAST = 100
"""So many gradients other than zero say something."""


class Watch(Detector):
    """Looks at outputs of layers, at the scale, and at gradients."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._half = False
        """Something was computed in float16."""
        self._scaled = False
        self._highest = 0.0
        """The highest scale."""
        self._overflows: ByIdentity[int] = ByIdentity()
        """By module, the batch for which it first gave infinities; steps that a scaler skips do not count."""
        self._told = False
        self._looks: ByIdentity[list[bool]] = ByIdentity()

    @sampled
    def on_forward(self, event: Event) -> None:
        """A layer whose results have no place in float16."""
        module, output = event.subject, event.output
        if not event.recording or "weight" not in module._parameters or not _is_half(output):
            return
        self._half = True
        if self._told or not bool(output.isinf().any()) or not _is_finite(module, event):
            return
        batch = self.gradients.backward
        if self._overflows.setdefault(module, batch) == batch:
            return
        name = self.names.module(module)
        self._told = True
        count = int(output.isinf().sum())
        self.found(
            f"`{name}` ({type(module).__name__}) gives {count} infinite values for finite inputs: they are "
            f"beyond {_LARGEST}, the largest number of float16",
            why="an infinity becomes NaN one operation later, and a scaler skips such steps",
            place=event.place,
            fix="Scale what goes into it, normalise before it, or compute it in float32 or bfloat16.",
            cause="forward",
            infinite=count,
            values=output.numel(),
            module=name,
        )

    @sampled
    def on_scaler(self, event: Event) -> None:
        """A scale that fell and fell."""
        if event.action != "update" or not event.subject.is_enabled():
            return
        scale = float(event.subject.get_scale())
        self._highest = max(self._highest, scale)
        if not scale < 1.0 < self._highest or self._told:
            return
        self._told = True
        self.found(
            f"The scaler has lowered its scale from {self._highest:g} to {scale:g}: gradients are not finite "
            "in float16 at any scale",
            why="each step with such gradients is skipped: nothing is learned",
            place=event.place,
            fix="Look for what overflows in the forward pass, or use bfloat16, which needs no scaler.",
            cause="scale",
            scale=scale,
            highest=self._highest,
        )

    def on_scaled(self, event: Event) -> None:
        """The loss is scaled, as it should be."""
        self._scaled = True

    @sampled
    def on_backward_ended(self, event: Event) -> None:
        """Gradients that are hardly there."""
        if self._scaled or not self._half or self._told:
            return
        for optimizer, account in self.gradients.each():
            looks = self._looks.setdefault(optimizer, [])
            if account.gave != self.gradients.now or len(looks) >= _LOOKS:
                continue
            count, tiny = _count(optimizer)
            looks.append(count >= _LEAST and tiny >= _SHARE * count)
            if len(looks) >= _TIMES and all(looks[-_TIMES:]):
                self._told = True
                self._tell(event, count, tiny)
                return

    def _tell(self, event: Event, count: int, tiny: int) -> None:
        self.found(
            f"{tiny / count:.0%} of the gradients that are not zero are below {_SMALLEST:.1g}, the end of "
            "float16: what was smaller has become zero",
            why="what is smaller than 6e-8 is zero in float16, and such weights are not trained",
            place=event.place,
            fix="Scale the loss with `torch.amp.GradScaler`, or use bfloat16.",
            cause="gradients",
            tiny=tiny,
            nonzero=count,
        )


def _is_half(output: Any) -> bool:
    return is_tensor(output) and str(output.dtype) == "torch.float16"


def _is_finite(module: Any, event: Event) -> bool:
    """Whether what a layer computes with is finite."""
    held = [one for one in (*event.args, *event.kwargs.values()) if is_tensor(one)]
    held += [one for one in module._parameters.values() if one is not None]
    return all(bool(one.isfinite().all()) for one in held)


def _count(optimizer: Any) -> tuple[int, int]:
    """How many gradients of some weights are not zero, and how many are at the end of float16."""
    held = [one for group in optimizer.param_groups for one in group["params"]]
    weights = [one for one in held if one.grad is not None and one.dim() > 1 and not one.grad.is_sparse]
    count = tiny = 0
    for weight in weights[:: max(1, len(weights) // _WEIGHTS)]:
        sizes = weight.grad.detach().abs().float()
        small = sizes[(sizes > 0) & (sizes <= _SMALLEST)] / _QUANTUM
        if not bool((small == small.round()).all()):
            return 0, 0  # finer than float16: they were never rounded to it
        count += int((sizes > 0).sum())
        tiny += small.numel()
    return count, tiny
