"""Weights that are one tensor in two places, that are computed from others, and that are pruned."""

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune


class Symmetric(nn.Module):
    def forward(self, weight):
        return weight.triu() + weight.triu(1).mT


class Writer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(12, 16)
        self.mixed = nn.Linear(16, 16)
        self.normed = parametrizations.weight_norm(nn.Linear(16, 16))
        self.bounded = parametrizations.spectral_norm(nn.Linear(16, 16))
        self.turned = parametrizations.orthogonal(nn.Linear(16, 16, bias=False))
        self.head = nn.Linear(16, 12, bias=False)
        self.head.weight = self.embedding.weight
        parametrize.register_parametrization(self.mixed, "weight", Symmetric())

    def forward(self, letters):
        x = self.embedding(letters)
        x = x + self.mixed(x).tanh()
        x = x + self.normed(x).tanh()
        x = x + self.bounded(x).tanh()
        return self.head(self.turned(x))


torch.manual_seed(0)
model = Writer()
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
for step in range(15):
    letters = (torch.arange(9)[None] + torch.randint(12, (16, 1))) % 12
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(letters[:, :-1]).mT, letters[:, 1:])
    loss.backward()
    optimizer.step()
    print(step, loss.item())
parametrize.remove_parametrizations(model.mixed, "weight")
prune.l1_unstructured(model.mixed, "weight", amount=0.3)
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)  # has the weights that are there now
for step in range(10):
    letters = (torch.arange(9)[None] + torch.randint(12, (16, 1))) % 12
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(letters[:, :-1]).mT, letters[:, 1:])
    loss.backward()
    optimizer.step()
    print(step, loss.item())
prune.remove(model.mixed, "weight")
print(model.mixed.weight.eq(0).sum().item())
