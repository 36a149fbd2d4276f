"""Softmax regression on digits."""

import torch
import torch.nn.functional as F
from data import make_loaders
from torch import nn


def build(hidden):
    return nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def train_one_epoch(model, optimizer, loader):
    model.train()
    running = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        logits = model(x)
        loss = F.cross_entropy(logits, y)
        loss.backward()  # TS103
        running += loss.item() * len(y)
    return running / len(loader.dataset)


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    correct = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


def main():
    torch.manual_seed(0)
    train_loader, test_loader = make_loaders()
    model = build(hidden=32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for epoch in range(3):
        loss = train_one_epoch(model, optimizer, train_loader)
        accuracy = evaluate(model, test_loader)
        print(f"epoch {epoch}: loss {loss:.3f}, accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
