from functools import partial

import torch
from torch import nn
from torch.amp import GradScaler, autocast


def flat(model, loader):
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()  # TS101


def cleared_once_per_epoch(model, loader):
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()  # TS101


def backward_in_helper(loss):
    loss.backward()


def helper(model, loader):
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        backward_in_helper(nn.functional.mse_loss(model(x), y))
        optimizer.step()  # TS101


def amp(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = GradScaler()
    for x, y in loader:
        with autocast("cuda"):
            loss = nn.functional.mse_loss(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)  # TS101
        scaler.update()


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(self, x, y):
        loss = nn.functional.mse_loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()  # TS101

    def fit(self, loader):
        for x, y in loader:
            self.step(x, y)


class ClearingTrainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def reset_grad(self):
        self.optimizer.zero_grad()

    def fit(self, loader):
        for x, y in loader:
            loss = nn.functional.mse_loss(self.model(x), y)
            self.reset_grad()
            loss.backward()
            self.optimizer.step()  # safe: a method clears


def gan(generator, discriminator, loader):
    first = torch.optim.Adam(generator.parameters())
    second = torch.optim.Adam(discriminator.parameters())
    for real in loader:
        discriminator.zero_grad()
        discriminator(real).mean().backward()
        second.step()  # safe: the module is cleared
        generator.zero_grad()
        discriminator(generator(real)).mean().backward()
        first.step()  # safe


def accumulation(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for i, (x, y) in enumerate(loader):
        (nn.functional.mse_loss(model(x), y) / 4).backward()
        if (i + 1) % 4 == 0:
            optimizer.step()  # safe: cleared after each group
            optimizer.zero_grad()


def closure(model, loader):
    optimizer = torch.optim.LBFGS(model.parameters())
    for x, y in loader:

        def evaluate():
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            return loss

        optimizer.step(evaluate)  # safe: the closure clears


def by_hand(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for x, y in loader:
        for p in model.parameters():
            p.grad = None
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()  # safe: gradients are set to None by hand


def smoke(models):
    for model in models:
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        model(torch.randn(2, 4)).sum().backward()
        optimizer.step()  # safe: a new optimizer each round


def one_step(model, optimizer, x, y):
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()  # safe: no loop


def unknown_helper(model, loader, prepare):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for x, y in loader:
        prepare(optimizer)
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()  # safe: what prepare does cannot be seen


def callables(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    clear = partial(optimizer.zero_grad, set_to_none=True)
    for x, y in loader:
        clear()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()  # safe: a partial clears


def alias(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    clear = optimizer.zero_grad
    for x, y in loader:
        clear()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()  # safe: another name of the method


def many(models, loader):
    optimizers = {name: torch.optim.SGD(model.parameters(), 0.1) for name, model in models.items()}
    for x in loader:
        for optimizer in optimizers.values():
            optimizer.zero_grad()
        sum(model(x).mean() for model in models.values()).backward()
        for optimizer in optimizers.values():
            optimizer.step()  # safe: all are cleared


class Twice(torch.optim.Optimizer):
    """Sharpness-aware: it steps through another optimizer and clears the parameters that both have."""

    def __init__(self, parameters):
        self.inner = torch.optim.SGD(parameters, lr=0.1)
        super().__init__(self.inner.param_groups, {})

    def second_step(self):
        self.inner.step()  # safe: `self` clears the same parameters
        self.zero_grad()


def sharpness_aware(model, loader):
    optimizer = Twice(model.parameters())
    for x, y in loader:
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.second_step()


def both_networks(generator, critic, loader):
    """InfoGAN: the third optimizer has the parameters of the first two, which clear them."""
    for_generator = torch.optim.Adam(generator.parameters())
    for_critic = torch.optim.Adam(critic.parameters())
    for_both = torch.optim.Adam([*generator.parameters(), *critic.parameters()])
    for noise, real in loader:
        for_critic.zero_grad()
        (critic(generator(noise).detach()) - critic(real)).mean().backward()
        for_critic.step()
        for_generator.zero_grad()
        loss = -critic(generator(noise)).mean()
        loss.backward(retain_graph=True)
        for_generator.step()
        loss.pow(2).backward()
        for_both.step()  # safe: the others cleared the same parameters in this round
