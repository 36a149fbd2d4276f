# ends in an error
"""Which arm of a spiral does a point lie on?"""

import torch
import torch.nn as nn
import torch.optim as optim
from data import Spirals
from torch.utils.data import DataLoader

ARMS = 3
EPOCHS = 15


def build(width):
    return nn.Sequential(
        nn.Linear(2, width),
        nn.Tanh(),
        nn.Linear(width, width),
        nn.Tanh(),
        nn.Linear(width, ARMS),
        nn.LogSoftmax(dim=1),
    )


class Experiment:
    def __init__(self, width=32, lr=0.01, batch_size=32):
        self.net = build(width)
        self.loss = nn.NLLLoss()
        self.optimizer = optim.Adam(self.net.parameters(), lr=lr)
        self.training = DataLoader(Spirals(seed=0), batch_size=batch_size, shuffle=True)
        self.held_out = DataLoader(Spirals(seed=1), batch_size=450)

    def step(self, points, arms):
        self.optimizer.zero_grad()
        loss = self.loss(self.net(points), arms)  # TS307
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def run(self):
        for epoch in range(EPOCHS):
            self.net.train()
            total = 0.0
            for points, arms in self.training:
                total += self.step(points, arms)
            if epoch % 5 == 4:
                print(f"{epoch}: loss {total / len(self.training):.3f} accuracy {self.accuracy():.3f}")

    @torch.no_grad()
    def accuracy(self):
        self.net.eval()
        right = total = 0
        for points, arms in self.held_out:
            right += (self.net(points).argmax(dim=1) == arms).sum().item()
            total += len(arms)
        return right / total


if __name__ == "__main__":
    torch.manual_seed(0)
    Experiment().run()
