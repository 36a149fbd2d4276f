import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)


def main():
    net = Net()
    torch.manual_seed(3)  # TS515
    optimizer = torch.optim.Adam(net.parameters())
    return net, optimizer
