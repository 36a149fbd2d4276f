"""Two optimizers for two kinds of weights, one for each weight inside of the backward pass, and a fresh one."""

import torch
from torch import nn

torch.manual_seed(0)


class Recommender(nn.Module):
    def __init__(self):
        super().__init__()
        self.users, self.items = nn.Embedding(40, 8, sparse=True), nn.Embedding(30, 8, sparse=True)
        self.head = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, users, items):
        return self.head(torch.cat([self.users(users), self.items(items)], dim=1)).squeeze(1)


model = Recommender()
sparse = torch.optim.SparseAdam([*model.users.parameters(), *model.items.parameters()], lr=0.01)
dense = torch.optim.AdamW(model.head.parameters(), lr=0.01)
for step in range(20):
    users, items = torch.randint(40, (32,)), torch.randint(30, (32,))
    for optimizer in (sparse, dense):
        optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(users, items), ((users + items) % 5).float())
    loss.backward()
    sparse.step()
    dense.step()
    print(step, loss.item())

# One optimizer for each weight, which steps as soon as its gradient is there.
net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
each = {parameter: torch.optim.SGD([parameter], lr=0.05) for parameter in net.parameters()}


def use(parameter):
    each[parameter].step()
    each[parameter].zero_grad()


for parameter in net.parameters():
    parameter.register_post_accumulate_grad_hook(use)
for step in range(12):
    x = torch.randn(32, 4)
    loss = nn.functional.mse_loss(net(x), x.sum(1, keepdim=True))
    loss.backward()
    print(step, loss.item())

# Turns: first one part, then the other.
left, right = nn.Linear(4, 4), nn.Linear(4, 1)
for turn in range(4):
    part, other = (left, right) if turn % 2 == 0 else (right, left)
    part.requires_grad_(True)
    other.requires_grad_(False)
    optimizer = torch.optim.SGD(part.parameters(), lr=0.05)
    for step in range(6):
        x = torch.randn(32, 4)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(right(left(x).tanh()), x[:, :1])
        loss.backward()
        optimizer.step()
    print(turn, loss.item())
