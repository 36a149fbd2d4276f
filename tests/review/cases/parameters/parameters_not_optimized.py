import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.linear = nn.Linear(4, width)

    def forward(self, x):
        return self.linear(x)


def copied(loader):
    baseline = Net()
    wide = Net(width=16)
    optimizer = torch.optim.Adam(baseline.parameters())
    wide.train()
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(wide(x), y).backward()
        optimizer.step()  # TS502


def distillation(loader):
    teacher = Net()
    student = Net()
    optimizer = torch.optim.Adam(student.parameters())
    for x, _ in loader:
        with torch.no_grad():
            target = teacher(x)
        optimizer.zero_grad()
        nn.functional.mse_loss(student(x), target).backward()
        optimizer.step()  # safe: the student takes part


class Wrapper(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


def wrapped(loader):
    net = Net()
    outer = Wrapper(net)
    optimizer = torch.optim.Adam(net.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(outer(x), y).backward()
        optimizer.step()  # safe: a part of the model that computes


def part(loader):
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    head = net[2]
    optimizer = torch.optim.Adam(head.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()  # safe: said as a linear probe


def generated(loader):
    prompt = nn.Embedding(1, 4)
    net = Net()
    optimizer = torch.optim.Adam(prompt.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x + prompt.weight), y).backward()
        optimizer.step()  # safe: an input is learned


def two(loader):
    first, second = Net(), Net()
    one = torch.optim.Adam(first.parameters())
    two = torch.optim.Adam(second.parameters())
    for x, y in loader:
        one.zero_grad()
        two.zero_grad()
        nn.functional.cross_entropy(second(x), y).backward()
        one.step()  # safe: another optimizer holds the model
        two.step()
