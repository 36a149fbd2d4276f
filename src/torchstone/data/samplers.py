"""The order of samples for a `DataLoader`: ours, which can begin anywhere."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from torchstone.data.batches import borders, order


def length(data: Any) -> int | None:
    """The number of samples of a data set, None where it does not tell."""
    try:
        return len(data)
    except (TypeError, NotImplementedError):
        return None


class ResumableBatchSampler(Sampler[list[Any]]):
    """Lists of indices, a batch each, of one epoch from a position on; a pure function of (seed, epoch).

    Args:
        count: samples of the data set.
        batch_size: samples per batch.
        shuffle: a new order each epoch, from `seed` and the epoch.
        seed: seed of the order.
        join_single: a last batch of one sample joins the batch before it.
        drop_last: leave out a last batch that is not full.
    """

    def __init__(
        self, count: int, batch_size: int, *, shuffle: bool, seed: int, join_single: bool, drop_last: bool
    ) -> None:
        self.count = count
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.join_single = join_single
        self.drop_last = drop_last
        self.current_epoch = 0
        self.position = 0

    def cuts(self, position: int) -> list[int]:
        """Where the batches from `position` on begin and end."""
        return borders(
            self.count, self.batch_size, position, join_single=self.join_single, drop_last=self.drop_last
        )

    def indices(self, epoch: int, position: int) -> list[list[int]]:
        """The batches of an epoch after its first `position` samples."""
        sequence = order(self.seed, epoch, self.count) if self.shuffle else torch.arange(self.count)
        return [sequence[start:end].tolist() for start, end in pairwise(self.cuts(position))]

    def __iter__(self) -> Iterator[list[Any]]:
        epoch = self.current_epoch  # another epoch may begin before this one ends
        for batch in self.indices(epoch, self.position):
            yield [(epoch, index) for index in batch]

    def __len__(self) -> int:
        return len(self.cuts(self.position)) - 1


class Seeded(Dataset[Any]):
    """A data set whose random draws depend on (seed, epoch, sample) alone.

    In a worker process, so that augmentation is the same for any number of workers and after a resume; in the
    training process the draws come from its own random state, which checkpoints hold.

    Args:
        data: the user's map-style data set.
        seed: the run's seed.
    """

    def __init__(self, data: Any, seed: int) -> None:
        self.data = data
        self.seed = seed

    def __getitem__(self, key: tuple[int, int]) -> Any:
        epoch, index = key
        self._seed(epoch, index)
        return self.data[index]

    def __getitems__(self, keys: list[tuple[int, int]]) -> list[Any]:
        if hasattr(self.data, "__getitems__") and keys:
            self._seed(*keys[0])
            items: list[Any] = self.data.__getitems__([index for _, index in keys])
            return items
        return [self[key] for key in keys]

    def _seed(self, epoch: int, index: int) -> None:
        if torch.utils.data.get_worker_info() is None:
            return
        mixed = int(np.random.SeedSequence((self.seed, epoch, index)).generate_state(1, np.uint32)[0])
        random.seed(mixed)
        np.random.seed(mixed)
        torch.manual_seed(mixed)
