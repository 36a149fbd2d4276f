"""Several networks, several optimizers, and each steps on what is meant for it."""

import torch
from torch import nn

torch.manual_seed(0)
loss_of = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)


def networks():
    generator = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 4))
    critic = nn.Sequential(nn.Linear(4, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    first = torch.optim.Adam(generator.parameters(), lr=1e-3)
    return generator, critic, first, torch.optim.Adam(critic.parameters(), lr=1e-3)


def detached():
    generator, critic, optimizer_g, optimizer_d = networks()
    for _ in range(10):
        optimizer_g.zero_grad()
        optimizer_d.zero_grad()
        fake = generator(torch.randn(32, 2))
        (loss_of(critic(torch.randn(32, 4)), ones) + loss_of(critic(fake.detach()), zeros)).backward()
        optimizer_d.step()
        loss_of(critic(fake), ones).backward()
        optimizer_g.step()


def cleared():
    generator, critic, optimizer_g, optimizer_d = networks()
    for _ in range(10):
        optimizer_d.zero_grad()
        fake = generator(torch.randn(32, 2))
        (loss_of(critic(torch.randn(32, 4)), ones) + loss_of(critic(fake), zeros)).backward()
        optimizer_d.step()
        optimizer_g.zero_grad()  # safe: nothing of the critic's loss is left
        loss_of(critic(generator(torch.randn(32, 2))), ones).backward()
        optimizer_g.step()


def working_together():
    encoder, decoder = nn.Linear(4, 2), nn.Linear(2, 4)
    first = torch.optim.SGD(encoder.parameters(), lr=0.05)
    second = torch.optim.SGD(decoder.parameters(), lr=0.05)
    for _ in range(10):
        first.zero_grad()
        second.zero_grad()
        x = torch.randn(32, 4)
        nn.functional.mse_loss(decoder(encoder(x)), x).backward()
        second.step()
        encoder(x).pow(2).mean().mul(0.1).backward()
        first.step()  # safe: both losses are the encoder's own


def alternating():
    """A game of two players, each with its own loss."""
    generator, critic, optimizer_g, optimizer_d = networks()
    for number in range(20):
        loss = loss_of(critic(generator(torch.randn(32, 2))), ones)
        optimizer_g.zero_grad()
        optimizer_d.zero_grad()
        loss.backward() if number % 2 else (-loss).backward()
        (optimizer_g if number % 2 else optimizer_d).step()


for part in (detached, cleared, working_together, alternating):
    part()
