"""The best state is put into a dict of one's own, and is still the model's."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
best = None
for _ in range(4):
    optimizer.zero_grad()
    model(torch.randn(8, 4)).pow(2).mean().backward()
    optimizer.step()
    if best is None:
        best = {f"{name}": value for name, value in model.state_dict().items()}  # TS802
model.load_state_dict(best)  # TS802
