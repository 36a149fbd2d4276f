"""Layers of which many units rest, but not all the time; a gate that is closed is no ReLU layer."""

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 2))
nn.init.constant_(model[0].bias, -0.5)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(30):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(torch.randn(64, 4)), torch.randint(2, (64,))).backward()
    optimizer.step()


def loss(parameters, x, y):
    outputs = functional_call(model, parameters, (x.unsqueeze(0),))
    return nn.functional.cross_entropy(outputs, y.unsqueeze(0))


parameters = {name: one.detach() for name, one in model.named_parameters()}
for _ in range(3):  # the gradient of each sample
    vmap(grad(loss), in_dims=(None, 0, 0))(parameters, torch.randn(8, 4), torch.randint(2, (8,)))

sequence = nn.Sequential(nn.Linear(4, 16), nn.ReLU())
nn.init.constant_(sequence[0].bias, -20.0)
for _ in range(12):
    sequence(torch.randn(64, 7, 4))  # which dimension the units are, is not known here
