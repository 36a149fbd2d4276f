import torch
from torch import nn

words = torch.tensor([[1, 2, -1], [3, 12, -1]])  # -1 fills up
scores = nn.Linear(4, 10)(torch.randn(6, 4))
nn.functional.cross_entropy(scores, words.flatten(), ignore_index=-1)  # TS308
