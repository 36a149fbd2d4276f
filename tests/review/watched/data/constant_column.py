"""A column that was filled in with one number."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
rows = torch.randn(120, 5)
rows[:, 3] = 0.37
loader = DataLoader(TensorDataset(rows, torch.randn(120, 1)), batch_size=30, shuffle=True)  # TS416
model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for x, y in loader:
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()
