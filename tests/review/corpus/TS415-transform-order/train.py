"""A small convolutional net on pictures of digits."""

import torch
from pictures import Digits
from torch import nn
from torch.utils.data import DataLoader


def build():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 10),
    )


def train_epoch(model, loader, optimizer, criterion):
    model.train()
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    correct = sum((model(images).argmax(1) == labels).sum().item() for images, labels in loader)
    return correct / len(loader.dataset)


def main():
    torch.manual_seed(0)
    train = DataLoader(Digits(slice(0, 1400), augment=True), batch_size=32, shuffle=True)
    validation = DataLoader(Digits(slice(1400, None)), batch_size=256)
    model = build()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(3):
        train_epoch(model, train, optimizer, criterion)
        print(f"{epoch}: validation accuracy {accuracy(model, validation):.3f}")


if __name__ == "__main__":
    main()
