"""A small convolutional network that tells coloured digits apart."""

import torch
from pictures import ColourDigits, load
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader


class Net(nn.Module):
    def __init__(self, classes=20):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
        )
        self.head = nn.Linear(32 * 4 * 4, classes)

    def forward(self, x):
        return self.head(self.features(x).flatten(1))


def train_epoch(model, loader, optimizer):
    model.train()
    for images, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    right = sum((model(images).argmax(1) == labels).sum().item() for images, labels in loader)
    return right / len(loader.dataset)


def main():
    torch.manual_seed(0)
    images, labels = load()
    X_train, X_test, y_train, y_test = train_test_split(images, labels, test_size=0.25, random_state=0)
    train = DataLoader(ColourDigits(X_train, y_train), batch_size=64, shuffle=True)
    test = DataLoader(ColourDigits(X_test, y_test), batch_size=256)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(4):
        train_epoch(model, train, optimizer)
        print(f"{epoch}: accuracy {accuracy(model, test):.3f}")


if __name__ == "__main__":
    main()
