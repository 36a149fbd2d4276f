import copy

import torch


class Trainer:
    def __init__(self, model):
        self.model = model
        self.best = None

    def fit(self, loader, optimizer):
        best_accuracy = 0.0
        for _ in range(3):
            accuracy = self.train_epoch(loader, optimizer)
            if accuracy > best_accuracy:
                best_accuracy = accuracy
                self.best = self.model.state_dict()  # TS802
        self.model.load_state_dict(self.best)

    def train_epoch(self, loader, optimizer):
        return float(len(loader) + len(optimizer.param_groups))


def returned(model, train, epochs):
    best, best_loss = {}, float("inf")
    for epoch in range(epochs):
        loss = train(model)
        if loss < best_loss:
            best_loss = loss
            best = {"epoch": epoch, "weights": model.state_dict()}  # TS802
    return best


def copied(model, train, epochs):
    best, best_loss = None, float("inf")
    for _ in range(epochs):
        loss = train(model)
        if loss < best_loss:
            best_loss = loss
            best = copy.deepcopy(model.state_dict())  # safe
    model.load_state_dict(best)


def saved_at_once(model, train, epochs):
    best_loss = float("inf")
    for _ in range(epochs):
        loss = train(model)
        if loss < best_loss:
            best_loss = loss
            state = model.state_dict()  # safe: written before training goes on
            torch.save(state, "best.pt")


def after_training(model, train, epochs):
    for _ in range(epochs):
        train(model)
    state = model.state_dict()  # safe: training is over
    torch.save(state, "last.pt")


def saved_at_once(model, optimizer, loader, resume):
    if resume:
        checkpoint = torch.load("checkpoint.pt")
        model.load_state_dict(checkpoint["model"])
    lowest = float("inf")
    while True:
        loss = train(model, optimizer, loader)
        if loss < lowest:
            lowest = loss
            checkpoint = {"model": model.state_dict(), "loss": loss}  # safe: written in the same round
            torch.save(checkpoint, "checkpoint.pt")


def read_again(model, optimizer, loader):
    lowest = float("inf")
    for _ in range(9):
        loss = train(model, optimizer, loader)
        if loss < lowest:
            state = model.state_dict()  # safe: written in the same round, and read again below
            torch.save(state, "best.pt")
    state = torch.load("best.pt")
    model.load_state_dict(state)
