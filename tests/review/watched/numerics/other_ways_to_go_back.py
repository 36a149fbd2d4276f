import torch
from torch import nn
from torch.func import functional_call, grad
from torch.utils.checkpoint import checkpoint

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
critic = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def loss_of(parameters, x):
    return functional_call(model, parameters, (x,)).square().mean()


parameters = {name: value.detach() for name, value in model.named_parameters()}
grad(loss_of)(parameters, torch.randn(8, 4))

optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
x = torch.randn(8, 4)


def closure():
    optimizer.zero_grad()
    loss = checkpoint(model, x, use_reentrant=False).square().mean()
    loss.backward()
    return loss


optimizer.step(closure)

adam = torch.optim.Adam(critic.parameters())
for _ in range(3):
    x = torch.randn(8, 4, requires_grad=True)
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    penalty = (slope.norm(dim=1) - 1).square().mean()
    adam.zero_grad()
    (critic(x).mean() + penalty).backward()
    adam.step()
