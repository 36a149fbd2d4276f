# ends in an error
"""Reads digits row by row."""

import torch
from model import Classifier
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_loader(batch_size):
    digits = load_digits()
    pictures = torch.tensor(digits.images / 16.0, dtype=torch.float32)
    return DataLoader(TensorDataset(pictures, torch.tensor(digits.target)), batch_size, shuffle=True)


def train_one_epoch(model, loader, optimizer, criterion):
    model.train()
    total = 0.0
    for pictures, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(pictures), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


def main():
    torch.manual_seed(0)
    model = Classifier()
    loader = make_loader(batch_size=128)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(2):
        print(f"epoch {epoch}: {train_one_epoch(model, loader, optimizer, criterion):.3f}")


if __name__ == "__main__":
    main()
