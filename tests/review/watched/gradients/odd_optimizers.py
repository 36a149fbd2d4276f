"""Optimizers of the program's own that have no `lr`, and rates that are tensors."""

import torch
from torch import nn


class Own(torch.optim.Optimizer):
    def __init__(self, parameters):
        super().__init__(parameters, {"size": 0.1})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for one in group["params"]:
                one -= group["size"] * one.grad


class Schedule(torch.optim.lr_scheduler.LRScheduler):
    def __init__(self, optimizer):
        self.optimizer = optimizer

    def step(self):
        self.optimizer.param_groups[0]["size"] *= 0.99


torch.manual_seed(0)
data = torch.utils.data.TensorDataset(torch.randn(64, 4), torch.randint(0, 2, (64,)))
loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
for own in (False, True):
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = Own(net.parameters()) if own else torch.optim.Adam(net.parameters(), lr=torch.tensor(0.01))
    schedule = Schedule(optimizer) if own else torch.optim.lr_scheduler.StepLR(optimizer, 100)
    for _ in range(4):
        for inputs, targets in loader:
            if not own:
                optimizer.zero_grad()
            nn.functional.cross_entropy(net(inputs), targets).backward()  # TS101
            optimizer.step()  # TS101
            schedule.step()
