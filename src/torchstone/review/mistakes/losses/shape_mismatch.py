"""A layer, a loss or an operation gets tensors whose shapes do not fit.

## What it does
Explains the error that ended the program, under its traceback: the path of the layer, the shape of its weight
and that of its input, what each module on the way was given, and the line that made the tensor. Nothing is
gathered for it while the program runs.

## Why is this bad?
The program stops, and the words of the error (`mat1 and mat2 shapes cannot be multiplied`) say neither which
layer it was nor where its input came from.

## References
- [Broadcasting semantics](https://docs.pytorch.org/docs/stable/notes/broadcasting.html)
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.assignments import made_at, name_given
from torchstone.review.crashes import Crash, is_a, place_of, shape, weight_of
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event

CODE = "TS316"
NAME = "shape-mismatch"
SEVERITY: Severity = "error"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Conv2d(1, 4, 3)
                self.head = nn.Linear(4 * 28 * 28, 10)

            def forward(self, x):
                x = self.features(x).flatten(1)
                return self.head(x)  # TS316

        net = Net()
        net(torch.randn(8, 1, 28, 28))
        """
    ),
    Example(
        """
        import torch
        from torch import nn

        outputs = nn.Linear(4, 3)(torch.randn(8, 4))
        nn.functional.cross_entropy(outputs, torch.zeros(6, dtype=torch.long))  # TS316
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 26 * 26, 10))
    outputs = net(torch.randn(8, 1, 28, 28))
    nn.functional.cross_entropy(outputs, torch.zeros(8, dtype=torch.long))
    """,
)


class Watch(Detector):
    """Explains the error that ended the program."""

    def on_crash(self, event: Event) -> None:
        """Shapes that do not fit, in a loss, in a layer or in an operation of the user's."""
        crash = Crash(event.subject)
        if crash.kind != "shape":
            return
        steps, loss = crash.steps(), crash.loss()
        if loss is not None:
            self._in_loss(crash, *loss)
        elif steps and steps[-1].inputs and is_a(steps[-1].module, *_LAYERS):
            self._in_layer(crash, steps[-1].module, steps[-1].inputs[0])
        elif (steps or crash.variables() or "stack expects" in crash.text) and not self._is_told(crash):
            self._in_operation(crash)

    def _is_told(self, crash: Crash) -> bool:
        """Whether the prediction was just found to be taken over the wrong dimension: that is the cause."""
        line = None if crash.place is None else crash.place.line
        return any(
            one.code == "TS309" and line in (one.line, *(other.line for other in one.related))
            for one in self.watcher.findings[-1:]
        )

    def _in_layer(self, crash: Crash, layer: Any, given: Any) -> None:
        name, weight = self.names.module(layer), weight_of(layer)
        what = "" if weight is None else f" has a weight of shape {shape(weight)} and"
        self.found(
            f"`{name}` ({type(layer).__name__}){what} got an input of shape {shape(given)}",
            why=f"torch says: {crash.words}",
            place=crash.place,
            fix=fix_of(layer, given),
            related=self._made(crash, given),
            module=name,
            weight=None if weight is None else list(weight.shape),
            input=list(given.shape),
            way=self._way(crash),
        )

    def _in_loss(self, crash: Crash, name: str, outputs: Any, targets: Any) -> None:
        self.found(
            f"`{name}` gets outputs of shape {shape(outputs)} and targets of shape {shape(targets)}",
            why=f"torch says: {crash.words}",
            place=crash.place,
            fix=_loss_fix(name, outputs, targets),
            related=(*self._made(crash, outputs), *self._made(crash, targets)),
            outputs=list(outputs.shape),
            targets=list(targets.shape),
        )

    def _in_operation(self, crash: Crash) -> None:
        inside = crash.steps()[-1].module if crash.steps() else None
        held = {name: list(tensor.shape) for name, tensor in crash.variables()}
        here = [] if _ONE_ELEMENT.search(crash.text) else crash.variables_of_line()[:_MOST_NAMES]
        where = "" if inside is None else f" in `{self.names.module(inside)}` ({type(inside).__name__})"
        self.found(
            _operation_message(crash.text, here, bool(held)).format(where=where),
            why=f"torch says: {crash.words}",
            place=crash.place,
            fix=_operation_fix(crash.text),
            related=tuple(made for _, tensor in here for made in self._made(crash, tensor)),
            shapes=held,
            way=self._way(crash),
        )

    def _way(self, crash: Crash) -> list[str]:
        """What each module on the way was given, the outermost first."""
        return [
            f"{self.names.module(step.module)} {', '.join(shape(tensor) for tensor in step.inputs)}"
            for step in crash.steps()
            if step.inputs
        ]

    @staticmethod
    def _made(crash: Crash, tensor: Any) -> tuple[tuple[Place | None, str], ...]:
        """The line that made a tensor, where the user's function has it by name."""
        if not crash.users:
            return ()
        frame, line = crash.users[-1]
        name = name_given(frame, line, tensor)
        made = None if name is None else made_at(frame, line, name)
        if made is None or made == place_of((frame, line)):
            return ()
        return ((made, f"`{name}`, of shape {shape(tensor)}, is made here"),)


_CONVOLUTIONS = ("Conv1d", "Conv2d", "Conv3d")
_LAYERS = (
    "Linear",
    "Bilinear",
    "_ConvNd",
    "_NormBase",
    "LayerNorm",
    "GroupNorm",
    "RNNBase",
    "RNNCellBase",
    "MultiheadAttention",
    "_MaxPoolNd",
    "_AvgPoolNd",
    "Embedding",
    "PReLU",
)


def fix_of(layer: Any, given: Any) -> str:
    """What to change, in the words of the layer.

    Args:
        layer: that refuses its input.
        given: the input.
    """
    sizes, kind = tuple(given.shape), type(layer).__name__
    if is_a(layer, "Linear") and sizes:
        if len(sizes) > 2 and math.prod(sizes[1:]) == layer.in_features:
            return "Flatten the samples first: put `nn.Flatten()` before it."
        return f"Make it `nn.Linear({sizes[-1]}, {layer.out_features})`, or change what comes before it."
    if is_a(layer, *_CONVOLUTIONS):
        return _convolution_fix(layer, sizes, kind)
    if is_a(layer, "_NormBase") and len(sizes) > 1:
        return f"Make it `nn.{kind}({sizes[1]})`, of the kind for {len(sizes)}-dimensional inputs."
    if is_a(layer, "LayerNorm") and sizes:
        return f"Make it `nn.LayerNorm({sizes[-1]})`, or change what comes before it."
    if is_a(layer, "RNNBase", "RNNCellBase") and sizes:
        return f"Make its input_size {sizes[-1]}, or change what comes before it."
    if is_a(layer, "MultiheadAttention") and sizes:
        return f"Make its embed_dim {sizes[-1]}, or change what comes before it."
    return "Use a smaller kernel, fewer poolings before it, or larger inputs."


def _convolution_fix(layer: Any, sizes: tuple[int, ...], kind: str) -> str:
    axes, wanted = len(layer.kernel_size), layer.in_channels
    if len(sizes) == axes + 1 and wanted == 1:
        return "Give the samples a channel dimension: `inputs.unsqueeze(1)`."
    if len(sizes) == axes + 2 and sizes[1] != wanted and sizes[-1] == wanted:
        return "The channels come last here and must come second: `inputs.movedim(-1, 1)`."
    if len(sizes) == axes + 2 and sizes[1] != wanted:
        made = f"nn.{kind}({sizes[1]}, {layer.out_channels}, {layer.kernel_size[0]})"
        return f"Make it `{made}`, or change what comes before it."
    if len(sizes) != axes + 2:
        return f"Give it inputs of {axes + 2} dimensions, (batch, channels, ...)."
    return "Use a smaller kernel, more padding or fewer poolings before it, or larger inputs."


def _loss_fix(name: str, outputs: Any, targets: Any) -> str:
    scores, labels = tuple(outputs.shape), tuple(targets.shape)
    if name in ("cross_entropy", "nll_loss"):
        if len(labels) == 2 and labels == (scores[0], 1):
            return "Class labels are one number a sample: `targets.squeeze(1)`."
        if len(scores) == 3 and len(labels) == 2 and scores[:2] == labels:
            return "The classes must come second: `outputs.transpose(1, 2)`, or flatten both."
        return "Outputs must be (samples, classes) and targets (samples,), with as many samples."
    if math.prod(scores) == math.prod(labels):
        return "Give both one shape: `outputs.squeeze(-1)`, or `targets.unsqueeze(-1)`."
    return "Give outputs and targets the same shape."


_MOST_NAMES = 4
_ONE_ELEMENT = re.compile(r"only one element tensors|cannot be converted to Scalar")


def _operation_message(text: str, here: list[tuple[str, Any]], held: bool) -> str:
    """What is said of an operation of the user's, with `{where}` for where it is."""
    if _ONE_ELEMENT.search(text):
        return "A tensor of several elements stands{where} where a single number is needed"
    if "stack expects" in text and not held:
        return "The samples of a batch are of shapes that do not fit{where}"
    if not here:
        return "The tensors of this line are of shapes that do not fit{where}"
    named = ", ".join(f"`{name}` {shape(tensor)}" for name, tensor in here)
    return f"The shapes of this line do not fit{{where}}: {named}"


def _operation_fix(text: str) -> str:
    if "only one element tensors" in text:
        return "Tensors are joined by `torch.stack(list)`; `torch.tensor` wants numbers."
    if "cannot be converted to Scalar" in text:
        return "Reduce it to one number first, by `.mean()`, `.sum()` or an index; or use `.tolist()`."
    if "stack expects each tensor" in text:
        return "Bring all samples to one size in the data set, or pad them in a `collate_fn`."
    if "is invalid for input of size" in text:
        return "Let one size be found out: `-1` in `view` or `reshape`."
    if text.startswith("Dimension out of range"):
        return "Look where one lost a dimension: by an index, a reduction, or a `squeeze()` that names none."
    return "Make the shapes agree, here or where they are made."
