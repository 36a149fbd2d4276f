"""A model that is called once more, in eval mode and with other inputs, and nothing is different afterwards.

Only `--thorough` asks for it, at a few steps; until then nothing here runs, and `install` has nothing to
replace. A call works on copies of parameters and buffers; attributes, random states and what the user's code
reaches are put back. A model of which that cannot be said is not called (see `review/reach.py`).
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from torchstone.review.crashes import tensors
from torchstone.review.reach import Reach
from torchstone.review.silence import silence
from torchstone.review.stream import Stream

_SMALLEST = 1e-4
"""Of the largest value: what differs by less may be rounding."""

_SMALLEST_OF_HALVES = 0.03
"""The same for numbers of two bytes."""

_MOST_VALUES = 200_000_000
"""Of so many parameters a copy is made; larger models are not called."""


def install(stream: Stream) -> None:
    """Nothing is replaced; see above."""


def can_be_called(module: Any) -> bool:
    """Whether a call of a module can be undone."""
    everywhere = vars(torch.nn.modules.module)
    if any(everywhere.get(f"_global_forward_{kind}") for kind in ("hooks", "pre_hooks")):
        return False
    held = [*module.parameters(), *module.buffers()]
    plain = all(type(one) in (Tensor, nn.Parameter) and one.device.type in ("cpu", "cuda") for one in held)
    if sum(one.numel() for one in held) > _MOST_VALUES:
        return False
    return plain and not torch.compiler.is_compiling() and Reach(module).clean


def call(module: Any, args: Any, kwargs: Any, watching: Any = None) -> Any:
    """Calls a module in eval mode, each time with the same random numbers.

    Args:
        module: what is called.
        args: what it is given; these tensors are left alone.
        kwargs: likewise.
        watching: a context to be in while it runs, such as a mode.
    """
    args, kwargs = each(args, Tensor.clone), each(kwargs, Tensor.clone)
    reach = Reach(module)
    if not reach.clean:
        raise RuntimeError("this call cannot be undone")
    with torch.no_grad(), reach.put_back(), _copies(module), _streams(), _settings(), silence():
        for part in module.modules():
            vars(part)["training"] = False  # `eval` may do more, where a class has its own
        with watching or contextlib.nullcontext():
            output = module(*args, **kwargs)
    return output


def each(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """The value with what a function makes of each tensor in it."""
    if isinstance(value, Tensor):
        return function(value)
    if type(value) in (list, tuple):
        return type(value)(each(one, function) for one in value)
    if type(value) is dict:
        return {name: each(one, function) for name, one in value.items()}
    if hasattr(value, "_fields") and isinstance(value, tuple):
        return type(value)(*(each(one, function) for one in value))
    return value


@contextlib.contextmanager
def _copies(module: Any) -> Iterator[None]:
    """Inside, a module has copies of its parameters and buffers, so that nothing is written into its own."""
    own = [held for part in module.modules() for held in (part._parameters, part._buffers)]
    before = [dict(held) for held in own]
    made: dict[int, Any] = {}
    for held in own:
        for name, tensor in held.items():
            if tensor is not None:
                held[name] = made.setdefault(id(tensor), _copy(tensor))
    try:
        yield
    finally:
        for held, kept in zip(own, before, strict=True):
            held.clear()
            held.update(kept)


def _copy(tensor: Tensor) -> Tensor:
    copy = tensor.detach().clone()
    return nn.Parameter(copy, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else copy


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    """Inside, random numbers begin anew; afterwards the streams go on where they were."""
    numpy = sys.modules.get("numpy.random")
    state, own = torch.get_rng_state(), random.getstate()
    theirs = None if numpy is None else numpy.get_state()
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    on_device = torch.cuda.get_rng_state_all() if used else None
    try:
        torch.default_generator.manual_seed(0)
        random.seed(0)
        if numpy is not None:
            numpy.seed(0)
        if on_device is not None:
            torch.cuda.manual_seed_all(0)
        yield
    finally:
        torch.set_rng_state(state)
        random.setstate(own)
        if numpy is not None:
            numpy.set_state(theirs)
        if on_device is not None:
            torch.cuda.set_rng_state_all(on_device)


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    """Inside, attention takes the way that it takes while training, and autocast remembers no weights."""
    fast, remembers = torch.backends.mha.get_fastpath_enabled(), torch.is_autocast_cache_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        torch.set_autocast_cache_enabled(remembers)


def differs(one: Tensor, other: Tensor) -> Tensor:
    """Where two tensors of a shape are not the same, rounding aside."""
    if not one.is_floating_point():
        return one != other
    scale = one[one.isfinite()].abs().max() if bool(one.isfinite().any()) else one.new_ones(())
    least = _SMALLEST if one.element_size() > 2 else _SMALLEST_OF_HALVES
    far = (one - other).abs() > least * scale
    return far | (one.isfinite() != other.isfinite())


def outputs(value: Any, samples: int) -> list[Tensor]:
    """The tensors of an output that have a row for each sample."""
    held = [one for one in tensors(value) if one.is_floating_point() and one.dim()]
    return [one for one in held if one.shape[0] == samples]
