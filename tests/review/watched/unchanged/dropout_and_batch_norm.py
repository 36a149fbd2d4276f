import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3)
inputs = torch.randn(128, 4)
data = torch.utils.data.TensorDataset(inputs, inputs[:, :3].argmax(1))
loader = torch.utils.data.DataLoader(data, batch_size=32, shuffle=True)
for epoch in range(3):
    model.train()
    for batch, targets in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    schedule.step()
    model.eval()
    with torch.no_grad():
        print(epoch, model(inputs).argmax(1).eq(inputs[:, :3].argmax(1)).float().mean().item())
