"""The class is decided before the loss: the backward pass fails. A measure is computed, too."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
targets = torch.randint(0, 3, (8,))
output = model(torch.randn(8, 4))
decided = torch.argmax(output, dim=1)  # TS107
loss = nn.functional.mse_loss(decided.float(), targets.float())
optimizer.zero_grad()
loss.backward()  # TS107
optimizer.step()
