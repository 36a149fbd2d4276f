import torch
from torch import nn

RATE = 3.0


def constant():
    model = nn.Linear(4, 1)
    return torch.optim.AdamW(model.parameters(), RATE)  # TS511


class Trainer:
    def __init__(self, model: nn.Module):
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.0)  # TS511


def large_for_sgd(model: nn.Module):
    return torch.optim.SGD(model.parameters(), lr=5)  # safe: SGD's steps are as small as the gradients


def adadelta(model: nn.Module):
    return torch.optim.Adadelta(model.parameters(), lr=1.0)  # safe: Adadelta's own default


def unknown(model: nn.Module, args):
    return torch.optim.Adam(model.parameters(), lr=args.lr)  # safe: not known


def of_the_input(image):
    return torch.optim.Adam([image], lr=2.0)  # safe: pixels, not weights
