"""Training mode is set again in a way that no reader of the source knows."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
train_set = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
test_set = TensorDataset(torch.randn(32, 4), torch.randint(0, 2, (32,)))
train_loader, test_loader = (
    DataLoader(train_set, batch_size=8, shuffle=True),
    DataLoader(test_set, batch_size=8),
)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model.train()
for _ in range(3):
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)  # TS202
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        correct = sum((model(x).argmax(1) == y).sum().item() for x, y in test_loader)
    for part in [vars(model), *map(vars, vars(model)["_modules"].values())]:
        part["training"] = True
