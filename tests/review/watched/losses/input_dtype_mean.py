import torch

counts = torch.tensor([1, 0, 1])  # TS317
share = counts.float().mean()
print(counts.mean() - share)  # TS317
