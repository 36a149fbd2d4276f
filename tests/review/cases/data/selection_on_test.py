"""Choices of the best epoch, in the shapes in which people write them."""

import copy

import torch
from torch import nn

criterion = nn.CrossEntropyLoss()


def train(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()


def evaluate(model, loader):
    with torch.no_grad():
        losses = [criterion(model(x), y).item() for x, y in loader]
    return sum(losses) / len(losses), 0.0


def by_helper(model, optimizer, train_loader, val_loader, test_loader):
    best_loss = float("inf")
    for epoch in range(10):
        train(model, train_loader, optimizer)
        val_loss, val_acc = evaluate(model, val_loader)
        test_loss, test_acc = evaluate(model, test_loader)
        if test_loss < best_loss:  # TS404
            best_loss = test_loss
            torch.save(model.state_dict(), "best.pt")
    return val_loss, val_acc, test_acc


def counted(model, optimizer, train_loader, val_loader, test_loader):
    best = 0
    for epoch in range(10):
        train(model, train_loader, optimizer)
        correct, total = 0, 0
        for x, y in test_loader:
            correct += (model(x).argmax(1) == y).sum().item()
            total += len(y)
        accuracy = correct / total
        if best < accuracy:  # TS404
            best = accuracy
            weights = copy.deepcopy(model.state_dict())
    return weights


def by_validation(model, optimizer, train_loader, val_loader, test_loader):
    best_val = 0
    for epoch in range(10):
        train(model, train_loader, optimizer)
        _, val_acc = evaluate(model, val_loader)
        _, test_acc = evaluate(model, test_loader)
        if val_acc > best_val:  # safe: chosen by the validation data
            best_val = val_acc
            best_test = test_acc
            torch.save(model.state_dict(), "best.pt")
    print(f"best test accuracy: {best_test}")


def both(model, optimizer, train_loader, val_loader, test_loader, score_of):
    best = 0
    for epoch in range(10):
        train(model, train_loader, optimizer)
        score = score_of(model, val_loader, test_loader)
        if score > best:  # safe: what it scores is not seen
            best = score
            torch.save(model.state_dict(), "best.pt")


def told_only(model, optimizer, train_loader, val_loader, test_loader):
    best_test = 0
    for epoch in range(10):
        train(model, train_loader, optimizer)
        _, test_acc = evaluate(model, test_loader)
        if test_acc > best_test:  # safe: nothing is kept but the number
            best_test = test_acc
    return best_test


def fit(model, optimizer, train_loader, test_loader):
    best = 0
    for epoch in range(10):
        train(model, train_loader, optimizer)
        _, accuracy = evaluate(model, test_loader)
        if accuracy > best:  # safe: it is given the validation data
            best = accuracy
            torch.save(model.state_dict(), "best.pt")


def main(model, optimizer, train_loader, val_loader, test_loader):
    fit(model, optimizer, train_loader, val_loader)
    return evaluate(model, test_loader)


class Trainer:
    def __init__(self, model, train_loader, val_loader, test_loader, early_stopping):
        self.model, self.best = model, 0.0
        self.train_loader, self.val_loader, self.test_loader = train_loader, val_loader, test_loader
        self.early_stopping = early_stopping

    def epoch(self, optimizer):
        train(self.model, self.train_loader, optimizer)
        _, accuracy = evaluate(self.model, self.test_loader)
        if accuracy > self.best:  # TS404
            self.best = accuracy
            self.save()

    def save(self):
        torch.save(self.model.state_dict(), "best.pt")

    def stop(self, optimizer):
        for epoch in range(10):
            train(self.model, self.train_loader, optimizer)
            test_loss, _ = evaluate(self.model, self.test_loader)
            self.early_stopping(test_loss, self.model)  # TS404
            val_loss, _ = evaluate(self.model, self.val_loader)
            self.early_stopping(val_loss, self.model)  # safe: the validation data
