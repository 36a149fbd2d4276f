"""Results that are kept with their graphs as long as these are needed, or without."""

import torch
from torch import nn

Tensor = torch.FloatTensor  # safe: a class of tensors, which has the attributes of one


def policy_gradient():
    policy = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(policy.parameters())
    for _ in range(12):
        chances, rewards = [], []
        for _ in range(20):
            distribution = torch.distributions.Categorical(logits=policy(torch.randn(4)))
            action = distribution.sample()
            chances.append(distribution.log_prob(action))  # safe: goes back below
            rewards.append(float(action))
        loss = -(torch.stack(chances) * torch.tensor(rewards)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def truncated():
    cell = nn.GRUCell(4, 8)
    optimizer = torch.optim.Adam(cell.parameters())
    state = torch.zeros(2, 8)
    for _ in range(12):
        total = 0
        for _ in range(10):
            state = cell(torch.randn(2, 4), state)
            total = total + state.pow(2).mean()  # safe: goes back below
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        state = state.detach()


def logged():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.Adam(model.parameters())
    total, best, history, average = torch.zeros(()), None, [], 0.0
    for _ in range(15):
        loss = model(torch.randn(8, 4)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()
        history.append(loss.item())
        average = 0.9 * average + 0.1 * float(loss.detach())
        if best is None or loss < best:
            best = loss  # safe: one at a time
    print(total, best, len(history), average)


def meta_learning():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        outer = 0
        for _ in range(12):
            loss = model(torch.randn(8, 4)).pow(2).mean()
            fast = [
                p - 0.1 * g
                for p, g in zip(
                    model.parameters(), torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
                )
            ]
            output = nn.functional.linear(torch.randn(8, 4), *fast)
            outer = outer + output.pow(2).mean()  # safe: goes back below
        optimizer.zero_grad()
        outer.backward()
        optimizer.step()


torch.manual_seed(0)
for part in (policy_gradient, truncated, logged, meta_learning):
    part()
