"""Shapes that are spread out on purpose, and such as only look alike."""

import warnings

import torch
import torch.nn.functional as F
from torch import nn

warnings.simplefilter("ignore")
torch.manual_seed(0)
model = nn.Linear(3, 5)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(3):
    x = torch.randn(8, 3)
    y = x.sum(dim=1)
    optimizer.zero_grad()
    outputs = model(x)
    loss = F.l1_loss(outputs, y[:, None])  # five quantiles of one target
    loss = loss + F.mse_loss(outputs, torch.zeros(1, 5))  # the same row for all
    pairs = F.smooth_l1_loss(outputs[:, :, None], outputs.detach()[:, None, :])  # every pair, as in QR-DQN
    loss = loss + pairs + F.mse_loss(outputs[:1, :1], y[:1])  # one row: nothing is spread
    loss = loss + F.mse_loss(outputs.mean(), torch.tensor([1.0]))
    loss.backward()
    optimizer.step()
