"""Half precision that is used as it should be."""

import torch
from torch import nn

torch.manual_seed(0)


class Masked(nn.Module):
    """Infinities that are meant: of a mask, and of a layer that masks."""

    def __init__(self):
        super().__init__()
        self.score = nn.Linear(8, 8)
        self.value = nn.Linear(8, 4)

    def forward(self, x):
        scores = self.score(x).masked_fill(torch.eye(8, dtype=torch.bool), float("-inf"))
        return self.value(scores.softmax(-1))


def fit(model, inputs, dtype, scaler=None, weight=1.0):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(15):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype):
            outputs = model(inputs)
        loss = weight * outputs.float().square().mean()
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()


# A scale that is too high at first goes down by itself.
fit(Masked(), torch.randn(8, 8), torch.float16, torch.amp.GradScaler("cpu", init_scale=2.0**24))
# bfloat16 reaches as far as float32.
wide = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))
fit(wide, 1e6 * torch.randn(32, 8), torch.bfloat16, weight=1e-20)
# float16 in which gradients are large enough.
fit(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)), torch.randn(32, 8), torch.float16)
# Small gradients in float32.
model = nn.Linear(8, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(10):
    optimizer.zero_grad()
    (1e-9 * model(torch.randn(32, 8)).square().mean()).backward()
    optimizer.step()
# What is only looked at may overflow.
with torch.no_grad(), torch.autocast("cpu", torch.float16):
    for _ in range(3):
        wide(6e4 * torch.randn(32, 8))
