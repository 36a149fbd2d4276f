"""The generator's step uses what the critic's loss left in it."""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 4))
critic = nn.Sequential(nn.Linear(4, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-3)
optimizer_d = torch.optim.Adam(critic.parameters(), lr=1e-3)
loss_of = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)
for _ in range(12):
    optimizer_g.zero_grad()
    optimizer_d.zero_grad()
    fake = generator(torch.randn(32, 2))
    loss_d = loss_of(critic(torch.randn(32, 4) + 2), ones) + loss_of(critic(fake), zeros)
    loss_d.backward()  # TS115
    optimizer_d.step()
    loss_g = loss_of(critic(generator(torch.randn(32, 2))), ones)
    loss_g.backward()  # TS115
    optimizer_g.step()  # TS115
