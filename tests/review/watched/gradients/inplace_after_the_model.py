import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid())
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(3):
    outputs = model(torch.randn(8, 4))
    outputs -= outputs.mean(0)  # TS112
    optimizer.zero_grad()
    outputs.square().mean().backward()
    optimizer.step()
