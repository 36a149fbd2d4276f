"""Nothing but functions: an ensemble in one call, derivatives of derivatives, a hand-written Adam."""

import torch
from torch import nn
from torch.func import functional_call, grad_and_value, hessian, jacrev, stack_module_state, vmap

torch.manual_seed(0)
x = torch.randn(64, 3)
y = x.sum(1, keepdim=True).sin()

nets = [nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)) for _ in range(4)]
values, buffers = stack_module_state(nets)
values = {name: value.detach() for name, value in values.items()}
shape = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).to("meta")


def error(values, buffers, x, y):
    return nn.functional.mse_loss(functional_call(shape, (values, buffers), (x,)), y)


slopes = vmap(grad_and_value(error), in_dims=(0, 0, None, None))
for step in range(15):
    gradients, losses = slopes(values, buffers, x, y)
    values = {name: value - 0.1 * gradients[name] for name, value in values.items()}
    print(step, losses.mean().item())
del shape, nets  # the first has no numbers that could be compared

# Weights that belong to no module, moved by hand.
weights = [torch.randn(3, 8) * 0.5, torch.zeros(8), torch.randn(8, 1) * 0.3, torch.zeros(1)]
for weight in weights:
    weight.requires_grad_()
first, second = [torch.zeros_like(one) for one in weights], [torch.zeros_like(one) for one in weights]


def predict(x):
    return (x @ weights[0] + weights[1]).tanh() @ weights[2] + weights[3]


for step in range(1, 16):
    loss = nn.functional.mse_loss(predict(x), y)
    gradients = torch.autograd.grad(loss, weights)
    with torch.no_grad():
        for weight, gradient, mean, square in zip(weights, gradients, first, second, strict=True):
            mean.mul_(0.9).add_(gradient, alpha=0.1)
            square.mul_(0.99).addcmul_(gradient, gradient, value=0.01)
            weight -= 0.01 * (mean / (1 - 0.9**step)) / ((square / (1 - 0.99**step)).sqrt() + 1e-8)
    print(step, loss.item())

# Newton's method on a plain tensor.
at = torch.tensor([1.5, -0.5])


def height(point):
    return (point**4).sum() + point.prod()


for step in range(5):
    at = at - torch.linalg.solve(hessian(height)(at), jacrev(height)(at))
print(at.tolist())

# An image that is sought, by an optimizer whose only parameter it is.
judge = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3)).requires_grad_(False)
image = torch.zeros(1, 16, requires_grad=True)
optimizer = torch.optim.Adam([image], lr=0.1)
for step in range(12):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(judge(image), torch.tensor([2])) + 1e-3 * image.pow(2).sum()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
