import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, models


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.body(x))


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(x)


def train(model, loader, optimizer):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


def test(model, loader):
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()  # TS201
    return correct


@torch.no_grad()
def validate(model, loader):
    model.eval()
    return sum((model(x).argmax(1) == y).sum().item() for x, y in loader)


class Trainer:
    def __init__(self, val_loader):
        self.model = models.resnet18()
        self.val_loader = val_loader

    @torch.no_grad()
    def evaluate(self):
        for x, _ in self.val_loader:
            print(self.model(x))  # TS201


def mc_dropout(val_loader):
    model = Net()
    model.train()
    with torch.no_grad():
        for x, _ in val_loader:
            model(x)  # safe: Monte Carlo dropout wants the training mode


def plain(val_loader):
    model = Plain()
    with torch.no_grad():
        for x, _ in val_loader:
            model(x)  # safe: no layer depends on the mode


def evaluated(val_loader):
    model = Net()
    model.eval()
    with torch.no_grad():
        for x, _ in val_loader:
            model(x)  # safe


def switched_by_flag(val_loader, training):
    model = Net()
    model.train(training)
    with torch.no_grad():
        for x, _ in val_loader:
            model(x)  # safe: the mode cannot be seen


@torch.no_grad()
def accuracy_of_any(net, test_loader):
    correct = 0
    for x, y in test_loader:
        if isinstance(net, nn.Module):
            net.eval()
            correct += (net(x).argmax(1) == y).sum().item()
            net.train()
        else:
            correct += (net(x).argmax(1) == y).sum().item()  # safe: a function, which has no modes
    return correct


def main():
    train_loader = DataLoader(datasets.MNIST(".", train=True))
    test_loader = DataLoader(datasets.MNIST(".", train=False))
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        train(model, train_loader, optimizer)
        test(model, test_loader)
    validate(model, test_loader)
    accuracy_of_any(model, test_loader)
    Trainer(test_loader).evaluate()


if __name__ == "__main__":
    main()
