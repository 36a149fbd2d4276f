"""Parameters that have no gradient at many steps and are used all the same."""

# silent: TS505

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(4, 8)
        self.late = nn.Linear(8, 1)
        self.last = nn.Linear(8, 1)

    def forward(self, x, step):
        hidden = torch.relu((self.first if step % 5 else self.second)(x))  # one of two experts
        return self.last(hidden) + (self.late(hidden) if step > 13 else 0)  # from the second phase on


def experts():
    model = Net()
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(24):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(torch.randn(8, 4), step), torch.randn(8, 1)).backward()
        optimizer.step()


def frozen():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(12):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
        optimizer.step()


def alternately():
    """Each optimizer has the same parameters, and a loss that uses some of them."""
    first, second = nn.Linear(4, 1), nn.Linear(4, 1)
    optimizers = [torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.01) for _ in range(2)]
    for step in range(24):
        for each in optimizers:
            each.zero_grad()
        nn.functional.mse_loss((first, second)[step % 2](torch.randn(8, 4)), torch.randn(8, 1)).backward()
        optimizers[step % 2].step()


torch.manual_seed(0)
for part in (experts, frozen, alternately):
    part()
