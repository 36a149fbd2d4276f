"""A module's `__init__` does not call `super().__init__()`, or is misspelt.

## What it does
Reports a `nn.Module` whose `__init__` assigns layers without (or before) the call of its base class's
`__init__`, and one whose constructor is called `_init_`, `__int__` or alike.

## Why is this bad?
The first assignment of a layer stops with "cannot assign module before Module.__init__() call". A
misspelt constructor never runs.

## References
- [Module](https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.scopes import Scope, Store
from torchstone.review.syntax.values import Class

CODE = "TS513"
NAME = "missing-super-init"
SEVERITY: Severity = "error"

BAD = (
    Example(
        """
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                self.linear = nn.Linear(4, 2)  # TS513

            def forward(self, x):
                return self.linear(x)
        """,
        fixed="""
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = nn.Linear(4, 2)

            def forward(self, x):
                return self.linear(x)
        """,
    ),
)
GOOD = (
    """
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 2)

        def forward(self, x):
            return self.linear(x)

    Net()
    """,
)

_MISSPELT = {
    "___init__",
    "__init___",
    "___init___",
    "_init_",
    "__init_",
    "_init__",
    "__int__",
    "__inti__",
    "__intit__",
    "init__",
}


def check(file: File) -> Iterator[Finding]:
    """Looks at the constructor of each module."""
    for cls in file.classes:
        if not cls.is_module or not cls.is_known or cls.node.decorator_list:
            continue
        init = _constructor(file, cls)
        if init is not None:
            yield from _missing(file, cls, init)
        else:
            yield from _misspelt(file, cls)


def _constructor(file: File, cls: Class) -> Scope | None:
    bindings = cls.scope.bindings.get("__init__", [])
    return file.index.scopes[bindings[-1].node] if bindings and bindings[-1].kind == "function" else None


def _missing(file: File, cls: Class, init: Scope) -> Iterator[Finding]:
    first = _first_layer(file, cls, init)
    if first is None:
        return
    calls = [
        node
        for node in ast.walk(init.node)
        if (isinstance(node, ast.Attribute) and node.attr == "__init__" and _is_called(file, node))
        or (isinstance(node, ast.Name) and node.id == "super" and not _is_bare_init(file, node))
    ]
    if any(call.lineno <= first.node.lineno for call in calls):
        return
    statement = file.statement(first.node)
    top = init.body[0]
    body = init.body[1:] if isinstance(top, ast.Expr) and isinstance(top.value, ast.Constant) else init.body
    fix = Fix("Call `super().__init__()` first.")
    if not calls and body and file.starts_line(body[0]) and "super" not in ast.unparse(init.node):
        fix = Fix(fix.description, safe=True, edits=(file.insert_line(body[0], "super().__init__()"),))
    when = "before" if calls else "without"
    yield file.finding(
        CODE,
        NAME,
        SEVERITY,
        statement,
        f"`{cls.name}` assigns `self.{first.name}` {when} a call of `super().__init__()`",
        why="nn.Module cannot hold layers before its own __init__ has run",
        fix=fix,
        related=(file.related(init.node, "the constructor"),),
    )


def _is_called(file: File, node: ast.Attribute) -> bool:
    parent = file.index.parents[node]
    return isinstance(parent, ast.Call) and parent.func is node


def _is_bare_init(file: File, node: ast.Name) -> bool:
    """`super().__init__` without brackets."""
    call = file.index.parents[node]
    attribute = file.index.parents.get(call)
    if not isinstance(attribute, ast.Attribute) or attribute.attr != "__init__":
        return False
    return not _is_called(file, attribute)


def _first_layer(file: File, cls: Class, init: Scope) -> Store | None:
    """The first layer that the constructor itself assigns, under no condition."""
    stores = [
        store for stores in file.index.stores[cls.scope].values() for store in stores if store.scope is init
    ]
    for store in sorted(stores, key=lambda store: store.node.lineno):
        value = file.value(store.value) if isinstance(store.value, ast.Call) and not store.path else None
        parameter = value is not None and value.name == "torch.nn.Parameter"
        direct = file.index.parents[file.statement(store.node)] is init.node
        if value is not None and direct and (parameter or (value.kind == "module" and value.sure)):
            return store
    return None


def _misspelt(file: File, cls: Class) -> Iterator[Finding]:
    for method in cls.methods():
        if method.name not in _MISSPELT or len(method.parameters) == 0:
            continue
        stores = [s for stores in file.index.stores[cls.scope].values() for s in stores if s.scope is method]
        if stores or "__init__" in ast.unparse(method.node):
            yield file.finding(
                CODE,
                NAME,
                SEVERITY,
                method.node,
                f"`{method.name}` of `{cls.name}` is never run: the constructor's name is `__init__`",
                why="the layers that it assigns do not exist",
                fix=Fix("Rename it to `__init__`."),
            )
