import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return self.layer.forward(x)  # TS315

    def twice(self, x):
        return self.forward(self.forward(x))  # safe: within the module itself

    def strides(self):
        probe = lambda x: self.forward(x)  # safe: within the module itself
        return probe(torch.zeros(1, 4))


class Scaled(Block):
    def forward(self, x):
        return 2 * super().forward(x)  # safe: the parent class's way


class Engine:
    def forward(self, x):
        return x


def run(x):
    model = Block()
    engine = Engine()
    unbound = Block.forward(model, x)  # safe: the class's own function, chosen on purpose
    return model.forward(x) + engine.forward(x) + unbound  # TS315
