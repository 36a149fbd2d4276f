"""A Wasserstein GAN that learns points on a ring."""

import math

import torch
from penalty import gradient_penalty
from torch import nn


def ring(count):
    angle = 2 * math.pi * torch.rand(count)
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def perceptron(inputs, outputs, width=32):
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))


def train_critic(critic, generator, optimizer, count):
    real = ring(count)
    with torch.no_grad():
        fake = generator(torch.randn(count, 4))
    penalty = gradient_penalty(critic, real, fake)
    loss = critic(fake).mean() - critic(real).mean() + penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def train_generator(critic, generator, optimizer, count):
    loss = -critic(generator(torch.randn(count, 4))).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def main():
    torch.manual_seed(0)
    critic, generator = perceptron(2, 1), perceptron(4, 2)
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3)
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3)
    for step in range(60):
        for _ in range(3):
            loss = train_critic(critic, generator, critic_optimizer, count=64)
        train_generator(critic, generator, generator_optimizer, count=64)
        if step % 20 == 0:
            print(f"step {step}: critic {loss:.3f}")


if __name__ == "__main__":
    main()
