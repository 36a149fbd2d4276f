"""A small convolutional net on digits, tested after each epoch."""

import torch
import torch.nn.functional as F
from data import get_loaders
from torch import nn, optim


class ConvNet(nn.Module):
    def __init__(self, dropout=0.5):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.bn2 = nn.BatchNorm2d(32)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(32 * 2 * 2, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return self.fc(self.dropout(x.flatten(1)))


def train(model, loader, optimizer, epoch):
    model.train()
    running = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"epoch {epoch}: loss {running / len(loader):.3f}", end=" ")


def test(model, loader):
    correct = 0
    with torch.no_grad():
        for images, labels in loader:
            predicted = model(images).argmax(dim=1)  # TS201
            correct += (predicted == labels).sum().item()
    accuracy = correct / len(loader.dataset)
    print(f"test accuracy {accuracy:.3f}")
    return accuracy


def main():
    torch.manual_seed(1)
    train_loader, test_loader = get_loaders()
    model = ConvNet()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    best = 0.0
    for epoch in range(1, 5):
        train(model, train_loader, optimizer, epoch)
        best = max(best, test(model, test_loader))
    print(f"best {best:.3f}")


if __name__ == "__main__":
    main()
