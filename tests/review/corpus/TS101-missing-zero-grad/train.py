"""A small perceptron on digits."""

import argparse

import torch
from data import make_loaders
from torch import nn


class Perceptron(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    def forward(self, x):
        return self.layers(x)


class Trainer:
    def __init__(self, model, learning_rate):
        self.model = model
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9)

    def update(self, x, y):
        loss = self.criterion(self.model(x), y)
        loss.backward()
        self.optimizer.step()  # TS101
        return loss.item()

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.model.train()
            losses = [self.update(x, y) for x, y in loader]
            print(f"epoch {epoch}: loss {sum(losses) / len(losses):.4f}")

    def score(self, loader):
        self.model.eval()
        correct = total = 0
        with torch.no_grad():
            for x, y in loader:
                correct += (self.model(x).argmax(dim=1) == y).sum().item()
                total += len(y)
        return correct / total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.05)
    args = parser.parse_args()
    torch.manual_seed(0)
    train_loader, test_loader = make_loaders()
    trainer = Trainer(Perceptron(), args.lr)
    trainer.fit(train_loader, args.epochs)
    print(f"accuracy {trainer.score(test_loader):.3f}")


if __name__ == "__main__":
    main()
