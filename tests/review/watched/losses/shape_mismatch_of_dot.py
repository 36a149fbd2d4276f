import torch

inputs = torch.randn(40, 2)  # TS316
errors = torch.randn(40, 1)  # TS316
torch.dot(inputs, errors.T)  # TS316
