"""Orders of backward, clearing and step that look wrong and are right."""

import torch
from torch import nn


def batches(count=6):
    return [(torch.randn(8, 4), torch.randn(8, 1)) for _ in range(count)]


def adversaries():
    generator, critic = nn.Linear(4, 4), nn.Linear(4, 1)
    first = torch.optim.Adam(generator.parameters(), lr=1e-3)
    second = torch.optim.Adam(critic.parameters(), lr=1e-3)
    for x, _ in batches():
        fake = generator(torch.randn(8, 4))
        (critic(fake.detach()).mean() - critic(x).mean()).backward()
        second.step()
        # what the generator's loss leaves in the critic is cleared, unused
        first.zero_grad()
        (-critic(fake).mean()).backward()
        first.step()
        second.zero_grad()


def accumulating():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    for number, (x, y) in enumerate(batches(8)):
        if number % 2 == 0:
            optimizer.zero_grad()
        (nn.functional.mse_loss(model(x), y) / 2).backward()
        if number % 2 == 1:
            optimizer.step()


def skipping():
    """A step is left out where the loss is too large."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for number, (x, y) in enumerate(batches()):
        nn.functional.mse_loss(model(x), y).backward()
        if number % 2 == 0:
            optimizer.zero_grad()
            continue
        optimizer.step()
        optimizer.zero_grad()


def with_closure():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    for x, y in batches():

        def closure(x=x, y=y):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            return loss

        optimizer.zero_grad()
        optimizer.step(closure)  # the closure goes backward


def by_hand():
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches():
        loss = nn.functional.mse_loss(model(x), y)
        found = torch.autograd.grad(loss, list(model.parameters()))
        optimizer.zero_grad()
        for parameter, gradient in zip(model.parameters(), found):
            parameter.grad = gradient
        optimizer.step()


def sharpness_aware():
    """Two backward passes a step: gradients at a place nearby are those that count."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches():
        nn.functional.mse_loss(model(x), y).backward()
        moves = [0.05 * parameter.grad for parameter in model.parameters()]
        with torch.no_grad():
            for parameter, move in zip(model.parameters(), moves):
                parameter.add_(move)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        with torch.no_grad():
            for parameter, move in zip(model.parameters(), moves):
                parameter.sub_(move)
        optimizer.step()
        optimizer.zero_grad()


def plotted_schedule():
    """Steps of an optimizer that is there for its schedule only."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    rates = []
    for _ in range(6):
        optimizer.step()
        schedule.step()
        rates.append(schedule.get_last_lr()[0])
    print(rates)


def in_backward():
    """Each parameter is updated as soon as its gradient is there."""
    model = nn.Linear(4, 1)
    optimizers = {parameter: torch.optim.SGD([parameter], lr=0.1) for parameter in model.parameters()}

    def update(parameter):
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(update)
    for x, y in batches():
        nn.functional.mse_loss(model(x), y).backward()


def satisfied_hinge():
    """Gradients that are zero as every margin is met."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, _ in batches():
        optimizer.zero_grad()
        torch.relu(model(x) - 1000).mean().backward()
        optimizer.step()


torch.manual_seed(0)
plotted_schedule()  # first: nothing went backward yet
for part in (
    adversaries,
    accumulating,
    skipping,
    with_closure,
    by_hand,
    sharpness_aware,
    in_backward,
    satisfied_hinge,
):
    part()
