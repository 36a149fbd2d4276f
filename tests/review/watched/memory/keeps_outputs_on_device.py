"""Segmentations of a whole data set that are collected on a device; `meta` stands for one."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.randn(160, 4)), batch_size=16)
model = nn.Linear(4, 2**21, device="meta").eval()


class Evaluation:
    def __init__(self):
        self.outputs = []

    @torch.no_grad()
    def run(self):
        for (x,) in loader:  # TS704
            self.outputs.append(model(x.to("meta")))  # TS704


Evaluation().run()
