"""What a loop over a loader adds up, and what such a sum is divided by."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torchstone.review.syntax.arguments import given, whole
from torchstone.review.syntax.modes import loader_of
from torchstone.review.syntax.origins import reaching
from torchstone.review.syntax.outputs import loss_calls

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame
    from torchstone.review.syntax.scopes import Binding
    from torchstone.review.syntax.values import Value

Kind = Literal["samples", "mean loss", "summed loss", "batches"]
_PLAIN = frozenset(
    {"item", "float", "double", "int", "long", "cpu", "detach", "type", "to", "numpy", "tolist"}
)
_COMPARED = frozenset({"eq", "isclose", "logical_and"})
_DEEPEST = 12


@dataclass(frozen=True, eq=False)
class Sum:
    """A variable that starts at zero and to which a loop over a loader adds.

    Args:
        name: the variable.
        kind: what one round adds: a count of samples, a batch's mean loss, its summed loss, or one.
        node: where it is added.
        loop: the loop.
        frame: where.
    """

    name: str
    kind: Kind
    node: ast.AST
    loop: ast.For
    frame: Frame


@dataclass(frozen=True, eq=False)
class Divisor:
    """A count: of batches, of a loader's samples, or of a whole data set of which it gives a part."""

    kind: Literal["batches", "samples", "whole"]


def sum_of(frame: Frame, node: ast.expr) -> Sum | None:
    """The sum behind `100 * correct`, `total.item()` or `total`."""
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            node = node.right if isinstance(node.left, ast.Constant) else node.left
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PLAIN:
            node = node.func.value
        elif _is_number(node) and isinstance(node, ast.Call):
            node = node.args[0]
        else:
            return None
    bindings = reaching(frame, node)
    added = [(binding, _added(binding)) for binding in bindings if binding.scope is frame.scope]
    if len(added) != len(bindings) or len(bindings) > 6:
        return None
    rounds = [(binding, value) for binding, value in added if value is not None]
    starts = [binding for binding, value in added if value is None and not _divides(binding)]
    if not rounds or not all(_is_zero(binding) for binding in starts):
        return None
    found = [_one(frame, binding, value) for binding, value in rounds]
    first = found[0]
    if first is None or any(each is None or each.kind != first.kind for each in found):
        return None
    return first


def goes_on(frame: Frame, node: ast.expr, count: ast.expr) -> tuple[ast.For, Binding, Binding] | None:
    """A sum over one loader that no epoch begins anew: the loop over epochs, its start and what adds to it.

    Args:
        frame: where.
        node: what is divided.
        count: by which; the length of the loader.
    """
    named = isinstance(count, ast.Call) and isinstance(count.func, ast.Name) and count.func.id == "len"
    if not isinstance(node, ast.Name) or not named or not isinstance(count, ast.Call) or len(count.args) != 1:
        return None
    bindings = frame.scope.bindings.get(node.id, [])
    added = [binding for binding in bindings if _added(binding) is not None]
    starts = [binding for binding in bindings if _added(binding) is None]
    if len(added) != 1 or not starts or not all(_is_zero(binding) for binding in starts):
        return None
    index = frame.file.index
    around = [n for n in index.ancestors(added[0].node) if isinstance(n, ast.For | ast.AsyncFor | ast.While)]
    loops = [loop for loop in around if index.scope_of(loop) is frame.scope]
    if len(loops) != 2 or not all(isinstance(loop, ast.For) for loop in loops):
        return None
    inner, outer = (loop for loop in loops if isinstance(loop, ast.For))
    of_one = _iterated(inner) in (
        ast.unparse(count.args[0]),
        ast.unparse(count.args[0]).removesuffix(".dataset"),
    )
    anew = any(outer in index.ancestors(binding.node) for binding in starts)
    within = outer in index.ancestors(node)
    return (outer, starts[0], added[0]) if of_one and within and not anew and _counts_up(outer) else None


def _counts_up(loop: ast.For) -> bool:
    """Whether a loop goes over a `range`, of more than one round."""
    calls = [part for part in ast.walk(loop.iter) if isinstance(part, ast.Call)]
    ranges = [
        call for call in calls if isinstance(call.func, ast.Name) and call.func.id in ("range", "trange")
    ]
    once = any(len(call.args) == 1 and ast.unparse(call.args[0]) == "1" for call in ranges)
    return bool(ranges) and not once


def _is_number(node: ast.expr) -> bool:
    """`float(x)`, `int(x)`."""
    named = (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("float", "int")
    )
    return named and isinstance(node, ast.Call) and len(node.args) == 1


def _added(binding: Binding) -> ast.expr | None:
    """What `name += value` or `name = name + value` adds."""
    if binding.kind == "augment" and isinstance(binding.node, ast.AugAssign):
        return binding.value if isinstance(binding.node.op, ast.Add) else None
    value = binding.value
    if binding.kind == "assign" and not binding.path and isinstance(value, ast.BinOp):
        same = isinstance(value.left, ast.Name) and value.left.id == binding.name
        return value.right if same and isinstance(value.op, ast.Add) else None
    return None


def _divides(binding: Binding) -> bool:
    """`name /= count`, which a loop around it makes reach itself."""
    return isinstance(binding.node, ast.AugAssign) and isinstance(binding.node.op, ast.Div)


def _is_zero(binding: Binding) -> bool:
    value = binding.value
    if (
        binding.path
        and isinstance(value, ast.Tuple)
        and len(binding.path) == 1
        and binding.path[0] is not None
    ):
        value = value.elts[binding.path[0]] if binding.path[0] < len(value.elts) else None
    if isinstance(value, ast.Call) and ast.unparse(value.func).rsplit(".", 1)[-1] in ("zeros", "tensor"):
        return True
    return isinstance(value, ast.Constant) and value.value in (0, 0.0)


def _one(frame: Frame, binding: Binding, value: ast.expr) -> Sum | None:
    index = frame.file.index
    loop = next((n for n in index.ancestors(binding.node) if isinstance(n, ast.For | ast.While)), None)
    kind = _kind(frame, value, 0)
    if not isinstance(loop, ast.For) or kind is None or index.scope_of(loop) is not frame.scope:
        return None
    return Sum(binding.name, kind, binding.node, loop, frame)


def _kind(frame: Frame, node: ast.expr, depth: int) -> Kind | None:
    """What a value is that a round adds."""
    if depth > _DEEPEST:
        return None
    if isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        value = bindings[0].value if len(bindings) == 1 and bindings[0].kind == "assign" else None
        here = value is not None and not bindings[0].path and bindings[0].scope is frame.scope
        return _kind(frame, value, depth + 1) if here and value is not None else None
    if isinstance(node, ast.Constant):
        return "batches" if node.value == 1 else None
    if isinstance(node, ast.Attribute) and node.attr == "data":
        return _kind(frame, node.value, depth + 1)
    if isinstance(node, ast.Subscript) and ast.unparse(node).endswith(".data[0]"):
        return _kind(frame, node.value, depth + 1)
    if _is_size(node):
        return "samples"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for loss, size in ((node.left, node.right), (node.right, node.left)):
            if _is_size(size) and _kind(frame, loss, depth + 1) == "mean loss":
                return "summed loss"
        return None
    return _called(frame, node, depth) if isinstance(node, ast.Call) else None


def _called(frame: Frame, node: ast.Call, depth: int) -> Kind | None:
    if _is_number(node):
        return _kind(frame, node.args[0], depth + 1)
    if _is_mean_loss(frame, node):
        return "mean loss"
    if not isinstance(node.func, ast.Attribute):
        return None
    if node.func.attr == "sum":
        library = frame.name(node.func) in ("torch.sum", "numpy.sum")
        summed = node.args[0] if library and len(node.args) == 1 else node.func.value
        whole_array = library or not node.args
        return "samples" if whole_array and not node.keywords and _is_comparison(summed) else None
    if node.func.attr in _PLAIN:
        return _kind(frame, node.func.value, depth + 1)
    return None


def _is_comparison(node: ast.expr) -> bool:
    """`a == b`, `a.eq(b)`, also as numbers."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PLAIN:
        node = node.func.value
    if isinstance(node, ast.Compare):
        return len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _COMPARED


def _is_size(node: ast.expr) -> bool:
    """`x.size(0)`, `x.shape[0]`, `len(x)`."""
    if not isinstance(node, ast.Call | ast.Subscript):
        return False
    text = ast.unparse(node)
    if text.endswith((".size(0)", ".shape[0]", ".size()[0]")):
        return True
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"
    return named and isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.args[0], ast.Name)


def _is_mean_loss(frame: Frame, node: ast.Call) -> bool:
    """Whether a call is one of torch's losses that gives the mean of its batch."""
    if not any(call.node is node for call in loss_calls(frame.file)):
        return False
    called = frame.value(node.func)
    made = called.call if called is not None and called.kind == "loss" else node
    if made is None:
        return False
    for keyword in made.keywords:
        if keyword.arg in ("reduction", "size_average", "reduce", None):
            mean = isinstance(keyword.value, ast.Constant) and keyword.value.value == "mean"
            if keyword.arg != "reduction" or not mean:
                return False
    return len(made.args) < (2 if made is not node else 4)


# Counts


def many_in_a_batch(added: Sum) -> bool:
    """Whether the loop goes over a loader whose batches are not known to hold one sample."""
    loader = loader_of(added.frame, added.loop.iter)
    if loader is not None and loader.call is not None and loader.frame is not None:
        if given(loader.call, -1, "batch_sampler") is not None:
            return True
        size = given(loader.call, 1, "batch_size")
        return size is not None and whole(loader.frame, size) != 1
    return "loader" in _iterated(added.loop).lower()


def _iterated(loop: ast.For) -> str:
    """What a loop goes over, without `enumerate`, `tqdm` and the like."""
    node = loop.iter
    while isinstance(node, ast.Call) and node.args:
        node = node.args[0]
    return ast.unparse(node)


def divisor_of(added: Sum, node: ast.expr) -> Divisor | None:
    """What a sum is divided by, when it is a count of the same loop."""
    frame, loop = added.frame, added.loop
    if isinstance(node, ast.Name):
        counter = sum_of(frame, node)
        if counter is not None:
            return _counted(added, counter)
        bindings = reaching(frame, node)
        value = bindings[0].value if len(bindings) == 1 and bindings[0].kind == "assign" else None
        if value is None or bindings[0].path or bindings[0].scope is not frame.scope:
            return None
        node = value
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        return Divisor("samples") if _holds_sizes(frame, node.value, loop) else None
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"
    if not named or not isinstance(node, ast.Call) or len(node.args) != 1:
        return None
    counted = ast.unparse(node.args[0])
    if counted == _iterated(loop):
        return Divisor("batches")
    loader = loader_of(frame, loop.iter)
    chosen = loader is not None and _is_part(loader)
    if counted == f"{_iterated(loop)}.dataset":
        return Divisor("whole" if chosen and added.kind != "mean loss" else "samples")
    data = given(loader.call, 0, "dataset") if loader is not None and loader.call is not None else None
    same = isinstance(data, ast.Name) and data.id == counted
    return Divisor("whole" if chosen and added.kind != "mean loss" else "samples") if same else None


def _holds_sizes(frame: Frame, node: ast.Name, loop: ast.For) -> bool:
    """Whether `sizes[phase]` is the size of a data set, where the loop goes over `loaders[phase]`."""
    bindings = reaching(frame, node)
    value = bindings[0].value if len(bindings) == 1 and not bindings[0].path else None
    if not isinstance(value, ast.Dict | ast.DictComp) or not _iterated(loop).endswith("]"):
        return False
    sizes = value.values if isinstance(value, ast.Dict) else [value.value]
    texts = [ast.unparse(size) for size in sizes]
    return bool(texts) and all(t.startswith("len(") and "data" in t and "loader" not in t for t in texts)


def _counted(added: Sum, counter: Sum) -> Divisor | None:
    """A variable that the same loop counts up."""
    if counter.loop is not added.loop or _counts_answers(counter):
        return None
    if counter.kind == "samples":
        return Divisor("samples")
    return Divisor("batches") if counter.kind == "batches" else None


def _counts_answers(counter: Sum) -> bool:
    """Whether a counter counts right answers and not all samples."""
    node = counter.node
    value = node.value if isinstance(node, ast.AugAssign | ast.Assign) else None
    return value is None or any(isinstance(part, ast.Compare) for part in ast.walk(value))


def _is_part(loader: Value) -> bool:
    """Whether a loader draws from a part of its data set alone."""
    sampler = given(loader.call, 3, "sampler") if loader.call is not None else None
    if isinstance(sampler, ast.Name) and loader.frame is not None:
        bindings = reaching(loader.frame, sampler)
        sampler = bindings[0].value if len(bindings) == 1 else None
    if isinstance(sampler, ast.Call):
        return ast.unparse(sampler.func).endswith("SubsetRandomSampler")
    return False
