"""An accuracy, and the number of the epoch, given to a scheduler that waits for a lower number."""

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

torch.manual_seed(0)
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
first, second = ReduceLROnPlateau(optimizer, patience=3), ReduceLROnPlateau(optimizer, patience=3)
x = torch.randn(64, 4)
y = (x[:, 0] > 0).long()
for epoch in range(10):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    accuracy = (model(x).argmax(dim=1) == y).float().mean().item()
    first.step(accuracy)  # TS510
    second.step(epoch)  # TS510
