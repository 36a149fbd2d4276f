"""Inputs and targets that are no finite numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torchstone.finding import Finding
from torchstone.training.preflight.findings import mistake


def check_finite(batch: Any) -> list[Finding]:
    """An error for NaN or infinite numbers in the first batch; at most one."""
    for name, value in (("inputs", batch.inputs), ("targets", batch.targets)):
        if isinstance(value, Tensor) and value.is_floating_point() and value.numel():
            finite = torch.isfinite(value)
            if not bool(finite.all()):
                return [_not_finite(name, value, finite)]
    return []


def _not_finite(name: str, value: Tensor, finite: Tensor) -> Finding:
    count = int((~finite).sum())
    samples = (~finite).reshape(len(value), -1).any(dim=1).nonzero().reshape(-1)[:5].tolist()
    kinds = "NaN" if bool(torch.isnan(value).any()) else "infinite numbers"
    return mistake(
        "TS416",
        f"The {name} of the first batch hold {kinds}: {count} of {value.numel()} values, samples "
        f"{', '.join(map(str, samples))} of the batch.",
        "Fill or leave out these samples; with them every weight becomes NaN in the first step.",
        count=count,
    )
