# ends in an error
"""Places points so that near ones stay near."""

import torch
from torch import nn


class Placement(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 2))

    def forward(self, points):
        placed = self.layers(points)
        return placed, placed.unsqueeze(0) - placed.unsqueeze(1)  # TS713


def main():
    torch.manual_seed(0)
    points = torch.randn(2_000_000, 3)
    model = Placement()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(3):
        batch = points
        placed, differences = model(batch)
        wanted = batch.unsqueeze(0) - batch.unsqueeze(1)
        loss = (differences.square().sum(2) - wanted.square().sum(2)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: {loss.item():.3f}, spread {placed.std().item():.3f}")


if __name__ == "__main__":
    main()
