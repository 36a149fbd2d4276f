import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Dropout(0.1), nn.Linear(12, 1))
averaged = torch.optim.swa_utils.AveragedModel(
    model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
inputs = torch.randn(128, 6)
data = torch.utils.data.TensorDataset(inputs, inputs.sum(1, keepdim=True))
loader = torch.utils.data.DataLoader(data, batch_size=8, shuffle=True)
for epoch in range(3):
    optimizer.zero_grad()
    for number, (batch, targets) in enumerate(loader, start=1):
        loss = nn.functional.mse_loss(model(batch), targets) / 4
        loss.backward()  # four batches make one step
        if number % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()
            averaged.update_parameters(model)
    print(epoch, loss.item())
averaged.eval()
with torch.no_grad():
    print(averaged(inputs).sum().item())
