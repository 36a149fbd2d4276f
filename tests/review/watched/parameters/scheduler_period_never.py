"""Schedules that are stepped as they count."""

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(96, 4), torch.randn(96, 1)), batch_size=8, shuffle=True)


def fit(make, each_batch, epochs=4):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = make(optimizer)
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
            if each_batch:
                scheduler.step()
        if not each_batch:
            scheduler.step()


fit(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 4), each_batch=False)
fit(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 4 * len(loader)), each_batch=True)
fit(lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, 4 * len(loader)), each_batch=True)
# A slow decay with each batch, and restarts within an epoch.
fit(lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.99), each_batch=True)
fit(lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 4), each_batch=True)
# One epoch is all there is: the rate may end at nothing.
fit(lambda optimizer: lr_scheduler.PolynomialLR(optimizer, len(loader)), each_batch=True, epochs=1)
# The rate is to fall late, or not in this run.
fit(lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [30, 60]), each_batch=False)
