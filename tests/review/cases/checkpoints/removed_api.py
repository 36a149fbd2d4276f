import torch
import torchvision
from torch import nn, symeig  # TS806
from torch._six import inf  # TS806
from torchvision.transforms import functional_tensor as F_t  # TS806


def decompose(x):
    values, _ = torch.symeig(x)  # TS806
    return torch.solve(x, x)[0] + values + inf  # TS806


def resize():
    return torchvision.transforms.Scale(4)  # TS806


def guarded(x):
    if hasattr(torch, "rfft"):
        return torch.rfft(x, 1)  # safe: asked first
    return torch.fft.rfft(x)  # safe


try:
    from torch._six import container_abcs  # safe: the import may fail
except ImportError:
    container_abcs = None


class Solver(nn.Module):
    def solve(self, x):
        return x

    def forward(self, x):
        return self.solve(x), symeig, F_t  # safe: its own method
