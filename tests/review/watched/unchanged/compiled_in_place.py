import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))
model.compile(backend="aot_eager")
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(8):
    points = torch.randn(16, 4)
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(points), points.sum(1, keepdim=True))
    loss.backward()
    optimizer.step()
    print(step, loss.item())
model.eval()
with torch.no_grad():
    print(model(torch.ones(3, 4)).sum().item())
