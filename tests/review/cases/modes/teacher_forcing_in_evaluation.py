import torch
from torch import nn


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, source, target, teacher_forcing_ratio=0.5):
        return self.linear(source) * teacher_forcing_ratio + target


class Careful(Seq2Seq):
    def forward(self, source, target, teacher_forcing_ratio=0.5):
        ratio = teacher_forcing_ratio if self.training else 0
        return self.linear(source) * ratio + target


@torch.no_grad()
def evaluate(model: Seq2Seq, loader):
    model.eval()
    return [model(source, target) for source, target in loader]  # safe: an annotation may be of a base class


class Trainer:
    def __init__(self):
        self.model = Seq2Seq()
        self.careful = Careful()

    @torch.no_grad()
    def validate(self, loader):
        self.model.eval()
        for source, target in loader:
            self.model(source, target)  # TS206

    @torch.no_grad()
    def right(self, loader):
        self.model.eval()
        self.careful.eval()
        for source, target in loader:
            self.model(source, target, 0)  # safe: switched off
            self.model(source, target, teacher_forcing_ratio=0.0)  # safe: switched off
            self.careful(source, target)  # safe: asks for its mode

    def train(self, loader):
        self.model.train()
        for source, target in loader:
            self.model(source, target).sum().backward()  # safe: training
