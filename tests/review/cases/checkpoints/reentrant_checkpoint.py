import torch
import torch.utils.checkpoint as cp
from torch import nn
from torch.utils.checkpoint import checkpoint as remember
from torch.utils.checkpoint import checkpoint_sequential


class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x):
        for layer in self.layers:
            x = cp.checkpoint(layer, x)  # TS808
        return x

    def checkpoint(self, path):
        return path


def functions(layer, x, options):
    a = remember(layer, x)  # TS808
    b = checkpoint_sequential([layer, layer], 2, x)  # TS808
    c = remember(layer, x, use_reentrant=False)  # safe
    d = remember(layer, x, **options)  # safe: the options may say it
    return a, b, c, d


Stack().checkpoint("a.pt")  # safe: writes a file
torch.utils.checkpoint.checkpoint(nn.Linear(4, 4), torch.ones(4), use_reentrant=True)  # safe: said
