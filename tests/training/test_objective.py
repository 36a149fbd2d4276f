from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchstone.data.batches import Batch
from torchstone.errors import ConfigError
from torchstone.training.objective import Objective, count_samples

torch.manual_seed(0)
CLASSES = torch.tensor([0, 1, 2, -100, 1, 0, 2, 2, -100, 1, -100])
WEIGHT = torch.tensor([1.0, 5.0, 0.2])
NUMBERS = torch.randn(11, 3)
LABELS = (torch.rand(11, 3) > 0.5).float()
SOFT = torch.rand(11, 3).softmax(1)


def own(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).abs().mean()


LOSSES: dict[str, tuple[Callable[..., Tensor], Tensor]] = {
    "cross-entropy": (nn.CrossEntropyLoss(), CLASSES),
    "class weights": (nn.CrossEntropyLoss(weight=WEIGHT), CLASSES),
    "smoothing": (nn.CrossEntropyLoss(weight=WEIGHT, label_smoothing=0.1), CLASSES),
    "ignore another": (nn.CrossEntropyLoss(ignore_index=2), CLASSES.abs() % 3),
    "soft targets": (nn.CrossEntropyLoss(weight=WEIGHT), SOFT),
    "nll": (nn.NLLLoss(weight=WEIGHT), CLASSES),
    "function": (F.cross_entropy, CLASSES),
    "partial": (functools.partial(F.cross_entropy, weight=WEIGHT, ignore_index=1), CLASSES.abs() % 3),
    "margin": (nn.MultiMarginLoss(), CLASSES.abs() % 3),
    "mse": (nn.MSELoss(), NUMBERS),
    "mse function": (F.mse_loss, NUMBERS),
    "huber": (nn.HuberLoss(), NUMBERS),
    "bce": (nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0, 1.0, 0.5])), LABELS),
    "sum": (nn.MSELoss(reduction="sum"), NUMBERS),
    "none": (nn.MSELoss(reduction="none"), NUMBERS),
    "own": (own, NUMBERS),
}


def split(batch: Batch, sizes: list[int]) -> list[Batch]:
    weights = [None] * len(sizes) if batch.weights is None else batch.weights.split(sizes)
    parts = zip(batch.inputs.split(sizes), batch.targets.split(sizes), weights, strict=True)
    return [Batch(*part) for part in parts]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", sorted(LOSSES))
def test_the_shares_of_uneven_batches_add_up_to_the_whole(name: str, weighted: bool) -> None:
    loss, targets = LOSSES[name]
    if weighted and name == "own":
        pytest.skip("gives no loss per sample")
    objective, net = Objective(loss), nn.Linear(4, 3)
    weights = torch.rand(11) if weighted else None
    whole = Batch(torch.randn(11, 4), targets, weights)
    expected = objective.compute(net, whole)
    if not weighted and name != "none":
        assert torch.equal(expected, loss(net(whole.inputs), targets))
    parts = split(whole, [4, 4, 3])
    total = sum(objective.normaliser(part) for part in parts)
    shares = [objective.share(net, part, total) for part in parts]
    torch.testing.assert_close(sum(shares), expected)
    if objective.reduction == "mean":
        assert float(total) == pytest.approx(float(objective.normaliser(whole)), rel=1e-5)


def test_a_batch_whose_targets_are_all_ignored_adds_nothing() -> None:
    objective, net = Objective(nn.CrossEntropyLoss()), nn.Linear(4, 3)
    nothing = Batch(torch.randn(2, 4), torch.tensor([-100, -100]))
    share = objective.share(net, nothing, objective.normaliser(nothing) + 5)
    share.backward()
    assert share.item() == 0
    assert net.weight.grad.abs().sum() == 0


def test_equal_sample_weights_change_nothing_and_zero_takes_a_sample_out() -> None:
    loss, net = nn.CrossEntropyLoss(weight=WEIGHT), nn.Linear(4, 3)
    inputs, targets = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    objective = Objective(loss)
    same = objective.compute(net, Batch(inputs, targets, torch.full((6,), 3.0)))
    torch.testing.assert_close(same, loss(net(inputs), targets))
    weights = torch.tensor([1.0, 1, 1, 1, 0, 0])
    torch.testing.assert_close(
        objective.compute(net, Batch(inputs, targets, weights)), loss(net(inputs[:4]), targets[:4])
    )


def test_tokens_of_several_dimensions() -> None:
    objective = Objective(nn.CrossEntropyLoss(weight=WEIGHT))
    outputs, targets = torch.randn(2, 3, 5), torch.tensor([[0, 1, 2, -100, -100], [2, 2, 1, 0, -100]])
    batch = Batch(outputs, targets)
    expected = nn.CrossEntropyLoss(weight=WEIGHT)(outputs, targets)
    torch.testing.assert_close(objective.of_outputs(outputs, batch), expected)
    assert float(objective.normaliser(batch)) == pytest.approx(1 + 5 + 0.2 + 0.2 + 0.2 + 5 + 1)
    weighted = Batch(outputs, targets, torch.ones(2))
    torch.testing.assert_close(objective.of_outputs(outputs, weighted), expected)


def test_an_ensembles_members_are_each_held_against_the_target() -> None:
    class Ensemble(nn.Module):
        members = 4

        def __init__(self) -> None:
            super().__init__()
            self.heads = nn.ModuleList(nn.Linear(4, 3) for _ in range(4))

        def forward(self, inputs: Tensor) -> Tensor:
            outputs = torch.stack([head(inputs) for head in self.heads], dim=1)
            return outputs if self.training else outputs.mean(1)

    net, loss = Ensemble(), nn.CrossEntropyLoss()
    objective = Objective(loss)
    objective.prepare(net, torch.device("cpu"))
    batch = Batch(torch.randn(8, 4), torch.randint(0, 3, (8,)))
    expected = torch.stack([loss(head(batch.inputs), batch.targets) for head in net.heads]).mean()
    torch.testing.assert_close(objective.compute(net, batch), expected)
    shares = [objective.share(net, part, 8) for part in split(batch, [5, 3])]
    torch.testing.assert_close(sum(shares), expected)
    net.eval()
    torch.testing.assert_close(
        objective.compute(net, batch, training=False), loss(net(batch.inputs), batch.targets)
    )


def test_sample_weights_need_a_loss_per_sample() -> None:
    with pytest.raises(ConfigError, match="loss of each sample"):
        Objective(own).compute(nn.Linear(3, 3), Batch(NUMBERS, NUMBERS, torch.ones(11)))
    per_sample = Objective(lambda outputs, targets: (outputs - targets).abs().mean(1))
    batch = Batch(NUMBERS, torch.zeros(11, 3), torch.tensor([1.0] + [0.0] * 10))
    torch.testing.assert_close(per_sample.compute(nn.Identity(), batch), NUMBERS[0].abs().mean())


def test_there_must_be_a_loss_or_a_step() -> None:
    with pytest.raises(ConfigError, match="step="):
        Objective()


def test_samples_are_counted_by_the_first_tensor() -> None:
    assert count_samples(Batch(None, torch.zeros(3, 2))) == 3
    assert count_samples(Batch({"a": [torch.zeros(5)]}, None)) == 5
