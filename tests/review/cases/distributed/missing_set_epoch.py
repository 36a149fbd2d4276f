import torch
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler


def train(data, model, epochs):
    loader = DataLoader(data, batch_size=4, sampler=DistributedSampler(data))
    for epoch in range(epochs):
        for x in loader:  # TS902
            model(x, epoch)


def one_pass(data, model):
    loader = DataLoader(data, batch_size=4, sampler=DistributedSampler(data))
    for x in loader:  # safe: a single pass
        model(x)


def ordered(data, model, epochs):
    loader = DataLoader(data, batch_size=4, sampler=DistributedSampler(data, shuffle=False))
    for epoch in range(epochs):
        for x in loader:  # safe: not shuffled on purpose
            model(x, epoch)


def other_sampler(data, model, epochs):
    loader = DataLoader(data, batch_size=4, sampler=torch.utils.data.RandomSampler(data))
    for epoch in range(epochs):
        for x in loader:  # safe: shuffles anew by itself
            model(x, epoch)
