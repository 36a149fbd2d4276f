import torch
from torch import nn

labels = torch.tensor([0, 2, -100, 1])
nn.functional.cross_entropy(nn.Linear(4, 3)(torch.randn(4, 4)), labels)  # safe: -100 is left out
nn.Embedding(100, 8)(torch.tensor([0, 99]))
