"""Frames: the meaning of expressions in one function, called from somewhere or looked at by itself."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from torchstone.review.syntax import library
from torchstone.review.syntax.knowledge import TUPLE_LAYERS
from torchstone.review.syntax.scopes import Binding, FunctionNode, Scope
from torchstone.review.syntax.values import Class, Key, Value, join

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File

_DEPTH = 8
BATCH = "batch"
"""The name of what a DataLoader gives, and of its parts."""
_PEELED = {"iter", "list", "tuple", "reversed", "sorted", "next"}


class Frame:
    """One scope and what its parameters are.

    Args:
        file: the scope's file.
        scope: a function, class or module.
        parent: the frame around it, for closures.
        arguments: what the parameters are; None: asked from the places that call it.
        path: the calls that led here, which tell objects made by the same line apart.
        stack: the scopes that are being called, to end recursion.
    """

    def __init__(
        self,
        file: File,
        scope: Scope,
        parent: Frame | None = None,
        arguments: dict[str, Value | None] | None = None,
        path: tuple[object, ...] = (),
        stack: tuple[Scope, ...] = (),
    ) -> None:
        self.file = file
        self.scope = scope
        self.parent = parent
        self.arguments = arguments
        self.path = path
        self.stack = (*stack, scope)
        self._values: dict[ast.expr, Value | None] = {}
        self._callees: dict[ast.Call, Frame | None] = {}
        self._busy: set[object] = set()

    # Names

    def value(self, node: ast.expr) -> Value | None:
        """What an expression is, None when that cannot be seen."""
        if node in self._values:
            return self._values[node]
        if node in self._busy or len(self._busy) > 200:
            return None
        self._busy.add(node)
        try:
            result = self._evaluate(node)
        finally:
            self._busy.discard(node)
        self._values[node] = result
        return result

    def name(self, node: ast.expr) -> str | None:
        """The dotted name of a library function or class, None for anything else."""
        value = self.value(node)
        return value.name if value is not None and value.kind == "library" else None

    def _evaluate(self, node: ast.expr) -> Value | None:
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Attribute):
            base = self.value(node.value)
            return self.attribute(base, node.attr) if base is not None else None
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.IfExp):
            return join([self.value(node.body), self.value(node.orelse)])
        if isinstance(node, ast.BoolOp):
            return join([self.value(part) for part in node.values])
        if isinstance(node, ast.NamedExpr | ast.Await):
            return self.value(node.value)
        if isinstance(node, ast.Tuple | ast.List):
            if any(isinstance(part, ast.Starred) for part in node.elts):
                return None
            return Value("sequence", items=tuple(self.value(part) for part in node.elts))
        if isinstance(node, ast.Constant):
            return Value("constant", constant=node.value)
        if isinstance(node, ast.Lambda):
            return Value("function", function=self.file.index.scopes[node], frame=self)
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, ast.BinOp):
            sides = (self.value(node.left), self.value(node.right))
            if any(side is not None and side.kind == "tensor" for side in sides):
                return Value("tensor")
        return None

    def _subscript(self, node: ast.Subscript) -> Value | None:
        base = self.value(node.value)
        if base is None:
            return None
        if base.kind == "tensor":
            return Value("tensor")
        index = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return _part(base, index) if isinstance(index, int) else None

    def _name(self, node: ast.Name) -> Value | None:
        bindings = self.file.reaching(self.scope).of(node)
        if bindings is not None:
            return join([self.bound(binding) for binding in bindings])
        if node.id in self.scope.bindings and not isinstance(self.scope.node, ast.Module | ast.ClassDef):
            return None  # used before it is bound: a way that reading cannot follow
        return self.outer_name(node.id)

    def outer_name(self, name: str) -> Value | None:
        """What a name means that this scope itself does not bind before its use."""
        if isinstance(self.scope.node, ast.Module):
            return self.global_name(name)
        parent = self.parent or self.file.root(self.scope.parent or self.file.index.module)
        while isinstance(parent.scope.node, ast.ClassDef):
            parent = parent.parent or self.file.root(parent.scope.parent or self.file.index.module)
        if name in parent.scope.bindings:
            return parent.any_binding(name)
        return parent.outer_name(name)

    def global_name(self, name: str) -> Value | None:
        """A name of the module as other files and functions see it."""
        module = self.file.index.module
        if name in module.bindings:
            return self.file.root(module).any_binding(name)
        return self.file.star_name(name)

    def any_binding(self, name: str) -> Value | None:
        """What all bindings of a name in this scope have in common."""
        if name in self._busy:
            return None
        self._busy.add(name)
        try:
            return join([self.bound(b) for b in self.scope.bindings[name] if b.kind != "delete"])
        finally:
            self._busy.discard(name)

    def bound(self, binding: Binding) -> Value | None:
        """What a binding gives its name."""
        if binding.kind == "parameter":
            return self._parameter(binding)
        if binding.kind == "import":
            return self.file.imported(binding)
        if binding.kind == "function":
            return Value("function", function=self.file.index.scopes[binding.node], frame=self)
        if binding.kind == "class":
            return Value("class", cls=self.file.class_of(self.file.index.scopes[binding.node]), frame=self)
        if binding.value is None:
            return None
        if binding.kind == "for":
            return self.element(binding.value, binding.path)
        if binding.kind == "augment":
            value = self.value(binding.value)
            return Value("tensor") if value is not None and value.kind == "tensor" else None
        if binding.kind == "with":
            value = self.value(binding.value)
            return value if value is not None and value.kind in ("module", "instance", "framework") else None
        result = self.value(binding.value)
        for position in binding.path:
            result = _part(result, position) if result is not None else None
        return result

    def _parameter(self, binding: Binding) -> Value | None:
        name = binding.name
        if self.arguments is not None:
            return self.arguments.get(name)
        key: Key = ("parameter", self.scope, name)
        if key in self._busy:
            return None
        self._busy.add(key)
        try:
            return self.file.parameter(self.scope, name)
        finally:
            self._busy.discard(key)

    def element(self, iterable: ast.expr, path: tuple[int | None, ...]) -> Value | None:
        """What a loop's variable is: the part at `path` of an element of `iterable`."""
        if isinstance(iterable, ast.Call):
            name = self.file.callable_name(self, iterable)
            if name == "enumerate" and iterable.args:
                return self.element(iterable.args[0], path[1:]) if path and path[0] == 1 else None
            if name == "zip":
                position = path[0] if path else None
                if position is None or position >= len(iterable.args):
                    return None
                return self.element(iterable.args[position], path[1:])
            if name is not None and iterable.args and (name in _PEELED or name.startswith("tqdm.")):
                return self.element(iterable.args[0], path)
        value = self.value(iterable)
        if value is None:
            return None
        if value.kind == "loader":
            if value.name != "torch.utils.data.DataLoader":
                return None
            return Value("tensor", name=BATCH) if path else Value("sequence", name=BATCH)
        if value.kind != "sequence" or not value.items:
            return None
        result = join(list(value.items))
        for position in path:
            result = _part(result, position) if result is not None else None
        return result

    # Attributes

    def attribute(self, base: Value, name: str) -> Value | None:
        """What `base.name` is."""
        if base.kind == "library":
            return Value("library", name=library.canonical_attribute(base.name or "", name))
        if base.kind == "file" and base.file is not None:
            return base.file.member(name)
        if base.kind == "class" and base.cls is not None:
            found = base.cls.method(name)
            if found is not None:
                cls, scope = found
                owner = base if "classmethod" in scope.decorators else None
                return Value("function", function=scope, frame=cls.file.root(cls.scope), owner=owner)
            return None
        if base.cls is not None:
            return self._member(base, base.cls, name)
        if base.kind == "module" and name in ("module", "_orig_mod"):
            return base
        if base.kind == "tensor" and name in ("T", "mT", "data", "real"):
            return Value("tensor")
        return None

    def _member(self, base: Value, cls: Class, name: str) -> Value | None:
        method = cls.method(name)
        stores = [(c, store) for c in cls.lineage() for store in c.file.index.stores[c.scope].get(name, ())]
        if stores:
            values: list[Value | None] = []
            for c, store in stores:
                value = None
                if store.value is not None:
                    value = c.file.method_frame(base, store.scope).value(store.value)
                for position in store.path:
                    value = _part(value, position) if value is not None else None
                values.append(value)
            return join(values)
        if method is not None:
            defined, scope = method
            function = Value("function", function=scope, frame=defined.file.root(defined.scope), owner=base)
            if "property" in scope.decorators:
                frame = self.enter(function, None)
                return frame.returned() if frame else None
            return function
        for c in cls.lineage():
            if name in c.scope.bindings:
                return c.file.root(c.scope).any_binding(name)
        return base if base.kind == "module" and name == "module" else None

    # Calls

    def _call(self, node: ast.Call) -> Value | None:
        if isinstance(node.func, ast.Attribute):
            base = self.value(node.func.value)
            if base is not None:
                known, result = library.method_result(self, node, base, node.func.attr)
                if known:
                    return result
        called = self.value(node.func)
        if called is None:
            return library.builtin_result(self, node)
        keys = frozenset({("new", node, self.path)})
        if called.kind == "library":
            return library.call_result(self, node, called.name or "", keys)
        if called.kind == "class" and called.cls is not None:
            return self.instance(called.cls, node, keys)
        if called.kind == "function":
            frame = self.callee(node)
            return frame.returned() if frame is not None else None
        if called.kind in ("module", "loss"):
            return self._output(called, node)
        return None

    def _output(self, module: Value, node: ast.Call) -> Value | None:
        if module.cls is None:
            name = module.name or ""
            return Value("tensor") if name.startswith("torch.nn.") and name not in TUPLE_LAYERS else None
        frame = self.callee(node)
        return frame.returned() if frame is not None else None

    def instance(self, cls: Class, node: ast.Call | None, keys: frozenset[Key]) -> Value:
        """An object of a class of the project."""
        bases = cls.library_bases()
        kind = library.kind_of_bases(bases, cls)
        return Value(kind, keys, cls=cls, name=next(iter(bases), None), call=node, frame=self)

    def returned(self) -> Value | None:
        """What the function gives back."""
        if "returned" in self._busy:
            return None
        self._busy.add("returned")
        try:
            if isinstance(self.scope.node, ast.Lambda):
                return self.value(self.scope.node.body)
            if self.scope.is_generator or isinstance(self.scope.node, ast.AsyncFunctionDef):
                return None
            values = [self.value(node.value) for node in self.scope.returns if node.value is not None]
            return _join_sequences(values)
        finally:
            self._busy.discard("returned")

    def callee(self, node: ast.Call) -> Frame | None:
        """The frame of the project's function that a call runs (`__init__` of a class, `forward`)."""
        if node not in self._callees:
            self._callees[node] = None  # while it is being found
            called = self.value(node.func)
            self._callees[node] = self.enter(called, node) if called is not None else None
        return self._callees[node]

    def enter(self, called: Value, node: ast.Call | None) -> Frame | None:
        """The frame of `called` with the arguments of `node`; None when it is no function of the project."""
        if called.kind == "function" and called.function is not None:
            return self._enter_function(called, called.function, called.owner, node)
        if called.kind == "class" and called.cls is not None and node is not None:
            made = self.instance(called.cls, node, frozenset({("new", node, self.path)}))
            return self._enter_method(made, "__init__", node)
        if called.cls is not None and called.kind == "module":
            return self._enter_method(called, "forward", node)
        if called.cls is not None:
            return self._enter_method(called, "__call__", node)
        return None

    def _enter_method(self, owner: Value, name: str, node: ast.Call | None) -> Frame | None:
        found = owner.cls.method(name) if owner.cls is not None else None
        if found is None:
            return None
        cls, scope = found
        function = Value("function", function=scope, frame=cls.file.root(cls.scope), owner=owner)
        return self._enter_function(function, scope, owner, node)

    def _enter_function(
        self, called: Value, scope: Scope, owner: Value | None, node: ast.Call | None
    ) -> Frame | None:
        if scope in self.stack or len(self.stack) > _DEPTH or not self.file.project.spend():
            return None
        file = called.frame.file if called.frame is not None else self.file
        arguments = bind_arguments(self, scope, owner, node, file)
        return Frame(file, scope, called.frame, arguments, (*self.path, node or scope), self.stack)


def bind_arguments(
    caller: Frame, scope: Scope, owner: Value | None, node: ast.Call | None, file: File
) -> dict[str, Value | None]:
    """What each parameter is when `caller` calls `scope` by `node`; unknown ones are None."""
    function = scope.node
    assert isinstance(function, FunctionNode)  # noqa: S101 (only functions are called)
    names = list(scope.parameters)
    arguments: dict[str, Value | None] = {}
    defaults = function.args.defaults
    around = file.root(scope.parent or file.index.module)
    for parameter, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
        arguments[parameter] = around.value(default)
    for argument, maybe in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        arguments[argument.arg] = around.value(maybe) if maybe is not None else None
    if scope.method_of is not None and names and "staticmethod" not in scope.decorators and owner is not None:
        arguments[names.pop(0)] = owner
    if node is None:
        return arguments
    for position, given in enumerate(node.args):
        if isinstance(given, ast.Starred):
            arguments.update(dict.fromkeys(names[position:]))
            break
        if position < len(names):
            arguments[names[position]] = caller.value(given)
    if any(keyword.arg is None for keyword in node.keywords):
        passed = {keyword.arg for keyword in node.keywords}
        for name in (*names[len(node.args) :], *(a.arg for a in function.args.kwonlyargs)):
            if name not in passed:
                arguments[name] = None
    for keyword in node.keywords:
        if keyword.arg is not None:
            arguments[keyword.arg] = caller.value(keyword.value)
    return arguments


def _part(value: Value | None, position: int | None) -> Value | None:
    """One part of what is unpacked."""
    if value is None or position is None:
        return None
    if value.kind == "sequence" and value.name == BATCH:
        return Value("tensor", name=BATCH)
    if value.kind == "sequence" and value.items is not None:
        return value.items[position] if -len(value.items) <= position < len(value.items) else None
    if value.kind == "tensor":
        return Value("tensor")
    if value.kind == "module" and value.name == "torch.nn.Sequential" and value.call and value.frame:
        layers = value.call.args
        if -len(layers) <= position < len(layers) and not any(isinstance(a, ast.Starred) for a in layers):
            return value.frame.value(layers[position])
    return None


def _join_sequences(values: list[Value | None]) -> Value | None:
    """Joins what a function returns, tuples part by part."""
    sequences = [v for v in values if v is not None and v.kind == "sequence" and v.items is not None]
    if len(sequences) == len(values) > 1 and len({len(v.items or ()) for v in sequences}) == 1:
        columns = zip(*(v.items or () for v in sequences), strict=True)
        return Value("sequence", items=tuple(join(list(column)) for column in columns))
    return join(values)
