import torch
from torch import nn

torch.manual_seed(0)
inputs, targets = torch.randn(64, 4), torch.randn(64, 1)
inputs[40, 2] = float("nan")
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), 0.01)
for x, y in zip(inputs.split(8), targets.split(8), strict=True):
    loss = nn.functional.mse_loss(model(x), y)  # TS601
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
