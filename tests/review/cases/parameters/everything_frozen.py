import torch
from torch import nn
from torchvision import models


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.body(x))


def freeze(module):
    for parameter in module.parameters():
        parameter.requires_grad = False


def by_a_function():
    net = Net()
    freeze(net)
    return net, torch.optim.Adam(net.parameters(), lr=0.1)  # TS504


def filtered():
    net = models.resnet18()
    net.fc = nn.Linear(512, 2)
    net.requires_grad_(False)
    net.to("cuda")
    return torch.optim.Adam(filter(lambda p: p.requires_grad, net.parameters()))  # TS504


class Trainer:
    def __init__(self):
        self.net = Net()
        for _, parameter in self.net.named_parameters():
            parameter.requires_grad_(False)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)  # TS504


def head_replaced():
    net = models.resnet18()
    freeze(net)
    net.fc = nn.Linear(512, 2)  # safe: what comes after can learn
    return torch.optim.Adam(net.parameters())


def part_only():
    net = Net()
    freeze(net.body)
    return torch.optim.Adam(net.parameters())  # safe: the head can learn


def by_name():
    net = Net()
    for name, parameter in net.named_parameters():
        if "head" not in name:
            parameter.requires_grad = False
    return torch.optim.Adam(net.parameters())  # safe: not all are frozen


def teacher_and_student():
    teacher, student = Net(), Net()
    freeze(teacher)
    return torch.optim.Adam(student.parameters())  # safe: another model


def of_the_input(image):
    net = models.vgg16()
    freeze(net)
    return torch.optim.LBFGS([image])  # safe: the input is what is changed
