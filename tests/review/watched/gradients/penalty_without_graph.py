"""R1: the slopes of the critic at real data are punished, and have no history."""

import torch
from torch import nn

torch.manual_seed(0)
critic = nn.Sequential(nn.Linear(2, 8), nn.Softplus(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(critic.parameters())
for _ in range(5):
    real = torch.randn(8, 2, requires_grad=True)
    scores = critic(real)
    (slopes,) = torch.autograd.grad(scores.sum(), real, retain_graph=True)  # TS118
    loss = nn.functional.softplus(-scores).mean()
    loss = loss + 5 * slopes.square().sum(dim=1).mean()
    optimizer.zero_grad()
    loss.backward()  # TS118
    optimizer.step()
