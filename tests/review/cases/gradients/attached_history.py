import torch
from torch import nn


def mean_loss(model, optimizer, loader):
    total, losses, epoch_loss = 0, [], 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss * len(x)  # TS105
        losses.append(loss)  # TS105
        epoch_loss += loss.item()  # safe
    return total / len(loader.dataset), losses, epoch_loss


def reinforce(policy, optimizer, episodes):
    for episode in episodes:
        losses = []
        for state in episode:
            losses.append(policy(state).mean())  # safe: goes back below
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()
        optimizer.step()


def recurrent(model, optimizer, sequence):
    loss = 0
    optimizer.zero_grad()
    for x in sequence:
        step_loss = model(x).mean()
        loss += step_loss  # safe: goes back below
    loss.backward()
    optimizer.step()


def detached(model, optimizer, loader):
    total = 0
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        loss = loss.detach()
        total += loss  # safe: without a graph
    return total
