import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), 1e25)
for _ in range(4):
    optimizer.zero_grad()
    loss = model(torch.randn(16, 4)).square().mean()  # TS601
    loss.backward()
    optimizer.step()
