# ends in an error
"""Benign or malignant, with a loss on probabilities."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load():
    features, labels = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(features, labels, test_size=0.2, random_state=0)
    scaler = StandardScaler().fit(x_train)
    return rows(scaler.transform(x_train), y_train), rows(scaler.transform(x_test), y_test)


def rows(x, y):
    return TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32))


class Classifier(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU())
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.head(self.body(x)).squeeze(1)


class Trainer:
    def __init__(self, model, loader):
        self.model = model
        self.loader = loader
        self.criterion = nn.BCELoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def epoch(self):
        self.model.train()
        total = 0.0
        for x, y in self.loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)  # TS303
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        return total / len(self.loader)

    @torch.no_grad()
    def accuracy(self, data):
        self.model.eval()
        x, y = data.tensors
        return ((self.model(x) > 0.5) == y.bool()).float().mean().item()


def main():
    torch.manual_seed(0)
    train, test = load()
    trainer = Trainer(Classifier(30, 16), DataLoader(train, batch_size=32, shuffle=True))
    for epoch in range(5):
        print(f"{epoch}: loss {trainer.epoch():.3f} accuracy {trainer.accuracy(test):.3f}")


if __name__ == "__main__":
    main()
