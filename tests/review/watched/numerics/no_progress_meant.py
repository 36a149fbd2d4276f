"""Losses that stay where they are on purpose, or only seem to."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
functional = nn.functional
inputs = torch.randn(128, 4)
labels = (inputs[:, 0] > 0).long()
domains = torch.randint(2, (128,))
loader = DataLoader(TensorDataset(inputs, labels, domains), batch_size=8, shuffle=True)


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


def confuse():
    """Nobody shall tell the domains apart: that loss is one of two, and stays at ln 2."""
    features, head, judge = nn.Linear(4, 8), nn.Linear(8, 2), nn.Linear(8, 2)
    optimizer = torch.optim.SGD([*features.parameters(), *head.parameters(), *judge.parameters()], lr=0.05)
    for _ in range(28):
        for x, y, domain in loader:
            optimizer.zero_grad()
            found = torch.relu(features(x))
            told = functional.cross_entropy(judge(Reversed.apply(found)), domain)
            (functional.cross_entropy(head(found), y) + told).backward()
            optimizer.step()


def deceive():
    """A judge at its balance with what it judges is at ln 2."""
    generator, judge = nn.Linear(4, 4), nn.Linear(4, 1)
    first = torch.optim.SGD(generator.parameters(), lr=0.01)
    second = torch.optim.SGD(judge.parameters(), lr=0.01)
    answers = torch.cat([torch.ones(8, 1), torch.zeros(8, 1)])
    for _ in range(26):
        for x, _, _ in loader:
            fake = generator(torch.randn(8, 4))
            second.zero_grad()
            functional.binary_cross_entropy_with_logits(
                judge(torch.cat([x, fake.detach()])), answers
            ).backward()
            second.step()
            first.zero_grad()
            functional.binary_cross_entropy_with_logits(judge(fake), answers[:8]).backward()
            first.step()


def warm_up():
    """The rate still grows."""
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1e-6, total_iters=5000)
    for _ in range(28):
        for x, _, y in loader:
            optimizer.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()


def denoise():
    """The targets are drawn anew, and cannot be known."""
    model = nn.Linear(4, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(28):
        for x, _, _ in loader:
            optimizer.zero_grad()
            functional.mse_loss(model(x), torch.randn_like(x)).backward()
            optimizer.step()


def learn():
    """What is learned slowly, or well."""
    for rate, decay in ((0.005, 0.0), (0.5, 0.0), (0.05, 0.1)):
        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=rate, weight_decay=decay)
        for _ in range(28):
            for x, y, _ in loader:
                optimizer.zero_grad()
                functional.cross_entropy(model(x), y).backward()
                optimizer.step()


for run in (confuse, deceive, warm_up, denoise, learn):
    run()
