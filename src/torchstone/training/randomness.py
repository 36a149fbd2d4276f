"""Random numbers of Python, NumPy and torch: seeded, saved, restored; and operations without chance."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seeds the generators of Python, NumPy and torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_states(device: torch.device | None = None) -> dict[str, Any]:
    """The states of all global generators, as nested values of JSON types, tensors and arrays.

    Args:
        device: the accelerator in use; its generator's state is part of it.
    """
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=False),
        "torch": torch.get_rng_state(),
    }
    if device is not None and device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device is not None and device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: dict[str, Any], device: torch.device | None = None) -> None:
    """The inverse of `random_states`; the state of an accelerator that is not in use is passed over."""
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"].cpu())
    if device is not None and device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)
    elif device is not None and device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"].cpu())


@contextmanager
def own_randomness(seed: int, states: dict[str, Any] | None, device: torch.device) -> Iterator[None]:
    """Inside, the global generators start from `states`, or from `seed`; outside, nothing is changed."""
    before = random_states(device)
    try:
        if states is None:
            seed_everything(seed)
        else:
            set_random_states(states, device)
        yield
    finally:
        set_random_states(before, device)


@contextmanager
def deterministic_operations(enabled: bool) -> Iterator[None]:
    """Inside, torch uses only operations that give the same bits each time; outside, as before.

    An operation that has no such version raises torch's RuntimeError, which names it.
    """
    if not enabled:
        yield
        return
    algorithms = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn
    flags = (cudnn.deterministic, cudnn.benchmark)
    workspace = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    try:
        # cuBLAS reads this when it is first used; one of these two values is what makes it deterministic
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        cudnn.deterministic, cudnn.benchmark = True, False
        yield
    finally:
        torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)
        cudnn.deterministic, cudnn.benchmark = flags
        if workspace is None:
            os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
