"""Steps that change nothing for a good reason."""

import torch
from torch import nn

torch.manual_seed(0)


def fit(model, optimizer, scheduler=None, scale=1.0):
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(torch.randn(16, 8)), torch.randint(4, (16,)))
        (scale * loss).backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()


# A warm-up from nothing.
model = nn.Linear(8, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
fit(model, optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 10) ** 3))
# A loss that is met has no gradient.
fit(model, torch.optim.SGD(model.parameters(), lr=0.1), scale=0.0)
# A group whose rate is 0 is held on purpose.
fit(model, torch.optim.SGD([{"params": model.parameters(), "lr": 0.0}], lr=0.1))
# A small rate in float32 still arrives.
fit(model, torch.optim.Adam(model.parameters(), lr=1e-6))
