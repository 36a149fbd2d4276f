import numpy as np
import torch
from torch import nn


class Positions(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        table = np.zeros((length, width))
        self.register_buffer("table", torch.from_numpy(table))  # TS706
        self.register_buffer("mask", torch.from_numpy(np.tri(length, dtype=np.uint8)))  # safe: not of floats
        self.register_buffer("steps", torch.from_numpy(np.arange(length)))  # safe: whole numbers
        self.offset = nn.Parameter(torch.zeros(width))  # safe: made by torch

    def forward(self, x):
        return x + self.table[: x.size(1)] + self.offset


class Scaled(nn.Module):
    def __init__(self, size, given):
        super().__init__()
        scale = torch.tensor(np.random.randn(size) * 0.1)
        self.scale = nn.Parameter(scale)  # TS706
        self.shift = nn.Parameter(torch.tensor(np.random.randn(size), dtype=torch.float32))  # safe: converted
        self.bias = nn.Parameter(torch.from_numpy(np.ones(size).astype("float32")))  # safe: converted
        self.given = nn.Parameter(torch.from_numpy(given))  # safe: its type is not known
        self.small = nn.Parameter(torch.from_numpy(np.ones(size, np.float32)))  # safe: asked for


def embedding(words):
    vectors = np.random.normal(scale=0.6, size=(len(words), 50))
    weights = torch.from_numpy(vectors)
    return nn.Embedding.from_pretrained(weights)  # TS706


def plain_tensor():
    return torch.from_numpy(np.ones(3))  # safe: not part of a model
