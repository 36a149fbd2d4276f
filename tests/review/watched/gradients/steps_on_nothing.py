"""A generator whose pictures are always detached."""

import torch
from torch import nn

torch.manual_seed(0)
judged = nn.functional.binary_cross_entropy_with_logits


def adversaries():
    generator = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    discriminator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    first = torch.optim.Adam(generator.parameters(), lr=1e-3)
    second = torch.optim.Adam(discriminator.parameters(), lr=1e-3)
    for _ in range(14):
        fake = generator(torch.randn(8, 4))
        second.zero_grad()
        real_loss = judged(discriminator(torch.randn(8, 2)), torch.ones(8, 1))
        fake_loss = judged(discriminator(fake.detach()), torch.zeros(8, 1))
        (real_loss + fake_loss).backward()
        second.step()
        first.zero_grad()
        judged(discriminator(fake.detach()), torch.ones(8, 1)).backward()  # TS104
        first.step()  # TS104


adversaries()
