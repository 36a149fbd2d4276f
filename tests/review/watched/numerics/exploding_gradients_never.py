"""Long gradients that are clipped, and gradients that grow from hardly anything."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(40):
    x = torch.randn(32, 8) * (1 if step < 10 else 1e4)
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), x[:, :1]).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()

model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.0001)
for step in range(40):
    weight = 1e-8 if step < 10 else 1.0  # a loss that is blended in
    optimizer.zero_grad()
    (weight * model(torch.randn(32, 8)).pow(2).mean()).backward()
    optimizer.step()
