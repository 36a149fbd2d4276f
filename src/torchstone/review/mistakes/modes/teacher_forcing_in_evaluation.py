"""The decoder is fed the targets while it is evaluated.

## What it does
Reports a forward without gradients of a model whose `forward` takes a teacher forcing ratio with a default
above 0, when the call leaves the ratio at that default and `forward` does not ask `self.training`.

## Why is this bad?
The decoder sees the right words of the answer that it should give. Validation looks far better than what the
model does when it has only its own words to go on.

## References
- [Sequence to sequence translation](https://docs.pytorch.org/tutorials/intermediate/seq2seq_translation_tutorial.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.effects import events
from torchstone.review.syntax.events import Seen
from torchstone.review.syntax.file import File
from torchstone.review.syntax.scopes import FunctionNode

CODE = "TS206"
NAME = "teacher-forcing-in-evaluation"
SEVERITY: Severity = "warning"
MENTIONS = ("no_grad|inference_mode|set_grad_enabled",)
INVOLVES = ("teacher", "forc")

_MODEL = """
        import random

        import torch
        from torch import nn

        class Decoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.cell = nn.GRUCell(1, 1)

            def forward(self, state, target, teacher_forcing_ratio=0.5):
                outputs, word = [], target[:, :1]
                for step in range(1, target.shape[1]):
                    state = self.cell(word, state)
                    outputs.append(state)
                    forced = random.random() < teacher_forcing_ratio
                    word = target[:, step : step + 1] if forced else state
                return torch.stack(outputs)

        def evaluate(model, state, target):
            model.eval()
            with torch.no_grad():
"""

BAD = (
    Example(
        _MODEL
        + """\
                return model(state, target)  # TS206

        print(evaluate(Decoder(), torch.zeros(2, 1), torch.zeros(2, 3)).shape)
        """
    ),
)
GOOD = (
    _MODEL
    + """\
                return model(state, target, teacher_forcing_ratio=0)

        print(evaluate(Decoder(), torch.zeros(2, 1), torch.zeros(2, 3)).shape)
        """,
)

_WITHOUT_GRADIENTS = ("no_grad", "inference_mode", "set_grad_enabled")


def check(file: File) -> Iterator[Finding]:
    """Looks at each forward that records no gradients."""
    if not file.source.complete or not any(word in file.source.text for word in _WITHOUT_GRADIENTS):
        return
    for seen in events(file):
        for each in seen:
            if each.event.kind == "forward" and each.recording == "off" and each.event.frame.file is file:
                parameter = _forced(each)
                if parameter is not None:
                    yield _finding(file, each, parameter)


def _forced(seen: Seen) -> str | None:
    """The parameter that forces the targets on the decoder, when a call leaves it at its default."""
    model, call = seen.event.target, seen.event.node
    found = model.cls.method("forward") if model is not None and model.cls is not None else None
    if found is None or model is None or not model.sure or not isinstance(call, ast.Call):
        return None
    scope = found[1]
    names = scope.parameters
    place = next((i for i, name in enumerate(names) if "teacher" in name and "forc" in name), None)
    if place is None or "training" in ast.unparse(scope.node):
        return None
    default = place - len(names)
    defaults = scope.node.args.defaults if isinstance(scope.node, FunctionNode) else []
    value = defaults[default] if -default <= len(defaults) else None
    above = isinstance(value, ast.Constant) and isinstance(value.value, int | float) and value.value > 0
    open_ended = any(isinstance(argument, ast.Starred) for argument in call.args)
    passed = any(keyword.arg in (None, names[place]) for keyword in call.keywords)
    return names[place] if above and not open_ended and not passed and len(call.args) < place else None


def _finding(file: File, seen: Seen, parameter: str) -> Finding:
    model = ast.unparse(seen.event.node.func) if isinstance(seen.event.node, ast.Call) else "the model"
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        seen.event.node,
        f"`{model}` is evaluated with its default `{parameter}`: it is fed the targets that it should find",
        why="validation looks better than the model is without them",
        fix=Fix(f"Pass `{parameter}=0`."),
    )
