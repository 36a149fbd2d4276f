"""Processes that train together.

`joined`: this process became one of a group; `rank`, `world`, `seed` (a function that gives the seed of this
process). `wrapped`: subject a new `DistributedDataParallel`; the same values. `collective`: before a call
that all processes of the default group have to make, subject its name. `collective_ended`: after it.
`spawning`: before `torch.multiprocessing` starts processes, subject the carrier of their function.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import torch
from torch import distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from torchstone.review.spawned import Carrier
from torchstone.review.stream import Stream

_COLLECTIVES = (
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_object",
    "all_reduce",
    "all_to_all",
    "all_to_all_single",
    "barrier",
    "broadcast",
    "broadcast_object_list",
    "gather",
    "gather_object",
    "monitored_barrier",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "scatter",
    "scatter_object_list",
)


def install(stream: Stream) -> None:
    """Replaces the functions of `torch.distributed` as a program has them, not as they call each other."""
    if not distributed.is_available():
        return
    for name in _COLLECTIVES:
        stream.replace(distributed, name, _collective(stream, name, vars(distributed)[name]))
    _replace_joining(stream)
    _replace_spawning(stream)


def _collective(stream: Stream, name: str, original: Any) -> Any:
    @functools.wraps(original)
    def told(*args: Any, **kwargs: Any) -> Any:
        if stream.quiet or not _concerns_all((*args, *kwargs.values())):
            return original(*args, **kwargs)
        stream.emit("collective", name)
        result = original(*args, **kwargs)
        stream.emit("collective_ended", name)
        return result

    return told


def _concerns_all(given: tuple[Any, ...]) -> bool:
    """Whether no group, or the one of all processes, was named."""
    groups = [one for one in given if isinstance(one, distributed.ProcessGroup)]
    return distributed.is_initialized() and all(one is distributed.group.WORLD for one in groups)


def _replace_joining(stream: Stream) -> None:
    join, made = distributed.init_process_group, DistributedDataParallel.__init__

    @functools.wraps(join)
    def init_process_group(*args: Any, **kwargs: Any) -> None:
        join(*args, **kwargs)
        if distributed.is_initialized():
            stream.emit("joined", **_position())

    @functools.wraps(made)
    def make(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        if distributed.is_initialized():  # not so where it was given a group of another kind
            stream.emit("wrapped", self, **_position())

    stream.replace(distributed, "init_process_group", init_process_group)
    stream.replace(DistributedDataParallel, "__init__", make)


def _position() -> dict[str, Any]:
    return {
        "rank": distributed.get_rank(),
        "world": distributed.get_world_size(),
        "seed": torch.initial_seed,
    }


def _replace_spawning(stream: Stream) -> None:
    """A function for other processes travels in a carrier, which has them watched."""
    module = sys.modules["torch.multiprocessing.spawn"]
    original = vars(module)["start_processes"]

    @functools.wraps(original)
    def start_processes(fn: Any, *args: Any, **kwargs: Any) -> Any:
        method = kwargs.get("start_method", args[4] if len(args) > 4 else "spawn")
        if method == "spawn" and not stream.quiet and stream.wants("spawning"):
            try:
                carrier = Carrier(fn)
                stream.emit("spawning", carrier)
                fn = carrier
            except Exception as error:
                stream.overlook(error)
        return original(fn, *args, **kwargs)

    for owner in (module, multiprocessing):
        if vars(owner).get("start_processes") is original:
            stream.replace(owner, "start_processes", start_processes)
