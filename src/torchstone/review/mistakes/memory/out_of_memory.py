"""The memory of the device, or of the machine, is full.

## What it does
Explains the error that ended the program, under its traceback: which module was at work and on what shapes,
or which line on which variables, and how much it asked for; graphs that are recorded in evaluation are told.

## Why is this bad?
The program stops, and the error's numbers do not say which part of the model or which line asked for them.

## References
- [CUDA out of memory](https://docs.pytorch.org/docs/stable/notes/faq.html#my-model-reports-cuda-runtime-error-2-out-of-memory)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchstone.finding import Severity
from torchstone.review.crashes import Crash, shape
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example

if TYPE_CHECKING:
    from torchstone.review.stream import Event

CODE = "TS713"
NAME = "out-of-memory"
SEVERITY: Severity = "error"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch

        points = torch.randn(3_000_000, 1)
        distances = points - points.T  # TS713
        """
    ),
)
GOOD = (
    """
    import torch

    points = torch.randn(300, 1)
    distances = points - points.T
    """,
)

_ASKED = re.compile(r"[Tt]ried to allocate ([\d.]+) ?([KMGT]?i?B|bytes)")
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


class Watch(Detector):
    """Explains the error that ended the program."""

    def on_crash(self, event: Event) -> None:
        """Who asked for how much."""
        crash = Crash(event.subject)
        if crash.kind != "memory":
            return
        steps = crash.steps()
        asked = _asked(crash.text)
        held = {name: list(tensor.shape) for name, tensor in crash.variables()}
        where, fix = "This line", "Use smaller batches, or compute it in parts."
        if steps:
            module = steps[-1].module
            given = ", ".join(shape(one) for one in steps[-1].inputs)
            where = f"`{self.names.module(module)}` ({type(module).__name__}), given {given},"
            if not steps[0].module.training and any(one.requires_grad for one in module.parameters()):
                fix = "In evaluation, call the model under `torch.no_grad()`; otherwise use smaller batches."
        elif crash.backward_of() is not None:
            where, fix = "The backward pass", f"{fix} Checkpointing keeps less for it."
        self.found(
            f"{where} asks for {_written(asked)} of memory that is not there"
            if asked
            else f"{where} found no memory",
            why=f"torch says: {crash.words}",
            place=crash.place,
            fix=fix,
            asked=asked,
            shapes=held,
        )


def _asked(text: str) -> int | None:
    """The bytes that were asked for."""
    found = _ASKED.search(text)
    return None if found is None else int(float(found[1]) * _UNITS.get(found[2], 1))


def _written(size: int) -> str:
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size >= _UNITS[unit]:
            return f"{size / _UNITS[unit]:.1f} {unit}"
    return f"{size} bytes"
