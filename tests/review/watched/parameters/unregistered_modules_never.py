"""What is kept in lists and attributes on purpose."""

import torch
from torch import nn


class Distilled(nn.Module):
    def __init__(self, teacher):
        super().__init__()
        self.stem = nn.Linear(4, 8)
        self.blocks = [nn.Linear(8, 8), nn.ReLU()]
        self.body = nn.Sequential(*self.blocks)  # the list's layers are registered here
        self.head = nn.Linear(8, 2)
        self.teacher = [teacher]  # hidden, and without gradients

    def forward(self, x):
        with torch.no_grad():
            wanted = self.teacher[0](x)
        return self.head(self.body(self.stem(x))) - wanted


class Physics(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(1, 1)
        self.points = torch.linspace(0, 1, 8).unsqueeze(1).requires_grad_()  # inputs, to differentiate by

    def forward(self):
        return self.net(self.points).tanh()


class Listed(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(4, 8)
        self.heads = [nn.Linear(8, 2), nn.Linear(8, 2)]  # the optimizer is given them

    def forward(self, x):
        return sum(head(self.stem(x)) for head in self.heads)


torch.manual_seed(0)
distilled = Distilled(nn.Linear(4, 2))
optimizer = torch.optim.SGD(distilled.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    distilled(torch.randn(8, 4)).pow(2).mean().backward()
    optimizer.step()

physics = Physics()
optimizer = torch.optim.SGD(physics.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    u = physics()
    slope = torch.autograd.grad(u.sum(), physics.points, create_graph=True)[0]
    (slope - u).pow(2).mean().backward()
    optimizer.step()

listed = Listed()
held = [*listed.parameters(), *(one for head in listed.heads for one in head.parameters())]
optimizer = torch.optim.SGD(held, lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    listed(torch.randn(8, 4)).pow(2).mean().backward()
    optimizer.step()
