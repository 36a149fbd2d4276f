"""Digits in mixed precision, gradients clipped."""

import torch
from model import make_model
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load(batch_size=64):
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16, y, random_state=0)
    sets = [
        TensorDataset(torch.tensor(a, dtype=torch.float32), torch.tensor(b))
        for a, b in ((x_train, y_train), (x_test, y_test))
    ]
    return DataLoader(sets[0], batch_size, shuffle=True), DataLoader(sets[1], batch_size)


class Trainer:
    def __init__(self, model, learning_rate=0.05, clip=1.0):
        self.model = model
        self.clip = clip
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9)
        self.scaler = torch.amp.GradScaler("cpu")

    def batch(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = self.criterion(self.model(x), y)
        self.scaler.scale(loss).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)  # TS709
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.item()

    def epoch(self, loader):
        self.model.train()
        losses = [self.batch(x, y) for x, y in loader]
        return sum(losses) / len(losses)

    @torch.no_grad()
    def accuracy(self, loader):
        self.model.eval()
        right = total = 0
        for x, y in loader:
            right += (self.model(x).argmax(1) == y).sum().item()
            total += len(y)
        return right / total


def main():
    torch.manual_seed(0)
    train_loader, test_loader = load()
    trainer = Trainer(make_model())
    for number in range(3):
        loss = trainer.epoch(train_loader)
        print(f"epoch {number}: loss {loss:.3f}, accuracy {trainer.accuracy(test_loader):.3f}")


if __name__ == "__main__":
    main()
