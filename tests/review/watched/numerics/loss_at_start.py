"""Models that are sure of something wrong before they have learned anything."""

import torch
from torch import nn

torch.manual_seed(0)
inputs = torch.randn(64, 8)
model = nn.Linear(8, 1)
prices = 300 + 40 * torch.randn(64, 1)
nn.functional.mse_loss(model(inputs), prices).backward()  # TS610

tags = nn.Linear(8, 5)
present = torch.randint(2, (64, 5)).float()
nn.BCEWithLogitsLoss()(tags(50 * inputs), present).backward()  # TS610

optimizer = torch.optim.SGD([*model.parameters(), *tags.parameters()], lr=1e-4)
optimizer.step()
