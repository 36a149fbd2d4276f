"""A recurrent or attention layer reads the samples of a batch as the steps of a sequence.

## What it does
Reports a recurrent layer that is made without `batch_first=True` and given a loader's batch, or whose output
`(time, batch, features)` is read as if the batch came first: `output[:, -1]`. Also `output[-1]` of a layer
that is made with `batch_first=True`, which takes the last sample and not the last step, and a layer of a
transformer that is made without `batch_first=True` and given a loader's batch.

A watched run compares what a recurrent or attention layer is given with the batch of a loader that shuffles
and stacks: its samples stand first. Where sizes do not say it, `--thorough` does: the model is called a few
times more in eval mode with one sample exchanged, and others' outputs change behind such a layer.

## Why is this bad?
The state runs from one sample to the next, or attention looks at the other samples, and each sample's own
sequence is never read in order. All shapes fit, so the program runs and learns little; what is predicted for
a sample depends on its neighbours in the batch.

## References
- [LSTM](https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html)
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from torchstone.finding import Finding, Fix, Related, Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import ByIdentity, is_tensor
from torchstone.review.passes import tensors
from torchstone.review.pausing import STEADY
from torchstone.review.probing import Looks, Trial, stacks_at_random
from torchstone.review.syntax.arrays import array_of, given, whole
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.origins import reaching
from torchstone.review.syntax.values import Value

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS311"
NAME = "batch-first-mismatch"
SEVERITY: Severity = "error"
MENTIONS = ("LSTM|GRU|RNN|TransformerEncoderLayer|TransformerDecoderLayer",)

BAD = (
    Example(
        """
        import torch
        from torch import nn


        class LastStep(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = nn.LSTM(3, 16)
                self.head = nn.Linear(16, 2)

            def forward(self, x):
                output, _ = self.lstm(x)
                return self.head(output[:, -1])  # TS311
        """,
        fixed="""
        import torch
        from torch import nn


        class LastStep(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = nn.LSTM(3, 16, batch_first=True)
                self.head = nn.Linear(16, 2)

            def forward(self, x):
                output, _ = self.lstm(x)
                return self.head(output[:, -1])
        """,
    ),
    Example(
        """
        import torch
        from torch import nn

        gru = nn.GRU(3, 16, batch_first=True)
        output, _ = gru(torch.randn(8, 20, 3))
        last = output[-1]  # TS311
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    x = torch.randn(8, 20, 3)  # samples, steps, features
    first = nn.LSTM(3, 16, batch_first=True)
    output, _ = first(x)
    last = output[:, -1]
    second = nn.LSTM(3, 16)
    output, _ = second(x.permute(1, 0, 2))
    last = output[-1]
    """,
)

_RECURRENT = {"torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN"}
_ATTENTION = {"torch.nn.TransformerEncoderLayer", "torch.nn.TransformerDecoderLayer"}
_STACKS = {"torch.nn.TransformerEncoder", "torch.nn.TransformerDecoder"}
_MAKERS = ("LSTM", "GRU", "RNN", "TransformerEncoderLayer", "TransformerDecoderLayer")
_MOVING = {"permute", "transpose", "swapaxes", "movedim", "rearrange", "pack_padded_sequence", "stack", "t"}
_KEEPING = {"torch.nn.Dropout", "torch.nn.LayerNorm", "torch.nn.ReLU", "torch.nn.Tanh", "torch.nn.Identity"}
_DEEPEST = 20


def check(file: File) -> Iterator[Finding]:
    """Looks at how outputs are indexed, then at what the layers are given."""
    if not any(name in file.index.calls_by_name for name in _MAKERS):
        return
    reported: set[ast.Call] = set()
    for node in file.index.nodes[ast.Subscript]:
        if isinstance(node, ast.Subscript) and (which := _last(node)) is not None:
            call = _run_of(file.frame_of(node), node.value, 0)
            layer = file.value(call.func) if call is not None else None
            made = layer.call if layer is not None else None
            if call is None or layer is None or made is None or made in reported:
                continue
            if which == "step" and _batch_first(layer) is False and _may_be_batch(file, call):
                reported.add(made)
                yield _indexed(file, node, call, layer)
            elif which == "sample" and _batch_first(layer) is True and _is_batch(file, node, call):
                yield _sample(file, node, call, layer)
    for call in file.index.calls():
        layer = file.value(call.func)
        if layer is None or layer.kind != "module" or not call.args or layer.call is None:
            continue
        layer = _inner(layer)
        if layer is None or layer.call is None or layer.call in reported or _batch_first(layer) is not False:
            continue
        if array_of(file.frame_of(call), call.args[0]).batch:
            reported.add(layer.call)
            yield _given(file, call, layer)


def _inner(layer: Value) -> Value | None:
    """The layer that decides how a layer reads its input."""
    if layer.name in _RECURRENT or layer.name in _ATTENTION:
        return layer if layer.cls is None else None
    if layer.name in _STACKS and layer.cls is None and layer.call is not None and layer.frame is not None:
        first = given(layer.call, 0, "encoder_layer", "decoder_layer")
        inner = layer.frame.value(first) if first is not None else None
        return inner if inner is not None and inner.name in _ATTENTION and inner.cls is None else None
    return None


def _batch_first(layer: Value) -> bool | None:
    """Whether a layer reads the batch first; None when that cannot be told."""
    made, frame = layer.call, layer.frame
    if made is None or frame is None or any(isinstance(part, ast.Starred) for part in made.args):
        return None
    if any(k.arg is None for k in made.keywords) or len(made.args) > 4:
        return None
    asked = next((k.value for k in made.keywords if k.arg == "batch_first"), None)
    if asked is None:
        return False
    value = frame.value(asked)
    constant = value.constant if value is not None and value.kind == "constant" else None
    return constant if isinstance(constant, bool) else None


def _last(node: ast.Subscript) -> str | None:
    """Whether a subscript takes the last of the second dimension (`step`) or of the first (`sample`)."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if not all(_is_whole(part) or _is_last(part) for part in parts):
        return None
    lasts = [position for position, part in enumerate(parts) if _is_last(part)]
    if len(lasts) != 1 or len(parts) > 3:
        return None
    return {0: "sample", 1: "step"}.get(lasts[0])


def _is_whole(node: ast.expr) -> bool:
    return isinstance(node, ast.Slice) and node.lower is node.upper is node.step is None


def _is_last(node: ast.expr) -> bool:
    minus = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    return minus and isinstance(node.operand, ast.Constant) and node.operand.value == 1  # type: ignore[attr-defined]


def _run_of(frame: Frame, node: ast.expr, depth: int) -> ast.Call | None:
    """The call of a recurrent layer whose output an expression is."""
    if depth > _DEEPEST:
        return None
    if isinstance(node, ast.Name):
        found = set()
        for binding in reaching(frame, node):
            plain = binding.kind == "assign" and binding.value is not None and binding.scope is frame.scope
            value = binding.value if plain else None
            if value is not None and binding.path == (0,) and isinstance(value, ast.Call):
                found.add(value if _is_run(frame, value) else None)
            elif value is not None and not binding.path:
                found.add(_run_of(frame, value, depth + 1))
            else:
                found.add(None)
        return found.pop() if len(found) == 1 else None
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Call) and _is_run(frame, node.value):
        return node.value if whole(frame, node.slice) == 0 else None
    if isinstance(node, ast.Call) and node.args:
        layer = frame.value(node.func)
        if layer is not None and layer.kind == "module" and layer.name in _KEEPING and layer.cls is None:
            return _run_of(frame, node.args[0], depth + 1)
    return None


def _is_run(frame: Frame, node: ast.Call) -> bool:
    layer = frame.value(node.func)
    return layer is not None and layer.kind == "module" and layer.name in _RECURRENT and layer.cls is None


def _may_be_batch(file: File, call: ast.Call) -> bool:
    """Whether the input may have its samples in front: it is not turned around, and is no single sample."""
    if not call.args:
        return False
    frame, node = file.frame_of(call), call.args[0]
    array = array_of(frame, node)
    if array.rank not in (3, None) or (array.shape is not None and array.shape[1] == 1):
        return False
    return not _is_turned(frame, node, 0)


def _is_turned(frame: Frame, node: ast.expr, depth: int) -> bool:
    """Whether dimensions are moved or made on the way to an expression."""
    if depth > _DEEPEST:
        return True
    if isinstance(node, ast.Name):
        bindings = reaching(frame, node)
        inner = [b.value for b in bindings if b.value is not None and b.scope is frame.scope]
        return any(_is_turned(frame, value, depth + 1) for value in inner if value is not node)
    if isinstance(node, ast.Attribute):
        return node.attr in ("T", "mT")
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in _MOVING:
        return True
    if name == "unsqueeze":
        return whole(frame, node.args[-1] if node.args else None) not in (-1, 2)
    if name in ("view", "reshape"):
        return any(whole(frame, part) == 1 for part in node.args[:-1])
    inner = [*node.args[:1], *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
    return any(_is_turned(frame, part, depth + 1) for part in inner if not isinstance(part, ast.Starred))


def _is_batch(file: File, node: ast.Subscript, call: ast.Call) -> bool:
    """Whether a layer's input surely has several samples, each with several steps."""
    array = array_of(file.frame_of(call), call.args[0]) if call.args else None
    if array is None or (array.shape is not None and (len(array.shape) != 3 or array.shape[0] == 1)):
        return False
    parts = len(node.slice.elts) if isinstance(node.slice, ast.Tuple) else 1
    return array.rank == 3 or (array.batch and array.least >= 3) or (parts == 3 and array.rank is None)


def _indexed(file: File, node: ast.Subscript, call: ast.Call, layer: Value) -> Finding:
    text = ast.unparse(call.func)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"`{ast.unparse(node)}` is the last sample, not the last step: `{text}` is made without batch_first",
        why="the layer reads the first dimension as time, so samples are read as steps of one sequence",
        fix=_fix(file, layer),
        related=(file.related(call, "gives (time, batch, features)"), *_made(file, layer)),
    )


def _sample(file: File, node: ast.Subscript, call: ast.Call, layer: Value) -> Finding:
    text = ast.unparse(node.value)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"`{ast.unparse(node)}` is the last sample: `{ast.unparse(call.func)}` is made with batch_first=True",
        why=f"the output is (batch, time, features); the last step of each sample is `{text}[:, -1]`",
        fix=Fix(f"Take the last step: `{text}[:, -1]`."),
        related=(file.related(call, "gives (batch, time, features)"), *_made(file, layer)),
    )


def _given(file: File, call: ast.Call, layer: Value) -> Finding:
    recurrent = layer.name in _RECURRENT
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{ast.unparse(call.func)}` reads `{ast.unparse(call.args[0])}` with time first, and its first "
        "dimension counts the samples of a batch",
        why="the state runs from sample to sample; a prediction depends on the neighbours in the batch"
        if recurrent
        else "attention runs over the samples of the batch and not over the steps of each",
        fix=_fix(file, layer),
        related=_made(file, layer),
    )


def _made(file: File, layer: Value) -> tuple[Related, ...]:
    if layer.call is None or layer.frame is None:
        return ()
    return (layer.frame.file.related(layer.call, "made here"),)


def _fix(file: File, layer: Value) -> Fix:
    """Adds `batch_first=True` to the layer, when it is made in this file and on one line."""
    made = layer.call
    description = "Make the layer with batch_first=True."
    if made is None or made not in file.index.parents or (made.end_lineno != made.lineno):
        return Fix(description)
    arguments = [*made.args, *(k.value for k in made.keywords)]
    asked = next((k.value for k in made.keywords if k.arg == "batch_first"), None)
    if asked is not None:
        return Fix(description, safe=False, edits=(file.replace(asked, "True"),))
    last = max(arguments, key=lambda part: (part.lineno, part.col_offset), default=None)
    text = ast.get_source_segment(file.source.text, last) if last is not None else None
    if last is None or text is None:
        return Fix(description)
    return Fix(description, safe=False, edits=(file.replace(last, f"{text}, batch_first=True"),))


_KINDS = {"RNNBase": "recurrent layer", "MultiheadAttention": "attention layer"}
_MOST_BATCHES = 4


class _Batch(NamedTuple):
    """A batch that a loader put together of samples in random order: the samples come first in it."""

    samples: int
    tensors: list[weakref.ref[Any]]
    sizes: set[int]
    shapes: set[tuple[int, ...]]


class Watch(Detector):
    """Looks at what layers that want the steps first are given, in sampled steps."""

    PAUSES = STEADY

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._batch: _Batch | None = None
        self._seen: ByIdentity[int] = ByIdentity()
        self._looks = Looks()
        if watcher.probes.on:
            self.on_backward = self._ask  # otherwise there is nothing to be told of

    def on_batch(self, event: Event) -> None:
        """A batch, whose first dimension is known."""
        self._batch = None
        if self.stream.sampled and stacks_at_random(event.subject):
            held = [tensor for tensor in tensors(event.data) if tensor.ndim >= 2]
            samples = {int(tensor.shape[0]) for tensor in held}
            if len(samples) == 1:
                self._batch = _Batch(
                    samples.pop(),
                    [weakref.ref(tensor) for tensor in held],
                    {tensor.numel() for tensor in held},
                    {tuple(tensor.shape[:2]) for tensor in held},
                )

    def on_forward(self, event: Event) -> None:
        """A layer that takes `(steps, samples, features)`, in two sampled steps."""
        layer, batch = event.subject, self._batch
        if batch is None or getattr(layer, "batch_first", True) or not event.args:
            return
        kind = _kind(layer)
        if kind is None or not _has_samples_first(event.args[0], batch):
            return
        self._seen[layer] = self._seen.get(layer, 0) + 1
        if self._seen[layer] < 2:
            return
        name, shape = self.names.module(layer), list(event.args[0].shape)
        self.found(
            f"`{name}` is made without `batch_first=True` and given {batch.samples} samples first: the "
            f"{kind} reads them as the steps of a sequence",
            why="each sample's own steps are never read in order, and samples depend on their neighbours",
            place=event.place,
            fix="Make the layer with `batch_first=True`.",
            shape=shape,
            samples=batch.samples,
        )

    def _ask(self, event: Event) -> None:
        """Whether samples reach each other through such a layer, whatever its input's sizes."""
        for trial in self.watcher.probes.trials:
            culprit = self._looks.at(trial, _through_layer)
            if culprit is not None:
                kind = _kind(culprit.module)
                self.found(
                    f"`{self.names.module(culprit.module)}` is made without `batch_first=True`, and with one "
                    f"sample of the batch exchanged it gives others other outputs: the {kind} reads the "
                    "samples as the steps of a sequence",
                    why="each sample's own steps are never read in order, and samples depend on their "
                    "neighbours",
                    place=culprit.place,
                    fix="Make the layer with `batch_first=True`, or give it the steps first.",
                    related=((trial.place, "the model is called here"),),
                    change=round(culprit.change, 4),
                )


def _kind(layer: Any) -> str | None:
    kinds = {kind.__name__ for kind in type(layer).__mro__}
    return next((words for name, words in _KINDS.items() if name in kinds), None)


def _through_layer(trial: Trial) -> Any:
    culprit = trial.mixing()
    if culprit is None or culprit.place is None or _kind(culprit.module) is None:
        return None
    return None if getattr(culprit.module, "batch_first", True) else culprit


def _has_samples_first(given: Any, batch: _Batch) -> bool:
    if not is_tensor(given) or given.ndim != 3 or given.shape[0] != batch.samples:
        return False
    if any(each() is given for each in batch.tensors):
        return True
    if given.shape[1] in (batch.samples, 1):
        return False  # turned round, it would look the same
    return given.numel() in batch.sizes or tuple(given.shape[:2]) in batch.shapes
