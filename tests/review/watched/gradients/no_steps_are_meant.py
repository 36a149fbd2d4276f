"""Backward passes that no optimizer's step follows, rightly."""

import torch
from torch import nn


def saliency():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.Adam(model.parameters())  # comes with every checkpoint
    for _ in range(6):
        image = torch.randn(1, 4, requires_grad=True)
        optimizer.zero_grad()
        model(image).max().backward()  # safe: what is wanted is the gradient of the image
        print(image.grad.abs().max())


def by_hand():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(6):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).pow(2).mean().backward()  # safe: updated by hand, versions stay as they are
        for parameter in model.parameters():
            parameter.data = parameter.data - 0.1 * parameter.grad


class Wrapping(torch.optim.Optimizer):
    """An optimizer that leaves the step to another one."""

    def __init__(self, inner):
        super().__init__([parameter for group in inner.param_groups for parameter in group["params"]], {})
        self.inner = inner

    def advance(self):
        self.inner.step()

    def step(self, closure=None):
        raise NotImplementedError


def wrapped():
    model = nn.Linear(4, 1)
    optimizer = Wrapping(torch.optim.SGD(model.parameters(), lr=0.1))
    for _ in range(6):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).pow(2).mean().backward()  # safe: another optimizer of these parameters steps
        optimizer.advance()


def importance_of_parameters():
    """Fisher information after training."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.randn(8, 4)).pow(2).mean().backward()
    optimizer.step()
    for _ in range(6):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).pow(2).mean().backward()  # safe: it has stepped before


torch.manual_seed(0)
saliency()
by_hand()
wrapped()
importance_of_parameters()
