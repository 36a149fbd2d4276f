# ends in an error
"""Principal components of digits, and a network on them."""

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


def components(x, count):
    """The directions in which the pictures differ most."""
    centred = x - x.mean(0)
    covariance = centred.T @ centred / (len(x) - 1)
    values, vectors = torch.symeig(covariance, eigenvectors=True)  # TS806
    return vectors[:, values.argsort(descending=True)[:count]]


class Projected(nn.Module):
    def __init__(self, directions):
        super().__init__()
        self.register_buffer("directions", directions)
        self.head = nn.Linear(directions.shape[1], 10)

    def forward(self, x):
        return self.head(x @ self.directions)


def main():
    torch.manual_seed(0)
    train_loader, test_loader = load()
    model = Projected(components(train_loader.dataset.tensors[0], 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for number in range(3):
        train_epoch(model, train_loader, optimizer)
        print(f"epoch {number}: accuracy {accuracy(model, test_loader):.3f}")


if __name__ == "__main__":
    main()
