import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, x):
        return self.layer(x)


class Keeper:
    def __init__(self):
        self.net = Net()

    def keep(self, path):
        torch.save(self.net, path)  # TS805

    def weights(self, path):
        torch.save(self.net.state_dict(), path)  # safe


def flat(path):
    net = Net()
    torch.save(net, path)  # TS805
    torch.save({"net": net.state_dict()}, path)  # safe
    torch.save(net(torch.ones(1, 4)), path)  # safe: a tensor
    return net


def unknown(model, path):
    torch.save(model, path)  # safe: may be a state dict
