"""The label is one of the columns."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
table = torch.randn(200, 5)
table[:, 2] = (table[:, 0] + 0.5 * torch.randn(200) > 0).float()
loader = DataLoader(TensorDataset(table, table[:, 2].long()), batch_size=25, shuffle=True)  # TS411
model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _epoch in range(2):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
