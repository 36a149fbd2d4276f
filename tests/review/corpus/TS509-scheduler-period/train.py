"""Predicts the next values of noisy sine waves with a small GRU."""

import argparse
import math

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, Dataset


class Waves(Dataset):
    """Pieces of sine waves with random frequency and phase."""

    def __init__(self, count, length, seed):
        generator = torch.Generator().manual_seed(seed)
        frequency = 0.5 + torch.rand(count, 1, generator=generator)
        phase = 2 * math.pi * torch.rand(count, 1, generator=generator)
        time = torch.linspace(0, 2 * math.pi, length + 1)
        noise = 0.05 * torch.randn(count, length + 1, generator=generator)
        self.series = torch.sin(frequency * time + phase) + noise

    def __len__(self):
        return len(self.series)

    def __getitem__(self, index):
        wave = self.series[index]
        return wave[:-1].unsqueeze(-1), wave[-1:]


class Forecaster(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x):
        states, _ = self.gru(x)
        return self.out(states[:, -1])


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=5e-3)
    return parser.parse_args()


def train_epoch(model, loader, criterion, optimizer, scheduler):
    model.train()
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()  # TS509
        total += loss.item()
    return total / len(loader)


@torch.no_grad()
def validate(model, loader, criterion):
    model.eval()
    return sum(criterion(model(x), y).item() for x, y in loader) / len(loader)


def main():
    args = parse_args()
    torch.manual_seed(0)
    train_loader = DataLoader(Waves(800, 20, seed=1), batch_size=args.batch_size, shuffle=True)
    val_loader = DataLoader(Waves(200, 20, seed=2), batch_size=args.batch_size)
    model = Forecaster()
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    scheduler = CosineAnnealingLR(optimizer, T_max=args.epochs)
    for epoch in range(args.epochs):
        loss = train_epoch(model, train_loader, criterion, optimizer, scheduler)
        print(f"{epoch}: train {loss:.4f} validation {validate(model, val_loader, criterion):.4f}")


if __name__ == "__main__":
    main()
