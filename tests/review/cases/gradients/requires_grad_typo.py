from torch import nn
from torchvision import models


def freeze(model):
    for p in model.parameters():
        p.require_grad = False  # TS116


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = models.resnet18()
        self.backbone.requires_grad = False  # TS116
        for p in self.backbone.layer1.parameters():
            p.requires_grad = True  # safe
        self.head = nn.Linear(4, 2)
        self.head.requires_grad_(True)  # safe
        self.head.weight.requires_grad = False  # safe: a parameter


def unknown(layer):
    layer.requires_grad = False  # safe: it may be a parameter
