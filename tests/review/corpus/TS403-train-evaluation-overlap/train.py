"""Classifies handwritten digits, and stops when the validation loss does not fall any more."""

import copy

import torch
import torch.nn.functional as F
from data import make_loaders
from torch import nn


class Network(nn.Module):
    def __init__(self, hidden=64, dropout=0.2):
        super().__init__()
        self.hidden = nn.Linear(64, hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, 10)

    def forward(self, x):
        return self.output(self.dropout(F.relu(self.hidden(x))))


class EarlyStopping:
    def __init__(self, patience):
        self.patience = patience
        self.best = float("inf")
        self.weights = None
        self.waited = 0

    def update(self, loss, model):
        if loss < self.best:
            self.best, self.waited = loss, 0
            self.weights = copy.deepcopy(model.state_dict())
        else:
            self.waited += 1
        return self.waited >= self.patience


def train_epoch(model, loader, optimizer):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    loss, right = 0.0, 0
    for x, y in loader:
        output = model(x)
        loss += F.cross_entropy(output, y, reduction="sum").item()
        right += (output.argmax(dim=1) == y).sum().item()
    return loss / len(loader.dataset), right / len(loader.dataset)


def main():
    torch.manual_seed(0)
    train_loader, valid_loader, test_loader = make_loaders(batch_size=64)
    model = Network()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    stopping = EarlyStopping(patience=2)
    for epoch in range(6):
        train_epoch(model, train_loader, optimizer)
        loss, accuracy = evaluate(model, valid_loader)
        print(f"epoch {epoch}: validation loss {loss:.3f} accuracy {accuracy:.3f}")
        if stopping.update(loss, model):
            break
    model.load_state_dict(stopping.weights)
    print(f"test accuracy {evaluate(model, test_loader)[1]:.3f}")


if __name__ == "__main__":
    main()
