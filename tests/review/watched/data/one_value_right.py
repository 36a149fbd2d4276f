import torch
from torch import nn

model = nn.Sequential(nn.Conv1d(4, 8, 3), nn.BatchNorm1d(8), nn.ReLU())
model(torch.randn(1, 4, 9))  # safe: one sample has seven values for each channel
model.eval()
model(torch.randn(1, 4, 3))
