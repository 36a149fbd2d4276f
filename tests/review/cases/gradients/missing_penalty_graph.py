import torch
from torch import autograd, nn


def gradient_penalty(critic, real, fake):
    alpha = torch.rand(real.size(0), 1)
    points = (alpha * real + (1 - alpha) * fake.detach()).requires_grad_(True)
    score = critic(points)
    gradients = autograd.grad(  # TS118
        outputs=score, inputs=points, grad_outputs=torch.ones_like(score), retain_graph=True
    )[0]
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


def train(loader, generator):
    critic = nn.Linear(2, 1)
    optimizer = torch.optim.Adam(critic.parameters())
    for real in loader:
        fake = generator(torch.randn(8, 2))
        penalty = gradient_penalty(critic, real, fake)
        loss = critic(fake.detach()).mean() - critic(real).mean() + 10 * penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


class R1:
    def __init__(self, critic):
        self.critic = critic

    def penalty(self, real):
        real.requires_grad_()
        (gradient,) = torch.autograd.grad(self.critic(real).sum(), real, create_graph=False)  # TS118
        return gradient.pow(2).sum(1).mean()

    def step(self, real):
        penalty = self.penalty(real)
        loss = self.critic(real).mean()
        loss += 5 * penalty
        loss.backward()


def without_requires_grad(real, generator):
    critic = nn.Linear(2, 1)
    noise = torch.randn(8, 2)
    points = 0.5 * real + 0.5 * noise
    score = critic(points)
    gradient = torch.autograd.grad(score.sum(), points, create_graph=True)[0]  # TS118
    ((gradient.norm(2, dim=1) - 1) ** 2).mean().backward()


def right(critic, real):
    real.requires_grad_()
    score = critic(real)
    gradient = torch.autograd.grad(score.sum(), real, create_graph=True)[0]  # safe
    loss = score.mean() + ((gradient.norm(2, dim=1) - 1) ** 2).mean()
    loss.backward()


def measured(critic, real):
    score = critic(real.requires_grad_())
    gradient = torch.autograd.grad(score.sum(), real, retain_graph=True)[0]  # safe: the norm is printed
    print(gradient.norm(2, dim=1).mean())
    loss = score.mean()
    loss.backward()


def adversarial(model, x):
    x.requires_grad_()
    gradient = torch.autograd.grad(model(x).sum(), x)[0]  # safe: a step in the input
    moved = x + 0.1 * gradient.sign()
    loss = model(moved.detach()).mean()
    loss.backward()


def adaptive_weight(model, x, last):
    first, second = model(x).mean(), model(x).pow(2).mean()
    one = torch.autograd.grad(first, last, retain_graph=True)[0]  # safe: the weight is detached
    two = torch.autograd.grad(second, last, retain_graph=True)[0]  # safe
    weight = one.norm() / (two.norm() + 1e-4)
    weight = torch.clamp(weight, 0.0, 1e4).detach()
    loss = first + weight * second
    loss.backward()


def inner_step(model, x, y):
    loss = nn.functional.mse_loss(model(x), y)
    gradients = torch.autograd.grad(loss, model.parameters())  # safe: first-order adaptation
    fast = [p - 0.1 * g for p, g in zip(model.parameters(), gradients)]
    return fast


def new_leaf(critic, real):
    points = torch.autograd.Variable(
        real + torch.rand(real.shape), requires_grad=True
    )  # safe: asked for here
    scores = critic(points)
    (gradient,) = torch.autograd.grad(scores, points, torch.ones_like(scores), create_graph=True)
    penalty = ((gradient.norm(2, dim=1) - 1) ** 2).mean()
    penalty.backward()
