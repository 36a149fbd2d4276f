"""A mask of attention hides what should be seen, or hides nothing.

## What it does
Follows masks that are made of `tril`, `triu`, of tokens compared with padding or of positions compared with
lengths to where attention uses them, and reports those that mean the opposite there, and ones and zeros that
are no booleans.

A run that is watched with `--thorough` looks whether a model is trained on its own input, shifted by one: the
next token. Such a model is called a few times more in eval mode with other tokens at the end, and where the
scores of earlier positions change, the attention that looks ahead is reported.

## Why is this bad?
In `nn.MultiheadAttention` and `nn.Transformer` True means *hidden*, in `F.scaled_dot_product_attention` it
means *seen*. With the wrong one a model sees just what comes later, or just the padding: a language model
reads its answer, its loss falls to nothing, and it cannot write a sentence. Masks of numbers are added to
the scores: only minus infinity hides, and ones and zeros change next to nothing.

## References
- [MultiheadAttention](https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html)
- [scaled_dot_product_attention](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.crashes import tensors
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor
from torchstone.review.probing import Looks, Trial, comparing
from torchstone.review.syntax.arguments import given
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.masks import Mask, mask_of
from torchstone.review.syntax.origins import reaching

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS313"
NAME = "attention-mask"
SEVERITY: Severity = "error"
INVOLVES = (
    "MultiheadAttention|Transformer|scaled_dot_product_attention|masked_fill",
    "tril|triu|pad|!=|ne(|<|arange",
)

BAD = (
    Example(
        """
        import torch
        from torch import nn

        attention = nn.MultiheadAttention(16, 2, batch_first=True)
        x = torch.randn(4, 10, 16)
        seen = torch.tril(torch.ones(10, 10, dtype=torch.bool))
        output, _ = attention(x, x, x, attn_mask=seen)  # TS313
        """,
        fixed="""
        import torch
        from torch import nn

        attention = nn.MultiheadAttention(16, 2, batch_first=True)
        x = torch.randn(4, 10, 16)
        seen = torch.tril(torch.ones(10, 10, dtype=torch.bool))
        output, _ = attention(x, x, x, attn_mask=~seen)
        """,
    ),
    Example(
        """
        import torch
        import torch.nn.functional as F

        q = k = v = torch.randn(4, 2, 10, 8)
        later = torch.triu(torch.ones(10, 10), diagonal=1).bool()
        output = F.scaled_dot_product_attention(q, k, v, attn_mask=later)  # TS313
        """,
        fixed="""
        import torch
        import torch.nn.functional as F

        q = k = v = torch.randn(4, 2, 10, 8)
        later = torch.triu(torch.ones(10, 10), diagonal=1).bool()
        output = F.scaled_dot_product_attention(q, k, v, attn_mask=~later)
        """,
    ),
)
GOOD = (
    """
    import torch
    import torch.nn.functional as F
    from torch import nn

    attention = nn.MultiheadAttention(16, 2, batch_first=True)
    x = torch.randn(4, 10, 16)
    later = torch.triu(torch.ones(10, 10, dtype=torch.bool), diagonal=1)
    output, _ = attention(x, x, x, attn_mask=later)
    q = k = v = torch.randn(4, 2, 10, 8)
    output = F.scaled_dot_product_attention(q, k, v, attn_mask=~later)
    """,
)

_ARGUMENTS = {
    "MultiheadAttention": ((3, "key_padding_mask"), (5, "attn_mask")),
    "TransformerEncoderLayer": ((1, "src_mask"), (2, "src_key_padding_mask")),
    "TransformerEncoder": ((1, "mask"), (2, "src_key_padding_mask")),
    "TransformerDecoderLayer": (
        (2, "tgt_mask"),
        (4, "tgt_key_padding_mask"),
        (5, "memory_key_padding_mask"),
    ),
    "TransformerDecoder": ((2, "tgt_mask"), (4, "tgt_key_padding_mask"), (5, "memory_key_padding_mask")),
    "Transformer": (
        (2, "src_mask"),
        (3, "tgt_mask"),
        (5, "src_key_padding_mask"),
        (6, "tgt_key_padding_mask"),
        (7, "memory_key_padding_mask"),
    ),
}
"""The masks that the layers take, True meaning hidden: position and name."""

_FUNCTION = "torch.nn.functional.scaled_dot_product_attention"
_FILLS = ("masked_fill", "masked_fill_")


def check(file: File) -> Iterator[Finding]:
    """Looks at the masks that layers and functions of attention are given."""
    if not _is_concerned(file):
        return
    for call in file.index.calls():
        frame = file.frame_of(call)
        called = frame.value(call.func)
        if called is not None and called.kind == "module" and called.cls is None:
            for position, name in _ARGUMENTS.get((called.name or "").removeprefix("torch.nn."), ()):
                if (argument := given(call, position, name)) is not None:
                    yield from _hidden(file, frame, call, name, argument)
        elif called is not None and called.kind == "library" and called.name == _FUNCTION:
            argument = given(call, 3, "attn_mask")
            yield from _seen(file, frame, call, argument) if argument is not None else ()
    for name in _FILLS:
        for call in file.index.calls_by_name.get(name, ()):
            yield from _filled(file, call)


def _is_concerned(file: File) -> bool:
    """Whether a file calls layers or functions of attention, or could: by names, since files share layers."""
    calls = file.index.calls_by_name
    if any(name in calls for name in (*_FILLS, "scaled_dot_product_attention", *_ARGUMENTS)):
        return True
    return any(f"{name}=" in file.source.text for pairs in _ARGUMENTS.values() for _, name in pairs)


def _hidden(file: File, frame: Frame, call: ast.Call, name: str, argument: ast.expr) -> Iterator[Finding]:
    """A mask of which True means hidden."""
    mask = mask_of(frame, argument)
    if mask is None:
        return
    if mask.dtype == "float":
        yield _numbers(file, call, name, argument, mask)
    elif mask.dtype == "bool" and mask.allows:
        shown = "only what comes later is seen" if mask.kind == "lower" else "only padding is seen"
        yield file.finding(
            CODE,
            NAME,
            SEVERITY,
            argument,
            f"`{_short(argument)}` is True where attention is allowed, and True hides in "
            f"`{name}` of `{ast.unparse(call.func)}`",
            why=f"the mask is inverted: {shown}",
            fix=_inversion(file, argument),
            related=(mask.frame.file.related(mask.node, "made here"),),
        )


def _seen(file: File, frame: Frame, call: ast.Call, argument: ast.expr) -> Iterator[Finding]:
    """The mask of `scaled_dot_product_attention`, of which True means seen."""
    mask = mask_of(frame, argument)
    if mask is None:
        return
    if mask.dtype == "float":
        yield _numbers(file, call, "attn_mask", argument, mask)
    elif mask.dtype == "bool" and mask.forbids:
        shown = "only what comes later is seen" if mask.kind == "upper" else "only padding is seen"
        yield file.finding(
            CODE,
            NAME,
            SEVERITY,
            argument,
            f"`{_short(argument)}` is True where attention is to be hidden, and True is what "
            "`scaled_dot_product_attention` sees",
            why=f"the mask is inverted: {shown}; `nn.MultiheadAttention` has it the other way round",
            fix=_inversion(file, argument),
            related=(mask.frame.file.related(mask.node, "made here"),),
        )


def _filled(file: File, call: ast.Call) -> Iterator[Finding]:
    """Scores that are filled with minus infinity before a softmax."""
    function = file.name(call.func) is not None
    argument = given(call, 1 if function else 0, "mask")
    value = given(call, 2 if function else 1, "value")
    if argument is None or value is None or not _is_low(value) or not _is_softmaxed(file, call):
        return
    frame = file.frame_of(call)
    mask = mask_of(frame, argument)
    if mask is None or mask.dtype != "bool" or not mask.allows:
        return
    if mask.kind == "tokens" and "pad" not in ast.unparse(mask.node).lower():
        return
    shown = "only what comes later is left" if mask.kind == "lower" else "only padding is left"
    yield file.finding(
        CODE,
        NAME,
        SEVERITY,
        argument,
        f"`{_short(argument)}` is True where attention is allowed, and just these scores are taken away",
        why=f"the mask is inverted: {shown}",
        fix=_inversion(file, argument),
        related=(mask.frame.file.related(mask.node, "made here"),),
    )


def _is_low(node: ast.expr) -> bool:
    """Whether a value stands for minus infinity."""
    text = ast.unparse(node).lower().replace(" ", "")
    if "-inf" in text or ".finfo" in text or text in ("-math.inf", "-torch.inf", "-np.inf", "-float('inf')"):
        return True
    if (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
    ):
        return isinstance(node.operand.value, int | float) and node.operand.value >= 1000
    return False


def _is_softmaxed(file: File, call: ast.Call) -> bool:
    """Whether the filled scores go to a softmax, directly or by their name."""
    scope = file.index.scope_of(call)
    for name, calls in file.index.calls_by_name.items():
        if "softmax" not in name.lower():
            continue
        for softmax in calls:
            if file.index.scope_of(softmax) is not scope:
                continue
            source = softmax.args[0] if softmax.args else None
            by_method = isinstance(softmax.func, ast.Attribute) and file.value(softmax.func) is None
            for part in (source, softmax.func.value if by_method else None):  # type: ignore[attr-defined]
                if part is not None and _leads_to(file.root(scope), part, call, 0):
                    return True
    return False


def _leads_to(frame: Frame, node: ast.expr, call: ast.Call, depth: int) -> bool:
    if node is call:
        return True
    if depth > 10:
        return False
    if isinstance(node, ast.Name):
        values = [b.value for b in reaching(frame, node) if b.value is not None and b.scope is frame.scope]
        if any(_leads_to(frame, value, call, depth + 1) for value in values):
            return True
        # `scores.masked_fill_(...)` as a statement changes what the name stands for.
        base = call.func.value if isinstance(call.func, ast.Attribute) else None
        return isinstance(base, ast.Name) and base.id == node.id and call.func.attr == "masked_fill_"  # type: ignore[attr-defined]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _leads_to(frame, node.func.value, call, depth + 1)
    return isinstance(node, ast.BinOp) and _leads_to(frame, node.left, call, depth + 1)


def _numbers(file: File, call: ast.Call, name: str, argument: ast.expr, mask: Mask) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        argument,
        f"`{_short(argument)}` holds ones and zeros as numbers, which `{name}` of `{ast.unparse(call.func)}` "
        "adds to the scores",
        why="nothing is hidden: of numbers only minus infinity hides, and of booleans True or False",
        related=(mask.frame.file.related(mask.node, "made here"),),
    )


def _inversion(file: File, argument: ast.expr) -> Fix:
    description = "Invert the mask."
    if argument.lineno != argument.end_lineno:
        return Fix(description)
    text = ast.get_source_segment(file.source.text, argument)
    if isinstance(argument, ast.UnaryOp) and isinstance(argument.op, ast.Invert):
        text = ast.get_source_segment(file.source.text, argument.operand)
    elif isinstance(argument, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
        text = f"~{text}"
    elif text is not None:
        text = f"~({text})"
    return Fix(description, safe=False, edits=(file.replace(argument, text),)) if text else Fix(description)


def _short(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 50 else f"{text[:47]}..."


# A run

_LIKELIHOODS = ("cross_entropy", "nll_loss")
_ATTENDING = ("softmax", "scaled_dot_product_attention", "multi_head_attention_forward")
_FEWEST_STEPS = 4


class Watch(Detector):
    """Looks whether a model that is trained on the next token sees it."""

    OPTION = "--thorough"

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._looks = Looks()

    def on_backward(self, event: Event) -> None:
        """Asks about the models whose gradients are computed."""
        for trial in self.watcher.probes.trials:
            if trial.loss in _LIKELIHOODS and trial.module is not None:
                culprit = self._looks.at(trial, _looks_ahead)
                if culprit is not None:
                    self._tell(trial, culprit)

    def _tell(self, trial: Trial, culprit: Any) -> None:
        name = self.names.module(trial.module)
        inside = "" if culprit.module is None else f" in `{self.names.module(culprit.module)}`"
        self.found(
            f"`{name}` is trained on the next token and sees it: with other tokens at the end, the scores of "
            f"earlier positions change by `{culprit.name}`{inside}",
            why="the loss falls to nothing, as the answer stands in the input, and the model cannot write",
            place=culprit.place,
            fix="Hide later positions: `is_causal=True` in `scaled_dot_product_attention`, or a mask of "
            "`torch.triu(torch.ones(t, t), diagonal=1).bool()` filled with minus infinity.",
            related=((trial.place, "the model is called here"),),
            change=round(culprit.change, 4),
        )


def _looks_ahead(trial: Trial) -> Any:
    shifted = _shifted(trial)
    if shifted is None or not trial.can_be_made():
        return None
    args, kwargs = trial.given
    culprit = comparing().leak(trial.module, args, kwargs, *shifted)
    if culprit is None or culprit.place is None or culprit.name not in _ATTENDING:
        return None
    return culprit


def _shifted(trial: Trial) -> tuple[Any, int, Any] | None:
    """The tokens of which the targets are the next ones, their axis of positions, and where targets are.

    Labels that a model is given with them, and shifts itself, may be the same tokens again.
    """
    targets = trial.targets
    if not is_tensor(targets) or targets.is_floating_point():
        return None
    ignored = trial.options.get("ignore_index", -100)
    found = {}
    for ids in tensors(trial.given):
        if ids.dim() == 2 and str(ids.dtype) in ("torch.int64", "torch.int32") and _is_text(ids):
            for axis in (0, 1):
                counted = _next_ones(ids, targets, axis, ignored)
                if counted is not None:
                    found[id(ids), axis] = ids, axis, counted
    return next(iter(found.values())) if len(found) == 1 else None


def _is_text(ids: Any) -> bool:
    return len(set(ids.flatten()[:512].tolist())) > _FEWEST_STEPS


def _next_ones(ids: Any, targets: Any, axis: int, ignored: int) -> Any:
    """Where there are targets, if these are the tokens one further along an axis; None if they are not."""
    steps = ids.shape[axis]
    if steps < _FEWEST_STEPS:
        return None
    rest = ids.narrow(axis, 1, steps - 1)
    if targets.numel() == ids.numel():
        whole = targets.reshape(ids.shape)
        held = whole.narrow(axis, 0, steps - 1)
    elif targets.numel() == rest.numel():
        whole, held = None, targets.reshape(rest.shape)
    else:
        return None
    valid = held != ignored
    same, moving = (held == rest)[valid], (rest != ids.narrow(axis, 0, steps - 1))[valid]
    if not same.numel() or not bool(same.all()) or float(moving.float().mean()) < 0.3:
        return None
    counted = ids != ids
    counted.narrow(axis, 0, steps - 1).copy_(valid)
    return counted
