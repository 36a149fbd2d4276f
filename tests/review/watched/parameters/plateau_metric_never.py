"""Metrics that go with the mode."""

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

torch.manual_seed(0)
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
lower = [ReduceLROnPlateau(optimizer, patience=3) for _ in range(4)]
higher = [ReduceLROnPlateau(optimizer, mode="max", patience=3) for _ in range(2)]
x = torch.randn(64, 4)
y = (x[:, 0] > 0).long()
for _ in range(10):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    accuracy = (model(x).argmax(dim=1) == y).float().mean().item()
    negative_accuracy = -accuracy  # turned round
    lower[0].step(loss.item())
    lower[1].step(1 - accuracy)
    lower[2].step(negative_accuracy)
    lower[3].step(loss)
    higher[0].step(accuracy)
    higher[1].step(-loss.item())
