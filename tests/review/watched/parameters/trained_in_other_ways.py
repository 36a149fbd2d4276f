"""Right programs in which parameters are tied, wrapped, averaged, recomputed, or trained without an optimizer."""

import copy

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.utils import parametrizations
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

torch.manual_seed(0)


def batch():
    return torch.randint(16, (8, 5)), torch.randint(16, (8, 5))


def loss_of(outputs, targets):
    return nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(16, 8)
        self.body = parametrizations.weight_norm(nn.Linear(8, 8))
        self.head = nn.Linear(8, 16, bias=False)
        self.head.weight = self.embedding.weight  # one parameter in two places

    def forward(self, x):
        x = self.embedding(x)
        return self.head(
            checkpoint(self.body, x, use_reentrant=False) + checkpoint(self.body, x, use_reentrant=True)
        )


model = Tied()
averaged = AveragedModel(model)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
for step in range(12):
    x, y = batch()
    (loss_of(model(x), y) / 2).backward()
    if step % 2:
        optimizer.step()
        optimizer.zero_grad()
        averaged.update_parameters(model)

# No optimizer at all.
plain = nn.Linear(4, 2)
weight = torch.randn(2, 2, requires_grad=True)
for _ in range(6):
    (plain(torch.randn(8, 4)) @ weight).pow(2).mean().backward()
    with torch.no_grad():
        for parameter in (*plain.parameters(), weight):
            parameter -= 0.1 * parameter.grad
            parameter.grad = None

# Learning to learn: an inner loop on copies, an outer step.
learner = nn.Linear(4, 2)
outer = torch.optim.SGD(learner.parameters(), lr=0.1)
for _ in range(6):
    fast = dict(learner.named_parameters())
    for _ in range(2):
        inner = functional_call(learner, fast, (torch.randn(8, 4),)).pow(2).mean()
        gradients = torch.autograd.grad(inner, list(fast.values()), create_graph=True)
        fast = {
            name: one - 0.1 * gradient for (name, one), gradient in zip(fast.items(), gradients, strict=True)
        }
    outer.zero_grad()
    functional_call(learner, fast, (torch.randn(8, 4),)).pow(2).mean().backward()
    outer.step()

# A first-order inner loop: a copy is trained, and its gradients are handed over.
for _ in range(4):
    copied = copy.deepcopy(learner)
    nearby = torch.optim.SGD(copied.parameters(), lr=0.1)
    for _ in range(4):
        nearby.zero_grad()
        copied(torch.randn(8, 4)).pow(2).mean().backward()
        nearby.step()
    outer.zero_grad()
    for parameter, other in zip(learner.parameters(), copied.parameters(), strict=True):
        parameter.grad = parameter.detach() - other.detach()
    outer.step()

# Weights kept in float32 beside the model's own in bfloat16.
half = nn.Linear(4, 2, dtype=torch.bfloat16)
master = [one.detach().float().requires_grad_() for one in half.parameters()]
optimizer = torch.optim.SGD(master, lr=0.5)
for _ in range(8):
    half.zero_grad()
    half(torch.randn(8, 4, dtype=torch.bfloat16)).pow(2).mean().backward()
    for own, one in zip(master, half.parameters(), strict=True):
        own.grad = one.grad.float()
    optimizer.step()
    with torch.no_grad():
        for own, one in zip(master, half.parameters(), strict=True):
            one.copy_(own)

# An actor and a critic that share a body; the critic's loss reaches the body as well.
body, actor, critic = nn.Linear(4, 8), nn.Linear(8, 2), nn.Linear(8, 1)
both = torch.optim.Adam([*body.parameters(), *actor.parameters()])
alone = torch.optim.Adam(critic.parameters())
for _ in range(6):
    state = body(torch.randn(8, 4)).relu()
    loss = -(actor(state).log_softmax(dim=1)[:, 0] * critic(state).detach().squeeze(1)).mean()
    loss = loss + (critic(state) - torch.randn(8, 1)).pow(2).mean()
    both.zero_grad()
    alone.zero_grad()
    loss.backward()
    both.step()
    alone.step()
