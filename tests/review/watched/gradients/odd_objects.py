"""Batches, outputs and attributes that answer to every name, or fail at any, hide nothing else."""

import torch
from torch import nn


class Names(dict):
    __getattr__ = dict.get


class Failing:
    def __getattr__(self, name):
        raise RuntimeError(name)


class Closed:
    def __getattribute__(self, name):
        raise TypeError(name)


class Uncomparable:
    __hash__ = None

    def __eq__(self, other):
        raise ValueError("ambiguous")


ODD = [Names(a=1), Failing(), Closed(), Uncomparable()]


class Inner(nn.Module):
    def forward(self, one):
        return one


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        self.inner = Inner()
        self.settings, self.failing, self.odd = Names(width=8), Failing(), ODD

    def forward(self, batch, *odd, **more):
        for one in ODD:
            self.inner(one)
        return Names(scores=self.layers(batch.x), odd=ODD)


class Trainer:
    def __getattribute__(self, name):
        if name != "run":
            raise RuntimeError(name)
        return object.__getattribute__(self, name)

    def run(self):
        failing, closed = Failing(), Closed()
        for _ in range(3):
            for batch in loader:
                output = net(batch, *ODD, failing=failing, closed=closed)
                loss = nn.functional.cross_entropy(output.scores, batch.y)
                loss.backward()  # TS101
                optimizer.step()  # TS101


def collate(samples):
    x, y = zip(*samples, strict=True)
    return Names(x=torch.stack(x), y=torch.stack(y), odd=ODD)


torch.manual_seed(0)
data = torch.utils.data.TensorDataset(torch.randn(64, 4), torch.randint(0, 2, (64,)))
loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True, collate_fn=collate)
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
Trainer().run()
