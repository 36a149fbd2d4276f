"""A NaN or an infinity appears in the loss or in the gradients, and is trained on.

## What it does
Looks at the loss of each backward pass, and in sampled steps at the gradients. At the first value that is
not finite the batch is given to the model once more, with the same random state, every operation is looked
at, and the one that made it is named: its module, its line, the ranges of its inputs, the samples of the
batch. In between, a run pays for one look at one number. Infinities that mask something, and gradients that
overflow under a `GradScaler`, which skips such steps, are left alone.

## Why is this bad?
The optimizer's step writes the NaN into every parameter that the gradient reaches. From then on everything is
NaN, and nothing shows where it began.

## References
- [torch.autograd.detect_anomaly](https://docs.pytorch.org/docs/stable/autograd.html#anomaly-detection)
"""

from __future__ import annotations

import importlib
import math
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.assignments import call_before
from torchstone.review.calls import Call
from torchstone.review.crashes import tensors
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.objects import is_number, is_tensor

if TYPE_CHECKING:
    from torchstone.review.events.tracing import Operation
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS601"
NAME = "nan-origin"
SEVERITY: Severity = "error"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        class Attention(nn.Module):
            def __init__(self):
                super().__init__()
                self.score = nn.Linear(4, 1)
                nn.init.ones_(self.score.weight)

            def forward(self, x):
                weights = torch.exp(self.score(x))  # TS601
                return (weights * x).sum(1) / weights.sum(1)

        model = nn.Sequential(Attention(), nn.Linear(4, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for size in (1, 1, 1e5):
            loss = model(torch.ones(8, 5, 4) * size).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    allowed = torch.ones(8, 6).tril().bool()
    for _ in range(3):
        scores = model(torch.randn(8, 4)).masked_fill(~allowed, float("-inf"))
        loss = -scores.softmax(1)[:, 0].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    """,
)

_CALLS = 8
"""So many calls of modules are kept in mind, weakly."""

_REPLAYS = 8
"""So often a batch is given once more, where nothing is found."""

_NEAR, _FAR = 64, 4096
"""So many operations are looked at from the loss, where the modules were looked at and where not."""

_DRAWS = "it draws random numbers from a generator of its own"

_FEW = 3
"""So many samples are named in the message; more are in the evidence."""

_UNDRAWN = 5
"""After so many steps without a random number, the random state is kept in sampled steps only."""

_FIXES = {
    "log": "Keep its input above 0: `x.clamp_min(1e-8).log()`, or a function that takes logits.",
    "log10": "Keep its input above 0: `x.clamp_min(1e-8)`.",
    "log2": "Keep its input above 0: `x.clamp_min(1e-8)`.",
    "div": "Add a small number to the divisor.",
    "exp": "Subtract the maximum first, or use `softmax` or `logsumexp`.",
    "sqrt": "Add a small number below the root; its gradient at 0 is infinite.",
    "rsqrt": "Add a small number to its input.",
    "pow": "Keep its base above 0.",
    "norm": "Add a small number below the root; the gradient of a norm is not defined at 0.",
    "std": "Add a small number to the variance; the gradient of a deviation of 0 is infinite.",
    "softmax": "Leave at least one entry unmasked: a row of nothing but -inf has no softmax.",
    "acos": "Keep its input inside of -1 and 1.",
    "asin": "Keep its input inside of -1 and 1.",
}
_ALIKE = {"truediv": "div", "linalg_vector_norm": "norm", "linalgVectorNorm": "norm", "_softmax": "softmax"}


class Watch(Detector):
    """Looks at losses and gradients, and has the batch replayed when one is bad."""

    PAUSES = frozenset({"backward_ended", "step_began", "step_ended"})
    """Of these it asks to be told when a loss was bad."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._calls: deque[Call] = deque(maxlen=_CALLS)
        self._at = 0
        """The step that these belong to."""
        self._pending: dict[str, Any] | None = None
        self._left = _REPLAYS
        self._loss_was_bad = False
        self._draws = True
        """Whether modules draw random numbers, such as those of dropout."""

    @cached_property
    def _replaying(self) -> Any:
        return _replaying()

    def on_gradient(self, event: Event) -> None:
        """Gradients that are returned are of no backward pass."""
        for call in self._calls:
            call.let_go()

    def on_forward_began(self, event: Event) -> None:
        """What a module is given, and the random state."""
        if not self._left or not event.recording or self._replaying.is_transformed():
            return
        if self._at != self.stream.step:
            self._at = self.stream.step
            self._calls.clear()
        state = self._replaying.random_state() if self._draws or self.stream.sampled else None
        self._calls.append(Call(event, state))
        if self.stream.sampled:
            self._calls[-1].place = event.place

    @sampled
    def on_forward(self, event: Event) -> None:
        """In sampled steps, the gradient that will come to its output is kept until the pass ends."""
        if not self._left or not event.root or not event.recording or not self._calls:
            return
        call = self._calls[-1]
        if call.module() is not event.subject:
            return
        drew = not self._replaying.is_random_state(call.state)
        self._draws = drew or (self._draws and self.stream.step < _UNDRAWN)
        for position, tensor in enumerate(tensors(event.output)):
            if tensor.grad_fn is not None:
                tensor.grad_fn.register_prehook(_keeping(call.gradients, position, tensor.output_nr))

    def on_backward(self, event: Event) -> None:
        """Looks at the loss."""
        loss = event.subject
        if not self._left or not is_number(loss):
            return
        self._pending = None
        self._loss_was_bad = False
        if self.stream.sampled or loss.is_cpu:
            if not math.isfinite(loss.item()):
                self._loss_was_bad = True
                self.stream.attend(self)
                self._trace_forward(event)
            elif self.stream.sampled:
                for call in self._calls:
                    call.hold()

    def on_backward_ended(self, event: Event) -> None:
        """Looks at the gradients, in sampled steps."""
        if not self._left:
            return
        if self._loss_was_bad:
            overflowed = not bool(event.subject.detach().isnan().any())
            if overflowed and not self._gradients_are_bad():
                self._pending = None  # the loss alone, such as one that was scaled
        elif self.stream.sampled and self._gradients_are_bad():
            self._trace_backward(event)
        if self.stream.sampled or self._loss_was_bad:
            for call in self._calls:
                call.let_go()

    def _gradients_are_bad(self) -> bool:
        held = [parameter for call in self._calls for parameter in _parameters(call.module())]
        gradients = {id(one): one.grad for one in held if one.grad is not None}
        return bool(gradients) and bool(_tracing().any_bad(list(gradients.values())))

    def on_step_began(self, event: Event) -> None:
        """Bad gradients are used; a scaler would have left the step out."""
        self._tell()

    def on_step_ended(self, event: Event) -> None:
        """The same for a step that has a closure."""
        self._tell()

    # How it came

    def _trace_forward(self, event: Event) -> None:
        self._left -= 1
        replaying, unseen = self._replaying, None
        for call in list(self._calls):
            call.hold()
            if not call.can_be_made():
                continue
            reach = replaying.undoing(call)
            if not reach.clean:
                unseen = unseen or reach.reason
                continue
            with replaying.put_back(reach):
                tracer, output = replaying.replay(call.module(), *call.held, call.state)
                bad = next((one for one in tensors(output) if _tracing().is_bad(one)), None)
                origin = None if bad is None else tracer.origin(bad)
            if reach.draws:
                origin, unseen = _without_numbers(origin), unseen or _DRAWS
            if origin is not None and getattr(origin.holder, "grad_fn", None) is not None:
                break  # a loss that is a module was given what is bad already: computed outside of any
            if origin is not None:
                self._pending = self._forward_finding(origin, call, event.place)
                return
        self._pending = self._tail_finding(event, unseen)

    def _trace_backward(self, event: Event) -> None:
        self._left -= 1
        replaying, unseen = self._replaying, None
        for call in list(self._calls):
            if not call.gradients or not call.can_be_made():
                continue
            reach = replaying.undoing(call)
            if not reach.clean:
                unseen = unseen or reach.reason
                continue
            with replaying.put_back(reach):
                tracer, output = replaying.replay(call.module(), *call.held, call.state)
                origin, came_bad = _tracing().trace_back(tracer, output, call.gradients)
            if reach.draws:
                origin, unseen = _without_numbers(origin), unseen or _DRAWS
            if origin is not None:
                self._pending = self._backward_finding(origin, call, event.place)
                return
            if came_bad:
                self._pending = self._came_bad(call, event.place)
                return
        if unseen is not None:
            self._pending = {
                "message": f"The loss is finite and gradients are not, since step {self.stream.step}; where "
                f"that began cannot be looked at by calling the model once more, as {unseen}",
                "fix": None,
                "place": event.place,
                "direction": "backward",
            }

    # What is said

    def _forward_finding(
        self, origin: Operation, call: Call, backward: Place | None
    ) -> dict[str, Any] | None:
        if origin.holder is not None:
            return self._held_finding(origin, call, backward)
        name = _ALIKE.get(origin.name, origin.name)
        what = "NaN" if origin.nan else "infinity"
        half = origin.dtype == "float16" and not origin.nan
        where = self._within(origin.module)
        return {
            "message": f"The first {what} is made by `{name}`{where}{_of_forward(name, origin.inputs)}"
            f"{_at(origin.rows)}",
            "fix": "Use bfloat16, whose range is that of float32, or keep this operation in float32."
            if half
            else _FIXES.get(name),
            "place": origin.place or call.place,
            "related": ((backward, "here the loss is not finite"),),
            **self._evidence(origin, name, "forward"),
        }

    def _held_finding(self, origin: Operation, call: Call, backward: Place | None) -> dict[str, Any] | None:
        held = origin.holder
        parameter = self.names.parameter(held)
        if parameter is not None:
            message = f"`{parameter}` has values that are not finite before the batch comes to it"
            fix = "Look at the step before: its gradients or its learning rate; or at how it is initialised."
        else:
            if any(finding.code == "TS416" for finding in self.watcher.findings):
                return None  # the loader's batches were told
            columns, whole = _columns(held, origin.rows)
            message = f"The batch itself has values that are not finite{columns}"
            if whole:
                message += " of all its samples"
                fix = "Look at how it is made: a column that has one value only has a deviation of 0."
            else:
                message += _at(origin.rows)
                fix = "Look for missing values in the data, and fill them in or leave the samples out."
        return {
            "message": message,
            "fix": fix,
            "place": call.place or backward,
            "related": ((backward, "here the loss is not finite"),),
            **self._evidence(origin, "", "forward"),
        }

    def _backward_finding(self, origin: Operation, call: Call, backward: Place | None) -> dict[str, Any]:
        name = _ALIKE.get(origin.name, origin.name)
        return {
            "message": f"The loss is finite; going back, the first gradient that is not is made by `{name}`"
            f"{self._within(origin.module)}{_of(origin.inputs)}",
            "fix": _FIXES.get(name),
            "place": origin.place or call.place,
            "related": ((backward, "this backward pass meets it"),),
            **self._evidence(origin, name, "backward"),
        }

    def _came_bad(self, call: Call, backward: Place | None) -> dict[str, Any]:
        module = call.module()
        name = "the model" if module is None else f"`{self.names.module(module)}`"
        return {
            "message": f"The gradient that comes to the output of {name} is not finite, though the loss "
            "is: it is made between the two, in the computation of the loss",
            "fix": "Look for roots, logarithms and divisions there whose input is 0.",
            "place": backward,
            "related": ((call.place, "the output comes from here"),),
            "direction": "backward",
        }

    def _tail_finding(self, event: Event, unseen: str | None) -> dict[str, Any] | None:
        """The outputs of all modules are finite, or not looked at for a reason: what the graph tells."""
        name, ranges = _tail(event.subject, _NEAR if unseen is None else _FAR)
        if name is None and not self._calls:
            return None
        frame, place = event.frame, event.place
        line = (
            call_before(frame, place.line, name) if name and frame is not None and place is not None else None
        )
        known = all(call.can_be_made() for call in self._calls)
        if name and unseen is not None:
            message = f"The loss is not finite: that is made by `{name}`{_of(ranges)}"
        elif unseen is not None:
            message = (
                f"The loss is not finite since step {self.stream.step}; where that began cannot be looked "
                f"at by calling the model once more, as {unseen}"
            )
        elif name:
            message = f"The outputs are finite and the loss is not: it is made by `{name}`{_of(ranges)}"
        elif known:
            message = "The outputs are finite and the loss is not: it is made in the computation of the loss"
        else:
            message = "The loss is not finite; where that began is not known, as the batch is gone"
        return {
            "message": message,
            "fix": _FIXES.get(name or ""),
            "place": line or place,
            "related": ((place, "here the loss is not finite"),) if line else (),
            "direction": "forward",
            "operation": name,
            "inputs": ranges,
        }

    def _within(self, module: Any) -> str:
        return "" if module is None else f" in `{self.names.module(module)}` ({type(module).__name__})"

    def _evidence(self, origin: Operation, name: str, direction: str) -> dict[str, Any]:
        return {
            "direction": direction,
            "operation": name,
            "module": None if origin.module is None else self.names.module(origin.module),
            "inputs": origin.inputs,
            "samples": origin.rows,
        }

    def _tell(self) -> None:
        pending, self._pending = self._pending, None
        if pending is None:
            return
        self._left = 0
        self._calls.clear()
        self.found(why="the step writes it into the parameters, and all is lost", cause="first", **pending)


def _replaying() -> Any:
    # Imported by name, as reading source must work where there is no torch.
    return importlib.import_module("torchstone.review.events.replaying")


def _tracing() -> Any:
    return importlib.import_module("torchstone.review.events.tracing")


def _without_numbers(origin: Operation | None) -> Operation | None:
    """What holds for other random numbers as well."""
    if origin is not None:
        origin.inputs, origin.rows = [], []
    return origin


def _parameters(module: Any) -> list[Any]:
    return [] if module is None else list(module.parameters())


def _keeping(kept: list[tuple[int, Any]], position: int, output: int) -> Any:
    """A hook that keeps the gradient of one output of an operation."""

    def keep(gradients: Any) -> None:
        if output < len(gradients) and gradients[output] is not None:
            kept[:] = [each for each in kept if each[0] != position]
            kept.append((position, gradients[output].detach()))

    return keep


def _of(ranges: list[dict[str, Any]]) -> str:
    """The range of the first input, in words."""
    if not ranges or "least" not in ranges[0]:
        return ""
    first = ranges[0]
    return f", whose input is from {first['least']:.4g} to {first['greatest']:.4g}"


def _of_forward(name: str, ranges: list[dict[str, Any]]) -> str:
    """The range of the input that matters: of a division the divisor, where it can be 0."""
    divisor = ranges[1] if name == "div" and len(ranges) == 2 else {}
    if not divisor.get("least", 1.0) <= 0 <= divisor.get("greatest", 0.0):
        return _of(ranges)
    return f", whose divisor is from {divisor['least']:.4g} to {divisor['greatest']:.4g}"


def _at(rows: list[int]) -> str:
    """The samples of the batch, where they are few."""
    if not 1 <= len(rows) <= _FEW:
        return ""
    return f", at sample{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows))} of the batch"


def _columns(batch: Any, rows: list[int]) -> tuple[str, bool]:
    """The columns of a table that have bad values, where they are few, and whether they have no others."""
    if batch.dim() != 2 or not rows:
        return "", False
    bad = ~batch.detach().isfinite()
    columns = [int(column) for column in bad.any(0).nonzero().flatten()[: _FEW + 1]]
    if len(columns) > _FEW:
        return "", False
    told = f", in column{'s' if len(columns) > 1 else ''} {', '.join(map(str, columns))}"
    return told, len(batch) > 1 and bool(bad[:, columns].all())


def _tail(loss: Any, most: int) -> tuple[str | None, list[dict[str, Any]]]:
    """The operation between the modules and the loss whose inputs are finite and whose result cannot be."""
    tracing = _tracing()
    waiting: list[Any] = [loss.grad_fn]
    seen: set[Any] = set()
    while waiting and len(seen) < most:
        node = waiting.pop(0)
        if node is None or node in seen:
            continue
        seen.add(node)
        name = tracing.plain(node.name())
        held = tracing.saved_by(node)
        if name in _FIXES and held and not any(tracing.is_bad(one) for one in held):
            if name == "div":
                held = [one for one in [_divisor(node)] if is_tensor(one) and bool((one == 0).any())]
            ranges = [tracing.range_of(one) for one in held if one.is_floating_point()]
            if any(_outside(name, one) for one in ranges):
                return name, ranges
        waiting.extend(behind for behind, _ in node.next_functions)
    return None, []


def _divisor(node: Any) -> Any:
    try:
        return getattr(node, "_saved_other", None)
    except RuntimeError:  # it was changed in place
        return None


def _outside(name: str, values: dict[str, Any]) -> bool:
    """Whether an input is where the operation has no finite value."""
    least, greatest = values.get("least", 1.0), values.get("greatest", 0.0)
    if name in ("log", "log2", "log10", "rsqrt"):
        return bool(least <= 0)
    if name == "sqrt":
        return bool(least < 0)
    if name == "div":
        return bool(least <= 0 <= greatest)
    if name in ("acos", "asin"):
        return bool(least < -1 or greatest > 1)
    return False
