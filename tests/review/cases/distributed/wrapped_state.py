import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP


class Trainer:
    def __init__(self, net, gpu_id):
        self.model = DDP(net.to(gpu_id), device_ids=[gpu_id])
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def compute_loss(self, x, y):
        output = self.model.module(x)  # TS906
        return F.cross_entropy(output, y)

    def train(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            loss = self.compute_loss(x, y)
            loss.backward()
            self.optimizer.step()


def flat(net, loader, optimizer):
    model = DDP(net)
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model.module(x), y).backward()  # TS906
        optimizer.step()


def with_both(net, loader, optimizer):
    model = DDP(net)
    for x, y in loader:
        optimizer.zero_grad()
        loss = (
            F.cross_entropy(model(x), y) + 0.1 * model.module(x).pow(2).mean()
        )  # safe: through the wrapper too
        loss.backward()
        optimizer.step()


def teacher(net, loader, optimizer):
    model = DDP(net)
    for x, y in loader:
        with torch.no_grad():
            target = model.module(x).softmax(1)  # safe: no gradients, and the loss goes through the wrapper
        optimizer.zero_grad()
        F.kl_div(model(x).log_softmax(1), target).backward()
        optimizer.step()


def one_process(net, loader, optimizer):
    model = nn.DataParallel(net)
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model.module(x), y).backward()  # safe: one process, its gradients are its own
        optimizer.step()


def evaluated(net, loader):
    model = DDP(net)
    model.eval()
    with torch.no_grad():
        return [model.module(x) for x, _ in loader]  # safe: not trained
