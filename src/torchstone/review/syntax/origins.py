"""Where data comes from: what a value was made of, backwards through names and calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchstone.review.syntax.scopes import Binding, children

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame

_MOST = 400
_ALONE = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, eq=False)
class Origin:
    """An expression that a value was made of, and the frame that it is evaluated in.

    Args:
        frame: the function, as it was called.
        node: the expression.
        callers: the calls that led into the frame, the last one the innermost.
        path: the position in what `node` gives, when it was unpacked.
    """

    frame: Frame
    node: ast.expr
    callers: tuple[tuple[Frame, ast.Call], ...] = ()
    path: tuple[int | None, ...] = ()


def origins(
    frame: Frame, node: ast.expr, callers: tuple[tuple[Frame, ast.Call], ...] = ()
) -> Iterator[Origin]:
    """The expression and all that it was made of, the nearest first; functions of the project are entered.

    `callers` are the calls that led into `frame`, where they are known.
    """
    waiting = [Origin(frame, node, callers)]
    seen: set[tuple[Frame, ast.expr, tuple[int | None, ...]]] = set()
    while waiting and len(seen) < _MOST:
        here = waiting.pop(0)
        key = (here.frame, here.node, here.path)
        if key in seen:
            continue
        seen.add(key)
        yield here
        waiting.extend(_before(here))


def _before(here: Origin) -> Iterator[Origin]:
    frame, node = here.frame, here.node
    if isinstance(node, ast.Name):
        for binding in reaching(frame, node):
            yield from _from_binding(here, binding)
    elif isinstance(node, ast.Tuple | ast.List) and here.path and here.path[0] is not None:
        if here.path[0] < len(node.elts):
            yield Origin(frame, node.elts[here.path[0]], here.callers, here.path[1:])
    elif isinstance(node, ast.Call):
        inner = frame.callee(node)
        if inner is not None and inner.scope.returns:
            callers = (*here.callers, (frame, node))
            for statement in inner.scope.returns:
                if statement.value is not None:
                    yield Origin(inner, statement.value, callers, here.path)
            return
        if inner is not None and inner.scope.name == "__init__" and inner.scope.method_of is not None:
            callers = (*here.callers, (frame, node))
            for stores in inner.file.index.stores[inner.scope.method_of].values():
                for store in stores:
                    if store.scope is inner.scope and store.value is not None:
                        yield Origin(inner, store.value, callers, store.path)
            return
        if isinstance(node.func, ast.Attribute):
            yield Origin(frame, node.func.value, here.callers)
        for argument in (*node.args, *(k.value for k in node.keywords)):
            part = argument.value if isinstance(argument, ast.Starred) else argument
            yield Origin(frame, part, here.callers)
    elif not isinstance(node, _ALONE):
        for child in children(node):
            if isinstance(child, ast.expr):
                yield Origin(frame, child, here.callers)


def resolved(here: Origin) -> Origin:
    """What a name, an attribute of `self` or a call of the project stands for, where that is one thing."""
    for _ in range(_MOST):
        node = here.node
        before: list[Origin] = []
        if isinstance(node, ast.Name):
            bindings = reaching(here.frame, node)
            if all(b.kind in ("assign", "parameter") and None not in b.path for b in bindings):
                before = list(_before(here))
        elif isinstance(node, ast.Tuple | ast.List) and here.path:
            before = list(_before(here))
        elif isinstance(node, ast.Attribute):
            before = _stored(here, node)
        elif isinstance(node, ast.Call):
            inner = here.frame.callee(node)
            if inner is not None and inner.scope.name != "__init__":
                before = list(_before(here))
        if len(before) != 1:
            return here
        here = before[0]
    return here


def _stored(here: Origin, node: ast.Attribute) -> list[Origin]:
    """What a method's class gives `self.x`, when it is assigned once."""
    scope = here.frame.scope
    if scope.method_of is None or not isinstance(node.value, ast.Name) or node.value.id != scope.self_name:
        return []
    file = here.frame.file
    stores = file.index.stores[scope.method_of].get(node.attr, [])
    if len(stores) != 1 or stores[0].value is None:
        return []
    owner = here.frame.value(node.value)
    made = file.method_frame(owner, stores[0].scope) if owner is not None else file.root(stores[0].scope)
    return [Origin(made, stores[0].value, (), (*stores[0].path, *here.path))]


def reaching(frame: Frame, node: ast.Name) -> tuple[Binding, ...]:
    """The bindings that a name may stand for, those of the scopes around a function included."""
    found = frame.file.reaching(frame.scope).of(node)
    if found is not None:
        return found
    scope = frame.scope
    if node.id in scope.bindings and scope.is_function:
        return ()
    while scope.parent is not None:
        scope = scope.parent
        if node.id in scope.bindings:
            return tuple(scope.bindings[node.id])
    return ()


def _from_binding(here: Origin, binding: Binding) -> Iterator[Origin]:
    frame = here.frame
    if binding.scope is not frame.scope:
        frame = frame.file.root(binding.scope)
    if binding.kind == "parameter":
        yield from _from_parameter(here, binding)
    elif binding.kind in ("assign", "augment", "for") and binding.value is not None:
        path = (*binding.path, *here.path) if binding.kind == "assign" else ()
        yield Origin(frame, binding.value, here.callers, path)
        if binding.kind == "augment" and isinstance(binding.node, ast.AugAssign):
            target = binding.node.target
            if isinstance(target, ast.Name):
                yield Origin(frame, target, here.callers, here.path)


def _from_parameter(here: Origin, binding: Binding) -> Iterator[Origin]:
    """What the call that led here gave; of a function looked at by itself, what all its callers give."""
    if here.callers and binding.scope is here.frame.scope:
        caller, call = here.callers[-1]
        given = argument_of(here.frame, call, binding.name)
        if given is not None:
            yield Origin(caller, given, here.callers[:-1], here.path)
        return
    if binding.scope is here.frame.scope:
        for caller, call, _ in here.frame.file.callers(binding.scope):
            given = argument_of(here.frame, call, binding.name)
            if given is not None:
                yield Origin(caller, given, (), here.path)


def argument_of(frame: Frame, call: ast.Call, name: str) -> ast.expr | None:
    """What a call gives to the parameter `name` of the function of `frame`."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    names = frame.scope.parameters
    if frame.scope.self_name is not None:
        names = names[1:]
    if name not in names or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    position = names.index(name)
    return call.args[position] if position < len(call.args) else None
