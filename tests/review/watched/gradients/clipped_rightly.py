"""Clipping where it has an effect, or is not meant to have one."""

import torch
from torch import nn


def batches(count=6):
    return [(torch.randn(8, 4), torch.randn(8, 1)) for _ in range(count)]


def measured_after_the_step():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches():
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        print(nn.utils.clip_grad_norm_(model.parameters(), float("inf")))  # safe: the norm is what is wanted


def noisy_gradients():
    """The gradient of each sample is clipped and put aside: differential privacy."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for inputs, targets in batches():
        sums = [torch.zeros_like(parameter) for parameter in model.parameters()]
        for x, y in zip(inputs, targets):
            nn.functional.mse_loss(model(x), y).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # safe: read by hand before it is cleared
            for total, parameter in zip(sums, model.parameters()):
                total += parameter.grad
            optimizer.zero_grad()
        for total, parameter in zip(sums, model.parameters()):
            parameter.grad = total / len(inputs)
        optimizer.step()
        optimizer.zero_grad()


def skipped_when_not_finite():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for number, (x, y) in enumerate(batches()):
        nn.functional.mse_loss(model(x), y).backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # safe: used, unless it is not finite
        if number > 3 and norm.isfinite():
            optimizer.step()
        optimizer.zero_grad()


def accumulating():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for number, (x, y) in enumerate(batches(8)):
        (nn.functional.mse_loss(model(x), y) / 2).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if number % 2 == 1:
            optimizer.step()
            optimizer.zero_grad()


def two_optimizers():
    body, head = nn.Linear(4, 4), nn.Linear(4, 1)
    both = [*body.parameters(), *head.parameters()]
    first = torch.optim.SGD(body.parameters(), lr=0.1)
    second = torch.optim.SGD(head.parameters(), lr=0.1)
    for x, y in batches():
        nn.functional.mse_loss(head(body(x)), y).backward()
        for optimizer in (first, second):
            nn.utils.clip_grad_norm_(both, 1.0)  # safe: too often for one of them, in time for the other
            optimizer.step()
        for optimizer in (first, second):
            optimizer.zero_grad()


def in_a_closure():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    for x, y in batches():

        def closure(x=x, y=y):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            return loss

        optimizer.step(closure)


torch.manual_seed(0)
for part in (
    measured_after_the_step,
    noisy_gradients,
    skipped_when_not_finite,
    accumulating,
    two_optimizers,
    in_a_closure,
):
    part()
