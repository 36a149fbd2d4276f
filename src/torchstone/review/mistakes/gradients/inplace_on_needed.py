"""An in-place operation changes a value that the backward pass needs, or a leaf.

## What it does
Reports in-place changes (`x += ...`, `x[i] = ...`, `x.mul_()`) of the output of an operation that needs its
output again (sigmoid, softmax, relu, exp ...), of the input of a layer in the same statement, and of
tensors that themselves require gradients.

## Why is this bad?
`backward()` stops with "one of the variables needed for gradient computation has been modified by an
inplace operation", far from the line that did it; a leaf stops at once.

## References
- [In-place operations with autograd](https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-operations-with-autograd)
"""

from __future__ import annotations

import ast
import importlib
import linecache
import re
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.assignments import changed_before, made_at
from torchstone.review.calls import Call
from torchstone.review.crashes import Crash
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor
from torchstone.review.places import locals_of
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.gradients import gradient_sources
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.scopes import Scope

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS112"
NAME = "inplace-on-needed"
SEVERITY: Severity = "error"

BAD = (
    Example(
        """
        import torch
        from torch import nn

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(4, 4)

            def forward(self, x):
                gate = torch.sigmoid(self.layer(x))
                gate *= 2  # TS112
                return gate

        Block()
        """,
        fixed="""
        import torch
        from torch import nn

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(4, 4)

            def forward(self, x):
                gate = torch.sigmoid(self.layer(x))
                gate = gate * 2
                return gate

        Block()
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.norm = nn.LayerNorm(4)

        def forward(self, x):
            out = self.norm(self.layer(x))
            out += x
            return torch.relu(out)

    Block()(torch.randn(2, 4)).sum().backward()
    """,
    """
    import torch

    weight = torch.zeros(4, requires_grad=True)
    for x in torch.randn(3, 4):
        (weight * x).sum().backward()
        with torch.no_grad():
            weight -= 0.1 * weight.grad
            weight.grad.zero_()
    """,
)

_SAVED = words("sigmoid tanh exp sqrt relu rsqrt reciprocal tan softmax log_softmax")
_SAVING_LAYERS = {f"torch.nn.{name}" for name in words("ReLU Sigmoid Tanh Softmax LogSoftmax")}
_INPUT_LAYERS = {
    f"torch.nn.{name}"
    for name in words(
        "Linear Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LayerNorm BatchNorm1d "
        "BatchNorm2d BatchNorm3d GroupNorm"
    )
}
_CHANGING = words(
    "add_ sub_ mul_ div_ clamp_ clamp_min_ clamp_max_ masked_fill_ zero_ fill_ pow_ abs_ neg_ exp_ sqrt_ "
    "round_ floor_ copy_ index_fill_ scatter_ relu_ sigmoid_ tanh_ normal_ uniform_"
)
_LEAVES = {f"torch.{name}" for name in words("zeros ones empty full rand randn tensor zeros_like ones_like")}
_NOT_TRAINING = ("train", "eval", "infer", "test", "export", "grad", "no_", "trac", "script")
_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def check(file: File) -> Iterator[Finding]:
    """Looks at each in-place change of a name."""
    for statement, name in _changes(file):
        frame = file.frame_of(name)
        if not frame.scope.is_function and not isinstance(frame.scope.node, ast.Module):
            continue
        if _switched(file, statement):
            continue
        if _is_leaf(frame, name):
            what = f"`{name.id}` requires gradients and is changed in place: autograd forbids it"
            fix = Fix(f"Change `{name.id}` under `torch.no_grad()`.")
            yield file.finding(CODE, NAME, SEVERITY, statement, what, why="the program stops here", fix=fix)
            continue
        if not _is_trained(file, frame.scope):
            continue
        needed = _saved_output(frame, name) or _saved_input(frame, statement, name)
        if needed is not None:
            yield _finding(file, statement, name, needed)


def _changes(file: File) -> Iterator[tuple[ast.stmt, ast.Name]]:
    """The statements that change what a name stands for, in place."""
    for node in (*file.index.nodes[ast.AugAssign], *file.index.nodes[ast.Assign]):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]  # type: ignore[attr-defined]
        for each in targets:
            target = each.value if isinstance(each, ast.Subscript) else each
            changed = isinstance(node, ast.AugAssign) or isinstance(each, ast.Subscript)
            if changed and isinstance(target, ast.Name) and isinstance(node, ast.stmt):
                yield node, target
    for method in _CHANGING & file.index.calls_by_name.keys():
        for call in file.index.calls_by_name[method]:
            if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
                yield file.statement(call), call.func.value


def _switched(file: File, statement: ast.stmt) -> bool:
    """Whether the change may run where nothing is recorded, or outside of training."""
    for node in file.index.ancestors(statement):
        if isinstance(node, ast.With):
            texts = [ast.unparse(item.context_expr) for item in node.items]
            if any("autocast" not in text for text in texts):
                return True
        if isinstance(node, ast.If) and any(word in ast.unparse(node.test) for word in _NOT_TRAINING):
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.decorator_list:
            return True
    return "set_grad_enabled(False)" in file.source.text


def _is_trained(file: File, scope: Scope) -> bool:
    """Whether a function surely is part of training: a module's forward, or it goes back itself."""
    cls = scope.method_of
    if cls is not None and scope.name == "forward":
        return file.class_of(cls).is_module
    backward = file.index.calls_by_name.get("backward", ())
    return any(
        file.index.scope_of(call) is scope and not _switched(file, file.statement(call)) for call in backward
    )


def _is_leaf(frame: Frame, name: ast.Name) -> bool:
    """Whether a name surely stands for a tensor that was made with `requires_grad=True`."""
    bindings = frame.file.reaching(frame.scope).of(name)
    made = [b for b in bindings or () if b.kind != "augment"]
    if not made or any(b.kind != "assign" or b.path or b.scope is not frame.scope for b in made):
        return False
    for binding in made:
        call = binding.value
        if not isinstance(call, ast.Call) or frame.name(call.func) not in _LEAVES:
            return False
        wanted = [k.value for k in call.keywords if k.arg == "requires_grad"]
        if not any(isinstance(value, ast.Constant) and value.value is True for value in wanted):
            return False
    text = frame.file.source.text
    return f"{name.id}.requires_grad_(" not in text and f"{name.id}.requires_grad =" not in text


def _saved_output(frame: Frame, name: ast.Name) -> ast.expr | None:
    """The operation that needs its output again, when a name surely is that output."""
    bindings = frame.file.reaching(frame.scope).of(name)
    made = [b for b in bindings or () if b.kind != "augment"]
    if len(made) != 1 or made[0].kind != "assign" or made[0].path or not isinstance(made[0].value, ast.Call):
        return None
    call = made[0].value
    argument = _needs_output(frame, call)
    sources = gradient_sources(frame, argument, some=True) if argument is not None else None
    return call if any(source.kind == "forward" for source in sources or ()) else None


def _needs_output(frame: Frame, call: ast.Call) -> ast.expr | None:
    """What an operation that keeps its output is applied to."""
    called = frame.value(call.func)
    if called is not None and called.kind == "module" and called.name in _SAVING_LAYERS and call.args:
        return call.args[0]
    if called is not None and called.kind == "library" and call.args:
        prefix, _, last = (called.name or "").rpartition(".")
        return call.args[0] if prefix in ("torch", "torch.nn.functional") and last in _SAVED else None
    if called is None and isinstance(call.func, ast.Attribute) and call.func.attr in _SAVED:
        base = frame.value(call.func.value)
        return call.func.value if base is None or base.kind == "tensor" else None
    return None


def _saved_input(frame: Frame, statement: ast.stmt, name: ast.Name) -> ast.expr | None:
    """The layer in `x += layer(x)`, which needs `x` as it was."""
    if not isinstance(statement, ast.AugAssign) or statement.target is not name:
        return None
    if "autocast" in frame.file.source.text:
        return None  # the layer may have got a copy of another dtype
    for call in (part for part in ast.walk(statement.value) if isinstance(part, ast.Call)):
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("detach", "item"):
            return None
        given = call.args[0] if len(call.args) == 1 else None
        if isinstance(given, ast.Name) and given.id == name.id:
            called = frame.value(call.func)
            if called is not None and called.kind == "module" and called.name in _INPUT_LAYERS:
                return call
    return None


def _finding(file: File, statement: ast.stmt, name: ast.Name, needed: ast.expr) -> Finding:
    text = ast.unparse(needed)
    shown = text if len(text) <= 50 else f"{text[:47]}..."
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        statement,
        f"`{name.id}` is changed in place, and the backward pass of `{shown}` needs it as it was",
        why="backward() stops with an error",
        fix=_fix(file, statement, name),
        related=(file.related(needed, "this operation keeps it for its backward pass"),),
    )


def _fix(file: File, statement: ast.stmt, name: ast.Name) -> Fix:
    description = f"Make a new tensor: `{name.id} = {name.id} + ...`."
    if not isinstance(statement, ast.AugAssign) or statement.target is not name:
        return Fix(description)
    operator = _OPERATORS.get(type(statement.op))
    if operator is None or statement.lineno != statement.end_lineno:
        return Fix(description)
    line = file.source.lines[statement.lineno - 1].encode()
    value = line[statement.value.col_offset : statement.value.end_col_offset].decode()
    if isinstance(statement.value, ast.BinOp | ast.IfExp | ast.Compare | ast.BoolOp | ast.Lambda):
        value = f"({value})"
    new = f"{name.id} = {name.id} {operator} {value}"
    return Fix(description, safe=True, edits=(file.replace(statement, new),))


_NEW = "Make a new tensor: `x = x + ...`, `masked_fill`, `where`, or an operation without underscore."
_CHANGED = re.compile(r"\s*(\w+)(?:\[[^=]*\]\s*=(?!=)|\s*(?:[-+*/@|&^%]|//|\*\*)=|\.\w+_\()")
"""What a line changes: `x += ...`, `x[...] = ...`, `x.add_(...)`."""

_FIRST = 10
"""Such an error ends a program in its first steps."""


class Watch(Detector):
    """Explains the error that ended the program: what was changed, where, and which operation needs it."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._calls: deque[Call] = deque(maxlen=8)
        self._stepped: Place | None = None

    def on_forward_began(self, event: Event) -> None:
        """What a module is given, weakly, so that the call can be made once more."""
        if self.stream.step >= _FIRST:
            self.stream.drop(self, "forward_began", "step_ended")
            self._stepped = None
        elif event.recording and not _replaying().is_transformed():
            self._calls.append(Call(event, _replaying().random_state()))
            self._calls[-1].place = event.place

    def on_step_ended(self, event: Event) -> None:
        """The parameters were changed in place."""
        self._stepped = event.place

    def on_crash(self, event: Event) -> None:
        """Who changed what."""
        crash = Crash(event.subject)
        if crash.kind != "inplace":
            return
        if "leaf Variable" in crash.text:
            self._on_leaf(crash)
        elif "is being modified inplace" in crash.text:
            self._on_view(crash)
        elif not self._by_module(crash) and not self._by_step(crash):
            self._by_user(crash)

    def _on_leaf(self, crash: Crash) -> None:
        leaves = [name for name, tensor in crash.variables() if tensor.requires_grad and tensor.is_leaf]
        self.found(
            f"{'`' + leaves[0] + '`' if len(leaves) == 1 else 'A leaf'} requires gradients and is changed in "
            "place, which autograd forbids",
            why=f"torch says: {crash.words}",
            place=crash.place,
            fix="Change it under `torch.no_grad()`, or make a new tensor.",
        )

    def _on_view(self, crash: Crash) -> None:
        frame, line = crash.users[-1] if crash.users else (None, 0)
        written = "" if frame is None else linecache.getline(frame.f_code.co_filename, line)
        changed = _CHANGED.match(written)
        name = changed.group(1) if changed else None
        made = made_at(frame, line, name) if frame is not None and name else None
        self.found(
            f"{'`' + name + '`' if name else 'A tensor'} is a view of another tensor, through which autograd "
            "cannot follow a change in place",
            why=f"torch says: {crash.words}",
            place=crash.place,
            fix=_NEW,
            related=((made, "the view is made here"),) if made else (),
        )

    def _by_module(self, crash: Crash) -> bool:
        """Whether a call of a module, made once more, shows the change."""
        replaying = _replaying()
        for call in self._calls:
            call.hold()
            if not call.can_be_made():
                continue
            reach = replaying.undoing(call)
            if not reach.clean:
                call.let_go()
                continue
            with replaying.put_back(reach):
                changes, output = replaying.replay(call.module(), *call.held, call.state, _changing().Changes)
                nodes = _changing().changed_nodes(output)
            call.let_go()
            for node in nodes:
                name, module, place = changes.nodes.get(node, ("", None, None))
                change = changes.of(node)
                if change is not None:
                    self._tell(crash, change, (name, module, place))
                    return True
        return False

    def _tell(
        self, crash: Crash, change: tuple[str, Place | None], needed: tuple[str, Any, Place | None]
    ) -> None:
        name, module, place = needed
        where = "" if module is None else f" in `{self.names.module(module)}`"
        what = "`x[...] = ...`" if change[0] == "__setitem__" else f"`{change[0]}`"
        self.found(
            f"{what} changes a tensor in place, and the backward pass of `{name}`{where} needs it as it was",
            why="backward() stops with an error",
            place=change[1] or crash.place,
            fix=_NEW,
            related=(
                (place, "this operation keeps it for its backward pass"),
                (crash.place, "and fails here"),
            ),
        )

    def _by_step(self, crash: Crash) -> bool:
        """Whether an optimizer has changed the parameters since the forward pass."""
        if self._stepped is None:
            return False
        nodes = _changing().changed_nodes(crash.backward_of())
        needed = [one for node in nodes for one in _changing().parameters_of(node) if one.dim() > 1]
        owned = [one for one in needed if self.gradients.owners([one])]
        if not owned:
            return False
        name = self.names.parameter(owned[0]) or "a parameter"
        self.found(
            f"An optimizer's step has changed `{name}` between the forward pass and this backward pass, "
            "which needs it as it was",
            why="backward() stops with an error",
            place=crash.place,
            fix="Call the model again after the step, or do all backward passes before any step.",
            related=((self._stepped, "this step changes the parameters in place"),),
        )
        return True

    def _by_user(self, crash: Crash) -> None:
        changed = []
        for frame, line in reversed(crash.users):
            for name, tensor in locals_of(frame).items():
                if is_tensor(tensor) and tensor._version:
                    place = changed_before(frame, line, name)
                    changed += [(name, place)] if place is not None else []
        name, place = changed[0] if changed else ("", None)
        self.found(
            f"`{name}` is changed in place, and the backward pass needs it as it was"
            if name
            else "Something that the backward pass needs was changed in place since it was computed",
            why=f"torch says: {crash.words}",
            place=place or crash.place,
            fix=_NEW,
            related=((crash.place, "the backward pass fails here"),) if place else (),
        )


def _replaying() -> Any:
    # Imported by name, as reading source must work where there is no torch.
    return importlib.import_module("torchstone.review.events.replaying")


def _changing() -> Any:
    return importlib.import_module("torchstone.review.events.changing")
