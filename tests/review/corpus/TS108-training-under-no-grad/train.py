# ends in an error
"""Learns which of two moons a point belongs to."""

import torch
from sklearn.datasets import make_moons
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, x):
        return self.layers(x)


class Classifier:
    def __init__(self):
        self.net = Net()
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-2)

    @torch.no_grad()
    def scores(self, x):
        return self.net(x)  # TS108

    def accuracy(self, loader):
        self.net.eval()
        correct = sum((self.scores(x).argmax(1) == y).sum().item() for x, y in loader)
        return correct / len(loader.dataset)

    def fit(self, loader, epochs):
        for _ in range(epochs):
            self.net.train()
            for x, y in loader:
                loss = self.criterion(self.scores(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()


def main():
    torch.manual_seed(0)
    points, labels = make_moons(600, noise=0.1, random_state=0)
    data = TensorDataset(torch.tensor(points, dtype=torch.float32), torch.tensor(labels))
    train_part, test_part = random_split(data, [450, 150])
    classifier = Classifier()
    classifier.fit(DataLoader(train_part, batch_size=32, shuffle=True), epochs=10)
    print(f"accuracy {classifier.accuracy(DataLoader(test_part, batch_size=150)):.3f}")


if __name__ == "__main__":
    main()
