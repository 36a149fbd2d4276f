import logging

import torch
from torch import nn

torch._logging.set_logs(dynamo=logging.ERROR)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


@torch.compile(backend="aot_eager")
def move():
    optimizer.step()


for step in range(12):
    points = torch.randn(16, 4)
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(points), points.sum(1, keepdim=True))
    loss.backward()
    move()
    print(step, loss.item())
