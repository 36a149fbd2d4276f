import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 32)
        self.output = nn.Linear(32, 10)

    def forward(self, x):
        return self.output(torch.relu(self.hidden(x)))


class Evaluator:
    def __init__(self):
        digits = load_digits()
        x, y = torch.tensor(digits.data).float(), torch.tensor(digits.target)
        self.model = Net()
        self.loader = DataLoader(TensorDataset(x, y), batch_size=32)

    def accuracy(self):
        right = 0
        for x, y in self.loader:
            output = self.model(x)
            _, predicted = torch.max(output, 0)  # TS309
            right += (predicted == y).sum().item()
        return right

    def right(self):
        right = 0
        for x, y in self.loader:
            _, predicted = torch.max(self.model(x).data, 1)  # safe: over the classes
            right += predicted.eq(y).sum().item()
        return right


def by_loader(data, model):
    loader = DataLoader(data, batch_size=64)
    net = Net()
    for x, y in loader:
        predicted = net(x.view(-1, 64)).argmax(0)  # TS309
        print(predicted.eq(y.view_as(predicted)).sum())
        net(x.view(-1, 64)).argmax(dim=1, keepdim=True).eq(y)  # safe
        net(x.view(-1, 64)).argmax(dim=-1).eq(y)  # safe


def one_sample(x, label):
    return Net()(x).argmax(dim=0) == label  # safe: a sample by itself has its classes first


def most_typical(x, picked):
    typical = Net()(x.view(-1, 64)).argmax(dim=0)  # safe: the most typical sample of each class
    return x[typical]


def unmodelled(table):
    return torch.randn(8, 3).argmax(dim=0) == table  # safe: no model's output
