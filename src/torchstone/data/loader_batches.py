"""Batches of a user's `DataLoader`, in our order where that changes nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
)

from torchstone.data.batches import Batch
from torchstone.data.samplers import ResumableBatchSampler, Seeded, length
from torchstone.errors import DataError, UsageError
from torchstone.inference import to_device

_KEPT = ("num_workers", "collate_fn", "pin_memory", "timeout", "worker_init_fn", "prefetch_factor")
"""What of a loader goes on in ours."""


class LoaderBatches:
    """Batches of a `DataLoader`.

    Over a map-style data set with a random or sequential sampler the order is ours, so that an epoch can be
    continued at any sample; any other loader is used as it is, and can be continued only where an epoch
    begins, which is said.

    Args:
        loader: the user's.
        seed: seed of our order.
        weights: a weight for each sample of the data set, `(N,)`.
        join_single: a last batch of one sample joins the batch before it.
        device: where batches are given; default: where the loader gives them.

    Raises:
        UsageError: weights for samples without an index.
    """

    def __init__(
        self,
        loader: DataLoader[Any],
        *,
        seed: int = 0,
        weights: Tensor | None = None,
        join_single: bool = False,
        device: torch.device | str | None = None,
    ) -> None:
        self.loader = loader
        self.seed = seed
        self.weights = weights
        self.join_single = join_single
        self.device = None if device is None else torch.device(device)
        self.sampler = replacement(loader, seed, join_single=join_single)
        if weights is not None and self.sampler is None:
            raise UsageError(
                "Sample weights need the index of each sample, and this loader does not tell it.",
                hint="Let the data set return (input, target, weight).",
            )
        self.resumable: Literal["sample", "epoch"] = "epoch" if self.sampler is None else "sample"
        self.notes: list[str] = []
        if self.sampler is None:
            self.notes.append(
                "The loader's own sampler decides the order of samples, so that a stopped run goes on from "
                "the beginning of an epoch."
            )

    @property
    def samples(self) -> int | None:
        """Samples of one epoch; None where the loader does not tell."""
        if self.sampler is not None:
            return self.sampler.cuts(0)[-1] if self.sampler.count else 0
        if isinstance(self.loader.dataset, IterableDataset):
            return None
        batching: Any = self.loader.batch_sampler
        if batching is None:
            return length(self.loader.sampler)
        count = length(batching.sampler) if type(batching) is BatchSampler else None
        if count is None or not batching.drop_last:
            return count
        return count - count % int(batching.batch_size)

    @property
    def steps(self) -> int | None:
        """Batches of one epoch; None where the loader does not tell."""
        return length(self.loader) if self.sampler is None else len(self.sampler.cuts(0)) - 1

    @property
    def batch_size(self) -> int | None:
        """Samples of a full batch; None where a sampler of the user's own does not tell."""
        return batch_size_of(self.loader) if self.sampler is None else self.sampler.batch_size

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Batch]:
        """The batches of an epoch after its first `position` samples.

        Raises:
            ValueError: a position inside an epoch that can only be begun anew.
        """
        if self.sampler is None:
            if position:
                raise ValueError("this loader's epochs can only be continued at their beginning")
            for given in self.loader:
                yield self._batch(given, None)
            return
        batches = self.sampler.indices(epoch, position)
        self.sampler.current_epoch, self.sampler.position = epoch, position
        for indices, given in zip(batches, self._ours(), strict=True):
            yield self._batch(given, torch.tensor(indices))

    def to(self, device: torch.device | str) -> LoaderBatches:
        """The same batches on `device`."""
        return LoaderBatches(
            self.loader, seed=self.seed, weights=self.weights, join_single=self.join_single, device=device
        )

    def _ours(self) -> DataLoader[Any]:
        keywords = {key: getattr(self.loader, key) for key in _KEPT}
        return DataLoader(Seeded(self.loader.dataset, self.seed), batch_sampler=self.sampler, **keywords)

    def _batch(self, given: Any, indices: Tensor | None) -> Batch:
        inputs, targets, weights = _split(given)
        if self.weights is not None and indices is not None:
            weights = self.weights[indices]
        if self.device is not None:
            inputs, targets, weights = (to_device(part, self.device) for part in (inputs, targets, weights))
        return Batch(inputs, targets, weights, indices)


def replacement(loader: DataLoader[Any], seed: int, *, join_single: bool) -> ResumableBatchSampler | None:
    """Our batch sampler in the place of a loader's, None where it would change more than the random order."""
    sampler, batching = loader.sampler, loader.batch_sampler
    plain = type(sampler) in (RandomSampler, SequentialSampler) and type(batching) is BatchSampler
    if type(loader) is not DataLoader or isinstance(loader.dataset, IterableDataset) or not plain:
        return None
    if isinstance(sampler, RandomSampler) and (
        sampler.replacement or sampler.num_samples != length(loader.dataset)
    ):
        return None
    count = length(loader.dataset)
    if not count or loader.batch_size is None:
        return None
    return ResumableBatchSampler(
        count,
        loader.batch_size,
        shuffle=isinstance(sampler, RandomSampler),
        seed=seed,
        join_single=join_single,
        drop_last=loader.drop_last,
    )


def batch_size_of(loader: DataLoader[Any]) -> int | None:
    """The samples of a loader's full batch, also where its batch sampler makes them; None if none tells."""
    size = loader.batch_size or getattr(loader.batch_sampler, "batch_size", None)
    return size if isinstance(size, int) else None


def are_weights(value: Any) -> bool:
    """Whether a third part of a batch is a weight for each sample: floating numbers in one dimension."""
    return isinstance(value, Tensor) and value.ndim == 1 and value.is_floating_point()


def _split(given: Any) -> tuple[Any, Any, Tensor | None]:
    """Inputs, targets and weights of what a loader gives; anything but pairs and triples is inputs alone."""
    if isinstance(given, list | tuple) and not hasattr(given, "_fields"):
        if len(given) == 2:
            return given[0], given[1], None
        if len(given) == 3 and are_weights(given[2]):
            return given[0], given[1], given[2]
        if len(given) == 1:
            return given[0], None, None
        if not given:
            raise DataError("The data set gives empty samples.")
    return given, None, None
