"""The points are made to require gradients by another name."""

import torch
from torch import nn

critic = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(critic.parameters())
real = torch.randn(8, 4)
for _ in range(6):
    points = torch.rand(8, 1) * real
    for one in [points]:
        one.requires_grad_()
    (slopes,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)  # TS118
    loss = ((slopes.norm(dim=1) - 1) ** 2).mean() + critic(real).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
