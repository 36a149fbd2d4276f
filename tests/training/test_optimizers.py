from __future__ import annotations

import pytest
import torch
from torch import nn

from torchstone.errors import ConfigError
from torchstone.training.optimizers import build_optimizer, decay_groups, known_optimizers, parameters_of


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))


@pytest.mark.parametrize("name", sorted(set(known_optimizers()) - {"SparseAdam", "Muon"}))
def test_every_optimizer_of_torch_trains(name: str) -> None:
    module = net()
    optimizer = build_optimizer(name.lower(), module, lr=0.01)
    before = [p.clone() for p in module.parameters()]

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = module(torch.randn(8, 4)).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert type(optimizer).__name__ == name
    assert any(not torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


def test_arguments_reach_the_optimizer() -> None:
    optimizer = build_optimizer("SGD", net(), lr=0.1, arguments={"momentum": 0.9, "nesterov": True})
    assert optimizer.defaults["momentum"] == 0.9
    assert build_optimizer("adam", net(), arguments={"betas": [0.8, 0.9]}).defaults["betas"] == (0.8, 0.9)
    assert build_optimizer("adam", net()).defaults["lr"] == 1e-3


def test_weight_decay_spares_biases_norms_and_embeddings() -> None:
    module = nn.ModuleDict({"e": nn.Embedding(5, 4), "l": nn.Linear(4, 3), "n": nn.LayerNorm(3)})
    decayed, spared = decay_groups(module)
    assert [p.shape for p in decayed["params"]] == [(3, 4)]
    assert spared["weight_decay"] == 0
    assert len(spared["params"]) == 4
    optimizer = build_optimizer("adamw", module, 0.01, 0.1)
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.1, 0.0]
    frozen = net()
    frozen[0].requires_grad_(False)
    assert len(parameters_of([build_optimizer("sgd", frozen, 0.1)])) == 4


def test_tied_weights_are_in_one_group_once() -> None:
    module = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
    module[1].weight = module[0].weight
    assert sum(len(group["params"]) for group in decay_groups(module)) == 3


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match='Did you mean "AdamW"'):
        build_optimizer("adamww", net())


def test_an_unknown_argument_names_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        build_optimizer("sgd", net(), 0.1, arguments={"momentun": 0.9, "beta": 1})
    assert 'Did you mean "momentum"' in str(caught.value)
    assert "beta" in str(caught.value)
    assert "dampening" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("sgd", {"momentum": -1}),
        ("sgd", {"momentum": "much"}),
        ("sgd", {"nesterov": True}),
        ("adam", {"betas": [0.9]}),
        ("adam", {"betas": 0.9}),
        ("adam", {"eps": -1.0}),
        ("muon", {}),
    ],
)
def test_wrong_values_are_config_errors(name: str, arguments: dict) -> None:
    with pytest.raises(ConfigError, match="is not possible"):
        build_optimizer(name, net(), 0.1, arguments=arguments)


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigError, match="weight_decay"):
        build_optimizer("lbfgs", net(), 0.1, 0.1)
    with pytest.raises(ConfigError, match="nothing to train"):
        build_optimizer("sgd", nn.ReLU(), 0.1)
