"""What a rule is given: one file, what its names mean, and the places of its nodes."""

from __future__ import annotations

import ast
import builtins
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torchstone.finding import Edit, Finding, Fix, Related, Severity
from torchstone.review.syntax.frames import Frame, bind_arguments
from torchstone.review.syntax.knowledge import OPTIMIZER_NAMES
from torchstone.review.syntax.names import ASSUMED, LIBRARIES, STAR_NAMES, canonical, imported_name
from torchstone.review.syntax.scopes import Binding, FunctionNode, Index, Reaching, Scope
from torchstone.review.syntax.values import Class, Key, Kind, Value, join

if TYPE_CHECKING:
    from torchstone.review.syntax.parse import SourceFile
    from torchstone.review.syntax.project import Project

_MOST_CALL_SITES = 12
_ANNOTATED: dict[str, Kind] = {
    "torch.optim.Optimizer": "optimizer",
    "torch.nn.Module": "module",
    "torch.Tensor": "tensor",
    "torch.utils.data.DataLoader": "loader",
}


class File:
    """One file and its meaning, computed once and shared by all rules.

    Args:
        source: the parsed text.
        project: where other files are found.
    """

    def __init__(self, source: SourceFile, project: Project) -> None:
        self.source = source
        self.project = project
        self.used: set[str] = set()
        self.cache: dict[object, Any] = {}
        """What rules share among each other, by any key."""
        self._roots: dict[Scope, Frame] = {}
        self._reaching: dict[Scope, Reaching] = {}
        self._classes: dict[Scope, Class] = {}
        self._methods: dict[tuple[Key, Scope], Frame] = {}
        self._imports: dict[Binding, Value | None] = {}

    @cached_property
    def index(self) -> Index:
        """Scopes, bindings and nodes by type."""
        return Index(self.source.tree)

    def stands_alone(self) -> bool:
        """Whether the file is all of its program: it imports no file of the project, and none imports it."""
        if "alone" not in self.cache:
            self.cache["alone"] = self.project.stands_alone(self)
        result: bool = self.cache["alone"]
        return result

    # Scopes and frames

    def reaching(self, scope: Scope) -> Reaching:
        """Which bindings reach which uses in a scope."""
        if scope not in self._reaching:
            self._reaching[scope] = Reaching(scope)
        return self._reaching[scope]

    def root(self, scope: Scope) -> Frame:
        """The frame of a scope looked at by itself; its parameters are what the file's callers give."""
        if scope not in self._roots:
            self._roots[scope] = Frame(self, scope)
        return self._roots[scope]

    def frame_of(self, node: ast.AST) -> Frame:
        """The frame that a node of this file is evaluated in."""
        return self.root(self.index.scope_of(node))

    def value(self, node: ast.expr) -> Value | None:
        """What an expression of this file is."""
        return self.frame_of(node).value(node)

    def name(self, node: ast.expr) -> str | None:
        """The dotted library name that an expression stands for, such as `torch.nn.Linear`."""
        return self.frame_of(node).name(node)

    def class_of(self, scope: Scope) -> Class:
        """The class that a scope is the body of."""
        if scope not in self._classes:
            self._classes[scope] = Class(scope, self)
        return self._classes[scope]

    @cached_property
    def classes(self) -> list[Class]:
        """All classes of the file."""
        return [self.class_of(s) for s in self.index.scopes.values() if isinstance(s.node, ast.ClassDef)]

    def self_value(self, cls: Class) -> Value:
        """The object that a class's methods are looked at with."""
        key = ("self", cls)
        if key not in self.cache:
            self.cache[key] = self.root(self.index.module).instance(cls, None, frozenset({key}))
        value: Value = self.cache[key]
        return value

    def method_frame(self, owner: Value, scope: Scope) -> Frame:
        """The frame of a method in which `owner`'s attributes are set."""
        if owner.call is None or owner.frame is None:
            return self.root(scope)
        key = (owner.identity, scope)
        if key not in self._methods:
            init = owner.cls is not None and owner.cls.scope is scope.method_of and scope.name == "__init__"
            frame = None
            if init:
                frame = owner.frame.callee(owner.call)
            elif scope.method_of is not None:
                path = (*owner.frame.path, owner.call, scope)
                frame = Frame(self, scope, None, {scope.self_name or "self": owner}, path)
            self._methods[key] = frame if frame is not None and frame.scope is scope else self.root(scope)
        return self._methods[key]

    # What names mean

    def imported(self, binding: Binding) -> Value | None:
        """What an import gives a name."""
        if binding not in self._imports:
            self._imports[binding] = None  # circular imports end here
            assert isinstance(binding.node, ast.Import | ast.ImportFrom)  # noqa: S101 (kind "import")
            module, attribute, level = imported_name(binding.node, binding.name)
            self._imports[binding] = self._import(module, attribute, level)
        return self._imports[binding]

    def _import(self, module: str, attribute: str | None, level: int) -> Value | None:
        library = Value("library", name=canonical(f"{module}.{attribute}" if attribute else module))
        if level == 0 and module.split(".")[0] in LIBRARIES:
            return library
        other = self.project.find(self, module, level)
        if other is not None and attribute is None:
            return Value("file", file=other)
        if other is not None and attribute is not None:
            member = other.member(attribute)
            if member is not None or attribute in other.index.module.bindings:
                return member
        if attribute is not None:
            inner = self.project.find(self, f"{module}.{attribute}" if module else attribute, level)
            if inner is not None:
                return Value("file", file=inner)
        unseen = level == 0 and module and other is None and not self.project.holds(self, module)
        return library if unseen else None

    def member(self, name: str) -> Value | None:
        """A name of this file, as other files see it."""
        return self.root(self.index.module).global_name(name)

    def star_name(self, name: str) -> Value | None:
        """A name that the module does not bind itself: from a star import, or assumed in documentation."""
        for node in self.index.nodes[ast.ImportFrom]:
            assert isinstance(node, ast.ImportFrom)  # noqa: S101 (listed by type)
            if node.names[0].name != "*":
                continue
            module = node.module or ""
            if node.level == 0 and module.split(".")[0] in LIBRARIES:
                if name in STAR_NAMES.get(module, ()):
                    return Value("library", name=canonical(f"{module}.{name}"))
                continue
            other = self.project.find(self, module, node.level)
            if other is not None and other is not self and ("star", name) not in self.cache:
                self.cache["star", name] = None  # files that import each other end here
                member = other.member(name)
                del self.cache["star", name]
                if member is not None:
                    return member
        if self.source.kind == "markdown" and name in ASSUMED:
            return Value("library", name=ASSUMED[name])
        return None

    def callable_name(self, frame: Frame, node: ast.Call) -> str | None:
        """The name of a library function or builtin that a call calls."""
        name = frame.name(node.func)
        if name is not None:
            return name
        if isinstance(node.func, ast.Name) and hasattr(builtins, node.func.id):
            return node.func.id if frame.value(node.func) is None else None
        return None

    # Parameters, from the places that call

    def parameter(self, scope: Scope, name: str) -> Value | None:
        """What a parameter is, by the calls in this file, its annotation or its name."""
        cls = scope.method_of
        if cls is not None and name == scope.self_name:
            return self.self_value(self.class_of(cls))
        given = [
            bind_arguments(caller, scope, owner, node, self).get(name)
            for caller, node, owner in self.callers(scope)
        ]
        if given:
            return join(given)
        node = scope.node
        assert isinstance(node, FunctionNode)  # noqa: S101 (only functions have parameters)
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        argument = next((a for a in arguments if a.arg == name), None)
        if argument is None:
            return None
        key = frozenset({("parameter", scope, name)})
        if argument.annotation is not None:
            annotated = self._annotated(scope, argument.annotation, key)
            if annotated is not None:
                return annotated
        if name.lower() in OPTIMIZER_NAMES:
            return Value("optimizer", key, sure=False)
        return None

    def _annotated(self, scope: Scope, annotation: ast.expr, keys: frozenset[Key]) -> Value | None:
        frame = self.root(scope.parent or self.index.module)
        value = frame.value(annotation)
        if value is None:
            return None
        if value.kind == "class" and value.cls is not None:
            made = frame.instance(value.cls, None, keys)
            return Value(made.kind, keys, made.name, made.cls, sure=False)
        kind = _ANNOTATED.get(value.name or "") if value.kind == "library" else None
        return Value(kind, keys, name=value.name, sure=False) if kind is not None else None

    def callers(self, scope: Scope) -> list[tuple[Frame, ast.Call, Value | None]]:
        """The calls of a function in this file and in those that import it, each with its frame."""
        key = ("callers", scope)
        if key in self.cache:
            cached: list[tuple[Frame, ast.Call, Value | None]] = self.cache[key]
            return cached
        self.cache[key] = []
        cls = scope.method_of
        name = cls.name if cls is not None and scope.name == "__init__" else scope.name
        found: list[tuple[Frame, ast.Call, Value | None]] = []
        for file in (self, *self.project.importers(self)):
            for node in file.index.calls_by_name.get(name, ()):
                frame = file.frame_of(node)
                called = frame.value(node.func)
                if called is None or len(found) >= _MOST_CALL_SITES:
                    continue
                home = called.frame.file if called.frame is not None else file
                if called.kind == "function" and _is_same(called.function, scope, home, self):
                    found.append((frame, node, called.owner))
                elif called.kind == "class" and called.cls is not None:
                    init = called.cls.method("__init__")
                    if init is not None and _is_same(init[1], scope, init[0].file, self):
                        found.append((frame, node, frame.value(node)))
        self.cache[key] = found
        return found

    @cached_property
    def module_calls(self) -> list[tuple[Frame, ast.Call, Value]]:
        """The calls of the project's own modules in this file."""
        found = []
        for node in self.index.calls():
            frame = self.frame_of(node)
            called = frame.value(node.func)
            if called is not None and called.kind == "module" and called.cls is not None:
                found.append((frame, node, called))
        return found

    def passes(self, scope: Scope) -> list[tuple[Frame, ast.Call]]:
        """The calls of modules that run a `forward`, in this file and in those that import it."""
        key = ("passes", scope)
        if key not in self.cache:
            self.cache[key] = []
            found: list[tuple[Frame, ast.Call]] = []
            for file in (self, *self.project.importers(self)):
                for frame, node, called in file.module_calls:
                    method = called.cls.method("forward") if called.cls is not None else None
                    if method is not None and _is_same(method[1], scope, method[0].file, self):
                        found.append((frame, node))
            self.cache[key] = found[:_MOST_CALL_SITES]
        result: list[tuple[Frame, ast.Call]] = self.cache[key]
        return result

    # Findings

    def finding(
        self,
        code: str,
        name: str,
        severity: Severity,
        node: ast.AST,
        message: str,
        *,
        why: str = "",
        evidence: dict[str, Any] | None = None,
        fix: Fix | None = None,
        related: tuple[Related, ...] = (),
    ) -> Finding:
        """A finding at `node`."""
        line, column, cell, end_line, end_column = self._place(node)
        return Finding(
            code,
            name,
            severity,
            message,
            why,
            self.source.path,
            cell,
            line,
            column,
            end_line,
            end_column,
            evidence or {},
            fix,
            related,
        )

    def related(self, node: ast.AST, message: str) -> Related:
        """Another place of this file that takes part."""
        line, column, *_ = self._place(node)
        return Related(self.source.path, line, column, message)

    def _place(self, node: ast.AST) -> tuple[int, int, int | None, int, int]:
        line, offset = node.lineno, node.col_offset  # type: ignore[attr-defined]
        end_line, end_offset = node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]
        if hasattr(node, "body") and isinstance(node, ast.stmt):
            end_line, end_offset = line, len(self.source.lines[line - 1].encode())
        start = self.source.place(line)
        return (
            start.line,
            self.source.column(line, offset),
            start.cell,
            self.source.place(end_line).line,
            self.source.column(end_line, end_offset),
        )

    def replace(self, node: ast.AST, text: str) -> Edit:
        """The edit that puts `text` in the place of an expression or statement."""
        line, offset = node.lineno, node.col_offset  # type: ignore[attr-defined]
        end_line, end_offset = node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]
        start, end = self.source.place(line), self.source.place(end_line)
        first, last = self.source.column(line, offset), self.source.column(end_line, end_offset)
        return Edit(self.source.path, start.line, first, end.line, last, text)

    def insert_line(self, before: ast.stmt, text: str) -> Edit:
        """The edit that puts a statement on a line of its own before `before`, at its indentation."""
        column = self.source.column(before.lineno, before.col_offset)
        line = self.source.place(before.lineno).line
        return Edit(self.source.path, line, column, line, column, f"{text}\n{self._indent(before)}")

    def add_line(self, after: ast.stmt, text: str) -> Edit:
        """The edit that puts a statement on a line of its own after `after`, at its indentation."""
        end_line = after.end_lineno or after.lineno
        column = self.source.column(end_line, after.end_col_offset or 0)
        line = self.source.place(end_line).line
        return Edit(self.source.path, line, column, line, column, f"\n{self._indent(after)}{text}")

    def _indent(self, statement: ast.stmt) -> str:
        """What stands before a statement on its line, in the file: in Markdown more than in the program."""
        lead = self.source.place(statement.lineno).lead
        return lead + self.source.lines[statement.lineno - 1][: statement.col_offset]

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement that a node is part of."""
        while not isinstance(node, ast.stmt):
            node = self.index.parents[node]
        return node

    def starts_line(self, node: ast.stmt) -> bool:
        """Whether nothing but white space stands before a statement on its line."""
        return not self.source.lines[node.lineno - 1].encode()[: node.col_offset].strip()


def _is_same(scope: Scope | None, other: Scope, file: File, mine: File) -> bool:
    """Whether two scopes are one function; a file that imports the checked one has its own copy of it."""
    if scope is other or scope is None or file is mine:
        return scope is other
    places = [(s.name, getattr(s.node, "lineno", 0)) for s in (scope, other)]
    names = [os.path.basename(each.source.path) for each in (file, mine)]
    return places[0] == places[1] and names[0] == names[1]
