"""The backward pass runs inside of autocast.

## What it does
Reports a backward pass in a `with torch.autocast(...)` block, in the same function or in one that the block
calls.

## Why is this bad?
Each operation of the backward pass already runs in the type that the forward pass chose for it. Autocast
around it converts a second time: what hooks, custom functions and recomputed parts do in it runs in lower
precision than meant. PyTorch's documentation advises against it.

## References
- [torch.autocast](https://docs.pytorch.org/docs/stable/amp.html#torch.autocast)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.finding import Edit, Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.scopes import FunctionNode

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS710"
NAME = "autocast-around-backward"
SEVERITY: Severity = "warning"
MENTIONS = ("autocast", "backward")

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = nn.functional.mse_loss(model(x), y)
                loss.backward()  # TS710
                optimizer.step()
        """,
        fixed="""
        import torch
        from torch import nn

        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in [(torch.randn(8, 4), torch.randn(8, 1))] * 3:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    """,
)

_AUTOCAST = frozenset(
    {
        "torch.autocast",
        "torch.amp.autocast",
        "torch.amp.autocast_mode.autocast",
        "torch.cuda.amp.autocast",
        "torch.cuda.amp.autocast_mode.autocast",
        "torch.cpu.amp.autocast",
    }
)
_ENDS_A_STEP = frozenset({"backward", "step", "update", "zero_grad", "unscale_", "clip_grad_norm_"})


def check(file: File) -> Iterator[Finding]:
    """Looks at each backward pass."""
    if "autocast" not in file.source.text or "backward" not in file.source.text:
        return
    done: set[ast.AST] = set()
    for root in events(file):
        for seen in root:
            node = seen.event.node
            if seen.event.kind != "backward" or seen.event.frame.file is not file or node in done:
                continue
            around = _autocast_around(seen)
            if around is not None:
                done.add(node)
                yield _finding(file, node, *around)


def _autocast_around(seen: Seen) -> tuple[Frame, ast.With | None, ast.expr] | None:
    """The autocast that a backward pass runs in, the nearest one deciding."""
    places = [(seen.event.frame, seen.event.node), *((c.frame, c.node) for c in reversed(seen.calls))]
    for frame, node in places:
        for above in frame.file.index.ancestors(node):
            if above is frame.scope.node:
                break
            if isinstance(above, ast.With):
                for item in reversed(above.items):
                    if _is_autocast(frame, item.context_expr):
                        on = _is_on(item.context_expr)
                        return (frame, above, item.context_expr) if on else None
        if isinstance(frame.scope.node, FunctionNode) and not isinstance(frame.scope.node, ast.Lambda):
            outside = frame.file.root(frame.scope.parent or frame.file.index.module)
            for decorator in frame.scope.node.decorator_list:
                if _is_autocast(outside, decorator):
                    return (frame, None, decorator) if _is_on(decorator) else None
    return None


def _is_autocast(frame: Frame, node: ast.expr) -> bool:
    """Whether an expression makes an autocast, itself or as what a name stands for."""
    if isinstance(node, ast.Name):
        bindings = frame.file.reaching(frame.scope).of(node) or ()
        values = [binding.value for binding in bindings]
        node = values[0] if len(values) == 1 and values[0] is not None else node
    return isinstance(node, ast.Call) and frame.name(node.func) in _AUTOCAST


def _is_on(node: ast.expr) -> bool:
    """Whether an autocast is surely not switched off: `enabled=False`, or by a flag."""
    if not isinstance(node, ast.Call):
        return False
    flags = [keyword.value for keyword in node.keywords if keyword.arg == "enabled"]
    flags += [argument for argument in node.args if isinstance(argument, ast.Constant)]
    return not any(isinstance(flag, ast.Constant) and flag.value is False for flag in flags)


def _finding(
    file: File, node: ast.expr | ast.stmt, frame: Frame, block: ast.With | None, autocast: ast.expr
) -> Finding:
    text = ast.unparse(node.func) if isinstance(node, ast.Call) else ast.unparse(node)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"`{text}()` runs inside of autocast, which is meant for the forward pass and the loss alone",
        why="what is computed in the backward pass is converted a second time",
        fix=_fix(file, node, block if frame.file is file else None),
        related=(frame.file.related(autocast, "this autocast is around it"),),
    )


def _fix(file: File, node: ast.expr | ast.stmt, block: ast.With | None) -> Fix:
    description = "End the block before the backward pass."
    if block is None or len(block.items) != 1:
        return Fix(description)
    statement = file.statement(node)
    if statement not in block.body[1:]:
        return Fix(description)
    rest = block.body[block.body.index(statement) :]
    lines = [file.source.lines[each.lineno - 1] for each in rest]
    simple = all(_ends_a_step(each) and each.lineno == each.end_lineno for each in rest)
    if not simple or any(line[: each.col_offset].strip() for line, each in zip(lines, rest, strict=True)):
        return Fix(description)
    text = file.source.lines[block.lineno - 1][: block.col_offset]
    edits = []
    for each in rest:
        line = file.source.place(each.lineno).line
        start, end = file.source.column(each.lineno, 0), file.source.column(each.lineno, each.col_offset)
        edits.append(Edit(file.source.path, line, start, line, end, text))
    return Fix(description, safe=False, edits=tuple(edits))


def _ends_a_step(node: ast.stmt) -> bool:
    """Whether a statement only goes back, clips, steps or clears."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    return call.func.attr in _ENDS_A_STEP


class Watch(Detector):
    """Looks for backward passes inside of autocast."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._seen: dict[Place | None, int] = {}

    @sampled
    def on_backward(self, event: Event) -> None:
        """Seen at a second step at the same line, it is how the loop is written."""
        if not event.autocast:
            return
        place = event.place
        before = self._seen.setdefault(place, self.stream.step)
        if before != self.stream.step and self.gradients.accounts:
            self.found(
                "The backward pass runs inside of autocast",
                why="each operation of it runs in the type that its forward had; autocast around it changes "
                "others too",
                place=place,
                fix="Let the `with` block end before `backward()`.",
            )
