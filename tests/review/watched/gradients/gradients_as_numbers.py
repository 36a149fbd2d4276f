"""Gradients without a history, used as they may be."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters())


def penalised():
    x = torch.randn(8, 2, requires_grad=True)
    scores = model(x)
    (slopes,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return scores.pow(2).mean() + ((slopes.norm(dim=1) - 1) ** 2).mean()


def adversarial():
    x = torch.randn(8, 2, requires_grad=True)
    (slopes,) = torch.autograd.grad(model(x).sum(), x)
    moved = x + 0.1 * slopes / slopes.norm(dim=1, keepdim=True)
    return model(moved.detach()).pow(2).mean() + model(x).mean()


def weighed():
    """The second loss gets the weight that makes its gradient as large as the first one's."""
    output = model(torch.randn(8, 2))
    first, second = output.pow(2).mean(), (output - 1).abs().mean()
    last = model[2].weight
    one = torch.autograd.grad(first, last, retain_graph=True)[0]
    other = torch.autograd.grad(second, last, retain_graph=True)[0]
    return first + one.norm() / (other.norm() + 1e-4) * second


def first_order():
    """A step inside, as numbers, before the loss outside."""
    weight = model[2].weight
    hidden = model[:2](torch.randn(8, 2))
    loss = nn.functional.linear(hidden, weight).pow(2).mean()
    (slope,) = torch.autograd.grad(loss, weight, retain_graph=True)
    print(slope.norm().item())
    fast = weight - 0.1 * slope
    return (hidden @ fast.T).pow(2).mean()


def langevin():
    x = torch.randn(8, 2, requires_grad=True)
    for _ in range(3):
        (slope,) = torch.autograd.grad(model(x).sum(), x)
        x = (x - 0.1 * slope + 0.01 * torch.randn(8, 2)).detach().requires_grad_()
    return model(torch.randn(8, 2)).mean() - model(x.detach()).mean()


for _ in range(3):
    for loss_of in (penalised, adversarial, weighed, first_order, langevin):
        optimizer.zero_grad()
        loss_of().backward()
        optimizer.step()
