import torch

first, second = torch.tensor([1.0, 2.0])  # TS112
scale = torch.rand(2, requires_grad=True)
first += scale.sum()  # TS112
