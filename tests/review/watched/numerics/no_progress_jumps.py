"""A rate so high that the loss jumps, in a model that could learn."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs = torch.randn(512, 8)
values = inputs[:, :1] + 0.5 * torch.randn(512, 1)
loader = DataLoader(TensorDataset(inputs, values), batch_size=4, shuffle=True)
model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.28)
for epoch in range(8):
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)  # TS611
        (loss / 2 * 2).backward()
        optimizer.step()
