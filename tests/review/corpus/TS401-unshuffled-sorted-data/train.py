"""Learns which of three blobs a point belongs to."""

import torch
from data import datasets
from torch import nn
from torch.utils.data import DataLoader


class Classifier(nn.Module):
    def __init__(self, hidden=32, classes=3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )

    def forward(self, x):
        return self.layers(x)


def make_loaders(batch_size=30):
    train_set, test_set = datasets()
    train_loader = DataLoader(train_set, batch_size=batch_size)  # TS401
    test_loader = DataLoader(test_set, batch_size=100)
    return train_loader, test_loader


def train_epoch(model, loader, optimizer):
    model.train()
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    right = 0
    for x, y in loader:
        right += (model(x).argmax(dim=1) == y).sum().item()
    return right / len(loader.dataset)


def main():
    torch.manual_seed(0)
    train_loader, test_loader = make_loaders()
    model = Classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    for epoch in range(5):
        loss = train_epoch(model, train_loader, optimizer)
        accuracy = evaluate(model, test_loader)
        print(f"epoch {epoch}: loss {loss:.3f} accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
