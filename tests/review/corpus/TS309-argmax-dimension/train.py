"""Two moons: the best of several widths, by its accuracy on rows that were held out."""

from dataclasses import dataclass

import torch
from sklearn.datasets import make_moons
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


@dataclass
class Config:
    width: int
    lr: float = 0.02
    epochs: int = 8
    batch_size: int = 2  # of the held-out rows


def moons(count=400):
    points, sides = make_moons(count, noise=0.15, random_state=0)
    data = TensorDataset(torch.tensor(points, dtype=torch.float32), torch.tensor(sides))
    return random_split(data, [count - 100, 100], generator=torch.Generator().manual_seed(0))


class Classifier(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(2, width)
        self.outer = nn.Linear(width, 2)

    def forward(self, points):
        return self.outer(torch.relu(self.inner(points)))


@torch.no_grad()
def validate(net, loader):
    net.eval()
    correct, total = 0, 0
    for points, sides in loader:
        logits = net(points)
        _, guess = torch.max(logits, 0)  # TS309
        correct += (guess == sides).sum().item()
        total += sides.size(0)
    return correct / total


def fit(config, train, held_out):
    torch.manual_seed(0)
    net = Classifier(config.width)
    optimizer = torch.optim.SGD(net.parameters(), lr=config.lr, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for _ in range(config.epochs):
        net.train()
        for points, sides in DataLoader(train, batch_size=20, shuffle=True):
            optimizer.zero_grad()
            criterion(net(points), sides).backward()
            optimizer.step()
    return validate(net, DataLoader(held_out, batch_size=config.batch_size))


def main():
    train, held_out = moons()
    results = {width: fit(Config(width), train, held_out) for width in (2, 8, 32)}
    for width, result in results.items():
        print(f"width {width}: accuracy {result:.3f}")
    print("best width", max(results, key=results.get))


if __name__ == "__main__":
    main()
