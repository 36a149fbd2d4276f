"""What the last operation on a value was: the way from a model's forward to its loss."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchstone.review.syntax.knowledge import (
    SAME_TENSOR_FUNCTIONS,
    SAME_TENSOR_LAYERS,
    SAME_TENSOR_METHODS,
)
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.syntax.file import File
    from torchstone.review.syntax.frames import Frame
    from torchstone.review.syntax.scopes import Binding

_ACTIVATIONS = {
    "softmax": "softmax",
    "log_softmax": "log_softmax",
    "sigmoid": "sigmoid",
    "logsigmoid": "logsigmoid",
    "softmin": "softmin",
    "gumbel_softmax": "gumbel_softmax",
}
_LAYERS = {
    "torch.nn.Softmax": "softmax",
    "torch.nn.Softmax2d": "softmax",
    "torch.nn.LogSoftmax": "log_softmax",
    "torch.nn.Sigmoid": "sigmoid",
    "torch.nn.LogSigmoid": "logsigmoid",
    "torch.nn.ReLU": "relu",
    "torch.nn.Tanh": "tanh",
}
_LINEAR = frozenset(
    f"torch.nn.{name}"
    for name in ("Linear", "Bilinear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose2d", "LazyLinear")
)
_DEEPEST = 60


@dataclass(frozen=True, eq=False)
class Operation:
    """An operation that gave a value.

    Args:
        kind: `softmax`, `log_softmax`, `sigmoid`, `linear` (a layer without activation) or another name.
        node: the call.
        file: where it stands.
    """

    kind: str
    node: ast.expr
    file: File


def last_operations(frame: Frame, node: ast.expr) -> list[Operation] | None:
    """What may have been the last operation on the value of an expression; None when one way is unknown.

    Changes of shape, dtype and device, indexing and dropout are looked through.
    """
    found = _Search().expression(frame, node, 0)
    if found is None:
        return None
    unique = {(id(op.node), op.kind): op for op in found}
    return list(unique.values()) or None


class _Search:
    def __init__(self) -> None:
        self._busy: set[tuple[int, int]] = set()

    def expression(self, frame: Frame, node: ast.expr, depth: int) -> list[Operation] | None:
        key = (id(frame), id(node))
        if depth > _DEEPEST:
            return None
        if key in self._busy:
            return []  # a loop adds nothing to what enters it
        self._busy.add(key)
        try:
            return self._expression(frame, node, depth + 1)
        finally:
            self._busy.discard(key)

    def _expression(self, frame: Frame, node: ast.expr, depth: int) -> list[Operation] | None:
        if isinstance(node, ast.Name):
            bindings = frame.file.reaching(frame.scope).of(node)
            return self._all([self._binding(frame, b, depth) for b in bindings]) if bindings else None
        if isinstance(node, ast.Call):
            return self._call(frame, node, depth)
        if isinstance(node, ast.IfExp):
            return self._all([self.expression(frame, part, depth) for part in (node.body, node.orelse)])
        if isinstance(node, ast.Subscript):
            constant = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if isinstance(constant, str):
                return self._item(frame, node.value, constant, depth)
            if self._gives_tuple(frame, node.value):
                index = node.slice.value if isinstance(node.slice, ast.Constant) else None
                return self._element(frame, node.value, (index,), depth) if isinstance(index, int) else None
            return self.expression(frame, node.value, depth)
        if isinstance(node, ast.Attribute) and node.attr in ("data", "T", "mT"):
            return self.expression(frame, node.value, depth)
        if isinstance(node, ast.NamedExpr):
            return self.expression(frame, node.value, depth)
        if isinstance(node, ast.BinOp | ast.UnaryOp):
            return [Operation("arithmetic", node, frame.file)]
        return None

    def _all(self, found: list[list[Operation] | None]) -> list[Operation] | None:
        if not found or any(part is None for part in found):
            return None
        return [operation for part in found for operation in part or ()]

    def _binding(self, frame: Frame, binding: Binding, depth: int) -> list[Operation] | None:
        if binding.kind == "augment" and isinstance(binding.node, ast.AugAssign):
            return [Operation("arithmetic", binding.node.value, frame.file)]
        if binding.kind != "assign" or binding.value is None:
            return None
        if binding.path:
            return self._element(frame, binding.value, binding.path, depth)
        return self.expression(frame, binding.value, depth)

    def _element(
        self, frame: Frame, node: ast.expr, path: tuple[int | None, ...], depth: int
    ) -> list[Operation] | None:
        """The operation behind one part of a tuple."""
        position = path[0]
        if position is None or depth > _DEEPEST:
            return None
        if isinstance(node, ast.Tuple | ast.List):
            if any(isinstance(part, ast.Starred) for part in node.elts) or position >= len(node.elts):
                return None
            part = node.elts[position]
            rest = path[1:]
            return (
                self._element(frame, part, rest, depth + 1) if rest else self.expression(frame, part, depth)
            )
        if isinstance(node, ast.Name):
            bindings = frame.file.reaching(frame.scope).of(node)
            if not bindings or any(b.kind != "assign" or b.value is None or b.path for b in bindings):
                return None
            return self._all([self._element(frame, b.value, path, depth + 1) for b in bindings if b.value])
        if isinstance(node, ast.Call):
            callee = self._callee(frame, node)
            if callee is None:
                return None
            returns = [r.value for r in callee.scope.returns]
            return self._all([self._element(callee, r, path, depth + 1) if r else None for r in returns])
        return None

    def _item(self, frame: Frame, node: ast.expr, key: str, depth: int) -> list[Operation] | None:
        """The operation behind `node[key]`, when `node` is a dict that is written out."""
        if depth > _DEEPEST:
            return None
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            values = [v for k, v in pairs if isinstance(k, ast.Constant) and k.value == key]
            return self.expression(frame, values[0], depth) if len(values) == 1 else None
        if isinstance(node, ast.Name):
            bindings = frame.file.reaching(frame.scope).of(node)
            if not bindings or any(b.kind != "assign" or b.value is None or b.path for b in bindings):
                return None
            return self._all([self._item(frame, b.value, key, depth + 1) for b in bindings if b.value])
        callee = self._callee(frame, node) if isinstance(node, ast.Call) else None
        if callee is None:
            return None
        returns = [r.value for r in callee.scope.returns]
        return self._all([self._item(callee, r, key, depth + 1) if r else None for r in returns])

    def _gives_tuple(self, frame: Frame, node: ast.expr) -> bool:
        """Whether indexing an expression takes a part of a tuple and not rows of a tensor."""
        if isinstance(node, ast.Tuple | ast.List):
            return True
        if isinstance(node, ast.Name):
            bindings = frame.file.reaching(frame.scope).of(node) or ()
            return any(
                b.value is not None
                and not b.path
                and not isinstance(b.value, ast.Name)
                and self._gives_tuple(frame, b.value)
                for b in bindings
            )
        if isinstance(node, ast.Call):
            callee = self._callee(frame, node)
            returns = [r.value for r in callee.scope.returns] if callee is not None else []
            return any(isinstance(value, ast.Tuple | ast.List) for value in returns)
        return False

    def _callee(self, frame: Frame, node: ast.Call) -> Frame | None:
        value = frame.value(node.func)
        if value is not None and (value.kind == "function" or (value.kind == "module" and value.cls)):
            return frame.callee(node)
        return None

    def _call(self, frame: Frame, node: ast.Call, depth: int) -> list[Operation] | None:
        called = frame.value(node.func)
        if isinstance(node.func, ast.Attribute) and called is None:
            return self._method(frame, node, node.func, depth)
        if called is None:
            return None
        if called.kind == "library":
            return self._library(frame, node, called.name or "", depth)
        if called.kind == "module":
            return self._module(frame, node, called, depth)
        if called.kind == "function":
            callee = frame.callee(node)
            return self._returned(callee, depth) if callee is not None else None
        return None

    def _method(
        self, frame: Frame, node: ast.Call, function: ast.Attribute, depth: int
    ) -> list[Operation] | None:
        """A method of what is taken for a tensor."""
        method = function.attr
        base = frame.value(function.value)
        if base is not None and base.kind not in ("tensor",):
            return None
        if method in _ACTIVATIONS:
            return [Operation(_ACTIVATIONS[method], node, frame.file)]
        if method in ("sigmoid_", "softmax_"):
            return [Operation(method[:-1], node, frame.file)]
        if method in SAME_TENSOR_METHODS:
            return self.expression(frame, function.value, depth)
        if method == "log":
            return self._log(frame, node, function.value, depth)
        if base is not None and base.kind == "tensor":
            return [Operation(method, node, frame.file)]
        return None

    def _log(self, frame: Frame, node: ast.Call, inner: ast.expr, depth: int) -> list[Operation] | None:
        found = self.expression(frame, inner, depth)
        if found and all(operation.kind == "softmax" for operation in found):
            return [Operation("log_softmax", node, frame.file)]
        return [Operation("log", node, frame.file)]

    def _library(self, frame: Frame, node: ast.Call, name: str, depth: int) -> list[Operation] | None:
        last = name.rsplit(".", 1)[-1]
        if not name.startswith(("torch.", "torch.nn.functional.")) or not node.args:
            return None
        if last in _ACTIVATIONS:
            return [Operation(_ACTIVATIONS[last], node, frame.file)]
        if name in SAME_TENSOR_FUNCTIONS:
            return self._same(frame, node.args[0], depth)
        if last == "log":
            return self._log(frame, node, node.args[0], depth)
        if last.startswith("dropout") and name.startswith("torch.nn.functional."):
            return self.expression(frame, node.args[0], depth)
        if name == "torch.nn.functional.linear":
            return [Operation("linear", node, frame.file)]
        if name == "torch.utils.checkpoint.checkpoint":
            return None
        return [Operation(last, node, frame.file)]

    def _same(self, frame: Frame, node: ast.expr, depth: int) -> list[Operation] | None:
        if isinstance(node, ast.Tuple | ast.List):
            return self._all([self.expression(frame, part, depth) for part in node.elts])
        return self.expression(frame, node, depth)

    def _module(self, frame: Frame, node: ast.Call, module: Value, depth: int) -> list[Operation] | None:
        if module.cls is not None:
            callee = frame.callee(node)
            return self._returned(callee, depth) if callee is not None else None
        argument = node.args[0] if node.args else None
        return self._layer(frame, node, module, argument, depth)

    def _layer(
        self, frame: Frame, node: ast.Call, module: Value, argument: ast.expr | None, depth: int
    ) -> list[Operation] | None:
        name = module.name or ""
        made = module.call
        shown: ast.expr = made if made is not None and module.frame is not None else node
        file = module.frame.file if made is not None and module.frame is not None else frame.file
        if depth > _DEEPEST:
            return None
        if name in _LAYERS:
            return [Operation(_LAYERS[name], shown, file)]
        if name in _LINEAR:
            return [Operation("linear", shown, file)]
        if name in SAME_TENSOR_LAYERS:
            return self.expression(frame, argument, depth) if argument is not None else None
        if name == "torch.nn.Sequential" and made is not None and module.frame is not None:
            return self._sequential(frame, node, module.frame, made, argument, depth)
        if name.startswith("torch.nn.") and not name.endswith(("LSTM", "GRU", "RNN", "MultiheadAttention")):
            return [Operation(name.rsplit(".", 1)[-1], shown, file)]
        return None

    def _sequential(
        self,
        frame: Frame,
        node: ast.Call,
        owner: Frame,
        made: ast.Call,
        argument: ast.expr | None,
        depth: int,
    ) -> list[Operation] | None:
        """The last layer of a Sequential that is more than a change of shape."""
        layers = sequential_layers(owner, made)
        if layers is None:
            return None
        for layer in reversed(layers):
            if layer is None:
                return None
            if layer.cls is not None:
                entered = owner.enter(layer, None)
                return self._returned(entered, depth) if entered is not None else None
            if layer.name in SAME_TENSOR_LAYERS:
                continue
            return self._layer(frame, node, layer, None, depth + 1)
        return self.expression(frame, argument, depth) if argument is not None else None

    def _returned(self, callee: Frame, depth: int) -> list[Operation] | None:
        if isinstance(callee.scope.node, ast.Lambda):
            return self.expression(callee, callee.scope.node.body, depth)
        returns = [node.value for node in callee.scope.returns]
        if not returns or callee.scope.is_generator:
            return None
        return self._all([self.expression(callee, value, depth) if value else None for value in returns])


def sequential_layers(frame: Frame, made: ast.Call) -> list[Value | None] | None:
    """The layers that `nn.Sequential(...)` was made of; None when they cannot be listed."""
    arguments = made.args
    if len(arguments) == 1:
        listed = _ordered(frame, arguments[0])
        if listed is not None:
            return [frame.value(layer) for layer in listed]
        inner = arguments[0].value if isinstance(arguments[0], ast.Starred) else None
        if isinstance(inner, ast.List | ast.Tuple):
            arguments = inner.elts
    if any(isinstance(argument, ast.Starred) for argument in arguments):
        # Layers that a list brings do not hide what follows it.
        last = (
            len(arguments)
            - 1
            - next(i for i, argument in enumerate(reversed(arguments)) if isinstance(argument, ast.Starred))
        )
        return [None, *(frame.value(layer) for layer in arguments[last + 1 :])]
    return [frame.value(layer) for layer in arguments]


def _ordered(frame: Frame, node: ast.expr) -> list[ast.expr] | None:
    """The layers of `OrderedDict([("name", layer), ...])` or of a dict literal."""
    if isinstance(node, ast.Call) and (frame.name(node.func) or "").endswith("OrderedDict") and node.args:
        node = node.args[0]
    elif not isinstance(node, ast.Dict):
        return None
    if isinstance(node, ast.Dict):
        return list(node.values)
    if isinstance(node, ast.List | ast.Tuple):
        pairs = [part for part in node.elts if isinstance(part, ast.Tuple) and len(part.elts) == 2]
        return [pair.elts[1] for pair in pairs] if len(pairs) == len(node.elts) else None
    return None


@dataclass(frozen=True, eq=False)
class LossCall:
    """A place where one of torch's losses is computed.

    Args:
        name: the function's name in torch.nn.functional, such as `cross_entropy`.
        node: the call.
        frame: where it is evaluated.
        output: the first argument.
        target: the second argument, None when it is not given by position or name.
    """

    name: str
    node: ast.Call
    frame: Frame
    output: ast.expr
    target: ast.expr | None


_LOSS_FUNCTIONS = {
    "torch.nn.CrossEntropyLoss": "cross_entropy",
    "torch.nn.NLLLoss": "nll_loss",
    "torch.nn.NLLLoss2d": "nll_loss",
    "torch.nn.BCELoss": "binary_cross_entropy",
    "torch.nn.BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "torch.nn.MSELoss": "mse_loss",
    "torch.nn.L1Loss": "l1_loss",
    "torch.nn.SmoothL1Loss": "smooth_l1_loss",
    "torch.nn.HuberLoss": "huber_loss",
}


def loss_calls(file: File) -> list[LossCall]:
    """All places in a file where torch's losses are computed."""
    if "losses" in file.cache:
        cached: list[LossCall] = file.cache["losses"]
        return cached
    found = []
    for node in file.index.calls():
        frame = file.frame_of(node)
        called = frame.value(node.func)
        if called is None or called.kind not in ("library", "loss"):
            continue
        name = called.name or ""
        if called.kind == "loss":
            function = _LOSS_FUNCTIONS.get(name)
        elif name.startswith("torch.nn.functional."):
            function = name.rsplit(".", 1)[-1]
            function = function if function in _LOSS_FUNCTIONS.values() else None
        else:
            function = None
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        output = node.args[0] if node.args else keywords.get("input")
        target = node.args[1] if len(node.args) > 1 else keywords.get("target")
        if function is None or output is None or isinstance(output, ast.Starred):
            continue
        found.append(LossCall(function, node, frame, output, target))
    file.cache["losses"] = found
    return found


def misfits(
    file: File, loss: str, kinds: Collection[str]
) -> list[tuple[LossCall, Operation, tuple[LossCall, ...]]]:
    """The calls of a loss whose output surely ends in one of these operations.

    Args:
        file: the file.
        loss: the function's name in torch.nn.functional.
        kinds: kinds of operations that do not fit the loss.

    Returns:
        For each operation the first call that it reaches, the operation, and the other calls.
    """
    found: dict[ast.expr, tuple[Operation, list[LossCall]]] = {}
    for call in loss_calls(file):
        if call.name != loss:
            continue
        operations = last_operations(call.frame, call.output)
        if operations is not None and all(operation.kind in kinds for operation in operations):
            found.setdefault(operations[0].node, (operations[0], []))[1].append(call)
    return [(calls[0], operation, tuple(calls[1:])) for operation, calls in found.values()]
