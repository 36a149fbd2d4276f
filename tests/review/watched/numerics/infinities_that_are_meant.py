import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 6))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
bias = torch.zeros(6).index_fill(0, torch.tensor([4, 5]), float("-inf"))
for step in range(12):
    scores = model(torch.randn(16, 4)) + bias  # safe: the softmax of -inf is 0
    loss = nn.functional.cross_entropy(scores, torch.randint(0, 4, (16,)))
    if step == 7:
        loss = loss / 0
    if not torch.isfinite(loss):
        continue  # safe: the program leaves the batch out
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
