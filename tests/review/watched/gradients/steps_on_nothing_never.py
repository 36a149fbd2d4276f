"""Optimizers that step without gradients for a while, or on purpose."""

import copy

import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(8, 4), torch.randint(0, 2, (8,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.heads = nn.Linear(4, 4), nn.ModuleList(nn.Linear(4, 2) for _ in range(3))

    def forward(self, x, task=0, learns=True):
        hidden = self.encoder(x)
        return self.heads[task](hidden if learns else hidden.detach())


# The encoder learns later; a head whose task never comes up is not used.
net = Net()
optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (net.encoder, *net.heads)]
for step in range(16):
    for optimizer in optimizers:
        optimizer.zero_grad()
    nn.functional.cross_entropy(net(x, task=step % 2, learns=step > 12), y).backward()
    for optimizer in optimizers:
        optimizer.step()

# A critic that is stepped once in a while, and one that is trained before the actor.
actor, critic = nn.Linear(4, 2), nn.Linear(2, 1)
acts, judges = torch.optim.Adam(actor.parameters()), torch.optim.Adam(critic.parameters())
for step in range(24):
    judges.zero_grad()
    acts.zero_grad()
    chosen = actor(x)
    (critic(chosen.detach()) - 1).square().mean().backward()
    if step % 2:
        judges.step()
    if step > 18:
        (-critic(chosen)).mean().backward()
    acts.step()


class Evolution(torch.optim.Optimizer):
    """Has no use for gradients."""

    def __init__(self, held, judge):
        super().__init__(list(held), {})
        self.judge = judge

    @torch.no_grad()
    def step(self, closure=None):
        before = [one.clone() for one in self.param_groups[0]["params"]]
        worth = self.judge()
        for one in self.param_groups[0]["params"]:
            one += 0.01 * torch.randn_like(one)
        if self.judge() > worth:
            for one, old in zip(self.param_groups[0]["params"], before, strict=True):
                one.copy_(old)


mutant, learner = nn.Linear(4, 4), nn.Linear(4, 2)
evolution = Evolution(mutant.parameters(), lambda: nn.functional.cross_entropy(learner(mutant(x)), y))
plain = torch.optim.SGD(learner.parameters(), lr=0.1)
for _ in range(14):
    plain.zero_grad()
    nn.functional.cross_entropy(learner(mutant(x).detach()), y).backward()
    plain.step()
    evolution.step()

# Gradients that come to a copy and are given to the parameters that the optimizer holds.
shared = nn.Linear(4, 2)
server = torch.optim.SGD(shared.parameters(), lr=0.1)
for _ in range(14):
    local = copy.deepcopy(shared)
    outputs = shared(x)
    (nn.functional.cross_entropy(local(x), y) + nn.functional.mse_loss(local(x), outputs.detach())).backward()
    for one, other in zip(shared.parameters(), local.parameters(), strict=True):
        one.grad = other.grad
    server.step()

# A closure computes the gradients inside of the step.
fitted = nn.Linear(4, 2)
newton = torch.optim.LBFGS(fitted.parameters(), max_iter=4)


def closure():
    newton.zero_grad()
    loss = nn.functional.cross_entropy(fitted(x), y)
    loss.backward()
    return loss


for _ in range(14):
    newton.step(closure)
