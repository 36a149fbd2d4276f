"""Dropout by function call stays on in evaluation.

## What it does
Reports `F.dropout(x)` in a module without `training=`, whose default is True, and
`scaled_dot_product_attention(..., dropout_p=...)` with a rate that does not depend on `self.training`.

Where a program shows all uses of the module, and each is training, it is advice: nothing is noisy yet.

A watched run reports such a call when it drops something in a model that is in evaluation mode. What source
says of a line is withdrawn when the run ended, trained with all that the line gave, and saved nothing.

## Why is this bad?
`model.eval()` cannot switch it off: predictions are noisy and worse than the model is, and differ from
call to call.

## References
- [dropout](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html)
- [scaled_dot_product_attention](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torchstone.finding import Edit, Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.places import locals_of
from torchstone.review.syntax.file import File
from torchstone.review.syntax.scopes import Scope
from torchstone.review.syntax.trained_only import is_only_trained

if TYPE_CHECKING:
    from types import FrameType

    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS204"
NAME = "dropout-always-on"
SEVERITY: Severity = "error"
MENTIONS = ("dropout|scaled_dot_product_attention",)

BAD = (
    Example(
        """
        import torch
        from torch import nn
        import torch.nn.functional as F

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(4, 2)

            def forward(self, x):
                return F.dropout(self.linear(x), p=0.5)  # TS204
        """,
        fixed="""
        import torch
        from torch import nn
        import torch.nn.functional as F

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(4, 2)

            def forward(self, x):
                return F.dropout(self.linear(x), p=0.5, training=self.training)
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    import torch.nn.functional as F

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 2)

        def forward(self, x):
            return F.dropout(self.linear(x), p=0.5, training=self.training)

    Net().eval()(torch.randn(3, 4))
    """,
)

# alpha_dropout and feature_alpha_dropout are off by default.
_ON_BY_DEFAULT = {f"torch.nn.functional.dropout{kind}" for kind in ("", "1d", "2d", "3d")}
_ATTENTION = "torch.nn.functional.scaled_dot_product_attention"
_ON_PURPOSE = ("mc", "monte", "bayes", "uncertain")
_MOST_FRAMES = 4
_MOST_LINES = 64
_MOST_OPEN = 8
"""So often a line may drop before a backward pass comes; what drops more often evaluates, perhaps."""


def check(file: File) -> Iterator[Finding]:
    """Looks at each call of a dropout function in a method of a module."""
    for node in file.index.calls():
        if not (isinstance(node.func, ast.Attribute | ast.Name)):
            continue
        name = file.name(node.func)
        if name not in _ON_BY_DEFAULT and name != _ATTENTION:
            continue
        method = _method(file, node)
        if method is None or "training" in ast.unparse(method.node):
            continue
        if name in _ON_BY_DEFAULT and _leaves_it_on(node):
            found = _dropout(file, node, method)
        elif name == _ATTENTION and _fixed_rate(node):
            found = _attention(file, node)
        else:
            continue
        owner = method.method_of
        only_trained = owner is not None and is_only_trained(file.class_of(owner))
        yield replace(found, severity="advice") if only_trained else found


def _method(file: File, node: ast.AST) -> Scope | None:
    """The method of a module that a node stands in."""
    scope: Scope | None = file.index.scope_of(node)
    while scope is not None and scope.method_of is None:
        scope = scope.parent
    if scope is None or scope.method_of is None:
        return None
    cls = file.class_of(scope.method_of)
    names = f"{cls.name} {scope.name}".lower()
    return scope if cls.is_module and not any(word in names for word in _ON_PURPOSE) else None


def _leaves_it_on(node: ast.Call) -> bool:
    named = {keyword.arg for keyword in node.keywords}
    starred = any(isinstance(argument, ast.Starred) for argument in node.args)
    return "training" not in named and None not in named and len(node.args) < 3 and not starred


def _fixed_rate(node: ast.Call) -> bool:
    rate = next((keyword.value for keyword in node.keywords if keyword.arg == "dropout_p"), None)
    if isinstance(rate, ast.Constant):
        return isinstance(rate.value, int | float) and rate.value > 0
    return isinstance(rate, ast.Attribute) and isinstance(rate.value, ast.Name) and rate.value.id == "self"


def _dropout(file: File, node: ast.Call, method: Scope) -> Finding:
    call = ast.unparse(node.func)
    description = f"Pass `training={method.self_name}.training`."
    fix = Fix(description)
    last = max(
        (*node.args, *(k.value for k in node.keywords)),
        key=lambda part: (part.end_lineno, part.end_col_offset),
    )
    if method.self_name is not None and file.index.scope_of(node) is method:
        place = file.replace(last, "")
        text = f", training={method.self_name}.training"
        edit = Edit(place.file, place.end_line, place.end_column, place.end_line, place.end_column, text)
        fix = Fix(description, safe=True, edits=(edit,))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"`{call}` drops in evaluation too: its `training` is True unless it is passed",
        why="eval() cannot switch it off, so predictions are noisy",
        fix=fix,
    )


def _attention(file: File, node: ast.Call) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        "attention drops in evaluation too: `dropout_p` does not depend on `self.training`",
        why="eval() cannot switch it off, so predictions are noisy",
        fix=Fix("Pass `dropout_p=rate if self.training else 0.0`."),
    )


@dataclass
class _Line:
    """A line that drops, and what became of it.

    Args:
        place: where it is.
        owner: the class of the module.
        open: how often it was executed since the last backward pass.
        answered: a backward pass came after it.
    """

    place: Place | None
    owner: str | None
    open: int = 0
    answered: bool = False


class Watch(Detector):
    """Looks for dropout in the forward pass of a model that is in evaluation mode.

    A line of the source is right where all that it gave went into backward passes: nobody evaluated with it.
    """

    AFTER = ("dropout",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._evaluating = False
        self._recording = True
        self._known: set[tuple[Any, int]] = set()
        self._lines: dict[tuple[Any, int], _Line] = {}
        self._crashed = False

    def on_forward_began(self, event: Event) -> None:
        """A model that the program calls, and its mode."""
        self._evaluating = not event.subject.training
        self._recording = event.recording

    def on_forward(self, event: Event) -> None:
        """It is done."""
        if event.root:
            self._evaluating, self._recording = False, True

    def on_backward(self, event: Event) -> None:
        """What was given is trained with."""
        for line in self._lines.values():
            line.answered = line.answered or line.open > 0
            line.open = 0

    def on_state_taken(self, event: Event) -> None:
        """A model is kept, to be evaluated another time."""
        self._keep(event.subject)

    def on_saved(self, event: Event) -> None:
        """Perhaps a whole model."""
        if hasattr(event.subject, "named_modules"):
            self._keep(event.subject)

    def _keep(self, model: Any) -> None:
        names = {type(module).__qualname__ for module in model.modules()}
        for line in self._lines.values():
            if line.owner is None or line.owner in names:
                self.doubt(line.place)

    def on_crash(self, event: Event) -> None:
        """Who knows what would have come."""
        self._crashed = True

    def on_end(self, event: Event) -> None:
        """What source says of a line is withdrawn if it was there for training alone."""
        for line in self._lines.values():
            if line.answered and not line.open and not self._crashed:
                self.right(line.place, 1)

    def _count(self, event: Event) -> None:
        """A line drops once more."""
        frame = event.frame
        if frame is None:
            return
        key = (frame.f_code, frame.f_lineno)
        line = self._lines.get(key)
        if line is None:
            if len(self._lines) >= _MOST_LINES:
                return
            owner = _module(frame)
            line = _Line(event.place, None if owner is None else type(owner).__qualname__)
            self._lines[key] = line
        line.open += 1
        if self._evaluating or not self._recording or line.open > _MOST_OPEN:
            self.doubt(line.place)

    def on_dropout(self, event: Event) -> None:
        """Something is dropped."""
        self._count(event)
        if not self._evaluating:
            return
        attention = event.name.endswith("attention")
        if event.given and not attention:
            return  # `training=True` is how Monte Carlo dropout is written
        frame = event.frame
        if frame is None or (frame.f_code, frame.f_lineno) in self._known:
            return
        self._known.add((frame.f_code, frame.f_lineno))
        owner = _module(frame)
        if owner is None or owner.training or _is_meant(frame, owner):
            return
        depends = "`dropout_p` does not depend on `self.training`"
        if not attention:
            depends = "its `training` is True unless it is passed"
        self.found(
            f"`{event.name}` drops in evaluation too: {depends}",
            why="eval() cannot switch it off, so predictions are noisy",
            place=event.place,
            fix="Pass `dropout_p=rate if self.training else 0.0`."
            if attention
            else "Pass `training=self.training`.",
            rate=event.p,
            module=self.names.module(owner),
        )


def _module(frame: FrameType) -> Any:
    """The module whose method is being run in a frame or above it."""
    above: FrameType | None = frame
    for _ in range(_MOST_FRAMES):
        if above is None:
            return None
        owner = locals_of(above).get("self") if "self" in above.f_code.co_varnames else None
        if hasattr(owner, "named_modules") and hasattr(owner, "training"):
            return owner
        above = above.f_back
    return None


def _is_meant(frame: FrameType, owner: Any) -> bool:
    names = f"{type(owner).__name__} {frame.f_code.co_name}".lower()
    return any(word in names for word in _ON_PURPOSE)
