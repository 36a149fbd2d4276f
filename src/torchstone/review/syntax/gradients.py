"""Where the gradient of a value goes: the way back from a loss to forwards, leaves, cuts and data."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torchstone.review.syntax.knowledge import SAME_TENSOR_METHODS, words

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame
    from torchstone.review.syntax.scopes import Binding, Scope
    from torchstone.review.syntax.values import Value

SourceKind = Literal[
    "forward",  # the call of a module, which has parameters
    "leaf",  # a tensor that itself requires gradients
    "cut",  # an operation that ends the graph of a forward or leaf
    "data",  # nothing that gradients are wanted for
]
_DEEPEST = 50
_MOST = 400
_CUT_METHODS = words(
    "detach item numpy tolist argmax argmin argsort round floor ceil trunc sign long int bool byte eq ne "
    "gt lt ge le"
)
_CUT_FUNCTIONS = frozenset(
    f"torch.{name}"
    for name in words("tensor argmax argmin argsort round floor ceil trunc sign eq ne gt lt ge le from_numpy")
)
_CUT_BUILTINS = words("float int bool round")
_TENSOR_CLASSES = frozenset({"torch.Tensor", "torch.FloatTensor", "torch.LongTensor"})
_MADE = frozenset(
    f"torch.{name}"
    for name in words(
        "zeros ones empty full eye arange linspace rand randn randint randperm normal zeros_like ones_like "
        "empty_like full_like rand_like randn_like randint_like bernoulli multinomial device"
    )
)
_THROUGH_METHODS = SAME_TENSOR_METHODS - {"detach", "requires_grad_"} | words(
    "sum mean abs exp log sqrt pow add sub mul div sigmoid softmax log_softmax relu tanh norm matmul mm bmm "
    "masked_fill gather index_select square neg logsumexp std var max min cumsum prod dot masked_select"
)
_FILLING = ("append", "extend", "insert", "appendleft")
_NO_TENSORS = words("shape size dtype device ndim")
_DATA_NAMES = re.compile(
    r"^(x|y|xs|ys|xb|yb|bx|by|x_?batch|y_?batch|x_?train|y_?train|inputs?|targets?|labels?|batch|data|images?|"
    r"imgs?|real|reals|real_\w+|src|tgt|trg|samples?|features?|device|args|config|cfg|epochs?|lr|alpha|mask)$",
    re.IGNORECASE,
)
"""Parameters that are taken for data when nobody is seen to call the function."""


@dataclass(frozen=True, eq=False)
class Source:
    """One end of the way back from a value.

    Args:
        kind: what is there.
        node: the expression.
        frame: where it is evaluated.
    """

    kind: SourceKind
    node: ast.expr
    frame: Frame


def gradient_sources(
    frame: Frame, node: ast.expr, *, loss: bool = False, some: bool = False
) -> list[Source] | None:
    """Where the gradient of an expression may go; None when one way cannot be seen.

    Args:
        frame: where the expression is evaluated.
        node: the expression.
        loss: whether it is a loss, which is no leaf where it is made to require gradients.
        some: whether ways that cannot be seen are left out.
    """
    search = _Search(node.id if loss and isinstance(node, ast.Name) else "", some)
    found = search.expression(frame, node, 0)
    return list({(id(s.node), s.kind): s for s in found}.values()) if found is not None else None


class _Search:
    def __init__(self, loss: str, some: bool) -> None:
        self._loss = loss
        self._some = some
        self._busy: set[tuple[int, int]] = set()
        self._left = _MOST

    def expression(self, frame: Frame, node: ast.expr, depth: int) -> list[Source] | None:
        key = (id(frame), id(node))
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            return None
        if key in self._busy:
            return []  # a loop adds nothing to what enters it
        self._busy.add(key)
        try:
            return self._expression(frame, node, depth + 1)
        finally:
            self._busy.discard(key)

    def _expression(self, frame: Frame, node: ast.expr, depth: int) -> list[Source] | None:
        if isinstance(node, ast.Constant | ast.JoinedStr):
            return [Source("data", node, frame)]
        if isinstance(node, ast.Name):
            return self._name(frame, node, depth)
        if isinstance(node, ast.Call):
            return self._call(frame, node, depth)
        if isinstance(node, ast.Attribute):
            return self._attribute(frame, node, depth)
        if isinstance(node, ast.Compare):
            return self._cut(frame, node, [node.left, *node.comparators], depth)
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            return self.expression(frame, node.elt, depth)
        parts: list[ast.expr] | None = None
        if isinstance(node, ast.BinOp):
            parts = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            parts = [node.operand]
        elif isinstance(node, ast.IfExp):
            parts = [node.body, node.orelse]
        elif isinstance(node, ast.Tuple | ast.List):
            parts = list(node.elts)
        elif isinstance(node, ast.Subscript | ast.NamedExpr | ast.Starred):
            parts = [node.value]
        return self._all(frame, parts, depth) if parts is not None else None

    def _all(self, frame: Frame, nodes: list[ast.expr], depth: int) -> list[Source] | None:
        found: list[Source] = []
        for node in nodes:
            part = self.expression(frame, node, depth)
            if part is None and not self._some:
                return None
            found += part or []
        return found

    def _cut(self, frame: Frame, node: ast.expr, inner: list[ast.expr], depth: int) -> list[Source] | None:
        """What no gradient passes; what is behind it only tells whether that is a loss."""
        behind = self._all(frame, inner, depth)
        lost = behind is not None and any(source.kind != "data" for source in behind)
        return [Source("cut" if lost else "data", node, frame)]

    # Names

    def _name(self, frame: Frame, node: ast.Name, depth: int) -> list[Source] | None:
        bindings = frame.file.reaching(frame.scope).of(node)
        if not bindings:
            value = frame.value(node)
            known = value is not None and value.kind in ("constant", "library", "function", "class")
            return [Source("data", node, frame)] if known else None
        found: list[Source] = []
        for binding in bindings:
            part = self._binding(frame, node, binding, depth)
            if part is None:
                return None
            found += part
        return found

    def _binding(self, frame: Frame, node: ast.Name, binding: Binding, depth: int) -> list[Source] | None:
        if binding.kind == "parameter":
            return self._parameter(frame, node, binding.scope, depth)
        if binding.value is None:
            return None
        if binding.kind == "augment" and isinstance(binding.node, ast.AugAssign):
            return self._all(frame, [binding.node.target, binding.value], depth)
        if binding.kind == "for":
            return self._element(frame, node, binding.value, depth)
        if binding.kind != "assign" or (binding.name != self._loss and _asked_for(frame, binding)):
            return None
        value = _unpacked(binding.value, binding.path)
        put_in = _put_into(frame, binding, value)
        if put_in is not None:  # a list that is empty and seen to be filled nowhere is filled elsewhere
            return self._all(frame, put_in, depth) if put_in else None
        return self.expression(frame, value, depth)

    def _element(self, frame: Frame, node: ast.Name, iterable: ast.expr, depth: int) -> list[Source] | None:
        text = ast.unparse(iterable).lower()
        if any(word in text for word in ("load", "data", "range(", "batches")):
            return [Source("data", node, frame)]
        return self.expression(frame, iterable, depth)

    def _parameter(self, frame: Frame, node: ast.Name, scope: Scope, depth: int) -> list[Source] | None:
        callers = frame.file.callers(scope)
        if not callers:
            return [Source("data", node, frame)] if _DATA_NAMES.match(node.id) else None
        found: list[Source] = []
        for caller, call, owner in callers:
            given = argument_of(call, scope, node.id, owner)
            part = self.expression(caller, given, depth) if given is not None else None
            if part is None:
                return None
            found += part
        return found

    def _attribute(self, frame: Frame, node: ast.Attribute, depth: int) -> list[Source] | None:
        if node.attr in _NO_TENSORS:
            return [Source("data", node, frame)]
        if node.attr == "data":
            return self._cut(frame, node, [node.value], depth)
        if node.attr in ("T", "mT", "real", "logits", "loss"):
            return self.expression(frame, node.value, depth)
        value = frame.value(node)
        known = value is not None and value.kind == "constant" and _times_set(frame, node.attr) < 2
        return [Source("data", node, frame)] if known else None

    # Calls

    def _call(self, frame: Frame, node: ast.Call, depth: int) -> list[Source] | None:
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        called = frame.value(node.func)
        if called is None:
            if isinstance(node.func, ast.Attribute):
                return self._method(frame, node, node.func, depth)
            return self._builtin(frame, node, depth)
        if called.kind == "library":
            return self._library(frame, node, called.name or "", arguments, depth)
        if called.kind == "loss":
            return self._all(frame, arguments, depth)
        if called.kind == "module":
            return self._module(frame, node, called, depth)
        if called.kind == "function":
            return self._returned(frame, node, depth)
        return None

    def _method(
        self, frame: Frame, node: ast.Call, function: ast.Attribute, depth: int
    ) -> list[Source] | None:
        base = frame.value(function.value)
        if base is not None and base.kind not in ("tensor", "sequence"):
            return None
        if function.attr in _CUT_METHODS:
            return self._cut(frame, node, [function.value], depth)
        if function.attr in _NO_TENSORS:
            return [Source("data", node, frame)]
        if function.attr in _THROUGH_METHODS:
            return self._all(frame, [function.value, *node.args], depth)
        return None

    def _builtin(self, frame: Frame, node: ast.Call, depth: int) -> list[Source] | None:
        if not isinstance(node.func, ast.Name) or frame.file.reaching(frame.scope).of(node.func):
            return None
        if node.func.id in _CUT_BUILTINS:
            return self._cut(frame, node, list(node.args), depth)
        if node.func.id in ("sum", "list", "tuple", "abs", "max", "min"):
            return self._all(frame, list(node.args), depth)
        return [Source("data", node, frame)] if node.func.id in ("len", "range") else None

    def _library(
        self, frame: Frame, node: ast.Call, name: str, arguments: list[ast.expr], depth: int
    ) -> list[Source] | None:
        # `Variable(t)` gives a new leaf; `torch.Tensor(t)` keeps the graph of a tensor, but not of a list.
        listed = name in _TENSOR_CLASSES and any(isinstance(a, ast.List | ast.ListComp) for a in arguments)
        if listed or name in _CUT_FUNCTIONS or name.startswith("numpy.") or name == "torch.autograd.Variable":
            return self._cut(frame, node, arguments, depth)
        if name in _MADE:
            wanted = any(keyword.arg == "requires_grad" for keyword in node.keywords)
            return [Source("leaf" if wanted else "data", node, frame)]
        if name == "torch.nn.Parameter":
            return [Source("leaf", node, frame)]
        if name.startswith("torch.nn.functional.") or (name.startswith("torch.") and name.count(".") == 1):
            return self._all(frame, arguments, depth)
        return None

    def _module(self, frame: Frame, node: ast.Call, module: Value, depth: int) -> list[Source] | None:
        inside = self._returned(frame, node, depth) if module.cls is not None else None
        if inside and all(source.kind in ("cut", "data") for source in inside):
            cuts = [source for source in inside if source.kind == "cut"]
            if cuts:
                return cuts
        return [Source("forward", node, frame)]

    def _returned(self, frame: Frame, node: ast.Call, depth: int) -> list[Source] | None:
        callee = frame.callee(node)
        if callee is None or callee.scope.is_generator:
            return None
        if isinstance(callee.scope.node, ast.Lambda):
            return self.expression(callee, callee.scope.node.body, depth)
        returns = [each.value for each in callee.scope.returns if each.value is not None]
        return self._all(callee, returns, depth) if returns else None


def _times_set(frame: Frame, name: str) -> int:
    """How often a file sets an attribute of a name, of whichever object: what began as 0 may be an output."""
    return sum(
        isinstance(each, ast.Attribute) and each.attr == name and isinstance(each.ctx, ast.Store)
        for each in frame.file.index.nodes[ast.Attribute]
    )


def _unpacked(value: ast.expr, path: tuple[int | None, ...]) -> ast.expr:
    """The part of a written-out tuple that is meant; the whole where it is not written out."""
    for position in path:
        if not isinstance(value, ast.Tuple | ast.List) or position is None or position >= len(value.elts):
            return value
        value = value.elts[position]
    return value


def _put_into(frame: Frame, binding: Binding, value: ast.expr) -> list[ast.expr] | None:
    """What a list that is given to a name holds, and what is put into it; None where it is no list."""
    made = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and not value.args
    if isinstance(value, ast.List):
        held = list(value.elts)
    elif made and value.func.id in ("list", "deque"):  # type: ignore[attr-defined]
        held = []
    else:
        return None
    index = frame.file.index
    for method in _FILLING:
        for call in index.calls_by_name.get(method, ()):
            owner = call.func.value if isinstance(call.func, ast.Attribute) else None
            own = isinstance(owner, ast.Name) and owner.id == binding.name
            if own and index.scope_of(call) is binding.scope:
                held += call.args[-1:]
    return held


def _asked_for(frame: Frame, binding: Binding) -> bool:
    """Whether gradients of a name are asked for somewhere: `x.requires_grad_()`, `x.requires_grad = True`."""
    index = frame.file.index
    key = "asked for gradients"
    if key not in frame.file.cache:
        frame.file.cache[key] = {
            (index.scope_of(attribute), attribute.value.id)
            for attribute in index.nodes[ast.Attribute]
            if isinstance(attribute, ast.Attribute)
            and attribute.attr in ("requires_grad", "requires_grad_", "retain_grad")
            and isinstance(attribute.value, ast.Name)
        }
    return (binding.scope, binding.name) in frame.file.cache[key]


def argument_of(call: ast.Call, scope: Scope, name: str, owner: Value | None) -> ast.expr | None:
    """The expression that a call gives a parameter."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    names = list(scope.parameters)
    if scope.method_of is not None and owner is not None and scope.self_name is not None:
        names = names[1:]
    if name not in names or any(isinstance(argument, ast.Starred) for argument in call.args):
        return None
    position = names.index(name)
    return call.args[position] if position < len(call.args) else None
