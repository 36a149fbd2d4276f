"""Small steps that are meant, or enough."""

import torch
from torch import nn

torch.manual_seed(0)
functional = nn.functional
weights = torch.randn(4, 1)


def fit(model, optimizer, steps=520, scheduler=None, targets=None):
    for _ in range(steps):
        x = torch.randn(16, 4)
        optimizer.zero_grad()
        functional.mse_loss(model(x), x @ weights if targets is None else targets(x)).backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()


def small():
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))


# The rates of fine-tuning move the weights far enough in so many steps.
model = small()
fit(model, torch.optim.AdamW(model.parameters(), lr=1e-5))
del model
# A short run may be a trial.
model = small()
fit(model, torch.optim.SGD(model.parameters(), lr=1e-7), steps=100)
del model
# The rate still grows.
model = small()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
fit(model, optimizer, scheduler=torch.optim.lr_scheduler.LinearLR(optimizer, 1e-3, total_iters=10_000))
del model, optimizer
# Parts that are hardly trained beside others that are.
model = small()
groups = [{"params": model[0].parameters(), "lr": 1e-8}, {"params": model[2].parameters(), "lr": 1e-2}]
fit(model, torch.optim.SGD(groups, lr=1e-3))
del model, groups
# A loss that is met leaves nothing to do.
model = small()
fit(model, torch.optim.SGD(model.parameters(), lr=0.01), targets=lambda x: model(x).detach() + 1e-9)
