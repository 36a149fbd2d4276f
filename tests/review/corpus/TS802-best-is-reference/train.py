"""Digits; the weights of the best epoch are kept and restored."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load(batch_size=64):
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16, y, random_state=0)
    train, test = (
        TensorDataset(torch.tensor(a, dtype=torch.float32), torch.tensor(b))
        for a, b in ((x_train, y_train), (x_test, y_test))
    )
    return DataLoader(train, batch_size, shuffle=True), DataLoader(test, batch_size)


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    right = total = 0
    for x, y in loader:
        right += (model(x).argmax(1) == y).sum().item()
        total += len(y)
    return right / total


def train_epoch(model, loader, optimizer):
    model.train()
    criterion = nn.CrossEntropyLoss()
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()


def main():
    torch.manual_seed(0)
    train_loader, test_loader = load()
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    best, best_accuracy = None, 0.0
    for number in range(4):
        train_epoch(model, train_loader, optimizer)
        now = accuracy(model, test_loader)
        print(f"epoch {number}: accuracy {now:.3f}")
        if now > best_accuracy:
            best_accuracy = now
            best = model.state_dict()  # TS802
    model.load_state_dict(best)
    print(f"best: {accuracy(model, test_loader):.3f}")


if __name__ == "__main__":
    main()
