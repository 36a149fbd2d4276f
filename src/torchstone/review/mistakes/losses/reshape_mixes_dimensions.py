"""`view` or `reshape` stands where dimensions should change places.

## What it does
Reports a `view` or `reshape` to the tensor's own sizes in another order (`b, t, c = x.shape` and
`x.view(t, b, c)`, or `x.view(b, -1, c)` of `(b, c, h, w)`), one that splits a projection into heads in front
of the steps, and a recurrent layer's state `(layers, batch, features)` that is viewed as `(batch, ...)`.

A run that is watched with `--thorough` calls the model a few times more, in eval mode and with one sample of
the batch exchanged. Where other samples' outputs change, it is the order of the samples that decides how, and
a view is the first operation that has them no longer apart, that view is reported.

## Why is this bad?
`view` keeps the order of the numbers in memory and only cuts them into other rows. The shape is what was
wanted, but numbers of several steps, channels or samples share a row. Nothing fails; the model gets
scrambled data, and in the case of the state a sample's prediction depends on its neighbours.

## References
- [Tensor.view](https://docs.pytorch.org/docs/stable/generated/torch.Tensor.view.html)
- [permute](https://docs.pytorch.org/docs/stable/generated/torch.permute.html)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.probing import Looks, Trial
from torchstone.review.syntax.arguments import given, whole
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.origins import reaching
from torchstone.review.syntax.scopes import Binding

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS310"
NAME = "reshape-mixes-dimensions"
SEVERITY: Severity = "warning"
MENTIONS = ("view|reshape",)

BAD = (
    Example(
        """
        import torch

        x = torch.randn(8, 20, 3)
        batch, steps, features = x.shape
        time_first = x.view(steps, batch, features)  # TS310
        """,
        fixed="""
        import torch

        x = torch.randn(8, 20, 3)
        batch, steps, features = x.shape
        time_first = x.permute(1, 0, 2)
        """,
    ),
    Example(
        """
        import torch
        from torch import nn

        lstm = nn.LSTM(3, 16, bidirectional=True, batch_first=True)
        x = torch.randn(8, 20, 3)
        _, (state, cell) = lstm(x)
        both = state.view(x.size(0), -1)  # TS310
        """
    ),
)
GOOD = (
    """
    import torch

    x = torch.randn(8, 20, 3)
    batch, steps, features = x.shape
    time_first = x.permute(1, 0, 2)
    rows = x.reshape(batch * steps, features)
    """,
)

_REST = -1
_TRICKS = re.compile(r"shift|skew|rel|shuffle|unfold|window|patch")
"""Functions in which numbers change rows on purpose: relative attention, channel shuffle."""

Sizes = dict[str, int]


def check(file: File) -> Iterator[Finding]:
    """Looks at each `view` and `reshape`."""
    for name in ("view", "reshape"):
        for call in file.index.calls_by_name.get(name, ()):
            if not isinstance(call.func, ast.Attribute) or file.name(call.func) is not None:
                continue
            sizes = call.args
            if len(sizes) == 1 and isinstance(sizes[0], ast.Tuple | ast.List):
                sizes = sizes[0].elts
            if len(sizes) < 2 or any(isinstance(part, ast.Starred) for part in sizes):
                continue
            scope = file.index.scope_of(call)
            if _TRICKS.search(scope.name.lower()):
                continue
            frame = file.frame_of(call)
            yield from _look(file, frame, call, call.func.value, sizes)


def _look(
    file: File, frame: Frame, call: ast.Call, source: ast.expr, sizes: list[ast.expr]
) -> Iterator[Finding]:
    order = _order(frame, source, sizes)
    if order is not None and order != sorted(order):
        text = ast.unparse(source)
        plain = len(order) == len(sizes) and _rank(frame, source) == len(order)
        numbers = ", ".join(map(str, order))
        fix = Fix(f"Let the dimensions change places: `{text}.permute({numbers})`, then reshape.")
        if plain and call.lineno == call.end_lineno:
            edits = (file.replace(call, f"{text}.permute({numbers})"),)
            fix = Fix(f"Let the dimensions change places: `{text}.permute({numbers})`.", False, edits)
        yield _finding(file, call, f"gives the sizes of `{text}` another order", fix)
    elif _splits_before_steps(frame, source, sizes):
        yield _finding(
            file,
            call,
            f"puts the heads before the steps of `{ast.unparse(source)}`",
            Fix("View as (batch, steps, heads, size), then `.transpose(1, 2)`."),
        )
    elif _is_state(frame, source, sizes):
        yield _finding(
            file,
            call,
            f"makes samples the rows of `{ast.unparse(source)}`, which is (layers, batch, features)",
            Fix("Put the batch first: `.transpose(0, 1)`, then `.flatten(1)`."),
        )


def _finding(file: File, call: ast.Call, what: str, fix: Fix) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{call.func.attr}` {what}: numbers that belong together end in different rows",  # type: ignore[attr-defined]
        why="it keeps the order in memory; to let dimensions change places takes permute or transpose",
        fix=fix,
    )


# The tensor's own sizes


def _own_sizes(frame: Frame, source: ast.expr) -> tuple[Sizes, int] | None:
    """Names of the sizes of a tensor, by `a, b, c = x.shape` for its present value; and their number."""
    if not isinstance(source, ast.Name):
        return None
    here = reaching(frame, source)
    for name, bindings in frame.scope.bindings.items():
        for binding in bindings:
            shown = _shape_of(binding.value) if binding.path else None
            if shown is None or shown.id != source.id or name == "_":
                continue
            if reaching(frame, shown) == here and isinstance(binding.node, ast.Assign):
                target = binding.node.targets[0]
                if isinstance(target, ast.Tuple) and all(isinstance(e, ast.Name) for e in target.elts):
                    names = [e.id for e in target.elts if isinstance(e, ast.Name)]
                    once = all(n == "_" or len(frame.scope.bindings[n]) == 1 for n in names)
                    if once and len(set(names) - {"_"}) == len([n for n in names if n != "_"]):
                        return {n: i for i, n in enumerate(names) if n != "_"}, len(names)
    return None


def _shape_of(node: ast.expr | None) -> ast.Name | None:
    """The `x` of `x.shape` and `x.size()`."""
    if isinstance(node, ast.Call) and not node.args and isinstance(node.func, ast.Attribute):
        return node.func.value if node.func.attr == "size" and isinstance(node.func.value, ast.Name) else None
    if isinstance(node, ast.Attribute) and node.attr == "shape" and isinstance(node.value, ast.Name):
        return node.value
    return None


def _rank(frame: Frame, source: ast.expr) -> int | None:
    found = _own_sizes(frame, source)
    return found[1] if found is not None else None


def _order(frame: Frame, source: ast.expr, sizes: list[ast.expr]) -> list[int] | None:
    """The tensor's own dimensions in the order that a view names them; None when it names other sizes too."""
    if not isinstance(source, ast.Name) or _is_padded(frame, source):
        return None
    names, rank = _own_sizes(frame, source) or ({}, None)
    found: list[int] = []
    for part in sizes:
        inner = _dimensions(frame, source, part, names)
        if inner is None:
            return None
        found += inner
    used = [d for d in found if d != _REST]
    if len(set(used)) != len(used) or found.count(_REST) > 1 or len(used) < 2:
        return None
    if _REST not in found:
        return found if rank == len(found) or (rank is None and found == [1, 0, 2]) else None
    if used != sorted(used):
        return found  # whatever the rest is, these have changed places
    if rank is None or rank <= len(used):
        return None
    left = [d for d in range(rank) if d not in used]
    position = found.index(_REST)
    return [*found[:position], *left, *found[position + 1 :]]


def _dimensions(frame: Frame, source: ast.Name, node: ast.expr, names: Sizes) -> list[int] | None:
    """The dimensions of `source` whose product a size is."""
    if whole(frame, node) == -1:
        return [_REST]
    if isinstance(node, ast.Name):
        return [names[node.id]] if node.id in names else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left = _dimensions(frame, source, node.left, names)
        right = _dimensions(frame, source, node.right, names)
        if left is None or right is None or _REST in (*left, *right):
            return None
        return [*left, *right] if left < right else [*right, *left]
    inner: ast.expr | None = None
    axis: ast.expr | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "size":
        inner, axis = node.func.value, given(node, 0, "dim")
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
        inner, axis = (node.value.value, node.slice) if node.value.attr == "shape" else (None, None)
    number = whole(frame, axis)
    if not isinstance(inner, ast.Name) or inner.id != source.id or number is None or number < 0:
        return None
    return [number] if reaching(frame, inner) == reaching(frame, source) else None


def _is_padded(frame: Frame, source: ast.Name) -> bool:
    """Whether a tensor was just padded: views that move rows by one do so on purpose."""
    values = [b.value for b in reaching(frame, source)]
    names = [v.func.attr for v in values if isinstance(v, ast.Call) and isinstance(v.func, ast.Attribute)]
    return any(name in ("cat", "concat", "pad", "new_zeros") for name in names)


# Heads and states


def _splits_before_steps(frame: Frame, source: ast.expr, sizes: list[ast.expr]) -> bool:
    """`self.query(x).view(b, heads, t, size)` for `b, t, c = x.shape`: a split axis before the steps."""
    if isinstance(source, ast.Name):
        bindings = reaching(frame, source)
        value = bindings[0].value if len(bindings) == 1 and not bindings[0].path else None
    else:
        value = source
    if not isinstance(value, ast.Call) or len(value.args) != 1 or not isinstance(value.args[0], ast.Name):
        return False
    layer = frame.value(value.func)
    if layer is None or layer.kind != "module" or layer.name != "torch.nn.Linear" or layer.cls is not None:
        return False
    given_to = value.args[0]
    names, rank = _own_sizes(frame, given_to) or ({}, None)
    if rank != 3 or len(sizes) != 4:
        return False
    known = [_dimensions(frame, given_to, part, names) for part in sizes]
    heads = sizes[1]
    named = isinstance(heads, ast.Name | ast.Attribute) and "head" in ast.unparse(heads).lower()
    return known[0] == [0] and known[2] == [1] and named and whole(frame, heads) != 1


def _is_state(frame: Frame, source: ast.expr, sizes: list[ast.expr]) -> bool:
    """Whether a state of several layers or directions is viewed as rows of samples."""
    if not isinstance(source, ast.Name) or len(sizes) != 2 or whole(frame, sizes[1]) != -1:
        return False
    bindings = reaching(frame, source)
    return len(bindings) == 1 and _holds_state(frame, bindings[0]) and _is_batch(sizes[0])


def _holds_state(frame: Frame, binding: Binding) -> bool:
    value = binding.value
    if binding.kind != "assign" or not isinstance(value, ast.Call):
        return False
    layer = frame.value(value.func)
    if layer is None or layer.cls is not None or layer.call is None or layer.frame is None:
        return False
    paths = {"torch.nn.LSTM": ((1, 0), (1, 1)), "torch.nn.GRU": ((1,),), "torch.nn.RNN": ((1,),)}
    if binding.path not in paths.get(layer.name or "", ()):
        return False
    layers = whole(layer.frame, given(layer.call, 2, "num_layers"))
    both = given(layer.call, -1, "bidirectional")
    return (layers or 1) > 1 or (isinstance(both, ast.Constant) and both.value is True)


def _is_batch(node: ast.expr) -> bool:
    """Whether a size is the number of samples, by its name or as the first size of something."""
    text = ast.unparse(node).lower().replace(" ", "")
    return bool(
        re.fullmatch(r"(\w+\.)?(b|n|bs|bsz|batch|batch_?size|n_?batch)|\w+\.(size\(0\)|shape\[0\])", text)
    )


# A run

_VIEWS = frozenset({"view", "reshape", "flatten", "unflatten", "view_as", "reshape_as"})


class Watch(Detector):
    """Looks whether samples reach each other's outputs through a view."""

    OPTION = "--thorough"

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._looks = Looks()

    def on_backward(self, event: Event) -> None:
        """Asks about the models whose gradients are computed."""
        for trial in self.watcher.probes.trials:
            culprit = self._looks.at(trial, _through_view)
            if culprit is not None:
                self._tell(trial, culprit)

    def _tell(self, trial: Trial, culprit: Any) -> None:
        name = self.names.module(trial.module)
        self.found(
            f"With one sample of the batch exchanged, `{name}` gives other samples other outputs: "
            f"`{culprit.name}` cuts the batch into rows that hold numbers of several samples",
            why="what is predicted for a sample depends on its neighbours in the batch",
            place=culprit.place,
            fix="Let the dimensions change places with `permute` or `transpose`, then reshape.",
            related=((trial.place, "the model is called here"),),
            change=round(culprit.change, 4),
        )


def _through_view(trial: Trial) -> Any:
    culprit = trial.mixing()
    return culprit if culprit is not None and culprit.name in _VIEWS and culprit.place is not None else None
