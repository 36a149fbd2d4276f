"""Learns how far apart two digits are; now and then a pair holds one digit twice."""

import torch
from sklearn.datasets import load_digits
from torch import nn


class Pairs(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))

    def forward(self, first, second):
        difference = self.embed(first) - self.embed(second)
        return difference.square().sum(dim=1).sqrt()  # TS601


def main():
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    model = Pairs()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(6):
        first, second = torch.randperm(len(images))[:64], torch.randperm(len(images))[:64]
        if step == 4:
            second[7] = first[7]
        distance = model(images[first], images[second])
        same = (labels[first] == labels[second]).float()
        loss = (same * distance + (1 - same) * (2 - distance).clamp_min(0)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: {loss.item():.3f}")


if __name__ == "__main__":
    main()
