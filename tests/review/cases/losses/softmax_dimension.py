import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.output = nn.Linear(784, 10)

    def forward(self, x):
        return F.log_softmax(self.output(x.view(-1, 784)), dim=0)  # TS305


class WithLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.output = nn.Linear(784, 10)
        self.log_softmax = nn.LogSoftmax(dim=0)  # TS305

    def forward(self, x):
        return self.log_softmax(self.output(x.flatten(1)))


class Right(nn.Module):
    def __init__(self):
        super().__init__()
        self.output = nn.Linear(784, 10)

    def forward(self, x):
        return F.log_softmax(self.output(x.flatten(1)), dim=-1)


def train():
    loader = DataLoader(datasets.MNIST("data"), batch_size=64)
    first, second, right = Net(), WithLayer(), Right()
    for images, labels in loader:
        F.nll_loss(first(images), labels)
        F.nll_loss(second(images), labels)
        F.nll_loss(right(images), labels)  # safe: over the classes


def single(x):
    score = nn.Linear(8, 1)(x)
    return score.softmax(dim=-1)  # TS305


def pooling(bag):
    weights = torch.softmax(nn.Linear(8, 1)(bag), dim=0)  # safe: attention over the instances of a bag
    steps = torch.softmax(nn.Linear(8, 1)(bag.view(4, 5, 8)), dim=1)  # safe: attention over time
    return weights, steps


def contrastive(images, texts):
    similarity = images @ texts.t()
    return F.softmax(similarity, dim=0) + F.softmax(similarity, dim=1)  # safe: each picture against each text


def one_sample(x, label):
    return F.nll_loss(F.log_softmax(nn.Linear(8, 3)(x), dim=0), label)  # safe: a sample without a batch
