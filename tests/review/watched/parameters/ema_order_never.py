"""Averages that are taken after the step, wherever they stand."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn


def parts():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    average = AveragedModel(model, avg_fn=get_ema_avg_fn(0.99))
    return model, average, torch.optim.Adam(model.parameters(), lr=0.01)


def go_back(model):
    nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()


def before_the_forward():
    model, average, optimizer = parts()
    for _ in range(5):
        average.update_parameters(model)  # safe: of the step before
        optimizer.zero_grad()
        go_back(model)
        optimizer.step()


def accumulating():
    model, average, optimizer = parts()
    for number in range(12):
        go_back(model)
        if number % 3 == 2:
            optimizer.step()
            optimizer.zero_grad()
        average.update_parameters(model)  # safe: after the step, though also after other batches


def cleared_late():
    model, average, optimizer = parts()
    for _ in range(5):
        go_back(model)
        optimizer.step()
        average.update_parameters(model)  # safe: gradients are there, and used
        optimizer.zero_grad()


def adversaries():
    """The generator's average is taken while the critic has gradients."""
    generator, average, first = parts()
    critic = nn.Linear(1, 1)
    second = torch.optim.Adam(critic.parameters(), lr=0.01)
    for _ in range(5):
        first.zero_grad()
        (-critic(generator(torch.randn(8, 4))).mean()).backward()
        first.step()
        second.zero_grad()
        critic(generator(torch.randn(8, 4)).detach()).mean().backward()
        average.update_parameters(generator)  # safe: its own step was done
        second.step()


torch.manual_seed(0)
for part in (before_the_forward, accumulating, cleared_late, adversaries):
    part()
