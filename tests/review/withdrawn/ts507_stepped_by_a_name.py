"""The optimizer has made a step, called by a name that is put together, before the schedule's first."""

import torch
from torch import nn

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
getattr(optimizer, "st" + "ep")()
for _ in range(4):
    scheduler.step()  # TS507
    optimizer.zero_grad()
    nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
    optimizer.step()
