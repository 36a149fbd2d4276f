"""Whether a run can go on bit for bit: the same versions, device and number of threads."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from torchstone.runs.manifest import machine, versions

_LOG = logging.getLogger("torchstone")


@contextmanager
def as_before(manifest: dict[str, Any], device: torch.device) -> Iterator[None]:
    """Inside, torch uses the run's number of threads; what cannot be restored is said.

    The order in which threads add up numbers changes the last bits of sums, and so do other versions and
    other machines: the run goes on, but may end with other last bits.

    Args:
        manifest: of the run that goes on.
        device: where it goes on.
    """
    differences = list(_differences(manifest, device))
    if differences:
        _LOG.warning(
            "The run goes on with %s; its last bits may differ from those of a run that was never stopped.",
            ", ".join(differences),
        )
    now, then = torch.get_num_threads(), manifest.get("machine", {}).get("threads")
    try:
        if isinstance(then, int) and then > 0:
            torch.set_num_threads(then)
        yield
    finally:
        torch.set_num_threads(now)


def _differences(manifest: dict[str, Any], device: torch.device) -> Iterator[str]:
    before, today = manifest.get("versions", {}), versions()
    for package in ("torch", "numpy", "cuda"):
        if before.get(package) != today.get(package):
            yield f"{package} {today.get(package)} instead of {before.get(package)}"
    there, here = manifest.get("machine", {}), machine(device)
    for what in ("cpu", "device", "device_name"):
        if there.get(what) != here.get(what):
            yield f"{what.replace('_', ' ')} {here.get(what)} instead of {there.get(what)}"
