"""Class weights that go to a device in every step; `meta` stands for one."""

import torch
from torch import nn

model = nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
weights = torch.tensor([1.0, 2.0, 3.0])
for _ in range(12):
    optimizer.zero_grad()
    x = torch.randn(8, 4)
    x.to("meta")
    outputs = model(x)
    far = weights.to("meta")  # TS705
    nn.functional.cross_entropy(outputs, torch.randint(0, 3, (8,)), weight=weights).backward()
    optimizer.step()
