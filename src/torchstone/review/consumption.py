"""What a watched program took: its greatest memory and what that was made of, and its waiting for batches."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from torchstone.review.detector import sampled
from torchstone.review.gradients import parameters, tensors

if TYPE_CHECKING:
    from torchstone.review.naming import Names
    from torchstone.review.stream import Event, Stream

_PARTS = ("parameters", "gradients", "optimizer state")
_SHARE = 0.01
"""Of the time; of less waiting nothing is said."""

_OF_DEVICE = "outputs kept for the backward pass, batches, what the allocator lost"
_OF_PROCESS = "outputs kept for the backward pass, data, libraries, Python"


class Consumption:
    """Adds up sizes of what is known, in a few steps.

    Args:
        stream: of the program.
        names: knows its modules.
    """

    def __init__(self, stream: Stream, names: Names) -> None:
        self._stream, self._names = stream, names
        self._parts: dict[str, Counter[str]] = {}
        """By device, the bytes of each part when they were the most."""

    @sampled
    def on_step_ended(self, event: Event) -> None:
        """Measures what is there, in steps ever further apart: it changes little."""
        step = self._stream.step
        if not step & (step - 1):
            for device, parts in self._measured().items():
                if parts.total() >= self._parts.get(device, Counter()).total():
                    self._parts[device] = parts

    def _measured(self) -> dict[str, Counter[str]]:
        """By device, the bytes of each part now."""
        optimizers = list(self._stream.optimizers)
        held = [one for optimizer in optimizers for one in parameters(optimizer)]
        for module, _ in self._names.roots():
            held += [*module.parameters(), *module.buffers()]
        held = list({id(one): one for one in held}.values())
        gradients = [one.grad for one in held if one.is_leaf and one.grad is not None]
        state = [one for optimizer in optimizers for one in tensors(list(optimizer.state.values()))]
        found: dict[str, Counter[str]] = {}
        for name, some in zip(_PARTS, (held, gradients, state), strict=True):
            for tensor in some:
                if not tensor.is_sparse and not tensor.is_meta and not _is_empty(tensor):
                    size = tensor.numel() * tensor.element_size()
                    found.setdefault(str(tensor.device), Counter())[name] += size
        return found

    def lines(self) -> list[str]:
        """A line on the time, and one on the memory of the process and of each device in use."""
        told = []
        elapsed = self._stream.elapsed()
        waited = self._stream.waited
        if elapsed and waited > _SHARE * elapsed:
            told.append(f"Waiting for batches took {waited / elapsed:.0%} of the time.")
        for device, peak in _of_devices().items():
            told.append(_line(f"Memory of {device}", peak, self._parts.get(device), _OF_DEVICE))
        peak = _of_process()
        if peak:
            told.append(_line("Memory of the process", peak, self._parts.get("cpu"), _OF_PROCESS))
        return told


def _is_empty(tensor: Any) -> bool:
    """Whether a parameter has no size yet, as a lazy module's before its first call."""
    return type(tensor).__name__ in ("UninitializedParameter", "UninitializedBuffer")


def _line(what: str, peak: int, parts: Counter[str] | None, rest: str) -> str:
    words = [f"{name} {written(size)}" for name, size in (parts or {}).items() if size]
    if words:
        left = max(0, peak - (parts or Counter()).total())
        words.append(f"the rest {written(left)} ({rest})")
    return f"{what}: {written(peak)} at most{': ' if words else ''}{', '.join(words)}."


def _of_process() -> int:
    """The most bytes that the process had in memory; 0 where that is not known."""
    try:
        import resource  # Unix alone has it
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _of_devices() -> dict[str, int]:
    """By device in use, the most bytes that tensors had; neither starts a device nor waits for one."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return {}
    peaks = {f"cuda:{i}": torch.cuda.max_memory_allocated(i) for i in range(torch.cuda.device_count())}
    return {device: peak for device, peak in peaks.items() if peak}


def written(size: float) -> str:
    """A number of bytes for people."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.3g} {unit}" if unit != "bytes" else f"{size} bytes"
