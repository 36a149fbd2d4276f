"""The steps that fill up short sequences count in the loss.

## What it does
Follows the targets of a cross-entropy through loops, loaders and their `collate_fn` to `pad_sequence`, and
reports a loss that is not told which label fills up.

## Why is this bad?
Without `ignore_index` each filled step is a step to learn: the model is praised for predicting padding, the
loss looks better the more padding there is, and what it says depends on which lengths share a batch.

## References
- [CrossEntropyLoss, ignore_index](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
- [pad_sequence](https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pad_sequence.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.arrays import given, whole
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.origins import argument_of, reaching
from torchstone.review.syntax.outputs import LossCall, loss_calls
from torchstone.review.syntax.scopes import Binding

CODE = "TS312"
NAME = "padding-counted"
SEVERITY: Severity = "warning"
INVOLVES = ("pad_sequence", "CrossEntropyLoss|cross_entropy|NLLLoss|nll_loss")

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.nn.utils.rnn import pad_sequence

        tags = [torch.tensor([1, 2, 1]), torch.tensor([2, 1])]
        targets = pad_sequence(tags, batch_first=True)
        scores = torch.randn(2, 3, 3, requires_grad=True)
        loss = nn.CrossEntropyLoss()(scores.flatten(0, 1), targets.flatten())  # TS312
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn
    from torch.nn.utils.rnn import pad_sequence

    tags = [torch.tensor([1, 2, 1]), torch.tensor([2, 1])]
    targets = pad_sequence(tags, batch_first=True)
    scores = torch.randn(2, 3, 3, requires_grad=True)
    loss = nn.CrossEntropyLoss(ignore_index=0)(scores.flatten(0, 1), targets.flatten())
    """,
)

_KEEPING = {"view", "reshape", "flatten", "long", "to", "cuda", "contiguous", "transpose", "permute", "t"}
_TOLD = {"ignore_index", "reduction", "reduce", "weight", None}
_DEEPEST = 12

Path = tuple[int | None, ...]
Found = tuple[Frame, ast.Call]


def check(file: File) -> Iterator[Finding]:
    """Looks at the targets of each likelihood loss."""
    for call in loss_calls(file):
        if call.name not in ("cross_entropy", "nll_loss") or call.target is None or _is_told(call):
            continue
        found = _padded(call.frame, call.target, (), 0)
        if found is None:
            continue
        frame, made = found
        asked = given(made, 2, "padding_value")
        value = whole(frame, asked) if asked is not None else 0
        if value != -100:
            yield _finding(file, call, call.target, found, value)


def _is_told(call: LossCall) -> bool:
    """Whether a loss may leave something out, or that cannot be told."""
    loss = call.frame.value(call.node.func)
    calls = [call.node]
    if loss is not None and loss.kind == "loss":
        if loss.call is None:
            return True
        calls.append(loss.call)
    many = any(len(each.args) > (2 if each is call.node else 0) for each in calls)
    return many or any(keyword.arg in _TOLD for each in calls for keyword in each.keywords)


def _padded(frame: Frame, node: ast.expr, path: Path, depth: int) -> Found | None:
    """The `pad_sequence` whose result an expression is, or the part at `path` of it."""
    if depth > _DEEPEST:
        return None
    if isinstance(node, ast.Tuple) and path and path[0] is not None and path[0] < len(node.elts):
        return _padded(frame, node.elts[path[0]], path[1:], depth + 1)
    if isinstance(node, ast.Name):
        found = [_bound(frame, binding, path, depth) for binding in reaching(frame, node)]
        return (
            found[0]
            if found and None not in found and len({made for _, made in filter(None, found)}) == 1
            else None
        )
    if isinstance(node, ast.Subscript) and not path:
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        sliced = all(isinstance(part, ast.Slice) and part.step is None for part in parts)
        return _padded(frame, node.value, (), depth + 1) if sliced else None
    if isinstance(node, ast.Call) and not path:
        if frame.name(node.func) == "torch.nn.utils.rnn.pad_sequence":
            return frame, node
        method = isinstance(node.func, ast.Attribute) and frame.value(node.func) is None
        if method and node.func.attr in _KEEPING:  # type: ignore[attr-defined]
            return _padded(frame, node.func.value, (), depth + 1)  # type: ignore[attr-defined]
    return None


def _bound(frame: Frame, binding: Binding, path: Path, depth: int) -> Found | None:
    there = frame if binding.scope is frame.scope else frame.file.root(binding.scope)
    if binding.kind == "assign" and binding.value is not None:
        return _padded(there, binding.value, (*binding.path, *path), depth + 1)
    if binding.kind == "for" and binding.value is not None:
        return _collated(there, binding.value, (*binding.path, *path), depth)
    if binding.kind == "parameter" and not path and there.arguments is None:
        found = []
        for caller, call, _ in there.file.callers(there.scope):
            argument = argument_of(there, call, binding.name)
            found.append(_padded(caller, argument, (), depth + 1) if argument is not None else None)
        return found[0] if len(found) == 1 else None
    return None


def _collated(frame: Frame, iterable: ast.expr, path: Path, depth: int) -> Found | None:
    """What a loader's own `collate_fn` puts at `path` of a batch."""
    if isinstance(iterable, ast.Call) and iterable.args:
        name = frame.file.callable_name(frame, iterable) or ""
        if name == "enumerate":
            return _collated(frame, iterable.args[0], path[1:], depth) if path[:1] == (1,) else None
        if name.startswith("tqdm."):
            return _collated(frame, iterable.args[0], path, depth)
    loader = frame.value(iterable)
    if loader is None or loader.name != "torch.utils.data.DataLoader" or not loader.call or not loader.frame:
        return None
    asked = next((k.value for k in loader.call.keywords if k.arg == "collate_fn"), None)
    function = loader.frame.value(asked) if asked is not None else None
    if function is None or function.kind != "function" or not function.function or not function.frame:
        return None
    inner = function.frame.file.root(function.function)
    returns = inner.scope.returns
    value = returns[0].value if len(returns) == 1 else None
    return _padded(inner, value, path, depth + 1) if value is not None else None


def _finding(file: File, call: LossCall, target: ast.expr, found: Found, value: int | None) -> Finding:
    label = str(value) if value is not None else "padding_value"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call.node,
        f"`{ast.unparse(target)}` is filled up with {label}, and these steps count in the loss",
        why="the model is praised for predicting padding, and more so the more there is",
        fix=Fix(f"Give the loss `ignore_index={label}`, or fill up with -100, which is ignored."),
        related=(found[0].file.related(found[1], "filled up here"),),
    )
