"""Gradients that are cut, or not recorded, where they should be."""

import copy

import torch
from torch import nn


def frozen_backbone():
    backbone, head = nn.Linear(4, 4), nn.Linear(4, 1)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    for _ in range(4):
        with torch.no_grad():
            hidden = backbone(torch.randn(8, 4))
        optimizer.zero_grad()
        head(hidden).pow(2).mean().backward()
        optimizer.step()


def target_network():
    online, target = nn.Linear(4, 2), nn.Linear(4, 2)
    optimizer = torch.optim.Adam(online.parameters())
    for _ in range(4):
        states, rewards = torch.randn(8, 4), torch.randn(8)
        with torch.no_grad():
            wanted = rewards + 0.9 * target(states).max(1).values
        chosen = online(states)
        actions = chosen.argmax(1, keepdim=True)
        loss = nn.functional.smooth_l1_loss(chosen.gather(1, actions).squeeze(1), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def straight_through():
    model = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(4):
        soft = model(torch.randn(8, 4)).sigmoid()
        hard = soft + (soft.round() - soft).detach()
        optimizer.zero_grad()
        hard.sum().backward()
        optimizer.step()


class Round(torch.autograd.Function):
    """Rounds, and lets the gradient through."""

    @staticmethod
    def forward(context, x):
        return x.round()

    @staticmethod
    def backward(context, gradient):
        return gradient


def own_rounding():
    model = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(4):
        optimizer.zero_grad()
        Round.apply(model(torch.randn(8, 4))).sum().backward()
        optimizer.step()


def adversarial_inputs():
    model = nn.Linear(4, 2)
    model.requires_grad_(False)
    for _ in range(4):
        x = torch.randn(8, 4, requires_grad=True)
        model(x).sum().backward()  # the model is not what is trained
        print((x + 0.1 * x.grad.sign()).detach().mean())


def nothing_to_learn_from():
    """A batch without objects has a loss of its own."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for number in range(6):
        found = model(torch.randn(8, 4))
        loss = found.pow(2).mean() if number % 2 else torch.zeros((), requires_grad=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def latent_code():
    generator = nn.Linear(4, 8).requires_grad_(False)
    code = nn.Parameter(torch.zeros(1, 4))
    optimizer = torch.optim.Adam([code])
    for _ in range(4):
        optimizer.zero_grad()
        generator(code).sub(1).pow(2).mean().backward()
        optimizer.step()


def average_of_weights():
    model = nn.Linear(4, 1)
    average = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        x = torch.randn(8, 4)
        with torch.no_grad():
            wanted = average(x)
        optimizer.zero_grad()
        (model(x) - wanted).pow(2).mean().backward()
        optimizer.step()
        with torch.no_grad():
            for mine, theirs in zip(average.parameters(), model.parameters()):
                mine.lerp_(theirs, 0.1)


torch.manual_seed(0)
for part in (
    frozen_backbone,
    target_network,
    straight_through,
    own_rounding,
    adversarial_inputs,
    nothing_to_learn_from,
    latent_code,
    average_of_weights,
):
    part()
