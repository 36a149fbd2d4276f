"""Learning to learn: second-order steps on copies, and first-order ones by the way that a copy went."""

import copy

import torch
from torch import nn
from torch.func import functional_call

torch.manual_seed(0)


def task():
    phase, height = torch.rand(1) * 3, torch.rand(1) + 0.5

    def batch():
        x = torch.rand(10, 1) * 6 - 3
        return x, height * (x + phase).sin()

    return batch


model = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 1))
outer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(12):
    outer.zero_grad()
    total = 0.0
    for _ in range(3):
        batch = task()
        fast = dict(model.named_parameters())
        for _ in range(2):
            x, y = batch()
            loss = nn.functional.mse_loss(functional_call(model, fast, (x,)), y)
            gradients = torch.autograd.grad(loss, tuple(fast.values()), create_graph=True)
            fast = {
                name: one - 0.05 * slope for (name, one), slope in zip(fast.items(), gradients, strict=True)
            }
        x, y = batch()
        loss = nn.functional.mse_loss(functional_call(model, fast, (x,)), y) / 3
        loss.backward()
        total += loss.item()
    outer.step()
    print("second order", step, total)

for step in range(8):
    batch, learner = task(), copy.deepcopy(model)
    inner = torch.optim.SGD(learner.parameters(), lr=0.02)  # a new one for each task
    for _ in range(3):
        x, y = batch()
        inner.zero_grad()
        loss = nn.functional.mse_loss(learner(x), y)
        loss.backward()
        inner.step()
    with torch.no_grad():
        for parameter, moved in zip(model.parameters(), learner.parameters(), strict=True):
            parameter.lerp_(moved, 0.1)
    print("first order", step, loss.item())
