"""Scopes and bindings: who defines a name, and which definitions reach each use of it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
ScopeNode: TypeAlias = ast.Module | ast.ClassDef | FunctionNode
LoopNode: TypeAlias = ast.For | ast.AsyncFor | ast.While
BindingKind = Literal[
    "assign", "augment", "import", "function", "class", "parameter", "for", "with", "other", "delete"
]

_LEAVES = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)


def children(node: ast.AST) -> list[ast.AST]:
    """The children of a node in order, without the leaves that say nothing (`Load`, `Add` ...)."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += [part for part in value if isinstance(part, ast.AST)]
        elif isinstance(value, ast.AST) and not isinstance(value, _LEAVES):
            found.append(value)
    return found


_NOTHING: frozenset[int] = frozenset()
_SCOPES = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_BINDING = {
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.NamedExpr,
    ast.For,
    ast.AsyncFor,
    ast.comprehension,
    ast.With,
    ast.AsyncWith,
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.arg,
    ast.ExceptHandler,
    ast.MatchAs,
    ast.MatchStar,
    ast.Delete,
    ast.Call,
}
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(eq=False)
class Binding:
    """One place that gives a name a meaning.

    Args:
        name: the name.
        kind: how it is bound.
        node: the statement, alias, parameter or comprehension that binds it.
        value: the expression that it is bound to (the iterable for a loop), None where there is none.
        path: positions in nested unpacking, `(1,)` for `b` in `a, b = pair`; None stands for a starred part.
        scope: the scope that owns the name.
    """

    name: str
    kind: BindingKind
    node: ast.AST
    value: ast.expr | None
    path: tuple[int | None, ...]
    scope: Scope
    line: int


@dataclass(eq=False)
class Scope:
    """A module, class or function and the names that it binds."""

    node: ScopeNode
    parent: Scope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    outer: dict[str, Literal["global", "nonlocal"]] = field(default_factory=dict)
    returns: list[ast.Return] = field(default_factory=list)
    is_generator: bool = False

    @property
    def name(self) -> str:
        """The function's or class's own name."""
        return getattr(self.node, "name", "")

    @property
    def is_function(self) -> bool:
        """Whether it is a function or a lambda."""
        return isinstance(self.node, FunctionNode)

    @property
    def body(self) -> list[ast.stmt]:
        """Its statements; a lambda has none."""
        return [] if isinstance(self.node, ast.Lambda) else self.node.body

    @property
    def method_of(self) -> Scope | None:
        """The class that a function is a method of."""
        if self.is_function and self.parent and isinstance(self.parent.node, ast.ClassDef):
            return self.parent
        return None

    @property
    def parameters(self) -> list[str]:
        """The names of positional parameters, `self` included."""
        if not isinstance(self.node, FunctionNode):
            return []
        arguments = self.node.args
        return [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]

    @property
    def self_name(self) -> str | None:
        """What a method calls its object."""
        if self.method_of is None or not self.parameters or "staticmethod" in self.decorators:
            return None
        return self.parameters[0]

    @property
    def decorators(self) -> list[str]:
        """The decorators as source, without their arguments."""
        nodes = getattr(self.node, "decorator_list", [])
        return [ast.unparse(node.func if isinstance(node, ast.Call) else node) for node in nodes]

    def __repr__(self) -> str:
        return f"Scope({type(self.node).__name__} {self.name})"


@dataclass(eq=False)
class Store:
    """An assignment to an attribute of `self`: `self.name = value`."""

    name: str
    value: ast.expr | None
    path: tuple[int | None, ...]
    scope: Scope
    node: ast.stmt | ast.expr


class Index:
    """Everything that one walk over a tree collects."""

    def __init__(self, tree: ast.Module) -> None:
        self.parents: dict[ast.AST, ast.AST] = {}
        self.scopes: dict[ast.AST, Scope] = {}
        self.nodes: dict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        self.stores: dict[Scope, dict[str, list[Store]]] = defaultdict(lambda: defaultdict(list))
        self.calls_by_name: dict[str, list[ast.Call]] = defaultdict(list)
        self.module = Scope(tree, None)
        self._owner: dict[ast.AST, Scope] = {}
        self._visit(tree)

    def scope_of(self, node: ast.AST) -> Scope:
        """The innermost scope that `node` is evaluated in."""
        return self._owner.get(node, self.module)

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Parents of a node, the nearest first."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def calls(self) -> Iterable[ast.Call]:
        """All calls, in the order of the source."""
        return self.nodes[ast.Call]  # type: ignore[return-value]

    def _visit(self, tree: ast.Module) -> None:
        self.scopes[tree] = self.module
        stack: list[tuple[ast.AST, Scope]] = [(tree, self.module)]
        outward: list[tuple[ast.Global | ast.Nonlocal, Scope]] = []
        pending: list[tuple[ast.AST, Scope]] = []
        while stack:
            node, scope = stack.pop()
            kind_of = type(node)
            self._owner[node] = scope
            self.nodes[kind_of].append(node)
            if kind_of in _BINDING:
                pending.append((node, scope))
            if isinstance(node, ast.Global | ast.Nonlocal):
                outward.append((node, scope))
            elif kind_of is ast.Return:
                scope.returns.append(node)  # type: ignore[arg-type]
            elif kind_of in (ast.Yield, ast.YieldFrom):
                scope.is_generator = True
            inner, outside = scope, _NOTHING
            if isinstance(node, _SCOPES):
                inner = self.scopes[node] = Scope(node, scope)
                outside = _evaluated_outside(node)
            for child in reversed(children(node)):
                self.parents[child] = node
                stack.append((child, scope if outside and id(child) in outside else inner))
        for statement, scope in outward:
            kind: Literal["global", "nonlocal"] = (
                "global" if isinstance(statement, ast.Global) else "nonlocal"
            )
            scope.outer.update(dict.fromkeys(statement.names, kind))
        for node, scope in pending:
            self._bind(node, scope)

    def _bind(self, node: ast.AST, scope: Scope) -> None:
        """Notes what a node binds."""
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind_target(target, node.value, (), "assign", node, scope)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None or not isinstance(node.target, ast.Name):
                self._bind_target(node.target, node.value, (), "assign", node, scope)
        elif isinstance(node, ast.AugAssign):
            self._bind_target(node.target, node.value, (), "augment", node, scope)
        elif isinstance(node, ast.NamedExpr):
            self._bind_target(node.target, node.value, (), "assign", node, scope)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            self._bind_target(node.target, node.iter, (), "for", node, scope)
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if item.optional_vars is not None:
                    self._bind_target(item.optional_vars, item.context_expr, (), "with", node, scope)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                first = alias.name.split(".")[0] if isinstance(node, ast.Import) else alias.name
                self._add(alias.asname or first, "import", node, None, (), scope, node.lineno)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._add(node.name, "function", node, None, (), scope, node.lineno)
        elif isinstance(node, ast.ClassDef):
            self._add(node.name, "class", node, None, (), scope, node.lineno)
        elif isinstance(node, ast.arg):
            self._add(node.arg, "parameter", node, None, (), scope, node.lineno)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            self._add(node.name, "other", node, None, (), scope, node.lineno)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    self._add(target.id, "delete", node, None, (), scope, node.lineno)
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                self.calls_by_name[node.func.id].append(node)
            elif isinstance(node.func, ast.Attribute):
                self.calls_by_name[node.func.attr].append(node)

    def _bind_target(
        self,
        target: ast.expr,
        value: ast.expr | None,
        path: tuple[int | None, ...],
        kind: BindingKind,
        node: ast.AST,
        scope: Scope,
    ) -> None:
        if isinstance(target, ast.Name):
            self._add(target.id, kind, node, value, path, scope, target.lineno)
        elif isinstance(target, ast.Tuple | ast.List):
            for position, part in enumerate(target.elts):
                if isinstance(part, ast.Starred):
                    self._bind_target(part.value, value, (*path, None), kind, node, scope)
                else:
                    self._bind_target(part, value, (*path, position), kind, node, scope)
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            owner = scope
            while owner.is_function and owner.self_name is None and owner.parent is not None:
                owner = owner.parent  # a closure in a method may use its self
            cls = owner.method_of
            if cls is not None and target.value.id == owner.self_name:
                stored = None if kind in ("augment", "for", "with") else value
                self.stores[cls][target.attr].append(Store(target.attr, stored, path, scope, target))

    def _add(
        self,
        name: str,
        kind: BindingKind,
        node: ast.AST,
        value: ast.expr | None,
        path: tuple[int | None, ...],
        scope: Scope,
        line: int,
    ) -> None:
        where = scope.outer.get(name)
        if where == "global":
            scope = self.module
        elif where == "nonlocal":
            owner = scope.parent
            while owner is not None and (not owner.is_function or name not in owner.bindings):
                owner = owner.parent
            scope = owner or scope
        binding = Binding(name, kind, node, value, path, scope, line)
        scope.bindings.setdefault(name, []).append(binding)


def _evaluated_outside(node: ast.AST) -> frozenset[int]:
    """Children of a class or function that belong to the scope around it: decorators, bases."""
    if isinstance(node, ast.ClassDef):
        parts: list[ast.AST] = [*node.decorator_list, *node.bases, *node.keywords]
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        parts = [*node.decorator_list, *([node.returns] if node.returns else [])]
    else:
        return _NOTHING
    return frozenset(id(part) for part in parts)


Environment: TypeAlias = dict[str, tuple[Binding, ...]]


class Reaching:
    """Which bindings of a scope's names reach each use: branches are joined, loops over-approximated."""

    def __init__(self, scope: Scope) -> None:
        self.definitions: dict[ast.Name, tuple[Binding, ...]] = {}
        self._scope = scope
        self._by_node: dict[ast.AST, list[Binding]] = defaultdict(list)
        for bindings in scope.bindings.values():
            for binding in bindings:
                self._by_node[binding.node].append(binding)
        self._exits: list[list[Environment]] = []
        start: Environment = {}
        if isinstance(scope.node, FunctionNode):
            for name, bindings in scope.bindings.items():
                parameters = tuple(b for b in bindings if b.kind == "parameter")
                if parameters:
                    start[name] = parameters
        if isinstance(scope.node, ast.Lambda):
            self._expression(scope.node.body, start)
        else:
            self._block(scope.node.body, start)

    def of(self, name: ast.Name) -> tuple[Binding, ...] | None:
        """The bindings that reach a use; None when the name is not bound in this scope before it."""
        return self.definitions.get(name)

    def _block(self, body: list[ast.stmt], env: Environment | None) -> Environment | None:
        for statement in body:
            if env is None:
                return None
            env = self._statement(statement, env)
        return env

    def _statement(self, node: ast.stmt, env: Environment) -> Environment | None:
        if isinstance(node, ast.If):
            self._expression(node.test, env)
            return _merge(self._block(node.body, dict(env)), self._block(node.orelse, dict(env)))
        if isinstance(node, LoopNode):
            return self._loop(node, env)
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                self._expression(item.context_expr, env)
            self._define(node, env)
            return self._block(node.body, env)
        if isinstance(node, ast.Try | ast.TryStar):
            return self._try(node, env)
        if isinstance(node, ast.Match):
            return self._match(node, env)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for part in (*node.decorator_list, *getattr(node, "bases", ())):
                self._expression(part, env)
            if not isinstance(node, ast.ClassDef):
                for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d)):
                    self._expression(default, env)
            self._define(node, env)
            return env
        for child in children(node):
            self._expression(child, env)
        if isinstance(node, ast.Return | ast.Raise | ast.Continue | ast.Break):
            if isinstance(node, ast.Continue | ast.Break) and self._exits:
                self._exits[-1].append(env)
            return None
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id in env:
            self.definitions[node.target] = env[node.target.id]
        self._define(node, env)
        return env

    def _match(self, node: ast.Match, env: Environment) -> Environment | None:
        self._expression(node.subject, env)
        result: Environment | None = dict(env)
        for case in node.cases:
            branch = dict(env)
            for part in ast.walk(case.pattern):
                self._define(part, branch)
            result = _merge(result, self._block(case.body, branch))
        return result

    def _loop(self, node: LoopNode, env: Environment) -> Environment | None:
        if isinstance(node, ast.For | ast.AsyncFor):
            self._expression(node.iter, env)
        entry = dict(env)
        end = node.end_lineno or node.lineno
        for name, bindings in self._scope.bindings.items():
            inside = tuple(b for b in bindings if node.lineno <= b.line <= end and b.node is not node)
            if inside:
                entry[name] = _union(entry.get(name, ()), inside)
        if isinstance(node, ast.While):
            self._expression(node.test, entry)
        self._exits.append([])
        inner = dict(entry)
        self._define(node, inner)
        after = self._block(node.body, inner)
        result: Environment | None = _merge(dict(env), after)
        for exit_env in self._exits.pop():
            result = _merge(result, exit_env)
        return self._block(node.orelse, result) if node.orelse else result

    def _try(self, node: ast.Try | ast.TryStar, env: Environment) -> Environment | None:
        before = dict(env)
        after = self._block(node.body, env)
        result = self._block(node.orelse, after) if after is not None else None
        for handler in node.handlers:
            branch = dict(before)
            for name, bindings in self._scope.bindings.items():
                inside = tuple(b for b in bindings if node.lineno <= b.line < handler.lineno)
                if inside:
                    branch[name] = _union(branch.get(name, ()), inside)
            self._define(handler, branch)
            result = _merge(result, self._block(handler.body, branch))
        if node.finalbody:
            ended = self._block(node.finalbody, dict(result) if result is not None else before)
            return ended if result is not None else None
        return result

    def _expression(self, root: ast.AST, env: Environment) -> None:
        """Notes the uses of names; comprehensions bind before their element."""
        stack: list[ast.AST] = [root]
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Load) and node.id in env:
                    self.definitions[node] = env[node.id]
            elif isinstance(node, ast.Lambda):
                stack.extend((*node.args.defaults, *(d for d in node.args.kw_defaults if d)))
            elif isinstance(node, _COMPREHENSIONS):
                inner = dict(env)
                for generator in node.generators:
                    self._expression(generator.iter, inner)
                    self._define(generator, inner)
                    for test in generator.ifs:
                        self._expression(test, inner)
                if isinstance(node, ast.DictComp):
                    self._expression(node.key, inner)
                    self._expression(node.value, inner)
                else:
                    self._expression(node.elt, inner)
            elif isinstance(node, ast.NamedExpr):
                self._expression(node.value, env)
                self._define(node, env)
            else:
                stack.extend(children(node))

    def _define(self, node: ast.AST, env: Environment) -> None:
        for binding in self._by_node.get(node, ()):
            if binding.kind == "delete":
                env.pop(binding.name, None)
            else:
                env[binding.name] = (binding,)


def _union(first: tuple[Binding, ...], second: tuple[Binding, ...]) -> tuple[Binding, ...]:
    return first + tuple(b for b in second if b not in first)


def _merge(first: Environment | None, second: Environment | None) -> Environment | None:
    if first is None:
        return second
    if second is None:
        return first
    for name, bindings in second.items():
        mine = first.get(name)
        if mine is None:
            first[name] = bindings
        elif mine is not bindings:
            first[name] = _union(mine, bindings)
    return first
