"""What code does to gradients, steps and modes, followed through the calls that it makes."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from torchstone.review.syntax.events import (
    Block,
    Branch,
    Call,
    Event,
    Loop,
    Part,
    Seen,
    Switch,
    Switching,
    scan,
)
from torchstone.review.syntax.frames import BATCH
from torchstone.review.syntax.knowledge import (
    GRAD_SWITCHES_OFF,
    GRAD_SWITCHES_ON,
    PURE_MODULE_METHODS,
    PURE_OPTIMIZER_METHODS,
    SAME_MODULE_METHODS,
)
from torchstone.review.syntax.relevance import CLEARING, touches, touches_training, worth_following
from torchstone.review.syntax.scopes import LoopNode, Scope, children
from torchstone.review.syntax.values import Class, Value

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File
    from torchstone.review.syntax.frames import Frame

_INTERESTING = {"optimizer", "module", "scaler", "instance", "function", "framework", "sequence"}
_PASSIVE = {"scaler", "scheduler", "loader", "dataset", "tensor", "loss", "constant"}
_HARMLESS_LIBRARIES = (
    "torch.",
    "torchvision.",
    "numpy.",
    "tqdm",
    "os.",
    "time.",
    "math.",
    "logging.",
    "wandb.",
)
_HARMLESS_NAMES = frozenset({"torchsummary.summary", "torchinfo.summary", "copy.deepcopy", "random.seed"})
_BUILTINS = frozenset(dir(builtins))


def roots(file: File) -> list[tuple[Frame, Block]]:
    """The programs in a file: its module level, then each function that nothing before it has called."""
    if "roots" not in file.cache:
        builder = _Builder()
        module = file.root(file.index.module)
        found = [(module, builder.block_of(module))]
        scopes = [scope for scope in file.index.scopes.values() if scope.is_function]
        # A function that something in the file calls is seen through its callers, if they are seen.
        for wait in (True, False):
            for scope in scopes:
                if scope in builder.visited or isinstance(scope.node, ast.Lambda):
                    continue
                if not touches(file, scope):
                    continue
                if wait and file.callers(scope):
                    continue
                found.append((file.root(scope), builder.block_of(file.root(scope))))
        file.cache["roots"] = found
    result: list[tuple[Frame, Block]] = file.cache["roots"]
    return result


def events(file: File) -> list[list[Seen]]:
    """For each root of the file its events in order."""
    if "events" not in file.cache:
        found = []
        for frame, block in roots(file):
            # Who calls a function that nobody is seen to call may have switched recording off around it.
            known = isinstance(frame.scope.node, ast.Module)
            found.append(list(scan(block, "on" if known else "unknown")))
        file.cache["events"] = found
    result: list[list[Seen]] = file.cache["events"]
    return result


class _Builder:
    """Builds the events of frames and remembers which functions were entered."""

    def __init__(self) -> None:
        self.visited: set[Scope] = set()

    def block_of(self, frame: Frame) -> Block:
        """The events of a whole function or module, its decorators included."""
        self.visited.add(frame.scope)
        block = Block()
        if isinstance(frame.scope.node, ast.Lambda):
            block.parts.extend(self._expression(frame, frame.scope.node.body))
            return block
        self._statements(frame, frame.scope.body, block)
        for decorator in getattr(frame.scope.node, "decorator_list", []):
            kind = _switch(frame.file.root(frame.scope.parent or frame.file.index.module), decorator)
            if kind is not None:
                block = Block([Switch(decorator, kind, block)])
        return block

    def _statements(self, frame: Frame, body: list[ast.stmt], block: Block) -> None:
        for statement in body:
            self._statement(frame, statement, block)
            if block.ends:
                return

    def _body(self, frame: Frame, body: list[ast.stmt]) -> Block:
        block = Block()
        self._statements(frame, body, block)
        return block

    def _statement(self, frame: Frame, node: ast.stmt, block: Block) -> None:
        if isinstance(node, ast.If):
            self._if(frame, node, block)
        elif isinstance(node, LoopNode):
            before = node.test if isinstance(node, ast.While) else node.iter
            block.parts.extend(self._expression(frame, before))
            block.parts.append(Loop(node, frame, self._body(frame, node.body)))
            self._statements(frame, node.orelse, block)
        elif isinstance(node, ast.With | ast.AsyncWith):
            self._with(frame, node, block)
        elif isinstance(node, ast.Try | ast.TryStar):
            self._try(frame, node, block)
        elif isinstance(node, ast.Match):
            block.parts.extend(self._expression(frame, node.subject))
            paths = [self._body(frame, case.body) for case in node.cases]
            block.parts.append(Branch(node, [*paths, Block()]))
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for child in children(node):
                if isinstance(child, ast.expr):
                    block.parts.extend(self._expression(frame, child))
            block.parts.extend(_assigned(frame, node))
            if isinstance(node, ast.Return | ast.Raise | ast.Continue | ast.Break) or _exits(node):
                block.ends = True

    def _if(self, frame: Frame, node: ast.If, block: Block) -> None:
        block.parts.extend(self._expression(frame, node.test))
        decided = True if _is_main(node.test) else _tests_module(frame, node.test)
        if decided is not None:
            self._statements(frame, node.body if decided else node.orelse, block)
            return
        then, otherwise = self._body(frame, node.body), self._body(frame, node.orelse)
        if then.parts or otherwise.parts or then.ends or otherwise.ends:
            block.parts.append(Branch(node, [then, otherwise]))
        block.ends = then.ends and otherwise.ends

    def _with(self, frame: Frame, node: ast.With | ast.AsyncWith, block: Block) -> None:
        inner = self._body(frame, node.body)
        for item in reversed(node.items):
            kind = _switch(frame, item.context_expr)
            body: list[Part] = [Switch(item.context_expr, kind, inner)] if kind else inner.parts
            inner = Block([*self._expression(frame, item.context_expr), *body], inner.ends)
        block.parts.extend(inner.parts)
        block.ends = inner.ends

    def _try(self, frame: Frame, node: ast.Try | ast.TryStar, block: Block) -> None:
        body = self._body(frame, [*node.body, *node.orelse])
        block.parts.extend(body.parts)
        handlers = [self._body(frame, handler.body) for handler in node.handlers]
        if any(handler.parts for handler in handlers):
            block.parts.append(Branch(node, [*handlers, Block()]))
        self._statements(frame, node.finalbody, block)
        block.ends = block.ends or (body.ends and all(handler.ends for handler in handlers))

    # Expressions

    def _expression(self, frame: Frame, root: ast.expr) -> list[Part]:
        """The events of an expression, arguments before the call that takes them."""
        parts: list[Part] = []
        stack: list[tuple[ast.AST, bool]] = [(root, False)]
        while stack:
            node, done = stack.pop()
            if isinstance(node, ast.Lambda):
                continue
            if done:
                assert isinstance(node, ast.Call)  # noqa: S101 (only calls are put back)
                parts.extend(self._call(frame, node))
                continue
            if isinstance(node, ast.Call):
                stack.append((node, True))
            stack.extend((child, False) for child in reversed(children(node)))
        return parts

    def _call(self, frame: Frame, node: ast.Call) -> list[Part]:
        function = node.func
        if isinstance(function, ast.Attribute):
            special = self._method(frame, node, function)
            if special is not None:
                return special
        elif isinstance(function, ast.Name) and CLEARING.search(function.id):
            followed = self._follow(frame, node)
            return followed if followed is not None else [Event("zero", node, frame)]
        called = frame.value(function)
        if called is None:
            known = isinstance(function, ast.Name) and function.id in _BUILTINS
            return [] if known else self._opaque(frame, node)
        if called.kind == "library":
            return self._library(frame, node, called.name or "")
        if called.kind == "module":
            parts: list[Part] = [Event("forward", node, frame, called)]
            if called.cls is not None and touches_training(called.cls):
                followed = self._follow(frame, node)
                parts += followed if followed is not None else self._opaque(frame, node)
            return parts
        if called.kind in ("function", "class", "instance"):
            if called.kind == "class" and called.cls is not None and called.cls.method("__init__") is None:
                return []
            followed = self._follow(frame, node)
            return followed if followed is not None else self._opaque(frame, node)
        return []

    def _method(self, frame: Frame, node: ast.Call, function: ast.Attribute) -> list[Part] | None:
        """What a method call does that means something in training; None for all others."""
        method = function.attr
        base = frame.value(function.value)
        if base is not None and base.kind in ("library", "file", "class"):
            return None
        own = base is not None and base.cls is not None and base.cls.method(method) is not None
        if method in ("backward", "manual_backward"):
            return self._own(frame, node) if own else [Event("backward", node, frame)]
        if method == "step":
            return self._step(frame, node, base, own)
        if method == "zero_grad" or CLEARING.search(method):
            followed = self._follow(frame, node) if own else None
            return followed if followed is not None else [Event("zero", node, frame, base)]
        if method in ("zero_", "fill_", "mul_", "detach_") and "grad" in ast.unparse(function.value):
            return [Event("zero", node, frame)]
        if method in ("train", "eval") and (base is None or base.kind == "module"):
            followed = (self._follow(frame, node) or []) if own else []
            return [*followed, _mode(frame, node, method, base)]
        if base is None or own:
            return None
        if base.kind in _PASSIVE:
            return []
        if base.kind == "module" and method in PURE_MODULE_METHODS | SAME_MODULE_METHODS:
            return []
        if base.kind == "module" and base.cls is None:
            return [Event("forward", node, frame, base)]
        if base.kind == "optimizer" and method in PURE_OPTIMIZER_METHODS:
            return []
        if base.kind in ("optimizer", "instance", "module", "framework"):
            stored = base.cls is not None and _is_stored(base.cls, method)
            return None if stored else self._opaque(frame, node, base)
        return None

    def _own(self, frame: Frame, node: ast.Call) -> list[Part]:
        followed = self._follow(frame, node)
        return followed if followed is not None else self._opaque(frame, node)

    def _step(self, frame: Frame, node: ast.Call, base: Value | None, own: bool) -> list[Part] | None:
        if base is not None and base.kind == "scheduler":
            return [Event("scheduler", node, frame, base)]
        if base is not None and base.kind == "scaler" and node.args:
            return [Event("step", node, frame, frame.value(node.args[0]))]
        if base is None or base.kind != "optimizer":
            return None
        parts: list[Part] = []
        if node.args:
            closure = frame.value(node.args[0])
            entered = frame.enter(closure, None) if closure is not None else None
            if entered is None:
                parts.append(Event("opaque", node, frame, values=(base,)))
            else:
                parts.append(Call(node, frame, self.block_of(entered), entered.scope))
        if own:
            parts += self._own(frame, node)
        return [*parts, Event("step", node, frame, base)]

    def _library(self, frame: Frame, node: ast.Call, name: str) -> list[Part]:
        if name == "torch.autograd.backward":
            return [Event("backward", node, frame)]
        if name == "torch.autograd.grad" or name.startswith(
            ("torch.func.", "torch.optim.swa_utils.update_bn")
        ):
            return [Event("gradient", node, frame)]
        if name.startswith("torch.nn.utils.clip_grad_"):
            return [Event("clip", node, frame)]
        if name.startswith(_HARMLESS_LIBRARIES) or name in _HARMLESS_NAMES:
            return []
        return self._opaque(frame, node)

    def _follow(self, frame: Frame, node: ast.Call) -> list[Part] | None:
        """The events of the function that a call runs; None when it cannot be followed."""
        called = frame.value(node.func)
        if called is not None and not worth_following(frame, node, called):
            return []
        callee = frame.callee(node)
        if callee is None:
            return None
        return [Call(node, frame, self.block_of(callee), callee.scope)]

    def _opaque(self, frame: Frame, node: ast.Call, base: Value | None = None) -> list[Part]:
        """A call that cannot be followed, when it is given anything that training is about."""
        given = [frame.value(argument) for argument in node.args if not isinstance(argument, ast.Starred)]
        given += [frame.value(keyword.value) for keyword in node.keywords]
        if isinstance(node.func, ast.Name):
            given += _made_of(frame, node.func)
        if isinstance(node.func, ast.Attribute):
            receiver = frame.value(node.func.value)
            # `self.model(x)` with an unknown model does not act on self.
            if receiver is None or receiver.cls is None or not _is_stored(receiver.cls, node.func.attr):
                given.append(receiver)
        if base is not None:
            given.append(base)
        values = tuple(v for v in given if v is not None and v.kind in _INTERESTING and v.name != BATCH)
        return [Event("opaque", node, frame, values=values)] if values else []


def _made_of(frame: Frame, name: ast.Name) -> list[Value | None]:
    """What an unknown callable was made of: `clear = partial(optimizer.zero_grad)`."""
    bindings = frame.file.reaching(frame.scope).of(name) or ()
    made = [
        b.value for b in bindings if b.kind == "assign" and b.value is not None and b.scope is frame.scope
    ]
    return [frame.value(part) for value in made for part in ast.walk(value) if isinstance(part, ast.Name)]


def _is_stored(cls: Class, name: str) -> bool:
    """Whether methods of a class assign `self.name`."""
    return any(name in part.file.index.stores[part.scope] for part in cls.lineage())


def _mode(frame: Frame, node: ast.Call, method: str, base: Value | None) -> Event:
    if method == "eval":
        return Event("eval", node, frame, base)
    argument = node.args[0] if node.args else next((k.value for k in node.keywords), None)
    if argument is None:
        return Event("train", node, frame, base)
    if isinstance(argument, ast.Constant):
        return Event("train" if argument.value else "eval", node, frame, base)
    return Event("mode", node, frame, base)


def _switch(frame: Frame, node: ast.expr) -> Switching | None:
    """What a context manager or decorator does to the recording of gradients; None: nothing."""
    called = node.func if isinstance(node, ast.Call) else node
    name = frame.name(called)
    flag = node.args[0] if isinstance(node, ast.Call) and node.args else None
    if name in GRAD_SWITCHES_OFF:
        return "off" if flag is None or (isinstance(flag, ast.Constant) and flag.value) else "unknown"
    if name in GRAD_SWITCHES_ON:
        return "on"
    if name is not None and name.endswith("set_grad_enabled"):
        if isinstance(flag, ast.Constant):
            return "on" if flag.value else "off"
        return "unknown"
    if name is not None and name.startswith(("torch.", "contextlib.", "tqdm", "functools.")):
        return None
    if isinstance(called, ast.Name) and called.id in _BUILTINS:
        return None
    return "unknown"


def _assigned(frame: Frame, node: ast.stmt) -> list[Part]:
    """Gradients and parameters that a statement sets by hand."""
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AugAssign):
        targets, value = [node.target], node.value
    else:
        return []
    parts: list[Part] = []
    for each in targets:
        target = each.value if isinstance(each, ast.Subscript) else each
        if not isinstance(target, ast.Attribute):
            continue
        if target.attr == "grad" or (target.attr == "data" and "grad" in ast.unparse(target.value)):
            nothing = isinstance(value, ast.Constant) and value.value in (None, 0)
            parts.append(Event("zero" if nothing else "gradient", node, frame))
        elif target.attr == "data":
            parts.append(Event("update", node, frame))
        elif target.attr == "training":
            parts.append(Event("mode", node, frame))
    return parts


def _exits(node: ast.stmt) -> bool:
    """Whether a statement ends the program."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return False
    return ast.unparse(node.value.func) in ("exit", "quit", "sys.exit", "os._exit")


def _tests_module(frame: Frame, test: ast.expr) -> bool | None:
    """Whether `isinstance(model, nn.Module)` holds, where the model is known; None for all other tests."""
    if not (isinstance(test, ast.Call) and ast.unparse(test.func) == "isinstance" and len(test.args) == 2):
        return None
    kind = frame.value(test.args[1])
    if kind is None or kind.name not in ("torch.nn.Module", "torch.nn.modules.module.Module"):
        return None
    value = frame.value(test.args[0])
    if value is None or not value.sure or value.kind not in ("module", "function"):
        return None
    return value.kind == "module"


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and "__name__" in ast.unparse(test)
