"""Passes in training mode that are meant, and passes that train."""

import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs, targets = torch.randn(48, 4), torch.randint(0, 2, (48,))
training = DataLoader(TensorDataset(inputs[:32], targets[:32]), batch_size=8, shuffle=True)
testing = DataLoader(TensorDataset(inputs[32:], targets[32:]), batch_size=8)
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
generator = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 4))
momentum = copy.deepcopy(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
other = torch.optim.SGD(generator.parameters(), lr=0.1)
average = torch.optim.swa_utils.AveragedModel(model)


def compute(x, y):
    return nn.functional.cross_entropy(model(x), y)


for _ in range(2):
    model.train()
    for x, y in training:
        with torch.no_grad():
            fake = generator(torch.randn(len(x), 3))  # while the other one learns
            momentum(x)
        optimizer.zero_grad()
        (compute(x, y) + compute(fake, y)).backward()
        optimizer.step()
    other.zero_grad()
    generator(torch.randn(8, 3)).mean().backward()
    other.step()
    model.eval()
    with torch.no_grad():
        for x, _ in testing:
            model(x)
    average.update_parameters(model)

model.train()
optimizer.zero_grad()
total = 0.0
for x, y in training:
    total = total + compute(x, y)  # the whole set at once: the backward pass comes after
total.backward()
optimizer.step()

torch.optim.swa_utils.update_bn(training, average)
with torch.no_grad():
    for x, _ in training:
        model(x)  # for the running statistics alone
    for x, _ in testing:
        generator(torch.randn(len(x), 3))  # fed with noise, not with the batch
    for x, _ in testing:
        many = torch.stack([model(x) for _ in range(4)])  # Monte Carlo dropout
model.train()
with torch.no_grad():
    for x, _ in testing:
        drawn = model(x).argmax(1)  # training mode was asked for, right here
fitted = torch.optim.LBFGS(model.parameters())
for x, y in training:

    def closure(x=x, y=y):
        fitted.zero_grad()
        loss = compute(x, y)
        loss.backward()
        return loss

    fitted.step(closure)
for x, y in training:  # a step by hand
    gradients = torch.autograd.grad(compute(x, y), list(model.parameters()))
    with torch.no_grad():
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter -= 0.01 * gradient
