"""Noisy waves of three shapes: which one is it?"""

import math

import torch
from torch.utils.data import Dataset

KINDS = ("sine", "square", "saw")


def wave(kind, steps, generator):
    phase, speed = torch.rand(2, generator=generator).tolist()
    t = torch.arange(steps) / steps * (1.5 + speed) * 2 * math.pi + phase * 2 * math.pi
    if kind == "sine":
        clean = torch.sin(t)
    elif kind == "square":
        clean = torch.sign(torch.sin(t))
    else:
        clean = (t / math.pi) % 2 - 1
    return clean + 0.1 * torch.randn(steps, generator=generator)


class Waves(Dataset):
    def __init__(self, samples, steps=40, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.randint(0, len(KINDS), (samples,), generator=generator)
        self.series = [wave(KINDS[label], steps, generator) for label in self.labels.tolist()]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.series[index].unsqueeze(-1), self.labels[index]
