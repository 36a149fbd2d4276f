"""Where to compute: chosen by name or found, and said."""

from __future__ import annotations

import platform

import torch

from torchstone.errors import ConfigError, did_you_mean

_KNOWN = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str = "auto") -> tuple[torch.device, str]:
    """The device of that name and a sentence that says which it is.

    Args:
        name: `auto` (the first of CUDA, MPS, CPU that there is), `cpu`, `cuda`, `cuda:1`, `mps`.

    Raises:
        ConfigError: the name is unknown, or this machine has no such device.
    """
    kind, colon, number = name.partition(":")
    if kind not in _KNOWN or (colon and not (kind == "cuda" and number.isdigit())):
        raise ConfigError(
            f'device: "{name}" is not known; expected auto, cpu, cuda, cuda:<number> or mps. '
            f"{did_you_mean(kind, _KNOWN)}".strip()
        )
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if kind == "cuda":
        return _cuda(int(number) if number else None)
    if kind == "mps":
        return _mps()
    threads = torch.get_num_threads()
    return torch.device("cpu"), f"CPU ({platform.machine()}, {threads} thread{'s' * (threads > 1)})"


def _cuda(number: int | None) -> tuple[torch.device, str]:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        built = torch.version.cuda or torch.version.hip
        reason = "finds no GPU" if built else "is built without CUDA"
        raise ConfigError(
            f"device: this torch ({torch.__version__}) {reason}.",
            hint='Use device="cpu", or install a torch for your GPU: https://pytorch.org/get-started',
        )
    index = torch.cuda.current_device() if number is None else number
    if index >= count:
        raise ConfigError(
            f"device: there is no cuda:{index}.", hint=f"This machine has cuda:0 to cuda:{count - 1}."
        )
    memory = torch.cuda.get_device_properties(index).total_memory / 2**30
    return torch.device("cuda", index), f"GPU {index} ({torch.cuda.get_device_name(index)}, {memory:.0f} GiB)"


def _mps() -> tuple[torch.device, str]:
    if not torch.backends.mps.is_available():
        raise ConfigError("device: this machine has no MPS (Apple GPU).", hint='Use device="cpu".')
    return torch.device("mps"), "Apple GPU (MPS)"
