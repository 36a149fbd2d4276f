"""Layers are kept in a plain list or dict, where the module does not see them.

## What it does
Reports an attribute of a `nn.Module` that is a Python list, tuple or dict of layers made there, and that
nothing turns into `nn.ModuleList`, `nn.ModuleDict` or `nn.Sequential`.

## Why is this bad?
`parameters()` does not give them, so the optimizer never trains them; `to(device)`, `eval()`,
`state_dict()` leave them out. Nothing fails until a checkpoint is loaded.

## References
- [ModuleList](https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html)
"""

from __future__ import annotations

import ast
import linecache
import re
import weakref
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.objects import is_module, is_tensor
from torchstone.review.places import Place, is_users
from torchstone.review.syntax.file import File
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.scopes import Store
from torchstone.review.syntax.values import Class, Value

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS501"
NAME = "unregistered-modules"
SEVERITY: Severity = "error"

BAD = (
    Example(
        """
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = [nn.Linear(4, 4) for _ in range(3)]  # TS501

            def forward(self, x):
                for layer in self.layers:
                    x = layer(x)
                return x
        """,
        fixed="""
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

            def forward(self, x):
                for layer in self.layers:
                    x = layer(x)
                return x
        """,
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self, teacher):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
            self.teacher = [teacher]

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    assert len(list(Net(nn.Linear(4, 4)).parameters())) == 6
    """,
)

_WITHOUT_PARAMETERS = words(
    "ReLU ReLU6 LeakyReLU ELU SELU GELU SiLU Sigmoid Tanh Softmax LogSoftmax Softplus Dropout "
    "Dropout1d Dropout2d Dropout3d Flatten Unflatten Identity MaxPool1d MaxPool2d MaxPool3d "
    "AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool2d Upsample "
    "ZeroPad2d ReflectionPad2d PixelShuffle Hardtanh Mish Hardswish"
)
_REGISTERING = {"add_module", "register_module", "setattr", "__setattr__"}

_STEPS = 3
"""Something is neglected when it was so at this many steps."""

_MOST = 1000
"""So many layers or tensors are followed."""


def check(file: File) -> Iterator[Finding]:
    """Looks at the attributes of each module."""
    for cls in file.classes:
        if not cls.is_module or _takes_care(file, cls) or _is_never_called(file, cls):
            continue
        for name, stores in file.index.stores[cls.scope].items():
            if len(stores) == 1 and not stores[0].path and stores[0].value is not None:
                layer = _unregistered(file, cls, stores[0])
                if layer is not None and _is_plain(file, cls, name):
                    yield _finding(file, cls, stores[0], layer)


def _is_never_called(file: File, cls: Class) -> bool:
    """Whether a class has no `forward`, and no class of the file inherits from it: nothing trains it."""
    if cls.method("forward") is not None or not cls.is_known:
        return False
    return not any(cls in other.lineage() for other in file.classes if other is not cls)


def _takes_care(file: File, cls: Class) -> bool:
    """Whether a class registers by hand, or gives its parameters itself."""
    own = {"parameters", "named_parameters", "__setattr__", "to", "cuda"}
    if any(method.name in own for method in cls.methods()):
        return True
    for node in ast.walk(cls.node):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in _REGISTERING:
                return True
    return False


def _unregistered(file: File, cls: Class, store: Store) -> ast.Call | None:
    """The layer with parameters that a container holds and that was made for it."""
    container = store.value
    layers: list[ast.expr] = []
    if isinstance(container, ast.Name):
        return _local_list(file, container)
    if isinstance(container, ast.List | ast.Tuple):
        layers = list(container.elts)
    elif isinstance(container, ast.ListComp):
        layers = [container.elt]
    elif isinstance(container, ast.Dict):
        layers = list(container.values)
    elif isinstance(container, ast.DictComp):
        layers = [container.value]
    else:
        return None
    layers += _appended(file, cls, store.name)
    for layer in layers:
        if isinstance(layer, ast.Call) and _has_parameters(file.value(layer), layer):
            return layer
    return None


def _local_list(file: File, name: ast.Name) -> ast.Call | None:
    """The layer in a list of the constructor that is used for nothing but to be put into the attribute."""
    scope = file.index.scope_of(name)
    bindings = scope.bindings.get(name.id, [])
    if len(bindings) != 1 or not isinstance(bindings[0].value, ast.List | ast.ListComp) or bindings[0].path:
        return None
    made = bindings[0].value
    layers = list(made.elts) if isinstance(made, ast.List) else [made.elt]
    for use in ast.walk(scope.node):
        if (
            not isinstance(use, ast.Name)
            or use.id != name.id
            or use is name
            or isinstance(use.ctx, ast.Store)
        ):
            continue
        method = file.index.parents[use]
        call = file.index.parents[method]
        if not (isinstance(method, ast.Attribute) and method.attr == "append" and isinstance(call, ast.Call)):
            return None
        layers += call.args[:1]
    found = [layer for layer in layers if isinstance(layer, ast.Call)]
    return next((layer for layer in found if _has_parameters(file.value(layer), layer)), None)


def _appended(file: File, cls: Class, name: str) -> list[ast.expr]:
    """What is put into `self.name` afterwards."""
    found: list[ast.expr] = []
    for node in ast.walk(cls.node):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("append", "insert") and _is_self(node.func.value, name) and node.args:
                found.append(node.args[-1])
        elif isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Subscript):
            found += [node.value] if _is_self(target.value, name) else []
    return found


def _has_parameters(value: Value | None, node: ast.Call) -> bool:
    """Whether a call makes a layer with parameters, and is not an output of one."""
    if value is None or value.kind != "module" or value.call is not node:
        return False
    if value.cls is not None:
        return bool(value.cls.file.index.stores[value.cls.scope])
    name = (value.name or "").rsplit(".", 1)[-1]
    return name not in _WITHOUT_PARAMETERS and name not in ("Sequential", "ModuleList", "ModuleDict")


def _is_self(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.value, ast.Name)


def _is_plain(file: File, cls: Class, name: str) -> bool:
    """Whether nothing hands the container to something that may register what is in it."""
    used = False
    for node in file.index.nodes[ast.Attribute]:
        if not isinstance(node, ast.Attribute) or node.attr != name or not isinstance(node.ctx, ast.Load):
            continue
        parent = file.index.parents[node]
        if isinstance(parent, ast.Starred):
            parent = file.index.parents[parent]
        if isinstance(parent, ast.Call) and node is not parent.func:
            called = parent.func.id if isinstance(parent.func, ast.Name) else ""
            if called not in ("len", "zip", "enumerate", "reversed", "range", "print", "list"):
                return False
        if not (isinstance(node.value, ast.Name) and node.value.id == "self"):
            return False  # another object reaches in, perhaps for its parameters
        if isinstance(parent, ast.Subscript) and _is_given_on(file, parent):
            return False
        for above in file.index.ancestors(node):
            if isinstance(above, ast.For) and ".parameters()" in ast.unparse(above):
                return False
            if isinstance(above, ast.FunctionDef):
                break
        used = True
    return used


def _is_given_on(file: File, chosen: ast.Subscript) -> bool:
    """Whether one of the layers is returned, or stored in an attribute, which registers it."""
    parent = file.index.parents[chosen]
    if isinstance(parent, ast.Return):
        return True
    if not isinstance(parent, ast.Assign):
        return False
    if any(isinstance(target, ast.Attribute) for target in parent.targets):
        return True
    names = {target.id for target in parent.targets if isinstance(target, ast.Name)}
    function = file.index.scope_of(chosen).node
    return any(
        isinstance(node, ast.Return) and isinstance(node.value, ast.Name) and node.value.id in names
        for node in ast.walk(function)
    )


def _finding(file: File, cls: Class, store: Store, layer: ast.Call) -> Finding:
    assert store.value is not None  # noqa: S101 (asked before)
    is_dict = isinstance(store.value, ast.Dict | ast.DictComp)
    plain = "dict" if is_dict else "list"
    kind = "ModuleDict" if is_dict else "ModuleList"
    fix = Fix(f"Use `nn.{kind}`.")
    module = _spelling(file, layer)
    if module is not None and not is_dict:
        text = f"{module}.{kind}({_text(file, store.value)})"
        fix = Fix(fix.description, safe=True, edits=(file.replace(store.value, text),))
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        file.statement(store.node),
        f"the layers in `self.{store.name}` of `{cls.name}` are in a plain {plain}, which it does not see",
        why="parameters(), to(), eval() and state_dict() leave them out, so they are not trained",
        fix=fix,
        related=(file.related(layer, "this layer"),) if layer.lineno != store.node.lineno else (),
    )


def _spelling(file: File, layer: ast.Call) -> str | None:
    """How this file writes `torch.nn`."""
    if isinstance(layer.func, ast.Attribute) and file.name(layer.func.value) == "torch.nn":
        return ast.unparse(layer.func.value)
    for name in ("nn", "torch.nn"):
        if file.name(ast.parse(name, mode="eval").body) == "torch.nn":
            return name
    return None


def _text(file: File, node: ast.expr) -> str:
    """The source of an expression as it stands."""
    text = ast.get_source_segment(file.source.text, node) or ast.unparse(node)
    return text if isinstance(node, ast.List | ast.ListComp | ast.Name) else f"[{text.strip('()')}]"


class Watch(Detector):
    """Looks for layers and tensors that a model uses and holds where nobody finds their parameters."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._root: weakref.ref[Any] | None = None
        self._inside: set[int] = set()
        self._strays: dict[int, tuple[weakref.ref[Any], weakref.ref[Any]]] = {}
        self._inputs: dict[int, weakref.ref[Any]] = {}

    @sampled
    def on_forward_began(self, event: Event) -> None:
        """A model is called: what is called in it should be its own."""
        self._root = None
        if event.recording and self.gradients.accounts:
            self._root = weakref.ref(event.subject)
            self._inside = {id(module) for module in event.subject.modules()}

    @sampled
    def on_forward(self, event: Event) -> None:
        """A module inside that is not."""
        if self._root is None:
            return
        module = event.subject
        if event.root:
            self._root = None
        elif id(module) not in self._inside and module._parameters and len(self._strays) < _MOST:
            self._strays[id(module)] = (weakref.ref(module), self._root)

    def on_gradient(self, event: Event) -> None:
        """What gradients are asked for is an input, and may be kept anywhere."""
        asked = event.inputs if isinstance(event.inputs, list | tuple) else [event.inputs]
        if len(self._inputs) >= _MOST:
            self._inputs = {key: one for key, one in self._inputs.items() if one() is not None}
        if len(self._inputs) < _MOST:
            tensors = (one for one in asked if is_tensor(one))
            self._inputs.update({id(tensor): weakref.ref(tensor) for tensor in tensors})

    @sampled
    def on_backward(self, event: Event) -> None:
        """Judges what was neglected over some steps."""
        if not self.gradients.accounts:
            return
        free = {id(leaf): leaf for leaf in self.neglected.look(event, _STEPS)}
        if not free:
            return
        roots = [(root, name) for root, name in self.names.roots() if self.gradients.trains(root)]
        for root, _ in roots:
            for parameter in root.parameters():
                free.pop(id(parameter), None)
        self._judge_modules(event, free)
        for root, name in roots:
            self._judge_tensors(event, root, name, free)

    def _judge_modules(self, event: Event, free: dict[int, Any]) -> None:
        for reference, holder in list(self._strays.values()):
            module, root = reference(), holder()
            if module is None or root is None or not self.gradients.trains(root):
                continue
            if not any(id(one) in free for one in module._parameters.values()):
                continue
            found = _held(root, module)
            if found is None or self.parts.loaded(found[2]):
                continue
            owner, attribute, whole = found
            for one in whole.parameters():
                free.pop(id(one), None)
            made = self.parts.made.get(whole)
            places = list(made.places) if made is not None else []
            self._tell(event, owner, attribute, places, "layers", "nn.ModuleList or nn.ModuleDict")

    def _judge_tensors(self, event: Event, root: Any, name: str, free: dict[int, Any]) -> None:
        for owner in root.modules():
            for attribute, value in vars(owner).items():
                if attribute.startswith("_"):
                    continue
                for tensor in _parts(value):
                    asked = self._inputs.get(id(tensor))
                    if id(tensor) in free and (asked is None or asked() is not tensor):
                        self._tell(event, owner, attribute, [], "a tensor", "nn.Parameter")
                        del free[id(tensor)]

    def _tell(
        self, event: Event, owner: Any, attribute: str, places: list[Place], what: str, instead: str
    ) -> None:
        name = f"{self.names.module(owner)}.{attribute}"
        line = _assigned(owner, attribute)
        place = line or next(iter(places), None) or event.place
        self.found(
            f"`{name}` holds {what} that the model uses, where `parameters()` does not find them",
            why="they get gradients, but no optimizer trains them, and no checkpoint has them",
            place=place,
            fix=f"Keep them in {instead}.",
            related=(
                *((other, "made here") for other in places[:1] if other != place),
                (event.place, "the gradients arrive here"),
            ),
            cause=place,
            parameters=name,
        )


def _parts(value: Any) -> list[Any]:
    """What a value holds where a module does not look."""
    if isinstance(value, dict):
        value = tuple(islice(value.values(), _MOST))
    return list(islice(value, _MOST)) if isinstance(value, list | tuple) else [value]


def _held(root: Any, module: Any) -> tuple[Any, str, Any] | None:
    """Which module of a tree holds a module in a list or dict, by which name, and in which whole module."""
    for owner in root.modules():
        for attribute, value in vars(owner).items():
            if attribute.startswith("_") or not isinstance(value, list | tuple | dict):
                continue
            for part in _parts(value):
                if is_module(part) and any(inner is module for inner in part.modules()):
                    return owner, attribute, part
    return None


def _assigned(owner: Any, attribute: str) -> Place | None:
    """The line of a class's `__init__` that gives an attribute its value."""
    for cls in type(owner).__mro__:
        made = vars(cls).get("__init__")
        code = getattr(made, "__code__", None)
        if code is None or not is_users(code.co_filename):
            continue
        for _, _, line in code.co_lines():
            text = linecache.getline(code.co_filename, line or 0)
            if re.match(rf"\s*self\.{re.escape(attribute)}\s*(:[^=]*)?=", text):
                return Place(code.co_filename, line or 0)
    return None
