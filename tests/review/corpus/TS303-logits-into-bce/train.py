"""A generative adversarial network that learns a ring."""

import math

import torch
from nets import NOISE, Discriminator, Generator
from torch import nn


def ring(count):
    angle = torch.rand(count) * 2 * math.pi
    points = torch.stack([angle.cos(), angle.sin()], dim=1)
    return points + 0.05 * torch.randn(count, 2)


def train_discriminator(discriminator, generator, optimizer, criterion, batch):
    real = ring(batch)
    with torch.no_grad():
        fake = generator(torch.randn(batch, NOISE))
    optimizer.zero_grad()
    points = torch.cat([real, fake])
    labels = torch.cat([torch.ones(batch, 1), torch.zeros(batch, 1)])
    loss = criterion(discriminator(points), labels)  # TS303
    loss.backward()
    optimizer.step()
    return loss.item()


def train_generator(discriminator, generator, optimizer, criterion, batch):
    optimizer.zero_grad()
    fake = generator(torch.randn(batch, NOISE))
    loss = criterion(discriminator(fake), torch.ones(batch, 1))
    loss.backward()
    optimizer.step()
    return loss.item()


def main(steps=400, batch=64):
    torch.manual_seed(0)
    generator, discriminator = Generator(), Discriminator()
    criterion = nn.BCELoss()
    for_generator = torch.optim.Adam(generator.parameters(), lr=1e-3)
    for_discriminator = torch.optim.Adam(discriminator.parameters(), lr=1e-2)
    for step in range(steps):
        lost = train_discriminator(discriminator, generator, for_discriminator, criterion, batch)
        fooled = train_generator(discriminator, generator, for_generator, criterion, batch)
        if step % 100 == 0:
            print(f"{step}: discriminator {lost:.3f} generator {fooled:.3f}")
    with torch.no_grad():
        radius = generator(torch.randn(500, NOISE)).norm(dim=1)
    print(f"radius {radius.mean():.2f} (1 would be right)")


if __name__ == "__main__":
    main()
