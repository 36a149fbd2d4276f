"""How many samples a data set or an array holds, where the code says it in numbers."""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING, TypeAlias

from torchstone.review.syntax.arguments import given, whole
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import reaching

if TYPE_CHECKING:
    from torchstone.review.syntax.frames import Frame

Path: TypeAlias = tuple[int | None, ...]

_DEEPEST = 20
_TABLES = {
    "load_digits": 1797,
    "load_iris": 150,
    "load_wine": 178,
    "load_breast_cancer": 569,
    "load_diabetes": 442,
}
_PICTURES = {
    "MNIST": (60000, 10000),
    "FashionMNIST": (60000, 10000),
    "KMNIST": (60000, 10000),
    "CIFAR10": (50000, 10000),
    "CIFAR100": (50000, 10000),
}
_MADE = words("make_classification make_regression make_moons make_circles make_blobs make_friedman1")
_SIZED = words("randn rand zeros ones empty full normal random uniform")
_SAME_FUNCTIONS = words("tensor as_tensor from_numpy FloatTensor LongTensor Tensor array asarray float32")
_SAME_METHODS = words(
    "astype float long double to cuda cpu numpy clone copy contiguous unsqueeze requires_grad_"
)


def rows_of(frame: Frame, node: ast.expr | None, path: Path = (), depth: int = 0) -> int | None:
    """The number of samples; None when it is not written out."""
    if node is None or depth > _DEEPEST:
        return None
    depth += 1
    if isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        if len(bindings) != 1 or bindings[0].kind != "assign":
            return None
        home = frame if bindings[0].scope is frame.scope else frame.file.root(bindings[0].scope)
        return rows_of(home, bindings[0].value, (*bindings[0].path, *path), depth)
    if isinstance(node, ast.Tuple | ast.List) and path and path[0] is not None:
        return rows_of(frame, node.elts[path[0]], path[1:], depth) if path[0] < len(node.elts) else None
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.MatMult):
        return rows_of(frame, node.left, path, depth)
    if isinstance(node, ast.Attribute) and node.attr in ("data", "target") and not path:
        return _table(frame, node.value, depth)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and not path:
        return _slice(frame, node.slice, rows_of(frame, node.value, (), depth))
    return _call(frame, node, path, depth) if isinstance(node, ast.Call) else None


def pictures_of(frame: Frame, node: ast.expr | None, depth: int = 0) -> int | None:
    """The size of a data set of torchvision, whole and unchanged, by what it is called and its `train`."""
    if isinstance(node, ast.Name) and depth < _DEEPEST:
        bindings = reaching(frame, node)
        if len(bindings) != 1 or bindings[0].kind != "assign" or bindings[0].path:
            return None
        home = frame if bindings[0].scope is frame.scope else frame.file.root(bindings[0].scope)
        return pictures_of(home, bindings[0].value, depth + 1)
    if not isinstance(node, ast.Call):
        return None
    name = frame.name(node.func) or ""
    sizes = _PICTURES.get(name.rsplit(".", 1)[-1]) if name.startswith("torchvision.datasets.") else None
    train = given(node, 1, "train")
    if sizes is None or (train is not None and not isinstance(train, ast.Constant)):
        return None
    return sizes[0] if train is None or train.value else sizes[1]


def _slice(frame: Frame, part: ast.Slice, rows: int | None) -> int | None:
    low, high = whole(frame, part.lower), whole(frame, part.upper)
    unknown = (part.lower is not None and low is None) or (part.upper is not None and high is None)
    return len(range(rows)[low:high]) if rows is not None and not unknown and part.step is None else None


def _table(frame: Frame, node: ast.expr, depth: int) -> int | None:
    """The rows of a table that scikit-learn brings, loaded as it is."""
    if isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        one = len(bindings) == 1 and bindings[0].kind == "assign" and not bindings[0].path
        return (
            _table(frame, bindings[0].value, depth + 1) if one and bindings[0].value and depth < 9 else None
        )
    if not isinstance(node, ast.Call) or node.args:
        return None
    name = frame.name(node.func) or ""
    whole_table = all(k.arg in ("return_X_y", "as_frame") for k in node.keywords)
    return _TABLES.get(name.rsplit(".", 1)[-1]) if name.startswith("sklearn.") and whole_table else None


def _call(frame: Frame, node: ast.Call, path: Path, depth: int) -> int | None:
    name = frame.name(node.func)
    if name is not None:
        return _library(frame, node, name, path, depth)
    value = frame.value(node.func)
    if value is not None and value.kind == "function":
        inner = frame.callee(node)
        returns = [r.value for r in inner.scope.returns] if inner is not None else []
        return rows_of(inner, returns[0], path, depth) if inner is not None and len(returns) == 1 else None
    if not isinstance(node.func, ast.Attribute) or path:
        return None
    if node.func.attr in _SAME_METHODS:
        return rows_of(frame, node.func.value, (), depth)
    scaled = node.func.attr in ("fit_transform", "transform") and len(node.args) == 1
    return rows_of(frame, node.args[0], (), depth) if scaled else None


def _library(frame: Frame, node: ast.Call, name: str, path: Path, depth: int) -> int | None:
    root, last = name.split(".")[0], name.rsplit(".", 1)[-1]
    first = node.args[0] if node.args else None
    if root == "sklearn":
        if last == "train_test_split":
            return _divided(frame, node, path, depth)
        if path not in ((0,), (1,)):
            return None
        if last in _MADE:
            return whole(frame, given(node, 0, "n_samples")) if node.args or node.keywords else 100
        return _table(frame, node, depth) if any(k.arg == "return_X_y" for k in node.keywords) else None
    if name == "torch.utils.data.random_split" and len(path) == 1 and path[0] is not None:
        sizes = given(node, 1, "lengths")
        parts = sizes.elts if isinstance(sizes, ast.List | ast.Tuple) else []
        return whole(frame, parts[path[0]]) if path[0] < len(parts) else None
    if path or first is None:
        return None
    if name == "torch.utils.data.TensorDataset":
        return rows_of(frame, first, (), depth)
    if root not in ("torch", "numpy"):
        return None
    if last in _SIZED:
        size = given(node, -1, "size") or first
        size = size.elts[0] if isinstance(size, ast.Tuple | ast.List) and size.elts else size
        return whole(frame, size)
    return rows_of(frame, first, (), depth) if last in _SAME_FUNCTIONS else None


def _divided(frame: Frame, node: ast.Call, path: Path, depth: int) -> int | None:
    """The rows of one part that `train_test_split` gives."""
    position = path[0] if len(path) == 1 else None
    if position is None or position // 2 >= len(node.args):
        return None
    rows = rows_of(frame, node.args[position // 2], (), depth)
    if rows is None or any(k.arg == "train_size" for k in node.keywords):
        return None
    size = given(node, -1, "test_size")
    share = frame.value(size) if size is not None else None
    number = 0.25 if size is None else share.constant if share is not None else None
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    test = number if isinstance(number, int) else math.ceil(number * rows)
    return test if position % 2 else rows - test
