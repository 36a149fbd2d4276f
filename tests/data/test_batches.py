"""The order of samples is a pure function of seed and epoch, and can be continued at any sample."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from torchstone.data.batches import Batch, TensorBatches, borders, choose_batch_size, order
from torchstone.data.rows import PictureRows, TableRows, TensorRows

SIZES = st.integers(1, 90)


def numbered(count: int, **options: int | bool | Tensor | None) -> TensorBatches:
    """Batches of samples that hold their own number."""
    values = torch.arange(count, dtype=torch.float32)
    given = {"batch_size": 8, "shuffle": True, **options}
    return TensorBatches(TensorRows(values[:, None]), 2 * values, **given)  # type: ignore[arg-type]


def flat(batches: list[Batch]) -> list[int]:
    return [int(value) for batch in batches for value in batch.inputs[:, 0]]


def same(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a.inputs, b.inputs) and torch.equal(a.targets, b.targets)
        for a, b in zip(first, second, strict=True)
    )


@given(st.integers(0, 2**40), st.integers(0, 10_000), st.integers(0, 500))
@settings(max_examples=100, deadline=None)
def test_order_is_a_permutation_that_only_its_arguments_decide(seed: int, epoch: int, count: int) -> None:
    torch.manual_seed(count)
    state = torch.random.get_rng_state()
    first = order(seed, epoch, count)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(count + 1)
    assert torch.equal(order(seed, epoch, count), first)
    assert first.sort().values.tolist() == list(range(count))
    assert first.dtype == torch.int64


def test_orders_of_seeds_and_epochs_have_nothing_in_common() -> None:
    orders = {tuple(order(seed, epoch, 50).tolist()) for seed in range(20) for epoch in range(20)}
    assert len(orders) == 400
    # Every place is as likely as any other.
    firsts = np.bincount([int(order(seed, seed % 7, 10)[0]) for seed in range(2000)], minlength=10)
    assert firsts.min() > 140
    assert firsts.max() < 260


def test_the_order_stays_from_version_to_version() -> None:
    assert order(0, 0, 8).tolist() == [3, 2, 5, 1, 7, 4, 6, 0]
    assert order(3, 5, 8).tolist() == [3, 4, 2, 5, 1, 6, 7, 0]


@given(SIZES, st.integers(1, 20), st.booleans(), st.booleans(), st.integers(0, 99), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_every_sample_comes_exactly_once(
    count: int, batch_size: int, shuffle: bool, join_single: bool, seed: int, epoch: int
) -> None:
    batches = numbered(count, batch_size=batch_size, shuffle=shuffle, join_single=join_single, seed=seed)
    given = list(batches.epoch(epoch))
    assert sorted(flat(given)) == list(range(count))
    assert len(given) == batches.steps
    assert batches.samples == count
    for batch in given:
        assert batch.indices is not None
        assert batch.indices.tolist() == batch.inputs[:, 0].tolist()
        assert torch.equal(batch.targets, 2 * batch.inputs[:, 0])
    if not shuffle:
        assert flat(given) == list(range(count))


@given(SIZES, st.integers(1, 20), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 9), st.data())
@settings(max_examples=150, deadline=None)
def test_an_epoch_goes_on_where_it_was_left(
    count: int,
    batch_size: int,
    shuffle: bool,
    join_single: bool,
    drop_last: bool,
    epoch: int,
    data: st.DataObject,
) -> None:
    options = {"batch_size": batch_size, "shuffle": shuffle, "join_single": join_single}
    whole = list(numbered(count, **options, drop_last=drop_last).epoch(epoch))
    done = data.draw(st.integers(0, len(whole)))
    position = sum(len(batch.inputs) for batch in whole[:done])
    # Another process, which knows nothing but the numbers.
    rest = list(numbered(count, **options, drop_last=drop_last).epoch(epoch, position))
    assert same(rest, whole[done:])


def test_a_position_inside_a_batch_keeps_the_order() -> None:
    batches = numbered(50)
    assert flat(list(batches.epoch(2, 13))) == flat(list(batches.epoch(2)))[13:]
    assert list(batches.epoch(2, 50)) == []


def test_epochs_differ_and_repeat() -> None:
    batches = numbered(64)
    first, second, again = (flat(list(batches.epoch(epoch))) for epoch in (0, 1, 0))
    assert first == again
    assert first != second
    assert flat(list(numbered(64, seed=1).epoch(0))) != first
    assert flat(list(numbered(64, shuffle=False).epoch(0))) == flat(
        list(numbered(64, shuffle=False).epoch(1))
    )


def test_epochs_may_be_read_side_by_side() -> None:
    batches = numbered(40)
    expected = [flat(list(batches.epoch(epoch))) for epoch in (0, 1)]
    pairs = list(zip(batches.epoch(0), batches.epoch(1), strict=True))
    assert [flat([pair[number] for pair in pairs]) for number in (0, 1)] == expected


def test_a_single_sample_joins_the_batch_before() -> None:
    def sizes(count: int, join_single: bool, drop_last: bool = False) -> list[int]:
        batches = numbered(count, join_single=join_single, drop_last=drop_last)
        return [len(batch.inputs) for batch in batches.epoch(0)]

    assert sizes(17, False) == [8, 8, 1]
    assert sizes(17, True) == [8, 9]
    assert sizes(18, True) == [8, 8, 2]
    assert sizes(16, True) == [8, 8]
    assert sizes(1, True) == [1]
    assert sizes(17, True, drop_last=True) == [8, 8]
    assert sizes(17, False, drop_last=True) == [8, 8]
    assert numbered(17, join_single=True).steps == 2
    assert numbered(17, drop_last=True).samples == 16


@given(st.integers(0, 200), st.integers(1, 30), st.integers(0, 220), st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_borders_hold_batches_of_at_most_one_more(
    count: int, batch_size: int, position: int, join_single: bool, drop_last: bool
) -> None:
    cuts = borders(count, batch_size, position, join_single=join_single, drop_last=drop_last)
    sizes = [end - start for start, end in pairwise(cuts)]
    assert all(0 < size <= batch_size + join_single for size in sizes)
    if position < count:
        assert cuts[0] == position
        assert drop_last or cuts[-1] == count
    if join_single and batch_size > 1 and count - position > 1:
        assert 1 not in sizes


def test_only_the_indices_take_part_and_weights_go_along() -> None:
    chosen = torch.tensor([3, 5, 8, 13, 21, 34])
    weights = torch.linspace(0, 1, 40)
    batches = numbered(40, indices=chosen, weights=weights, batch_size=4)
    given = list(batches.epoch(1))
    assert sorted(flat(given)) == chosen.tolist()
    for batch in given:
        assert batch.indices is not None
        assert batch.weights is not None
        assert torch.equal(batch.weights, weights[batch.indices])
        assert batch.inputs[:, 0].tolist() == batch.indices.tolist()
    assert (batches.samples, batches.steps, batches.batch_size) == (6, 2, 4)
    in_order = numbered(40, indices=chosen, shuffle=False)
    assert flat(list(in_order.epoch(4))) == chosen.tolist()


def test_what_the_user_s_own_loop_would_see() -> None:
    x, y, w = torch.zeros(2, 1), torch.ones(2), torch.ones(2)
    assert Batch(x, None).given() is x
    assert Batch(x, y).given() == (x, y)
    assert Batch(x, y, w).given() == (x, y, w)


def test_without_targets() -> None:
    batches = TensorBatches(TensorRows(torch.ones(5, 2)), None, batch_size=2, shuffle=False)
    assert [batch.targets for batch in batches.epoch(0)] == [None, None, None]


def test_no_samples_are_no_batches() -> None:
    batches = numbered(10, indices=torch.tensor([], dtype=torch.int64))
    assert (batches.samples, batches.steps, list(batches.epoch(0))) == (0, 0, [])


def test_a_batch_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        numbered(10, batch_size=0)


def test_many_large_rows_are_gathered_in_parts() -> None:
    # One batch is 1 MB: a chunk holds only a few of them.
    values = torch.arange(200, dtype=torch.float32)[:, None].expand(200, 16_384).contiguous()
    batches = TensorBatches(TensorRows(values), None, batch_size=16, shuffle=True)
    given = list(batches.epoch(0))
    assert flat(given) == order(0, 0, 200).tolist()
    assert [len(batch.inputs) for batch in given] == [16] * 12 + [8]


def test_moved_batches_are_the_same() -> None:
    batches = numbered(30, weights=torch.rand(30), join_single=True, seed=4)
    assert same(list(batches.to("cpu").epoch(3)), list(batches.epoch(3)))


def test_the_batch_size_grows_with_the_data() -> None:
    sizes = [choose_batch_size(samples) for samples in (1, 150, 2048, 26_048, 54_000, 10**7)]
    assert sizes == [16, 16, 32, 256, 512, 1024]


@given(st.integers(0, 4), st.lists(st.integers(1, 5), max_size=4), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_table_rows_are_numbers_and_one_hot_blocks(numeric: int, widths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(12, numeric)).astype(np.float32)
    codes = np.stack([rng.integers(0, width, 12) for width in widths], 1) if widths else np.zeros((12, 0))
    codes = codes.astype(np.int32)
    rows = TableRows(torch.from_numpy(numbers), torch.from_numpy(codes), tuple(widths))
    blocks = [np.eye(width, dtype=np.float32)[codes[:, place]] for place, width in enumerate(widths)]
    chosen = torch.tensor([7, 0, 7, 11])
    expected = np.concatenate([numbers, *blocks], axis=1)[chosen.numpy()]
    assert (rows.take(chosen).numpy() == expected).all()
    assert (len(rows), rows.shape) == (12, (numeric + sum(widths),))
    assert (rows.nbytes, rows.row_bytes) == (numbers.nbytes + codes.nbytes, 4 * expected.shape[1])


def test_taking_pictures_leaves_their_bytes_alone() -> None:
    pixels = torch.randint(0, 256, (6, 3, 2, 2), dtype=torch.uint8)
    kept = pixels.clone()
    rows = PictureRows(pixels, torch.tensor([10.0, 20.0, 30.0]), torch.tensor([1.0, 2.0, 4.0]))
    taken = rows.take(torch.tensor([4, 1]))
    assert torch.equal(taken[0, 2], (kept[4, 2].float() - 30) / 4)
    assert torch.equal(pixels, kept)
    assert (rows.nbytes, rows.row_bytes) == (72, 48)
