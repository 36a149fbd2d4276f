"""The best weights are kept as `state_dict()`, which goes on changing with training.

## What it does
Reports `best = model.state_dict()` in a condition inside a training loop, when `best` is loaded, saved or
returned after the loop.

## Why is this bad?
`state_dict()` holds the live tensors, not copies. At the end of training "the best weights" are the last
ones. Nothing fails.

## References
- [Saving and loading models](https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html)
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchstone.finding import Edit, Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor
from torchstone.review.syntax.file import File

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS802"
NAME = "best-is-reference"
SEVERITY: Severity = "error"
MENTIONS = ("state_dict",)

BAD = (
    Example(
        """
        import copy
        import torch

        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        best_loss, best_weights = float("inf"), None
        for epoch in range(3):
            optimizer.zero_grad()
            loss = model(torch.randn(4, 2)).pow(2).mean()
            loss.backward()
            optimizer.step()
            if loss.item() < best_loss:
                best_loss = loss.item()
                best_weights = model.state_dict()  # TS802
        model.load_state_dict(best_weights)
        """,
        fixed="""
        import copy
        import torch

        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        best_loss, best_weights = float("inf"), None
        for epoch in range(3):
            optimizer.zero_grad()
            loss = model(torch.randn(4, 2)).pow(2).mean()
            loss.backward()
            optimizer.step()
            if loss.item() < best_loss:
                best_loss = loss.item()
                best_weights = copy.deepcopy(model.state_dict())
        model.load_state_dict(best_weights)
        """,
    ),
)
GOOD = (
    """
    import copy
    import torch

    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    best_loss, best_weights = float("inf"), None
    for epoch in range(3):
        optimizer.zero_grad()
        loss = model(torch.randn(4, 2)).pow(2).mean()
        loss.backward()
        optimizer.step()
        if loss.item() < best_loss:
            best_loss = loss.item()
            best_weights = copy.deepcopy(model.state_dict())
    model.load_state_dict(best_weights)
    """,
)

_TRAINS = ("step", "backward", "train", "fit", "optimize", "update")

_MOST = 1000
"""So many states that were taken are followed."""


def check(file: File) -> Iterator[Finding]:
    """Looks at each state_dict that is assigned under a condition in a loop."""
    for call in file.index.calls_by_name.get("state_dict", ()):
        if not isinstance(call.func, ast.Attribute) or call.args or call.keywords:
            continue
        assignment = _assignment(file, call)
        loop = _loop(file, call)
        if assignment is None or loop is None or not _is_model(file, call.func.value):
            continue
        target = assignment.targets[0]
        if _trains(loop) and _used_after(file, target, loop):
            yield _finding(file, call, target)


def _assignment(file: File, call: ast.Call) -> ast.Assign | None:
    """The assignment of the state to one name or attribute, alone or as a value of a dict."""
    node: ast.AST = call
    parent = file.index.parents[node]
    if isinstance(parent, ast.Dict):
        node, parent = parent, file.index.parents[parent]
    if isinstance(parent, ast.Assign) and parent.value is node and len(parent.targets) == 1:
        return parent if isinstance(parent.targets[0], ast.Name | ast.Attribute) else None
    return None


def _loop(file: File, node: ast.AST) -> ast.For | ast.While | None:
    """The loop around a node, when a comparison stands between the two."""
    condition = False
    for above in file.index.ancestors(node):
        if isinstance(above, ast.If):
            condition = condition or any(isinstance(part, ast.Compare) for part in ast.walk(above.test))
        elif isinstance(above, ast.For | ast.While):
            return above if condition else None
        elif isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return None
    return None


def _is_model(file: File, node: ast.expr) -> bool:
    value = file.value(node)
    if value is not None:
        return value.kind == "module"
    name = ast.unparse(node).rsplit(".", 1)[-1].lower()
    return name in ("model", "net", "network", "module", "classifier", "encoder", "generator")


def _trains(loop: ast.For | ast.While) -> bool:
    for node in ast.walk(loop):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if any(word in name.lower() for word in _TRAINS):
                return True
    return False


def _used_after(file: File, target: ast.expr, loop: ast.For | ast.While) -> bool:
    """Whether the state is loaded, saved or returned after the loop."""
    text = ast.unparse(target)
    end = loop.end_lineno or loop.lineno
    kind = type(target)
    for node in file.index.nodes[kind]:
        if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
            continue
        if isinstance(target, ast.Attribute):
            same, outside = True, not loop.lineno <= node.lineno <= end
        else:  # a name is the state's only behind the loop, and until it is bound anew
            same = file.index.scope_of(node) is file.index.scope_of(target)
            outside = node.lineno > end and not _bound_between(file, text, end, node.lineno)
        if ast.unparse(node) != text or not same or not outside:
            continue
        for above in file.index.ancestors(node):
            if isinstance(above, ast.Return):
                return True
            if isinstance(above, ast.Call):
                name = (
                    above.func.attr
                    if isinstance(above.func, ast.Attribute)
                    else getattr(above.func, "id", "")
                )
                if name in ("load_state_dict", "save"):
                    return True
            if isinstance(above, ast.stmt):
                break
    return False


def _bound_between(file: File, name: str, first: int, last: int) -> bool:
    """Whether a name is assigned after one line and before another."""
    return any(
        isinstance(node, ast.Name)
        and node.id == name
        and isinstance(node.ctx, ast.Store)
        and first < node.lineno < last
        for node in file.index.nodes[ast.Name]
    )


def _finding(file: File, call: ast.Call, target: ast.expr) -> Finding:
    text = ast.unparse(call)
    name = ast.unparse(target)
    edits = [file.replace(call, f"copy.deepcopy({text})")]
    if not _imports_copy(file):
        edits.append(_import(file))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{name}` holds the live weights, which training goes on changing: at the end it is the last model",
        why="state_dict() gives references, not copies",
        fix=Fix("Keep a copy: `copy.deepcopy(...)`.", safe=True, edits=tuple(edits)),
    )


def _imports_copy(file: File) -> bool:
    return any(
        alias.name == "copy" and alias.asname is None
        for node in file.index.nodes[ast.Import]
        if isinstance(node, ast.Import) and file.index.scope_of(node) is file.index.module
        for alias in node.names
    )


def _import(file: File) -> Edit:
    """The edit that imports `copy` before the first other import."""
    body = file.source.tree.body
    first = next(
        (
            node
            for node in body
            if isinstance(node, ast.Import)
            or (isinstance(node, ast.ImportFrom) and node.module != "__future__")
        ),
        body[0],
    )
    return file.insert_line(first, "import copy")


@dataclass
class _Taken:
    """A state that was taken from a module.

    Args:
        tensor: one of its values, which shares memory with the module; the reference does not keep it.
        version: of the value, when it was taken.
        place: where.
    """

    tensor: weakref.ref[Any]
    version: int
    place: Place | None


class Watch(Detector):
    """Looks whether the state that a module is given is its own, and has changed since it was taken."""

    AFTER = ("state_taken",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._taken: dict[int, _Taken] = {}
        self._kept: set[Place | None] = set()
        self._last: dict[str, Any] | None = None

    def on_state_taken(self, event: Event) -> None:
        """Remembers a value of those that can be trained."""
        names = (name for name, one in event.subject.named_parameters() if one.requires_grad)
        tensor = event.state.get(next(names, None))
        if tensor is None or not _is_live(event.subject, tensor):
            return
        if len(self._taken) >= _MOST:
            self._taken = {key: one for key, one in self._taken.items() if one.tensor() is not None}
        place = event.place
        for other in self._taken.values():
            before = other.tensor() if other.place == place else None
            if before is not None and before._version != other.version:
                self._kept.add(place)
        if len(self._taken) < _MOST:
            self._taken[id(tensor)] = _Taken(weakref.ref(tensor), tensor._version, place)

    def on_state_loaded(self, event: Event) -> None:
        """What it is given, before it is."""
        values: Any = event.state.values() if hasattr(event.state, "values") else ()
        for tensor in values:
            taken = self._of(tensor)
            if taken is None or not _is_live(event.subject, tensor):
                continue
            changed = tensor._version != taken.version
            if changed or taken.place in self._kept:
                told = self._finding(event, taken)
                if changed:
                    self.found(**told)
                else:  # nothing happened since, so that it is wrong only if this was to end the training
                    self._last = told
            return

    def on_step_ended(self, event: Event) -> None:
        """The training goes on."""
        self._last = None

    def on_end(self, event: Event) -> None:
        """What was loaded last."""
        if self._last is not None:
            self.found(**self._last)

    def _of(self, tensor: Any) -> _Taken | None:
        known = self._taken.get(id(tensor))
        return None if known is None or known.tensor() is not tensor else known

    def _finding(self, event: Event, taken: _Taken) -> dict[str, Any]:
        name = self.names.module(event.subject)
        return {
            "message": f"The state that was kept is `{name}`'s own, and changes with each step",
            "why": "`state_dict()` gives the tensors themselves: loading them later changes nothing",
            "place": taken.place,
            "fix": "Keep a copy: `copy.deepcopy(model.state_dict())`.",
            "related": ((event.place, "loaded here, where it is what the model has anyway"),),
            "cause": taken.place,
        }


def _is_live(module: Any, tensor: Any) -> bool:
    """Whether a value is that of a parameter of the module, and no copy."""
    where = tensor.data_ptr() if is_tensor(tensor) else 0
    return bool(where) and any(one.data_ptr() == where for one in module.parameters())
