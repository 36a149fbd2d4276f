import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 4)
)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
images = torch.rand(64, 1, 8, 8)
labels = torch.randint(0, 4, (64,))
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
for step in range(12):
    chosen = torch.randperm(64)[:16]
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = criterion(model(images[chosen]), labels[chosen])
    loss.backward()
    optimizer.step()
    print(step, loss.item())
