"""The penalty that keeps a critic's slope near one."""

import torch


def gradient_penalty(critic, real, fake, weight=10.0):
    share = torch.rand(len(real), 1)
    points = share * real + (1 - share) * fake
    points.requires_grad_()
    scores = critic(points)
    slopes = torch.autograd.grad(scores.sum(), points)[0]  # TS118
    penalty = ((slopes.norm(2, dim=1) - 1) ** 2).mean()
    return weight * penalty
