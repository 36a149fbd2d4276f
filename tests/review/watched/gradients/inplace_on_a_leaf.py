import torch

weights = torch.zeros(3, requires_grad=True)
for _ in range(3):
    (weights.exp().sum()).backward()
    weights -= 0.1 * weights.grad  # TS112
