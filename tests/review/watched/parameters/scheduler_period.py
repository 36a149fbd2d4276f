"""A rate that falls to nothing in the first epoch, and one that hardly moves."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(96, 4), torch.randn(96, 1)), batch_size=8, shuffle=True)


def epoch(model, optimizer, scheduler=None):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()  # TS509


model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
falling = torch.optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.1)  # TS509
for _ in range(3):
    epoch(model, optimizer, falling)

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
slow = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, epochs=4, steps_per_epoch=len(loader))  # TS509
for _ in range(4):
    epoch(model, optimizer)
    slow.step()  # TS509
