"""The calls of torch's losses inside a loss, seen before they are made.

`nn.CrossEntropyLoss()`, `F.cross_entropy`, and a function of the user's that calls it among others end in
the same call, with the outputs and targets as the loss really gets them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from torchstone.finding import Finding

LOSSES: dict[Any, str] = {
    F.cross_entropy: "CrossEntropyLoss",
    F.nll_loss: "NLLLoss",
    F.multi_margin_loss: "MultiMarginLoss",
    F.binary_cross_entropy: "BCELoss",
    F.binary_cross_entropy_with_logits: "BCEWithLogitsLoss",
    F.mse_loss: "MSELoss",
    F.l1_loss: "L1Loss",
    F.smooth_l1_loss: "SmoothL1Loss",
    F.huber_loss: "HuberLoss",
}
_DIFFERENCES = (torch.sub, torch.subtract, Tensor.sub, Tensor.__sub__, Tensor.__rsub__)


@dataclass(frozen=True)
class Call:
    """One call of a loss.

    Args:
        name: the class of torch.nn that means the same; `difference` for a subtraction in the user's loss.
        outputs: floating point, of any shape.
        targets: as they were given.
        ignore_index: the label that counts for nothing.
    """

    name: str
    outputs: Tensor
    targets: Tensor
    ignore_index: int = -100


class RefusedCallError(Exception):
    """A call is not made, as it would crash (on a GPU beyond repair) or give a wrong number."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__()
        self.findings = findings


@dataclass(eq=False)
class LossCalls(TorchFunctionMode):
    """Inside, every call of a loss is checked before it is made.

    Args:
        targets: of the batch; a difference of the user's own counts only if it takes these.
        check: gives what is wrong with a call.
    """

    targets: Any
    check: Callable[[Call], list[Finding]]
    all_ignored: bool = field(default=False, init=False)
    """A loss of labels had none that counts, so that its mean is 0 / 0."""

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        keywords = kwargs or {}
        call = self._call(func, args, keywords)
        if call is not None:
            if findings := self.check(call):
                raise RefusedCallError(findings)
            if not call.targets.is_floating_point() and bool((call.targets == call.ignore_index).all()):
                self.all_ignored = True
        return func(*args, **keywords)

    def _call(self, func: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Call | None:
        name = LOSSES.get(func)
        if name is not None:
            given = inspect.signature(func).bind(*args, **keywords).arguments
            outputs, targets = given.get("input"), given.get("target")
            if type(outputs) is Tensor and isinstance(targets, Tensor):
                return Call(name, outputs, targets, given.get("ignore_index", -100))
        elif func in _DIFFERENCES and len(args) == 2 and all(isinstance(arg, Tensor) for arg in args):
            for outputs, targets in (args, args[::-1]):
                if targets is self.targets and outputs is not targets and outputs.requires_grad:
                    return Call("difference", outputs, targets)
        return None
