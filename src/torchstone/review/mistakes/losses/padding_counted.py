"""The steps that fill up short sequences count in the loss.

## What it does
Follows the targets of a cross-entropy through loops, loaders and their `collate_fn` to `pad_sequence`, and
reports a loss that is not told which label fills up.

A run that is watched with `--thorough` gives the model a short sequence once more, in eval mode, filled up
further with the `padding_idx` of its embedding. Where the output is another, and batches are filled up to
their own longest sequence, the operation in which padding comes in is reported.

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
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.crashes import tensors
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity
from torchstone.review.probing import Looks, Trial, comparing
from torchstone.review.syntax.arrays import given, whole
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.origins import argument_of, reaching
from torchstone.review.syntax.outputs import LossCall, loss_calls
from torchstone.review.syntax.scopes import Binding

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

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


# A run

_IN_ATTENTION = ("softmax", "scaled_dot_product_attention", "multi_head_attention_forward")
_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")
_MEANS = ("mean", "sum", "max", "amax", "logsumexp", "adaptive_avg_pool1d", "avg_pool1d", "einsum", "matmul")
_FIXES = {
    **dict.fromkeys(
        _IN_ATTENTION, "Hide the padding: `src_key_padding_mask=ids == padding`, or minus infinity."
    ),
    **dict.fromkeys(
        _RECURRENT, "Give it `pack_padded_sequence(x, lengths)`, or take each sequence's own last step."
    ),
    **dict.fromkeys(_MEANS, "Leave the padding out: multiply by a mask, and divide by the lengths."),
}


class Watch(Detector):
    """Looks whether a sequence's output changes when it is filled up further."""

    OPTION = "--thorough"

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._looks = Looks()
        self._lengths: ByIdentity[set[int]] = ByIdentity()

    def on_forward_began(self, event: Event) -> None:
        """How long the sequences of batches are: up to two lengths."""
        known = self._lengths.setdefault(event.subject, set())
        if len(known) < 2:
            known.update(int(one.shape[1]) for one in tensors((event.args, event.kwargs)) if _is_ids(one))

    def on_backward(self, event: Event) -> None:
        """Asks about the models whose gradients are computed."""
        for trial in self.watcher.probes.trials:
            if len(self._lengths.get(trial.module, ())) < 2 or not _padded_ids(trial):
                continue  # with one length for all, a sample's output is always the same
            seen = self._looks.at(trial, _counted)
            if seen is not None:
                self._tell(trial, *seen)

    def _tell(self, trial: Trial, culprit: Any, length: int, steps: int) -> None:
        name = self.names.module(trial.module)
        self.found(
            f"Filled up further, a sequence of {length} tokens (of {steps}) gets another output from "
            f"`{name}`: padding counts in `{culprit.name}`",
            why="what is predicted for a sequence depends on the longest one in its batch",
            place=culprit.place,
            fix=_FIXES[culprit.name],
            related=((trial.place, "the model is called here"),),
            change=round(culprit.change, 4),
            length=length,
            steps=steps,
        )


def _is_ids(tensor: Any) -> bool:
    return tensor.dim() == 2 and str(tensor.dtype) in ("torch.int64", "torch.int32")


def _padded_ids(trial: Trial) -> tuple[Any, int] | None:
    """The only tokens that a model is given and its only token for padding, where it surely is that.

    It fills up ends alone, some sequences have it, and the longest has none.
    """
    fillers = {
        (part.padding_idx, part.num_embeddings)
        for part in trial.module.modules()
        if type(part).__name__ == "Embedding" and part.padding_idx is not None
    }
    if len(fillers) != 1 or trial.which is None:
        return None
    filler, size = fillers.pop()
    found = []
    for ids in tensors(trial.given):
        if _is_ids(ids) and ids.numel() and int(ids.max()) < size and int(ids.min()) >= 0:
            filled = ids == filler
            at_ends = not bool((filled[:, :-1] & ~filled[:, 1:]).any())
            if at_ends and bool(filled.any()) and not bool(filled.any(1).all()):
                found.append(ids)
    return (found[0], filler) if len(found) == 1 else None


def _counted(trial: Trial) -> Any:
    known = _padded_ids(trial)
    if known is None or not trial.can_be_made():
        return None
    args, kwargs = trial.given
    seen = comparing().padding(trial.module, args, kwargs, *known, trial.which)
    if seen is None or seen[0] is None or seen[0].place is None or seen[0].name not in _FIXES:
        return None
    return seen
