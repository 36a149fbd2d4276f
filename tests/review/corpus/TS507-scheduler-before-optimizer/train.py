"""Digits with a warm-up and a cosine: the schedule is moved on at the start of each epoch."""

import math

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

EPOCHS = 12
WARMUP = 3


def load(batch_size):
    digits = load_digits()
    x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    y = torch.tensor(digits.target, dtype=torch.long)
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.2, random_state=0, stratify=y)
    train = DataLoader(TensorDataset(x_train, y_train), batch_size=batch_size, shuffle=True)
    val = DataLoader(TensorDataset(x_val, y_val), batch_size=256)
    return train, val


def rate(epoch):
    if epoch < WARMUP:
        return (epoch + 1) / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (epoch - WARMUP) / (EPOCHS - WARMUP)))


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        self.scheduler = LambdaLR(self.optimizer, rate)

    def train_epoch(self, loader):
        self.model.train()
        self.scheduler.step()  # TS507
        total = 0.0
        for images, labels in loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(labels)
        return total / len(loader.dataset)

    @torch.no_grad()
    def validate(self, loader):
        self.model.eval()
        correct = 0
        for images, labels in loader:
            correct += (self.model(images).argmax(dim=1) == labels).sum().item()
        return correct / len(loader.dataset)

    def fit(self, train, val):
        for epoch in range(EPOCHS):
            loss = self.train_epoch(train)
            lr = self.scheduler.get_last_lr()[0]
            print(f"epoch {epoch} lr {lr:.4f} loss {loss:.3f} accuracy {self.validate(val):.3f}")


def main():
    torch.manual_seed(0)
    train, val = load(64)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))
    Trainer(model, lr=0.1).fit(train, val)


if __name__ == "__main__":
    main()
