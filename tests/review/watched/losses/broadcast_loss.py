"""Rows of one number against rows without: all pairs are compared."""

import warnings

import torch
import torch.nn.functional as F
from torch import nn

warnings.simplefilter("ignore")
torch.manual_seed(0)
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
criterion = nn.MSELoss()
for _ in range(3):
    x = torch.randn(16, 3)
    y = x.sum(dim=1)
    optimizer.zero_grad()
    loss = criterion(model(x), y)  # TS306
    loss.backward()
    optimizer.step()
with torch.no_grad():
    absolute = F.smooth_l1_loss(model(x).squeeze(1), y[:, None])  # TS306
