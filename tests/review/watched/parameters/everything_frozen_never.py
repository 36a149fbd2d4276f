"""Freezing that leaves something to learn, or is taken back."""

import torch
from torch import nn

torch.manual_seed(0)

# The discriminator is frozen while the generator steps.
generator, discriminator = nn.Linear(2, 4), nn.Linear(4, 1)
first = torch.optim.Adam(generator.parameters())
discriminator.requires_grad_(False)
second = torch.optim.Adam(discriminator.parameters())
for _ in range(4):
    first.zero_grad()
    discriminator(generator(torch.randn(8, 2))).mean().backward()
    first.step()
    discriminator.requires_grad_(True)
    second.zero_grad()
    discriminator(generator(torch.randn(8, 2)).detach()).mean().backward()
    second.step()
    discriminator.requires_grad_(False)

# Biases alone are trained.
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
for name, parameter in model.named_parameters():
    parameter.requires_grad = name.endswith("bias")
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(4):
    optimizer.zero_grad()
    model(torch.randn(8, 4)).pow(2).mean().backward()
    optimizer.step()

# A stand-in that only drives a schedule.
stand_in = torch.optim.SGD([torch.zeros(1)], lr=0.1)
schedule = torch.optim.lr_scheduler.ExponentialLR(stand_in, 0.9)
for _ in range(4):
    stand_in.step()
    schedule.step()
