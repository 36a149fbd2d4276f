import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))
compiled = torch.compile(model, backend="aot_eager")
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    model.train()
    for step in range(6):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(compiled(torch.randn(16, 4)), torch.randint(0, 2, (16,)))
        loss.backward()
        optimizer.step()
        print(epoch, step, loss.item())
    model.eval()
    with torch.no_grad():
        compiled(torch.randn(16, 4))
