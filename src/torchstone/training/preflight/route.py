"""The way of a batch through a module's parts, for naming the one where something happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from torchstone.training.preflight.untouched import all_tensors


@dataclass
class Route:
    """Inside, watches every part of a module that is called.

    Only what went wrong is run a second time under this; the first run of a batch has no hook.

    Args:
        module: the whole.
    """

    module: nn.Module
    stack: list[tuple[nn.Module, Any]] = field(default_factory=list)
    """The parts that are at work, the innermost last, with their inputs."""
    passed: list[tuple[nn.Module, Any]] = field(default_factory=list)
    """The parts that are done, with their outputs."""
    origin: nn.Module | None = None
    """The first part that made NaN or infinities out of finite numbers."""

    def __enter__(self) -> Route:
        self._names = {part: name for name, part in self.module.named_modules()}
        self._handles = [
            register_module_forward_pre_hook(self._entered),
            register_module_forward_hook(self._left),
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def path(self, part: nn.Module) -> str:
        """A part's name, such as `net.layers.3 (Linear)`."""
        name = self._names.get(part, "")
        return f"net{'.' if name else ''}{name} ({type(part).__name__})"

    def way(self) -> str:
        """The shapes that the last parts gave, up to where the module stopped."""
        leaves = [(part, out) for part, out in self.passed if not any(True for _ in part.children())]
        steps = [
            f"{self.path(part)} gave {tuple(out.shape)}" for part, out in leaves if isinstance(out, Tensor)
        ]
        return ", ".join(steps[-3:])

    def _entered(self, part: nn.Module, arguments: Any) -> None:
        self.stack.append((part, arguments))

    def _left(self, part: nn.Module, arguments: Any, outputs: Any) -> None:
        while self.stack and self.stack.pop()[0] is not part:  # those above ended by an exception
            continue
        self.passed.append((part, outputs))
        if self.origin is None and not_finite(outputs) and not not_finite(arguments):
            self.origin = part


def not_finite(value: Any) -> int:
    """How many numbers are NaN or infinite; -inf is what masks are made of and counts for none."""
    return sum(
        int((tensor.isnan() | tensor.isposinf()).sum())
        for tensor in all_tensors(value)
        if tensor.is_floating_point() and not tensor.is_sparse
    )
