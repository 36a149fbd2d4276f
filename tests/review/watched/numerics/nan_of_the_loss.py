import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2), nn.Softmax(1))
optimizer = torch.optim.SGD(model.parameters(), 0.01)
for size in (1, 1, 1e6):
    probabilities = model(torch.randn(16, 4) * size)
    entropy = -(probabilities * probabilities.log()).sum(1).mean()  # TS601
    optimizer.zero_grad()
    entropy.backward()  # TS601
    optimizer.step()
