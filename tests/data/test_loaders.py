"""A user's arrays, data sets and loaders give the same samples as before, in an order that can go on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)

from torchstone.data.batches import Batch, Batches, TensorBatches, order
from torchstone.data.loader_batches import LoaderBatches
from torchstone.data.loaders import batches_from
from torchstone.errors import DataError, UsageError


class Numbers(Dataset[Any]):
    """Each item is its own number and its square."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.tensor([float(index)]), index * index


class Noisy(Numbers):
    """Draws from every source of randomness, as augmentation does."""

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        noise = [random.random(), float(np.random.rand()), float(torch.rand(()))]
        return torch.tensor([float(index), *noise], dtype=torch.float64), index


class Stream(IterableDataset[Any]):
    """A data set without a length."""

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        for number in range(20):
            yield torch.tensor([float(number)]), number


class Backwards(Sampler[int]):
    """A sampler of the user's own."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.count - 1, -1, -1))

    def __len__(self) -> int:
        return self.count


def as_dict(items: list[tuple[Tensor, int]]) -> dict[str, Tensor]:
    return {"x": torch.stack([x for x, _ in items]), "y": torch.tensor([y for _, y in items])}


def flat(batches: Iterator[Batch] | list[Batch]) -> list[int]:
    return [int(value) for batch in batches for value in batch.inputs[:, 0]]


def equal(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a.inputs, b.inputs) and torch.equal(a.targets, b.targets)
        for a, b in zip(first, second, strict=True)
    )


def from_loader(loader: DataLoader[Any], **options: Any) -> Batches:
    return batches_from(loader, shuffle=True, **options)


def test_a_loader_in_order_gives_its_own_batches() -> None:
    loader = DataLoader(Numbers(23), batch_size=5)
    given = list(from_loader(loader).epoch(7))
    for batch, (x, y) in zip(given, loader, strict=True):
        assert torch.equal(batch.inputs, x)
        assert torch.equal(batch.targets, y)
    assert flat(given) == list(range(23))


@given(st.integers(1, 40), st.integers(1, 9), st.booleans(), st.booleans(), st.integers(0, 5), st.data())
@settings(max_examples=60, deadline=None)
def test_a_loader_keeps_its_samples_and_can_be_continued(
    count: int, size: int, shuffle: bool, drop_last: bool, epoch: int, data: st.DataObject
) -> None:
    loader = DataLoader(Numbers(count), batch_size=size, shuffle=shuffle, drop_last=drop_last)
    batches = from_loader(loader, seed=3)
    whole = list(batches.epoch(epoch))
    assert [len(batch.inputs) for batch in whole] == [len(x) for x, _ in loader]
    assert batches.steps == len(loader) == len(whole)
    assert batches.samples == sum(len(batch.inputs) for batch in whole)
    assert batches.resumable == "sample"
    assert batches.notes == []
    expected = order(3, epoch, count).tolist() if shuffle else list(range(count))
    assert flat(whole) == expected[: batches.samples]
    for batch in whole:
        assert batch.indices is not None
        assert batch.indices.tolist() == batch.inputs[:, 0].tolist()
        assert torch.equal(batch.targets, batch.indices**2)
    done = data.draw(st.integers(0, len(whole)))
    position = sum(len(batch.inputs) for batch in whole[:done])
    again = from_loader(
        DataLoader(Numbers(count), batch_size=size, shuffle=shuffle, drop_last=drop_last), seed=3
    )
    assert equal(list(again.epoch(epoch, position)), whole[done:])


def test_arrays_data_set_and_loader_agree() -> None:
    x, y = torch.randn(37, 3), torch.arange(37)
    data = TensorDataset(x, y)
    kinds = [
        batches_from(given, shuffle=True, batch_size=8, seed=5)
        for given in ((x, y), data, DataLoader(data, batch_size=8, shuffle=True), Subset(data, range(37)))
    ]
    assert isinstance(kinds[2], TensorBatches)
    assert isinstance(kinds[3], LoaderBatches)
    epochs = [list(batches.epoch(2)) for batches in kinds]
    assert all(equal(epochs[0], other) for other in epochs[1:])


def test_an_explicit_sampler_in_order_is_ours_too() -> None:
    data = Numbers(20)
    batches = from_loader(DataLoader(data, sampler=SequentialSampler(data), batch_size=6))
    assert batches.resumable == "sample"
    assert flat(batches.epoch(0)) == list(range(20))


@pytest.mark.parametrize("drop_last", [True, False])
def test_a_batch_sampler_of_one_s_own_is_used_as_it_is(drop_last: bool) -> None:
    data = Numbers(20)
    few = BatchSampler(RandomSampler(data, num_samples=7), 3, drop_last=drop_last)
    for loader in (
        DataLoader(data, batch_sampler=few),
        DataLoader(data, 3, sampler=RandomSampler(data, num_samples=7), drop_last=drop_last),
    ):
        batches = from_loader(loader)
        assert batches.resumable == "epoch"
        assert batches.samples == len(flat(batches.epoch(0))) == (6 if drop_last else 7)
        assert batches.steps == (2 if drop_last else 3)
    lists: Any = [[4, 2], [9], [0, 1, 2]]
    batches = from_loader(DataLoader(data, batch_sampler=lists))
    assert flat(batches.epoch(0)) == [4, 2, 9, 0, 1, 2]
    assert (batches.samples, batches.steps) == (None, 3)


def test_a_sampler_of_one_s_own_is_used_as_it_is() -> None:
    batches = from_loader(DataLoader(Numbers(10), batch_size=4, sampler=Backwards(10)))
    for epoch in (0, 1):
        given = list(batches.epoch(epoch))
        assert flat(given) == list(range(9, -1, -1))
        assert [batch.indices for batch in given] == [None] * 3
    assert batches.resumable == "epoch"
    assert (batches.samples, batches.steps, batches.batch_size) == (10, 3, 4)
    assert "goes on from the beginning of an epoch" in batches.notes[0]
    with pytest.raises(ValueError, match="only be continued at their beginning"):
        next(batches.epoch(0, 4))


@pytest.mark.parametrize("replacement", [True, False])
def test_a_sampler_that_draws_is_used_as_it_is(replacement: bool) -> None:
    data = Numbers(12)
    weighted = WeightedRandomSampler([0.0] * 6 + [1.0] * 6, 6, replacement=replacement)
    batches = from_loader(DataLoader(data, batch_size=4, sampler=weighted))
    assert batches.resumable == "epoch"
    assert min(flat(batches.epoch(0))) >= 6
    drawn = RandomSampler(data, replacement=replacement, num_samples=30)
    batches = from_loader(DataLoader(data, batch_size=4, sampler=drawn))
    assert (batches.resumable, batches.samples) == ("epoch", 30)
    assert len(flat(batches.epoch(0))) == 30


def test_a_stream_is_used_as_it_is() -> None:
    for data in (DataLoader(Stream(), batch_size=6), Stream()):
        batches = batches_from(data, shuffle=True)
        assert batches.resumable == "epoch"
        assert batches.samples is None
        assert batches.steps is None
        assert flat(batches.epoch(0)) == flat(batches.epoch(1)) == list(range(20))
    with pytest.raises(ValueError, match="only be continued at their beginning"):
        next(batches.epoch(0, 6))


def test_items_without_batches_are_used_as_they_are() -> None:
    batches = from_loader(DataLoader(Numbers(4), batch_size=None))
    assert batches.resumable == "epoch"
    assert [float(batch.inputs) for batch in batches.epoch(0)] == [0.0, 1.0, 2.0, 3.0]


def test_a_loader_class_of_one_s_own_is_used_as_it_is() -> None:
    class Doubling(DataLoader[Any]):
        def __iter__(self) -> Any:
            return ((2 * x, y) for x, y in super().__iter__())

    batches = from_loader(Doubling(Numbers(6), batch_size=3))
    assert flat(batches.epoch(0)) == [0, 2, 4, 6, 8, 10]
    assert batches.resumable == "epoch"


def test_collate_fn_is_kept() -> None:
    loader = DataLoader(Numbers(9), batch_size=4, shuffle=True, collate_fn=as_dict)
    given = list(from_loader(loader, seed=1).epoch(2))
    expected = order(1, 2, 9)
    assert [set(batch.inputs) for batch in given] == [{"x", "y"}] * 3
    assert torch.cat([batch.inputs["y"] for batch in given]).tolist() == (expected**2).tolist()
    assert [batch.targets for batch in given] == [None] * 3


def test_collate_fn_over_tensors_is_kept() -> None:
    data = TensorDataset(torch.arange(6.0)[:, None], torch.arange(6))

    def tenfold(items: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        return torch.stack([10 * x for x, _ in items]), torch.stack([y for _, y in items])

    assert flat(from_loader(DataLoader(data, batch_size=4, collate_fn=tenfold)).epoch(0)) == [
        *(0, 10, 20, 30, 40, 50)
    ]


def test_workers_change_no_batch() -> None:
    def epoch(workers: int, position: int = 0) -> list[Batch]:
        loader = DataLoader(Numbers(30), batch_size=7, shuffle=True, num_workers=workers)
        return list(from_loader(loader, seed=2).epoch(4, position))

    alone, helped = epoch(0), epoch(2)
    assert equal(alone, helped)
    assert equal(epoch(2, 14), alone[2:])


def test_augmentation_in_workers_depends_on_seed_epoch_and_sample_alone() -> None:
    def epoch(workers: int, number: int, position: int = 0, seed: int = 2) -> list[Batch]:
        torch.manual_seed(workers + position)  # the caller's random state plays no part
        loader = DataLoader(Noisy(24), batch_size=6, shuffle=True, num_workers=workers)
        return list(from_loader(loader, seed=seed).epoch(number, position))

    one = epoch(1, 4)
    assert equal(epoch(2, 4), one)
    assert equal(epoch(2, 4, 12), one[2:])
    rows = {int(row[0]): row[1:].tolist() for batch in one for row in batch.inputs}
    assert len({tuple(noise) for noise in rows.values()}) == 24
    for other in (epoch(1, 5), epoch(1, 4, seed=3)):
        assert all(rows[int(row[0])] != row[1:].tolist() for batch in other for row in batch.inputs)


def test_weights_of_arrays_data_sets_and_loaders() -> None:
    x, y, w = torch.randn(15, 2), torch.arange(15), torch.linspace(0.5, 2, 15)
    data: list[tuple[Any, Any]] = [
        ((x, y, w), None),
        ((x, y), w),
        ((x.numpy(), y.numpy()), w.double().numpy()),
        (TensorDataset(x, y, w), None),
        (TensorDataset(x, y), w),
        (DataLoader(TensorDataset(x, y, w), batch_size=4, shuffle=True), None),
        (DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True), w),
        (Subset(TensorDataset(x, y, w), range(15)), None),
        (DataLoader(Subset(TensorDataset(x, y), range(15)), batch_size=4, shuffle=True), w),
    ]
    for source, weights in data:
        size = None if isinstance(source, DataLoader) else 4
        for batch in batches_from(source, shuffle=True, batch_size=size, weights=weights).epoch(1):
            assert batch.weights is not None
            assert batch.weights.dtype == torch.float32
            assert torch.equal(batch.weights, w[batch.targets])


def test_weights_need_the_index() -> None:
    loader = DataLoader(Numbers(10), batch_size=4, sampler=Backwards(10))
    with pytest.raises(UsageError, match="need the index of each sample"):
        from_loader(loader, weights=torch.ones(10))
    with pytest.raises(UsageError, match="need the index of each sample"):
        batches_from(Stream(), shuffle=True, weights=torch.ones(20))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -1.0, 1.0], "finite and not negative"),
        ([1.0, float("nan"), 1.0], "finite and not negative"),
        ([[1.0], [1.0], [1.0]], r"not \(3, 1\)"),
        ([1.0, 1.0], r"X and weights differ in length: X is \(3, 2\), weights \(2,\)"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        batches_from((np.zeros((3, 2)), np.zeros(3)), shuffle=True, weights=np.array(weights))


def test_dtypes_of_arrays_and_tensors() -> None:
    arrays = (np.zeros((5, 2)), np.arange(5, dtype=np.int32))
    (batch,) = batches_from(arrays, shuffle=False).epoch(0)
    assert (batch.inputs.dtype, batch.targets.dtype) == (torch.float32, torch.int64)
    tensors = (torch.zeros(5, 2, dtype=torch.float64), torch.arange(5, dtype=torch.int32))
    (batch,) = batches_from(tensors, shuffle=False).epoch(0)
    assert (batch.inputs.dtype, batch.targets.dtype) == (torch.float64, torch.int32)


def test_arrays_that_cannot_be_written_or_run_backwards_are_taken() -> None:
    values = np.arange(12.0, dtype=np.float32).reshape(6, 2)
    values.flags.writeable = False
    backwards = np.arange(6)[::-1]
    given = list(batches_from((values, backwards), shuffle=False).epoch(0))
    assert torch.equal(given[0].inputs, torch.arange(12.0).reshape(6, 2))
    assert given[0].targets.tolist() == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((np.zeros((3, 2)), np.zeros(4)), r"X and y differ in length: X is \(3, 2\), y \(4,\)"),
        ((np.zeros((0, 2)), np.zeros(0)), r"empty: X has shape \(0, 2\)"),
        (Numbers(0), "The data set is empty"),
        ((np.zeros(3), np.array(["u", "v", "w"])), "dtype <U1 cannot become a tensor"),
        ("iris", r"a Dataset or a DataLoader, not a str"),
        ((np.zeros(3), [1, 2, 3]), r"not a tuple of 2 \(ndarray, list\)"),
    ],
)
def test_data_of_no_known_kind_is_refused(data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        batches_from(data, shuffle=True)


def test_a_batch_size_that_contradicts_the_loader_is_refused() -> None:
    loader = DataLoader(Numbers(10), batch_size=4)
    assert from_loader(loader, batch_size=4).batch_size == 4
    with pytest.raises(UsageError, match="batch_size=8, but the DataLoader has batches of 4"):
        from_loader(loader, batch_size=8)


def test_a_batch_sampler_tells_the_size_of_its_batches_where_it_knows_it() -> None:
    numbers = Numbers(10)
    loader = DataLoader(numbers, batch_sampler=BatchSampler(Backwards(10), batch_size=3, drop_last=False))
    assert loader.batch_size is None
    batches = from_loader(loader, batch_size=3)
    assert (batches.samples, batches.steps, batches.batch_size) == (10, 4, 3)
    by_length = DataLoader(numbers, batch_sampler=[[0, 1, 2, 3], [4, 5], [6, 7, 8, 9]])
    assert from_loader(by_length).batch_size is None
    with pytest.raises(UsageError, match="batch_size=4, but the DataLoader has batches of its own"):
        from_loader(by_length, batch_size=4)


def test_a_single_last_item_of_a_data_set_joins() -> None:
    batches = batches_from(Numbers(9), batch_size=4, shuffle=True, join_single=True)
    assert [len(batch.inputs) for batch in batches.epoch(0)] == [4, 5]
    assert batches.steps == 2
    # A loader has its own say.
    loader = DataLoader(Numbers(9), batch_size=4)
    assert [len(batch.inputs) for batch in from_loader(loader, join_single=True).epoch(0)] == [4, 4, 1]


def test_moved_batches_are_the_same() -> None:
    batches = from_loader(DataLoader(Numbers(11), batch_size=4, shuffle=True), seed=6)
    assert equal(list(batches.to("cpu").epoch(3, 4)), list(batches.epoch(3, 4)))


def test_epochs_may_be_read_side_by_side() -> None:
    batches = from_loader(DataLoader(Numbers(12), batch_size=4, shuffle=True))
    expected = [flat(batches.epoch(epoch)) for epoch in (0, 1)]
    pairs = list(zip(batches.epoch(0), batches.epoch(1), strict=True))
    for number in (0, 1):
        given = [pair[number] for pair in pairs]
        assert flat(given) == expected[number]
        assert [index for batch in given for index in batch.indices.tolist()] == expected[number]  # type: ignore[union-attr]


def test_an_epoch_keeps_its_augmentation_when_another_begins() -> None:
    loader = DataLoader(Noisy(24), batch_size=3, shuffle=True, num_workers=1)
    batches = from_loader(loader)
    expected = [list(batches.epoch(epoch)) for epoch in (0, 1)]
    pairs = list(zip(batches.epoch(0), batches.epoch(1), strict=True))
    assert equal([first for first, _ in pairs], expected[0])
    assert equal([second for _, second in pairs], expected[1])
