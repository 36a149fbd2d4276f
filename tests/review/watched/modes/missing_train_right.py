"""Gradients in evaluation mode that are meant."""

import torch
from torch import nn

torch.manual_seed(0)
inputs, targets = torch.randn(32, 4), torch.randint(0, 2, (32,))


def build():
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))


model, teacher, plain = build(), build(), nn.Linear(4, 2)
optimizer = torch.optim.SGD([*model.parameters(), *plain.parameters()], lr=0.1)
teacher.eval()
for _ in range(3):
    model.eval()
    attacked = inputs.clone().requires_grad_(True)
    nn.functional.cross_entropy(model(attacked), targets).backward()  # an attack, before training mode
    model.train()
    for layer in model:
        if isinstance(layer, nn.BatchNorm1d):
            layer.eval()  # only the statistics are frozen
    for _ in range(3):
        optimizer.zero_grad()
        outputs = model(inputs + 0.1 * attacked.grad.sign())
        loss = nn.functional.cross_entropy(outputs + plain(inputs), targets)
        loss = loss + nn.functional.mse_loss(outputs, teacher(inputs))
        loss.backward()
        optimizer.step()
    plain.eval()  # nothing in it has a mode
    model.eval()
    with torch.no_grad():
        model(inputs)
    picture = torch.randn(2, 4, requires_grad=True)  # what the model likes to see
    ascent = torch.optim.Adam([picture], lr=0.1)
    for _ in range(3):
        ascent.zero_grad()
        (-model(picture)[:, 1].sum()).backward()
        ascent.step()

tuned = build()
tuned.eval()  # from the first step on, and on purpose
adam = torch.optim.Adam(tuned.parameters())
for _ in range(3):
    for _ in range(2):
        adam.zero_grad()
        nn.functional.cross_entropy(tuned(inputs), targets).backward()
        adam.step()
    with torch.no_grad():
        tuned(inputs)

probe = build()
for layer in probe[:-1]:
    layer.requires_grad_(False)
head = torch.optim.Adam(probe[-1].parameters())
probe.eval()
with torch.no_grad():
    probe(inputs)
for _ in range(3):  # a head on a frozen body
    head.zero_grad()
    nn.functional.cross_entropy(probe(inputs), targets).backward()
    head.step()


class Scaled(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.temperature = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.inner(x) / self.temperature


scaled = Scaled(model).eval()
with torch.no_grad():
    scaled(inputs)
warmth = torch.optim.SGD([scaled.temperature], lr=0.1)
for _ in range(3):
    warmth.zero_grad()
    nn.functional.cross_entropy(scaled(inputs), targets).backward()
    warmth.step()


paired = build()
lookout = torch.optim.SGD(paired.parameters(), lr=0.1)
for _ in range(3):
    lookout.zero_grad()
    nn.functional.cross_entropy(paired(inputs), targets).backward()
    lookout.step()
paired.eval()  # from here on without noise, and two views to each step
for _ in range(4):
    lookout.zero_grad()
    nn.functional.mse_loss(paired(inputs), paired(inputs + 0.1)).backward()
    lookout.step()
for _ in range(2):
    attacked = inputs.clone().requires_grad_(True)
    for _ in range(3):  # an attack
        loss = nn.functional.cross_entropy(paired(attacked), targets)
        attacked = attacked + 0.1 * torch.autograd.grad(loss, attacked)[0].sign()
    lookout.zero_grad()
    nn.functional.cross_entropy(paired(attacked.detach()), targets).backward()
    lookout.step()
