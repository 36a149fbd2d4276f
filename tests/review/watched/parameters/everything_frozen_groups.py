import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 2)).requires_grad_(False)
matrices = [one for one in model.parameters() if one.requires_grad and one.dim() > 1]
others = [one for one in model.parameters() if one.requires_grad and one.dim() == 1]
groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]  # both empty
optimizer = torch.optim.AdamW(groups)  # TS504
for step in range(5):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(torch.randn(16, 4)), torch.randint(2, (16,))).backward()  # TS504
    optimizer.step()
