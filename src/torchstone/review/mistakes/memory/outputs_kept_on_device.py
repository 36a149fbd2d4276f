"""The outputs of all batches are collected together with their graphs.

## What it does
Reports the output of a model that is appended to a list in a loop over a `DataLoader` while gradients are
recorded, when nothing made of the list reaches a backward pass.

## Why is this bad?
Each output holds on to the graph that made it, with all intermediate results of its batch, on the device.
Memory grows with every batch until it runs out.

## References
- [My model reports out of memory](https://docs.pytorch.org/docs/stable/notes/faq.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import SAME_TENSOR_FUNCTIONS, SAME_TENSOR_METHODS, words
from torchstone.review.syntax.modes import forwards, is_held_out, loader_of
from torchstone.review.syntax.training import called, from_outside, goes_back, has, inside

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
