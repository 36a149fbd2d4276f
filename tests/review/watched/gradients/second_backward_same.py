import torch

w = torch.zeros(3, requires_grad=True)
loss = w.exp().sum()
loss.backward()  # TS113
loss.backward()  # TS113
