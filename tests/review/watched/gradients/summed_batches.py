"""Gradients of four batches are added up, and their losses are not divided."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(96, 4), torch.randn(96, 1)), batch_size=8, shuffle=True)
model = nn.Linear(4, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for number, (x, y) in enumerate(loader):
    loss = criterion(model(x), y)
    loss.backward()  # TS109
    if (number + 1) % 4 == 0:
        optimizer.step()  # TS109
        optimizer.zero_grad()
