"""A GAN (Goodfellow et al. 2014): two networks, two optimizers, one step of your own. Digits from noise."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

import torchstone as ts

X = torch.tensor(load_digits().data / 8 - 1, dtype=torch.float32)  # pixels from -1 to 1


class GAN(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = nn.Sequential(
            nn.Linear(16, 128), nn.LeakyReLU(0.2),
            nn.Linear(128, 128), nn.LeakyReLU(0.2),
            nn.Linear(128, 64), nn.Tanh(),
        )  # fmt: skip
        self.critic = nn.Sequential(nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(128, 1))

    def forward(self, noise):
        return self.generator(noise)


def step(net, real, context):
    fake = net(torch.randn(len(real), 16, device=context.device))

    # The critic learns to tell real pictures from made ones.
    critic_loss = F.softplus(-net.critic(real)).mean() + F.softplus(net.critic(fake.detach())).mean()
    context.zero_grad("critic")
    context.backward(critic_loss)
    context.step("critic")

    # The generator learns to make pictures that the critic takes for real.
    generator_loss = F.softplus(-net.critic(fake)).mean()
    context.zero_grad("generator")
    context.backward(generator_loss)
    context.step("generator")
    return {"critic_loss": critic_loss, "generator_loss": generator_loss}


torch.manual_seed(0)
net = GAN()
noise = torch.randn(1000, 16)


def distance():
    """How far mean and deviation of the made pixels are from those of the real ones."""
    with torch.no_grad():
        made = net(noise)
    return ((made.mean(0) - X.mean(0)).abs().mean() + (made.std(0) - X.std(0)).abs().mean()).item()


before = distance()
run = ts.fit(
    net,
    X,
    loss=None,
    step=step,
    optimizer={
        "generator": torch.optim.Adam(net.generator.parameters(), lr=1e-3, betas=(0.5, 0.999)),
        "critic": torch.optim.Adam(net.critic.parameters(), lr=1e-3, betas=(0.5, 0.999)),
    },
    epochs=30,
    batch_size=64,
)
print(run.history.select("epoch", "train_critic_loss", "train_generator_loss"))
print(f"distance of made pixels from real ones: {before:.3f} before, {distance():.3f} after training")
