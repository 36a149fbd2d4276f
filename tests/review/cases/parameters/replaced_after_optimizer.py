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


def step(net, optimizer, x, y):
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    optimizer.step()


def layer(loader):
    net = models.vgg16()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net.classifier[6] = nn.Linear(4096, 10)  # TS503
    for x, y in loader:
        step(net, optimizer, x, y)


def new_head(net, classes):
    net.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, classes))


def through_a_function(loader):
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    new_head(net, 7)  # TS503
    for x, y in loader:
        step(net, optimizer, x, y)


def made_anew(loader):
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    net = Net()  # TS503
    for x, y in loader:
        step(net, optimizer, x, y)


class Trainer:
    def __init__(self, classes):
        self.net = Net()
        self.optimizer = torch.optim.Adam(self.net.parameters())
        self.net.head = nn.Linear(4, classes)  # TS503

    def train(self, loader):
        for x, y in loader:
            step(self.net, self.optimizer, x, y)


class InForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 4)

    def forward(self, x):
        x = self.body(x)
        return nn.Linear(4, 2)(x)  # TS503


def replaced_before(loader):
    net = models.resnet18()
    net.fc = nn.Linear(512, 10)  # safe: before the optimizer
    optimizer = torch.optim.Adam(net.parameters())
    net = net.to("cuda")  # safe: keeps its parameters
    for x, y in loader:
        step(net, optimizer, x, y)


def wrapped(loader):
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    net = nn.DataParallel(net)  # safe: the same parameters
    for x, y in loader:
        step(net, optimizer, x, y)


def optimizer_made_anew(loader):
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    for x, y in loader:
        step(net, optimizer, x, y)
    net = Net()  # safe: has an optimizer of its own
    optimizer = torch.optim.Adam(net.parameters())
    for x, y in loader:
        step(net, optimizer, x, y)


def loaded_for_a_test(loader):
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    for x, y in loader:
        step(net, optimizer, x, y)
    net = Net()  # safe: not trained on
    net.load_state_dict(torch.load("best.pt", weights_only=True))
    net.eval()
    return net


def added(loader):
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    net.head = nn.Linear(4, 9)  # safe: given to the optimizer afterwards
    optimizer.add_param_group({"params": net.head.parameters()})
    for x, y in loader:
        step(net, optimizer, x, y)


def without_parameters(loader):
    net = Net()
    optimizer = torch.optim.Adam(net.body.parameters())
    net.head = nn.Identity()  # safe: nothing to train
    for x, y in loader:
        step(net, optimizer, x, y)


class Lazily(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = None

    def forward(self, x):
        if self.head is None:
            self.head = nn.Linear(x.shape[1], 2)  # safe: once, perhaps before the optimizer is made
        return self.head(x)


class FixedFilter(nn.Module):
    def forward(self, x):
        blur = nn.Conv2d(1, 1, 3, bias=False)  # safe: a filter that nothing should train
        blur.weight.data.fill_(1 / 9)
        return blur(x)
