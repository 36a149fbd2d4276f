"""Digits, with log-probabilities out of the network."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load(batch_size=64):
    digits = load_digits()
    x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    y = torch.tensor(digits.target, dtype=torch.long)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, y = x[order], y[order]
    train = DataLoader(TensorDataset(x[:1400], y[:1400]), batch_size=batch_size, shuffle=True)
    return train, DataLoader(TensorDataset(x[1400:], y[1400:]), batch_size=256)


class Net(nn.Module):
    def __init__(self, hidden=64, classes=10):
        super().__init__()
        self.hidden = nn.Linear(64, hidden)
        self.output = nn.Linear(hidden, classes)

    def forward(self, x):
        x = F.relu(self.hidden(x))
        return F.log_softmax(self.output(x), dim=0)  # TS305


def train_one_epoch(model, loader, optimizer):
    model.train()
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    right = 0
    for x, y in loader:
        predicted = model(x).argmax(dim=1)
        right += (predicted == y).sum().item()
    return right / len(loader.dataset)


def main():
    torch.manual_seed(0)
    train, test = load()
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(3):
        loss = train_one_epoch(model, train, optimizer)
        print(f"{epoch}: loss {loss:.3f} accuracy {accuracy(model, test):.3f}")


if __name__ == "__main__":
    main()
