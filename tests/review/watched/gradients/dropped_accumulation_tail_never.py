"""Groups of batches of which none is lost, and gradients that are cleared unused for good reasons."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = TensorDataset(torch.randn(56, 4), torch.randn(56, 1))


def loader(**options):
    return DataLoader(data, batch_size=8, shuffle=True, **options)


def steps_at_the_end():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    batches = loader()
    for _ in range(3):
        for number, (x, y) in enumerate(batches):
            (nn.functional.mse_loss(model(x), y) / 3).backward()
            if (number + 1) % 3 == 0 or number + 1 == len(batches):
                optimizer.step()
                optimizer.zero_grad()


def steps_after_the_loop():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    batches = loader()
    for _ in range(3):
        for number, (x, y) in enumerate(batches):
            (nn.functional.mse_loss(model(x), y) / 3).backward()
            if (number + 1) % 3 == 0:
                optimizer.step()
                optimizer.zero_grad()
        optimizer.step()  # safe: the rest of the pass
        optimizer.zero_grad()


def counts_over_passes():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    number = 0
    for _ in range(4):
        for x, y in loader():
            (nn.functional.mse_loss(model(x), y) / 3).backward()
            number += 1
            if number % 3 == 0:  # safe: the count goes on; 28 batches leave one at the end of the training
                optimizer.step()
                optimizer.zero_grad()


def leaves_out():
    """Batches whose loss is too large are left out, within a pass."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(2):
        for number, (x, y) in enumerate(loader(drop_last=True)):
            nn.functional.mse_loss(model(x), y).backward()
            if number % 3 == 1:
                optimizer.zero_grad()
                continue
            optimizer.step()
            optimizer.zero_grad()


def adversaries():
    """What the generator's loss leaves in the critic is cleared, unused."""
    generator, critic = nn.Linear(4, 4), nn.Linear(4, 1)
    first = torch.optim.Adam(generator.parameters(), lr=1e-3)
    second = torch.optim.Adam(critic.parameters(), lr=1e-3)
    for _ in range(3):
        for number, (x, _) in enumerate(loader()):
            second.zero_grad()
            (critic(generator(torch.randn(8, 4)).detach()).mean() - critic(x).mean()).backward()
            second.step()
            if number % 3 == 0:
                first.zero_grad()
                (-critic(generator(torch.randn(8, 4))).mean()).backward()
                first.step()


def tasks():
    """Two losses of one batch."""
    body, heads = nn.Linear(4, 4), [nn.Linear(4, 1) for _ in range(2)]
    optimizer = torch.optim.Adam([*body.parameters(), *heads[0].parameters(), *heads[1].parameters()])
    for _ in range(2):
        for x, y in loader():
            optimizer.zero_grad()
            for head in heads:
                nn.functional.mse_loss(head(body(x)), y).backward()
            optimizer.step()


def broken_off():
    """A pass that is ended early."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        for number, (x, y) in enumerate(loader()):
            (nn.functional.mse_loss(model(x), y) / 2).backward()
            if number % 2:
                optimizer.step()
                optimizer.zero_grad()
            if number == 4:
                break


for part in (
    steps_at_the_end,
    steps_after_the_loop,
    counts_over_passes,
    leaves_out,
    adversaries,
    tasks,
    broken_off,
):
    part()
