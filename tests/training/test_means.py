from __future__ import annotations

import math

import torch

from torchstone.training.means import Kept, Means


def test_weighted_means_of_numbers_and_tensors() -> None:
    means = Means()
    means.add("loss", torch.tensor(1.0), 3.0)
    means.add("loss", torch.tensor(2.0), torch.tensor(1))
    means.add("other", 5.0, 1.0)
    assert means.collect() == {"loss": [(1.0, 3.0), (2.0, 1.0)], "other": [(5.0, 1.0)]}
    assert means.means() == {"loss": 1.25, "other": 5.0}
    assert means.collect() == {}


def test_the_result_does_not_depend_on_when_it_was_looked_at() -> None:
    values = torch.rand(100).unbind()
    once, often = Means(), Means()
    for value in values:
        once.add("loss", value, 3.0)
        often.add("loss", value, 3.0)
        often.collect()
    once.collect()
    assert once.means() == often.means()


def test_counts_are_made_when_they_are_read() -> None:
    means = Means()
    means.add("loss", torch.tensor(2.0), Kept(torch.tensor([1, 2, -100]), -100))
    means.add("loss", torch.tensor(8.0), Kept(torch.tensor([0]), -100))
    means.collect()
    assert means.weights == {"loss": 3.0}
    assert means.means() == {"loss": 4.0}


def test_a_batch_without_weight_counts_for_nothing() -> None:
    means = Means()
    means.add("loss", torch.tensor(math.nan), Kept(torch.tensor([-100]), -100))
    means.add("loss", torch.tensor(1.0), 2.0)
    assert means.collect() == {"loss": [(1.0, 2.0)]}


def test_sums_come_back() -> None:
    means, other = Means(), Means()
    means.add("loss", 0.1, 3)
    means.collect()
    other.load(means.to_json())
    assert other.means() == means.means()
    other.clear()
    assert other.means() == {}
