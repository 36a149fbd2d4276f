import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 2, device="meta"))
model(torch.randn(8, 4))  # TS708
