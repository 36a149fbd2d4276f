import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
inputs = torch.randn(64, 4)
inputs[40, 2] = float("nan")
loader = DataLoader(TensorDataset(inputs, torch.randn(64, 1)), batch_size=8)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), 0.01)
for x, y in loader:
    loss = nn.functional.mse_loss(model(x), y)  # TS601
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
