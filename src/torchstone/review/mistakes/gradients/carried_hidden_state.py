"""A recurrent state is carried from batch to batch together with its graph.

## What it does
Reports a loop that feeds a model the state which the model returned in the round before, and goes back
through its loss, while nothing detaches the state.

## Why is this bad?
The second `backward()` goes on into the graph of the first batch, which is freed: "Trying to backward
through the graph a second time". With `retain_graph=True` it runs, slower and larger with every batch.

## References
- [Word language model, repackage_hidden](https://github.com/pytorch/examples/blob/main/word_language_model/main.py)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.crashes import Crash
from torchstone.review.histories import FollowsGraphs, Reuse
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Loop, Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.scopes import LoopNode
from torchstone.review.syntax.training import has, inside, runs_once
from torchstone.review.syntax.values import Value

CODE = "TS114"
NAME = "carried-hidden-state"
SEVERITY: Severity = "error"
MENTIONS = ("backward",)
INVOLVES = ("RNN|LSTM|GRU",)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.GRU(4, 8)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        hidden = torch.zeros(1, 2, 8)
        for x in torch.randn(5, 3, 2, 4):
            optimizer.zero_grad()
            output, hidden = model(x, hidden)  # TS114
            loss = output.pow(2).mean()
            loss.backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.GRU(4, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    hidden = torch.zeros(1, 2, 8)
    for x in torch.randn(5, 3, 2, 4):
        optimizer.zero_grad()
        output, hidden = model(x, hidden.detach())
        loss = output.pow(2).mean()
        loss.backward()
        optimizer.step()
    """,
)

_RECURRENT = {f"torch.nn.{name}" for name in ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell")}
_CUTS = ("detach", ".data", "no_grad", "repackage")


def check(file: File) -> Iterator[Finding]:
    """Looks at the forwards of each loop that goes back."""
    if not file.index.calls_by_name.get("backward") and "backward" not in file.source.text:
        return
    done: set[ast.AST] = set()
    for seen in events(file):
        for forward in seen:
            node = forward.event.node
            if forward.event.kind != "forward" or not forward.loops or node in done:
                continue
            loop = forward.loops[-1]
            if loop.frame is not forward.event.frame or loop.frame.file is not file or runs_once(loop):
                continue
            backward = _backward(forward, loop, seen)
            name = _carried(file, loop, node) if backward is not None else None
            model = forward.event.target
            if backward is not None and name is not None and model is not None and _keeps_graph(model):
                done.add(node)
                yield _finding(file, node, name, loop, backward)


def _backward(forward: Seen, loop: Loop, seen: list[Seen]) -> Seen | None:
    """The only backward of the same loop, in each of its rounds."""
    here = inside(loop, seen)
    found = [each for each in here if each.event.kind == "backward"]
    opaque = any(
        value.kind != "sequence"
        for each in here
        if each.event.kind == "opaque"
        for value in each.event.values
    )
    if len(found) != 1 or opaque or has(here, "gradient"):
        return None
    each = found[0]
    return each if each.loops[-1] is loop and not each.branches and forward.recording != "off" else None


def _carried(file: File, loop: Loop, node: ast.AST) -> str | None:
    """The name of a state that a call in a loop gets from the round before, and gives to the next."""
    parent = file.index.parents.get(node)
    if not isinstance(node, ast.Call) or not isinstance(parent, ast.Assign) or len(parent.targets) != 1:
        return None
    if file.index.parents.get(parent) is not loop.node:
        return None
    target = parent.targets[0]
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    given: list[ast.expr] = list(node.args[1:])
    given += [keyword.value for keyword in node.keywords]
    given += [part for each in node.args[1:] if isinstance(each, ast.Tuple) for part in each.elts]
    flat = [name for part in parts for name in (part.elts if isinstance(part, ast.Tuple) else [part])]
    returned = {name.id for name in flat if isinstance(name, ast.Name)}
    scope = file.index.scope_of(node)
    for argument in given:
        if not isinstance(argument, ast.Name) or argument.id not in returned:
            continue
        bindings = file.reaching(scope).of(argument) or ()
        inner = [b for b in bindings if _stands_in(b.line, loop.node)]
        everywhere = [b for b in scope.bindings.get(argument.id, ()) if _stands_in(b.line, loop.node)]
        if [b.node for b in inner] == [parent] == [b.node for b in everywhere] and len(bindings) > 1:
            return argument.id if not _is_cut(argument.id, loop.node) else None
    return None


def _stands_in(line: int, loop: LoopNode) -> bool:
    return loop.lineno <= line <= (loop.end_lineno or 0)


def _is_cut(name: str, loop: LoopNode) -> bool:
    """Whether anything in the loop may detach the state where it is, as `hidden.detach_()` does."""
    for call in (part for part in ast.walk(loop) if isinstance(part, ast.Call)):
        text = ast.unparse(call)
        if name in text and any(cut in text for cut in _CUTS):
            return True
    return any(cut in ast.unparse(loop) for cut in ("detach_(", f"{name}.data", f" in {name}:"))


def _keeps_graph(model: Value) -> bool:
    """Whether a model surely has a recurrent layer and detaches nothing itself."""
    if model.cls is None:
        return model.name in _RECURRENT
    if not model.cls.is_known:
        return False
    texts = [ast.unparse(cls.node) for cls in model.cls.lineage()]
    if any(cut in text for text in texts for cut in _CUTS):
        return False
    layers = tuple(name.rsplit(".", 1)[-1] + "(" for name in _RECURRENT)
    return any(layer in text for text in texts for layer in layers)


def _finding(file: File, node: ast.expr | ast.stmt, name: str, loop: Loop, backward: Seen) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"`{name}` comes from the batch before with its whole graph, into which backward() goes again",
        why="the second backward() stops with an error, or takes longer with every batch",
        fix=Fix(f"Cut it off before it is used again: `{name}.detach()`, for an LSTM both of its parts."),
        related=(
            backward.event.frame.file.related(backward.event.node, "this goes back through all batches"),
            loop.frame.file.related(loop.node, f"this loop carries `{name}`"),
        ),
    )


class Watch(FollowsGraphs):
    """Explains the error that a carried state ends a program with."""

    def explain(self, crash: Crash, reuse: Reuse) -> None:
        """A module's own result that is given to its next call, or kept as an attribute."""
        if reuse.how not in ("carried", "kept"):
            return
        name = f"`{reuse.name}`" if reuse.name else "a result of the model"
        self.found(
            f"{name} comes from the batch before with its whole graph, into which backward() goes again",
            why="the first pass has freed that graph",
            place=reuse.place or crash.place,
            fix="Cut it off before it is used again: `state.detach()`, for an LSTM both of its parts.",
            related=(
                (reuse.earlier, "it is made here"),
                (crash.place, "this goes back through earlier batches"),
            ),
        )
