"""The outputs of all batches are collected together with their graphs.

## What it does
Reports the output of a model that is appended to a list in a loop over a `DataLoader` while gradients are
recorded, when nothing made of the list reaches a backward pass. While a program runs, it looks at passes over
a loader after which the outputs of all batches are alive: with their graphs, or on a device where they are a
gigabyte or more. A model that the program has trained itself is left to
[TS203](TS203.md) then, and training to [TS105](TS105.md), which name the cause.

## Why is this bad?
Each output holds on to the graph that made it, with all intermediate results of its batch, on the device.
Memory grows with every batch until it runs out.

## References
- [My model reports out of memory](https://docs.pytorch.org/docs/stable/notes/faq.html)
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.consumption import written
from torchstone.review.detector import Detector
from torchstone.review.gradients import tensors
from torchstone.review.leaves import leaves
from torchstone.review.mistake import Example
from torchstone.review.objects import Identities, attributes
from torchstone.review.pausing import STEADY
from torchstone.review.places import locals_of
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import SAME_TENSOR_FUNCTIONS, SAME_TENSOR_METHODS, words
from torchstone.review.syntax.modes import forwards, is_held_out, loader_of
from torchstone.review.syntax.training import called, from_outside, goes_back, has, inside

if TYPE_CHECKING:
    from types import FrameType

    from torchstone.review.epochs import Epoch
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS704"
NAME = "outputs-kept-on-device"
SEVERITY: Severity = "warning"
MENTIONS = ("append", "DataLoader")

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        loader = DataLoader(TensorDataset(torch.randn(32, 4)), batch_size=8)
        model = nn.Linear(4, 1)
        outputs = []
        for (x,) in loader:
            outputs.append(model(x))  # TS704
        print(torch.cat(outputs).mean())
        """,
        fixed="""
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        loader = DataLoader(TensorDataset(torch.randn(32, 4)), batch_size=8)
        model = nn.Linear(4, 1)
        outputs = []
        for (x,) in loader:
            outputs.append(model(x).detach())
        print(torch.cat(outputs).mean())
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(torch.randn(32, 4)), batch_size=8)
    model = nn.Linear(4, 1)
    outputs = []
    with torch.no_grad():
        for (x,) in loader:
            outputs.append(model(x).cpu())
    print(torch.cat(outputs).mean())
    """,
)

_KEEPS_GRAPH = (SAME_TENSOR_METHODS - words("detach")) | words("softmax log_softmax sigmoid tanh relu")
_FUNCTIONS = SAME_TENSOR_FUNCTIONS | {
    f"{home}.{name}"
    for home in ("torch", "torch.nn.functional")
    for name in words("softmax log_softmax sigmoid tanh relu")
}


def check(file: File) -> Iterator[Finding]:
    """Looks at each call of a model in a loop over a loader."""
    if "append" not in file.index.calls_by_name or "DataLoader" not in file.source.text:
        return
    done: set[ast.AST] = set()
    for root in events(file):
        for seen in root:
            node = seen.event.node
            if seen.event.kind != "forward" or seen.recording != "on" or not seen.loops or node in done:
                continue
            loop = seen.loops[-1]
            if loop.frame is not seen.event.frame or loop.frame.file is not file:
                continue
            if not isinstance(loop.node, ast.For) or loader_of(loop.frame, loop.node.iter) is None:
                continue
            if _is_told_elsewhere(file, seen, root):
                continue
            done.add(node)
            yield from _kept(file, seen, loop.node)


def _is_told_elsewhere(file: File, seen: Seen, root: list[Seen]) -> bool:
    """Whether an evaluation that records graphs is found as such: that is the cause."""
    here = inside(seen.loops[-1], root)
    if any(has(here, kind) for kind in ("backward", "step", "gradient")):
        return False
    modes = [each.modes() for each in forwards(file) if each.seen.event is seen.event]
    return is_held_out(seen.loops[-1]) and {"eval"} in modes


def _kept(file: File, seen: Seen, loop: ast.For) -> Iterator[Finding]:
    """The lists that keep an output of a call of the model."""
    frame = seen.event.frame
    for call in file.index.calls_by_name["append"]:
        target = call.func.value if isinstance(call.func, ast.Attribute) else None
        if file.index.scope_of(call) is not frame.scope or loop not in file.index.ancestors(call):
            continue
        if not isinstance(target, ast.Name) or len(call.args) != 1 or target.id in frame.scope.parameters:
            continue
        if not _is_output(frame, call.args[0], seen.event.node):
            continue
        name = target.id
        if not from_outside(frame.scope, name, loop) or goes_back(file, frame.scope, name):
            continue
        if not _leaves(file, frame, name):
            yield _finding(file, seen, call, name)


def _is_output(frame: Frame, node: ast.expr, forward: ast.AST) -> bool:
    """Whether an expression is what a call of the model gave, in another shape or place at most."""
    while node is not forward:
        if isinstance(node, ast.Name):
            bindings = frame.file.reaching(frame.scope).of(node) or ()
            values = [b.value for b in bindings if b.kind == "assign" and not b.path]
            if len(bindings) != 1 or not values or values[0] is None:
                return False
            node = values[0]
        elif isinstance(node, ast.Call) and frame.name(node.func) in _FUNCTIONS and node.args:
            node = node.args[0]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr not in _KEEPS_GRAPH:
                return False
            node = node.func.value
        else:
            return False
    return True


def _leaves(file: File, frame: Frame, name: str) -> bool:
    """Whether a list is given away as it is: others may go back through it."""
    for node in file.index.nodes[ast.Name]:
        if not isinstance(node, ast.Name) or node.id != name or file.index.scope_of(node) is not frame.scope:
            continue
        for above in file.index.ancestors(node):
            if isinstance(above, ast.Return | ast.Yield):
                return True
            if isinstance(above, ast.Call) and node in above.args:
                known = frame.file.callable_name(frame, above)
                if known is None:
                    return True
            if isinstance(above, ast.stmt):
                break
    return False


def _finding(file: File, seen: Seen, call: ast.Call, name: str) -> Finding:
    kept = call.args[0]
    text = ast.get_source_segment(file.source.text, kept)
    simple = text and isinstance(kept, ast.Call | ast.Name)
    edits = (file.replace(kept, f"{text}.detach()"),) if simple else ()
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{name}` keeps each output of `{called(seen)}` with its graph: memory grows with every batch",
        why="an output holds on to all intermediate results of its batch",
        fix=Fix("Keep a detached copy, on the CPU when it is large.", safe=True, edits=edits),
    )


_BATCHES = 8
_FOLLOWED = 64
"""So many outputs of a pass are followed."""

_BYTES = 2**30
"""Fewer on a device are no matter."""


class _Pass:
    """The outputs of a pass over a loader, by references that do not keep them."""

    def __init__(self, epoch: Epoch) -> None:
        self.epoch = epoch
        self.outputs = 0
        """So many outputs there were."""
        self.module: weakref.ref[Any] | None = None
        self.place: Place | None = None
        self.kept: list[weakref.ref[Any]] = []
        self.holder: str | None = None
        """The variable that has them."""

    def add(self, event: Event) -> None:
        """An output of the module that was called first in this pass."""
        if self.module is None:
            self.module, self.place = weakref.ref(event.subject), event.place
        if self.module() is event.subject:
            self.outputs += 1
            if len(self.kept) < _FOLLOWED:
                largest = max(tensors(event.output), key=lambda one: int(one.numel()), default=None)
                self.kept += [] if largest is None else [weakref.ref(largest)]

    def alive(self) -> list[Any]:
        """Those that are followed, where all of them are there; none else."""
        held = [one for reference in self.kept if (one := reference()) is not None]
        return held if len(held) >= max(_BATCHES, 0.9 * min(self.outputs, _FOLLOWED)) else []


class Watch(Detector):
    """Looks which outputs are alive at the end of a pass in which nothing was trained."""

    PAUSES = STEADY

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._pass: _Pass | None = None
        self._waiting: _Pass | None = None
        """Its outputs have graphs that a backward pass may still go through."""
        self._loaded: Identities = Identities()

    def on_state_loaded(self, event: Event) -> None:
        """Weights that were trained before."""
        self._loaded.add(event.subject)

    def on_batch(self, event: Event) -> None:
        """A pass begins, or goes on."""
        if self._pass is None or self._pass.epoch is not event.epoch:
            self._pass = _Pass(event.epoch)

    def on_forward(self, event: Event) -> None:
        """A module is called by the program."""
        if event.root and self._pass is not None and not self._pass.epoch.learned:
            self._pass.add(event)

    def on_backward(self, event: Event) -> None:
        """It may go through what waits."""
        waiting, self._waiting = self._waiting, None
        module = waiting.module() if waiting is not None and waiting.module is not None else None
        if waiting is not None and module is not None:
            own, reached = {id(one) for one in module.parameters()}, leaves(event)
            if reached and not any(id(leaf) in own for leaf in reached):
                self._report_graphs(waiting)

    def on_gradient(self, event: Event) -> None:
        """What it goes through is not known."""
        self._waiting = None

    def on_epoch_ended(self, event: Event) -> None:
        """Judges what is kept on a device; graphs have to wait."""
        seen, self._pass = self._pass, None
        if seen is None or seen.epoch is not event.epoch or event.epoch.learned:
            return
        held = seen.alive()
        if not held:
            return
        seen.holder = _holder(event.frame, held[0])
        if all(one.grad_fn is not None for one in held):
            self._waiting = seen
        elif all(_is_on_device(one) for one in held):
            size = sum(one.numel() * one.element_size() for one in held) * seen.outputs // len(held)
            if size >= _BYTES:
                self._report_device(seen, held[0], size)

    def on_end(self, event: Event) -> None:
        """Nobody goes back any more."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._report_graphs(waiting)

    def _report_graphs(self, seen: _Pass) -> None:
        module = None if seen.module is None else seen.module()
        if module is None or module in self._loaded:
            return
        if any(account.steps for _, account in self.gradients.owners(list(module.parameters()))):
            return
        self.found(
            f"{seen.holder or 'Something'} keeps each output of `{self.names.module(module)}` with its "
            "graph: memory grows with every batch",
            why="an output holds on to all intermediate results of its batch",
            place=seen.place,
            fix="Call the model under `torch.no_grad()`, and keep a copy on the CPU when it is large.",
            related=((seen.epoch.place, "the loop over the batches"),),
            outputs=seen.outputs,
        )

    def _report_device(self, seen: _Pass, output: Any, size: int) -> None:
        module = None if seen.module is None else seen.module()
        device = str(output.device)
        self.found(
            f"{seen.holder or 'Something'} keeps each output of `{self.names.module(module)}` on {device}: "
            f"{written(size)} for {seen.outputs} batches",
            why="this memory is missing for the model and for larger batches",
            place=seen.place,
            fix="Keep copies on the CPU (`.cpu()`), or what is needed of them only.",
            related=((seen.epoch.place, "the loop over the batches"),),
            outputs=seen.outputs,
            bytes=size,
            device=device,
        )


def _is_on_device(tensor: Any) -> bool:
    return not tensor.is_cpu


def _holder(frame: FrameType | None, output: Any) -> str | None:
    """The list of a function, or of its object, that has an output; perhaps beside other things."""
    if frame is None:
        return None
    local = locals_of(frame)
    own = attributes(local.get("self"))
    named = [*local.items(), *((f"self.{name}", value) for name, value in own.items())]
    for name, value in named:
        if isinstance(value, list) and any(one is output for first in value[:2] for one in tensors(first)):
            return f"`{name}`"
    return None
