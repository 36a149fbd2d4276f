import torch
from torch import optim
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR


def without_a_metric(model, epochs):
    optimizer = optim.Adam(model.parameters())
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min")
    for _ in range(epochs):
        optimizer.step()
        scheduler.step()  # TS510


def the_epoch(model, epochs):
    optimizer = optim.Adam(model.parameters())
    scheduler = ReduceLROnPlateau(optimizer, patience=2)
    for epoch in range(1, epochs + 1):
        optimizer.step()
        scheduler.step(epoch)  # TS510


class Trainer:
    def __init__(self, model):
        self.optimizer = optim.Adam(model.parameters())
        self.plateau = ReduceLROnPlateau(self.optimizer, mode="max")
        self.other = ReduceLROnPlateau(self.optimizer)

    def epoch_end(self, metrics, val_acc):
        self.plateau.step(metrics["val_loss"])  # TS510
        self.other.step(val_acc)  # TS510

    def right(self, metrics, val_acc):
        self.plateau.step(val_acc)  # safe: higher is better, and mode is "max"
        self.other.step(metrics["val_loss"])  # safe
        self.other.step(-val_acc)  # safe: turned round
        self.other.step(1 - val_acc)  # safe: turned round


def helper(scheduler, accuracy):
    scheduler.step(accuracy / 10)  # TS510


def call_helper(model):
    helper(ReduceLROnPlateau(optim.Adam(model.parameters()), factor=0.5), 3.0)


def turned_before(model, correct, total):
    scheduler = ReduceLROnPlateau(optim.Adam(model.parameters()))
    val_acc = 1 - correct / total
    scheduler.step(val_acc)  # safe: an error rate, whatever its name


def mode_unknown(model, args, accuracy):
    scheduler = ReduceLROnPlateau(optim.Adam(model.parameters()), mode=args.mode)
    scheduler.step(accuracy)  # safe: the mode is not known


def told_apart(model, args, loss):
    optimizer = optim.Adam(model.parameters())
    if args.plateau:
        scheduler = ReduceLROnPlateau(optimizer)
    else:
        scheduler = StepLR(optimizer, 10)
    for _ in range(10):
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(loss)
        else:
            scheduler.step()  # safe: the other kind of scheduler


def metric_unknown(model, score):
    scheduler = ReduceLROnPlateau(optim.Adam(model.parameters()))
    scheduler.step(score)  # safe: nobody knows which way is better
    scheduler.step(torch.tensor(0.1))  # safe
