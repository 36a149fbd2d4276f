"""Parameters that get gradients which nobody is meant to use, or that are trained otherwise."""

import copy

import torch
from torch import nn


def net():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))


def fit(model, optimizer, steps=6):
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(16, 4)), torch.randint(2, (16,))).backward()
        optimizer.step()


torch.manual_seed(0)
# A linear probe, said by what the optimizer is given.
probed = net()
fit(probed, torch.optim.SGD(probed[4].parameters(), lr=0.1))

# Biases alone.
biased = net()
fit(biased, torch.optim.SGD([p for n, p in biased.named_parameters() if n.endswith("bias")], lr=0.1))

# Style transfer: the input is what is optimized.
features = net()
image = torch.randn(1, 4, requires_grad=True)
optimizer = torch.optim.LBFGS([image])
for _ in range(4):

    def closure():
        optimizer.zero_grad()
        loss = features(image).pow(2).mean()
        loss.backward()
        return loss

    optimizer.step(closure)

# A teacher that was copied, and follows as an average; nobody thought of no_grad.
student = net()
teacher = copy.deepcopy(student)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
for _ in range(6):
    x = torch.randn(16, 4)
    optimizer.zero_grad()
    nn.functional.mse_loss(student(x), teacher(x)).backward()
    optimizer.step()

# A network that was trained before judges the output of the one that is trained.
judge = nn.Linear(2, 2)
judge.load_state_dict(nn.Linear(2, 2).state_dict())
made = net()
optimizer = torch.optim.SGD(made.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    judge(made(torch.randn(16, 4))).pow(2).mean().backward()
    optimizer.step()

# A GAN: the generator's loss goes through the discriminator, whose optimizer comes later.
generator, discriminator = nn.Linear(2, 4), nn.Linear(4, 1)
first = torch.optim.Adam(generator.parameters())
for _ in range(6):
    first.zero_grad()
    discriminator(generator(torch.randn(8, 2))).mean().backward()
    first.step()
second = torch.optim.Adam(discriminator.parameters())
for _ in range(6):
    second.zero_grad()
    discriminator(generator(torch.randn(8, 2)).detach()).mean().backward()
    second.step()

# One part is stepped on by hand.
left, right = nn.Linear(4, 4), nn.Linear(4, 2)
optimizer = torch.optim.SGD(left.parameters(), lr=0.1)
for _ in range(6):
    optimizer.zero_grad()
    right.zero_grad()
    right(left(torch.randn(16, 4))).pow(2).mean().backward()
    optimizer.step()
    for parameter in right.parameters():
        parameter.data -= 0.1 * parameter.grad
