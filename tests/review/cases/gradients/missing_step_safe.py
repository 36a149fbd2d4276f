import torch
from torch import nn


def saliency(model, images):
    for image in images:
        image.requires_grad_()
        model.zero_grad()
        model(image).max().backward()  # safe: no optimizer is meant
        yield image.grad.abs()


def stepped_elsewhere(model, optimizer, loader):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()  # safe: the caller may step


def by_hand(model, loader):
    for x, y in loader:
        model.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()  # safe: gradient descent by hand
        with torch.no_grad():
            for p in model.parameters():
                p.sub_(0.1 * p.grad)
