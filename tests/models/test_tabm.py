"""TabM against its papers' formulas, written out plainly."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from torchstone.models.build import build_model
from torchstone.models.tabm import MemberLinear, PiecewiseLinear, TabM, mean_of_members
from torchstone.task import InputSpec, Task

SPEC = InputSpec(
    (9,), numeric=4, categories=(2, 3), edges=((-1.0, 0.0, 1.0), (-2.0, 0.0, 0.5, 2.0), (0.0, 1.0), ())
)
BINARY = Task("binary", ("income",), ("<=50K", ">50K"))
NUMBER = Task("regression", ("price",))


def rows(count: int) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(count, 9)


def encoded(value: float, edges: tuple[float, ...]) -> list[float]:
    """Equation 1 of arXiv:2203.05556: below the bin 0 (not in the first), above it 1 (not in the last)."""
    places = []
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        share = (value - low) / (high - low)
        if number > 0:
            share = max(share, 0.0)
        if number < len(edges) - 2:
            share = min(share, 1.0)
        places.append(share)
    return places


def test_the_piecewise_linear_encoding_is_the_papers() -> None:
    edges = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 0.5, 2.0))
    layer = PiecewiseLinear(edges, width=4)
    nn.init.normal_(layer.weight)
    for first, second in [(-3.0, 0.2), (0.5, 5.0), (1.0, -2.0), (7.0, 0.5)]:
        got = layer(torch.tensor([[first, second]]))[0]
        for number, value in enumerate((first, second)):
            places = torch.tensor(encoded(value, edges[number]))
            curved = places @ layer.weight[number, : len(places)]
            expected = curved + value * layer.slope[number] + layer.bias[number]
            torch.testing.assert_close(got[number], expected)


def test_embeddings_start_linear() -> None:
    layer = PiecewiseLinear(((-1.0, 0.0, 1.0),), width=3)
    low, middle, high = layer(torch.tensor([[-1.0], [0.0], [1.0]])).unbind()
    torch.testing.assert_close(high - middle, middle - low)


@pytest.mark.parametrize("count", [1, 4, 50])
def test_a_member_layer_scales_inputs_and_outputs_around_a_shared_weight(count: int) -> None:
    layer = MemberLinear(3, 5, 7, groups=(2, 3))
    nn.init.normal_(layer.output_scale)
    inputs = torch.randn(3, count, 5)
    for member, got in enumerate(layer(inputs)):
        scaled = inputs[member] * layer.input_scale[member, :, 0]
        expected = (scaled @ layer.weight) * layer.output_scale[member, 0] + layer.bias[member, 0]
        torch.testing.assert_close(got, expected)


def test_the_scales_of_one_column_start_equal_and_members_differ() -> None:
    scale = MemberLinear(4, 5, 2, groups=(2, 3)).input_scale[:, :, 0]
    assert torch.equal(scale[:, 0], scale[:, 1])
    assert torch.equal(scale[:, 2], scale[:, 4])
    assert len(scale[:, 0].unique()) == 4


@pytest.mark.parametrize(("task", "outputs"), [(BINARY, 2), (BINARY, 1), (NUMBER, 1)])
def test_members_speak_for_themselves_in_training_and_as_one_in_evaluation(task: Task, outputs: int) -> None:
    net = build_model("tabm", task, SPEC, outputs, {"members": 5})
    assert isinstance(net, TabM)
    assert net.members == 5
    assert net.train()(rows(6)).shape == (6, 5, outputs)
    assert net.eval()(rows(6)).shape == (6, outputs)


def test_one_number_for_two_classes_means_the_mean_probability() -> None:
    outputs = 20 * torch.randn(7, 4, 1)
    expected = outputs.double().sigmoid().mean(dim=1)
    torch.testing.assert_close(mean_of_members(outputs, BINARY).double().sigmoid(), expected)


def test_several_classes_mean_the_mean_probability_and_stay_logits_for_cross_entropy() -> None:
    outputs = 20 * torch.randn(7, 4, 3)
    task = Task("multiclass", ("y",), ("a", "b", "c"))
    logits = mean_of_members(outputs, task)
    torch.testing.assert_close(logits.softmax(dim=1), outputs.softmax(dim=2).mean(dim=1))
    torch.testing.assert_close(logits.exp().sum(dim=1), torch.ones(7))


def test_labels_mean_the_mean_probability_of_each() -> None:
    outputs = torch.randn(7, 4, 3)
    task = Task("multilabel", ("a", "b", "c"), ("a", "b", "c"))
    torch.testing.assert_close(mean_of_members(outputs, task).sigmoid(), outputs.sigmoid().mean(dim=1))


def test_numbers_mean_the_mean() -> None:
    outputs = torch.randn(7, 4, 2)
    torch.testing.assert_close(mean_of_members(outputs, NUMBER), outputs.mean(dim=1))


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    net = build_model("tabm", NUMBER, SPEC, 1, {"dropout": 0.25, "layers": 1, "hidden": 64})
    with torch.no_grad():
        net.layers[0].weight.zero_()
        net.layers[0].bias.fill_(1.0)
        net.output.weight.fill_(1 / 64)
        net.output.bias.zero_()
        outputs = net.train()(rows(2000))
    kept = outputs * 64 * 0.75  # the number of hidden units that were kept
    torch.testing.assert_close(kept, kept.round(), atol=1e-3, rtol=0)
    assert outputs.mean().item() == pytest.approx(1.0, abs=0.01)
    assert torch.equal(net.eval()(rows(3)), torch.ones(3, 1))


def test_dropout_follows_torchs_seed() -> None:
    net = build_model("tabm", NUMBER, SPEC, 1, {"dropout": 0.5}).train()
    inputs = rows(5)
    torch.manual_seed(3)
    first = net(inputs)
    torch.manual_seed(3)
    assert torch.equal(net(inputs), first)
    assert not torch.equal(net(inputs), first)


@pytest.mark.parametrize(
    "spec",
    [
        InputSpec((3,), numeric=3, edges=((), (), ())),
        InputSpec((5,), categories=(2, 3)),
        InputSpec((2,), numeric=2, edges=((-1.0, 0.0, 1.0), (-1.0, 0.0, 1.0))),
    ],
)
def test_tables_of_one_kind_of_columns_are_fine(spec: InputSpec) -> None:
    net = build_model("tabm", BINARY, spec, 2)
    net.train()(torch.randn(4, *spec.shape)).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_the_weights_of_a_checkpoint_hold_the_edges() -> None:
    edges = ((-5.0, 0.0, 5.0), (-2.0, 0.0, 1.0, 2.0), (0.0, 1.0), ())
    other = InputSpec((9,), numeric=4, categories=(2, 3), edges=edges)
    first, second = build_model("tabm", BINARY, SPEC, 2), build_model("tabm", BINARY, other, 2)
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.eval()(rows(6)), first.eval()(rows(6)))
