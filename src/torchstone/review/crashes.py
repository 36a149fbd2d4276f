"""An error of torch that ended a program: what kind it is, and what its traceback still holds.

Nothing is gathered for this while the program runs: the frames of the traceback have the modules on the way,
what they were given, and the user's own variables.
"""

from __future__ import annotations

import linecache
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torchstone.review.assignments import names_at
from torchstone.review.objects import is_tensor
from torchstone.review.places import UNSEEN, Place, is_users, locals_of, spot_of

_KINDS = (
    ("memory", r"out of memory|DefaultCPUAllocator: (?:can't allocate|not enough) memory"),
    ("state", r"^Error\(s\) in loading state_dict"),
    (
        "inplace",
        r"modified by an inplace operation|leaf Variable that requires grad is being used in an in-pl|"
        r"is being modified inplace",
    ),
    ("second", r"backward through the graph a second time"),
    ("no_gradient", r"^element \d+ of tensors does not require grad"),
    ("one", r"Expected more than 1 value per channel when training"),
    ("index", r"^index out of range in self$|^Target -?\d+ is out of bounds"),
    (
        "device",
        r"Expected all tensors to be on the same device|is not on the expected device|"
        r"Input type \((?:torch\.cuda|CUDA)\S+\) and weight type \(torch\.[A-Z]\w+\) should be the same|"
        r"Input type \(torch\.[A-Z]\w+\) and weight type \(torch\.cuda",
    ),
    (
        "dtype",
        r"must have the same dtype|to have the same dtype|should be the same$|share same datatype|"
        r"does not match weight dtype|scalar types?:? |expected scalar type|^Found dtype|target dtype to be|"
        r"can't be cast to the desired|must be either a floating point or complex dtype|"
        r"\"\w+\" not implemented for '",
    ),
    (
        "shape",
        r"shapes cannot be multiplied|must match the size of tensor|expected input\S* to have|"
        r"\bExpected \d?D? ?.*but got input of size|Kernel size can't be greater|Output size is too small|"
        r"should contain \d+ elements not|expected \dD (?:or \dD )?input|must be equal to input_size|"
        r"Given normalized_shape|is invalid for input of size|Sizes of tensors must match|"
        r"stack expects each tensor to be equal size|Expected size for first two dimensions|"
        r"Expected input batch_size|Expected target size|multi-target not supported|"
        r"must be the same as input size|is different to the input size|embedding dimension of|"
        r"does not broadcast with previously seen|doesn't match the broadcast shape|"
        r"must match the existing size|"
        r"^size mismatch, got|^Dimension out of range|number of dimensions in the tensor input|"
        r"^\dD tensors expected|^inconsistent tensor size|"
        r"^only one element tensors can be converted|elements? cannot be converted to Scalar",
    ),
)
_OF_TORCH = ("RuntimeError", "IndexError", "OutOfMemoryError", "AcceleratorError")
_OTHERS_OF_TORCH = re.compile(r"^only one element tensors can be converted")
"""What torch says in an error of a type that Python's own functions raise too."""
_EVENTS = os.path.join(os.path.dirname(__file__), "events", "")
_LOSSES = re.compile(r"_loss$|cross_entropy|^kl_div$")


@dataclass(frozen=True)
class Step:
    """A module on the way to the error.

    Args:
        module: the module.
        inputs: the tensors that it was given.
    """

    module: Any
    inputs: list[Any]


class Crash:
    """What ended a program.

    Args:
        error: the exception, with its traceback.
    """

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.text = " ".join(str(error).split())
        self.frames = list(_frames(error))
        while self.frames and self.frames[-1][0].f_code.co_filename.startswith((_EVENTS, UNSEEN)):
            self.frames.pop()  # what calls a function of torch for us
        self.kind = self._kind()

    def _kind(self) -> str | None:
        """What went wrong; None for what torch did not say itself."""
        if not self.frames or not isinstance(self.error, Exception) or "torch" not in sys.modules:
            return None
        frame, line = self.frames[-1]
        file = frame.f_code.co_filename
        if is_users(file):
            written = linecache.getline(file, line).strip()
            own = type(self.error).__name__ in _OF_TORCH or _OTHERS_OF_TORCH.match(str(self.error))
            if written.startswith(("raise", "assert")) or not own:
                return None
        elif f"{os.sep}torch{os.sep}" not in file:
            return None
        text = str(self.error)
        return next((kind for kind, pattern in _KINDS if re.search(pattern, text, re.MULTILINE)), None)

    @property
    def words(self) -> str:
        """What torch says, on one line and not too long."""
        return self.text if len(self.text) <= 300 else f"{self.text[:297]}..."

    @property
    def users(self) -> list[tuple[FrameType, int]]:
        """The frames of the user's code with their lines, the innermost last."""
        return [(frame, line) for frame, line in self.frames if is_users(frame.f_code.co_filename)]

    @property
    def place(self) -> Place | None:
        """The innermost line of the user's."""
        return place_of(self.users[-1]) if self.users else None

    def steps(self) -> list[Step]:
        """The modules that were at work, the innermost last."""
        found = []
        for frame, _ in self.frames:
            local = locals_of(frame) if frame.f_code.co_name == "_call_impl" else {}
            if "self" in local:
                given = (*local.get("args", ()), *local.get("kwargs", {}).values())
                found.append(Step(local["self"], tensors(given)))
        return found

    def loss(self) -> tuple[str, Any, Any] | None:
        """The loss that failed, with its outputs and targets."""
        for frame, _ in reversed(self.frames):
            local = locals_of(frame)
            outputs, targets = local.get("input"), local.get("target")
            if _LOSSES.search(frame.f_code.co_name) and is_tensor(outputs) and is_tensor(targets):
                return frame.f_code.co_name, outputs, targets
        return None

    def argument(self, name: str, function: str) -> Any:
        """A local variable of the innermost function of a name; None where there is none."""
        for frame, _ in reversed(self.frames):
            local = locals_of(frame) if frame.f_code.co_name == function else {}
            if name in local:
                return local[name]
        return None

    def backward_of(self) -> Any:
        """What the failing backward pass began with."""
        for frame, _ in self.frames:
            if frame.f_code.co_name in ("backward", "grad"):
                for name in ("self", "tensors", "outputs"):
                    held = tensors(locals_of(frame).get(name))
                    if held:
                        return held[0]
        return None

    def variables_of_line(self) -> list[tuple[str, Any]]:
        """Those tensors whose names stand in the line that failed."""
        if not self.users:
            return []
        here = names_at(*self.users[-1])
        return [(name, tensor) for name, tensor in self.variables() if name in here]

    def variables(self) -> list[tuple[str, Any]]:
        """The tensors that the innermost of the user's functions has by name."""
        if not self.users:
            return []
        held = locals_of(self.users[-1][0])
        return [
            (name, value) for name, value in held.items() if is_tensor(value) and not name.startswith("_")
        ]


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def place_of(seen: tuple[FrameType, int]) -> Place:
    """The place of a frame and its line."""
    return spot_of(*seen)


def is_a(module: Any, *names: str) -> bool:
    """Whether a module's class, or one that it is made from, has one of these names in torch."""
    return any(cls.__name__ in names and cls.__module__.startswith("torch.") for cls in type(module).__mro__)


def tensors(values: Any, depth: int = 3) -> list[Any]:
    """All tensors in nested containers."""
    if is_tensor(values):
        return [values]
    if issubclass(type(values), dict):
        values = list(values.values())
    if not issubclass(type(values), (list, tuple)) or not depth:
        return []
    return [tensor for value in values for tensor in tensors(value, depth - 1)]


def shape(tensor: Any) -> str:
    """A shape as Python writes it."""
    return str(tuple(tensor.shape))


def dtype(tensor: Any) -> str:
    """`float32` for `torch.float32`."""
    return str(tensor.dtype).removeprefix("torch.")


def weight_of(module: Any) -> Any:
    """The weight of a layer, or what stands for it; None where it has none."""
    for name in ("weight", "weight_ih_l0", "in_proj_weight", "running_mean"):
        found = getattr(module, name, None)
        if is_tensor(found):
            return found
    return None
