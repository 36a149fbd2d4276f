"""What of a model's input reaches what of its output: two calls that differ in a part of it, side by side.

Only `--thorough` asks for it, and `install` has nothing to replace. Each question here is first answered by
the outputs alone; then the operation that is to blame is looked for, by comparing what each made.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from torchstone.review.crashes import tensors
from torchstone.review.events.blaming import Culprit, Given, Judge, blame, share
from torchstone.review.events.probing import call, differs, each, outputs
from torchstone.review.stream import Stream

_NUMBERS = (7, 5, 11, 13, 3)
"""Of so many samples is the batch that is looked at: so that no other size is a multiple of it."""

_CLEARLY = 0.01
"""Such a share of the largest value is no rounding, and matters."""

_AT_ALL = 1e-3
"""Such a share where nothing at all should change."""


def install(stream: Stream) -> None:
    """Nothing is replaced; see above."""


# Samples


def mixing(module: Any, args: Any, kwargs: Any, samples: int, which: int) -> Culprit | None:
    """Whether one sample's values reach the outputs of others, in a way that their order decides.

    A layer that compares the samples of a batch on purpose treats them alike: with the samples in another
    order its outputs are the same in that order. Where they are not, a sample's place decides its output.

    Args:
        module: the model.
        args: what it was given, its samples first.
        kwargs: likewise.
        samples: how many.
        which: of the outputs that have a row for each sample.
    """
    number = _number(module, (args, kwargs), samples)
    if number is None:
        return None

    def rows(indices: list[int]) -> Given:
        chosen = torch.tensor(indices)

        def pick(one: Tensor) -> Tensor:
            return one[chosen.to(one.device)] if one.dim() and one.shape[0] == samples else one

        return each(args, pick), each(kwargs, pick)

    def output(given: Given) -> Tensor:
        return outputs(call(module, *given), number)[which]

    order = list(range(number))
    base = output(rows(order))
    if not bool(base.isfinite().all()) or not torch.equal(base, output(rows(order))):
        return None
    turned = output(rows(order[::-1])).flip(0)
    if turned.shape != base.shape or share(base, turned) < _AT_ALL:
        return None
    for changed in (1, number - 2):
        other = list(order)
        other[changed] = number if samples > number else (changed + 2) % number
        after = output(rows(other))
        rest = [row for row in order if row != changed]
        if after.shape == base.shape and (change := share(base[rest], after[rest])) > _AT_ALL:
            mixes = _apart(number, changed)
            culprit = blame(module, rows(order), rows(other), mixes)
            if culprit is not None:
                culprit.change = change
            return culprit
    return None


def _number(module: Any, given: Given, samples: int) -> int | None:
    """A number of samples that no size is a multiple of."""
    sizes = {size for parameter in module.parameters() for size in parameter.shape}
    for one in tensors(given):
        sizes.update(one.shape[1:] if one.dim() and one.shape[0] == samples else one.shape)
    return next(
        (
            number
            for number in _NUMBERS
            if number <= samples and not any(size and size % number == 0 for size in sizes)
        ),
        None,
    )


def _apart(number: int, changed: int) -> Judge:
    """Whether what a changed sample changed is spread over the places of others."""

    def mixes(before: Tensor, after: Tensor) -> bool | None:
        if before.shape != after.shape:
            return None
        where = differs(before, after)
        if not bool(where.any()):
            return False
        axes = [axis for axis, size in enumerate(before.shape) if size and size % number == 0]
        if not axes:
            return None
        for axis in axes:
            size = before.shape[axis]
            hit = where.movedim(axis, 0).reshape(size, -1).any(1).nonzero().flatten()
            if bool((hit // (size // number) == changed).all()) or bool((hit % number == changed).all()):
                return False
        return True

    return mixes


# Positions


def leak(module: Any, args: Any, kwargs: Any, ids: Tensor, axis: int, counted: Tensor) -> Culprit | None:
    """Whether outputs depend on tokens that come later.

    Args:
        module: a language model.
        args: what it was given.
        kwargs: likewise.
        ids: the tokens, which is one of these.
        axis: of the positions in them.
        counted: which of the positions have a target; of the shape of the tokens.
    """
    steps = ids.shape[axis]
    first = steps - max(1, steps // 4)
    later = ids.narrow(axis, first, steps - first)
    other = torch.cat([ids.narrow(axis, 0, first), later.flip(0, 1)], axis)
    if torch.equal(other, ids):
        return None

    def change(one: Tensor) -> Tensor:
        return other if one is ids else one

    changed = each(args, change), each(kwargs, change)
    base, again, after = (
        _over_positions(call(module, *given), ids) for given in ((args, kwargs), (args, kwargs), changed)
    )
    if base is None or again is None or after is None or not torch.equal(base, again):
        return None
    early = counted.narrow(axis, 0, first)
    before, after = base.narrow(axis, 0, first)[early], after.narrow(axis, 0, first)[early]
    if not before.numel() or not bool(before.isfinite().all()) or share(before, after) < _AT_ALL:
        return None
    culprit = blame(module, (args, kwargs), changed, _looking_ahead(steps, first))
    if culprit is not None:
        culprit.change = share(before, after)
    return culprit


def _over_positions(output: Any, ids: Tensor) -> Tensor | None:
    """The scores of each position, the only output of their kind."""
    held = [one for one in tensors(output) if one.is_floating_point() and one.dim() == 3]
    held = [one for one in held if one.shape[:2] == ids.shape and one.shape[2] not in ids.shape]
    return held[0] if len(held) == 1 else None


def _looking_ahead(steps: int, first: int) -> Judge:
    """Whether values at early positions differ."""

    def mixes(before: Tensor, after: Tensor) -> bool | None:
        if before.shape != after.shape:
            return None
        where = differs(before, after)
        if not bool(where.any()):
            return False
        plain = [axis for axis, size in enumerate(before.shape) if size == steps]
        if plain:
            for axis in plain:
                where = where.narrow(axis, 0, first)
            return bool(where.any())
        for axis, size in enumerate(before.shape):
            if size and size % steps == 0:  # rows of all samples in one
                hit = where.movedim(axis, 0).reshape(size, -1).any(1).nonzero().flatten()
                inner, outer = hit % steps, hit // (size // steps)
                return not (bool((inner >= first).all()) or bool((outer >= first).all()))
        return None

    return mixes


# Padding


def padding(
    module: Any, args: Any, kwargs: Any, ids: Tensor, filler: int, which: int
) -> tuple[Culprit | None, int, int] | None:
    """Whether a sample's output depends on how far it is filled up.

    Args:
        module: the model.
        args: what it was given, its samples first.
        kwargs: likewise.
        ids: the tokens, samples first, which is one of these.
        filler: the token that fills up.
        which: of the outputs that have a row for each sample.

    Returns:
        What is to blame, the sample's length, and how far it was filled up; None where nothing depends on it.
    """
    samples, steps = ids.shape
    lengths = (ids != filler).sum(1)
    row = int(lengths.argmin())
    length = int(lengths[row])
    if not 0 < length < steps:
        return None
    more = max(3, steps // 2)

    def alone(one: Tensor) -> Tensor:
        return one[row : row + 1] if one.dim() and one.shape[0] == samples else one

    def longer(one: Tensor) -> Tensor:
        one = alone(one)
        if one.dim() < 2 or one.shape[1] != steps:
            return one
        return torch.cat([one, one[:, -1:].expand(-1, more, *one.shape[2:])], 1)

    first = each(args, alone), each(kwargs, alone)
    second = each(args, longer), each(kwargs, longer)
    base, again, after = (outputs(call(module, *given), 1)[which] for given in (first, first, second))
    if not torch.equal(base, again) or not bool(base.isfinite().all()):
        return None
    pair = _of_real_steps(base, after, steps, length)
    if pair is None or share(*pair) < _CLEARLY:
        return None
    culprit = blame(module, first, second, _counting(steps, length, more))
    if culprit is not None:
        culprit.change = share(*pair)
    return culprit, length, steps


def _of_real_steps(
    before: Tensor, after: Tensor, steps: int, length: int, more: int | None = None
) -> tuple[Tensor, Tensor] | None:
    """Two results without what stands at the places of padding; None where these are not to be told."""
    if before.dim() != after.dim():
        return None
    for axis, (one, other) in enumerate(zip(before.shape, after.shape, strict=True)):
        if one != other:
            if one != steps or (more is not None and other != steps + more):
                return None
            before, after = before.narrow(axis, 0, length), after.narrow(axis, 0, length)
    return before, after


def _counting(steps: int, length: int, more: int) -> Judge:
    """Whether values at the places of real steps differ."""

    def mixes(before: Tensor, after: Tensor) -> bool | None:
        pair = _of_real_steps(before, after, steps, length, more)
        return None if pair is None else bool(differs(*pair).any())

    return mixes
