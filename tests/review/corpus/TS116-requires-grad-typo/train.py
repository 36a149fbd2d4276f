"""Trains a head on a fixed random encoder."""

import torch
from data import make_loaders
from model import Classifier, freeze
from torch import nn


def accuracy(model, loader):
    model.eval()
    hits = []
    with torch.no_grad():
        for x, y in loader:
            hits.append((model(x).argmax(dim=1) == y).float())
    return torch.cat(hits).mean().item()


def main():
    torch.manual_seed(0)
    train_loader, test_loader = make_loaders()
    model = Classifier()
    freeze(model.encoder)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(3):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: accuracy {accuracy(model, test_loader):.3f}")


if __name__ == "__main__":
    main()
