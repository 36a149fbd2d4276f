import torch
from torch import nn


class Distance(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(4, 4)

    def forward(self, a, b):
        difference = self.embed(a) - self.embed(b)
        return difference.square().sum(1).sqrt()  # TS601


torch.manual_seed(0)
model = Distance()
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for step in range(3):
    a, b = torch.randn(8, 4), torch.randn(8, 4)
    if step == 2:
        b[3] = a[3]
    optimizer.zero_grad()
    model(a, b).mean().backward()
    optimizer.step()
