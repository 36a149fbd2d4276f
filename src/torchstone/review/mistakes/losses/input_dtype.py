"""A layer or an operation gets tensors of a dtype that it cannot use.

## What it does
Explains the error that ended the program, under its traceback: the path of the layer, the dtype of its weight
and of its input, and the line that made it. Targets of a loss are told as TS307.

## Why is this bad?
The program stops. Mostly the inputs come from NumPy, whose numbers are `float64` where torch's are `float32`,
or are whole numbers.

## References
- [torch.dtype](https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.dtype)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.assignments import made_at, name_given
from torchstone.review.crashes import Crash, dtype, is_a, place_of, weight_of
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event

CODE = "TS317"
NAME = "input-dtype"
SEVERITY: Severity = "error"
ONLY_RUN = True

BAD = (
    Example(
        """
        import numpy as np
        import torch
        from torch import nn

        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        inputs = torch.from_numpy(np.random.rand(16, 4))  # TS317
        net(inputs)  # TS317
        """
    ),
)
GOOD = (
    """
    import numpy as np
    import torch
    from torch import nn

    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    net(torch.from_numpy(np.random.rand(16, 4)).float())
    """,
)


class Watch(Detector):
    """Explains the error that ended the program."""

    def on_crash(self, event: Event) -> None:
        """Dtypes that do not fit, in a layer or in an operation of the user's."""
        crash = Crash(event.subject)
        steps = crash.steps()
        if crash.kind != "dtype" or crash.loss() is not None or crash.backward_of() is not None:
            return
        if steps and steps[-1].inputs and weight_of(steps[-1].module) is not None:
            self._in_layer(crash, steps[-1].module, steps[-1].inputs[0])
        elif crash.variables():
            self._in_operation(crash)

    def _in_layer(self, crash: Crash, layer: Any, given: Any) -> None:
        name, weight = self.names.module(layer), weight_of(layer)
        if is_a(layer, "Embedding", "EmbeddingBag"):
            wanted, fix = "int64", "Give it indices: `inputs.long()`."
        else:
            wanted, fix = dtype(weight), f"Convert its inputs: `inputs.to(torch.{dtype(weight)})`."
        self.found(
            f"`{name}` ({type(layer).__name__}) wants inputs of dtype {wanted} and got {dtype(given)}",
            why=f"torch says: {crash.words}",
            place=crash.place,
            fix=fix,
            related=_made(crash, given),
            module=name,
            wanted=wanted,
            got=dtype(given),
        )

    def _in_operation(self, crash: Crash) -> None:
        if "floating point or complex dtype" in crash.text:
            self._of_whole_numbers(crash)
            return
        self.found(
            "The tensors of this line have dtypes that do not go together",
            why=f"torch says: {crash.words}",
            place=crash.place,
            fix="Convert one of them: `tensor.to(other.dtype)`.",
            dtypes={name: dtype(tensor) for name, tensor in crash.variables()},
        )

    def _of_whole_numbers(self, crash: Crash) -> None:
        whole = [(name, tensor) for name, tensor in crash.variables_of_line() if not _has_fractions(tensor)]
        name, tensor = whole[0] if len(whole) == 1 else ("", None)
        self.found(
            f"`{name}` holds whole numbers ({dtype(tensor)}), of which this cannot be computed"
            if name
            else "This cannot be computed of whole numbers",
            why=f"torch says: {crash.words}",
            place=crash.place,
            fix=f"Convert it first: `{name or 'tensor'}.float()`.",
            related=() if tensor is None else _made(crash, tensor),
            dtypes={name: dtype(tensor) for name, tensor in crash.variables()},
        )


def _has_fractions(tensor: Any) -> bool:
    return bool(tensor.is_floating_point() or tensor.is_complex())


def _made(crash: Crash, tensor: Any) -> tuple[tuple[Place | None, str], ...]:
    """The line that made a tensor: in the innermost of the user's functions that has it by name."""
    for frame, line in reversed(crash.users):
        name = name_given(frame, line, tensor)
        made = None if name is None else made_at(frame, line, name)
        if made is not None and made != place_of((frame, line)):
            return ((made, f"`{name}`, of dtype {dtype(tensor)}, is made here"),)
    return ()
