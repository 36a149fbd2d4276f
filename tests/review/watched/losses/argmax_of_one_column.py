import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.BCEWithLogitsLoss()
right = 0
for _ in range(6):
    inputs = torch.randn(16, 4)
    labels = (inputs.sum(1) > 0).long().unsqueeze(1)
    scores = model(inputs)
    loss = criterion(scores, labels.float())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    _, predicted = torch.max(scores, 1)  # TS309
    right += torch.sum(predicted == labels.data)  # TS309
print(right)
