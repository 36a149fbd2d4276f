"""The model and what it is given are on different devices.

## What it does
Follows batches from their `DataLoader` to the call of the model and of the loss, and reports a batch that is
never moved while the model is, labels that are never moved while the inputs are, and a model that is never
moved while the batches are. In the `forward` of a model that is moved it reports tensors that are made on the
CPU and given to a layer, such as the first hidden state.

## Why is this bad?
On a machine with a GPU the program stops with "Expected all tensors to be on the same device". On the machine
it was written on, without one, it runs.

## References
- [CUDA semantics](https://docs.pytorch.org/docs/stable/notes/cuda.html)
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.crashes import Crash, tensors, weight_of
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.syntax.devices import (
    Callers,
    Move,
    Part,
    calls_by_scope,
    gives_cpu_batches,
    is_wrapped,
    made_on_cpu,
    makes_on_device,
    moves,
    moves_for_the_user,
    moves_of,
    part_of_batch,
)
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.outputs import loss_calls
from torchstone.review.syntax.scopes import Scope
from torchstone.review.syntax.values import Class, Value

if TYPE_CHECKING:
    from torchstone.review.stream import Event

CODE = "TS708"
NAME = "device-mismatch"
SEVERITY: Severity = "error"
INVOLVES = ("cuda|.to",)

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        loader = DataLoader(TensorDataset(torch.randn(8, 4), torch.randint(0, 2, (8,))), batch_size=4)
        model = nn.Linear(4, 2).to(device)
        for x, y in loader:
            print(model(x).argmax(1), y)  # TS708
        """
    ),
    Example(
        """
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset

        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        loader = DataLoader(TensorDataset(torch.randn(8, 4), torch.randint(0, 2, (8,))), batch_size=4)
        model = nn.Linear(4, 2)
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            print(model(x).argmax(1), y)  # TS708
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    loader = DataLoader(TensorDataset(torch.randn(8, 4), torch.randint(0, 2, (8,))), batch_size=4)
    model = nn.Linear(4, 2).to(device)
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        print(model(x).argmax(1), y)
    """,
)

_WITH_PARAMETERS = frozenset(
    f"torch.nn.{name}"
    for name in words(
        "Linear Bilinear Embedding Conv1d Conv2d Conv3d LSTM GRU RNN LSTMCell GRUCell RNNCell "
        "MultiheadAttention Transformer TransformerEncoder TransformerDecoder"
    )
)
_ABOUT_DEVICES = re.compile(r"cuda|gpu|device|cpu", re.IGNORECASE)

_MOVING = re.compile(r"move|cuda|gpu|device|transfer|prepare|(?:^|_)to(?:_|$)", re.IGNORECASE)


def check(file: File) -> Iterator[Finding]:
    """Looks at each call of a model on what came from a loader."""
    calls = file.index.calls_by_name
    if not ("to" in calls or "cuda" in calls) and not file.index.nodes[ast.ImportFrom]:
        return
    done: set[int] = set()
    for root in events(file):
        for seen in root:
            if seen.event.kind != "forward" or seen.event.frame.file is not file:
                continue
            found = _Forward(seen).finding(file) if id(seen.event.node) not in done else None
            if found is not None:
                done.add(id(seen.event.node))
                yield found
    yield from _made_in_forward(file)


def _made_in_forward(file: File) -> Iterator[Finding]:
    """Tensors that the forward of a moved model makes on the CPU for its layers."""
    for cls in file.classes:
        forward = cls.method("forward") if cls.is_module else None
        if forward is None or forward[0] is not cls:
            continue
        frame = file.root(forward[1])
        for call in calls_by_scope(file).get(forward[1], ()):
            layer = frame.value(call.func)
            if layer is None or layer.kind != "module" or layer.name not in _WITH_PARAMETERS:
                continue
            for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
                parts = argument.elts if isinstance(argument, ast.Tuple) else [argument]
                made = next((m for part in parts if (m := made_on_cpu(frame, part)) is not None), None)
                moved = _move_of_class(file, cls) if made is not None else None
                if made is not None and moved is not None:
                    yield _made_finding(file, cls, made, call, moved)
                    break


def _move_of_class(file: File, cls: Class) -> Move | None:
    """A move of an object of a class, in its own file or in one that imports it."""
    files = [file, *file.project.importers(file)]
    if any(is_wrapped(each) for each in files):
        return None
    for move in (move for each in files for move in moves(each)):
        value = move.value
        other = value.cls if value is not None and value.kind == "module" else None
        if other is None or move.place != "accelerator" or other.name != cls.name:
            continue
        if other is cls or os.path.abspath(other.file.source.path) == os.path.abspath(file.source.path):
            return move
    return None


def _made_finding(file: File, cls: Class, made: ast.Call, used: ast.Call, moved: Move) -> Finding:
    function = ast.unparse(made.func)
    inputs = file.index.scope_of(made).parameters[1:2]
    text = ast.get_source_segment(file.source.text, made)
    simple = text is not None and inputs and not text[:-1].rstrip().endswith(",")
    edits = (file.replace(made, f"{text[:-1]}, device={inputs[0]}.device)"),) if text and simple else ()
    related = [file.related(used, f"`{ast.unparse(used.func)}` is given it here")]
    if moved.call in moved.file.index.parents:
        related.append(moved.file.related(moved.call, f"`{cls.name}` is moved to a device here"))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        made,
        f"`{function}` makes this tensor on the CPU, and `{cls.name}` is moved to a device",
        why="on a machine with a GPU this stops with an error",
        fix=Fix("Make it on the device of the inputs.", edits=edits),
        related=tuple(related),
    )


class _Forward:
    """One call of a model, and how the program came to it."""

    def __init__(self, seen: Seen) -> None:
        assert isinstance(seen.event.node, ast.Call) and seen.event.target is not None  # noqa: S101, PT018
        self.seen = seen
        self.node: ast.Call = seen.event.node
        self.frame = seen.event.frame
        self.model: Value = seen.event.target
        entered = bool(seen.calls) and seen.calls[-1].scope is self.frame.scope
        self.callers: Callers = tuple((c.frame, c.node) for c in seen.calls) if entered else ()

    def finding(self, file: File) -> Finding | None:
        """What is on another device here, if anything surely is."""
        if not self.model.sure or self.model.call is None or self.model.frame is None or self._asks():
            return None
        given = [*self.node.args, *(keyword.value for keyword in self.node.keywords)]
        traced = [(node, part_of_batch(self.frame, node, self.callers)) for node in given]
        parts = [(node, part) for node, part in traced if part is not None and gives_cpu_batches(part.loader)]
        if not parts or self._is_done_for_the_user(parts[0][1]):
            return None
        left = next((each for each in parts if each[1].moved is None), None)
        if left is None:
            moved = self._move_of_model()
            if moved is None:
                return self._model_left(file, parts[0][1]) if self._never_moved() else None
            return self._labels_left(file, parts[0][1], moved)
        moved = self._move_of_model()
        if moved is None or self._moves_by_name(left[1]):
            return None
        return self._told(file, self.node, ast.unparse(left[0]), moved)

    # What is around

    def _asks(self) -> bool:
        """Whether a branch around the call asks which device there is."""
        tests = [getattr(branch.node, "test", None) for branch, _ in self.seen.branches]
        return any(test is not None and _ABOUT_DEVICES.search(ast.unparse(test)) for test in tests)

    def _files(self, loader: Value | None = None) -> list[File]:
        files = [self.frame.file, *(call.frame.file for call in self.seen.calls)]
        made = [value.frame for value in (self.model, loader) if value is not None]
        files += [frame.file for frame in made if frame is not None]
        if self.model.cls is not None:
            files += [part.file for part in self.model.cls.lineage()]
        return list(dict.fromkeys(files))

    def _is_done_for_the_user(self, part: Part) -> bool:
        """Whether a wrapper, a framework or the model itself may move things."""
        return any(moves_for_the_user(file) for file in self._files(part.loader))

    def _moves_by_name(self, part: Part) -> bool:
        """Whether something of the batch's name is moved in the same function after all."""
        scope, index = self.frame.scope, self.frame.file.index
        for move in moves(self.frame.file):
            if index.scope_of(move.call) is scope and isinstance(move.call.func, ast.Attribute):
                used = {node.id for node in ast.walk(move.call.func.value) if isinstance(node, ast.Name)}
                if used & part.names:
                    return True
        return self._changes_in_place(part)

    def _changes_in_place(self, part: Part) -> bool:
        """Whether parts of the batch are set one by one, or a statement hands it to a function."""
        scope, index = self.frame.scope, self.frame.file.index
        for node in index.nodes[ast.Subscript]:
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                base = node.value
                if index.scope_of(node) is scope and isinstance(base, ast.Name) and base.id in part.names:
                    return True
        for node in index.nodes[ast.Expr]:
            call = node.value if isinstance(node, ast.Expr) else None
            if not isinstance(call, ast.Call) or call is self.node or index.scope_of(node) is not scope:
                continue
            if isinstance(call.func, ast.Attribute) and not _MOVING.search(call.func.attr):
                continue
            given = {a.id for a in call.args if isinstance(a, ast.Name)}
            if given & part.names and self.frame.file.callable_name(self.frame, call) is None:
                return True
        return False

    # The model

    def _move_of_model(self) -> ast.Call | None:
        """The call that surely moved the model to an accelerator before, when nothing moved it back."""
        found, made = None, self.model.call
        if made is None:
            return None
        for move in (move for file in self._files() for move in moves_of(file, made)):
            same = move.value is not None and move.value.call is made
            if move.place == "cpu" and (same or move.value is None) and self._is_of_model(move.call):
                return None
            if move.place == "accelerator" and same and self._comes_before(move.file, move.call):
                found = move.call
        return found

    def _is_of_model(self, call: ast.Call) -> bool:
        """Whether a call may be of the model, by the name that it is called on."""
        assert isinstance(call.func, ast.Attribute)  # noqa: S101 (such are given)
        name = ast.unparse(call.func.value).rsplit(".", 1)[-1]
        return name in ("model", "net", ast.unparse(self.node.func).rsplit(".", 1)[-1])

    def _comes_before(self, file: File, call: ast.Call) -> bool:
        """Whether a move surely runs before the forward pass, unless there is no accelerator."""
        scope = file.index.scope_of(call)
        for above in file.index.ancestors(call):
            if above is scope.node:
                break
            if isinstance(above, ast.Try | ast.IfExp | ast.BoolOp | ast.ExceptHandler):
                return False
            test = ast.unparse(above.test) if isinstance(above, ast.If | ast.While) else ""
            if test and not _ABOUT_DEVICES.search(test) and "__name__" not in test:
                return False
        places = [(self.frame, self.node), *((c.frame, c.node) for c in self.seen.calls)]
        lines = [node.lineno for frame, node in places if frame.scope is scope]
        if lines:
            return call.lineno < max(lines)
        if scope.name == "__init__" and any(f.scope.method_of is scope.method_of for f, _ in places):
            return True  # the object's methods run after it is made
        made = self.model.call
        return made is not None and self.model.frame is not None and self.model.frame.scope is scope

    def _never_moved(self) -> bool:
        """Whether nothing in the program may move the model."""
        files = self._files()
        made, around = self.model.call, self._scopes()
        if made is None or _ABOUT_DEVICES.search(ast.unparse(made)):
            return False
        if any(makes_on_device(file) for file in files) or self._is_given_away(around):
            return False
        for move in (move for file in files for move in moves(file)):
            value = move.value
            if value is None and move.file.index.scope_of(move.call) not in around:
                continue  # in a function that never sees the model
            if value is None or value.kind not in ("module", "tensor", "loss", "sequence"):
                return False
            # The model itself, or one that may be made of it.
            if value.kind == "module" and (value.call is made or value.call is None or value.call.args):
                return False
        return True

    def _scopes(self) -> set[Scope]:
        """The functions that see the model: where it is made, where it is called and those between."""
        frames = [self.frame, *(call.frame for call in self.seen.calls)]
        if self.model.frame is not None:
            frames.append(self.model.frame)
        scopes = {frame.scope for frame in frames}
        seen_by_all = any(not scope.is_function or scope.method_of is not None for scope in scopes)
        return scopes | ({*self._all_scopes()} if seen_by_all else set())

    def _all_scopes(self) -> Iterator[Scope]:
        return (scope for file in self._files() for scope in file.index.scopes.values())

    def _is_given_away(self, around: set[Scope]) -> bool:
        """Whether a call that was not followed to this forward pass is given the model."""
        followed = {id(self.node), *(id(call.node) for call in self.seen.calls)}
        for file in self._files():
            calls = calls_by_scope(file)
            for call in (call for scope in around for call in calls.get(scope, ())):
                frame = file.frame_of(call)
                given = [*call.args, *(keyword.value for keyword in call.keywords)]
                values = [frame.value(argument) for argument in given] if id(call) not in followed else []
                if any(value is not None and value.call is self.model.call for value in values):
                    return True
        return False

    # Findings

    def _labels_left(self, file: File, inputs: Part, moved: ast.Call) -> Finding | None:
        """The loss between the output of this call and labels that stayed where they were."""
        for loss in loss_calls(file):
            if file.index.scope_of(loss.node) is not self.frame.scope or loss.target is None:
                continue
            output = loss.output
            if isinstance(output, ast.Name):
                bindings = file.reaching(self.frame.scope).of(output) or ()
                values = [b.value for b in bindings if b.kind == "assign" and not b.path]
                output = values[0] if len(values) == len(bindings) == 1 and values[0] else output
            target = part_of_batch(self.frame, loss.target, self.callers)
            if output is not self.node or target is None or target.moved is not None:
                continue
            if target.loader.call is inputs.loader.call and not self._moves_by_name(target):
                return self._told(file, loss.node, ast.unparse(loss.target), moved)
        return None

    def _told(self, file: File, node: ast.Call, name: str, moved: ast.Call) -> Finding:
        model = ast.unparse(self.node.func)
        home = next(f for f in self._files() if moved in f.index.parents)
        assert isinstance(moved.func, ast.Attribute)  # noqa: S101 (such are given)
        return file.finding(
            CODE,
            NAME,
            SEVERITY,
            node,
            f"`{name}` stays on the CPU as the loader gave it, and `{model}` was moved to a device",
            why="on a machine with a GPU this stops with an error",
            fix=Fix(f"Move `{name}` to the device of `{model}` first."),
            related=(home.related(moved, "the model is moved here"),),
        )

    def _model_left(self, file: File, inputs: Part) -> Finding:
        model, moved = ast.unparse(self.node.func), inputs.moved
        assert moved is not None and self.model.frame is not None  # noqa: S101, PT018 (asked before)
        home = next((f for f in self._files(inputs.loader) if moved in f.index.parents), None)
        related = [self.model.frame.file.related(self.model.call or self.node, "the model is made here")]
        if home is not None:
            related.append(home.related(moved, "the batch is moved here"))
        return file.finding(
            CODE,
            NAME,
            SEVERITY,
            self.node,
            f"`{model}` stays on the CPU, and its batches are moved to a device",
            why="on a machine with a GPU this stops with an error",
            fix=Fix(f"Move `{model}` to the same device before its optimizer is made."),
            related=tuple(related),
        )


class Watch(Detector):
    """Explains the error that ended the program."""

    def on_crash(self, event: Event) -> None:
        """Which tensor is where."""
        crash = Crash(event.subject)
        if crash.kind != "device":
            return
        steps, loss = crash.steps(), crash.loss()
        layer = steps[-1].module if steps else None
        weight = None if layer is None else weight_of(layer)
        given = [] if layer is None else steps[-1].inputs
        held = {name: str(tensor.device) for name, tensor in crash.variables()}
        if loss is not None:
            message = f"`{loss[0]}` gets outputs on {loss[1].device} and targets on {loss[2].device}"
            fix = f"Move the targets first: `targets.to({str(loss[1].device)!r})`."
        elif weight is not None and any(one.device != weight.device for one in given):
            other = next(one.device for one in given if one.device != weight.device)
            message = f"`{self.names.module(layer)}` is on {weight.device} and is given an input on {other}"
            fix = "Move model and batch to one device: `model.to(device)`, `inputs.to(device)`."
        else:
            message = "The tensors of this line are on different devices"
            fix = (
                "Make new tensors with `device=x.device`; register those of a module with `register_buffer`."
            )
        held |= {f"input {number}": str(one.device) for number, one in enumerate(tensors(given))}
        self.found(message, why=f"torch says: {crash.words}", place=crash.place, fix=fix, devices=held)
