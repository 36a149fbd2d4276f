"""Weights are loaded with `strict=False`, and nobody looks at what was missing.

## What it does
Reports `model.load_state_dict(..., strict=False)` whose result is thrown away, when what is loaded is a whole
file as it was saved and the model is a whole one. Adapters, filtered or renamed weights, and parts of a model
are left alone.

## Why is this bad?
With `strict=False` a name that does not match is passed over in silence. When the file was saved from a
wrapped model (`module.`), from another version, or holds the weights one level deeper, nothing is loaded at
all: the model works on with random weights.

## References
- [Module.load_state_dict](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.origins import reaching

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS803"
NAME = "partial-load"
SEVERITY: Severity = "warning"
MENTIONS = ("load_state_dict", "False")

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        model.load_state_dict(torch.load("model.pt"), strict=False)  # TS803
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.save(nn.Linear(4, 8).state_dict(), "encoder.pt")
    model = nn.Linear(4, 8)
    model.load_state_dict(torch.load("encoder.pt"))
    missing, unexpected = model.load_state_dict(torch.load("encoder.pt"), strict=False)
    print("not loaded:", missing, "not used:", unexpected)
    """,
)

_LOADERS = ("torch.load", "safetensors.torch.load_file")
_DELIBERATE = re.compile(
    r"lora|adapter|peft|finetun|fine_tun|backbone|imagenet|pretrain|head\b|classifier|fc\b|encoder|lpips|vgg|"
    r"ema|clip|partial|quant|teacher|transfer",
    re.IGNORECASE,
)
_PARTS = re.compile(
    r"missing|unexpected|incompatible|strip_prefix|consume_prefix|removeprefix", re.IGNORECASE
)

_FEW = 0.1
"""When no more than this part of a state has a place in the model, it is another model's state."""


def check(file: File) -> Iterator[Finding]:
    """Looks at each `load_state_dict` with `strict=False` that is a statement of its own."""
    if "strict" not in file.source.text:
        return
    for call in file.index.calls_by_name.get("load_state_dict", ()):
        if not isinstance(file.index.parents.get(call), ast.Expr) or not isinstance(call.func, ast.Attribute):
            continue
        if not call.args or not _is_loose(call) or _PARTS.search(_function_text(file, call)):
            continue
        if _is_whole(file, call.func.value) and _as_saved(file.frame_of(call), call.args[0]):
            yield _finding(file, call)


def _is_loose(call: ast.Call) -> bool:
    strict = next((word.value for word in call.keywords if word.arg == "strict"), None)
    if strict is None and len(call.args) == 2:
        strict = call.args[1]
    return isinstance(strict, ast.Constant) and strict.value is False


def _function_text(file: File, call: ast.Call) -> str:
    """The code in which a deliberate partial load would be told: the function, or the whole script."""
    return ast.unparse(file.index.scope_of(call).node)


def _is_whole(file: File, node: ast.expr) -> bool:
    """Whether a whole model is loaded into, whose layers nobody replaces or adds on purpose."""
    value = file.value(node)
    if value is None or value.kind != "module" or value.call is None or value.frame is None:
        return False
    if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "self"):
        return False
    here = [ast.unparse(node), value.cls.name if value.cls is not None else value.name or ""]
    return not any(_DELIBERATE.search(text) for text in here)


def _as_saved(frame: Frame, node: ast.expr) -> bool:
    """Whether weights are what a file holds, by names and subscripts only, by a path that says no part."""
    for _ in range(6):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            node = node.value
        elif isinstance(node, ast.Name):
            bindings = reaching(frame, node)
            if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].path:
                return False
            if bindings[0].value is None or bindings[0].scope is not frame.scope or _changed(frame, node):
                return False
            node = bindings[0].value
        elif isinstance(node, ast.Call):
            path = ast.unparse(node.args[0]) if node.args else ""
            return frame.name(node.func) in _LOADERS and not _DELIBERATE.search(path)
        else:
            return False
    return False


def _changed(frame: Frame, name: ast.Name) -> bool:
    """Whether entries are set or taken away: `del weights["head"]`, `weights.pop(...)`."""
    index = frame.file.index
    for use in index.nodes[ast.Name]:
        if not isinstance(use, ast.Name) or use.id != name.id or index.scope_of(use) is not frame.scope:
            continue
        parent = index.parents.get(use)
        if isinstance(parent, ast.Subscript) and not isinstance(parent.ctx, ast.Load):
            return True
        if isinstance(parent, ast.Attribute) and parent.attr in ("pop", "update", "popitem", "setdefault"):
            return True
        if isinstance(parent, ast.Call) and use in parent.args and parent.func is not use:
            called = parent.func.attr if isinstance(parent.func, ast.Attribute) else ""
            if called != "load_state_dict":
                return True
    return False


def _finding(file: File, call: ast.Call) -> Finding:
    model = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else "the model"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{model}` may keep random weights: `strict=False` passes over what does not match",
        why="after a prefix like `module.` or a renamed layer nothing is loaded, and nobody looks",
        fix=Fix("Leave out `strict=False`, or look at the `missing_keys` and `unexpected_keys`."),
    )


@dataclass
class _Load:
    """A load of which hardly anything arrived.

    Args:
        matched: so many values of the state had a place in the module.
        given: of so many.
        unexpected: a name of the state.
        missing: a name of the module.
        place: where.
    """

    matched: int
    given: int
    unexpected: str
    missing: str
    place: Place | None


class Watch(Detector):
    """Looks for a module that is used after a load of which nothing, or hardly anything, arrived."""

    AFTER = ("state_load_ended",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._loads: ByIdentity[_Load] = ByIdentity()

    def on_state_load_ended(self, event: Event) -> None:
        """How much of the state arrived; a later load may mend it."""
        self._loads.pop(event.subject, None)
        missing = list(getattr(event.result, "missing_keys", ()))
        unexpected = list(getattr(event.result, "unexpected_keys", ()))
        given = len(event.state)
        matched = given - len(unexpected)
        if missing and unexpected and matched <= _FEW * given:
            self._loads[event.subject] = _Load(matched, given, unexpected[0], missing[0], event.place)

    def on_forward_began(self, event: Event) -> None:
        """The module is used as it is."""
        if not self._loads:
            return
        for module in event.subject.modules():
            load = self._loads.pop(module, None)
            if load is not None:
                self._tell(module, load, event.place)

    def _tell(self, module: Any, load: _Load, used: Place | None) -> None:
        name = self.names.module(module)
        how_many = f"only {load.matched}" if load.matched else "none"
        self.found(
            f"`{name}` took {how_many} of {load.given} values that it was given: the state has "
            f"`{load.unexpected}` where the model has `{load.missing}`",
            why="with `strict=False` names that do not match are passed over, and the rest stays random",
            place=load.place,
            fix="Rename the keys of the state, such as by leaving out a prefix, and load it strictly.",
            related=((used, "the model is used here as it is"),),
            severity="warning" if load.matched else "error",
            matched=load.matched,
            given=load.given,
        )
