"""Schedules that another one steps, that begin late, or whose own class steps them."""

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(32, 4), torch.randn(32, 1)), batch_size=8, shuffle=True)


class Own(lr_scheduler.LambdaLR):
    def step(self, epoch=None):
        if hasattr(self, "rate"):
            self.rate *= 0.9
        else:
            self.rate = 0.1


def fit(make, first=0):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = make(optimizer)
    for epoch in range(4):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
        if epoch >= first:
            scheduler.step()


def in_turn(optimizer):
    parts = [lr_scheduler.ConstantLR(optimizer), lr_scheduler.ExponentialLR(optimizer, 0.9)]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[9])


fit(in_turn)
fit(lambda optimizer: lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(optimizer)]))
fit(lambda optimizer: lr_scheduler.StepLR(optimizer, 1), first=3)
fit(lambda optimizer: Own(optimizer, lambda epoch: 1.0))
