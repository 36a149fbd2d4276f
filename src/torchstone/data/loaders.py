"""Batches from what a user has: arrays, a `Dataset` or a `DataLoader`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, default_collate

from torchstone.data.batches import Batches, TensorBatches, choose_batch_size
from torchstone.data.loader_batches import LoaderBatches, are_weights, batch_size_of, replacement
from torchstone.data.rows import TensorRows
from torchstone.data.samplers import length
from torchstone.errors import DataError, UsageError

_BATCH_SIZE_OF_STREAM = 32
"""The batch size for an iterable data set whose length nobody knows."""


def batches_from(
    data: Any,
    *,
    batch_size: int | None = None,
    shuffle: bool,
    seed: int = 0,
    weights: Tensor | np.ndarray | None = None,
    join_single: bool = False,
) -> Batches:
    """Batches of what `fit` takes.

    Args:
        data: `(X, y)` or `(X, y, weights)` of tensors or arrays, a tensor or an array alone, a `Dataset` or a
            `DataLoader`. Arrays of float64 become float32 and arrays of integer targets int64; tensors stay.
        batch_size: samples per batch; None: a loader's own, else `choose_batch_size`.
        shuffle: a new order each epoch; a `DataLoader` has its own say in this.
        seed: seed of the order.
        weights: a weight for each sample, `(N,)`.
        join_single: a last batch of one sample joins the batch before it; a `DataLoader` has its own say.

    Raises:
        DataError: the data is of no known kind, is empty, or its parts differ in length.
        UsageError: `batch_size` contradicts the loader's, or weights are given for samples without an index.
    """
    if isinstance(data, DataLoader):
        return _from_loader(data, batch_size, seed, _weights(weights))
    if isinstance(data, TensorDataset) and _is_plain(data.tensors):
        data = data.tensors
    if isinstance(data, Dataset):
        return _from_dataset(data, batch_size, shuffle, seed, _weights(weights), join_single)
    inputs, targets, given = _parts(data)
    given = _weights(weights) if weights is not None else given
    _check_lengths(inputs, targets, given)
    return TensorBatches(
        TensorRows(inputs),
        targets,
        batch_size=batch_size or choose_batch_size(len(inputs)),
        shuffle=shuffle,
        seed=seed,
        weights=given,
        join_single=join_single,
    )


def _is_plain(tensors: Sequence[Tensor]) -> bool:
    """Whether a TensorDataset is (X, y) or (X, y, weights), which need no loader."""
    return len(tensors) == 2 or (len(tensors) == 3 and are_weights(tensors[2]))


def _from_loader(
    loader: DataLoader[Any], batch_size: int | None, seed: int, weights: Tensor | None
) -> Batches:
    own = batch_size_of(loader)
    if batch_size is not None and batch_size != own:
        raise UsageError(
            f"batch_size={batch_size}, but the DataLoader has batches of {own or 'its own'}.",
            hint="Leave batch_size out, or give the data set instead of the loader.",
        )
    ours = replacement(loader, seed, join_single=False)
    data = loader.dataset
    if (
        ours is None
        or type(data) is not TensorDataset
        or loader.collate_fn is not default_collate
        or not _is_plain(data.tensors)
    ):
        return LoaderBatches(loader, seed=seed, weights=weights)
    return TensorBatches(
        TensorRows(data.tensors[0]),
        data.tensors[1],
        batch_size=ours.batch_size,
        shuffle=ours.shuffle,
        seed=seed,
        weights=weights if weights is not None else (*data.tensors, None)[2],
        drop_last=ours.drop_last,
    )


def _from_dataset(
    data: Dataset[Any],
    batch_size: int | None,
    shuffle: bool,
    seed: int,
    weights: Tensor | None,
    join_single: bool,
) -> Batches:
    count = None if isinstance(data, IterableDataset) else length(data)
    if count == 0:
        raise DataError("The data set is empty.", hint="Look at len(dataset).")
    size = batch_size or (choose_batch_size(count) if count else _BATCH_SIZE_OF_STREAM)
    shuffled = shuffle and count is not None
    loader: DataLoader[Any] = DataLoader(data, batch_size=size, shuffle=shuffled)
    return LoaderBatches(loader, seed=seed, weights=weights, join_single=join_single)


def _parts(data: Any) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Inputs, targets and weights of arrays or tensors."""
    if isinstance(data, Tensor | np.ndarray):
        return _tensor(data), None, None
    arrays = isinstance(data, tuple | list) and all(isinstance(part, Tensor | np.ndarray) for part in data)
    if not arrays or len(data) not in (2, 3):
        raise DataError(
            f"Data must be (X, y) or (X, y, weights) of tensors or arrays, a Dataset or a DataLoader, "
            f"not {_described(data)}.",
            hint="Several inputs or other structures: give a Dataset whose items have them.",
        )
    weights = _weights(data[2]) if len(data) == 3 else None
    return _tensor(data[0]), _tensor(data[1], is_target=True), weights


def _described(data: Any) -> str:
    if isinstance(data, tuple | list):
        kinds = ", ".join(type(part).__name__ for part in data[:4])
        return f"a {type(data).__name__} of {len(data)} ({kinds}{', ...' if len(data) > 4 else ''})"
    return f"a {type(data).__name__}"


def _tensor(values: Tensor | np.ndarray, *, is_target: bool = False) -> Tensor:
    if isinstance(values, Tensor):
        return values.detach()
    if values.dtype.kind not in "biuf":
        raise DataError(
            f"An array of dtype {values.dtype} cannot become a tensor.",
            hint="Give numbers; names of classes need to be encoded (ts.train does that).",
        )
    if values.dtype.kind == "f":
        values = values.astype(np.float32, copy=False)
    elif is_target and values.dtype.kind in "iu":
        values = values.astype(np.int64, copy=False)
    values = np.ascontiguousarray(values)
    return torch.from_numpy(values if values.flags.writeable else values.copy())


def _weights(weights: Any) -> Tensor | None:
    if weights is None:
        return None
    tensor = torch.as_tensor(np.array(weights) if isinstance(weights, np.ndarray) else weights)
    tensor = tensor if tensor.is_floating_point() and tensor.dtype != torch.float64 else tensor.float()
    if tensor.dim() != 1:
        raise DataError(f"Weights must be one number per sample, (N,), not {tuple(tensor.shape)}.")
    if not bool(torch.isfinite(tensor).all()) or bool((tensor < 0).any()):
        raise DataError("Weights must be finite and not negative.")
    return tensor


def _check_lengths(inputs: Tensor, targets: Tensor | None, weights: Tensor | None) -> None:
    if inputs.dim() == 0 or len(inputs) == 0:
        raise DataError(f"The data is empty: X has shape {tuple(inputs.shape)}.")
    for name, part in (("y", targets), ("weights", weights)):
        if part is not None and (part.dim() == 0 or len(part) != len(inputs)):
            raise DataError(
                f"X and {name} differ in length: X is {tuple(inputs.shape)}, {name} {tuple(part.shape)}.",
                hint="The first axis counts the samples.",
            )
