"""Optimizers that let no normalisation decay."""

# silent: TS516

import torch
from torch import nn

torch.manual_seed(0)


def train(model, optimizer):
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
        optimizer.step()


def net():
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 1))


plain = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
train(plain, torch.optim.AdamW(plain.parameters(), weight_decay=0.1))  # safe: has no normalisation
model = net()
train(model, torch.optim.Adam(model.parameters()))  # safe: no decay
model = net()
for layer in (model[1], model[3]):
    layer.requires_grad_(False)  # safe: frozen, so the optimizer leaves it as it is
train(model, torch.optim.AdamW(model.parameters(), weight_decay=0.1))
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8, affine=False), nn.ReLU(), nn.Linear(8, 1))
train(model, torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1))  # safe: without parameters
