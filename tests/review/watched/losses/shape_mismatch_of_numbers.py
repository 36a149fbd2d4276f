import torch

weight = torch.randn(2, 2, requires_grad=True)
rows = torch.randn(5, 2)
torch.tensor([row @ weight for row in rows])  # TS316
