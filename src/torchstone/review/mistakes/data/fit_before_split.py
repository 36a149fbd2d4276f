"""A scaler, imputer, selector or vocabulary is fitted before the rows are split.

## What it does
Follows the data of `train_test_split`, `random_split` or a pair of slices back to where it was made, through
functions and data sets, and reports a scikit-learn `fit` or `fit_transform`, or a mean and standard deviation
over the rows, that saw all of it. Encoders of labels and of class names are not meant.

## Why is this bad?
What was fitted knows the rows that are evaluated on: their mean, their extremes, their words, or even which
columns go with their targets. The score is better than it will be on new rows.

## References
- [Common pitfalls: data leakage](https://scikit-learn.org/stable/common_pitfalls.html#data-leakage)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.knowledge import words
from torchstone.review.syntax.origins import Origin, origins, reaching
from torchstone.review.syntax.splits import Split, is_split, splits

CODE = "TS402"
NAME = "fit-before-split"
SEVERITY: Severity = "error"
MENTIONS = ("train_test_split|random_split|[:|[ :",)
INVOLVES = ("transform|mean|min|max|median|std|var",)

BAD = (
    Example(
        """
        import torch
        from sklearn.datasets import load_diabetes
        from sklearn.model_selection import train_test_split
        from sklearn.preprocessing import StandardScaler

        X, y = load_diabetes(return_X_y=True)
        scaler = StandardScaler()
        X = scaler.fit_transform(X)  # TS402
        X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2)
        inputs = torch.tensor(X_train, dtype=torch.float32)
        """
    ),
)
GOOD = (
    """
    import torch
    from sklearn.datasets import load_diabetes
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    X, y = load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2)
    scaler = StandardScaler()
    X_train = scaler.fit_transform(X_train)
    X_test = scaler.transform(X_test)
    inputs = torch.tensor(X_train, dtype=torch.float32)
    """,
)

_FITTED = words(
    "StandardScaler MinMaxScaler RobustScaler MaxAbsScaler QuantileTransformer PowerTransformer "
    "KBinsDiscretizer SimpleImputer KNNImputer IterativeImputer SelectKBest SelectPercentile RFE "
    "SelectFromModel PCA IncrementalPCA KernelPCA TruncatedSVD FastICA NMF CountVectorizer "
    "TfidfVectorizer TargetEncoder"
)
_STATISTICS = words("mean std min max")
_TARGETS = re.compile(r"^(y|ys|y_\w+|targets?|labels?)$", re.IGNORECASE)


def check(file: File) -> Iterator[Finding]:
    """Looks at what each split divides."""
    reported: set[ast.AST] = set()
    for split in splits(file):
        for fitted, of_targets in _fitted(split):
            place = _place(file, fitted)
            node = place if place is not None else split.node
            if node not in reported:
                reported.add(node)
                yield _finding(file, split, fitted, node, of_targets)


def _fitted(split: Split) -> Iterator[tuple[Origin, bool]]:
    """The calls that were fitted on what a split divides, and whether that is the targets alone."""
    for number, data in enumerate(split.data):
        of_targets = number > 0 and isinstance(data, ast.Name) and bool(_TARGETS.match(data.id))
        for origin in origins(split.frame, data):
            if is_split(origin.frame, origin.node):
                return  # split a second time
            for node in (origin.node, *_written_into(origin, split)):
                here = Origin(origin.frame, node, origin.callers)
                fit = _fit(here)
                if fit is not None and all(_is_whole(Origin(f, n), split) for f, n in _given(fit)):
                    yield fit, of_targets


def _written_into(origin: Origin, split: Split) -> Iterator[ast.expr]:
    """What `table[columns] = ...` put into a table before the split."""
    if not isinstance(origin.node, ast.Name):
        return
    frame = origin.frame
    stores = _stores(frame.file)
    for statement, name in stores.get(origin.node.id, ()):
        before = origin.frame.scope is not split.frame.scope or statement.lineno < split.node.lineno
        here = before and frame.file.index.scope_of(name) is frame.scope
        if here and set(reaching(frame, name)) & set(reaching(frame, origin.node)):
            yield statement.value


def _stores(file: File) -> dict[str, list[tuple[ast.Assign, ast.Name]]]:
    """The statements `name[...] = value`, by the name."""
    if "subscript stores" not in file.cache:
        found: dict[str, list[tuple[ast.Assign, ast.Name]]] = {}
        for node in file.index.nodes[ast.Assign]:
            if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Subscript):
                continue
            base: ast.expr = node.targets[0].value
            if isinstance(base, ast.Attribute) and base.attr in ("loc", "iloc"):
                base = base.value
            if isinstance(base, ast.Name):
                found.setdefault(base.id, []).append((node, base))
        file.cache["subscript stores"] = found
    result: dict[str, list[tuple[ast.Assign, ast.Name]]] = file.cache["subscript stores"]
    return result


def _fit(here: Origin) -> Origin | None:
    """The fit behind an expression: itself, or the `fit` before a `transform`."""
    node, frame = here.node, here.frame
    if isinstance(node, ast.BinOp):
        return here if _statistics_of(frame, node) is not None else None
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    if node.func.attr == "fit_transform":
        return here if _is_fitted_class(frame, node.func.value) else None
    if node.func.attr != "transform" or not _is_fitted_class(frame, node.func.value):
        return None
    receiver = ast.unparse(node.func.value)
    fits = [
        call
        for call in frame.file.index.calls_by_name.get("fit", ())
        if isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func.value) == receiver
        and frame.file.index.scope_of(call) is frame.scope
    ]
    return Origin(frame, fits[0], here.callers) if len(fits) == 1 else None


def _is_fitted_class(frame: Frame, node: ast.expr) -> bool:
    """Whether an expression is an object of a scikit-learn class that learns from rows."""
    for origin in origins(frame, node):
        if isinstance(origin.node, ast.Call):
            name = origin.frame.name(origin.node.func) or ""
            return name.startswith("sklearn.") and name.rsplit(".", 1)[-1] in _FITTED
        if not isinstance(origin.node, ast.Name):
            return False
    return False


def _given(fit: Origin) -> list[tuple[Frame, ast.expr]]:
    if isinstance(fit.node, ast.BinOp):
        data = _statistics_of(fit.frame, fit.node)
        return [(fit.frame, data)] if data is not None else []
    assert isinstance(fit.node, ast.Call)  # noqa: S101 (nothing else fits)
    return [(fit.frame, a) for a in fit.node.args] or [(fit.frame, fit.node)]


def _statistics_of(frame: Frame, node: ast.BinOp) -> ast.expr | None:
    """`x` in `(x - x.mean(0)) / x.std(0)`, with statistics over the rows."""
    if not isinstance(node.op, ast.Div) or not isinstance(node.left, ast.BinOp):
        return None
    if not isinstance(node.left.op, ast.Sub):
        return None
    data = node.left.left
    center = _resolved(frame, node.left.right)
    return data if isinstance(data, ast.Name) and _is_statistic(frame, center, data) else None


def _resolved(frame: Frame, node: ast.expr) -> ast.expr:
    """What a variable was given, when that is one expression."""
    if isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        if len(bindings) == 1 and bindings[0].kind == "assign" and bindings[0].value is not None:
            value, path = bindings[0].value, bindings[0].path
            if not path:
                return value
            if isinstance(value, ast.Tuple) and len(path) == 1 and path[0] is not None:
                return value.elts[path[0]] if path[0] < len(value.elts) else node
    return node


def _is_statistic(frame: Frame, node: ast.expr, data: ast.Name) -> bool:
    """Whether a call is the mean or minimum of `data` over its rows."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    if node.func.attr not in _STATISTICS:
        return False
    of, rest = node.func.value, node.args
    if frame.name(of) in ("numpy", "torch") and node.args:
        of, rest = node.args[0], node.args[1:]
    if not isinstance(of, ast.Name) or of.id != data.id or reaching(frame, of) != reaching(frame, data):
        return False
    axes = [*rest, *(k.value for k in node.keywords if k.arg in ("axis", "dim"))]
    if not axes:
        return True
    first = axes[0].elts[0] if isinstance(axes[0], ast.Tuple) and axes[0].elts else axes[0]
    return isinstance(first, ast.Constant) and first.value == 0


def _is_whole(data: Origin, split: Split) -> bool:
    """Whether nothing says that the data is already only a part of the rows."""
    for origin in origins(data.frame, data.node):
        node = origin.node
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if any(word in name.lower() for word in ("train", "test", "valid", "fold", "fit_on")):
                return False
        if is_split(origin.frame, node) or (isinstance(node, ast.Subscript) and not _is_of_columns(node)):
            return False
    return True


def _is_of_columns(node: ast.Subscript) -> bool:
    """Whether a subscript chooses columns of a table, or a part of a tuple, and no rows."""
    index = node.slice
    if isinstance(index, ast.Tuple) and index.elts:
        first = index.elts[0]
        return isinstance(first, ast.Slice) and first.lower is None and first.upper is None
    if isinstance(index, ast.List):
        return all(isinstance(each, ast.Constant | ast.Name) for each in index.elts)
    if isinstance(index, ast.Constant):
        return True
    return isinstance(index, ast.Name) and any(w in index.id.lower() for w in ("col", "feat", "name"))


def _place(file: File, fitted: Origin) -> ast.expr | None:
    """The node of this file that stands for the fit: itself, or the call that leads to it."""
    if fitted.frame.file is file:
        return fitted.node
    return next((call for frame, call in reversed(fitted.callers) if frame.file is file), None)


def _finding(file: File, split: Split, fitted: Origin, node: ast.expr, of_targets: bool) -> Finding:
    told = ast.unparse(fitted.node) if isinstance(fitted.node, ast.BinOp) else ""
    if isinstance(fitted.node, ast.Call):
        told = ast.unparse(fitted.node.func)
    return file.finding(
        CODE,
        NAME,
        "warning" if of_targets else SEVERITY,
        node,
        f"`{told}` sees {'the targets of ' if of_targets else ''}all rows before {split.what} splits them",
        why="the scale of the targets is taken from rows that are evaluated on, too"
        if of_targets
        else "what it learns from the rows that are evaluated on makes their score too good",
        fix=Fix("Split first, fit on the training rows, and only transform the others."),
        related=(file.related(split.node, "the rows are split here"),),
    )
